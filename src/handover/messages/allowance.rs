//! How much of what a worker tells is passed on: so many at once, then so many a second. Pure; time is made up.

use std::time::Duration;

/// As many at once, after a silence.
const AT_ONCE: u32 = 50;
/// After which one more is passed on.
const EVERY: Duration = Duration::from_millis(200);

/// What a worker may still tell.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    /// Up to when it was made up for.
    since: Duration,
    missed: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: AT_ONCE, since: Duration::ZERO, missed: 0 }
    }
}

impl Allowance {
    /// Whether something is passed on at `now`, and how many before it were not.
    pub fn spend(&mut self, now: Duration) -> Option<u64> {
        let more = now.saturating_sub(self.since).as_millis() / EVERY.as_millis();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(AT_ONCE);
        self.since = if self.left == AT_ONCE { now } else { self.since + EVERY * more };
        if self.left == 0 {
            self.missed = self.missed.saturating_add(1);
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.missed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_thinned_out_and_what_is_left_out_is_counted() {
        let mut allowance = Allowance::default();
        let start = Duration::from_secs(1000);
        let passed = (0..1000).filter(|_| allowance.spend(start).is_some()).count();
        assert_eq!(passed, 50);
        assert_eq!(allowance.spend(start + EVERY - Duration::from_millis(1)), None);
        assert_eq!(allowance.spend(start + EVERY), Some(951));
        assert_eq!(allowance.spend(start + EVERY), None);
    }

    #[test]
    fn a_steady_trickle_passes() {
        let mut allowance = Allowance::default();
        assert!((0..10_000).all(|step| allowance.spend(EVERY * step) == Some(0)));
    }

    #[test]
    fn any_time_may_pass() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.spend(Duration::MAX), Some(0));
        assert_eq!(allowance.spend(Duration::ZERO), Some(0));
    }
}
