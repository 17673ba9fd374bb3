//! The one place that looks at the clock.
#![expect(clippy::disallowed_methods, reason = "this is the door that time comes in through")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::supervisor::Uptime;

/// Time since the runtime started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The clock of the program before us in this process, which began at `started`.
    pub(super) fn resume(started: Duration) -> Self {
        let now = Instant::now();
        Self { started: now.checked_sub(monotonic().saturating_sub(started)).unwrap_or(now) }
    }

    /// When it began, by the kernel's clock since its boot. (What `Instant` counts from is not to be had.)
    pub(super) fn started(self) -> Duration {
        monotonic().saturating_sub(self.started.elapsed())
    }

    pub(super) fn now(self) -> Uptime {
        Uptime(self.started.elapsed())
    }

    /// When `uptime` is, as the event loop's timers count.
    pub(super) fn at(self, uptime: Uptime) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + uptime.0)
    }
}

fn monotonic() -> Duration {
    // It fails for clocks that the kernel does not know, and it knows this one.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// The CPU time that this thread has used.
pub(super) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The time of day, in milliseconds since the epoch.
pub(crate) fn epoch_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A number that differs from start to start, for jitter. No secret.
pub(super) fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() ^ u64::from(now.subsec_nanos()) << 20 ^ u64::from(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_handed_over_goes_on() {
        let first = Clock { started: Instant::now().checked_sub(Duration::from_secs(60)).unwrap() };
        let next = Clock::resume(first.started());
        let (before, after) = (first.now().0, next.now().0);
        assert!(after >= before.saturating_sub(Duration::from_millis(1)), "{before:?} {after:?}");
        assert!(after < before + Duration::from_secs(30), "{before:?} {after:?}");
    }
}
