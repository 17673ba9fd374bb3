//! Reloads by the clock: `--cron-restart`.
//!
//! What the time of day is, and when a pattern comes next, only the driver can tell. It is asked as soon as there is a pattern, and
//! again whenever the time that it named has come; it then says whether the pattern's time has come, too. A mark that it
//! gives and gets back keeps it from finding one time twice.
//!
//! ```text
//!   Asked --Scheduled--> At ---it has come---> Asked
//!             \--------> Never     no time matches the pattern, or somebody wanted the end
//! ```

use serde::{Deserialize, Serialize};

use super::action::{Action, Notice};
use super::backoff::History;
use super::event::Uptime;
use super::instance::State;
use super::machine::{Phase, Supervisor};
use super::reload::Order;

/// The times of an app that has a pattern.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Timetable {
    pattern: String,
    mark: Option<u64>,
    next: Next,
}

/// When to ask the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Next {
    Asked,
    At(Uptime),
    Never,
}

/// What the driver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    /// Until when it has looked.
    pub mark: u64,
    /// Whether a time of the pattern has come since the mark before; never where there was none.
    pub is_due: bool,
    /// When to ask again; `None` where no time matches any more.
    pub next: Option<Uptime>,
}

impl Supervisor {
    /// The pattern may be another one since a reload, or new.
    pub(super) fn arrange_timetable(&mut self) {
        let wanted = self.policy.restart.cron.as_ref();
        if self.timetable.as_ref().map(|timetable| &timetable.pattern) == wanted {
            return;
        }
        self.timetable =
            wanted.map(|pattern| Timetable { pattern: pattern.clone(), mark: None, next: Next::Never });
        self.ask_for_time();
    }

    fn ask_for_time(&mut self) {
        if let Some(Timetable { pattern, mark, next }) = &mut self.timetable {
            *next = Next::Asked;
            self.out.push(Action::Schedule { pattern: pattern.clone(), mark: *mark });
        }
    }

    /// When to ask the driver.
    pub(super) fn time_at(&self) -> Option<Uptime> {
        match (&self.phase, self.timetable.as_ref()?.next) {
            (Phase::Running, Next::At(at)) => Some(at),
            (Phase::Running | Phase::Stopping(_) | Phase::Over, Next::Asked | Next::At(_) | Next::Never) => {
                None
            }
        }
    }

    /// Asks the driver, if it is time.
    pub(super) fn review_timetable(&mut self, now: Uptime) {
        if self.time_at().is_some_and(|at| at <= now) {
            self.ask_for_time();
        }
    }

    /// The driver has answered.
    pub(super) fn handle_scheduled(&mut self, now: Uptime, scheduled: Scheduled) {
        let Some(timetable) = self.timetable.as_mut().filter(|timetable| timetable.next == Next::Asked)
        else {
            return;
        };
        timetable.mark = Some(scheduled.mark);
        timetable.next = scheduled.next.map_or(Next::Never, Next::At);
        if scheduled.is_due && matches!(self.phase, Phase::Running) {
            let pattern = timetable.pattern.clone();
            self.reload_by_the_clock(now, pattern);
        }
    }

    /// Who serves is reloaded. An instance whose worker has ended for good, a job, is started again; one that was stopped on order
    /// stays so.
    fn reload_by_the_clock(&mut self, now: Uptime, pattern: String) {
        let those = |wanted: fn(&State) -> bool| -> Vec<_> {
            let chosen = (0..self.instances.len()).filter(|&index| wanted(self.instances[index].state()));
            chosen.collect()
        };
        let ended = those(|state| matches!(state, State::Stopped));
        let others = those(|state| !matches!(state, State::Stopped | State::Held));
        if ended.is_empty() && others.is_empty() {
            return;
        }
        self.notice(Notice::TimeHasCome { pattern });
        for index in ended {
            self.instances[index].history = History::default();
            self.queue(now, self.instances[index].id);
        }
        if !others.is_empty() {
            self.begin_reload(now, Order::plain(self.policy.strategy));
        }
    }

    /// Whether an app without workers will have some again.
    pub(super) fn awaits_its_time(&self) -> bool {
        let comes = |timetable: &Timetable| timetable.next != Next::Never;
        matches!(self.phase, Phase::Running) && self.timetable.as_ref().is_some_and(comes)
    }

    /// Somebody wanted the end: the clock does not bring anything back.
    pub(super) fn forget_the_time(&mut self) {
        if let Some(timetable) = &mut self.timetable {
            timetable.next = Next::Never;
        }
    }
}
