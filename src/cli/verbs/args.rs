//! The grammar of `pmr VERB …`. Only types; each verb's work is in a file of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::api::insight::{MOST_SECONDS, SECONDS};
use crate::cli::render::sort::Order;
use crate::config::duration;
use crate::ecosystem::declaration::example::{EXAMPLES, Example};

const AFTER_HELP: &str = "\
TARGET is the name of an app, the number of an instance, a namespace, `all`, or /a regular expression/.
With start, stop, restart, reload and delete, a configuration file stands for its apps.
`pmr help VERB` shows a verb's options and an example.

Exit status: 0 done, 1 not done or unknown, 2 wrong words.";

/// `pmr VERB …`
#[derive(Debug, Parser)]
#[command(
    name = "pmr",
    bin_name = "pmr",
    version,
    about = "Talks to a running pmr-runtime, or begins one in the background",
    after_help = AFTER_HELP,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    disable_version_flag = true,
    max_term_width = 110
)]
pub(in crate::cli) struct CommandLine {
    #[command(flatten)]
    pub(super) common: Common,

    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// The runtime's home or its socket [env: PMR_HOME]
    #[arg(long, value_name = "DIR|SOCKET", global = true)]
    pub(super) home: Option<PathBuf>,
}

/// The verbs. Aliases are pm2's.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Adds an app, or starts one that was stopped; begins a runtime for it
    #[command(override_usage = START_USAGE, after_help = START_EXAMPLES)]
    Start(Start),

    /// Asks workers to end; the app stays in the list
    #[command(after_help = "Examples:\n  pmr stop web\n  pmr stop ecosystem.config.js --only web,jobs")]
    Stop(Operate),

    /// Stops, then starts again; `reload` does so without a gap
    #[command(
        visible_alias = "startOrRestart",
        after_help = "Examples:\n  pmr restart web --update-env\n  pmr restart ecosystem.config.js"
    )]
    Restart(Restart),

    /// Replaces workers one by one by new ones, without a gap
    #[command(visible_alias = "startOrReload", alias = "startOrGracefulReload", after_help = RELOAD_EXAMPLES)]
    Reload(Reload),

    /// Stops an app and forgets it
    #[command(visible_aliases = ["del", "rm"], after_help = "Example:\n  pmr delete jobs")]
    Delete(Operate),

    /// Sets how many instances an app has
    #[command(after_help = "Examples:\n  pmr scale web 4\n  pmr scale web +2\n  pmr scale web -1")]
    Scale(Scale),

    /// Shows all instances in a table
    #[command(visible_aliases = ["ls", "l", "status", "ps"], after_help = "Example:\n  pmr list --sort memory:desc")]
    List(List),

    /// Shows all instances as JSON, in pm2's form
    Jlist(Nothing),

    /// As `jlist`, indented
    Prettylist(Nothing),

    /// Shows all that is known of an app
    #[command(visible_aliases = ["describe", "desc", "info"], after_help = "Example:\n  pmr show web")]
    Show(Show),

    /// Shows the last lines of logs, then those that come
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),

    /// Opens a dashboard in the terminal
    #[command(visible_aliases = ["dash", "dashboard"])]
    Monit(Nothing),

    /// Sends a signal to the first process of each worker
    #[command(visible_alias = "sendSignal", after_help = "Example:\n  pmr signal USR2 web")]
    Signal(Signal),

    /// Calls an action that the app has registered, and prints what it answers
    #[command(after_help = TRIGGER_EXAMPLES)]
    Trigger(Trigger),

    /// Sends the app a message, for `process.on('message', …)`
    #[command(after_help = SEND_EXAMPLES)]
    Send(Send),

    /// Sets the counters of restarts to zero
    #[command(after_help = "Example:\n  pmr reset all")]
    Reset(Change),

    /// Empties log files and forgets the lines that were kept
    #[command(after_help = "Example:\n  pmr flush web")]
    Flush(Flush),

    /// Shows the environment of workers, without values that look secret
    #[command(after_help = "Example:\n  pmr env 0 --reveal")]
    Env(Env),

    /// Prints the numbers of an app's instances
    #[command(after_help = "Example:\n  pmr id web")]
    Id(Id),

    /// Prints process ids, one a line: those of an app's workers, or of all
    #[command(after_help = "Example:\n  kill -USR2 $(pmr pid web)")]
    Pid(Pid),

    /// Asks whether the runtime answers
    Ping(Json),

    /// Shows what happens, as it happens
    #[command(after_help = "Example:\n  pmr events --json")]
    Events(Json),

    /// Shows the workers that died abnormally, or one of them with all that is known
    #[command(after_help = "Examples:\n  pmr crashes\n  pmr crashes 7")]
    Crashes(Crashes),

    /// Stops all apps and ends the runtime
    Kill(Progress),

    /// Writes down which apps there are, for `resurrect`
    #[command(visible_alias = "dump")]
    Save(Progress),

    /// Starts the apps that were saved
    Resurrect(Resurrect),

    /// Installs a systemd unit that brings the saved apps back at boot
    #[command(after_help = "Example:\n  pmr save && sudo pmr startup --user $USER")]
    Startup(Startup),

    /// Removes what `startup` has installed
    Unstartup(Startup),

    /// Prints the versions of this program and of the runtime
    Version(Json),

    /// Puts a new executable into the place of the running one; workers go on
    #[command(after_help = "Example:\n  pmr update --executable /opt/pmr-runtime-new")]
    Update(Update),

    /// Writes all that is on the heap of a Node worker into a file
    #[command(after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(Snapshot),

    /// Writes a profile of a Node worker into a file: where its time goes, or its memory
    #[command(after_help = PROFILE_EXAMPLES)]
    Profile(Profile),

    /// Prints what belongs into a report of a problem, without secrets; of a TARGET, Node's own report
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),

    /// Checks a configuration file
    #[command(after_help = "Example:\n  pmr validate ecosystem.config.js --env production")]
    Validate(Validate),

    /// Writes an example of a configuration file
    #[command(visible_alias = "ecosystem", after_help = "Example:\n  pmr init yaml")]
    Init(Init),

    /// Prints a script that completes verbs and options in a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion(Completion),
}

const START_USAGE: &str = "\
pmr start [OPTIONS] FILE|PROGRAM [APP OPTIONS] [-- ARGS...]
       pmr start [OPTIONS] ecosystem.config.js [--only APP,APP] [--env NAME] [APP OPTIONS]
       pmr start [OPTIONS] Procfile [--formation APP=N,APP=N] [--env-file FILE] [APP OPTIONS]
       pmr start [OPTIONS] TARGET";

const START_EXAMPLES: &str = "\
APP OPTIONS are those of `pmr-runtime --help`: `-i 4`, `--name web`, …

Examples:
  pmr start server.js -i 4 --name web     a new app, with this directory and environment
  pmr start npm --name web -- start       the words of the program itself stand after --
  pmr start web                           one that was stopped";

const RELOAD_EXAMPLES: &str = "\
Where a new worker does not become ready, the reload is called off and the old workers go on.

Examples:
  pmr reload web
  pmr reload web --dry-run && pmr reload web --parallel 2
  pmr reload web --strategy fleet
  pmr reload ecosystem.config.js --env production";

const LOGS_EXAMPLES: &str = "\
Times are UTC; FMT is strftime's (%H:%M:%S) or pm2's (HH:mm:ss).

Examples:
  pmr logs web --lines 100
  pmr logs --err --json --nostream";

const TRIGGER_EXAMPLES: &str = "\
Actions are registered with @pm2/io, tx2 or pmx; `pmr show TARGET` lists them.

Examples:
  pmr trigger web refresh
  pmr trigger web 'drop user' 4711 --json";

const SEND_EXAMPLES: &str = "\
DATA is read as JSON, and taken as text where it is none. The app gets { type: 'process:msg', topic, data, id }, as from pm2's
sendDataToProcessId.

Examples:
  pmr send web '{\"level\": \"debug\"}' --topic log
  pmr send web reload-templates --bare";

const SNAPSHOT_EXAMPLES: &str = "\
The worker stands still meanwhile, and takes many times its heap in memory: docs/node-tools.md. What is on its heap,
secrets too, is in the file. Chrome's DevTools (Memory) read it.

Examples:
  pmr snapshot web
  pmr snapshot 3 -o before.heapsnapshot";

const PROFILE_EXAMPLES: &str = "\
Chrome's DevTools, Visual Studio Code and speedscope read it.

Examples:
  pmr profile web
  pmr profile web --seconds 30 -o slow.cpuprofile
  pmr profile 3 --heap";

const REPORT_EXAMPLES: &str = "\
Of a TARGET it is Node's diagnostic report: stacks, heap, handles, limits; without the environment.

Examples:
  pmr report > report.txt
  pmr report web -o -";

const COMPLETION_EXAMPLES: &str = "\
`pmr-runtime completion SHELL` does so for the options of pmr-runtime.

Example:
  pmr completion bash > /etc/bash_completion.d/pmr";

/// How `pmr logs --timestamp` writes times.
pub(super) const DEFAULT_TIMES: &str = "%Y-%m-%dT%H:%M:%S";

/// A result may be wanted by a program.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How much is told of something that takes its time.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Progress {
    /// Print the verdict as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Tell what happens even where standard error is no terminal
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct Nothing {}

#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// Accepted for the sake of `pmr-runtime start --daemon`
    #[arg(short, long, hide = true)]
    pub(super) daemon: bool,

    /// What to run, with its options and words; or what was stopped
    #[arg(value_name = "WORDS", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// Which
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,
}

/// Which apps of a configuration file, where a TARGET is one.
#[derive(Debug, Clone, Args)]
pub(super) struct OfFile {
    /// Only these apps of a file
    #[arg(long, value_name = "APP,APP")]
    pub(super) only: Option<String>,

    /// Lay the variables of `env_NAME` over those of `env`
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<String>,

    /// How many of each app of a file, and none of the others
    #[arg(short = 'm', long, value_name = "APP=N,APP=N")]
    pub(super) formation: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Operate {
    #[command(flatten)]
    pub(super) change: Change,

    #[command(flatten)]
    pub(super) of_file: OfFile,
}

#[derive(Debug, Args)]
pub(super) struct Restart {
    #[command(flatten)]
    pub(super) change: Change,

    #[command(flatten)]
    pub(super) of_file: OfFile,

    /// Give the new workers the environment of this command
    #[arg(short = 'a', long)]
    pub(super) update_env: bool,
}

#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    pub(super) change: Change,

    #[command(flatten)]
    pub(super) of_file: OfFile,

    /// One after the other, or the whole new generation in one step [default: --reload-strategy]
    #[arg(long, value_name = "rolling|fleet")]
    pub(super) strategy: Option<String>,

    /// How many instances at a time, of a rolling reload [default: 1]
    #[arg(long, value_name = "N|all")]
    pub(super) parallel: Option<String>,

    /// Boot one new worker, say how it went, and discard it
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Give the new workers the environment of this command
    #[arg(short = 'a', long)]
    pub(super) update_env: bool,
}

#[derive(Debug, Args)]
pub(super) struct Scale {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// Which app
    #[arg(value_name = "APP")]
    pub(super) app: String,

    /// How many, or how many more or fewer
    #[arg(value_name = "N|+N|-N", allow_hyphen_values = true)]
    pub(super) to: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) json: Json,

    /// Order by name, namespace, id, pid, memory, cpu, status, uptime or restarts
    #[arg(long, value_name = "FIELD[:asc|desc]", default_value = "name", hide_default_value = true)]
    pub(super) sort: Order,

    /// Show it again every second
    #[arg(short, long, conflicts_with = "json")]
    pub(super) watch: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) json: Json,

    /// Which
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
}

#[derive(Debug, Args)]
pub(super) struct Crashes {
    #[command(flatten)]
    pub(super) json: Json,

    /// The number of one
    #[arg(value_name = "ID")]
    pub(super) id: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Whose; all, and the runtime's own, where absent
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,

    /// How many of the last lines come first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 15, value_parser = whole_number)]
    pub(super) lines: usize,

    /// Nothing but the lines
    #[arg(long, conflicts_with_all = ["json", "timestamp"])]
    pub(super) raw: bool,

    /// Print each line as JSON
    #[arg(long, conflicts_with_all = ["timestamp", "highlight"])]
    pub(super) json: bool,

    /// Only what was written to standard error
    #[arg(long, conflicts_with = "out")]
    pub(super) err: bool,

    /// Only what was written to standard output
    #[arg(long)]
    pub(super) out: bool,

    /// The time before each line [default of FMT: %Y-%m-%dT%H:%M:%S]
    #[arg(long, value_name = "FMT", num_args = 0..=1, default_missing_value = DEFAULT_TIMES)]
    pub(super) timestamp: Option<String>,

    /// Make a word stand out
    #[arg(long, value_name = "WORD")]
    pub(super) highlight: Option<String>,

    /// End after the last lines
    #[arg(long)]
    pub(super) nostream: bool,
}

#[derive(Debug, Args)]
pub(super) struct Signal {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// USR2, SIGUSR2 or 12
    #[arg(value_name = "SIGNAL")]
    pub(super) signal: String,

    /// Which
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Trigger {
    #[command(flatten)]
    pub(super) json: Json,

    /// How long an answer is waited for
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) timeout: Duration,

    /// Which
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// What to do
    #[arg(value_name = "ACTION")]
    pub(super) action: String,

    /// What the action is given
    #[arg(value_name = "PARAM", allow_hyphen_values = true)]
    pub(super) parameter: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// What it is about
    #[arg(long, value_name = "TOPIC", default_value = "message")]
    pub(super) topic: String,

    /// Send the data itself, and no more
    #[arg(long, conflicts_with = "topic")]
    pub(super) bare: bool,

    /// Which
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// What to send
    #[arg(value_name = "DATA", allow_hyphen_values = true)]
    pub(super) data: String,
}

/// Where a file goes.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Where to, `-` for standard output [default: APP-INSTANCE-TIME.KIND, here]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(flatten)]
    pub(super) output: Output,

    /// Which; of an app the first worker
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
}

#[derive(Debug, Args)]
pub(super) struct Profile {
    #[command(flatten)]
    pub(super) output: Output,

    /// How long it is watched, 300 at most
    #[arg(long, value_name = "N", default_value_t = SECONDS as u64, value_parser = clap::value_parser!(u64).range(1..=MOST_SECONDS as u64))]
    pub(super) seconds: u64,

    /// Who takes memory, not time
    #[arg(long)]
    pub(super) heap: bool,

    /// Which; of an app the first worker
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    /// Where to, `-` for standard output [default: APP-INSTANCE-TIME.json, here]
    #[arg(short, long, value_name = "FILE", requires = "target")]
    pub(super) output: Option<PathBuf>,

    /// Which Node worker; of an app the first
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Flush {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// Which [default: all]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Env {
    #[command(flatten)]
    pub(super) json: Json,

    /// Which
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// Show secret values, too
    #[arg(long)]
    pub(super) reveal: bool,
}

#[derive(Debug, Args)]
pub(super) struct Id {
    #[command(flatten)]
    pub(super) json: Json,

    /// Which app
    #[arg(value_name = "NAME")]
    pub(super) target: String,
}

#[derive(Debug, Args)]
pub(super) struct Pid {
    #[command(flatten)]
    pub(super) json: Json,

    /// Which app [default: all]
    #[arg(value_name = "NAME")]
    pub(super) target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Resurrect {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// Wait for the runtime rather than begin one
    #[arg(long, hide = true)]
    pub(super) wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct Startup {
    /// Only show the unit
    #[arg(long)]
    pub(super) print: bool,

    /// Whose apps they are [default: the caller's]
    #[arg(short, long, value_name = "USER")]
    pub(super) user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    #[command(flatten)]
    pub(super) progress: Progress,

    /// The new one [default: the running one's file, as it is now]
    #[arg(long, value_name = "PATH")]
    pub(super) executable: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Which [default: ecosystem.config.js and its like]
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// Only these apps of it
    #[arg(long, value_name = "APP,APP")]
    pub(super) only: Option<String>,

    /// Lay the variables of `env_NAME` over those of `env`
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<String>,

    /// How many of each app, and none of the others
    #[arg(short = 'm', long, value_name = "APP=N,APP=N")]
    pub(super) formation: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// How it is written
    #[arg(value_name = "js|cjs|mjs|ts|json|yaml|toml", default_value = "js", value_parser = form)]
    pub(super) form: Form,
}

/// How a new configuration file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form(pub(super) Example);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accepted: js, cjs, mjs, ts, json, yaml or toml")]
pub(super) struct NoForm;

fn form(text: &str) -> Result<Form, NoForm> {
    EXAMPLES.iter().find(|(word, _)| *word == text).map(|(_, example)| Form(*example)).ok_or(NoForm)
}

#[derive(Debug, Args)]
pub(super) struct Completion {
    /// For which shell
    #[arg(value_name = "bash|zsh|fish|elvish|powershell", hide_possible_values = true)]
    pub(super) shell: Shell,
}

/// Not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accepted: a whole number")]
pub(super) struct NoNumber;

fn whole_number(text: &str) -> Result<usize, NoNumber> {
    text.parse().map_err(|_| NoNumber)
}

/// Not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accepted: {}", duration::ACCEPTED_POSITIVE.0)]
pub(super) struct NoTime;

fn time(text: &str) -> Result<Duration, NoTime> {
    duration::parse_positive(text).map_err(|_| NoTime)
}

/// The whole grammar.
pub(in crate::cli) fn grammar() -> clap::Command {
    CommandLine::command()
}

/// Every word that is a verb: names and aliases.
#[cfg(test)]
pub(in crate::cli) fn verbs() -> Vec<String> {
    let grammar = grammar();
    let own = grammar.get_subcommands().flat_map(|verb| {
        std::iter::once(verb.get_name().to_owned()).chain(verb.get_all_aliases().map(str::to_owned))
    });
    own.chain(["help".to_owned()]).collect()
}
