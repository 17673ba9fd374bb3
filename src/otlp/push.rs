//! Looks at the figures from time to time, and pushes them.
//!
//! Only one push is under way at a time, and only what it says is kept. While it fails it is tried again until the next one is
//! due, which says the same and more.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::config::{Config, Encoding};
use super::export::Export;
use super::look::Look;
use super::retry::{Say, Voice};
use super::send::send;
use super::starts::Starts;
use super::{json, protobuf};
use crate::api::types::EventView;
use crate::control::feed::closed;
use crate::driver::handle::Handle;
use crate::metrics::families::Figures;
use crate::telemetry::Telemetry;

/// What pushing takes beside what to push where.
#[derive(Debug)]
pub struct Wiring {
    pub handle: Handle,
    /// Events from the first on.
    pub events: broadcast::Receiver<Arc<EventView>>,
    /// Figures over time, where they are kept.
    pub telemetry: Telemetry,
    /// Shared with who hands it over in an update.
    pub starts: Rc<RefCell<Starts>>,
}

/// The pushes of a runtime. When it is dropped they end at once.
#[derive(Debug)]
pub struct Pusher {
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pusher {
    /// Begins to push. To be called within a `LocalSet`.
    #[must_use]
    pub fn start(config: Config, wiring: Wiring) -> Self {
        let (closing, closed) = watch::channel(false);
        let push = Push {
            config,
            look: Look::new(wiring.handle, wiring.telemetry),
            starts: wiring.starts,
            voice: Voice::default(),
            closing: closed,
        };
        Self { closing, task: tokio::task::spawn_local(push.run(wiring.events)) }
    }

    /// Ends, and waits no longer than `limit` for a push that is under way.
    pub async fn finish(mut self, limit: Duration) {
        // Fails only where the task is gone already.
        let _gone = self.closing.send(true);
        let _in_time = tokio::time::timeout(limit, &mut self.task).await;
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Push {
    config: Config,
    look: Look,
    starts: Rc<RefCell<Starts>>,
    voice: Voice,
    closing: watch::Receiver<bool>,
}

impl Push {
    async fn run(mut self, mut events: broadcast::Receiver<Arc<EventView>>) {
        let mut ticks = interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once.
        ticks.tick().await;
        let mut closing = self.closing.clone();
        loop {
            // Every branch is cancel-safe.
            tokio::select! {
                () = closed(&mut closing) => break,
                _due = ticks.tick() => {}
                // Most of what there is to tell will soon be gone.
                () = stopping(&mut events) => {}
            }
            if let Some(body) = self.take().await {
                self.deliver(body).await;
            }
        }
        // All workers have ended, so this is what they have done in all.
        if let Some(body) = self.look.last(|figures| written(&self.config, &self.starts, figures)) {
            self.deliver(body.into()).await;
        }
    }

    /// What there is to tell; `None` where the runtime has ended.
    async fn take(&mut self) -> Option<Bytes> {
        let (config, starts) = (&self.config, &self.starts);
        self.look.take(|figures| written(config, starts, figures)).await.ok().map(Bytes::from)
    }

    async fn deliver(&mut self, body: Bytes) {
        let (mut tries, mut waited) = (0, Duration::ZERO);
        loop {
            let outcome = send(&self.config, body.clone()).await;
            match self.voice.hear(&outcome) {
                Some(Say::Fails(why)) => {
                    tracing::warn!("figures cannot be pushed to {}: {why}", self.config.endpoint);
                }
                Some(Say::Works) => tracing::info!("figures are pushed to {} again", self.config.endpoint),
                None => {}
            }
            if !outcome.may_pass() {
                return;
            }
            tries += 1;
            let pause = outcome.pause(tries, chance());
            tokio::select! {
                () = closed(&mut self.closing) => return,
                () = sleep(pause) => waited += pause,
            }
            if waited >= self.config.interval {
                return;
            }
        }
    }
}

fn written(config: &Config, starts: &RefCell<Starts>, figures: &Figures<'_>) -> Vec<u8> {
    let export = Export::of(&config.resource, figures, &mut starts.borrow_mut());
    match config.encoding {
        Encoding::Protobuf => protobuf::encode(&export),
        Encoding::Json => json::encode(&export),
    }
}

/// Waits until the runtime begins to end.
async fn stopping(events: &mut broadcast::Receiver<Arc<EventView>>) {
    loop {
        match events.recv().await {
            Ok(event) if event.kind == "stopping" => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// From 0 to 1, another one each time. No secret.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u16::from_le_bytes([random.to_le_bytes()[0], random.to_le_bytes()[1]])) / f64::from(u16::MAX)
}
