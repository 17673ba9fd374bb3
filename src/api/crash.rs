//! What is told of workers that died abnormally: `GET /v1/crashes`. Values only.

use serde::{Deserialize, Serialize};

use super::history::RecentView;
use super::types::LogView;

/// A worker that died abnormally, or could not be started: an element of `GET /v1/crashes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashView {
    /// Counts up by one from crash to crash.
    pub id: u64,
    pub at_ms: u64,
    pub app: String,
    pub app_id: u32,
    pub instance: u32,
    /// `None` where there never was a process.
    pub pid: Option<i32>,
    pub generation: u32,
    /// How long it lived; `None` where it never did.
    pub uptime_ms: Option<u64>,
    pub cause: CrashCause,
    /// How it ended, for people: `exit code 3`, `SIGSEGV`.
    pub reason: String,
    /// In one line, what is known best: the exception, the last line of standard error, or the reason.
    pub summary: String,
    /// That of which a Node worker died.
    pub exception: Option<ExceptionView>,
    /// The same for crashes that are alike: sixteen hexadecimal digits.
    pub fingerprint: String,
    /// How many crashes of this fingerprint there have been so far, and when the first of them was.
    pub count: u64,
    pub first_at_ms: u64,
    /// The commit that was checked out where the app lies.
    pub revision: Option<String>,
    /// The app's own version.
    pub version: Option<String>,
}

/// One with all that was kept: `GET /v1/crashes/{target}`, and what `--on-crash` gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrashDetail {
    #[serde(flatten)]
    pub crash: CrashView,
    /// The program and its words.
    pub command: Vec<String>,
    pub directory: String,
    /// The worker's last lines, oldest first.
    pub logs: Vec<LogView>,
    /// Its instance's figures in the minute before, second by second; `None` where none were kept.
    #[serde(default)]
    pub figures: Option<RecentView>,
}

/// An exception that nobody has caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionView {
    /// `TypeError`; `Uncaught` where what was thrown is no error.
    pub name: String,
    pub message: String,
    pub stack: Option<String>,
}

/// Why a worker died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrashCause {
    /// It ended by itself, with a status that says that it has failed.
    Exit,
    /// A signal ended it, and nobody knows whose.
    Signal,
    /// The kernel ended it, because the memory was used up.
    Oom,
    /// It did not do its work any more, and was replaced.
    Watchdog,
    /// It had more memory than it may, and was replaced.
    Memory,
    /// It ended with an exception that nobody has caught.
    Exception,
    /// It could not be started.
    Spawn,
}

impl CrashCause {
    /// Whether what the worker wrote last adds nothing to it.
    #[must_use]
    pub fn speaks_for_itself(self) -> bool {
        match self {
            Self::Exit | Self::Signal | Self::Exception => false,
            Self::Oom | Self::Watchdog | Self::Memory | Self::Spawn => true,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Oom => "oom",
            Self::Watchdog => "watchdog",
            Self::Memory => "memory",
            Self::Exception => "exception",
            Self::Spawn => "spawn",
        }
    }
}

/// The last crash of an app, as far as the list of apps tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCrashView {
    pub id: u64,
    pub at_ms: u64,
    pub instance: u32,
    pub cause: CrashCause,
    pub summary: String,
    /// How many of its fingerprint there have been so far.
    pub count: u64,
}
