//! The program that takes over: from the state that was left to a driver that goes on.
//!
//! What cannot be taken over is told of and done without; it never keeps the rest from going on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;

use super::state::{AppState, CheckError, LogFileState, OutputsOf, RuntimeState, WebState, WorkerState};
use crate::api::crash::CrashView;
use crate::api::types::Mode;
use crate::driver::app::App;
use crate::driver::clock::Clock;
use crate::driver::collision;
use crate::driver::drain::Drains;
use crate::driver::handle::DriverEnd;
use crate::driver::health::Checks;
use crate::driver::log_files::LogFiles;
use crate::driver::messages::Talk;
use crate::driver::oom::OomWatch;
use crate::driver::plan::Surroundings;
use crate::driver::prepare::Prelude;
use crate::driver::rescue::Given;
use crate::driver::run::{Driver, Past};
use crate::driver::shared::{Shared, own_log, rotated};
use crate::driver::tell::Whose;
use crate::driver::watch::Watch;
use crate::driver::web::WebSocket;
use crate::driver::words::updated;
use crate::driver::workers::{Worker, Workers};
use crate::handover::cluster::ClusterLink;
use crate::handover::intercept::{Interception, InterceptionState};
use crate::handover::notify::NotifyListener;
use crate::listener::Listeners;
use crate::logs::{Closed, Destination, Outputs, Resumed, ResumedWorker, WorkerLogs};
use crate::otlp::starts::Starts;
use crate::spec::{AppId, Generation, InstanceId, WorkerId};
use crate::supervisor::Event;
use crate::sys::guard::Guard;
use crate::sys::inherited;
use crate::sys::signals::Signals;
use crate::telemetry::TelemetryState;

/// What the program before us in this process has left.
#[derive(Debug)]
pub struct Inherited {
    state: RuntimeState,
    /// Its version.
    from: String,
}

/// The outputs, which go on first, so that problems can be told.
#[derive(Debug)]
pub struct OpenOutputs {
    own: Rc<Outputs>,
    of_apps: BTreeMap<AppId, Rc<Outputs>>,
    workers: Vec<(ResumedWorker, Rc<WorkerLogs>)>,
    files: BTreeMap<AppId, LogFiles>,
    problems: Vec<String>,
}

impl Inherited {
    /// Reads what was left.
    ///
    /// # Errors
    /// When it cannot be understood. It was tried, so that is not to be expected.
    pub fn read(file: OwnedFd) -> Result<Self, CheckError> {
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).map_err(serde_json::Error::io)?;
        let (state, from) = RuntimeState::read(&bytes)?;
        Ok(Self { state, from })
    }

    /// Whether the runtime ends once all apps are over, where it runs in the foreground.
    #[must_use]
    pub fn auto_exit(&self) -> bool {
        self.state.auto_exit
    }

    /// The least of our own lines that are told.
    #[must_use]
    pub fn log_level(&self) -> &str {
        &self.state.log_level
    }

    /// The control socket: its descriptor, and where it is.
    #[must_use]
    pub fn take_control(&mut self) -> Option<(OwnedFd, String)> {
        let control = self.state.control.take()?;
        inherited::take(control.descriptor).ok().map(|socket| (socket, control.place))
    }

    /// The web server's socket, and its rules.
    #[must_use]
    pub fn take_web(&mut self) -> Option<WebSocket> {
        let WebState { descriptor, address, token, read_only } = self.state.web.take()?;
        let socket = inherited::take(descriptor).ok()?;
        Some(WebSocket { socket, address, token, read_only })
    }

    /// Figures over time, or that none are kept; `None` where the program before us knew of none.
    #[must_use]
    pub fn take_history(&mut self) -> Option<TelemetryState> {
        self.state.history.take()
    }

    /// What is known of the counters that are pushed by OTLP, if they are.
    #[must_use]
    pub fn take_pushes(&mut self) -> Option<Starts> {
        self.state.pushes.take()
    }

    /// Lets the outputs go on. To be called within a `LocalSet`, before anything else is taken over.
    ///
    /// # Errors
    /// When our own cannot be opened.
    pub fn open_outputs(&mut self, surroundings: &Surroundings) -> io::Result<(OpenOutputs, Closed)> {
        let destination = match (&surroundings.mode, &surroundings.home) {
            (Mode::Background, Some(home)) => {
                Destination::Files { out: Some(own_log(home)), err: Some(own_log(home)) }
            }
            _ => Destination::Descriptors {
                stdout: io::stdout().as_fd().try_clone_to_owned()?,
                stderr: io::stderr().as_fd().try_clone_to_owned()?,
            },
        };
        let OutputsOf { look, state } = self.state.outputs.clone();
        let Resumed { outputs, closed, workers, problems } = Outputs::resume(look, destination, state)?;
        let mut open = OpenOutputs {
            own: Rc::new(outputs),
            of_apps: BTreeMap::new(),
            workers: Vec::new(),
            files: BTreeMap::new(),
            problems: Vec::new(),
        };
        open.add(workers, problems);
        for app in &mut self.state.apps {
            open.resume_app(app, surroundings);
        }
        Ok((open, closed))
    }
}

impl OpenOutputs {
    /// See [`Outputs::subscriber`].
    pub fn subscriber(&self, level: LevelFilter) -> impl Subscriber + Send + Sync + use<> {
        self.own.subscriber(level)
    }

    fn resume_app(&mut self, app: &mut AppState, surroundings: &Surroundings) {
        let name = name_of(app);
        for LogFileState { path, outputs } in std::mem::take(&mut app.log_files) {
            self.resume_file(app.id, path, outputs);
        }
        let Some(OutputsOf { look, state }) = app.outputs.take() else { return };
        let plan = app.plans.last().map(|(_, plan)| plan);
        let (out, err) = plan.and_then(|plan| surroundings.usual_files(plan)).unwrap_or_default();
        let to = Destination::Files { out: out.map(rotated), err: err.map(rotated) };
        match Outputs::resume(look, to, state) {
            Ok(Resumed { outputs, workers, problems, .. }) => {
                self.of_apps.insert(app.id, Rc::new(outputs));
                self.add(workers, problems);
            }
            Err(error) => self.problems.push(format!("the log files of `{name}` cannot be opened: {error}")),
        }
    }

    fn resume_file(&mut self, app: AppId, path: PathBuf, OutputsOf { look, state }: OutputsOf) {
        let file = rotated(path.clone());
        match Outputs::resume(look, Destination::Files { out: Some(file.clone()), err: Some(file) }, state) {
            Ok(resumed) => {
                self.files.entry(app).or_default().0.insert(path, Rc::new(resumed.outputs));
            }
            Err(error) => {
                self.problems.push(format!("the log file `{}` cannot be opened: {error}", path.display()));
            }
        }
    }

    fn add(
        &mut self,
        workers: Vec<(ResumedWorker, WorkerLogs)>,
        problems: Vec<(crate::process::Pid, io::Error)>,
    ) {
        self.workers.extend(workers.into_iter().map(|(whose, logs)| (whose, Rc::new(logs))));
        let lost = |(pid, error)| format!("the output of process {pid} is lost: {error}");
        self.problems.extend(problems.into_iter().map(lost));
    }

    /// The output of a worker, each once.
    fn take(&mut self, wanted: impl Fn(&ResumedWorker) -> bool) -> Option<Rc<WorkerLogs>> {
        // The last one, should an earlier process of that number have left its pipes to others.
        let at = self.workers.iter().rposition(|(whose, _)| wanted(whose))?;
        Some(self.workers.remove(at).1)
    }
}

impl Driver {
    /// Goes on where the program before us in this process stopped. To be called within a `LocalSet`.
    #[must_use]
    pub fn resume(
        mut surroundings: Surroundings,
        signals: Signals,
        (mut open, closed): (OpenOutputs, Closed),
        reserved: Vec<OwnedFd>,
        end: DriverEnd,
        inherited: Inherited,
    ) -> Self {
        let Inherited { state, from } = inherited;
        // The file may have been renamed since it was executed, and our own look comes after that.
        if state.executable.is_some() {
            surroundings.executable = state.executable;
        }
        let past = Past {
            clock: Clock::resume(state.started),
            oom: OomWatch::resume(surroundings.oom_file.clone(), state.oom_kills_seen),
            last_event: state.seq,
        };
        let outputs = (Rc::clone(&open.own), closed);
        let mut driver = Self::assemble(surroundings, signals, outputs, reserved, end, past);
        if let Some((watch, guard)) = driver.memory.as_mut().zip(state.memory) {
            watch.go_on(guard);
        }
        driver.next_app = state.next_app;
        driver.statuses = state.statuses;
        driver.updates = state.updates.saturating_add(1);
        driver.shared.next_id.set(state.next_id);
        driver.shared.advised.replace(state.advised);
        driver.shared.crashes.kept.replace(state.crashes);
        let mut problems = std::mem::take(&mut open.problems);
        driver.shared.guard.replace(state.guard.and_then(|guard| match inherited::take(guard) {
            Ok(pipe) => Some(Guard::resume(pipe)),
            Err(error) => {
                problems.push(format!("the guard is lost: {error}"));
                None
            }
        }));
        for app in state.apps {
            let app = App::resume(&driver.shared, app, &mut open, &mut problems);
            driver.apps.insert(app.id, app);
        }
        state.crashes_to_report.iter().for_each(|&id| driver.report_anew(id));
        // Of apps that were removed.
        driver.retired.extend(open.workers.drain(..).map(|(_, logs)| logs));
        for problem in problems {
            tracing::error!("{problem}");
        }
        let workers = driver.groups().count();
        driver.shared.events.announce(&updated(&from, env!("CARGO_PKG_VERSION"), workers));
        // Their answers were for the program before us.
        driver.feed_all(&Event::ChecksLost);
        // To look anew at those who drain.
        driver.apps.values_mut().for_each(App::perform);
        // The signals for those who ended in between may have been taken by the program before us.
        driver.reap();
        driver
    }
}

impl Driver {
    /// Tells of a crash that the program before us has not got rid of.
    fn report_anew(&self, id: u64) {
        let crashes = &self.shared.crashes;
        let Some(record) = crashes.get(id) else { return };
        let CrashView { app_id, instance, generation, .. } = record.crash;
        let app = self.apps.get(&AppId(app_id));
        if let Some(to) = app.and_then(|app| app.recipient(InstanceId(instance), Generation(generation))) {
            crashes.hooks.offer(record, to);
        }
    }
}

impl App {
    fn resume(
        shared: &Rc<Shared>,
        state: AppState,
        open: &mut OpenOutputs,
        problems: &mut Vec<String>,
    ) -> Self {
        let id = state.id;
        let whose = whose(&state);
        let plans = state.plans.into_iter().map(|(generation, plan)| (generation, Rc::new(plan)));
        let mut app = Self {
            id,
            whose: Rc::new(whose),
            shared: Rc::clone(shared),
            outputs: open.of_apps.remove(&id).unwrap_or_else(|| Rc::clone(&open.own)),
            log_files: open.files.remove(&id).unwrap_or_default(),
            watch: Watch::default(),
            definition: state.definition,
            created_at_ms: state.created_at_ms,
            plans: plans.collect(),
            replanned: None,
            prelude: Prelude::resume(state.gate, state.why_not),
            todo: state.supervisor.draining().collect(),
            supervisor: state.supervisor,
            drains: Drains::default(),
            workers: Workers::default(),
            listeners: Listeners::resume(state.listeners, problems),
            arrival_task: None,
            tickets: state.tickets,
            is_measuring: false,
            checks: Checks::default(),
            ended_logs: Vec::new(),
            ids: state.ids,
            pending: BTreeMap::new(),
            last_ticket: state.last_ticket,
            exits: state.exits,
            last_words: None,
            last_notice: None,
            status: state.status,
            unnoted_status: None,
            removed: false,
            last_scaled: state.last_scaled,
            sees_no_calls: false,
        };
        let plan = app.plan();
        app.arrange_look(&plan);
        app.arrange_watch(&plan);
        for (worker, remains) in state.remains {
            app.workers.leave_remains(worker, remains);
        }
        for worker in state.workers {
            let logs = open.take(|whose| whose.app == id && whose.pid == worker.pid);
            app.resume_worker(worker, logs, problems);
        }
        app.resume_interceptions(state.interceptions, problems);
        // Those of ended workers whose descendants go on writing.
        while let Some(logs) = open.take(|whose| whose.app == id) {
            app.ended_logs.insert(0, logs);
        }
        app
    }

    fn resume_interceptions(
        &mut self,
        states: Vec<(WorkerId, InterceptionState)>,
        problems: &mut Vec<String>,
    ) {
        for (worker, state) in states {
            match Interception::resume(state) {
                Ok(interception) => self.hear_through(worker, interception),
                Err(error) => problems.push(format!("the filter of worker {worker} is lost: {error}")),
            }
        }
    }

    fn resume_worker(
        &mut self,
        state: WorkerState,
        logs: Option<Rc<WorkerLogs>>,
        problems: &mut Vec<String>,
    ) {
        let WorkerState { id, pid, instance, stop, has_terminal, handed, .. } = state;
        let WorkerState { servers, parking, link, notify, said, pid_file, reported, .. } = state;
        let key = self.key(id);
        let mut or_tell =
            |what, error| problems.push(format!("the {what} of process {pid} is lost: {error}"));
        let link = link.and_then(|link| {
            let resumed = ClusterLink::resume(key, link, self.shared.channel.clone());
            resumed.map_err(|error: io::Error| or_tell("channel", error)).ok()
        });
        let notify = notify.and_then(|notify| {
            let resumed = NotifyListener::resume(key, notify, self.shared.said.clone());
            resumed.map_err(|error| or_tell("notify socket", error)).ok()
        });
        // What it was handed before and has not spoken of is in its hands.
        let given = Given::default();
        let worker = Worker {
            pid,
            instance,
            logs,
            link,
            stop,
            has_terminal,
            handed,
            servers,
            given,
            parking,
            notify,
            said,
            pid_file,
            talk: Talk::resume(reported),
        };
        self.workers.add(id, worker);
    }
}

fn whose(state: &AppState) -> Whose {
    let plan = state.plans.last().map(|(_, plan)| plan);
    let instances = u32::try_from(state.ids.len()).unwrap_or(u32::MAX);
    let remedy = plan.and_then(|plan| collision::remedy(plan.way, instances));
    Whose {
        name: name_of(state),
        is_init: plan.is_some_and(|plan| plan.app.is_init()),
        collision: Cell::new(remedy.filter(|_| state.explains_collision)),
    }
}

fn name_of(app: &AppState) -> String {
    app.plans.last().map(|(_, plan)| plan.app.name.clone()).unwrap_or_default()
}
