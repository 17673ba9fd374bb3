//! The end of single workers: exited, asked to end, their remains, and what becomes of their instance.

use super::action::{Action, CalledOff, Next, Notice};
use super::backoff::{Life, Sentence};
use super::departure::{Departure, Leader, Stage};
use super::event::{Killer, Survivors, Uptime};
use super::instance::{Request, State, Watched, Worker};
use super::machine::{Phase, Role, Supervisor};
use super::standby::patience;
use super::worker::Seat;
use crate::process::{ExitReason, Signal};
use crate::spec::{AfterExit, InstanceId, Reach, WorkerId};

/// How a worker's first process ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exit {
    pub(super) reason: ExitReason,
    pub(super) killer: Killer,
    pub(super) survivors: Survivors,
}

impl Supervisor {
    /// A worker's first process ended.
    pub(super) fn handle_exited(&mut self, now: Uptime, id: WorkerId, exit: Exit) {
        match self.seat(id) {
            Some(Seat::Instance(index)) => self.resident_exited(now, index, exit),
            Some(Seat::Newcomer) => {
                let Some((instance, watched)) = self.newcomer_mut(id) else { return };
                let worker = watched.worker;
                self.remove_newcomer(id);
                self.tell_of_exit(now, instance, worker, exit, Next::KeepOld);
                self.call_reload_off(now, instance, CalledOff::Exited(exit.reason));
                self.dismiss_remains(now, instance, worker, exit);
            }
            Some(Seat::Standby(place)) => self.standby_exited(now, place, exit),
            Some(Seat::Leaving) => self.leaver_exited(now, id, exit),
            None => {}
        }
    }

    fn resident_exited(&mut self, now: Uptime, index: usize, exit: Exit) {
        let instance = self.instances[index].id;
        let Some(&Watched { worker, .. }) = self.instances[index].watched() else { return };
        self.note_end(index, exit.reason);
        let next = match self.take_heir_of(instance) {
            Some(newcomer) => {
                self.instances[index].enter(now, newcomer.into());
                Next::Replaced
            }
            // Whoever sits at the terminal wanted it to end.
            None if exit.killer == Killer::Keyboard => {
                self.forget_the_time();
                self.forget_changes();
                self.instances[index].enter(now, State::Stopped);
                Next::Nothing
            }
            None => self.decide(now, index, exit.reason, Life::Of(now.since(worker.free_since()))),
        };
        self.tell_of_exit(now, instance, worker, exit, next);
        self.tell_of_failure(index, next);
        self.reload_lost(now, worker.id, CalledOff::Exited(exit.reason));
        if next != Next::Replaced {
            self.fail_awaited(instance, &CalledOff::Exited(exit.reason));
        }
        self.dismiss_remains(now, instance, worker, exit);
    }

    /// Keeps the status of an end that we did not ask for.
    pub(super) fn note_end(&mut self, index: usize, reason: ExitReason) {
        // The status of a mere init's child is ours, whatever it means.
        let is_fine = self.policy.role == Role::Cluster && self.policy.restart.stops_at(reason);
        self.ends.note(if is_fine { 0 } else { reason.status() });
        self.instances[index].last_exit = Some(reason);
    }

    /// What becomes of an instance whose worker has ended.
    pub(super) fn decide(&mut self, now: Uptime, index: usize, reason: ExitReason, life: Life) -> Next {
        let (policy, instance) = (&self.policy.restart, &mut self.instances[index]);
        if policy.after_exit == AfterExit::Stay {
            instance.enter(now, State::Stopped);
            return Next::Stay;
        }
        if policy.stops_at(reason) {
            instance.enter(now, State::Stopped);
            return Next::Rest;
        }
        match instance.history.judge(policy, reason, life, &mut self.jitter) {
            Sentence::GiveUp => {
                instance.enter(now, State::Failed);
                Next::GiveUp
            }
            Sentence::Retry(delay) => {
                instance.enter(now, State::Backoff { until: now.after(delay) });
                if self.standbys.has_parked(instance.generation) {
                    return Next::TakenOver;
                }
                let (unstable, max_unstable) = (instance.history.unstable(), policy.max_unstable);
                Next::Restart { delay, unstable, max_unstable }
            }
        }
    }

    pub(super) fn tell_of_exit(
        &mut self,
        now: Uptime,
        instance: InstanceId,
        worker: Worker,
        exit: Exit,
        next: Next,
    ) {
        let Exit { reason, killer, .. } = exit;
        let Worker { id, pid, generation, spawned, .. } = worker;
        let lived = now.since(spawned);
        self.notice(Notice::Exited { worker: id, instance, generation, pid, reason, killer, lived, next });
    }

    /// Says that the instance is given up, if it is.
    pub(super) fn tell_of_failure(&mut self, index: usize, next: Next) {
        let instance = &self.instances[index];
        if next == Next::GiveUp {
            let (instance, starts) = (instance.id, instance.history.unstable().max(1));
            self.notice(Notice::Failed { instance, starts });
            if self.awaits_changes() {
                self.notice(Notice::AwaitsChanges { instance });
            }
        }
    }

    /// Asks what is left of an ended worker's group to end, too. A mere init leaves it alone: its end is ours. So do we where a
    /// stop is for the first process alone.
    pub(super) fn dismiss_remains(&mut self, now: Uptime, instance: InstanceId, worker: Worker, exit: Exit) {
        let reaches_all = self.policy.role == Role::Cluster && self.policy.stop.reach == Reach::All;
        if exit.survivors == Survivors::Some && reaches_all {
            self.dismiss(now, instance, worker, Leader::Gone);
        }
    }

    fn leaver_exited(&mut self, now: Uptime, id: WorkerId, exit: Exit) {
        let Some(departure) = self.departures.get_mut(id) else { return };
        let (instance, worker, drains) = (departure.instance, departure.worker(), departure.is_draining());
        let Some(worker) = worker else { return };
        match departure.leader_mut() {
            Some(leader @ Leader::Alive) => *leader = Leader::Gone,
            Some(Leader::Gone) => return,
            None => {}
        }
        if exit.survivors == Survivors::None || self.policy.stop.reach == Reach::First {
            self.departures.remove(id);
        }
        if let Some(index) = self.index(instance) {
            self.instances[index].last_exit = Some(exit.reason);
        }
        self.tell_of_exit(now, instance, worker, exit, Next::Nothing);
        if drains {
            self.dismiss_remains(now, instance, worker, exit);
        }
    }

    /// The last process of an ended worker's group is gone.
    pub(super) fn handle_group_gone(&mut self, id: WorkerId) {
        if let Some(departure) = self.departures.get_mut(id)
            && departure.leader_mut().is_some_and(|leader| *leader == Leader::Gone)
        {
            self.departures.remove(id);
        }
    }

    /// Asks a worker, or what is left of its group, to end.
    pub(super) fn dismiss(&mut self, now: Uptime, instance: InstanceId, worker: Worker, leader: Leader) {
        self.out.push(Action::Stop { worker: worker.id, signal: self.stop_signal() });
        let kill_at = now.after(patience(instance, self.policy.stop.timeout));
        let stage = Stage::Asked { worker, leader, since: now, kill_at };
        self.departures.add(worker.id, Departure { instance, stage });
    }

    /// Asks whatever worker there was in this state to end.
    pub(super) fn dismiss_from(&mut self, now: Uptime, instance: InstanceId, state: &State) {
        match state {
            State::Starting(watched) => self.dismiss(now, instance, watched.worker, Leader::Alive),
            State::Ready(watched) => self.part_with(now, instance, watched.worker),
            State::Spawning(Request { worker, generation }) => {
                let stage = Stage::Unborn { generation: *generation };
                self.departures.add(*worker, Departure { instance, stage });
            }
            State::Waiting
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => {}
        }
    }

    /// What workers are asked to end with.
    pub(super) fn stop_signal(&self) -> Signal {
        let asked = match &self.phase {
            Phase::Stopping(stop) => stop.signal(),
            Phase::Running | Phase::Over => Signal::TERM,
        };
        self.policy.stop.signal.unwrap_or(asked)
    }
}
