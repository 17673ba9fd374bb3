//! Reload: every instance gets a worker of a new generation, one instance after the other, and none stops serving.
//!
//! A newcomer starts beside its instance's worker. Ready, it takes the instance, and the old worker is asked to end;
//! the next instance's turn comes at once. A newcomer that ends, is not ready in time or cannot be spawned calls the
//! whole reload off: it is asked to end, and nobody else is touched. An instance without a worker is simply started
//! in the new generation.

use std::collections::VecDeque;

use super::action::{CalledOff, Notice};
use super::backoff::History;
use super::event::Uptime;
use super::instance::{Request, State, Watched};
use super::machine::Supervisor;
use super::readiness::{Complaint, Expected};
use crate::spec::{Generation, InstanceId, WorkerId};

/// A reload under way.
#[derive(Debug)]
pub(super) struct Reload {
    generation: Generation,
    begun: Uptime,
    /// The one whose turn it is.
    instance: InstanceId,
    rest: VecDeque<InstanceId>,
    step: Step,
}

/// How far the reload of one instance has come.
#[derive(Debug)]
enum Step {
    /// It waits for a start slot.
    Pending,
    /// The new worker starts beside the old one.
    Beside(Newcomer),
    /// The new worker starts as the instance's only one.
    Alone(WorkerId),
}

/// A worker that is to take an instance.
#[derive(Debug)]
pub(super) enum Newcomer {
    Spawning(Request),
    Starting(Watched),
}

impl Supervisor {
    /// Begins a reload, or says why not.
    pub(super) fn begin_reload(&mut self, now: Uptime) {
        let stays = |state: &State| !matches!(state, State::Stopped);
        let mut rest: VecDeque<_> =
            self.instances.iter().filter(|instance| stays(instance.state())).map(|found| found.id).collect();
        let instances = rest.len();
        let (None, Some(instance)) = (&self.reload, rest.pop_front()) else {
            return self.notice(Notice::ReloadRefused);
        };
        self.newest = Generation(self.newest.0.saturating_add(1));
        let generation = self.newest;
        self.notice(Notice::ReloadBegun { generation, instances });
        self.reload = Some(Reload { generation, begun: now, instance, rest, step: Step::Pending });
    }

    /// Begins the next step if there is a free slot for it.
    pub(super) fn advance_reload(&mut self, now: Uptime, free: &mut usize) {
        while let Some(&Reload { generation, instance, step: Step::Pending, .. }) = self.reload.as_ref() {
            let index = self.index(instance).filter(|&index| self.is_old(index, generation));
            let Some(index) = index else {
                self.finish_step(now);
                continue;
            };
            if *free > 0 {
                *free -= 1;
                let step = self.start_newcomer(now, index, generation);
                if let Some(reload) = &mut self.reload {
                    reload.step = step;
                }
            }
            return;
        }
    }

    /// Whether the instance still has to be reloaded: it may have ended for good meanwhile, or be a new one.
    fn is_old(&self, index: usize, generation: Generation) -> bool {
        let instance = &self.instances[index];
        instance.generation != generation && !matches!(instance.state(), State::Stopped)
    }

    fn start_newcomer(&mut self, now: Uptime, index: usize, generation: Generation) -> Step {
        let id = self.instances[index].id;
        let request = self.request(id, generation);
        let instance = &mut self.instances[index];
        match instance.state() {
            State::Spawning(_) | State::Starting(_) | State::Ready(_) => {
                return Step::Beside(Newcomer::Spawning(request));
            }
            State::Failed => instance.history = History::default(),
            State::Waiting | State::Backoff { .. } | State::Stopped => {}
        }
        instance.enter(now, State::Spawning(request));
        self.waiting.retain(|&waiting| waiting != id);
        Step::Alone(request.worker)
    }

    /// Goes on to the next instance, or is done.
    fn finish_step(&mut self, now: Uptime) {
        let Some(reload) = &mut self.reload else { return };
        if let Some(instance) = reload.rest.pop_front() {
            (reload.instance, reload.step) = (instance, Step::Pending);
            return;
        }
        let (generation, took) = (reload.generation, now.since(reload.begun));
        self.current = generation;
        self.reload = None;
        self.notice(Notice::ReloadDone { generation, took });
    }

    /// Looks whether the newcomer has become ready, or has earned a complaint.
    pub(super) fn review_newcomer(&mut self, now: Uptime) {
        let Some((instance, watched)) = self.newcomer_mut() else { return };
        if watched.watch.is_ready(now) {
            return self.install_newcomer(now, instance);
        }
        while let Some((instance, watched)) = self.newcomer_mut()
            && let Some(complaint) = watched.watch.complaint(now)
        {
            let worker = watched.worker;
            if complaint == Complaint::Late {
                self.dismiss_newcomer(now);
                return self.call_reload_off(CalledOff::TimedOut(self.policy.readiness.timeout));
            }
            self.complain(now, instance, worker, complaint);
        }
    }

    /// The newcomer takes the instance, and the old worker is asked to end.
    fn install_newcomer(&mut self, now: Uptime, id: InstanceId) {
        let (Some(newcomer), Some(index)) = (self.take_newcomer_of(id), self.index(id)) else { return };
        let Newcomer::Starting(watched) = newcomer else { return };
        let worker = watched.worker.id;
        if watched.watch.has_listened() {
            self.instances[index].expected = Expected::Listen;
        }
        let old = self.instances[index].enter(now, State::Stopped);
        self.install(now, index, watched);
        self.dismiss_from(now, id, &old);
        self.reload_gained(now, worker);
        self.review(now, index);
    }

    /// A worker is ready: if the reload waited for it, the next instance's turn has come.
    pub(super) fn reload_gained(&mut self, now: Uptime, worker: WorkerId) {
        if self.reload.as_ref().is_some_and(|reload| reload.waits_for(worker)) {
            self.finish_step(now);
        }
    }

    /// A worker that is its instance's only one did not become ready: if the reload waited for it, it is called off.
    pub(super) fn reload_lost(&mut self, worker: WorkerId, why: CalledOff) {
        if self.reload.as_ref().is_some_and(|reload| reload.waits_for(worker)) {
            self.call_reload_off(why);
        }
    }

    /// Ends the reload in failure. The newcomer was seen to by the caller.
    pub(super) fn call_reload_off(&mut self, why: CalledOff) {
        if let Some(Reload { generation, instance, .. }) = self.reload.take() {
            self.notice(Notice::ReloadCalledOff { generation, instance, why });
        }
    }

    /// The instance is scaled away: its newcomer with it, and the next instance's turn has come.
    pub(super) fn reload_skip(&mut self, now: Uptime, id: InstanceId) {
        if self.reload.as_ref().is_some_and(|reload| reload.instance == id) {
            self.dismiss_newcomer(now);
            self.finish_step(now);
        }
    }

    /// Asks the newcomer to end, if there is one.
    pub(super) fn dismiss_newcomer(&mut self, now: Uptime) {
        let Some(instance) = self.reload.as_ref().map(|reload| reload.instance) else { return };
        if let Some(newcomer) = self.take_newcomer_of(instance) {
            self.dismiss_from(now, instance, &newcomer.into());
        }
    }

    /// Takes the newcomer out, to be the only worker of this instance, if it is meant for it.
    pub(super) fn take_newcomer_of(&mut self, id: InstanceId) -> Option<Newcomer> {
        let reload = self.reload.as_mut().filter(|reload| reload.instance == id)?;
        let worker = reload.newcomer()?.id();
        match std::mem::replace(&mut reload.step, Step::Alone(worker)) {
            Step::Beside(newcomer) => Some(newcomer),
            Step::Pending | Step::Alone(_) => None,
        }
    }

    /// The newcomer that was asked for and is not there yet.
    pub(super) fn newcomer_request(&self) -> Option<(InstanceId, Request)> {
        let reload = self.reload.as_ref()?;
        match reload.newcomer()? {
            Newcomer::Spawning(request) => Some((reload.instance, *request)),
            Newcomer::Starting(_) => None,
        }
    }

    /// The newcomer that is starting.
    pub(super) fn newcomer_mut(&mut self) -> Option<(InstanceId, &mut Watched)> {
        let reload = self.reload.as_mut()?;
        match &mut reload.step {
            Step::Beside(Newcomer::Starting(watched)) => Some((reload.instance, watched)),
            Step::Beside(Newcomer::Spawning(_)) | Step::Pending | Step::Alone(_) => None,
        }
    }

    /// The newcomer was spawned.
    pub(super) fn seat_newcomer(&mut self, watched: Watched) {
        if let Some(reload) = &mut self.reload {
            reload.step = Step::Beside(Newcomer::Starting(watched));
        }
    }
}

impl Reload {
    /// The generation that it brings.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// The instance whose turn it is.
    pub(super) fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The worker that starts beside its instance's.
    pub(super) fn newcomer(&self) -> Option<&Newcomer> {
        match &self.step {
            Step::Beside(newcomer) => Some(newcomer),
            Step::Pending | Step::Alone(_) => None,
        }
    }

    /// Whether its newcomer takes up a start slot. One that is its instance's only worker is counted there.
    pub(super) fn holds_slot(&self) -> bool {
        self.newcomer().is_some()
    }

    fn waits_for(&self, id: WorkerId) -> bool {
        matches!(self.step, Step::Alone(worker) if worker == id)
    }
}

impl Newcomer {
    /// Its id, known before it is there.
    pub(super) fn id(&self) -> WorkerId {
        match self {
            Self::Spawning(request) => request.worker,
            Self::Starting(watched) => watched.worker.id,
        }
    }

    /// The process, where there is one yet.
    pub(super) fn watched(&self) -> Option<&Watched> {
        match self {
            Self::Spawning(_) => None,
            Self::Starting(watched) => Some(watched),
        }
    }
}

impl From<Newcomer> for State {
    fn from(newcomer: Newcomer) -> Self {
        match newcomer {
            Newcomer::Spawning(request) => Self::Spawning(request),
            Newcomer::Starting(watched) => Self::Starting(watched),
        }
    }
}
