//! How often the queues and connections may be looked at: as often as costs one part in 25 of a CPU. Pure.
//!
//! What is not spent is saved up to a limit, so that after a quiet time each connection can be followed by a look.

use std::time::Duration;

/// One in so many is for us.
const SHARE: u32 = 25;
/// Some four hundred looks on a quiet machine, fifty on one with tens of thousands of connections.
const MOST_SAVED: Duration = Duration::from_millis(100);
/// Two looks are at least this far apart.
const GAP: Duration = Duration::from_millis(1);

/// CPU time that may be spent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    saved: Duration,
    owed: Duration,
    /// When the last look was paid for.
    at: Duration,
    /// What it cost.
    last: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { saved: MOST_SAVED, owed: Duration::ZERO, at: Duration::ZERO, last: Duration::ZERO }
    }
}

impl Budget {
    /// Pays for a look that ended `now`.
    pub(super) fn pay(&mut self, now: Duration, cost: Duration) {
        let earned = now.saturating_sub(self.at) / SHARE + self.saved;
        let due = self.owed + cost;
        self.saved = earned.saturating_sub(due).min(MOST_SAVED);
        self.owed = due.saturating_sub(earned);
        self.at = now;
        self.last = cost;
    }

    /// When the next look may be.
    #[must_use]
    pub(super) fn next(&self) -> Duration {
        self.at + (self.owed * SHARE).max(GAP)
    }

    /// How far the look after this one will be away, should this one cost up to twice as much as the last.
    #[must_use]
    pub(super) fn reach(&self) -> Duration {
        ((self.last * 2).saturating_sub(self.saved) * SHARE).max(GAP)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn looks_after_a_quiet_time_follow_each_other_closely() {
        let mut budget = Budget::default();
        let second = Duration::from_secs(1);
        budget.pay(second, Duration::from_micros(300));
        assert_eq!(budget.next(), second + GAP);
    }

    #[test]
    fn what_is_spent_beyond_the_savings_is_waited_for() {
        let mut budget = Budget::default();
        budget.pay(Duration::ZERO, MOST_SAVED + Duration::from_micros(300));
        assert_eq!(budget.next(), Duration::from_micros(300) * SHARE);
    }

    proptest! {
        #[test]
        fn in_the_long_run_no_more_than_our_part_is_spent(costs in prop::collection::vec((0_u64..5000, 0_u64..100_000), 1..500)) {
            let (mut budget, mut now, mut spent) = (Budget::default(), Duration::ZERO, Duration::ZERO);
            for (cost, pause) in costs {
                now = now.max(budget.next()) + Duration::from_micros(pause);
                prop_assert!(spent <= now / SHARE + MOST_SAVED + Duration::from_micros(1));
                let cost = Duration::from_micros(cost);
                spent += cost;
                budget.pay(now, cost);
            }
        }
    }
}
