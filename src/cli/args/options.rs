//! Our own options, and what the command line said of them as text.

use std::ffi::OsString;

use clap::Args;

use super::foreign::Given;
use super::web::Web;
use crate::config::raw::Flags;

/// Our own options. Every one has a twin in the environment, named in its help. What only refines another is hidden there,
/// lest the help outgrow a screen; the documentation has all.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Workers [env: PMR_INSTANCES] [default: WEB_CONCURRENCY, or auto]
    #[arg(short, long, value_name = "N|N..M|max|auto", allow_hyphen_values = true)]
    instances: Option<OsString>,

    /// Name of the app in logs [env: PMR_NAME] [default: the script's]
    #[arg(short, long, value_name = "NAME")]
    name: Option<OsString>,

    /// Time for last answers [env: PMR_DRAIN_TIMEOUT] [default: 10s]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    drain_timeout: Option<OsString>,

    /// Time to stop before SIGKILL [env: PMR_KILL_TIMEOUT] [default: 25s]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    kill_timeout: Option<OsString>,

    /// Time to serve on after SIGTERM [env: PMR_SHUTDOWN_DELAY] [default: none]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    shutdown_delay: Option<OsString>,

    /// Signal to stop with [env: PMR_KILL_SIGNAL] [default: as received]
    #[arg(long, value_name = "SIGNAL", allow_hyphen_values = true)]
    kill_signal: Option<OsString>,

    /// Signal only the process that we started [env: PMR_TREEKILL=false]
    #[arg(long, hide = true)]
    no_treekill: bool,

    /// Say `shutdown` to Node, in place of the signal [env: PMR_SHUTDOWN_WITH_MESSAGE=true]
    #[arg(long, hide = true)]
    shutdown_with_message: bool,

    /// What has to succeed before the first start [env: PMR_PRE_START]
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pre_start: Option<OsString>,

    /// How long it may take [env: PMR_PRE_START_TIMEOUT] [default: 10m]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    pre_start_timeout: Option<OsString>,

    /// Start on order only [env: PMR_AUTOSTART=false]
    #[arg(long, hide = true)]
    no_autostart: bool,

    /// Never replace a worker that ended [env: PMR_AUTORESTART=false]
    #[arg(long)]
    no_autorestart: bool,

    /// Statuses after which none follows [env: PMR_STOP_EXIT_CODES] [default: none]
    #[arg(long, hide = true, value_name = "CODES", allow_hyphen_values = true)]
    stop_exit_codes: Option<OsString>,

    /// When to reload [env: PMR_CRON_RESTART] [default: never]
    #[arg(short = 'c', long, alias = "cron", value_name = "PATTERN", allow_hyphen_values = true)]
    cron_restart: Option<OsString>,

    /// Unstable starts to give up at [env: PMR_MAX_RESTARTS] [default: 16]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    max_restarts: Option<OsString>,

    /// A shorter run is unstable [env: PMR_MIN_UPTIME] [default: 1s]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    min_uptime: Option<OsString>,

    /// Fixed wait before restarts [env: PMR_RESTART_DELAY] [default: none]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    restart_delay: Option<OsString>,

    /// Doubling wait [env: PMR_EXP_BACKOFF_RESTART_DELAY] [default: 100ms]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    exp_backoff_restart_delay: Option<OsString>,

    /// Ready on the worker's own word [env: PMR_WAIT_READY=true]
    #[arg(long)]
    wait_ready: bool,

    /// Time to become ready [env: PMR_LISTEN_TIMEOUT] [default: 60s]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    listen_timeout: Option<OsString>,

    /// Longest silence after WATCHDOG=1 [env: PMR_WATCHDOG] [default: off]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    watchdog: Option<OsString>,

    /// What tells whether all is well [env: PMR_HEALTH] [default: none]
    #[arg(long, value_name = "CHECK")]
    health: Option<OsString>,

    /// Time between checks [env: PMR_HEALTH_INTERVAL] [default: 10s]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    health_interval: Option<OsString>,

    /// A longer check has failed [env: PMR_HEALTH_TIMEOUT] [default: 5s]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    health_timeout: Option<OsString>,

    /// Failures in a row to be unhealthy [env: PMR_HEALTH_RETRIES] [default: 3]
    #[arg(long, hide = true, value_name = "N", allow_hyphen_values = true)]
    health_retries: Option<OsString>,

    /// Failures count after this [env: PMR_HEALTH_START_PERIOD] [default: 0s]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    health_start_period: Option<OsString>,

    /// Replace what stalls so long [env: PMR_KILL_STALLED] [default: off]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    kill_stalled: Option<OsString>,

    /// Replace larger workers [env: PMR_MAX_MEMORY_RESTART] [default: none]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    max_memory_restart: Option<OsString>,

    /// Replace nobody where memory runs short [env: PMR_MEMORY_GUARD=false]
    #[arg(long, hide = true)]
    no_memory_guard: bool,

    /// What runs the script [env: PMR_INTERPRETER] [default: by extension]
    #[arg(long, hide = true, value_name = "PROGRAM|none")]
    interpreter: Option<OsString>,

    /// Words before the script [env: PMR_INTERPRETER_ARGS] [default: none]
    #[arg(long, alias = "node-args", hide = true, value_name = "WORDS", allow_hyphen_values = true)]
    interpreter_args: Option<OsString>,

    /// Stack traces with lines of sources [env: PMR_SOURCE_MAP_SUPPORT=true]
    #[arg(long, hide = true)]
    source_map_support: bool,

    /// Directory to run in [env: PMR_CWD] [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<OsString>,

    /// Run scripts of package.json by npm, yarn, ... [env: PMR_RESOLVE=false]
    #[arg(long, hide = true)]
    no_resolve: bool,

    /// Load no script into Node processes [env: PMR_AGENT=false]
    #[arg(long, hide = true)]
    no_agent: bool,

    /// User to run workers as [env: PMR_UID] [default: ours]
    #[arg(long, value_name = "USER", allow_hyphen_values = true)]
    uid: Option<OsString>,

    /// Group to run workers as [env: PMR_GID] [default: that of --uid]
    #[arg(long, hide = true, value_name = "GROUP", allow_hyphen_values = true)]
    gid: Option<OsString>,

    /// Form of the lines [env: PMR_LOG_FORMAT] [default: raw, text on a tty]
    #[arg(long, value_name = "raw|text|json")]
    log_format: Option<OsString>,

    /// The same as --log-format raw
    #[arg(long, hide = true)]
    raw: bool,

    /// The same as --log-format json
    #[arg(long, hide = true)]
    json: bool,

    /// The same as --log-format text
    #[arg(long, hide = true)]
    formatted: bool,

    /// The same as --log-format fields
    #[arg(long, hide = true)]
    format: bool,

    /// File for stdout as well [env: PMR_OUTPUT] [default: none]
    #[arg(short, long, hide = true, value_name = "FILE")]
    output: Option<OsString>,

    /// File for stderr as well [env: PMR_ERROR] [default: none]
    #[arg(short, long, hide = true, value_name = "FILE")]
    error: Option<OsString>,

    /// File for both [env: PMR_LOG] [default: none]
    #[arg(short, long, hide = true, value_name = "FILE")]
    log: Option<OsString>,

    /// File for the process id [env: PMR_PID] [default: none]
    #[arg(short, long, hide = true, value_name = "FILE")]
    pid: Option<OsString>,

    /// All instances write to one file [env: PMR_MERGE_LOGS=true]
    #[arg(long, alias = "combine-logs", hide = true)]
    merge_logs: bool,

    /// Show no lines of workers [env: PMR_DISABLE_LOGS=true]
    #[arg(long, hide = true)]
    disable_logs: bool,

    /// `json` for JSON, in files too [env: PMR_LOG_TYPE] [default: --log-format]
    #[arg(long, hide = true, value_name = "json|raw")]
    log_type: Option<OsString>,

    /// Time before lines, as YYYY-MM-DD HH:mm:ss [env: PMR_LOG_DATE_FORMAT] [default: none]
    #[arg(long, hide = true, value_name = "FORM", allow_hyphen_values = true)]
    log_date_format: Option<OsString>,

    /// The time before each line [env: PMR_TIME=true]
    #[arg(long, hide = true)]
    time: bool,

    /// How workers share the port [env: PMR_SHARE] [default: auto]
    #[arg(long, value_name = "WAY")]
    share: Option<OsString>,

    /// Who gets a new connection [env: PMR_BALANCE] [default: shared]
    #[arg(long, value_name = "shared|even|sticky")]
    balance: Option<OsString>,

    /// Avoid who accepts nothing for so long [env: PMR_STALL_AFTER] [default: 100ms]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    stall_after: Option<OsString>,

    /// Reload when files change [env: PMR_WATCH] [default: false]
    #[arg(long, value_name = "PATHS", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    watch: Option<OsString>,

    /// What is not watched [env: PMR_IGNORE_WATCH] [default: none]
    #[arg(long, hide = true, value_name = "PATTERNS")]
    ignore_watch: Option<OsString>,

    /// Quiet before a reload [env: PMR_WATCH_DELAY] [default: 200ms]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    watch_delay: Option<OsString>,

    /// Look for changes so often [env: PMR_WATCH_POLL] [default: off]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    watch_poll: Option<OsString>,

    /// Who is told of crashes [env: PMR_ON_CRASH] [default: nobody]
    #[arg(long, hide = true, value_name = "URL|COMMAND", allow_hyphen_values = true)]
    on_crash: Option<OsString>,

    /// What SIGHUP does [env: PMR_ON_HUP] [default: reload]
    #[arg(long, value_name = "reload|forward")]
    on_hup: Option<OsString>,

    /// Workers kept in reserve [env: PMR_STANDBY] [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    standby: Option<OsString>,

    /// How to reload [env: PMR_RELOAD_STRATEGY] [default: rolling]
    #[arg(long, value_name = "STRATEGY")]
    reload_strategy: Option<OsString>,

    /// How much we say [env: PMR_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<OsString>,

    /// Push no figures, whatever OTEL_... say [env: PMR_OTLP=false]
    #[arg(long, hide = true)]
    no_otlp: bool,

    /// Stay when all apps are over [env: PMR_AUTO_EXIT=false]
    #[arg(long, hide = true)]
    no_auto_exit: bool,

    /// Wait before the start, in seconds [env: PMR_DELAY] [default: 0]
    #[arg(long, hide = true, value_name = "T", allow_hyphen_values = true)]
    delay: Option<OsString>,

    /// Stay in the foreground, as we do unless called `pmr`
    #[arg(long, hide = true)]
    no_daemon: bool,

    #[command(flatten)]
    pub(super) web: Web,

    #[command(flatten)]
    pub(super) foreign: Given,
}

impl From<Options> for Flags {
    fn from(mut options: Options) -> Self {
        let shortcut = log_shortcut(&options);
        let of_runtime = of_runtime(&mut options);
        Self {
            instances: options.instances,
            name: options.name,
            drain_timeout: options.drain_timeout,
            kill_timeout: options.kill_timeout,
            shutdown_delay: options.shutdown_delay,
            kill_signal: options.kill_signal,
            no_treekill: options.no_treekill,
            shutdown_with_message: options.shutdown_with_message,
            pre_start: options.pre_start,
            pre_start_timeout: options.pre_start_timeout,
            no_autostart: options.no_autostart,
            no_autorestart: options.no_autorestart,
            stop_exit_codes: options.stop_exit_codes,
            cron_restart: options.cron_restart,
            max_restarts: options.max_restarts,
            min_uptime: options.min_uptime,
            restart_delay: options.restart_delay,
            exp_backoff_restart_delay: options.exp_backoff_restart_delay,
            wait_ready: options.wait_ready,
            listen_timeout: options.listen_timeout,
            watchdog: options.watchdog,
            health: options.health,
            health_interval: options.health_interval,
            health_timeout: options.health_timeout,
            health_retries: options.health_retries,
            health_start_period: options.health_start_period,
            kill_stalled: options.kill_stalled,
            max_memory_restart: options.max_memory_restart,
            no_memory_guard: options.no_memory_guard,
            interpreter: options.interpreter,
            interpreter_args: options.interpreter_args,
            source_map_support: options.source_map_support,
            cwd: options.cwd,
            no_resolve: options.no_resolve,
            no_agent: options.no_agent,
            uid: options.uid,
            gid: options.gid,
            log_format: shortcut.map(OsString::from).or(options.log_format),
            share: options.share,
            balance: options.balance,
            stall_after: options.stall_after,
            watch: options.watch,
            ignore_watch: options.ignore_watch,
            watch_delay: options.watch_delay,
            watch_poll: options.watch_poll,
            on_crash: options.on_crash,
            on_hup: options.on_hup,
            standby: options.standby,
            reload_strategy: options.reload_strategy,
            remarks: Vec::new(),
            ..of_runtime
        }
    }
}

/// Those of the runtime as a whole, and where lines go; and no others.
fn of_runtime(options: &mut Options) -> Flags {
    Flags {
        log_level: options.log_level.take(),
        no_otlp: options.no_otlp,
        no_auto_exit: options.no_auto_exit,
        delay: options.delay.take(),
        web: options.web.web.take(),
        web_read_only: options.web.web_read_only,
        history: options.web.history,
        ..of_logs(options)
    }
}

/// The form of lines that an option of its own asks for.
fn log_shortcut(options: &Options) -> Option<&'static str> {
    let shortcuts = [
        (options.raw, "raw"),
        (options.json, "json"),
        (options.formatted, "text"),
        (options.format, "fields"),
    ];
    shortcuts.into_iter().find(|(given, _)| *given).map(|(_, form)| form)
}

/// Those that say where lines go and what they look like, and no others.
fn of_logs(options: &mut Options) -> Flags {
    Flags {
        output: options.output.take(),
        error: options.error.take(),
        log: options.log.take(),
        pid: options.pid.take(),
        merge_logs: options.merge_logs,
        disable_logs: options.disable_logs,
        log_type: options.log_type.take(),
        log_date_format: options.log_date_format.take(),
        time: options.time,
        ..Flags::default()
    }
}
