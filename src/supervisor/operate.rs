//! Orders of people and programs: how each begins, and when it is answered.
//!
//! An order that takes its time is kept as [`Awaited`] until what it waits for has come, or cannot come any more.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::action::{Action, CalledOff, Notice, StopReason};
use super::backoff::History;
use super::command::{Answer, Command, Refusal, Scope, Ticket};
use super::event::Uptime;
use super::instance::State;
use super::machine::{Ends, Phase, Policy, Role, Supervisor};
use super::reload::{Kind, Order};
use super::scale::MAX_INSTANCES;
use super::vitals::Patience;
use crate::spec::{AppSpec, Generation, InstanceId, InstanceRange, ReloadStrategy};

/// An order that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Awaited {
    ticket: Ticket,
    until: Until,
}

/// What an order waits for.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Until {
    /// These have no worker left, not even one on its way out.
    Gone(BTreeSet<InstanceId>),
    /// These have a worker that is ready.
    Ready(BTreeSet<InstanceId>),
    /// The app is over.
    Over,
}

impl Supervisor {
    /// An order came.
    pub(super) fn handle_command(&mut self, now: Uptime, ticket: Ticket, command: Command) {
        if let Err(refusal) = self.try_command(now, ticket, command) {
            self.answer(Some(ticket), Answer::Refused(refusal));
        }
    }

    fn try_command(&mut self, now: Uptime, ticket: Ticket, command: Command) -> Result<(), Refusal> {
        match (self.policy.role, &self.phase) {
            (Role::Init, _) => return Err(Refusal::Init),
            (Role::Cluster, Phase::Stopping(_)) => return Err(Refusal::Stopping),
            (Role::Cluster, Phase::Running | Phase::Over) => {}
        }
        match command {
            Command::Start(scope) => self.start_again(now, ticket, scope)?,
            Command::Stop(scope) => self.hold(now, ticket, scope)?,
            Command::Restart { scope, spec } => self.restart(now, ticket, scope, spec)?,
            Command::Reload { scope, strategy, width, spec } => {
                self.chosen(scope)?;
                let only = match scope {
                    Scope::All => None,
                    Scope::One(id) => Some(id),
                };
                let width = usize::try_from(width.get()).unwrap_or(usize::MAX);
                self.order_reload(
                    now,
                    Order {
                        kind: Kind::Reload,
                        ticket: Some(ticket),
                        policy: self.policy_of(spec),
                        strategy,
                        width,
                        only,
                    },
                );
            }
            Command::Check { spec } => {
                let policy = self.policy_of(spec);
                self.order_reload(
                    now,
                    Order {
                        kind: Kind::Check,
                        ticket: Some(ticket),
                        policy,
                        strategy: ReloadStrategy::Rolling,
                        width: 1,
                        only: None,
                    },
                );
            }
            Command::Scale { to } => self.scale(now, ticket, to)?,
            Command::Reset(scope) => self.reset(ticket, scope)?,
            Command::Remove => self.remove(now, ticket),
        }
        Ok(())
    }

    fn policy_of(&self, spec: Option<Box<AppSpec>>) -> Option<Box<Policy>> {
        spec.map(|spec| Box::new(Policy::new(&spec)))
    }

    /// The indexes of the instances that are meant.
    fn chosen(&self, scope: Scope) -> Result<Vec<usize>, Refusal> {
        match scope {
            Scope::All => Ok((0..self.instances.len()).collect()),
            Scope::One(id) => Ok(vec![self.index(id).ok_or(Refusal::NoSuchInstance)?]),
        }
    }

    fn order_reload(&mut self, now: Uptime, order: Order) {
        self.revive();
        self.begin_reload(now, order);
    }

    /// An app that was over is not any more.
    fn revive(&mut self) {
        if matches!(self.phase, Phase::Over) {
            self.phase = Phase::Running;
            self.ends = Ends::default();
        }
    }

    fn start_again(&mut self, now: Uptime, ticket: Ticket, scope: Scope) -> Result<(), Refusal> {
        let chosen = self.chosen(scope)?;
        self.revive();
        for &index in &chosen {
            if matches!(self.instances[index].state(), State::Held | State::Stopped | State::Failed) {
                (self.instances[index].history, self.instances[index].patience) = Default::default();
                self.queue(now, self.instances[index].id);
            }
        }
        self.await_ready(ticket, &chosen);
        Ok(())
    }

    fn hold(&mut self, now: Uptime, ticket: Ticket, scope: Scope) -> Result<(), Refusal> {
        let chosen = self.chosen(scope)?;
        // The reload could not end any more; what it has begun, it has begun.
        if scope == Scope::All {
            self.overtake_reload(now, CalledOff::Overtaken);
        }
        self.notice(Notice::Holding { instances: chosen.len() });
        for &index in &chosen {
            let id = self.instances[index].id;
            self.reload_skip(now, id);
            self.give_up_waiting(id);
            let old = self.instances[index].enter(now, State::Held);
            self.dismiss_from(now, id, &old);
        }
        let idle = |state: &State| matches!(state, State::Held | State::Failed);
        if self.reload.is_none() && self.instances.iter().all(|instance| idle(instance.state())) {
            self.out.push(Action::StopListening);
        }
        self.await_gone(ticket, &chosen);
        Ok(())
    }

    fn restart(
        &mut self,
        now: Uptime,
        ticket: Ticket,
        scope: Scope,
        spec: Option<Box<AppSpec>>,
    ) -> Result<(), Refusal> {
        let chosen = self.chosen(scope)?;
        self.revive();
        self.overtake_reload(now, CalledOff::Overtaken);
        let generation = self.next_generation();
        self.adopt(Some(ticket), generation);
        self.current = generation;
        if let Some(policy) = self.policy_of(spec) {
            self.policy = *policy;
        }
        self.standbys.forgive();
        self.notice(Notice::Restarting { generation, instances: chosen.len() });
        for &index in &chosen {
            self.restart_one(now, index, generation);
        }
        self.await_ready(ticket, &chosen);
        Ok(())
    }

    fn restart_one(&mut self, now: Uptime, index: usize, generation: Generation) {
        let id = self.instances[index].id;
        self.give_up_waiting(id);
        let instance = &mut self.instances[index];
        (instance.generation, instance.history) = (generation, History::default());
        instance.patience = Patience::default();
        let old = instance.enter(now, State::Restarting);
        self.dismiss_from(now, id, &old);
    }

    /// Starts the instances whose old worker is gone.
    pub(super) fn start_restarting(&mut self, now: Uptime) {
        for index in 0..self.instances.len() {
            let id = self.instances[index].id;
            if matches!(self.instances[index].state(), State::Restarting) && !self.departures.has_any_of(id) {
                self.queue(now, id);
            }
        }
    }

    fn scale(&mut self, now: Uptime, ticket: Ticket, to: NonZeroU32) -> Result<(), Refusal> {
        let wanted = usize::try_from(to.get()).unwrap_or(usize::MAX);
        if wanted > MAX_INSTANCES {
            return Err(Refusal::TooMany { most: u32::try_from(MAX_INSTANCES).unwrap_or(u32::MAX) });
        }
        if let Some(InstanceRange { least, most }) = self.policy.range.filter(|range| !range.has(to.get())) {
            return Err(Refusal::OutOfRange { least: least.get(), most: most.get() });
        }
        self.revive();
        let before = self.instances.len();
        let gone: BTreeSet<_> = self.instances.iter().skip(wanted).map(|instance| instance.id).collect();
        while self.instances.len() > wanted {
            self.scale_down(now);
        }
        while self.instances.len() < wanted {
            self.scale_up(now);
        }
        if gone.is_empty() {
            let new: Vec<_> = (before..wanted).collect();
            self.await_ready(ticket, &new);
        } else {
            self.awaited.push(Awaited { ticket, until: Until::Gone(gone) });
        }
        Ok(())
    }

    fn reset(&mut self, ticket: Ticket, scope: Scope) -> Result<(), Refusal> {
        for index in self.chosen(scope)? {
            let instance = &mut self.instances[index];
            (instance.restarts, instance.history) = (0, History::default());
            instance.patience = Patience::default();
        }
        self.standbys.forgive();
        self.answer(Some(ticket), Answer::Done);
        Ok(())
    }

    fn remove(&mut self, now: Uptime, ticket: Ticket) {
        self.revive();
        self.begin_stop(now, StopReason::Removed);
        self.awaited.push(Awaited { ticket, until: Until::Over });
    }

    fn await_gone(&mut self, ticket: Ticket, chosen: &[usize]) {
        let until = Until::Gone(self.ids(chosen));
        self.awaited.push(Awaited { ticket, until });
    }

    /// What is held is not waited for.
    fn await_ready(&mut self, ticket: Ticket, chosen: &[usize]) {
        let comes = |index: &usize| !matches!(self.instances[*index].state(), State::Held);
        let coming: Vec<_> = chosen.iter().copied().filter(comes).collect();
        let until = Until::Ready(self.ids(&coming));
        self.awaited.push(Awaited { ticket, until });
    }

    fn ids(&self, chosen: &[usize]) -> BTreeSet<InstanceId> {
        chosen.iter().map(|&index| self.instances[index].id).collect()
    }

    /// The instance is no longer to start: it does not wait for a slot, and nobody waits for it.
    pub(super) fn give_up_waiting(&mut self, id: InstanceId) {
        self.waiting.retain(|&waiting| waiting != id);
        self.fail_awaited(id, &CalledOff::Overtaken);
    }

    /// Whoever waits for this instance to be ready waits in vain.
    pub(super) fn fail_awaited(&mut self, id: InstanceId, why: &CalledOff) {
        let waits = |awaited: &mut Awaited| matches!(&awaited.until, Until::Ready(ids) if ids.contains(&id));
        let failed: Vec<_> = self.awaited.extract_if(.., waits).collect();
        for Awaited { ticket, .. } in failed {
            self.answer(Some(ticket), Answer::Failed { instance: id, why: why.clone() });
        }
    }

    /// Everything stops: no start comes to its end any more.
    pub(super) fn fail_all_awaited(&mut self) {
        let waiting: Vec<_> = self.instances.iter().map(|instance| instance.id).collect();
        for id in waiting {
            self.fail_awaited(id, &CalledOff::Stopping);
        }
    }

    /// Answers the orders whose time has come.
    pub(super) fn answer_awaited(&mut self) {
        let awaited = std::mem::take(&mut self.awaited);
        for one in awaited {
            if self.has_come(&one.until) {
                self.answer(Some(one.ticket), Answer::Done);
            } else {
                self.awaited.push(one);
            }
        }
    }

    fn has_come(&self, until: &Until) -> bool {
        match until {
            Until::Gone(ids) => ids.iter().all(|&id| !self.departures.has_any_of(id)),
            Until::Ready(ids) => {
                ids.iter().filter_map(|&id| self.index(id)).all(|index| self.instances[index].is_ready())
            }
            Until::Over => matches!(self.phase, Phase::Over),
        }
    }

    /// Answers an order, if it was one.
    pub(super) fn answer(&mut self, ticket: Option<Ticket>, answer: Answer) {
        if let Some(ticket) = ticket {
            self.out.push(Action::Answer { ticket, answer });
        }
    }

    /// Tells the driver that the order's app is that of this generation.
    pub(super) fn adopt(&mut self, ticket: Option<Ticket>, generation: Generation) {
        self.out.push(Action::Adopt { ticket, generation });
    }
}
