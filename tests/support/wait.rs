//! Waiting for a condition, with a deadline. The only place of the tests that sleeps.

use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails. Generous: the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The pause between two looks at something that cannot wake us (a file in /proc, a port).
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `probe` until it answers `Some`, or until `deadline` has passed.
pub(crate) fn within<T>(deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Asks `probe` until it answers `Some`; fails the test with `what` when that takes too long.
#[track_caller]
pub(crate) fn until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, probe).unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain for {what}"))
}

/// Asks `probe` without any pause until it answers `true`: for moments that a pause would miss.
#[track_caller]
pub(crate) fn spin_until(what: &str, mut probe: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !probe() {
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain for {what}");
        std::thread::yield_now();
    }
}

/// Lets a little time pass between two actions of a test whose moment shall vary. Never used to wait for something.
pub(crate) fn vary(moment: Duration) {
    std::thread::sleep(moment);
}
