//! What there is to show of apps and of the runtime, as the driver knows it: figures of processes and facts of files are
//! added by those who show it.

use std::path::PathBuf;

use super::app::App;
use super::clock;
use super::plan::Plan;
use super::run::Driver;
use crate::api::types::{
    AppView, ExecMode, ExitView, Health, HealthView, InstanceView, InterpreterView, ListenerView,
    LogFilesView, MachineView, RuntimeView, SettingView, StartRequest, Status,
};
use crate::handover::choose::Way;
use crate::logs::Stream;
use crate::spec::{InstanceId, LogPlace};
use crate::supervisor::{self, Stall, StateName, Uptime};

impl Driver {
    /// The runtime itself.
    pub(super) fn view(&self) -> RuntimeView {
        let surroundings = &self.shared.surroundings;
        let uptime = millis(self.shared.clock.now());
        RuntimeView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            mode: surroundings.mode,
            home: surroundings.home.as_ref().map(|home| home.display().to_string()),
            socket: self.socket.clone().unwrap_or_default(),
            web: self.web.as_ref().map(|web| web.address.to_string()),
            otlp: self.pushes.as_ref().map(|pushes| pushes.endpoint.clone()),
            user: surroundings.user.to_string(),
            command: surroundings.command.clone(),
            directory: surroundings.directory.clone(),
            started_at_ms: clock::epoch_ms().saturating_sub(uptime),
            uptime_ms: uptime,
            updates: self.updates,
            memory_bytes: None,
            cpu_time_ms: None,
            descriptors: None,
            machine: MachineView {
                architecture: std::env::consts::ARCH.to_owned(),
                cpus: surroundings.cpus,
                memory_limit_bytes: surroundings.memory_limit,
                ..MachineView::default()
            },
        }
    }
}

impl App {
    /// The app at `now`.
    pub(super) fn view(&self, now: Uptime) -> AppView {
        let plan = self.plan();
        let snapshot = self.supervisor.snapshot(now);
        let instances: Vec<_> = snapshot.instances.iter().map(|view| self.instance(view, now)).collect();
        let command = &plan.app.command;
        let words = std::iter::once(&command.program).chain(&command.arguments);
        let program = command.program.to_string_lossy().into_owned();
        let shares = plan.way != Way::None;
        let (metrics, actions) = self.reported(&snapshot.instances);
        AppView {
            app_id: self.id.0,
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
            version: None,
            status: match whole(summary(&instances), snapshot.health.as_ref()) {
                // It serves, but nobody shall count on it any more.
                Status::Online | Status::Unhealthy if snapshot.is_ending => Status::Stopping,
                status => status,
            },
            before_start: self.before_start(),
            command: words.map(|word| word.to_string_lossy().into_owned()).collect(),
            resolved: plan.resolution.as_ref().map(ToString::to_string),
            script: plan.script.clone(),
            directory: self.directory_of(&plan),
            interpreter: plan.script.is_some().then_some(InterpreterView {
                program,
                path: None,
                version: None,
            }),
            share: plan.way.to_string(),
            balance: self.listeners.balance().way.as_str().to_owned(),
            exec_mode: if shares && instances.len() > 1 { ExecMode::Cluster } else { ExecMode::Fork },
            user: self.shared.surroundings.user.to_string(),
            watching: plan.app.watch.is_some(),
            created_at_ms: self.created_at_ms,
            generation: snapshot.generation.0,
            reloading: snapshot.reloading.map(|generation| generation.0),
            health: snapshot.health.as_ref().map(health),
            instances,
            standbys: snapshot.standbys.iter().map(|view| self.instance(view, now)).collect(),
            listeners: self.listener_views(),
            logs: self.log_files_view(&plan),
            git: None,
            settings: self.settings(&plan),
            metrics,
            actions,
            last_crash: self.shared.crashes.last_of(self.id),
            scaling: self.scaling_view(),
        }
    }

    /// Where its workers run.
    pub(super) fn directory_of(&self, plan: &Plan) -> String {
        let ours = || self.shared.surroundings.directory.clone();
        plan.app.command.directory.as_ref().map_or_else(ours, |directory| directory.display().to_string())
    }

    /// `ID` stands for the number of an instance, where each has files of its own.
    fn log_files_view(&self, plan: &Plan) -> LogFilesView {
        let shown = |path: &PathBuf| path.display().to_string();
        let usual = self.shared.surroundings.usual_files(plan).unwrap_or_default();
        let files = |stream| plan.log_files(stream, "ID");
        let own = |place: &LogPlace, stream, usual: Option<PathBuf>| match place {
            LogPlace::File(_) => files(stream).first().map(shown),
            LogPlace::Usual | LogPlace::Nowhere => usual.as_ref().map(shown),
        };
        let logs = &plan.app.logs;
        LogFilesView {
            out: own(&logs.output, Stream::Stdout, usual.0),
            error: own(&logs.error, Stream::Stderr, usual.1),
            both: logs.both.as_ref().and_then(|_| files(Stream::Stdout).last().map(shown)),
        }
    }

    fn namespace(&self) -> &str {
        let declared = self.definition.declared.as_ref();
        declared.and_then(|declared| declared.namespace.as_deref()).unwrap_or("default")
    }

    /// As planned; where the number of instances was changed since, that is what counts.
    fn settings(&self, plan: &Plan) -> Vec<SettingView> {
        let now = self.instances().to_string();
        let counted = |setting: &SettingView| match setting.name.as_str() {
            "instances" if setting.value != now && plan.app.range.is_none() => SettingView {
                value: now.clone(),
                origin: format!("scaled, from {}", setting.value),
                ..setting.clone()
            },
            _ => setting.clone(),
        };
        plan.settings.iter().map(counted).collect()
    }

    fn instance(&self, view: &supervisor::InstanceView, now: Uptime) -> InstanceView {
        let worker = view.worker.and_then(|worker| self.workers.get(worker));
        let (metrics, actions) = worker.map(|worker| worker.talk.views()).unwrap_or_default();
        InstanceView {
            id: self.id_of(view.instance).unwrap_or(view.instance.0),
            instance: view.instance.0,
            status: self.prelude.status().unwrap_or(whole(status(view.state), view.health.as_ref())),
            steered_away: self.listeners.avoids(view.instance),
            pid: view.pid.map(crate::process::Pid::as_raw),
            generation: view.generation.0,
            uptime_ms: view.spawned.map(|spawned| millis(Uptime(now.since(spawned)))),
            restarts: view.restarts,
            unstable_starts: view.unstable,
            cpu_percent: None,
            memory_bytes: None,
            processes: None,
            connections: None,
            requests_in_flight: None,
            next_start_in_ms: view.next_start.map(|at| millis(Uptime(at.since(now)))),
            last_exit: view.last_exit.map(|reason| ExitView {
                reason: reason.to_string(),
                status: reason.status(),
                at_ms: self.exits.get(&view.instance).copied().unwrap_or(self.created_at_ms),
            }),
            health: view.health.as_ref().map(health),
            says: worker.and_then(|worker| worker.said.text()),
            node: None,
            metrics,
            actions,
        }
    }

    fn listener_views(&self) -> Vec<ListenerView> {
        let view = |status: crate::listener::Status| ListenerView {
            address: status.address.to_string(),
            instance: status.instance.map(|InstanceId(instance)| instance),
            waiting: status.waiting,
        };
        self.listeners.addresses().into_iter().map(view).collect()
    }

    /// What starts the app again elsewhere, as it is now; with its range, where the load says how many instances it has.
    pub(super) fn saved(&self) -> StartRequest {
        let name = Some(self.name().to_owned());
        let has_range = self.plan().app.range.is_some();
        let instances = u32::try_from(self.instances()).ok().filter(|_| !has_range);
        StartRequest { name, instances, ..self.definition.clone() }
    }
}

fn status(state: StateName) -> Status {
    match state {
        StateName::Waiting | StateName::Starting => Status::Launching,
        StateName::Ready | StateName::Replacing => Status::Online,
        StateName::Standby => Status::Standby,
        StateName::Backoff => Status::WaitingRestart,
        StateName::Stopping | StateName::Killing => Status::Stopping,
        StateName::Stopped => Status::Stopped,
        StateName::Failed => Status::Errored,
    }
}

/// With what is known of the health of whoever serves.
fn whole(status: Status, health: Option<&supervisor::HealthView>) -> Status {
    let is_unhealthy = health.is_some_and(|view| view.health == supervisor::Health::Unhealthy);
    if status == Status::Online && is_unhealthy { Status::Unhealthy } else { status }
}

fn health(view: &supervisor::HealthView) -> HealthView {
    HealthView {
        health: match view.health {
            supervisor::Health::Unknown => Health::Unknown,
            supervisor::Health::Healthy => Health::Healthy,
            supervisor::Health::Unhealthy => Health::Unhealthy,
        },
        failures: view.failures,
        last_failure: view.last_failure.clone(),
        stalled: view.stalled.map(|cause| {
            match cause {
                Stall::Watchdog => "watchdog",
                Stall::Trigger => "trigger",
                Stall::Check => "check",
                Stall::EventLoop => "event_loop",
                Stall::Memory => "memory",
                Stall::Pressure => "pressure",
            }
            .to_owned()
        }),
    }
}

/// The app's own: that of its best instance.
fn summary(instances: &[InstanceView]) -> Status {
    const BEST_FIRST: [Status; 7] = [
        Status::Online,
        Status::Unhealthy,
        Status::Launching,
        Status::WaitingRestart,
        Status::Stopping,
        Status::Errored,
        Status::Stopped,
    ];
    let has = |status: &Status| instances.iter().any(|view| view.status == *status);
    BEST_FIRST.into_iter().find(|status| has(status)).unwrap_or(Status::Stopped)
}

fn millis(uptime: Uptime) -> u64 {
    u64::try_from(uptime.0.as_millis()).unwrap_or(u64::MAX)
}
