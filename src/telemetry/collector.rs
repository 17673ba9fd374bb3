//! Looks at all workers once a second, and keeps what it finds. It runs only where somebody wants that.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::kept::Telemetry;
use super::look::Looker;
use crate::driver::clock::epoch_ms;
use crate::driver::handle::Handle;
use crate::sys::pages::give_back_code;

/// When in each second: not at its very beginning, so that a clock that is corrected does not make two looks in one second.
const AT_MS: u64 = 20;

/// The collector. It ends when this is dropped.
#[derive(Debug)]
pub struct Collector {
    task: JoinHandle<()>,
    telemetry: Telemetry,
}

impl Collector {
    /// Begins to collect. To be called within a `LocalSet`.
    #[must_use]
    pub fn start(handle: Handle, telemetry: Telemetry) -> Self {
        telemetry.set_kept(true);
        Self { task: tokio::task::spawn_local(collect(handle, telemetry.clone())), telemetry }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
        self.telemetry.set_kept(false);
    }
}

async fn collect(handle: Handle, telemetry: Telemetry) {
    let mut looker = Looker::new(handle);
    loop {
        sleep(until_next(epoch_ms())).await;
        match looker.look().await {
            Ok(look) => telemetry.keep(look),
            Err(_ended) => return,
        }
        // A look keeps the driver from its own rest, and touches code all over the executable. To have it come back the next
        // time takes a fraction of a millisecond.
        give_back_code();
    }
}

/// From `now_ms` to the next look. Where one takes longer than a second, those that it misses are gaps.
fn until_next(now_ms: u64) -> Duration {
    let gone = (now_ms % 1000 + 1000 - AT_MS) % 1000;
    Duration::from_millis(1000 - gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_look_a_second() {
        for (now, wait) in [(5000, 20), (5019, 1), (5020, 1000), (5021, 999), (5999, 21)] {
            assert_eq!(until_next(now), Duration::from_millis(wait), "{now}");
        }
    }
}
