//! Looks at all workers once a second, and has apps scaled as is decided. It runs only while there is an app with a range.
//!
//! Where the collector runs, its looks serve; else it looks itself, and others take its last look, as they take the collector's.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::decide::{Autoscaler, Step};
use super::figures::{Means, look};
use crate::api::types::AppView;
use crate::driver::clock::epoch_ms;
use crate::driver::handle::{Change, Ended, Handle};
use crate::driver::scaling::Scalable;
use crate::spec::AppId;
use crate::telemetry::{Looker, Telemetry};

/// When in each second: after the collector, which looks at the beginning and waits a quarter of a second at most for answers.
const AT_MS: u64 = 320;

/// Has apps follow their load. It ends when this is dropped.
#[derive(Debug)]
pub struct Follower {
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins. To be called within a `LocalSet`.
    #[must_use]
    pub fn start(handle: Handle, telemetry: Telemetry, scalable: Scalable) -> Self {
        Self { task: tokio::task::spawn_local(follow(handle, telemetry, scalable)) }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(handle: Handle, telemetry: Telemetry, mut scalable: Scalable) {
    let means = Means { cpus: scalable.cpus, memory_limit: scalable.memory_limit };
    let begun = sleep(Duration::ZERO).deadline();
    // Without a sender the driver has ended.
    while scalable.has_any.wait_for(|has_any| *has_any).await.is_ok() {
        let looker = Looker::new(handle.clone());
        let mut watch = Watch { telemetry: &telemetry, looker, seen_ms: 0, scalers: BTreeMap::new(), begun };
        telemetry.set_watched(true);
        while *scalable.has_any.borrow() {
            sleep(until_next(epoch_ms())).await;
            if watch.once(&handle, &means).await.is_err() {
                return;
            }
        }
        telemetry.set_watched(false);
    }
}

/// From `now_ms` to the next look.
fn until_next(now_ms: u64) -> Duration {
    let gone = (now_ms % 1000 + 1000 - AT_MS) % 1000;
    Duration::from_millis(1000 - gone)
}

struct Watch<'a> {
    telemetry: &'a Telemetry,
    looker: Looker,
    /// When the last look was.
    seen_ms: u64,
    scalers: BTreeMap<u32, Autoscaler>,
    begun: Instant,
}

impl Watch<'_> {
    async fn once(&mut self, handle: &Handle, means: &Means) -> Result<(), Ended> {
        if !self.telemetry.is_kept() {
            self.telemetry.watch(self.looker.look().await?);
        }
        let Some(latest) = self.telemetry.latest().filter(|latest| latest.at_ms != self.seen_ms) else {
            return Ok(());
        };
        self.seen_ms = latest.at_ms;
        for (app, Step { to, because }) in self.decide(&latest.apps, means) {
            let Some(to) = NonZeroU32::new(to) else { continue };
            handle.order(app, Change::Follow { to, because: because.to_string() }).await?;
        }
        Ok(())
    }

    fn decide(&mut self, apps: &[AppView], means: &Means) -> Vec<(AppId, Step)> {
        // Time as the kernel counts it: the clock of the day may be set.
        let now = sleep(Duration::ZERO).deadline().saturating_duration_since(self.begun);
        self.scalers.retain(|id, _| apps.iter().any(|app| app.app_id == *id && app.scaling.is_some()));
        let mut steps = Vec::new();
        for app in apps {
            let Some(seen) = look(app, apps, means) else { continue };
            let step = self.scalers.entry(app.app_id).or_default().look(now, &seen);
            steps.extend(step.map(|step| (AppId(app.app_id), step)));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_look_a_second_after_the_collectors() {
        for (now, wait) in [(5000, 320), (5319, 1), (5320, 1000), (5321, 999), (5999, 321)] {
            assert_eq!(until_next(now), Duration::from_millis(wait), "{now}");
        }
    }
}
