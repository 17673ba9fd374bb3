//! The beginning of single workers: spawned or not, listening, ready.

use super::action::{CalledOff, Next, Notice};
use super::backoff::Life;
use super::departure::{Departure, Leader, Stage};
use super::event::{Listen, SpawnFailure, Uptime};
use super::instance::{Intent, Request, State, Watched, Worker};
use super::machine::{Phase, Role, Supervisor};
use super::readiness::{Complaint, Expected, Tone, Watch};
use super::vitals::Vitals;
use crate::process::{ExitReason, Pid};
use crate::spec::{Generation, InstanceId, WorkerId};

/// Whose worker it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seat {
    /// That of the instance at this index.
    Instance(usize),
    /// The reload's, beside its instance's worker.
    Newcomer,
    /// The standby at this place.
    Standby(usize),
    Leaving,
}

impl Supervisor {
    /// The answer to a spawn: there is a process.
    pub(super) fn handle_spawned(&mut self, now: Uptime, id: WorkerId, pid: Pid) {
        match self.seat(id) {
            Some(Seat::Instance(index)) => {
                let (instance, expected) = (self.instances[index].id, self.instances[index].expected);
                let Some(request) = self.instances[index].request() else { return };
                let watched = self.born(now, instance, request, pid, expected);
                self.instances[index].enter(now, State::Starting(watched));
                self.review(now, index);
            }
            Some(Seat::Newcomer) => {
                let Some((instance, request)) = self.newcomer_request(id) else { return };
                let expected =
                    self.index(instance).map_or(Expected::Anything, |index| self.instances[index].expected);
                let watched = self.born(now, instance, request, pid, expected);
                self.seat_newcomer(watched);
                self.review_newcomer(now, id);
            }
            Some(Seat::Standby(place)) => self.standby_spawned(now, place, pid),
            Some(Seat::Leaving) => self.leaver_spawned(now, id, pid),
            None => {}
        }
    }

    pub(super) fn born(
        &mut self,
        now: Uptime,
        instance: InstanceId,
        request: Request,
        pid: Pid,
        expected: Expected,
    ) -> Watched {
        let Request { worker: id, generation } = request;
        self.any_spawned = true;
        self.notice(Notice::Started { worker: id, instance, generation, pid });
        let tone = match self.policy.role {
            Role::Cluster => Tone::Plain,
            Role::Init => Tone::Quiet,
        };
        let is_newcomer = self.newcomer(id).is_some();
        let policy = if is_newcomer { self.newcomers_policy() } else { &self.policy };
        let watch = Watch::new(now, &policy.readiness, policy.restart.min_uptime, expected, tone);
        let vitals = Vitals::new(now, &policy.health, policy.readiness.sign);
        let worker = Worker { id, pid, generation, spawned: now, released: None };
        Watched { worker, watch, vitals, intent: Intent::default() }
    }

    /// It was to leave before it came.
    fn leaver_spawned(&mut self, now: Uptime, id: WorkerId, pid: Pid) {
        let Some(&mut Departure { instance, stage: Stage::Unborn { generation } }) =
            self.departures.get_mut(id)
        else {
            return;
        };
        self.any_spawned = true;
        self.notice(Notice::Started { worker: id, instance, generation, pid });
        let worker = Worker { id, pid, generation, spawned: now, released: None };
        self.dismiss(now, instance, worker, Leader::Alive);
        if let Phase::Stopping(stop) = &self.phase
            && stop.is_hurried()
        {
            self.departures.kill_all(now, &mut self.out);
        }
    }

    /// The answer to a spawn: there is none.
    pub(super) fn handle_spawn_failed(&mut self, now: Uptime, id: WorkerId, failure: SpawnFailure) {
        match self.seat(id) {
            Some(Seat::Instance(index)) => self.resident_spawn_failed(now, index, failure),
            Some(Seat::Newcomer) => {
                let Some((instance, Request { generation, .. })) = self.newcomer_request(id) else { return };
                self.remove_newcomer(id);
                self.tell_of_no_spawn(id, (instance, generation), failure.clone(), Next::KeepOld);
                self.call_reload_off(now, instance, CalledOff::SpawnFailed(failure));
            }
            Some(Seat::Standby(place)) => self.standby_spawn_failed(now, place, failure),
            Some(Seat::Leaving) => self.leaver_spawn_failed(id, failure),
            None => {}
        }
    }

    fn resident_spawn_failed(&mut self, now: Uptime, index: usize, failure: SpawnFailure) {
        let instance = self.instances[index].id;
        let Some(Request { worker: id, generation }) = self.instances[index].request() else { return };
        let reason = ExitReason::Code(failure.status);
        self.note_end(index, reason);
        // A program that is not there will not be there in 100 ms either.
        let hopeless = !self.any_spawned && matches!(failure.status, 126 | 127);
        let next = if hopeless {
            self.instances[index].enter(now, State::Failed);
            while let Some(index) = self.waiting.pop_front().and_then(|id| self.index(id)) {
                self.instances[index].enter(now, State::Failed);
            }
            Next::GiveUp
        } else {
            self.decide(now, index, reason, Life::None)
        };
        self.tell_of_no_spawn(id, (instance, generation), failure.clone(), next);
        self.tell_of_failure(index, next);
        self.reload_lost(now, id, CalledOff::SpawnFailed(failure.clone()));
        self.fail_awaited(instance, &CalledOff::SpawnFailed(failure));
    }

    fn leaver_spawn_failed(&mut self, id: WorkerId, failure: SpawnFailure) {
        let Some(&mut Departure { instance, stage: Stage::Unborn { generation } }) =
            self.departures.get_mut(id)
        else {
            return;
        };
        self.departures.remove(id);
        self.tell_of_no_spawn(id, (instance, generation), failure, Next::Nothing);
    }

    pub(super) fn tell_of_no_spawn(
        &mut self,
        worker: WorkerId,
        (instance, generation): (InstanceId, Generation),
        failure: SpawnFailure,
        next: Next,
    ) {
        self.notice(Notice::SpawnFailed { worker, instance, generation, failure, next });
    }

    /// A worker began to listen.
    pub(super) fn handle_listening(&mut self, now: Uptime, id: WorkerId, listen: Listen) {
        match self.seat(id) {
            Some(Seat::Instance(index)) => {
                let Some(watched) = self.instances[index].watched_mut() else { return };
                if watched.watch.listens(now, listen) {
                    self.instances[index].expected = Expected::Listen;
                }
                self.review(now, index);
            }
            Some(Seat::Newcomer) => {
                let Some((_, watched)) = self.newcomer_mut(id) else { return };
                watched.watch.listens(now, listen);
                self.review_newcomer(now, id);
            }
            // What it may listen on before it is released is not the app's port.
            Some(Seat::Standby(_) | Seat::Leaving) | None => {}
        }
        self.check_soon(now);
    }

    /// A worker is about to listen, and is held there.
    pub(super) fn handle_parked(&mut self, now: Uptime, id: WorkerId) {
        match self.seat(id) {
            Some(Seat::Standby(place)) => self.park_standby(now, place),
            Some(Seat::Newcomer) => self.park_newcomer(now, id),
            Some(Seat::Instance(_) | Seat::Leaving) | None => {}
        }
    }

    /// A worker said that it is ready, or a check of it has succeeded.
    pub(super) fn handle_ready(&mut self, now: Uptime, id: WorkerId) {
        match self.seat(id) {
            Some(Seat::Instance(index)) => {
                let Some(watched) = self.instances[index].watched_mut() else { return };
                watched.watch.says_ready();
                self.review(now, index);
            }
            Some(Seat::Newcomer) => {
                let Some((_, watched)) = self.newcomer_mut(id) else { return };
                watched.watch.says_ready();
                self.review_newcomer(now, id);
            }
            Some(Seat::Standby(place)) => self.standby_says_ready(now, place),
            Some(Seat::Leaving) | None => {}
        }
    }

    /// Looks whether an instance's worker has become ready, or has earned a complaint.
    pub(super) fn review(&mut self, now: Uptime, index: usize) {
        if matches!(self.instances[index].state(), State::Starting(watched) if watched.watch.is_ready(now)) {
            self.promote(now, index);
        }
        let instance = self.instances[index].id;
        while let Some(watched) = self.instances[index].watched_mut()
            && let Some(complaint) = watched.watch.complaint(now)
        {
            let worker = watched.worker;
            self.complain(now, instance, worker, complaint);
            if complaint == Complaint::Late {
                let why = CalledOff::TimedOut(self.policy.readiness.timeout);
                self.reload_lost(now, worker.id, why.clone());
                self.fail_awaited(instance, &why);
            }
        }
    }

    fn promote(&mut self, now: Uptime, index: usize) {
        if let State::Starting(watched) = self.instances[index].enter(now, State::Stopped) {
            let worker = watched.worker;
            self.install(now, index, watched);
            self.reload_gained(worker.id);
        }
    }

    /// Makes a worker that is ready its instance's.
    pub(super) fn install(&mut self, now: Uptime, index: usize, mut watched: Watched) {
        let Worker { id: worker, pid, generation, .. } = watched.worker;
        let after = now.since(watched.worker.free_since());
        watched.watch.settle();
        if let Some(vitals) = &mut watched.vitals {
            vitals.arm(now, watched.worker.free_since());
        }
        self.forget_unhealthy_predecessor();
        let instance = &mut self.instances[index];
        instance.generation = generation;
        instance.enter(now, State::Ready(watched));
        let instance = instance.id;
        self.notice(Notice::Ready { worker, instance, pid, after });
    }

    /// Puts a complaint into a notice.
    pub(super) fn complain(
        &mut self,
        now: Uptime,
        instance: InstanceId,
        worker: Worker,
        complaint: Complaint,
    ) {
        let Worker { id: worker, pid, spawned, .. } = worker;
        self.notice(match complaint {
            Complaint::Nowhere { wanted: port } => Notice::ListensNowhere { worker, instance, pid, port },
            Complaint::Elsewhere { found, wanted } => {
                Notice::ListensElsewhere { worker, instance, pid, found, wanted }
            }
            Complaint::Late => Notice::NotReady { worker, instance, pid, after: now.since(spawned) },
        });
    }

    /// Finds a worker, whether it was spawned or just asked for.
    pub(super) fn seat(&self, id: WorkerId) -> Option<Seat> {
        if self.departures.contains(id) {
            return Some(Seat::Leaving);
        }
        if self.newcomer(id).is_some() {
            return Some(Seat::Newcomer);
        }
        if let Some(place) = self.standbys.place_of(id) {
            return Some(Seat::Standby(place));
        }
        self.instances.iter().position(|instance| instance.worker_id() == Some(id)).map(Seat::Instance)
    }
}
