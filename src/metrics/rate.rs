//! How much CPU time a tree took between two samples. Pure.
//!
//! Processes come and go in between. They are matched by pid *and* start time, so a pid that was used again is a new
//! process. One that has ended leaves its time to the parent that waited for it; of this, what an earlier sample has
//! counted already is taken off again. Where nobody waited, the last of its time is lost. Nothing is ever negative.

use std::collections::HashMap;

use super::proc::{Stat, Ticks};
use crate::process::Pid;

/// Below this, a step of the kernel's clock (10 ms) would be more than 4 % of a CPU.
const MIN_INTERVAL: Ticks = Ticks(25);

/// An average over more than this says little of now.
const MAX_INTERVAL: Ticks = Ticks(60 * 100);

/// A process for good: no other has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    pid: Pid,
    started: Ticks,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    own: Ticks,
    children: Ticks,
}

/// The CPU times of a tree at one moment.
#[derive(Debug)]
pub(super) struct Reading {
    /// Since boot.
    at: Ticks,
    times: HashMap<Identity, Times>,
}

impl Reading {
    pub(super) fn new(at: Ticks, tree: impl IntoIterator<Item = (Pid, Stat)>) -> Self {
        let times = |(pid, stat): (Pid, Stat)| {
            (Identity { pid, started: stat.started }, Times { own: stat.own, children: stat.children })
        };
        Self { at, times: tree.into_iter().map(times).collect() }
    }

    /// The CPU time that was used from `before` until this.
    fn used_since(&self, before: &Self) -> Ticks {
        let (mut used, mut from_ended) = (Ticks(0), Ticks(0));
        for (process, now) in &self.times {
            let base = match before.times.get(process) {
                Some(then) => *then,
                None if process.started >= before.at => Times { own: Ticks(0), children: Ticks(0) },
                // It is older, but was not seen: no telling when it used what it has used.
                None => *now,
            };
            used = used.plus(now.own.since(base.own));
            from_ended = from_ended.plus(now.children.since(base.children));
        }
        let ended = before.times.iter().filter(|(process, _)| !self.times.contains_key(process));
        let counted = ended.fold(Ticks(0), |sum, (_, times)| sum.plus(times.own).plus(times.children));
        used.plus(from_ended.since(counted))
    }
}

/// What is remembered of one tree.
#[derive(Debug)]
pub(super) struct History {
    base: Reading,
    percent: Option<f64>,
}

impl History {
    pub(super) fn new(first: Reading) -> Self {
        Self { base: first, percent: None }
    }

    /// Takes a new reading in. Gives percent of one CPU. Soon after another reading this is the former answer, so that
    /// several who ask do not spoil each other's.
    pub(super) fn update(&mut self, reading: Reading) -> Option<f64> {
        let elapsed = reading.at.since(self.base.at);
        if elapsed >= MIN_INTERVAL {
            let used = reading.used_since(&self.base);
            let recent = elapsed <= MAX_INTERVAL;
            self.percent =
                recent.then(|| used.duration().as_secs_f64() / elapsed.duration().as_secs_f64() * 100.0);
            self.base = reading;
        }
        self.percent
    }

    /// Whether it is too old to be of use at `now`.
    pub(super) fn is_stale(&self, now: Ticks) -> bool {
        now.since(self.base.at) > MAX_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::proc::Life;
    use super::*;

    /// A reading at `at` of processes `(pid, started, own, children)`.
    fn reading(at: u64, list: &[(i32, u64, u64, u64)]) -> Reading {
        let process = |&(pid, started, own, children): &(i32, u64, u64, u64)| {
            let (own, children, started) = (Ticks(own), Ticks(children), Ticks(started));
            (Pid::new(pid), Stat { parent: None, life: Life::Runs, own, children, threads: 1, started })
        };
        Reading::new(Ticks(at), list.iter().map(process))
    }

    #[track_caller]
    fn assert_used(before: &[(i32, u64, u64, u64)], after: &[(i32, u64, u64, u64)], expected: u64) {
        assert_eq!(reading(200, after).used_since(&reading(100, before)), Ticks(expected));
    }

    #[test]
    fn the_time_of_all_that_stay_is_added_up() {
        assert_used(&[(1, 5, 10, 0), (2, 6, 20, 0)], &[(1, 5, 40, 0), (2, 6, 25, 0)], 35);
    }

    #[test]
    fn a_new_process_counts_in_whole_and_an_old_one_that_was_not_seen_not_at_all() {
        assert_used(&[(1, 5, 10, 0)], &[(1, 5, 10, 0), (2, 150, 30, 4)], 34);
        assert_used(&[(1, 5, 10, 0)], &[(1, 5, 10, 0), (2, 50, 3000, 400)], 0);
    }

    #[test]
    fn a_pid_that_was_used_again_is_a_new_process() {
        assert_used(&[(1, 5, 10, 0), (2, 6, 9000, 0)], &[(1, 5, 10, 0), (2, 150, 7, 0)], 7);
    }

    #[test]
    fn of_a_child_that_has_ended_only_the_rest_counts() {
        assert_used(&[(1, 5, 10, 0), (2, 6, 500, 20)], &[(1, 5, 10, 530)], 10);
    }

    #[test]
    fn a_child_that_came_and_went_counts() {
        assert_used(&[(1, 5, 10, 3)], &[(1, 5, 11, 33)], 31);
    }

    #[test]
    fn a_child_that_nobody_waited_for_takes_nothing_off_the_others() {
        assert_used(&[(1, 5, 10, 0), (2, 6, 500, 0)], &[(1, 5, 40, 0)], 30);
    }

    #[test]
    fn a_clock_that_falls_back_gives_nothing() {
        assert_used(&[(1, 5, 10, 10)], &[(1, 5, 9, 8)], 0);
    }

    #[test]
    fn a_percentage_needs_a_second_reading_and_is_kept_for_those_who_ask_soon() {
        let mut history = History::new(reading(100, &[(1, 5, 0, 0)]));
        assert_eq!(history.update(reading(110, &[(1, 5, 10, 0)])), None);
        assert_eq!(history.update(reading(200, &[(1, 5, 50, 0)])), Some(50.0));
        assert_eq!(history.update(reading(201, &[(1, 5, 51, 0)])), Some(50.0));
        assert_eq!(history.update(reading(150, &[(1, 5, 51, 0)])), Some(50.0));
        assert_eq!(history.update(reading(300, &[(1, 5, 200, 0)])), Some(150.0));
    }

    #[test]
    fn an_average_over_more_than_a_minute_is_not_given() {
        let mut history = History::new(reading(100, &[(1, 5, 0, 0)]));
        assert!(!history.is_stale(Ticks(6100)) && history.is_stale(Ticks(6101)));
        assert_eq!(history.update(reading(6101, &[(1, 5, 60, 0)])), None);
        assert_eq!(history.update(reading(6201, &[(1, 5, 85, 0)])), Some(25.0));
    }

    proptest! {
        #[test]
        fn a_percentage_is_never_negative_or_no_number(
            readings in prop::collection::vec((0..9000_u64, prop::collection::vec((1..5_i32, 0..3_u64, any::<u64>(), any::<u64>()), 0..6)), 2..6),
        ) {
            let mut readings = readings.iter().map(|(at, list)| reading(*at, list));
            let mut history = History::new(readings.next().unwrap());
            for reading in readings {
                if let Some(percent) = history.update(reading) {
                    prop_assert!(percent.is_finite() && percent >= 0.0);
                }
            }
        }
    }
}
