//! What people and programs may order while the app runs, and what they are answered.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::action::CalledOff;
use crate::spec::{AppSpec, InstanceId, ReloadStrategy};

/// By which an order and its answer belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// Which instances are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    One(InstanceId),
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start what was stopped, has failed or is done.
    Start(Scope),
    /// Ask the workers to end, and start none before [`Command::Start`].
    Stop(Scope),
    /// Stop, then start. The app is as `spec` says from now on.
    Restart { scope: Scope, spec: Option<Box<AppSpec>> },
    /// Replace the workers without a gap. The app is as `spec` says once all are replaced.
    Reload {
        scope: Scope,
        strategy: ReloadStrategy,
        /// How many at a time; of no interest to a fleet.
        width: NonZeroU32,
        spec: Option<Box<AppSpec>>,
    },
    /// Boot one worker beside the others, as a reload would, and ask it to end as soon as it is ready.
    Check { spec: Option<Box<AppSpec>> },
    /// Have so many instances: add at the end, or take the last away.
    Scale { to: NonZeroU32 },
    /// Forget restarts and unstable starts.
    Reset(Scope),
    /// Stop for good.
    Remove,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done,
    /// Nothing was changed.
    Refused(Refusal),
    /// A reload or check was called off: the old workers go on. A start, restart or scale did not come up: the instance
    /// goes on trying by its own rules.
    Failed {
        instance: InstanceId,
        why: CalledOff,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Another reload or check is under way.
    ReloadUnderWay,
    /// There is no worker that could be replaced.
    NothingToReload,
    NoSuchInstance,
    /// More instances than there can be.
    TooMany {
        most: u32,
    },
    /// The app has between so many instances, as the load asks.
    OutOfRange {
        least: u32,
        most: u32,
    },
    /// Everything is being stopped.
    Stopping,
    /// A mere init passes everything on to its program, and takes no orders.
    Init,
}
