//! When a cron pattern comes next, by the time of day in our own time zone (TZ, else /etc/localtime).

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::app::App;
use super::clock;
use crate::supervisor::{Event, Scheduled};

/// After so long the clock is looked at again, whenever the pattern comes: the time of day may be set, and our timers stand still
/// while the machine is suspended.
const LONGEST: Duration = Duration::from_secs(3600);
/// A mark that lies further in the future was made by a clock that was wrong.
const FUTURE_MS: u64 = 3_600_000;

impl App {
    /// Answers the supervisor.
    pub(super) fn schedule(&mut self, pattern: &str, mark: Option<u64>) -> Event {
        let (found, now) =
            (find(pattern, mark, clock::epoch_ms(), &TimeZone::system()), self.shared.clock.now());
        let next = found.wait.map(|wait| now.after(wait.min(LONGEST)));
        let is_due = found.is_due && self.replan_for_reload();
        Event::Scheduled(Scheduled { mark: found.mark, is_due, next })
    }
}

/// What there is of a pattern at some moment.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    mark: u64,
    is_due: bool,
    wait: Option<Duration>,
}

/// Whether a time of the pattern lies between the mark and now, and how long it is to the next. All in milliseconds since the epoch.
fn find(pattern: &str, mark: Option<u64>, now: u64, zone: &TimeZone) -> Found {
    // The configuration was judged; an error here is one of none that match.
    let cron = Cron::from_str(pattern).ok();
    let next = |after: u64| cron.as_ref().and_then(|cron| next(cron, after, zone));
    let wait = |next: Option<u64>| next.map(|next| Duration::from_millis(next.saturating_sub(now)));
    let mark = mark.filter(|mark| *mark <= now.saturating_add(FUTURE_MS)).unwrap_or(now);
    match next(mark) {
        Some(time) if time <= now => Found { mark: now, is_due: true, wait: wait(next(now)) },
        later => Found { mark, is_due: false, wait: wait(later) },
    }
}

fn next(cron: &Cron, after: u64, zone: &TimeZone) -> Option<u64> {
    let after = Timestamp::from_millisecond(i64::try_from(after).ok()?).ok()?.to_zoned(zone.clone());
    let next = cron.find_next_occurrence(&after, false).ok()?;
    u64::try_from(next.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_millisecond()).unwrap()
    }

    fn found(pattern: &str, mark: Option<&str>, now: &str) -> (bool, Option<u64>) {
        let found = find(pattern, mark.map(at), at(now), &TimeZone::UTC);
        (found.is_due, found.wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn nothing_is_due_when_the_pattern_is_new() {
        assert_eq!(found("0 3 * * *", None, "2026-01-01T03:00:00Z"), (false, Some(86_400)));
        assert_eq!(found("*/2 * * * * *", None, "2026-01-01T00:00:01Z"), (false, Some(1)));
    }

    #[test]
    fn a_time_is_found_once() {
        let now = "2026-01-01T03:00:00.004Z";
        assert_eq!(found("0 3 * * *", Some("2026-01-01T02:00:00Z"), now), (true, Some(86_399)));
        assert!(!found("0 3 * * *", Some(now), "2026-01-01T03:00:00.100Z").0);
    }

    #[test]
    fn who_comes_too_early_waits_for_the_rest() {
        let found = find(
            "0 3 * * *",
            Some(at("2026-01-01T02:00:00Z")),
            at("2026-01-01T02:59:59.999Z"),
            &TimeZone::UTC,
        );
        assert_eq!((found.is_due, found.wait), (false, Some(Duration::from_millis(1))));
        assert_eq!(found.mark, at("2026-01-01T02:00:00Z"));
    }

    #[test]
    fn several_that_were_missed_are_made_up_for_by_one() {
        let missed = found("0 * * * *", Some("2026-01-01T02:30:00Z"), "2026-01-01T09:30:00Z");
        assert_eq!(missed, (true, Some(1800)));
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_finds_nothing_twice_and_one_that_was_wrong_is_forgotten() {
        let back = found("0 3 * * *", Some("2026-01-01T03:00:00.004Z"), "2026-01-01T02:59:58Z");
        assert_eq!(back, (false, Some(86_402)));
        let wrong = found("0 3 * * *", Some("2036-01-01T03:00:00Z"), "2026-01-01T02:00:00Z");
        assert_eq!(wrong, (false, Some(3600)));
    }

    #[test]
    fn the_time_of_day_is_that_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let found = find("0 3 * * *", None, at("2026-01-01T00:00:00Z"), &zone);
        assert_eq!(found.wait, Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_day_that_never_comes_is_not_waited_for() {
        assert_eq!(found("0 0 30 2 *", None, "2026-01-01T00:00:00Z"), (false, None));
    }
}
