//! The command line's grammar: our options, then the app's command, which is never looked into.
//!
//! `pmr-runtime [OPTIONS] COMMAND [ARGS]...`: from COMMAND on, every word is the app's. With a file that needs an
//! interpreter, and after `start`, pm2's grammar holds: our options may follow the file, and `--` ends them.
//! Values stay text; `config::resolve` judges them.

mod configuration;
pub mod foreign;
mod joined;
mod usage;
mod web;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};

use crate::config::interpreter::{self, Found, Look};
use crate::config::raw::{Flags, Invocation};
use crate::ecosystem::declaration::select::FileRequest;
pub use usage::UsageError;

/// Our own options. Every one has a twin in the environment, named in its help. What only refines another is hidden there,
/// lest the help outgrow a screen; the documentation has all.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Workers [env: PMR_INSTANCES] [default: WEB_CONCURRENCY, or auto]
    #[arg(short, long, value_name = "N|max|auto", allow_hyphen_values = true)]
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
    cwd: Option<OsString>,

    /// Run scripts of package.json by npm, yarn, ... [env: PMR_RESOLVE=false]
    #[arg(long, hide = true)]
    no_resolve: bool,

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
    web: web::Web,

    #[command(flatten)]
    foreign: foreign::Given,
}

/// What is said of a configuration file.
#[derive(Debug, Clone, Args)]
struct OfFile {
    /// Only these apps of the file
    #[arg(long, value_name = "APP,APP", hide = true)]
    only: Option<String>,

    /// Lay the variables of `env_NAME` over those of `env`
    #[arg(long = "env", value_name = "NAME", hide = true)]
    environment: Option<String>,
}

const USAGE: &str = "\
pmr-runtime [OPTIONS] COMMAND [ARGS]...
       pmr-runtime [OPTIONS] FILE [OPTIONS] [-- ARGS...]
       pmr-runtime start [OPTIONS] FILE [OPTIONS] [-- ARGS...]
       pmr-runtime start [OPTIONS] [ecosystem.config.js|Procfile] [--only APP,APP] [--env NAME] [-m APP=N]";

const EXAMPLES: &str = "\
A flag goes before its variable. With neither WEB_CONCURRENCY nor PORT set, one worker runs.
T is a time: 1600 (milliseconds), 1600ms, 5s, 2m or 1h; LEVEL error, warn, info, debug or trace;
WAY auto, cluster, intercept, activation, reuseport or none; STRATEGY rolling or fleet; SIZE 300M or 1.5G;
CHECK /path, http://:PORT/path, tcp or cmd:COMMAND (times: --health-interval, --health-timeout, ...).

Examples:
  pmr-runtime node server.js --inspect       every word after COMMAND is the app's
  pmr-runtime server.js -i 4 -- --inspect    a FILE: the app's words stand after --
  web: pmr-runtime node server.js            in a Procfile
  ENTRYPOINT [\"pmr-runtime\"]                 in a Dockerfile, with CMD [\"node\", \"server.js\"]";

/// The grammar of files, which is that of pm2.
#[cfg(test)]
pub(super) fn file_grammar() -> clap::Command {
    FileLine::command()
}

/// COMMAND and all that follows it, which is not looked into.
#[derive(Debug, Parser)]
#[command(
    name = "pmr-runtime",
    version,
    about = "Runs your server on every core, in the foreground, as PID 1 or not",
    override_usage = USAGE,
    after_help = EXAMPLES,
    args_override_self = true,
    max_term_width = 110
)]
struct CommandLine {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    of_file: OfFile,

    /// What to run, with all its words; or a file, run by the interpreter for its extension
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    words: Vec<OsString>,
}

/// pm2's grammar: options before and after the file, the app's words after `--`.
#[derive(Debug, Parser)]
#[command(name = "pmr-runtime", version, override_usage = USAGE, args_override_self = true)]
struct FileLine {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    of_file: OfFile,

    #[arg(value_name = "FILE")]
    words: Vec<OsString>,

    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// What a command line asks for, other than a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Run(Box<Invocation>),
    /// The apps of a configuration file.
    Configuration(Box<FileRequest>),
    /// `--help`: this text is to be shown.
    Help(String),
    /// `--version`: this text is to be shown.
    Version(String),
}

/// Reads a command line, of which the first word is our own name. `look` says what there is, seen from the directory of
/// `--cwd` if that was given.
///
/// # Errors
/// When the words follow no rule of the grammar.
pub fn parse(argv: impl IntoIterator<Item = OsString>, look: &Look<'_>) -> Result<Request, UsageError> {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    let line: CommandLine = match read(CommandLine::command(), &argv) {
        Ok(Read::Line(line)) => line,
        Ok(Read::Asked(request)) => return Ok(request),
        // What is said of a configuration file may stand before it.
        Err(error) => return configuration::line(&argv, false, look).unwrap_or(Err(error)),
    };
    let Some(command) = line.words.first() else {
        return Err(UsageError::NoCommand { help: help() });
    };
    let first = argv.len() - line.words.len();
    if joined::web(&mut argv, first) {
        return parse(argv, look);
    }
    let ended = first > 1 && argv[first - 1] == "--";
    let start = !ended && command == "start";
    let cwd = line.options.cwd.as_deref().map(Path::new);
    if !start && (ended || !needs_interpreter(command, cwd, look)) {
        return Ok(command_line(line, &argv, ended, look));
    }
    if start {
        argv.remove(first);
    }
    joined::all(&mut argv, first);
    if let Some(outcome) = configuration::line(&argv, start, look) {
        return outcome;
    }
    file_line(&argv, start)
}

/// The whole help text.
#[must_use]
pub fn help() -> String {
    CommandLine::command().render_help().to_string()
}

/// A file that needs an interpreter, which may be node by its content, or a directory that node runs.
fn needs_interpreter(command: &OsString, cwd: Option<&Path>, look: &Look<'_>) -> bool {
    let file = Path::new(command);
    let by_name = interpreter::candidates(file).is_some() || interpreter::is_configuration(file);
    by_name && look(cwd, file) != Found::Nothing
        || interpreter::is_package(file, &|file| look(cwd, file) != Found::Nothing)
}

/// A command with all its words. Where its words are but options of ours, pm2's users mean them so, and the program is asked
/// whether it can have any.
fn command_line(line: CommandLine, argv: &[OsString], ended: bool, look: &Look<'_>) -> Request {
    let CommandLine { options, of_file, words } = line;
    let cwd = options.cwd.as_deref().map(Path::new);
    let has_options =
        words.get(1).is_some_and(|word| word.to_string_lossy().starts_with('-') && word != "--");
    if has_options
        && !ended
        && let Ok(Request::Run(meant)) = file_line(argv, false)
    {
        if has_no_options_like_ours(&words[0], cwd, look) {
            return Request::Run(meant);
        }
        let mut flags = with_remarks(options, of_file);
        if words[1].to_string_lossy().starts_with("--") {
            flags.remarks.push(mistaken(&words));
        }
        return run(flags, words, Vec::new(), false);
    }
    run(with_remarks(options, of_file), words, Vec::new(), false)
}

/// Package managers, in whose place their scripts get the words, and scripts that node runs, which are files like others.
fn has_no_options_like_ours(command: &OsString, cwd: Option<&Path>, look: &Look<'_>) -> bool {
    ["npm", "yarn", "pnpm"].iter().any(|manager| command == manager)
        || look(cwd, Path::new(command)) == Found::NodeScript
}

fn mistaken(words: &[OsString]) -> String {
    let (command, option) = (words[0].to_string_lossy(), words[1].to_string_lossy());
    format!(
        "`{option}` stands after the command, so it is a word of `{command}`; our own options stand before it"
    )
}

/// Reads the words of pm2's grammar; `argv` is without `start`.
fn file_line(argv: &[OsString], start: bool) -> Result<Request, UsageError> {
    let line: FileLine = match read(FileLine::command(), argv) {
        Ok(Read::Line(line)) => line,
        Ok(Read::Asked(request)) => return Ok(request),
        Err(UsageError::UnknownOption { option, nearest }) => {
            return Err(UsageError::UnknownOptionAfterFile { option, nearest });
        }
        Err(error) => return Err(error),
    };
    let mut words = line.words.into_iter();
    let Some(file) = words.next() else { return Err(UsageError::StartWithoutFile) };
    if let Some(word) = words.next() {
        return Err(UsageError::ExtraWord {
            word: word.to_string_lossy().into_owned(),
            file: file.to_string_lossy().into_owned(),
            start,
        });
    }
    Ok(run(with_remarks(line.options, line.of_file), vec![file], line.arguments, start))
}

fn run(flags: Flags, words: Vec<OsString>, more: Vec<OsString>, start: bool) -> Request {
    let mut words = words.into_iter().chain(more);
    let command = words.next().unwrap_or_default();
    Request::Run(Box::new(Invocation { flags, command, arguments: words.collect(), start }))
}

/// The options, and what people should know of those that have no effect.
fn with_remarks(options: Options, of_file: OfFile) -> Flags {
    let mut remarks = remarks(&options.foreign, &options.web);
    let without_file = [("--only", of_file.only), ("--env", of_file.environment)];
    for (option, _) in without_file.iter().filter(|(_, value)| value.is_some()) {
        remarks
            .push(format!("`{option}` has no effect: it chooses among what a configuration file declares"));
    }
    Flags { remarks, ..options.into() }
}

fn remarks(foreign: &foreign::Given, web: &web::Web) -> Vec<String> {
    foreign.remarks().chain(web.remark()).collect()
}

enum Read<T> {
    Line(T),
    Asked(Request),
}

fn read<T: FromArgMatches>(command: clap::Command, argv: &[OsString]) -> Result<Read<T>, UsageError> {
    match matches(command, argv)? {
        Read::Line(matches) => Ok(Read::Line(T::from_arg_matches(&matches)?)),
        Read::Asked(request) => Ok(Read::Asked(request)),
    }
}

fn matches(command: clap::Command, argv: &[OsString]) -> Result<Read<ArgMatches>, UsageError> {
    match command.try_get_matches_from(argv) {
        Ok(matches) => Ok(Read::Line(matches)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => Ok(Read::Asked(Request::Help(help()))),
            ErrorKind::DisplayVersion => Ok(Read::Asked(Request::Version(error.to_string()))),
            _ => Err(UsageError::from(error)),
        },
    }
}

impl From<Options> for Flags {
    fn from(mut options: Options) -> Self {
        let shortcuts = [
            (options.raw, "raw"),
            (options.json, "json"),
            (options.formatted, "text"),
            (options.format, "fields"),
        ];
        let shortcut = shortcuts.into_iter().find(|(given, _)| *given).map(|(_, form)| form);
        let of_logs = of_logs(&mut options);
        Self {
            instances: options.instances,
            name: options.name,
            drain_timeout: options.drain_timeout,
            kill_timeout: options.kill_timeout,
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
            interpreter: options.interpreter,
            interpreter_args: options.interpreter_args,
            source_map_support: options.source_map_support,
            cwd: options.cwd,
            no_resolve: options.no_resolve,
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
            on_hup: options.on_hup,
            standby: options.standby,
            reload_strategy: options.reload_strategy,
            log_level: options.log_level,
            no_auto_exit: options.no_auto_exit,
            delay: options.delay,
            remarks: Vec::new(),
            ..of_logs
        }
    }
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

#[cfg(test)]
mod tests;
