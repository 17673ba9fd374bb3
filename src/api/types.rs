//! Every body of a request or an answer on the control socket. Values only.
//!
//! On the wire names are in `snake_case`, times are milliseconds (since the epoch where the name ends in `_at_ms`),
//! sizes are bytes. A field that may be absent is `null` or left out; clients ignore fields that they do not know.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::crash::LastCrashView;
use super::messages::MetricView;
use super::node::NodeView;
use super::text::Text;
use crate::spec::Until;

/// Somebody is there: `GET /v1/ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PongView {
    pub version: String,
    pub pid: i32,
}

/// The runtime itself: `GET /v1/runtime`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeView {
    pub version: String,
    pub pid: i32,
    pub mode: Mode,
    /// The directory of state and log files; only in the background, or where `PMR_HOME` names one.
    pub home: Option<String>,
    /// Where the control socket is: a path, or `@name` in the abstract namespace.
    pub socket: String,
    /// Where it answers over TCP, if it does: `127.0.0.1:9615`.
    #[serde(default)]
    pub web: Option<String>,
    /// Where figures are pushed to by OTLP, if they are.
    #[serde(default)]
    pub otlp: Option<String>,
    /// Whose process it is.
    pub user: String,
    /// Its own command line.
    pub command: Vec<String>,
    pub directory: String,
    pub started_at_ms: u64,
    pub uptime_ms: u64,
    /// How often it was updated in place.
    pub updates: u32,
    /// Its own memory (PSS).
    pub memory_bytes: Option<u64>,
    /// The CPU time that it has used itself since it was started, over all updates.
    #[serde(default)]
    pub cpu_time_ms: Option<u64>,
    /// How many descriptors it has open.
    #[serde(default)]
    pub descriptors: Option<u64>,
    pub machine: MachineView,
}

/// Whether the runtime is in front of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Started by a platform or a person; it ends with its apps.
    Foreground,
    /// Begun by `pmr start`; it stays until `pmr kill`.
    Background,
}

/// Where the runtime runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineView {
    pub host: Option<String>,
    pub kernel: Option<String>,
    pub architecture: String,
    /// CPUs that may be used, by affinity and cgroup quota.
    pub cpus: u32,
    /// What they are called, where the kernel tells.
    #[serde(default)]
    pub cpu_model: Option<String>,
    /// The cgroups' memory limit.
    pub memory_limit_bytes: Option<u64>,
    pub memory_total_bytes: Option<u64>,
    pub memory_available_bytes: Option<u64>,
    /// Over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
}

/// One app: an element of `GET /v1/apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppView {
    /// The app's own number; instances have numbers of their own.
    pub app_id: u32,
    pub name: String,
    pub namespace: String,
    /// Of package.json, pyproject.toml, Cargo.toml.
    pub version: Option<String>,
    pub status: Status,
    /// Where it was never started: what it waits for, which command runs before, or why it is not started.
    #[serde(default)]
    pub before_start: Option<String>,
    /// The program and its words.
    pub command: Vec<String>,
    /// What was asked for and what is run in its place, where that is a script of package.json: `npm start → node server.js`.
    /// Where the package manager runs it after all, why.
    #[serde(default)]
    pub resolved: Option<String>,
    /// The file that is run, where the command names one.
    pub script: Option<String>,
    pub directory: String,
    pub interpreter: Option<InterpreterView>,
    /// How workers come by their socket: `cluster`, `intercept`, `activation`, `reuseport`, `none`.
    pub share: String,
    /// Who gets a new connection: `shared`, `even` or `sticky`.
    #[serde(default)]
    pub balance: String,
    /// pm2's word: `cluster` where instances share a port, else `fork`.
    pub exec_mode: ExecMode,
    pub user: String,
    pub watching: bool,
    /// When it was added to the runtime.
    pub created_at_ms: u64,
    /// That of the last reload that was done; 1 at first.
    pub generation: u32,
    /// The generation that a reload is bringing in.
    pub reloading: Option<u32>,
    /// What the health checks of the app as a whole say, where there are any.
    #[serde(default)]
    pub health: Option<HealthView>,
    pub instances: Vec<InstanceView>,
    /// Workers that are held until an instance needs one, or boot to be so. Their numbers are those of no instance.
    #[serde(default)]
    pub standbys: Vec<InstanceView>,
    pub listeners: Vec<ListenerView>,
    pub logs: LogFilesView,
    pub git: Option<GitView>,
    /// Each setting, and where its value came from.
    pub settings: Vec<SettingView>,
    /// By name; what the app reports of itself, of all instances together.
    pub metrics: BTreeMap<String, MetricView>,
    /// What the app can be told to do by `trigger`.
    pub actions: Vec<String>,
    /// The last of its workers that died abnormally.
    #[serde(default)]
    pub last_crash: Option<LastCrashView>,
    /// Where its number of instances follows the load: between which numbers.
    #[serde(default)]
    pub scaling: Option<ScalingView>,
}

/// How the number of instances of an app follows the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingView {
    /// The fewest instances that it has.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// How it was scaled last, if it was.
    pub last: Option<ScaledView>,
}

/// How an app was scaled to the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaledView {
    pub at_ms: u64,
    pub from: u32,
    pub to: u32,
    /// For people: `instances are 93% busy`.
    pub because: String,
}

/// One instance and its worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// Its number in the whole runtime (pm2's `pm_id`), which targets may name.
    pub id: u32,
    /// Its number within the app, from 0.
    pub instance: u32,
    pub status: Status,
    /// Whether new connections are kept away from it: it does not serve, or accepts none at present. Never so where all
    /// instances accept from one queue.
    #[serde(default)]
    pub steered_away: bool,
    pub pid: Option<i32>,
    pub generation: u32,
    /// Since its worker was started; `None` without one.
    pub uptime_ms: Option<u64>,
    /// How often a worker was started in the place of one that ended.
    pub restarts: u32,
    /// Unstable starts in a row.
    pub unstable_starts: u32,
    /// Percent of one CPU, over all processes of the worker; `None` where there is none, or not yet.
    pub cpu_percent: Option<f64>,
    /// PSS over all processes of the worker.
    pub memory_bytes: Option<u64>,
    /// How many processes the worker consists of.
    pub processes: Option<u32>,
    /// The connections that the worker has accepted and that are open; `None` where that cannot be told, and where it does not
    /// listen and nobody is connected.
    #[serde(default)]
    pub connections: Option<u32>,
    /// Those over which a request has come and no answer yet, as the kernel sees it; of Unix-domain ones it does not tell. Node's
    /// own count is in `node.http.in_flight`.
    #[serde(default)]
    pub requests_in_flight: Option<u32>,
    /// When its next worker is due, in a back-off.
    pub next_start_in_ms: Option<u64>,
    pub last_exit: Option<ExitView>,
    /// How its worker does, where that is watched.
    #[serde(default)]
    pub health: Option<HealthView>,
    /// What its worker says of itself by sd_notify's STATUS.
    #[serde(default)]
    pub says: Option<String>,
    /// How its worker does, where that is Node and has answered.
    #[serde(default)]
    pub node: Option<NodeView>,
    /// By name; what its worker reports of itself by `process.send`.
    #[serde(default)]
    pub metrics: BTreeMap<String, MetricView>,
    /// What its worker can be told to do.
    #[serde(default)]
    pub actions: Vec<String>,
}

/// How the app or a worker does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    pub health: Health,
    /// Failed checks in a row.
    pub failures: u32,
    /// Why the last check that failed did.
    pub last_failure: Option<String>,
    /// Why the worker is taken for stalled: `watchdog`, `trigger`, `check`, `event_loop`; or `memory`, where it has more
    /// than it may, and `pressure`, where all workers together do; it is to be replaced then.
    pub stalled: Option<String>,
}

/// What checks and signs of life add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing is known yet.
    Unknown,
    Healthy,
    Unhealthy,
}

impl Health {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What an app or an instance is doing, in pm2's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It serves.
    Online,
    /// It serves, but not well: its checks fail, or it has stalled.
    Unhealthy,
    /// It is booted, and held until an instance needs it.
    Standby,
    /// It starts, or waits for its turn to start.
    Launching,
    /// It ended, and its next worker comes after a delay.
    WaitingRestart,
    /// It was asked to end.
    Stopping,
    /// It has no worker and gets none before it is started.
    Stopped,
    /// Given up: too many unstable starts.
    Errored,
}

impl Status {
    /// The word for people: `waiting restart`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Unhealthy => "unhealthy",
            Self::Standby => "standby",
            Self::Launching => "launching",
            Self::WaitingRestart => "waiting restart",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Errored => "errored",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// pm2's two ways to run an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecMode {
    Cluster,
    Fork,
}

/// What runs the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterView {
    /// As the command names it.
    pub program: String,
    /// Where PATH leads.
    pub path: Option<String>,
    pub version: Option<String>,
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitView {
    /// For people: `exit code 3`, `SIGKILL`.
    pub reason: String,
    /// The status that a shell would report.
    pub status: u8,
    pub at_ms: u64,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerView {
    /// `tcp 0.0.0.0:3000`, `unix /run/app.sock`.
    pub address: String,
    /// Whose it is; `None` where all instances of the app share it.
    pub instance: Option<u32>,
    /// Connections that wait to be accepted.
    pub waiting: Option<u32>,
}

/// Where lines are kept; `None` where they only go to the runtime's own output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilesView {
    pub out: Option<String>,
    pub error: Option<String>,
    /// One file for both.
    #[serde(default)]
    pub both: Option<String>,
}

/// The checkout that the app lies in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitView {
    pub branch: Option<String>,
    pub revision: String,
    pub remote: Option<String>,
}

/// A setting's value and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingView {
    /// Without dashes: `kill-timeout`.
    pub name: String,
    pub value: String,
    /// `--kill-timeout`, `PMR_KILL_TIMEOUT`, `default`.
    pub origin: String,
}

/// An environment variable as a worker sees it: `GET /v1/apps/{target}/env`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentView {
    pub app: String,
    pub id: u32,
    /// A value that looks like a secret is `None` unless it was asked for.
    pub variables: BTreeMap<String, Option<String>>,
}

/// An environment as a client sends it.
pub type Environment = Vec<(Text, Text)>;

/// `POST /v1/apps`: an app to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Options, COMMAND or FILE, and the app's own words.
    pub words: Vec<Text>,
    /// After which words they stand; after `start` where it is absent.
    #[serde(default)]
    pub grammar: Grammar,
    /// The app's name, whatever the words say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many instances, whatever the words say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    /// Where the client is; the app runs there unless `--cwd` says otherwise.
    pub directory: Text,
    pub environment: Environment,
    /// What a configuration file says of the app beside its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
}

/// What a configuration file says of an app beside its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The file, for people.
    pub file: String,
    /// The app's name in it.
    pub app: String,
    /// Which options among the words are the file's: `kill-timeout`.
    #[serde(default)]
    pub settings: Vec<String>,
    /// What becomes of the environment; a variable without a value is taken out.
    #[serde(default)]
    pub variables: Vec<(Text, Option<Text>)>,
    /// A further variable for the instance's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_var: Option<String>,
    /// A variable whose whole number goes up by one with each instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment_var: Option<String>,
    /// A name for several apps together; `default` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What has set the number of instances, where that is not the file: `--formation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances_by: Option<String>,
    /// What PORT is to the app.
    #[serde(default)]
    pub port: PortUse,
    /// Apps that have to be there before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyOf>,
}

/// An app that another one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyOf {
    pub app: String,
    /// `ready`, `started` or `exited` (with status 0).
    pub until: Until,
}

/// What the variable PORT is to an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortUse {
    /// The port that the platform expects it to serve.
    #[default]
    Served,
    /// A port that it may listen on.
    Free,
}

/// By which rules the words of a command line are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grammar {
    /// As after `pmr-runtime start`.
    #[default]
    Start,
    /// As after `pmr-runtime`.
    Run,
}

/// `POST /v1/apps/{target}/reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReloadRequest {
    /// `rolling` or `fleet`. Where it is absent, rolling if `parallel` is there, else as the app is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// How many instances at a time: a number, or `all`. One, where it is absent. Not for a fleet.
    pub parallel: Option<String>,
    /// Boot one new worker, report, and discard it.
    pub dry_run: bool,
    /// The environment from now on.
    pub environment: Option<Environment>,
    /// What the app is from now on, its number of instances included; its name stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<StartRequest>>,
}

/// `POST /v1/apps/{target}/restart`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestartRequest {
    /// The environment from now on.
    pub environment: Option<Environment>,
    /// What the app is from now on, as for a reload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<StartRequest>>,
}

/// `POST /v1/apps/{target}/scale`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleRequest {
    /// `4`, `+2` or `-1`.
    pub to: String,
}

/// `POST /v1/apps/{target}/signal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// `USR2`, `SIGUSR2` or `12`.
    pub signal: String,
}

/// `POST /v1/runtime/update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateRequest {
    /// The new executable; that of the running one, as it is on disk now, where absent.
    pub executable: Option<Text>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Start,
    Stop,
    Restart,
    Reload,
    /// A reload's rehearsal: `--dry-run`.
    Check,
    Delete,
    Scale,
    Signal,
    Reset,
    Flush,
    Send,
    Kill,
    Save,
    Update,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Check => "check",
            Self::Delete => "delete",
            Self::Scale => "scale",
            Self::Signal => "signal",
            Self::Reset => "reset",
            Self::Flush => "flush",
            Self::Send => "send",
            Self::Kill => "kill",
            Self::Save => "save",
            Self::Update => "update",
        })
    }
}

/// The answer to every request that changes something: a verdict for each app that was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub verdicts: Vec<Verdict>,
}

impl Outcome {
    /// Whether all went well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.ok)
    }
}

/// How an operation on one app ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `None` where the runtime itself was meant.
    pub app: Option<String>,
    pub operation: Operation,
    pub ok: bool,
    /// For people: a sentence without a full stop.
    pub message: String,
    pub took_ms: u64,
    /// The app's generation and number of instances afterwards.
    pub generation: Option<u32>,
    pub instances: Option<u32>,
    /// The last lines of the worker that it failed on.
    pub last_lines: Vec<String>,
}

/// Something that happened: `GET /v1/events`, as server-sent events named `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Counts up by one from event to event.
    pub seq: u64,
    pub at_ms: u64,
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// `started`, `ready`, `exited`, `reloaded`, …: docs/control-api.md lists them.
    pub kind: String,
    pub app: Option<String>,
    /// The instance's number in the runtime.
    pub id: Option<u32>,
    pub pid: Option<i32>,
    /// For people.
    pub message: String,
    /// What an app has sent along, if it is small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// A line of a log: `GET /v1/logs`, in an array, or as server-sent events named `line`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    pub at_ms: u64,
    /// `None` for the runtime's own lines.
    pub app: Option<String>,
    /// The instance's number in the runtime.
    pub id: Option<u32>,
    pub instance: Option<u32>,
    pub pid: Option<i32>,
    pub stream: LogStream,
    pub text: String,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Out,
    Err,
    /// The runtime said it.
    Runtime,
}

/// Sent to a client that was too slow: so many events or lines were left out for it (`lost`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub lost: u64,
}

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    pub error: Problem,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A word for programs: `unknown_target`, `bad_request`, `busy`, …
    pub code: String,
    /// For people: a sentence without a full stop.
    pub message: String,
    pub hint: Option<String>,
    /// All that is wrong, where several settings are.
    pub details: Vec<String>,
}
