//! How a worker does: its signs of life and its checks in one place, and whether it has stalled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Uptime;
use super::health::{Checks, Due, Season};
use super::memory::Excess;
use super::watchdog::{Feel, Pulse, Watchdog};
use crate::spec::{CheckPace, EventLoop, HealthPolicy, ReadySign};

/// By what a worker shows that it does not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stall {
    /// It has begun to send `WATCHDOG=1`, and has stopped.
    Watchdog,
    /// `WATCHDOG=trigger`: it says so itself.
    Trigger,
    /// Its health check has failed too often.
    Check,
    /// Its event loop does not turn.
    EventLoop,
    /// It has more memory than it may. It does its work none the less.
    Memory,
    /// All workers together are about to have more than they may, and it is to give way. It does its work none the less.
    Pressure,
}

impl Stall {
    /// By what it is seen, for people.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Watchdog => "it sends no WATCHDOG=1 any more",
            Self::Trigger => "it says so itself (WATCHDOG=trigger)",
            Self::Check => "its health check fails",
            Self::EventLoop => "its event loop does not turn",
            Self::Memory => "it has more memory than `--max-memory-restart` allows",
            Self::Pressure => "the container is short of memory, and it has the most to give back",
        }
    }
}

/// A worker that does not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stalled {
    pub(super) cause: Stall,
    pub(super) since: Uptime,
    /// When it is to be replaced; `None` where it is only shown.
    pub(super) due: Option<Uptime>,
}

/// Of one worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vitals {
    pub(super) watchdog: Watchdog,
    pub(super) pulse: Pulse,
    pub(super) checks: Option<Checks>,
    pub(super) stalled: Option<Stalled>,
    #[serde(default)]
    pub(super) excess: Option<Excess>,
    /// `--kill-stalled`
    patience: Option<Duration>,
    /// That of the checks, which begin when the worker is ready if not before.
    pace: Option<CheckPace>,
}

/// What the clock has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Ask,
    TimedOut,
    Ping,
    Stalled(Stall, Uptime),
}

impl Vitals {
    /// For a worker spawned at `now`; `None` where nothing of single workers is watched.
    pub(super) fn new(now: Uptime, policy: &HealthPolicy, sign: ReadySign) -> Option<Box<Self>> {
        let check = policy.check.as_ref().filter(|check| check.probe.is_per_worker());
        let is_watched = policy.watchdog.is_some() || policy.kill_stalled.is_some();
        if !is_watched && policy.max_memory.is_none() && check.is_none() {
            return None;
        }
        let becomes_ready_by_it = matches!(sign, ReadySign::Healthy(_));
        let checks = check.filter(|_| becomes_ready_by_it);
        Some(Box::new(Self {
            watchdog: Watchdog::new(policy.watchdog),
            pulse: Pulse::new(policy.kill_stalled.filter(|_| policy.event_loop == EventLoop::Answers)),
            checks: checks.map(|check| Checks::begin(now, check.pace, Season::Starting)),
            stalled: None,
            excess: None,
            patience: policy.kill_stalled,
            pace: check.map(|check| check.pace),
        }))
    }

    /// For a worker of which nothing is watched.
    pub(super) fn bare() -> Box<Self> {
        Box::new(Self {
            watchdog: Watchdog::new(None),
            pulse: Pulse::new(None),
            checks: None,
            stalled: None,
            excess: None,
            patience: None,
            pace: None,
        })
    }

    /// It may not listen yet, so there is nothing to check.
    pub(super) fn spare(&mut self) {
        self.checks = None;
    }

    /// It becomes ready by a check, and may listen now.
    pub(super) fn begin_checks(&mut self, now: Uptime) {
        if let Some(pace) = self.pace {
            self.checks.get_or_insert_with(|| Checks::begin(now, pace, Season::Starting));
        }
    }

    /// The worker is ready: from now on it counts what it does.
    pub(super) fn arm(&mut self, now: Uptime, spawned: Uptime) {
        self.watchdog.rearm(now);
        self.pulse.beat(now);
        if let Some(pace) = self.pace {
            self.checks.get_or_insert_with(|| Checks::new(spawned, pace, now.after(pace.interval)));
        }
    }

    /// When [`Vitals::next_sign`] has something to say.
    pub(super) fn due(&self, season: Season) -> Option<Uptime> {
        let checks = self.checks.as_ref().map(Checks::due);
        let life = match season {
            Season::Starting => [None, None],
            Season::Serving => [self.watchdog.due(), self.pulse.due()],
        };
        life.into_iter().chain([checks]).flatten().min()
    }

    /// What is due. To be asked until there is nothing more.
    pub(super) fn next_sign(&mut self, now: Uptime, season: Season) -> Option<Sign> {
        if season == Season::Serving {
            if let Some(since) = self.watchdog.take_missed(now) {
                return Some(Sign::Stalled(Stall::Watchdog, since));
            }
            match self.pulse.feel(now) {
                Some(Feel::Ask) => return Some(Sign::Ping),
                Some(Feel::Missed(since)) => return Some(Sign::Stalled(Stall::EventLoop, since)),
                None => {}
            }
        }
        match self.checks.as_mut()?.pass(now)? {
            Due::Ask => Some(Sign::Ask),
            Due::TimedOut => Some(Sign::TimedOut),
        }
    }

    /// Whether a worker that wants to be replaced is.
    pub(super) fn heeds_trigger(&self) -> bool {
        self.watchdog.is_on() || self.patience.is_some()
    }

    /// It has stalled. The first cause counts, unless the new one is more urgent.
    pub(super) fn stall(&mut self, now: Uptime, cause: Stall, since: Uptime) {
        let due = match cause {
            Stall::Watchdog | Stall::Trigger | Stall::EventLoop | Stall::Memory | Stall::Pressure => {
                Some(now)
            }
            Stall::Check => self.patience.map(|patience| since.after(patience).max(now)),
        };
        let soonest = |due: Option<Uptime>| due.map_or(Duration::MAX, |due| due.0);
        if self.stalled.is_none_or(|before| soonest(due) < soonest(before.due)) {
            self.stalled = Some(Stalled { cause, since, due });
        }
    }

    /// Whether it does not do its work.
    pub(super) fn fails(&self) -> bool {
        self.stalled.is_some_and(|stalled| !matches!(stalled.cause, Stall::Memory | Stall::Pressure))
    }

    /// It does its work again, as far as this cause can tell.
    pub(super) fn recover(&mut self, cause: Stall) {
        self.stalled.take_if(|stalled| stalled.cause == cause);
    }
}

/// How often workers of one instance have stalled in a row, and how long that makes us wait before the next replacement:
/// where each worker stalls, replacing them is no remedy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Patience {
    row: u32,
    not_before: Option<Uptime>,
    told: bool,
}

impl Patience {
    const FIRST: Duration = Duration::from_secs(10);
    const CAP: Duration = Duration::from_secs(600);
    /// A worker that did its work for so long before it stalled is the first of a new row.
    const WELL: Duration = Duration::from_secs(60);

    /// When the next replacement may begin.
    pub(super) fn not_before(&self) -> Uptime {
        self.not_before.unwrap_or_default()
    }

    /// A replacement begins, of a worker that did its work for `well`.
    pub(super) fn spend(&mut self, now: Uptime, well: Duration) {
        self.row = if well >= Self::WELL { 1 } else { self.row.saturating_add(1) };
        self.wait(now);
        self.told = false;
    }

    /// The replacement came to nothing. Says how long it is before the next, for that to be told.
    pub(super) fn wait(&mut self, now: Uptime) -> Duration {
        let factor = 1_u32.checked_shl(self.row.saturating_sub(1)).unwrap_or(u32::MAX);
        let delay = Self::FIRST.saturating_mul(factor).min(Self::CAP);
        self.not_before = Some(now.after(delay));
        self.told = true;
        delay
    }

    /// The replacement was overtaken by something else.
    pub(super) fn forgo(&mut self) {
        self.not_before = None;
    }

    /// So many replacements in a row, and how long the next has to wait; `None` if that was told.
    pub(super) fn tell(&mut self, now: Uptime) -> Option<(u32, Duration)> {
        (!std::mem::replace(&mut self.told, true)).then(|| (self.row, self.not_before().since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Uptime {
        Uptime(Duration::from_secs(secs))
    }

    #[test]
    fn the_wait_between_replacements_doubles_up_to_ten_minutes_and_a_minute_of_work_ends_the_row() {
        let mut patience = Patience::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            patience.spend(at(0), Duration::from_secs(59));
            waits.push(patience.not_before().0.as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(patience.tell(at(100)), Some((8, Duration::from_secs(500))));
        assert_eq!(patience.tell(at(100)), None);
        patience.spend(at(0), Duration::from_secs(60));
        assert_eq!(patience.not_before(), at(10));
    }

    #[test]
    fn the_more_urgent_stall_counts() {
        let policy = HealthPolicy { kill_stalled: Some(Duration::from_secs(30)), ..HealthPolicy::default() };
        let mut vitals = Vitals::new(at(0), &policy, ReadySign::Listening).unwrap();
        vitals.stall(at(10), Stall::Check, at(5));
        assert_eq!(vitals.stalled.unwrap().due, Some(at(35)));
        vitals.stall(at(11), Stall::Trigger, at(11));
        vitals.stall(at(12), Stall::Check, at(5));
        assert_eq!(
            vitals.stalled.unwrap(),
            Stalled { cause: Stall::Trigger, since: at(11), due: Some(at(11)) }
        );
        vitals.recover(Stall::Check);
        assert!(vitals.stalled.is_some());
    }

    #[test]
    fn a_worker_of_which_nothing_is_watched_has_none() {
        assert!(Vitals::new(at(0), &HealthPolicy::default(), ReadySign::Said).is_none());
    }
}
