//! An app as a configuration file declares it: typed, and nothing decided yet.
//!
//! `None` means that the key was not given. What becomes of each is said in `keys`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::config::values::Wish;
use crate::spec::Until;

/// Variables as they are declared; one without a value is taken out of the environment.
pub type Variables = BTreeMap<String, Option<String>>;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AppDeclaration {
    /// How the app is called in messages: its name, or `apps[0]`.
    pub label: String,
    pub script: Option<String>,
    pub args: Option<Vec<String>>,
    pub interpreter: Option<String>,
    pub interpreter_args: Option<Vec<String>>,
    pub cwd: Option<String>,
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub append_env_to_name: Option<bool>,

    pub instances: Option<Wish>,
    pub exec_mode: Option<ExecMode>,
    pub instance_var: Option<String>,
    pub increment_var: Option<String>,
    pub port: Option<u16>,
    pub share: Option<String>,
    pub balance: Option<String>,
    pub stall_after: Option<Duration>,
    pub standby: Option<u32>,

    pub env: Option<Variables>,
    /// `env_production` and its like, by the part behind `env_`.
    pub named_env: BTreeMap<String, Variables>,
    pub env_file: Option<Vec<String>>,
    pub filter_env: Option<Filter>,

    pub depends_on: Option<Vec<(String, Until)>>,
    pub pre_start: Option<Vec<String>>,
    pub pre_start_timeout: Option<Duration>,
    pub autostart: Option<bool>,
    pub autorestart: Option<bool>,
    pub stop_exit_codes: Option<Vec<u8>>,
    pub restart_delay: Option<Duration>,
    pub exp_backoff_restart_delay: Option<Duration>,
    pub min_uptime: Option<Duration>,
    pub max_restarts: Option<u32>,
    /// Without one where the file says `0` or `false`.
    pub cron_restart: Option<Option<String>>,
    /// In bytes.
    pub max_memory_restart: Option<u64>,
    pub memory_guard: Option<bool>,
    pub watch: Option<Selection>,
    pub ignore_watch: Option<Vec<String>>,
    pub watch_delay: Option<Duration>,
    pub watch_options: Option<Value>,
    pub watch_poll: Option<Duration>,

    pub drain_timeout: Option<Duration>,
    pub kill_timeout: Option<Duration>,
    pub shutdown_delay: Option<Duration>,
    pub kill_signal: Option<String>,
    pub treekill: Option<bool>,
    pub resolve: Option<bool>,
    pub agent: Option<bool>,
    pub shutdown_with_message: Option<bool>,
    pub wait_ready: Option<bool>,
    pub listen_timeout: Option<Duration>,
    pub on_crash: Option<String>,
    pub on_hup: Option<String>,
    pub reload_strategy: Option<String>,

    pub watchdog: Option<Duration>,
    pub health: Option<String>,
    pub health_interval: Option<Duration>,
    pub health_timeout: Option<Duration>,
    pub health_retries: Option<u32>,
    pub health_start_period: Option<Duration>,
    pub kill_stalled: Option<Duration>,

    pub out_file: Option<LogFile>,
    pub error_file: Option<LogFile>,
    pub log_file: Option<LogFile>,
    pub pid_file: Option<String>,
    pub disable_logs: Option<bool>,
    pub merge_logs: Option<bool>,
    pub log_type: Option<String>,
    pub log_date_format: Option<String>,
    pub time: Option<bool>,

    pub user: Option<Identity>,
    pub group: Option<Identity>,
    pub source_map_support: Option<bool>,
    pub disable_source_map_support: Option<bool>,
}

/// pm2's two modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecMode {
    Fork,
    Cluster,
}

/// Nothing, everything, or these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Nothing,
    All,
    These(Vec<String>),
}

/// Which variables of the surroundings an app is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    Nothing,
    All,
    /// Those whose names contain one of these.
    Containing(Vec<String>),
    /// That of this name.
    Exactly(String),
}

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    Off,
    /// To the usual place.
    Usual,
    Path(String),
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    Number(u32),
    Name(String),
}
