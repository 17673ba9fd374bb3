//! Reloads when files have changed: `--watch`.
//!
//! Changes come in crowds: an editor writes a file three times, a checkout writes hundreds. So a reload waits until nothing
//! has changed for the delay, though not for ever, and what changes during a reload leads to one more after it.
//!
//! ```text
//!   nothing --Changed--> Changes{due} --due, and no reload under way--> asked --Prepared--> reload
//!                          ^  |                                            \--it cannot run--> nothing
//!                          \--/ Changed: later, up to ten delays
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Notice};
use super::backoff::History;
use super::event::Uptime;
use super::instance::State;
use super::machine::{Phase, Supervisor};
use super::reload::{Order, Reload};

/// A reload is put off by further changes for so many delays, and no more.
const MOST_DELAYS: u32 = 10;
/// The driver answers at once. If an answer should be lost, it is asked again after this.
const LOST: Duration = Duration::from_secs(5);

/// What has changed since the last reload for that began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Changes {
    first: Uptime,
    due: Uptime,
    /// The first of them, for people.
    path: String,
    files: u32,
    /// Whether the driver was asked whether the app can run as it is now.
    is_asked: bool,
}

/// Whether changes are of interest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Interest {
    #[default]
    Kept,
    /// Somebody wanted the end.
    Lost,
}

impl Supervisor {
    /// Files have changed: so many, this one first.
    pub(super) fn handle_changed(&mut self, now: Uptime, path: String, files: u32) {
        let Some(delay) = self.policy.watch.filter(|_| self.is_interested()) else { return };
        let changes =
            self.changes.get_or_insert(Changes { first: now, due: now, path, files: 0, is_asked: false });
        changes.files = changes.files.saturating_add(files);
        if !changes.is_asked {
            let last = changes.first.after(delay.saturating_mul(MOST_DELAYS));
            changes.due = now.after(delay).min(last.max(now));
        }
    }

    fn is_interested(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.interest == Interest::Kept
    }

    /// When a reload for changes is due. One that is under way is waited for.
    pub(super) fn changes_at(&self) -> Option<Uptime> {
        let is_busy = self.reload.as_ref().is_some_and(|reload| !Reload::is_replacement(reload));
        let changes = self.changes.as_ref().filter(|_| self.is_interested() && !is_busy)?;
        Some(changes.due)
    }

    /// Asks the driver to read everything anew, if it is time.
    pub(super) fn review_changes(&mut self, now: Uptime) {
        if self.changes_at().is_none_or(|at| at > now) {
            return;
        }
        if let Some(changes) = &mut self.changes {
            (changes.is_asked, changes.due) = (true, now.after(LOST));
            self.out.push(Action::Prepare);
        }
    }

    /// The driver has answered: whether the app can run as it is now. If not, it has said why, and the next change tries again.
    pub(super) fn handle_prepared(&mut self, now: Uptime, is_usable: bool) {
        if !self.is_interested() || self.changes_at().is_none() {
            return;
        }
        let Some(changes) = self.changes.take_if(|changes| changes.is_asked) else { return };
        if is_usable {
            self.reload_for_changes(now, changes);
        }
    }

    /// As by the clock (`cron`): who serves is reloaded, a job that has ended runs again, and what was stopped on order stays so.
    fn reload_for_changes(&mut self, now: Uptime, Changes { path, files, .. }: Changes) {
        let those = |wanted: fn(&State) -> bool| -> Vec<_> {
            (0..self.instances.len()).filter(|&index| wanted(self.instances[index].state())).collect()
        };
        let ended = those(|state| matches!(state, State::Stopped));
        let others = those(|state| !matches!(state, State::Stopped | State::Held));
        if ended.is_empty() && others.is_empty() {
            return;
        }
        self.notice(Notice::FilesChanged { path, files });
        for index in ended {
            self.instances[index].history = History::default();
            self.queue(now, self.instances[index].id);
        }
        if !others.is_empty() {
            self.begin_reload(now, Order::plain(self.policy.strategy));
        }
    }

    /// Whether an app whose workers have ended, or failed, will be tried again once its files have changed.
    pub(super) fn awaits_changes(&self) -> bool {
        self.policy.watch.is_some() && self.is_interested()
    }

    /// Somebody wanted the end: no change brings anything back.
    pub(super) fn forget_changes(&mut self) {
        (self.interest, self.changes) = (Interest::Lost, None);
    }
}
