//! The one place that looks at the clock.
#![expect(clippy::disallowed_methods, reason = "this is the door that time comes in through")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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

    pub(super) fn now(self) -> Uptime {
        Uptime(self.started.elapsed())
    }

    /// When `uptime` is, as the event loop's timers count.
    pub(super) fn at(self, uptime: Uptime) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + uptime.0)
    }
}

/// The time of day, in milliseconds since the epoch.
pub(super) fn epoch_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A number that differs from start to start, for jitter. No secret.
pub(super) fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() ^ u64::from(now.subsec_nanos()) << 20 ^ u64::from(std::process::id())
}
