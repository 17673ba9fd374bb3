//! Health checks of one subject, the whole app or one worker: when to ask, and what the answers add up to.
//!
//! ```text
//!   Due --time--> Asked --answer, or the timeout--> Due ...
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Uptime;
use super::watchdog::{Passed, passed};
use crate::spec::{CheckPace, WorkerId};

/// While somebody waits to become ready by a check, it is made more often.
const STARTING_INTERVAL: Duration = Duration::from_millis(500);

/// What is told of a failure is for people, and kept for each worker.
const LONGEST_REASON: usize = 200;

/// Who is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// Whoever takes the connection.
    App,
    Worker(WorkerId),
}

/// What the checks say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// None has been made yet, or too few have failed.
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// Whether failures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Season {
    /// A worker is starting and becomes ready by a success.
    Starting,
    Serving,
}

/// The checks of one subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Checks {
    pace: CheckPace,
    begun: Uptime,
    stage: Stage,
    health: Health,
    /// Failures in a row, and when the first of them was asked for.
    failures: u32,
    failing_since: Option<Uptime>,
    /// When the successes began.
    well_since: Option<Uptime>,
    last_failure: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Stage {
    Due(Uptime),
    Asked(Uptime),
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ask,
    /// The answer has not come in time.
    TimedOut,
}

/// What an answer has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Unhealthy now; failing since then.
    Fell(Uptime),
    Recovered,
}

impl Checks {
    /// The first is due at `first`.
    pub(super) fn new(now: Uptime, pace: CheckPace, first: Uptime) -> Self {
        Self {
            pace,
            begun: now,
            stage: Stage::Due(first),
            health: Health::Unknown,
            failures: 0,
            failing_since: None,
            well_since: None,
            last_failure: None,
        }
    }

    /// For one that becomes ready by them, or that serves.
    pub(super) fn begin(now: Uptime, pace: CheckPace, season: Season) -> Self {
        Self::new(now, pace, now.after(interval(pace, season)))
    }

    pub(super) fn pace(&self) -> CheckPace {
        self.pace
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Why the last failure was one.
    pub(super) fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// When the successes before the present failures began.
    pub(super) fn well_since(&self) -> Option<Uptime> {
        self.well_since
    }

    /// When the check that is under way was asked for.
    pub(super) fn asked(&self) -> Option<Uptime> {
        match self.stage {
            Stage::Asked(at) => Some(at),
            Stage::Due(_) => None,
        }
    }

    pub(super) fn due(&self) -> Uptime {
        match self.stage {
            Stage::Due(at) => at,
            Stage::Asked(at) => at.after(self.pace.timeout),
        }
    }

    /// Has the next one made soon, unless one is under way: now, or where somebody waits for it, after a short while.
    pub(super) fn hasten(&mut self, now: Uptime, season: Season) {
        let soon = match season {
            Season::Starting => now.after(interval(self.pace, season)),
            Season::Serving => now,
        };
        if let Stage::Due(at) = &mut self.stage {
            *at = soon.min(*at);
        }
    }

    /// What was asked will not be answered: it is asked again.
    pub(super) fn ask_again(&mut self, now: Uptime) {
        if matches!(self.stage, Stage::Asked(_)) {
            self.stage = Stage::Due(now);
        }
    }

    /// What is due now. The caller ends a check that has timed out, and says so by [`Checks::take`].
    pub(super) fn pass(&mut self, now: Uptime) -> Option<Due> {
        match (self.stage, passed(now, self.due())) {
            (_, Passed::NotYet) => None,
            (Stage::Due(_), _) => {
                self.stage = Stage::Asked(now);
                Some(Due::Ask)
            }
            // The answer may have come while we were away.
            (Stage::Asked(_), Passed::Unseen) => {
                self.stage = Stage::Asked(now);
                None
            }
            (Stage::Asked(_), Passed::Missed) => Some(Due::TimedOut),
        }
    }

    /// Takes in an answer. One that was not asked for is passed over.
    pub(super) fn take(&mut self, now: Uptime, result: Result<(), String>, season: Season) -> Change {
        let Stage::Asked(asked) = self.stage else { return Change::None };
        self.stage = Stage::Due(now.after(interval(self.pace, season)));
        match result {
            Ok(()) => self.succeed(now),
            Err(reason) => self.fail(asked, reason, season),
        }
    }

    fn succeed(&mut self, now: Uptime) -> Change {
        let before = std::mem::replace(&mut self.health, Health::Healthy);
        self.failures = 0;
        self.failing_since = None;
        self.well_since = if before == Health::Healthy { self.well_since } else { Some(now) };
        if before == Health::Unhealthy { Change::Recovered } else { Change::None }
    }

    fn fail(&mut self, asked: Uptime, reason: String, season: Season) -> Change {
        self.last_failure = Some(reason.chars().take(LONGEST_REASON).collect());
        let grace = self.well_since.is_none() && asked < self.begun.after(self.pace.start_period);
        if season == Season::Starting || grace {
            return Change::None;
        }
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(asked);
        if self.failures < self.pace.retries || self.health == Health::Unhealthy {
            return Change::None;
        }
        self.health = Health::Unhealthy;
        Change::Fell(since)
    }
}

fn interval(pace: CheckPace, season: Season) -> Duration {
    match season {
        Season::Starting => pace.interval.min(STARTING_INTERVAL),
        Season::Serving => pace.interval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Uptime {
        Uptime(Duration::from_secs(secs))
    }

    fn pace() -> CheckPace {
        let secs = Duration::from_secs;
        CheckPace { interval: secs(10), timeout: secs(5), retries: 3, start_period: secs(30) }
    }

    /// One check at `secs`, answered at once.
    fn check(checks: &mut Checks, secs: u64, result: Result<(), &str>) -> Change {
        checks.hasten(at(secs), Season::Serving);
        assert_eq!(checks.pass(at(secs)), Some(Due::Ask));
        checks.take(at(secs), result.map_err(str::to_owned), Season::Serving)
    }

    fn serving() -> Checks {
        Checks::begin(at(0), pace(), Season::Serving)
    }

    #[test]
    fn the_next_check_comes_an_interval_after_the_last_has_ended() {
        let mut checks = serving();
        assert_eq!((checks.due(), checks.pass(at(9)), checks.pass(at(10))), (at(10), None, Some(Due::Ask)));
        assert_eq!(checks.due(), at(15));
        checks.take(at(12), Ok(()), Season::Serving);
        assert_eq!((checks.due(), checks.health()), (at(22), Health::Healthy));
    }

    #[test]
    fn so_many_failures_in_a_row_are_unhealthy_and_a_success_is_healthy_again() {
        let mut checks = serving();
        check(&mut checks, 31, Err("a"));
        check(&mut checks, 32, Ok(()));
        check(&mut checks, 40, Err("b"));
        check(&mut checks, 50, Err("c"));
        assert_eq!(checks.health(), Health::Healthy);
        assert_eq!(check(&mut checks, 60, Err("d")), Change::Fell(at(40)));
        assert_eq!(check(&mut checks, 70, Err("e")), Change::None);
        assert_eq!((checks.failures(), checks.last_failure()), (4, Some("e")));
        assert_eq!((check(&mut checks, 80, Ok(())), checks.failures()), (Change::Recovered, 0));
        assert_eq!(checks.well_since(), Some(at(80)));
    }

    #[test]
    fn failures_in_the_start_period_do_not_count_unless_a_check_has_succeeded_before() {
        let mut checks = serving();
        for secs in [1, 2, 3, 4] {
            check(&mut checks, secs, Err("not yet"));
        }
        assert_eq!(checks.failures(), 0);
        check(&mut checks, 5, Ok(()));
        check(&mut checks, 6, Err("down"));
        assert_eq!(checks.failures(), 1);
    }

    #[test]
    fn a_check_that_takes_too_long_is_ended_and_one_that_we_slept_over_is_not() {
        let mut checks = serving();
        checks.pass(at(10));
        assert_eq!(checks.pass(at(60)), None);
        assert_eq!(checks.pass(at(65)), Some(Due::TimedOut));
    }

    #[test]
    fn an_answer_to_nothing_is_passed_over_and_what_was_lost_is_asked_again() {
        let mut checks = serving();
        assert_eq!(checks.take(at(1), Err("stale".to_owned()), Season::Serving), Change::None);
        assert_eq!(checks.last_failure(), None);
        checks.pass(at(10));
        checks.ask_again(at(11));
        assert_eq!(checks.pass(at(11)), Some(Due::Ask));
    }

    #[test]
    fn one_who_becomes_ready_by_a_check_is_asked_often_and_its_failures_do_not_count() {
        let mut checks = Checks::begin(at(0), pace(), Season::Starting);
        assert_eq!(checks.due(), Uptime(STARTING_INTERVAL));
        checks.pass(at(40));
        checks.take(at(40), Err("x".repeat(999)), Season::Starting);
        assert_eq!((checks.failures(), checks.due()), (0, at(40).after(STARTING_INTERVAL)));
        assert_eq!(checks.last_failure().map(str::len), Some(LONGEST_REASON));
    }
}
