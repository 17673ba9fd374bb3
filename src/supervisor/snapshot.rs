//! The read model: what there is to show at one moment. Values only; they change nothing and know nobody.

use std::collections::BTreeMap;
use std::fmt;

use super::departure::{Departure, Stage};
use super::event::Uptime;
use super::health::{Checks, Health};
use super::instance::{Instance, State, Worker};
use super::machine::Supervisor;
use super::reload::Reload;
use super::vitals::{Stall, Vitals};
use crate::process::{ExitReason, Pid};
use crate::spec::{Generation, InstanceId, WorkerId};

/// Everything, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment.
    pub at: Uptime,
    /// That of the last reload that was done; 1 at first.
    pub generation: Generation,
    /// The generation that is being brought in by a reload.
    pub reloading: Option<Generation>,
    /// Whether the runtime was asked to end, and the app is to serve on for a while.
    pub is_ending: bool,
    /// What the health checks of the app as a whole say, where there are any.
    pub health: Option<HealthView>,
    /// In order, without gaps.
    pub instances: Vec<InstanceView>,
    /// Workers that are held until an instance needs one, or boot to be so, in the order of their numbers.
    pub standbys: Vec<InstanceView>,
    /// Workers that were asked to end, or the remains of some that ended, in the order of their spawns.
    pub leaving: Vec<LeavingView>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    pub instance: InstanceId,
    pub state: StateName,
    /// Its worker; while everything stops, the one that was its worker and still lives.
    pub worker: Option<WorkerId>,
    pub pid: Option<Pid>,
    /// That of its worker, or of the next one where it has none.
    pub generation: Generation,
    /// When its worker was spawned.
    pub spawned: Option<Uptime>,
    /// How often a worker was started in the place of one that ended; reloads do not count.
    pub restarts: u32,
    /// Unstable starts in a row.
    pub unstable: u32,
    /// When the state began.
    pub since: Uptime,
    /// How the last worker that ended here did so.
    pub last_exit: Option<ExitReason>,
    /// When its next worker is due, during a back-off.
    pub next_start: Option<Uptime>,
    /// How its worker does, where that is watched.
    pub health: Option<HealthView>,
}

/// What is known of the health of the app, or of a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthView {
    pub health: Health,
    /// Failed checks in a row.
    pub failures: u32,
    /// Why the last check that failed did.
    pub last_failure: Option<String>,
    /// By what a worker shows that it does not do its work.
    pub stalled: Option<Stall>,
}

/// One worker on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingView {
    pub worker: WorkerId,
    pub instance: InstanceId,
    pub pid: Pid,
    pub generation: Generation,
    /// [`StateName::Stopping`] or [`StateName::Killing`].
    pub state: StateName,
    /// When it was to finish its answers, asked to end, or killed.
    pub since: Uptime,
}

/// What an instance is doing, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateName {
    Waiting,
    Starting,
    Ready,
    /// It serves, and its successor is starting.
    Replacing,
    /// It is held until an instance needs it.
    Standby,
    Backoff,
    Stopping,
    Killing,
    Stopped,
    Failed,
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Replacing => "replacing",
            Self::Standby => "standby",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Killing => "killing",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

impl Supervisor {
    /// What there is to show at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Uptime) -> Snapshot {
        let leaving: Vec<_> = self.departures.iter().filter_map(|(_, departure)| departure.view()).collect();
        let last_leaving: BTreeMap<_, _> = leaving.iter().map(|view| (view.instance, view)).collect();
        let is_replacing = |id| self.reload.as_ref().is_some_and(|reload| reload.is_replacing(id));
        let view = |instance: &Instance| {
            let mut view = instance.view();
            match (view.state, last_leaving.get(&instance.id)) {
                (StateName::Stopped, Some(leaving)) => view.adopt(leaving),
                (StateName::Ready, _) if is_replacing(instance.id) => view.state = StateName::Replacing,
                (_, _) => {}
            }
            view
        };
        Snapshot {
            at: now,
            generation: self.current,
            reloading: self.reload.as_ref().filter(|reload| !reload.is_replacement()).map(Reload::generation),
            is_ending: self.delay.is_some(),
            health: self.app_checks.as_ref().map(Checks::view),
            instances: self.instances.iter().map(view).collect(),
            standbys: self.standbys.views(self.current),
            leaving,
        }
    }
}

impl Instance {
    fn view(&self) -> InstanceView {
        let (state, next_start) = match self.state() {
            State::Waiting => (StateName::Waiting, None),
            State::Spawning(_) | State::Starting(_) => (StateName::Starting, None),
            State::Ready(_) => (StateName::Ready, None),
            State::Backoff { until } => (StateName::Backoff, Some(*until)),
            State::Stopped | State::Held | State::Restarting => (StateName::Stopped, None),
            State::Failed => (StateName::Failed, None),
        };
        let worker = self.watched().map(|watched| watched.worker);
        InstanceView {
            instance: self.id,
            state,
            worker: self.worker_id(),
            pid: worker.map(|worker| worker.pid),
            generation: worker.map_or(self.generation, |worker| worker.generation),
            spawned: worker.map(|worker| worker.spawned),
            restarts: self.restarts,
            unstable: self.history.unstable(),
            since: self.since(),
            last_exit: self.last_exit,
            next_start,
            health: self.watched().and_then(|watched| watched.vitals.as_ref()).map(|vitals| vitals.view()),
        }
    }
}

impl Checks {
    fn view(&self) -> HealthView {
        HealthView {
            health: self.health(),
            failures: self.failures(),
            last_failure: self.last_failure().map(str::to_owned),
            stalled: None,
        }
    }
}

impl Vitals {
    fn view(&self) -> HealthView {
        let checks = self.checks.as_ref().map(Checks::view).unwrap_or_default();
        let stalled = self.stalled.map(|stalled| stalled.cause);
        let health = if self.fails() { Health::Unhealthy } else { checks.health };
        HealthView { health, stalled, ..checks }
    }
}

impl InstanceView {
    /// Shows the worker that is leaving in the place of none.
    fn adopt(&mut self, leaving: &LeavingView) {
        self.state = leaving.state;
        self.worker = Some(leaving.worker);
        self.pid = Some(leaving.pid);
        self.generation = leaving.generation;
        self.since = leaving.since;
    }
}

impl Departure {
    fn view(&self) -> Option<LeavingView> {
        let (Worker { id: worker, pid, generation, .. }, state, since) = match self.stage {
            Stage::Unborn { .. } => return None,
            Stage::Draining { worker, since, .. } | Stage::Asked { worker, since, .. } => {
                (worker, StateName::Stopping, since)
            }
            Stage::Killed { worker, since, .. } => (worker, StateName::Killing, since),
        };
        Some(LeavingView { worker, instance: self.instance, pid, generation, state, since })
    }
}
