//! CPU time of instances, over all workers that they have had: a counter that a new worker does not set back. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// An app's number, and that of an instance of it.
pub type Place = (u32, u32);

/// What is known of each instance. What a worker uses between the last look and its end is not.
#[derive(Debug, Default)]
pub struct CpuTotals(BTreeMap<Place, Total>);

#[derive(Debug, Clone, Copy)]
struct Total {
    pid: i32,
    /// Of the workers before.
    before: Duration,
    /// Of this one.
    now: Duration,
}

impl CpuTotals {
    /// Notes what the worker `pid` of an instance has used since its start.
    pub fn note(&mut self, place: Place, pid: i32, used: Duration) {
        let total = self.0.entry(place).or_insert(Total { pid, before: Duration::ZERO, now: Duration::ZERO });
        if total.pid != pid {
            *total = Total { pid, before: total.before.saturating_add(total.now), now: Duration::ZERO };
        }
        // What a process used that has ended and was waited for by nobody is lost, and must not be taken back.
        total.now = total.now.max(used);
    }

    /// All that an instance has used, where that is known.
    #[must_use]
    pub fn of(&self, place: Place) -> Option<Duration> {
        self.0.get(&place).map(|total| total.before.saturating_add(total.now))
    }

    /// Forgets the instances that are gone.
    pub fn keep(&mut self, is_there: impl Fn(Place) -> bool) {
        self.0.retain(|place, _| is_there(*place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = (0, 1);

    fn seconds(totals: &CpuTotals) -> Option<u64> {
        totals.of(PLACE).map(|total| total.as_secs())
    }

    #[test]
    fn a_new_worker_adds_to_what_the_old_one_has_used() {
        let mut totals = CpuTotals::default();
        for (pid, used, all) in [(10, 5, 5), (10, 7, 7), (11, 1, 8), (11, 9, 16), (12, 0, 16)] {
            totals.note(PLACE, pid, Duration::from_secs(used));
            assert_eq!(seconds(&totals), Some(all), "{pid}: {used}");
        }
    }

    #[test]
    fn a_total_never_falls() {
        let mut totals = CpuTotals::default();
        totals.note(PLACE, 10, Duration::from_secs(5));
        totals.note(PLACE, 10, Duration::from_secs(3));
        assert_eq!(seconds(&totals), Some(5));
    }

    #[test]
    fn an_instance_that_is_gone_is_forgotten() {
        let mut totals = CpuTotals::default();
        totals.note(PLACE, 10, Duration::from_secs(5));
        totals.keep(|place| place == PLACE);
        assert_eq!(seconds(&totals), Some(5));
        totals.keep(|_| false);
        assert_eq!(seconds(&totals), None);
    }
}
