//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `condition` again and again until it holds; false when `limit` has passed first.
pub(crate) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test's deadline is on the real clock")]
    let now = Instant::now;
    let deadline = now() + limit;
    loop {
        if condition() {
            return true;
        }
        if now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
