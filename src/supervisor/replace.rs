//! The replacement of workers that stall: as in a reload of that instance, the new worker comes first, in the same
//! generation.
//!
//! Replacements wait for a reload that is under way, and give way to one that is ordered. One that fails leaves the
//! stalled worker in its place, and is tried again later. Between two of one instance the time grows (`Patience`).

use std::time::Duration;

use super::action::{Action, CalledOff, Notice};
use super::event::Uptime;
use super::health::Checks;
use super::instance::{Instance, State, Watched, Worker};
use super::machine::Supervisor;
use super::memory::Excess;
use super::reload::Reload;
use super::vitals::{Stall, Stalled};
use crate::spec::InstanceId;

impl Supervisor {
    /// Begins to replace those who have stalled for long enough. What an instance has on its way out, a newcomer that failed
    /// say, is waited for, so that there are never more than two.
    pub(super) fn replace_stalled(&mut self, now: Uptime) {
        if !self.may_replace() {
            return;
        }
        for index in 0..self.instances.len() {
            let instance = &mut self.instances[index];
            let (id, not_before) = (instance.id, instance.patience.not_before());
            let Some(stalled) = instance.stalled().filter(|it| it.due.is_some_and(|due| due <= now)) else {
                continue;
            };
            if self.is_under_replacement(id) || self.departures.has_any_of(id) {
                continue;
            }
            if not_before <= now {
                self.begin_replacement(now, index, stalled);
            } else if let Some((row, delay)) = self.instances[index].patience.tell(now) {
                self.notice(Notice::ReplacementDeferred { instance: id, row, delay });
            }
        }
    }

    /// Whether a replacement could begin: not while a reload or a check is under way.
    pub(super) fn may_replace(&self) -> bool {
        self.reload.as_ref().is_none_or(Reload::is_replacement)
    }

    pub(super) fn is_under_replacement(&self, id: InstanceId) -> bool {
        self.reload.as_ref().is_some_and(|reload| reload.has_turn_of(id))
    }

    fn begin_replacement(&mut self, now: Uptime, index: usize, stalled: Stalled) {
        let instance = &mut self.instances[index];
        let (id, ready_at) = (instance.id, instance.since());
        let Some(&Watched { worker, ref vitals, .. }) = instance.watched() else { return };
        let excess = vitals.as_ref().and_then(|vitals| vitals.excess);
        let well_since = match stalled.cause {
            Stall::Check => vitals
                .as_ref()
                .and_then(|vitals| vitals.checks.as_ref())
                .or(self.app_checks.as_ref())
                .and_then(Checks::well_since),
            Stall::Watchdog | Stall::Trigger | Stall::EventLoop | Stall::Memory | Stall::Pressure => {
                Some(ready_at)
            }
        };
        instance.patience.spend(now, well_since.map_or(Duration::ZERO, |well| stalled.since.since(well)));
        self.tell_of_replacement(now, id, worker, (stalled, excess));
        let generation = self.current;
        self.reload.get_or_insert_with(|| Reload::replacement(now, generation)).add_turn(id);
    }

    fn tell_of_replacement(
        &mut self,
        now: Uptime,
        instance: InstanceId,
        Worker { id: worker, pid, generation, spawned, .. }: Worker,
        (stalled, excess): (Stalled, Option<Excess>),
    ) {
        let lived = now.since(spawned);
        if let (Stall::Memory, Some(excess)) = (stalled.cause, excess) {
            let limit = self.policy_in(generation).health.max_memory.unwrap_or_default();
            let bytes = excess.bytes;
            return self.notice(Notice::TooLarge { worker, instance, generation, pid, bytes, limit, lived });
        }
        let (cause, span) = (stalled.cause, now.since(stalled.since));
        self.notice(Notice::Stalled { worker, instance, generation, pid, cause, span, lived });
        self.out.push(Action::Report { worker, cause });
    }

    /// A replacement came to nothing. The stalled worker stays, if it is still there.
    pub(super) fn replacement_failed(&mut self, now: Uptime, id: InstanceId, why: CalledOff) {
        if let Some(reload) = &mut self.reload {
            reload.end_turn_of(id);
        }
        if let Some(index) = self.index(id)
            && self.instances[index].is_ready()
        {
            let delay = self.instances[index].patience.wait(now);
            // Whether it is still to give way is judged anew.
            if let Some(vitals) = self.instances[index].watched_mut().and_then(|it| it.vitals.as_mut()) {
                vitals.recover(Stall::Pressure);
            }
            self.notice(Notice::ReplacementFailed { instance: id, why, delay });
        }
    }

    /// Gives all replacements up, for something that is more important.
    pub(super) fn overtake_replacements(&mut self, now: Uptime) {
        if !self.reload.as_ref().is_some_and(Reload::is_replacement) {
            return;
        }
        self.dismiss_newcomers(now);
        let Some(reload) = self.reload.take() else { return };
        for instance in &mut self.instances {
            if reload.has_turn_of(instance.id) {
                instance.patience.forgo();
            }
        }
    }

    /// When the replacement of an instance's stalled worker may begin.
    pub(super) fn replacement_at(&self, instance: &Instance) -> Option<Uptime> {
        let due = instance.stalled()?.due?;
        let is_held_up = self.is_under_replacement(instance.id) || self.departures.has_any_of(instance.id);
        (self.may_replace() && !is_held_up).then(|| due.max(instance.patience.not_before()))
    }
}

impl Instance {
    /// Its worker, if that serves and has stalled.
    pub(super) fn stalled(&self) -> Option<Stalled> {
        match self.state() {
            State::Ready(watched) => watched.vitals.as_ref().and_then(|vitals| vitals.stalled),
            State::Waiting
            | State::Spawning(_)
            | State::Starting(_)
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }
}
