//! What the supervisor is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{Command, Ticket};
use super::cron::Scheduled;
use super::health::Subject;
use super::strain::{Remedy, Strain};
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::WorkerId;

/// Time since the runtime started. Tests make it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Uptime(pub Duration);

impl Uptime {
    /// The time `span` later. A span too long to count ends at the greatest time there is.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How long ago `earlier` was; zero when it is yet to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A fact from the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The answer to [`super::Action::Spawn`]: the program is being executed as `pid`, leader of its own process group.
    Spawned { worker: WorkerId, pid: Pid },
    /// The other answer to [`super::Action::Spawn`]: there is no process.
    SpawnFailed { worker: WorkerId, failure: SpawnFailure },
    /// The worker began to listen.
    Listening { worker: WorkerId, listen: Listen },
    /// The worker is about to listen, and is held there.
    Parked { worker: WorkerId },
    /// The worker said that it is ready: `process.send('ready')`, `READY=1`.
    Ready { worker: WorkerId },
    /// The worker said something more of itself by sd_notify.
    Notified { worker: WorkerId, word: Word },
    /// The answer to [`super::Action::Ping`], which may never come.
    Pulse { worker: WorkerId, beat: Beat },
    /// The answer to [`super::Action::Check`]; an error says why it has failed.
    Checked { subject: Subject, result: Result<(), String> },
    /// Checks that were under way will not be answered.
    ChecksLost,
    /// The answer to [`super::Action::Schedule`].
    Scheduled(Scheduled),
    /// So many of the app's files have changed, this one first; its name may be unknown.
    Changed { path: String, files: u32 },
    /// The answer to [`super::Action::Prepare`]: whether the app can run as it is now.
    Prepared { is_usable: bool },
    /// The answer to [`super::Action::Measure`]: how many bytes of memory the workers have, those that could be measured.
    Measured { sizes: Vec<(WorkerId, u64)> },
    /// All workers together are about to have more memory than they may. Of them it is this one that is told of or gives way.
    Strained { worker: WorkerId, strain: Strain, remedy: Remedy },
    /// The worker's first process ended and was reaped. `survivors` says whether its process group has others left;
    /// if so, [`Event::GroupGone`] follows once the last of them is gone.
    Exited { worker: WorkerId, reason: ExitReason, killer: Killer, survivors: Survivors },
    /// The worker has answered what it was asked: see [`super::Action::Drain`].
    Drained { worker: WorkerId },
    /// The last process of the ended worker's group is gone.
    GroupGone { worker: WorkerId },
    /// The runtime was asked to end by SIGTERM. The app is told by [`Event::Signalled`] once others have ended that need it.
    Ending,
    /// The runtime received this signal.
    Signalled { signal: Signal },
    /// Somebody orders something; answered by [`super::Action::Answer`].
    Commanded { ticket: Ticket, command: Command },
    /// Nobody reads our standard output any more.
    OutputClosed,
    /// The deadline may have passed. Harmless at any time.
    Deadline,
}

/// What a worker says of itself by sd_notify(3), besides `READY=1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// `WATCHDOG=1`
    Alive,
    /// `WATCHDOG=trigger`
    Trigger,
    /// `WATCHDOG_USEC=…`
    Period(Duration),
    /// `EXTEND_TIMEOUT_USEC=…`: what it is doing may take so long from now on.
    Extend(Duration),
    /// `STOPPING=1`: it ends of its own accord.
    Stopping,
}

/// Whether a worker's event loop turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    Turned,
    /// It cannot be asked, or not any more.
    Unheard,
}

/// Who sent the signal that ended a worker, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Killer {
    Unknown,
    /// The kernel's OOM killer: the cgroup's count of OOM kills has risen.
    OutOfMemory,
    /// A person at the terminal that the worker had the foreground of: the end was wished for.
    Keyboard,
}

/// Whether an ended worker left processes behind in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    None,
    Some,
}

/// Where a worker listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The TCP port; `None` for a Unix-domain socket.
    pub port: Option<u16>,
}

/// Why no process came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailure {
    /// The exit status that stands for it by convention: 127 not found, 126 found but not executable or any other stage.
    pub status: u8,
    /// What failed and why, for people: ``cannot execute `./server`: permission denied``.
    pub message: String,
}
