//! The names of our options: the flag and its twin in the environment.

/// An option of ours by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name in tables: `kill-timeout`.
    pub name: &'static str,
    /// The option of the command line: `--kill-timeout`.
    pub flag: &'static str,
    /// The environment variable: `PMR_KILL_TIMEOUT`.
    pub variable: &'static str,
}

const fn setting(name: &'static str, flag: &'static str, variable: &'static str) -> Setting {
    Setting { name, flag, variable }
}

pub const INSTANCES: Setting = setting("instances", "--instances", "PMR_INSTANCES");
pub const NAME: Setting = setting("name", "--name", "PMR_NAME");
pub const DRAIN_TIMEOUT: Setting = setting("drain-timeout", "--drain-timeout", "PMR_DRAIN_TIMEOUT");
pub const KILL_TIMEOUT: Setting = setting("kill-timeout", "--kill-timeout", "PMR_KILL_TIMEOUT");
pub const SHUTDOWN_DELAY: Setting = setting("shutdown-delay", "--shutdown-delay", "PMR_SHUTDOWN_DELAY");
pub const KILL_SIGNAL: Setting = setting("kill-signal", "--kill-signal", "PMR_KILL_SIGNAL");
pub const TREEKILL: Setting = setting("treekill", "--no-treekill", "PMR_TREEKILL");
pub const SHUTDOWN_WITH_MESSAGE: Setting =
    setting("shutdown-with-message", "--shutdown-with-message", "PMR_SHUTDOWN_WITH_MESSAGE");
pub const AUTORESTART: Setting = setting("autorestart", "--no-autorestart", "PMR_AUTORESTART");
pub const STOP_EXIT_CODES: Setting = setting("stop-exit-codes", "--stop-exit-codes", "PMR_STOP_EXIT_CODES");
pub const CRON_RESTART: Setting = setting("cron-restart", "--cron-restart", "PMR_CRON_RESTART");
pub const AUTOSTART: Setting = setting("autostart", "--no-autostart", "PMR_AUTOSTART");
pub const PRE_START: Setting = setting("pre-start", "--pre-start", "PMR_PRE_START");
pub const PRE_START_TIMEOUT: Setting =
    setting("pre-start-timeout", "--pre-start-timeout", "PMR_PRE_START_TIMEOUT");
pub const MAX_RESTARTS: Setting = setting("max-restarts", "--max-restarts", "PMR_MAX_RESTARTS");
pub const MIN_UPTIME: Setting = setting("min-uptime", "--min-uptime", "PMR_MIN_UPTIME");
pub const RESTART_DELAY: Setting = setting("restart-delay", "--restart-delay", "PMR_RESTART_DELAY");
pub const EXP_BACKOFF_RESTART_DELAY: Setting =
    setting("exp-backoff-restart-delay", "--exp-backoff-restart-delay", "PMR_EXP_BACKOFF_RESTART_DELAY");
pub const WAIT_READY: Setting = setting("wait-ready", "--wait-ready", "PMR_WAIT_READY");
pub const LISTEN_TIMEOUT: Setting = setting("listen-timeout", "--listen-timeout", "PMR_LISTEN_TIMEOUT");
pub const WATCHDOG: Setting = setting("watchdog", "--watchdog", "PMR_WATCHDOG");
pub const HEALTH: Setting = setting("health", "--health", "PMR_HEALTH");
pub const HEALTH_INTERVAL: Setting = setting("health-interval", "--health-interval", "PMR_HEALTH_INTERVAL");
pub const HEALTH_TIMEOUT: Setting = setting("health-timeout", "--health-timeout", "PMR_HEALTH_TIMEOUT");
pub const HEALTH_RETRIES: Setting = setting("health-retries", "--health-retries", "PMR_HEALTH_RETRIES");
pub const HEALTH_START_PERIOD: Setting =
    setting("health-start-period", "--health-start-period", "PMR_HEALTH_START_PERIOD");
pub const KILL_STALLED: Setting = setting("kill-stalled", "--kill-stalled", "PMR_KILL_STALLED");
pub const MAX_MEMORY_RESTART: Setting =
    setting("max-memory-restart", "--max-memory-restart", "PMR_MAX_MEMORY_RESTART");
pub const MEMORY_GUARD: Setting = setting("memory-guard", "--no-memory-guard", "PMR_MEMORY_GUARD");
pub const ON_CRASH: Setting = setting("on-crash", "--on-crash", "PMR_ON_CRASH");
pub const INTERPRETER: Setting = setting("interpreter", "--interpreter", "PMR_INTERPRETER");
pub const INTERPRETER_ARGS: Setting =
    setting("interpreter-args", "--interpreter-args", "PMR_INTERPRETER_ARGS");
pub const SOURCE_MAP_SUPPORT: Setting =
    setting("source-map-support", "--source-map-support", "PMR_SOURCE_MAP_SUPPORT");
pub const CWD: Setting = setting("cwd", "--cwd", "PMR_CWD");
pub const RESOLVE: Setting = setting("resolve", "--no-resolve", "PMR_RESOLVE");
pub const AGENT: Setting = setting("agent", "--no-agent", "PMR_AGENT");
pub const UID: Setting = setting("uid", "--uid", "PMR_UID");
pub const GID: Setting = setting("gid", "--gid", "PMR_GID");
pub const LOG_FORMAT: Setting = setting("log-format", "--log-format", "PMR_LOG_FORMAT");
pub const OUTPUT: Setting = setting("output", "--output", "PMR_OUTPUT");
pub const ERROR: Setting = setting("error", "--error", "PMR_ERROR");
pub const LOG: Setting = setting("log", "--log", "PMR_LOG");
pub const PID: Setting = setting("pid", "--pid", "PMR_PID");
pub const MERGE_LOGS: Setting = setting("merge-logs", "--merge-logs", "PMR_MERGE_LOGS");
pub const DISABLE_LOGS: Setting = setting("disable-logs", "--disable-logs", "PMR_DISABLE_LOGS");
pub const LOG_TYPE: Setting = setting("log-type", "--log-type", "PMR_LOG_TYPE");
pub const LOG_DATE_FORMAT: Setting = setting("log-date-format", "--log-date-format", "PMR_LOG_DATE_FORMAT");
pub const TIME: Setting = setting("time", "--time", "PMR_TIME");
pub const SHARE: Setting = setting("share", "--share", "PMR_SHARE");
pub const BALANCE: Setting = setting("balance", "--balance", "PMR_BALANCE");
pub const STALL_AFTER: Setting = setting("stall-after", "--stall-after", "PMR_STALL_AFTER");
pub const WATCH: Setting = setting("watch", "--watch", "PMR_WATCH");
pub const IGNORE_WATCH: Setting = setting("ignore-watch", "--ignore-watch", "PMR_IGNORE_WATCH");
pub const WATCH_DELAY: Setting = setting("watch-delay", "--watch-delay", "PMR_WATCH_DELAY");
pub const WATCH_POLL: Setting = setting("watch-poll", "--watch-poll", "PMR_WATCH_POLL");
pub const ON_HUP: Setting = setting("on-hup", "--on-hup", "PMR_ON_HUP");
pub const STANDBY: Setting = setting("standby", "--standby", "PMR_STANDBY");
pub const RELOAD_STRATEGY: Setting = setting("reload-strategy", "--reload-strategy", "PMR_RELOAD_STRATEGY");
pub const LOG_LEVEL: Setting = setting("log-level", "--log-level", "PMR_LOG_LEVEL");
pub const OTLP: Setting = setting("otlp", "--no-otlp", "PMR_OTLP");
pub const AUTO_EXIT: Setting = setting("auto-exit", "--no-auto-exit", "PMR_AUTO_EXIT");
pub const DELAY: Setting = setting("delay", "--delay", "PMR_DELAY");
pub const WEB: Setting = setting("web", "--web", "PMR_WEB");
pub const WEB_READ_ONLY: Setting = setting("web-read-only", "--web-read-only", "PMR_WEB_READ_ONLY");
pub const HISTORY: Setting = setting("history", "--history", "PMR_HISTORY");

/// Those that say how workers are watched.
pub const HEALTH_SETTINGS: [Setting; 9] = [
    WATCHDOG,
    HEALTH,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_RETRIES,
    HEALTH_START_PERIOD,
    KILL_STALLED,
    MAX_MEMORY_RESTART,
    MEMORY_GUARD,
];

/// Those that say where lines go and what they look like.
pub const LOG_SETTINGS: [Setting; 9] =
    [OUTPUT, ERROR, LOG, PID, MERGE_LOGS, DISABLE_LOGS, LOG_TYPE, LOG_DATE_FORMAT, TIME];

/// Those that say which files are watched.
pub const WATCH_SETTINGS: [Setting; 4] = [WATCH, IGNORE_WATCH, WATCH_DELAY, WATCH_POLL];

/// All of them, in the order of the help text.
pub const ALL: [Setting; 65] = [
    INSTANCES,
    NAME,
    DRAIN_TIMEOUT,
    KILL_TIMEOUT,
    SHUTDOWN_DELAY,
    KILL_SIGNAL,
    TREEKILL,
    SHUTDOWN_WITH_MESSAGE,
    PRE_START,
    PRE_START_TIMEOUT,
    AUTOSTART,
    AUTORESTART,
    STOP_EXIT_CODES,
    CRON_RESTART,
    MAX_RESTARTS,
    MIN_UPTIME,
    RESTART_DELAY,
    EXP_BACKOFF_RESTART_DELAY,
    WAIT_READY,
    LISTEN_TIMEOUT,
    WATCHDOG,
    HEALTH,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_RETRIES,
    HEALTH_START_PERIOD,
    KILL_STALLED,
    MAX_MEMORY_RESTART,
    MEMORY_GUARD,
    ON_CRASH,
    INTERPRETER,
    INTERPRETER_ARGS,
    SOURCE_MAP_SUPPORT,
    CWD,
    RESOLVE,
    AGENT,
    UID,
    GID,
    LOG_FORMAT,
    OUTPUT,
    ERROR,
    LOG,
    PID,
    MERGE_LOGS,
    DISABLE_LOGS,
    LOG_TYPE,
    LOG_DATE_FORMAT,
    TIME,
    SHARE,
    BALANCE,
    STALL_AFTER,
    WATCH,
    IGNORE_WATCH,
    WATCH_DELAY,
    WATCH_POLL,
    ON_HUP,
    STANDBY,
    RELOAD_STRATEGY,
    LOG_LEVEL,
    OTLP,
    AUTO_EXIT,
    DELAY,
    WEB,
    WEB_READ_ONLY,
    HISTORY,
];
