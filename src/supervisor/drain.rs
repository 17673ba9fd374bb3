//! Draining: a worker that serves is left alone, without new connections, until it has answered what it was asked. Only
//! then is it asked to end.
//!
//! ```text
//!   Ready --reload, scale-down, stop--> Draining --Drained, or the time is up--> Asked
//! ```
//!
//! Whether it has answered the driver finds out. It says so at once of a worker that parts with its clients by itself when
//! it is asked to end.

use std::time::Duration;

use super::action::{Action, Notice};
use super::departure::{Departure, Leader, Stage};
use super::event::Uptime;
use super::instance::Worker;
use super::machine::{Phase, Role, Supervisor};
use crate::spec::{InstanceId, WorkerId};

/// The longest drain when the app stops. A platform allows 30 s from SIGTERM to SIGKILL (Heroku, Kubernetes): with the
/// 25 s of the kill timeout this leaves two for the rest.
const WHEN_STOPPING: Duration = Duration::from_secs(3);

impl Supervisor {
    /// Lets a worker that serves finish its answers, and then asks it to end.
    pub(super) fn part_with(&mut self, now: Uptime, instance: InstanceId, worker: Worker) {
        let longest = match self.phase {
            Phase::Running | Phase::Over => self.policy.stop.drain,
            Phase::Stopping(_) => self.policy.stop.drain.min(WHEN_STOPPING),
        };
        if longest.is_zero() || self.policy.role == Role::Init {
            return self.dismiss(now, instance, worker, Leader::Alive);
        }
        self.out.push(Action::Drain { worker: worker.id, signal: self.stop_signal() });
        let stage = Stage::Draining { worker, since: now, until: now.after(longest) };
        self.departures.add(worker.id, Departure { instance, stage });
    }

    /// A worker has answered what it was asked.
    pub(super) fn handle_drained(&mut self, now: Uptime, id: WorkerId) {
        if let Some(&mut Departure { instance, stage: Stage::Draining { worker, .. } }) =
            self.departures.get_mut(id)
        {
            self.dismiss(now, instance, worker, Leader::Alive);
        }
    }

    /// Asks those to end that have not answered everything in time.
    pub(super) fn end_drains(&mut self, now: Uptime) {
        for (instance, worker, since) in self.departures.overdue(now) {
            let (worker_id, pid, after) = (worker.id, worker.pid, now.since(since));
            self.notice(Notice::StillAnswering { worker: worker_id, instance, pid, after });
            self.dismiss(now, instance, worker, Leader::Alive);
        }
    }

    /// All stops: who drains already has no more time than who begins now.
    pub(super) fn hasten_drains(&mut self, now: Uptime) {
        self.departures.hasten(now.after(WHEN_STOPPING));
    }

    /// The workers that drain, and the signals that they will be asked to end with; for a driver that goes on where
    /// another has stopped.
    pub fn draining(&self) -> impl Iterator<Item = Action> {
        let signal = self.stop_signal();
        let draining = self.departures.iter().filter(|(_, departure)| departure.is_draining());
        draining.map(move |(worker, _)| Action::Drain { worker, signal })
    }
}
