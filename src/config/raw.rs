//! What the command line said, as text: nothing is judged here.
//!
//! The values stay text so that the resolver can report everything that is wrong, wherever it was set, at once.

use std::ffi::OsString;

/// The values of our own options, as they were typed; `None` where an option was not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub instances: Option<OsString>,
    pub name: Option<OsString>,
    pub drain_timeout: Option<OsString>,
    pub kill_timeout: Option<OsString>,
    pub shutdown_delay: Option<OsString>,
    pub kill_signal: Option<OsString>,
    pub no_treekill: bool,
    pub shutdown_with_message: bool,
    pub pre_start: Option<OsString>,
    pub pre_start_timeout: Option<OsString>,
    pub no_autostart: bool,
    pub no_autorestart: bool,
    pub stop_exit_codes: Option<OsString>,
    pub cron_restart: Option<OsString>,
    pub max_restarts: Option<OsString>,
    pub min_uptime: Option<OsString>,
    pub restart_delay: Option<OsString>,
    pub exp_backoff_restart_delay: Option<OsString>,
    pub wait_ready: bool,
    pub listen_timeout: Option<OsString>,
    pub watchdog: Option<OsString>,
    pub health: Option<OsString>,
    pub health_interval: Option<OsString>,
    pub health_timeout: Option<OsString>,
    pub health_retries: Option<OsString>,
    pub health_start_period: Option<OsString>,
    pub kill_stalled: Option<OsString>,
    pub max_memory_restart: Option<OsString>,
    pub no_memory_guard: bool,
    pub on_crash: Option<OsString>,
    pub interpreter: Option<OsString>,
    pub interpreter_args: Option<OsString>,
    pub source_map_support: bool,
    pub cwd: Option<OsString>,
    pub no_resolve: bool,
    pub no_agent: bool,
    pub uid: Option<OsString>,
    pub gid: Option<OsString>,
    pub log_format: Option<OsString>,
    pub output: Option<OsString>,
    pub error: Option<OsString>,
    pub log: Option<OsString>,
    pub pid: Option<OsString>,
    pub merge_logs: bool,
    pub disable_logs: bool,
    pub log_type: Option<OsString>,
    pub log_date_format: Option<OsString>,
    pub time: bool,
    pub share: Option<OsString>,
    pub balance: Option<OsString>,
    pub stall_after: Option<OsString>,
    pub watch: Option<OsString>,
    pub ignore_watch: Option<OsString>,
    pub watch_delay: Option<OsString>,
    pub watch_poll: Option<OsString>,
    pub on_hup: Option<OsString>,
    pub standby: Option<OsString>,
    pub reload_strategy: Option<OsString>,
    pub log_level: Option<OsString>,
    pub no_otlp: bool,
    pub no_auto_exit: bool,
    pub delay: Option<OsString>,
    pub web: Option<OsString>,
    pub web_read_only: bool,
    pub history: bool,
    /// What people should know of options that have no effect.
    pub remarks: Vec<String>,
}

/// A command line that asks for an app to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub flags: Flags,
    /// The program, or the file that needs an interpreter.
    pub command: OsString,
    /// The app's own words, untouched.
    pub arguments: Vec<OsString>,
    /// Whether the words `start FILE` were used.
    pub start: bool,
}
