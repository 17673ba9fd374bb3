//! The one place of the logs that reads the wall clock.

use std::time::SystemTime;

/// The time of day, for a line that is about to be written.
#[expect(
    clippy::disallowed_methods,
    reason = "log lines carry the wall clock's time; nothing is decided by it"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
