//! Workers on their way out: left to finish their answers, asked to end, then killed, then given up.
//!
//! ```text
//!            Draining
//!               | Drained, deadline
//!               v
//!   Unborn --> Asked --kill deadline--> Killed --5 s--> gone
//!      | Spawned  |                        |
//!      +-SpawnFailed-> gone <-Exited, GroupGone
//! ```
//!
//! A departure is over when the worker's first process was reaped and nobody of its group is left. The remains of a
//! worker that ended by itself are a departure too.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Notice};
use super::event::Uptime;
use super::instance::Worker;
use super::standby::is_standby;
use crate::spec::{Generation, InstanceId, WorkerId};

/// How long a killed worker may take to end. SIGKILL works at once, save on a process in an uninterruptible wait.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// One worker that is leaving.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Departure {
    pub(super) instance: InstanceId,
    pub(super) stage: Stage,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Its spawn was not answered yet; it will be asked to end as soon as it is there.
    Unborn {
        generation: Generation,
    },
    /// It finishes its answers first (see `drain`).
    Draining {
        worker: Worker,
        since: Uptime,
        until: Uptime,
    },
    Asked {
        worker: Worker,
        leader: Leader,
        since: Uptime,
        kill_at: Uptime,
    },
    Killed {
        worker: Worker,
        leader: Leader,
        since: Uptime,
        gone_at: Uptime,
    },
}

/// Whether the worker's first process still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Leader {
    Alive,
    /// It was reaped; others of its group are left.
    Gone,
}

/// All that are leaving.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Departures(BTreeMap<WorkerId, Departure>);

impl Departures {
    /// Adds one that was asked to end, or will be.
    pub(super) fn add(&mut self, id: WorkerId, departure: Departure) {
        self.0.insert(id, departure);
    }

    /// The one of this worker.
    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Departure> {
        self.0.get_mut(&id)
    }

    /// Whether this worker is leaving.
    pub(super) fn contains(&self, id: WorkerId) -> bool {
        self.0.contains_key(&id)
    }

    /// Forgets one that is gone.
    pub(super) fn remove(&mut self, id: WorkerId) {
        self.0.remove(&id);
    }

    /// Whether nobody is leaving.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anybody of this instance is leaving.
    pub(super) fn has_any_of(&self, instance: InstanceId) -> bool {
        self.0.values().any(|departure| departure.instance == instance)
    }

    /// Whether anybody of this instance finishes its answers.
    pub(super) fn is_draining(&self, instance: InstanceId) -> bool {
        self.0.values().any(|departure| departure.instance == instance && departure.is_draining())
    }

    /// Those who drain and whose time is up, and since when they do.
    pub(super) fn overdue(&self, now: Uptime) -> Vec<(InstanceId, Worker, Uptime)> {
        let overdue = |departure: &Departure| match departure.stage {
            Stage::Draining { worker, since, until } if until <= now => {
                Some((departure.instance, worker, since))
            }
            Stage::Unborn { .. } | Stage::Draining { .. } | Stage::Asked { .. } | Stage::Killed { .. } => {
                None
            }
        };
        self.0.values().filter_map(overdue).collect()
    }

    /// Nobody drains longer than this.
    pub(super) fn hasten(&mut self, latest: Uptime) {
        for departure in self.0.values_mut() {
            if let Stage::Draining { until, .. } = &mut departure.stage {
                *until = latest.min(*until);
            }
        }
    }

    /// In the order of their spawns.
    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Departure)> {
        self.0.iter().map(|(&id, departure)| (id, departure))
    }

    /// How many have a process.
    pub(super) fn alive(&self) -> usize {
        self.0.values().filter(|departure| departure.worker().is_some()).count()
    }

    /// When the next of them is to be killed or given up.
    pub(super) fn next_deadline(&self) -> Option<Uptime> {
        self.0.values().filter_map(Departure::deadline).min()
    }

    /// Kills those whose time is up, and forgets the killed ones that never end. Says how many were killed.
    pub(super) fn pass_deadlines(&mut self, now: Uptime, out: &mut Vec<Action>) -> usize {
        let mut killed = 0;
        self.0.retain(|&id, departure| match departure.stage {
            Stage::Asked { worker, since, kill_at, .. } if kill_at <= now => {
                // A standby has served nobody: nothing is lost, and there is nothing to tell.
                if !is_standby(departure.instance) {
                    let (instance, pid, after) = (departure.instance, worker.pid, now.since(since));
                    out.push(Action::Notice(Notice::Killing { worker: id, instance, pid, after }));
                    killed += 1;
                }
                out.push(Action::Kill { worker: id });
                departure.kill(now);
                true
            }
            Stage::Killed { gone_at, .. } => gone_at > now,
            Stage::Unborn { .. } | Stage::Draining { .. } | Stage::Asked { .. } => true,
        });
        killed
    }

    /// This one asks for more time to end, at least until then.
    pub(super) fn extend(&mut self, id: WorkerId, until: Uptime) {
        if let Some(Departure { stage: Stage::Asked { kill_at, .. }, .. }) = self.0.get_mut(&id) {
            *kill_at = until.max(*kill_at);
        }
    }

    /// Kills all that were not killed yet.
    pub(super) fn kill_all(&mut self, now: Uptime, out: &mut Vec<Action>) {
        for (&worker, departure) in &mut self.0 {
            if matches!(departure.stage, Stage::Draining { .. } | Stage::Asked { .. }) {
                out.push(Action::Kill { worker });
                departure.kill(now);
            }
        }
    }
}

impl Departure {
    /// The process, where there is one yet.
    pub(super) fn worker(&self) -> Option<Worker> {
        match self.stage {
            Stage::Unborn { .. } => None,
            Stage::Draining { worker, .. } | Stage::Asked { worker, .. } | Stage::Killed { worker, .. } => {
                Some(worker)
            }
        }
    }

    /// Whether its first process lives; `None` where there is no process yet. (While it drains, it does.)
    pub(super) fn leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.stage {
            Stage::Unborn { .. } | Stage::Draining { .. } => None,
            Stage::Asked { leader, .. } | Stage::Killed { leader, .. } => Some(leader),
        }
    }

    /// Takes note that it was sent SIGKILL.
    pub(super) fn kill(&mut self, now: Uptime) {
        let (worker, leader) = match self.stage {
            Stage::Draining { worker, .. } => (worker, Leader::Alive),
            Stage::Asked { worker, leader, .. } => (worker, leader),
            Stage::Unborn { .. } | Stage::Killed { .. } => return,
        };
        self.stage = Stage::Killed { worker, leader, since: now, gone_at: now.after(GONE_AFTER) };
    }

    /// Whether it finishes its answers, and was not asked to end yet.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. })
    }

    fn deadline(&self) -> Option<Uptime> {
        match self.stage {
            Stage::Unborn { .. } => None,
            Stage::Draining { until, .. } => Some(until),
            Stage::Asked { kill_at, .. } => Some(kill_at),
            Stage::Killed { gone_at, .. } => Some(gone_at),
        }
    }
}
