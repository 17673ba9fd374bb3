//! What is wanted: an app, how many instances of it, and how each is to be started, watched and stopped.
//!
//! Plain values. They are made once, by `config`, and read by everybody else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::{ExitReason, Signal};

pub mod bytes;
mod crash;
mod health;
mod logs;
mod range;
mod start;
mod watch;

pub use crash::OnCrash;
pub use health::{CheckPace, EventLoop, HealthCheck, HealthPolicy, MemoryGuard, Peer, Probe};
pub use logs::{LineForm, LogPlace, LogPolicy, LogReach, Merging, numbered};
pub use range::InstanceRange;
pub use start::{Autostart, Dependency, PreStart, StartPolicy, Until, line_of};
pub use watch::WatchPolicy;

/// One app of the runtime. Counts up from 0 in the order in which apps were added, and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppId(pub u32);

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A numbered place of the app, from 0. It outlives the workers that fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId(pub u32);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One worker, that is one spawn. Counts up from 1 and is never used again, unlike a pid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerId(pub u32);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One worker of the whole runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerKey {
    pub app: AppId,
    pub worker: WorkerId,
}

impl fmt::Display for WorkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.app, self.worker)
    }
}

/// Which reload a worker belongs to; the first workers are of generation 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An app as it shall run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSpec {
    /// The name in logs and tables.
    pub name: String,
    pub command: CommandSpec,
    /// At first, where there is a range.
    pub instances: NonZeroU32,
    /// Between how many the load may move them. Left out where there is none, so that a program that knows nothing of it can take
    /// over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<InstanceRange>,
    /// How many workers may be starting at the same time.
    pub start_limit: NonZeroU32,
    #[serde(default)]
    pub start: StartPolicy,
    pub restart: RestartPolicy,
    pub stop: StopPolicy,
    pub readiness: ReadinessPolicy,
    #[serde(default)]
    pub health: HealthPolicy,
    #[serde(default)]
    pub logs: LogPolicy,
    /// Files whose changes lead to a reload.
    #[serde(default)]
    pub watch: Option<WatchPolicy>,
    /// Who is told of workers that die abnormally.
    #[serde(default)]
    pub on_crash: Option<OnCrash>,
    pub on_hup: OnHup,
    /// How many workers are kept booted beyond the instances, each held where it is about to listen.
    #[serde(default)]
    pub standby: u32,
    /// How a reload goes where nobody says otherwise.
    #[serde(default)]
    pub reload_strategy: ReloadStrategy,
    /// How a worker shall come by its listening socket.
    pub share: Share,
    #[serde(default)]
    pub balance: BalancePolicy,
    pub company: Company,
}

impl AppSpec {
    /// Whether there are several instances, or may be as the load asks.
    #[must_use]
    pub fn may_have_several(&self) -> bool {
        self.instances.get() > 1 || self.range.is_some()
    }

    /// How many instances there can be, unless somebody asks for more.
    #[must_use]
    pub fn most_instances(&self) -> NonZeroU32 {
        self.range.map_or(self.instances, |range| range.most)
    }

    /// Whether a worker may give way to another before the memory of all is used up. What ends and is not replaced is a job: begun
    /// anew, it would do its work twice.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.health.memory_guard == MemoryGuard::On && self.restart.after_exit == AfterExit::Restart
    }

    /// Whether we are a mere init: one process, never restarted, every signal passed on, its exit status ours.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.company == Company::None
            && self.restart.after_exit == AfterExit::Stay
            && self.restart.cron.is_none()
            && self.watch.is_none()
            && !self.may_have_several()
            && self.start.is_immediate()
    }
}

/// Whether an app has the runtime to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Company {
    /// The runtime was started for this app.
    None,
    /// It was added to a runtime that may have others.
    Others,
}

/// What to execute, and in which surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// A path, or a name to be looked up in the `PATH` of `environment`.
    #[serde(with = "bytes::one")]
    pub program: OsString,
    #[serde(with = "bytes::list")]
    pub arguments: Vec<OsString>,
    /// The directory to start in; our own where `None`.
    #[serde(with = "bytes::option")]
    pub directory: Option<PathBuf>,
    /// As whom, where not as ourselves.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The environment as we were given it. What each worker gets on top is added at its spawn.
    #[serde(with = "bytes::map")]
    pub environment: BTreeMap<OsString, OsString>,
}

/// A user and groups, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Our own, where `None`.
    pub user: Option<u32>,
    pub group: u32,
    /// All that it is in.
    pub groups: Vec<u32>,
}

/// Variables that differ from one instance of an app to the next, besides those that every worker has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// One that holds the instance's number.
    pub instance_var: Option<String>,
    /// One whose whole number goes up by one with each instance.
    pub increment_var: Option<String>,
}

/// When a worker that has ended is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    pub after_exit: AfterExit,
    pub delay: RestartDelay,
    /// A worker that lived less long counts as an unstable start.
    pub min_uptime: Duration,
    /// After so many unstable starts in a row the instance has failed.
    pub max_unstable: u32,
    /// Exit statuses that are no failure, and after which no worker follows.
    #[serde(default)]
    pub stop_codes: Vec<u8>,
    /// When workers are replaced whatever they do, as a cron pattern.
    #[serde(default)]
    pub cron: Option<String>,
}

impl RestartPolicy {
    /// Whether no worker follows on this end, however it came. A signal is none of the statuses.
    #[must_use]
    pub fn stops_at(&self, reason: ExitReason) -> bool {
        match reason {
            ExitReason::Code(code) => self.stop_codes.contains(&code),
            ExitReason::Signal(_) => false,
        }
    }
}

/// Whether an exit leads to a new worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterExit {
    Restart,
    /// `--no-autorestart`: an ended worker is not replaced.
    Stay,
}

/// How long to wait before a new worker is started in the place of one that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartDelay {
    Fixed(Duration),
    /// Doubles from `first` up to `cap`, with jitter; falls back to `first` after a stable minute.
    Exponential {
        first: Duration,
        cap: Duration,
    },
}

/// How a worker is asked to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// How long all goes on after SIGTERM to the runtime before that.
    #[serde(default)]
    pub delay: Duration,
    /// The signal to ask with; where `None`, the one that we were asked with, or SIGTERM.
    pub signal: Option<Signal>,
    /// How long it may take before SIGKILL.
    pub timeout: Duration,
    /// How long it may take to finish its answers before it is asked.
    #[serde(default)]
    pub drain: Duration,
    #[serde(default)]
    pub reach: Reach,
    #[serde(default)]
    pub asking: Asking,
}

/// Whom of a worker's processes a stop is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Its whole process group.
    #[default]
    All,
    /// `--no-treekill`: the process that we started.
    First,
}

/// How a worker is asked to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asking {
    #[default]
    Signal,
    /// `--shutdown-with-message`: by the message `shutdown`, where it has a channel.
    Message,
}

/// How it is known that a worker serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessPolicy {
    pub sign: ReadySign,
    /// How long a worker may take to be ready before a reload is called off (and a warning is given at a start).
    pub timeout: Duration,
    /// The port that the platform expects the app to listen on.
    pub port: Option<u16>,
}

/// What a worker has to do to be taken for ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadySign {
    /// It listens; or it lives for the minimum uptime without ever listening.
    Listening,
    /// `--wait-ready`: it says so itself, by `process.send('ready')` or sd_notify's `READY=1`.
    Said,
    /// `--wait-ready` with `--health`: it says so, or the first check of it succeeds. A check of the whole app counts for a
    /// worker that was listening when it began.
    Healthy(ListeningHeard),
}

/// Whether we are told that a worker listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListeningHeard {
    Yes,
    /// So it may listen from the beginning.
    No,
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnHup {
    Reload,
    Forward,
}

/// How a reload replaces the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReloadStrategy {
    /// One instance after the other, or several at a time.
    #[default]
    Rolling,
    /// The whole new generation is booted and held; when all of it is about to listen, it takes over in one step.
    Fleet,
}

/// How a worker comes by its listening socket, as asked for with `--share`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// The best way for the program that this machine allows.
    Auto,
    /// Node's cluster protocol, with us as the primary.
    Cluster,
    /// A seccomp filter that turns the worker's `bind` and `listen` into questions to us.
    Intercept,
    /// systemd's socket activation: `LISTEN_FDS` and friends.
    Activation,
    /// The program sets SO_REUSEPORT itself; we do nothing.
    Reuseport,
    /// Nothing is shared.
    None,
}

/// How new connections come to the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancePolicy {
    pub way: Balance,
    /// How long nobody may accept from a queue before its instance is steered away from.
    pub stall_after: Duration,
}

impl Default for BalancePolicy {
    fn default() -> Self {
        Self { way: Balance::Shared, stall_after: Duration::from_millis(100) }
    }
}

/// Who gets a new connection, as asked for with `--balance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Balance {
    /// Whoever is free first, out of one queue; or any, where workers cannot share a queue.
    Shared,
    /// Who holds fewest.
    Even,
    /// The same for all connections from an address.
    Sticky,
}

impl Balance {
    /// The option's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Even => "even",
            Self::Sticky => "sticky",
        }
    }
}
