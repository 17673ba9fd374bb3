//! Looks at what the workers that serve have in memory, where there is a limit, and who is to be replaced for it.
//!
//! All workers of the app are measured together, since that takes one pass over the machine's processes. A worker that is found
//! above its limit is looked at once more soon: garbage that is about to be collected is no reason to replace it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::event::Uptime;
use super::instance::{Instance, Watched};
use super::machine::Supervisor;
use super::vitals::Stall;
use crate::spec::WorkerId;

/// From one look to the next. pm2 looks every 30 s, in which a leak can fill the machine.
const EVERY: Duration = Duration::from_secs(5);
/// How soon a worker that is above its limit is looked at again: longer than a collection of garbage takes.
const AGAIN: Duration = Duration::from_secs(1);
/// A look that has not been answered for so long will not be.
const LOST: Duration = Duration::from_secs(30);

/// The looks, while anybody serves for whom there is a limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Looks {
    due: Uptime,
}

/// A worker that was above its limit when it was last measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Excess {
    since: Uptime,
    pub(super) bytes: u64,
}

impl Supervisor {
    /// Begins or ends the looks.
    pub(super) fn arrange_looks(&mut self, now: Uptime) {
        let wanted = self.policy.health.max_memory.is_some() && self.instances.iter().any(Instance::is_ready);
        if !wanted {
            self.looks = None;
        } else if self.looks.is_none() {
            self.looks = Some(Looks { due: now.after(EVERY) });
        }
    }

    /// When the next look is due.
    pub(super) fn look_at(&self) -> Option<Uptime> {
        self.looks.as_ref().map(|looks| looks.due)
    }

    /// Looks, if it is time.
    pub(super) fn review_memory(&mut self, now: Uptime) {
        let Some(looks) = self.looks.as_mut().filter(|looks| looks.due <= now) else { return };
        looks.due = now.after(LOST);
        let ready = self.instances.iter().filter(|instance| instance.is_ready());
        let workers = ready.filter_map(Instance::worker_id).collect();
        self.out.push(Action::Measure { workers });
    }

    /// A look has shown how many bytes of memory workers have, of those that are still there.
    pub(super) fn handle_measured(&mut self, now: Uptime, sizes: &[(WorkerId, u64)]) {
        let mut is_close = false;
        for &(id, bytes) in sizes {
            is_close |= self.judge_memory(now, id, bytes);
        }
        if let Some(looks) = &mut self.looks {
            looks.due = now.after(if is_close { AGAIN } else { EVERY });
        }
    }

    /// Says whether the worker is to be looked at again soon.
    fn judge_memory(&mut self, now: Uptime, id: WorkerId, bytes: u64) -> bool {
        let serves = |instance: &Instance| instance.is_ready() && instance.worker_id() == Some(id);
        let Some(index) = self.instances.iter().position(serves) else { return false };
        let Some(&Watched { worker, .. }) = self.instances[index].watched() else { return false };
        let limit = self.policy_in(worker.generation).health.max_memory;
        let Some(Watched { vitals: Some(vitals), .. }) = self.instances[index].watched_mut() else {
            return false;
        };
        if limit.is_none_or(|limit| bytes <= limit) {
            vitals.excess = None;
            vitals.recover(Stall::Memory);
            return false;
        }
        let before = vitals.excess;
        let since = before.map_or(now, |before| before.since);
        vitals.excess = Some(Excess { since, bytes });
        if before.is_some() {
            vitals.stall(now, Stall::Memory, since);
        }
        before.is_none()
    }
}
