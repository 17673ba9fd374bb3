//! One instance: a numbered place of the app, and the worker that fills it.
//!
//! ```text
//!             a start slot is free      Spawned            the sign of readiness, or time
//!   Waiting ----------------> Spawning ---------> Starting ------------------------> Ready
//!      ^                         |                   |                                 |
//!      |        SpawnFailed      v       Exited      v              Exited             |
//!      +---- Backoff <-----------+-------------------+---------------------------------+
//!     time      |                |
//!               |                +--> Failed    too many unstable starts in a row
//!               |                +--> Stopped   an ended worker is not to be replaced
//!               +-------------------> Stopped   the app stops
//!
//!   an order to stop:    any ----> Held          an order to start it:  Held, Stopped, Failed ----> Waiting
//!   an order to restart: any ----> Restarting ----> Waiting             once its old worker is gone
//! ```
//!
//! A worker that is asked to end (the runtime stops, a reload or a scale-down) leaves its instance at once and is a
//! `Departure` from then on, which knows Stopping and Killing. During a reload a newcomer starts beside the instance's
//! worker; it belongs to the `Reload` until it is ready, and then takes the instance. A standby that is parked takes an
//! instance that is Waiting or in its Backoff at once: that is then Starting, for as long as a `listen` takes.

use serde::{Deserialize, Serialize};

use super::backoff::History;
use super::event::Uptime;
use super::readiness::{Expected, Watch};
use super::vitals::{Patience, Vitals};
use crate::process::{ExitReason, Pid};
use crate::spec::{Generation, InstanceId, WorkerId};

/// A place, and what has happened in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    state: State,
    /// When the state began.
    since: Uptime,
    /// That of the last worker that was ready here; the next worker is started in it.
    pub(super) generation: Generation,
    pub(super) history: History,
    /// Whether a worker was seen here that listens as wanted.
    pub(super) expected: Expected,
    /// How often a worker was started in the place of one that ended.
    pub(super) restarts: u32,
    pub(super) last_exit: Option<ExitReason>,
    #[serde(default)]
    pub(super) patience: Patience,
}

/// What an instance is doing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum State {
    /// It has no worker, and waits for a start slot.
    Waiting,
    /// A worker was asked for; the answer is the next thing to come.
    Spawning(Request),
    Starting(Watched),
    Ready(Watched),
    /// Its worker ended; the next one starts then.
    Backoff {
        until: Uptime,
    },
    /// It has no worker and gets none.
    Stopped,
    /// It has no worker, and gets one on order.
    Held,
    /// Its worker was asked to end; once that is gone, the next one starts.
    Restarting,
    /// Given up.
    Failed,
}

/// A worker that was asked for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) worker: WorkerId,
    pub(super) generation: Generation,
}

/// A worker that was spawned.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) pid: Pid,
    pub(super) generation: Generation,
    pub(super) spawned: Uptime,
    /// Where it was held: since when it is not, and as what it was started.
    #[serde(default)]
    pub(super) released: Option<Released>,
}

/// The end of a worker's being held.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Released {
    pub(super) at: Uptime,
    /// Its instance when it was started, or its number as a standby.
    pub(super) number: InstanceId,
}

impl Worker {
    /// Since when it may serve.
    pub(super) fn free_since(&self) -> Uptime {
        self.released.map_or(self.spawned, |released| released.at)
    }
}

/// A worker in its place, and what it has shown of its readiness and its health.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Watched {
    pub(super) worker: Worker,
    pub(super) watch: Watch,
    /// Where its health is watched.
    #[serde(default)]
    pub(super) vitals: Option<Box<Vitals>>,
    /// What it says that it will do.
    #[serde(default)]
    pub(super) intent: Intent,
}

/// Whether a worker goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Intent {
    #[default]
    Stays,
    /// `STOPPING=1`
    Ends,
}

impl Instance {
    /// A place that waits for its first worker.
    pub(super) fn new(now: Uptime, id: InstanceId, generation: Generation) -> Self {
        Self {
            id,
            state: State::Waiting,
            since: now,
            generation,
            history: History::default(),
            expected: Expected::Anything,
            restarts: 0,
            last_exit: None,
            patience: Patience::default(),
        }
    }

    /// What it is doing.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// When that began.
    pub(super) fn since(&self) -> Uptime {
        self.since
    }

    /// Puts it into another state, and hands out the one that it was in.
    pub(super) fn enter(&mut self, now: Uptime, state: State) -> State {
        self.since = now;
        std::mem::replace(&mut self.state, state)
    }

    /// Its worker, where there is one.
    pub(super) fn watched(&self) -> Option<&Watched> {
        match &self.state {
            State::Starting(watched) | State::Ready(watched) => Some(watched),
            State::Waiting
            | State::Spawning(_)
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }

    /// As [`Instance::watched`], to be changed.
    pub(super) fn watched_mut(&mut self) -> Option<&mut Watched> {
        match &mut self.state {
            State::Starting(watched) | State::Ready(watched) => Some(watched),
            State::Waiting
            | State::Spawning(_)
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }

    /// The worker that was asked for and is not there yet.
    pub(super) fn request(&self) -> Option<Request> {
        match self.state {
            State::Spawning(request) => Some(request),
            State::Waiting
            | State::Starting(_)
            | State::Ready(_)
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }

    /// The worker that is here or was asked for.
    pub(super) fn worker_id(&self) -> Option<WorkerId> {
        match &self.state {
            State::Spawning(request) => Some(request.worker),
            State::Starting(watched) | State::Ready(watched) => Some(watched.worker.id),
            State::Waiting
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }

    /// Whether its worker serves.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// Whether a worker is here or will come without our being asked.
    pub(super) fn is_active(&self) -> bool {
        match self.state {
            State::Waiting
            | State::Spawning(_)
            | State::Starting(_)
            | State::Ready(_)
            | State::Restarting
            | State::Backoff { .. } => true,
            State::Stopped | State::Held | State::Failed => false,
        }
    }

    /// Whether it takes up a start slot.
    pub(super) fn holds_slot(&self) -> bool {
        match &self.state {
            State::Spawning(_) => true,
            State::Starting(watched) => !watched.watch.is_late(),
            State::Waiting
            | State::Ready(_)
            | State::Backoff { .. }
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => false,
        }
    }
}
