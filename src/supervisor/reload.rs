//! Reload: every instance gets a worker of a new generation, one instance after the other (or several at a time), and
//! none stops serving.
//!
//! A newcomer starts beside its instance's worker. Ready, it takes the instance, and the old worker is asked to end;
//! the next instance's turn comes as soon as that one has finished its answers (see `drain`). A newcomer that ends, is not ready in time or cannot be spawned calls the
//! whole reload off: all newcomers are asked to end, and nobody else is touched. An instance without a worker is simply
//! started in the new generation.
//!
//! This is the rolling strategy; for the other see `fleet`.
//!
//! A *check* is the rehearsal: one newcomer that is asked to end when it is ready. Workers that have stalled are replaced in the
//! same way (`replace`), in the generation that they have, or by standbys; there each instance stands for itself.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::action::{CalledOff, Notice, Parking};
use super::backoff::History;
use super::command::{Answer, Refusal, Ticket};
use super::event::Uptime;
use super::instance::State;
use super::machine::{Policy, Supervisor};
use super::newcomer::{Newcomer, Stage, Step};
use super::readiness::{Complaint, Expected};
use crate::spec::{Generation, InstanceId, ReloadStrategy, WorkerId};

/// A reload under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reload {
    generation: Generation,
    begun: Uptime,
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) strategy: ReloadStrategy,
    /// Who wants to know how it ends.
    ticket: Option<Ticket>,
    /// What holds for the newcomers, and for the whole app once it is done.
    policy: Option<Box<Policy>>,
    width: usize,
    pub(super) rest: VecDeque<InstanceId>,
    /// Those whose turn it is, in order.
    pub(super) steps: Vec<Step>,
}

/// Whether newcomers are to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Reload,
    Check,
    /// Of workers that have stalled.
    Replacement,
}

/// What a reload shall be like.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) ticket: Option<Ticket>,
    pub(super) policy: Option<Box<Policy>>,
    pub(super) strategy: ReloadStrategy,
    /// How many instances at a time. More than one may start more workers at once than the start limit allows.
    pub(super) width: usize,
    /// Only this instance.
    pub(super) only: Option<InstanceId>,
}

impl Order {
    /// As SIGHUP asks for it.
    pub(super) fn plain(strategy: ReloadStrategy) -> Self {
        Self { kind: Kind::Reload, ticket: None, policy: None, strategy, width: 1, only: None }
    }
}

impl Supervisor {
    /// Begins a reload, or says why not.
    pub(super) fn begin_reload(&mut self, now: Uptime, order: Order) {
        if let Err(refusal) = self.try_begin_reload(now, &order) {
            self.notice(Notice::ReloadRefused);
            self.answer(order.ticket, Answer::Refused(refusal));
            return;
        }
        if let Some(reload) = &mut self.reload {
            (reload.ticket, reload.policy) = (order.ticket, order.policy);
        }
    }

    fn try_begin_reload(&mut self, now: Uptime, order: &Order) -> Result<(), Refusal> {
        self.overtake_replacements(now);
        if self.reload.is_some() {
            return Err(Refusal::ReloadUnderWay);
        }
        let wanted = |state: &State| match (order.kind, order.only) {
            (Kind::Check, _) => true,
            (Kind::Reload | Kind::Replacement, Some(_)) => !matches!(state, State::Stopped),
            (Kind::Reload | Kind::Replacement, None) => !matches!(state, State::Stopped | State::Held),
        };
        let mut rest: VecDeque<_> = self
            .instances
            .iter()
            .filter(|instance| order.only.is_none_or(|only| only == instance.id) && wanted(instance.state()))
            .map(|instance| instance.id)
            .collect();
        if order.kind == Kind::Check {
            rest.truncate(1);
        }
        if rest.is_empty() {
            return Err(Refusal::NothingToReload);
        }
        let generation = self.next_generation();
        self.adopt(order.ticket, generation);
        self.notice(match order.kind {
            Kind::Reload | Kind::Replacement => Notice::ReloadBegun { generation, instances: rest.len() },
            Kind::Check => Notice::CheckBegun { generation },
        });
        let (kind, strategy) = (order.kind, order.strategy);
        let width = if strategy == ReloadStrategy::Fleet { usize::MAX } else { order.width };
        let (ticket, policy, steps) = (None, None, Vec::new());
        self.reload =
            Some(Reload { generation, begun: now, kind, strategy, ticket, policy, width, rest, steps });
        Ok(())
    }

    /// A generation that no worker has had.
    pub(super) fn next_generation(&mut self) -> Generation {
        self.newest = Generation(self.newest.0.saturating_add(1));
        self.newest
    }

    /// Begins the next steps if there are free slots for them, and notices when all are done.
    pub(super) fn advance_reload(&mut self, now: Uptime, free: &mut usize) {
        while let Some(reload) = &mut self.reload {
            let draining = |step: &Step| self.departures.is_draining(step.instance);
            reload.steps.retain(|step| !matches!(step.stage, Stage::Parting) || draining(step));
            reload.take_turns();
            let Some(position) = reload.steps.iter().position(Step::is_pending) else {
                if reload.steps.is_empty() {
                    return self.finish_reload(now);
                }
                if self.advance_fleet(now) {
                    continue;
                }
                return;
            };
            let instance = reload.steps[position].instance;
            let is_replacement = reload.is_replacement();
            let keeps_limit = reload.width == 1 || is_replacement || reload.strategy == ReloadStrategy::Fleet;
            let Some(index) = self.index(instance).filter(|&index| self.needs_step(index)) else {
                self.end_step(position);
                continue;
            };
            if is_replacement && self.relieve_in_turn(now, position, index) {
                continue;
            }
            if *free == 0 && keeps_limit {
                return;
            }
            *free = free.saturating_sub(1);
            let stage = self.start_newcomer(now, index);
            if let Some(reload) = &mut self.reload {
                reload.steps[position].stage = stage;
            }
        }
    }

    /// Whether the instance still has to be reloaded: it may have ended for good meanwhile, or be a new one.
    fn needs_step(&self, index: usize) -> bool {
        let Some(reload) = &self.reload else { return false };
        let instance = &self.instances[index];
        match reload.kind {
            Kind::Reload => {
                instance.generation != reload.generation && !matches!(instance.state(), State::Stopped)
            }
            Kind::Check => true,
            Kind::Replacement => instance.stalled().is_some(),
        }
    }

    fn start_newcomer(&mut self, now: Uptime, index: usize) -> Stage {
        let Some(Reload { generation, kind, strategy, .. }) = &self.reload else { return Stage::Pending };
        let (kind, strategy, id) = (*kind, *strategy, self.instances[index].id);
        let generation = match kind {
            Kind::Reload | Kind::Check => *generation,
            Kind::Replacement => self.instances[index].generation,
        };
        if strategy == ReloadStrategy::Fleet {
            return Stage::beside(Newcomer::Spawning(self.request(id, generation, Parking::On)));
        }
        let request = self.request(id, generation, Parking::Off);
        let instance = &mut self.instances[index];
        match (kind, instance.state()) {
            (Kind::Check, _) | (_, State::Spawning(_) | State::Starting(_) | State::Ready(_)) => {
                return Stage::beside(Newcomer::Spawning(request));
            }
            (_, State::Failed) => instance.history = History::default(),
            (
                _,
                State::Waiting | State::Backoff { .. } | State::Stopped | State::Held | State::Restarting,
            ) => {}
        }
        instance.enter(now, State::Spawning(request));
        self.waiting.retain(|&waiting| waiting != id);
        Stage::Alone(request.worker)
    }

    /// A worker that has stalled gets a standby beside it, which needs no start slot. Says whether there was one.
    fn relieve_in_turn(&mut self, now: Uptime, position: usize, index: usize) -> bool {
        let (id, generation) = (self.instances[index].id, self.instances[index].generation);
        let Some(newcomer) = self.relieve(now, id, generation) else { return false };
        let worker = newcomer.id();
        if let Some(reload) = &mut self.reload {
            reload.steps[position].stage = Stage::beside(newcomer);
        }
        self.review_newcomer(now, worker);
        true
    }

    fn end_step(&mut self, position: usize) {
        if let Some(reload) = &mut self.reload {
            reload.steps.remove(position);
        }
    }

    /// Every instance has had its turn.
    fn finish_reload(&mut self, now: Uptime) {
        let Some(reload) = self.reload.take() else { return };
        let Reload { generation, begun, ticket, policy, kind, .. } = reload;
        if kind == Kind::Replacement {
            return;
        }
        self.current = generation;
        if let Some(policy) = policy {
            self.policy = *policy;
        }
        self.standbys.forgive();
        self.notice(Notice::ReloadDone { generation, took: now.since(begun) });
        self.answer(ticket, Answer::Done);
    }

    /// Looks whether newcomers have become ready, or have earned a complaint.
    pub(super) fn review_newcomers(&mut self, now: Uptime) {
        let ids: Vec<_> = self.newcomers().map(Newcomer::id).collect();
        for id in ids {
            self.review_newcomer(now, id);
        }
    }

    /// Looks whether this newcomer has become ready, or has earned a complaint.
    pub(super) fn review_newcomer(&mut self, now: Uptime, id: WorkerId) {
        let Some((instance, watched)) = self.newcomer_mut(id) else { return };
        if watched.watch.is_ready(now) {
            return self.newcomer_is_ready(now, id, instance);
        }
        while let Some((instance, watched)) = self.newcomer_mut(id)
            && let Some(complaint) = watched.watch.complaint(now)
        {
            let worker = watched.worker;
            if complaint == Complaint::Late {
                let timeout = self.newcomers_policy().readiness.timeout;
                self.dismiss_newcomer(now, id);
                return self.call_reload_off(now, instance, CalledOff::TimedOut(timeout));
            }
            self.complain(now, instance, worker, complaint);
        }
    }

    fn newcomer_is_ready(&mut self, now: Uptime, id: WorkerId, instance: InstanceId) {
        match self.reload.as_ref().map(|reload| (reload.kind, reload.strategy)) {
            Some((Kind::Reload, ReloadStrategy::Fleet)) => self.newcomer_waits_for_others(id),
            Some((Kind::Reload, ReloadStrategy::Rolling) | (Kind::Replacement, _)) => {
                self.install_newcomer(now, instance);
            }
            Some((Kind::Check, _)) => self.pass_check(now, id),
            None => {}
        }
    }

    /// The newcomer takes the instance, and the old worker is asked to end.
    pub(super) fn install_newcomer(&mut self, now: Uptime, id: InstanceId) {
        let (Some(newcomer), Some(index)) = (self.take_newcomer_of(id), self.index(id)) else { return };
        let Some(watched) = newcomer.into_watched() else { return };
        let worker = watched.worker.id;
        self.waiting.retain(|&waiting| waiting != id);
        if watched.watch.has_listened() {
            self.instances[index].expected = Expected::Listen;
        }
        let old = self.instances[index].enter(now, State::Stopped);
        if matches!(old, State::Failed) {
            self.instances[index].history = History::default();
        }
        self.install(now, index, watched);
        self.dismiss_from(now, id, &old);
        self.reload_gained(worker);
        self.review(now, index);
    }

    fn pass_check(&mut self, now: Uptime, id: WorkerId) {
        self.dismiss_newcomer(now, id);
        if let Some(Reload { begun, ticket, .. }) = self.reload.take() {
            self.notice(Notice::CheckPassed { took: now.since(begun) });
            self.answer(ticket, Answer::Done);
        }
    }

    /// A worker is ready: if the reload waited for it, the next instance's turn has come.
    pub(super) fn reload_gained(&mut self, worker: WorkerId) {
        if let Some(reload) = &mut self.reload {
            let step = reload.steps.iter_mut().find(|step| step.waits_for(worker));
            step.into_iter().for_each(|step| step.stage = Stage::Parting);
        }
    }

    /// A worker that is its instance's only one did not become ready: if the reload waited for it, it is called off.
    pub(super) fn reload_lost(&mut self, now: Uptime, worker: WorkerId, why: CalledOff) {
        let step =
            self.reload.as_ref().and_then(|reload| reload.steps.iter().find(|step| step.waits_for(worker)));
        if let Some(instance) = step.map(|step| step.instance) {
            self.call_reload_off(now, instance, why);
        }
    }

    /// Ends the reload in failure, for what `instance`'s newcomer did; that one was seen to by the caller. The other
    /// newcomers are asked to end.
    pub(super) fn call_reload_off(&mut self, now: Uptime, instance: InstanceId, why: CalledOff) {
        if self.reload.as_ref().is_some_and(Reload::is_replacement) {
            return match why {
                CalledOff::Exited(_) | CalledOff::SpawnFailed(_) | CalledOff::TimedOut(_) => {
                    self.replacement_failed(now, instance, why);
                }
                CalledOff::Stopping | CalledOff::Overtaken => self.overtake_replacements(now),
            };
        }
        self.dismiss_newcomers(now);
        let Some(Reload { generation, kind, ticket, .. }) = self.reload.take() else { return };
        self.notice(match kind {
            Kind::Reload | Kind::Replacement => {
                Notice::ReloadCalledOff { generation, instance, why: why.clone() }
            }
            Kind::Check => Notice::CheckFailed { instance, why: why.clone() },
        });
        self.answer(ticket, Answer::Failed { instance, why });
    }

    /// Ends the reload, if there is one, for a reason that is no newcomer's.
    pub(super) fn overtake_reload(&mut self, now: Uptime, why: CalledOff) {
        if let Some(instance) = self.reload.as_ref().and_then(Reload::first) {
            self.call_reload_off(now, instance, why);
        }
    }

    /// The instance is taken out of the reload, and its newcomer with it.
    pub(super) fn reload_skip(&mut self, now: Uptime, id: InstanceId) {
        let Some(reload) = &mut self.reload else { return };
        if reload.kind == Kind::Check && reload.first() == Some(id) {
            return self.call_reload_off(now, id, CalledOff::Overtaken);
        }
        reload.rest.retain(|&rest| rest != id);
        let newcomer =
            reload.steps.iter().find(|step| step.instance == id).and_then(Step::newcomer).map(Newcomer::id);
        if let Some(newcomer) = newcomer {
            self.dismiss_newcomer(now, newcomer);
        }
        if let Some(reload) = &mut self.reload {
            reload.steps.retain(|step| step.instance != id);
        }
    }

    /// Asks all newcomers to end.
    pub(super) fn dismiss_newcomers(&mut self, now: Uptime) {
        let ids: Vec<_> = self.newcomers().map(Newcomer::id).collect();
        for id in ids {
            self.dismiss_newcomer(now, id);
        }
    }

    fn dismiss_newcomer(&mut self, now: Uptime, id: WorkerId) {
        if let Some((instance, newcomer)) = self.remove_newcomer(id) {
            self.dismiss_from(now, instance, &newcomer.into());
        }
    }

    /// What holds for workers of this generation.
    pub(super) fn policy_in(&self, generation: Generation) -> &Policy {
        let is_new = self.reload.as_ref().is_some_and(|reload| reload.generation == generation);
        if is_new { self.newcomers_policy() } else { &self.policy }
    }

    /// What holds for newcomers.
    pub(super) fn newcomers_policy(&self) -> &Policy {
        self.reload.as_ref().and_then(|reload| reload.policy.as_deref()).unwrap_or(&self.policy)
    }
}

impl Reload {
    /// The replacement of workers that have stalled: each instance gets its turn by [`Reload::add_turn`].
    pub(super) fn replacement(now: Uptime, current: Generation) -> Self {
        Self {
            generation: current,
            begun: now,
            kind: Kind::Replacement,
            ticket: None,
            strategy: ReloadStrategy::Rolling,
            policy: None,
            width: usize::MAX,
            rest: VecDeque::new(),
            steps: Vec::new(),
        }
    }

    /// Whether it is one.
    pub(super) fn is_replacement(&self) -> bool {
        self.kind == Kind::Replacement
    }

    /// An instance is to get a new worker, too.
    pub(super) fn add_turn(&mut self, instance: InstanceId) {
        self.steps.push(Step { instance, stage: Stage::Pending });
    }

    /// Whether an instance is to get a new worker and has not yet got it.
    pub(super) fn has_turn_of(&self, instance: InstanceId) -> bool {
        self.steps.iter().any(|step| step.instance == instance)
    }

    /// Takes an instance out.
    pub(super) fn end_turn_of(&mut self, instance: InstanceId) {
        self.steps.retain(|step| step.instance != instance);
    }

    /// The generation that it brings.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// The instance whose turn came first, of those that are not done.
    pub(super) fn first(&self) -> Option<InstanceId> {
        self.steps.first().map(|step| step.instance).or_else(|| self.rest.front().copied())
    }

    /// Whether a newcomer is there, or to come, that is to take this instance.
    pub(super) fn is_replacing(&self, id: InstanceId) -> bool {
        let beside = |step: &Step| step.instance == id && step.newcomer().is_some();
        self.kind != Kind::Check && self.steps.iter().any(beside)
    }

    fn take_turns(&mut self) {
        while self.steps.len() < self.width
            && let Some(instance) = self.rest.pop_front()
        {
            self.steps.push(Step { instance, stage: Stage::Pending });
        }
    }
}
