//! How it is watched whether workers still do their work.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is watched, and what follows. By default nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPolicy {
    /// How long a worker that has begun to send `WATCHDOG=1` may be silent before it is replaced.
    pub watchdog: Option<Duration>,
    pub check: Option<HealthCheck>,
    /// How long a worker may stall before it is replaced.
    pub kill_stalled: Option<Duration>,
    /// How many bytes of memory a worker, with all that descends from it, may have before it is replaced.
    #[serde(default)]
    pub max_memory: Option<u64>,
    /// Whether a worker gives way where the memory of all workers together runs short.
    #[serde(default)]
    pub memory_guard: MemoryGuard,
    /// Whether workers can be asked if their event loop turns.
    pub event_loop: EventLoop,
}

/// Whether workers are replaced where the memory of all of them together runs short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryGuard {
    #[default]
    On,
    Off,
}

/// Whether a worker answers by itself, without the app, when it is asked over its channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventLoop {
    #[default]
    Unknown,
    Answers,
}

/// What is asked, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub probe: Probe,
    pub pace: CheckPace,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A request for `path`: an answer with a status from 200 to 399 is a healthy one.
    Http { to: Peer, path: String },
    /// A connection that is taken.
    Tcp(Peer),
    /// A shell command, run for each worker: 0 is healthy.
    Command(String),
}

impl Probe {
    /// Whether it asks each worker, and not just whoever takes the connection.
    #[must_use]
    pub fn is_per_worker(&self) -> bool {
        matches!(self, Self::Command(_))
    }
}

/// Whom a check connects to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// This machine, where `None`.
    pub host: Option<String>,
    /// The app's own, where `None`.
    pub port: Option<u16>,
}

/// When to ask, and what the answers add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPace {
    /// From the end of one check to the next.
    pub interval: Duration,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// So many failures in a row are unhealthy.
    pub retries: u32,
    /// Failures do not count for so long after the start, unless a check has succeeded before.
    pub start_period: Duration,
}
