//! Scaling: one instance more, at the end, or one less, the last.

use std::num::NonZeroU32;

use super::action::Notice;
use super::event::Uptime;
use super::instance::{Instance, State};
use super::machine::Supervisor;
use crate::spec::InstanceId;

/// More workers than any machine has CPUs to give; the kernel's steering program and our tables stay small.
pub(super) const MAX_INSTANCES: usize = 1024;

impl Supervisor {
    /// Adds an instance after the last.
    pub(super) fn scale_up(&mut self, now: Uptime) {
        let from = self.count();
        let most = self.policy.range.map_or(MAX_INSTANCES, |range| as_count(range.most));
        if self.instances.len() >= most {
            return self.notice(Notice::ScaleRefused { at: from });
        }
        let id = InstanceId(from);
        let generation =
            self.reload.as_ref().map_or(self.current, |reload| reload.of_new_instances(self.current));
        // An app that was stopped on order stays so, whatever its size.
        let held = self.instances.iter().all(|instance| matches!(instance.state(), State::Held));
        self.instances.push(Instance::new(now, id, generation));
        self.enlist(id);
        if held {
            self.instances.last_mut().map(|new| new.enter(now, State::Held));
        } else {
            self.queue(now, id);
        }
        self.notice(Notice::Scaled { from, to: self.count() });
    }

    /// Takes the last instance away, but never the only one, and none of those that there are at least.
    pub(super) fn scale_down(&mut self, now: Uptime) {
        let from = self.count();
        let least = self.policy.range.map_or(1, |range| as_count(range.least));
        let last = if self.instances.len() > least { self.instances.pop() } else { None };
        let Some(last) = last else {
            return self.notice(Notice::ScaleRefused { at: from });
        };
        self.notice(Notice::Scaled { from, to: self.count() });
        self.give_up_waiting(last.id);
        self.dismiss_from(now, last.id, last.state());
        self.reload_skip(now, last.id);
    }

    fn count(&self) -> u32 {
        u32::try_from(self.instances.len()).unwrap_or(u32::MAX)
    }
}

fn as_count(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}
