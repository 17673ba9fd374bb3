//! The command line's grammar: our options, then the app's command, which is never looked into.
//!
//! `pmr-runtime [OPTIONS] COMMAND [ARGS]...`: from COMMAND on, every word is the app's. With a file that needs an
//! interpreter, and after `start`, pm2's grammar holds: our options may follow the file, and `--` ends them.
//! Values stay text; `config::resolve` judges them.

mod configuration;
pub mod foreign;
mod joined;
mod options;
mod usage;
mod web;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, ValueHint};

use crate::config::interpreter::{self, Found, Look};
use crate::config::raw::{Flags, Invocation};
use crate::ecosystem::declaration::select::FileRequest;
pub use options::Options;
pub use usage::UsageError;

/// What is said of a configuration file.
#[derive(Debug, Clone, Default, Args)]
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

/// The grammar, with those of our options that the help leaves out.
pub(super) fn whole_grammar() -> clap::Command {
    // What is accepted for pm2's sake alone has no help.
    CommandLine::command().mut_args(|arg| if arg.get_help().is_some() { arg.hide(false) } else { arg })
}

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
    #[arg(value_name = "COMMAND", trailing_var_arg = true, value_hint = ValueHint::CommandWithArguments)]
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
    let line: CommandLine = match plain(&argv).map_or_else(|| read(CommandLine::command(), &argv), Ok) {
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

/// A command line without options of ours, as most are: to build the whole grammar for it would hold the app's start up.
fn plain(argv: &[OsString]) -> Option<Read<CommandLine>> {
    let words = argv.get(1..)?;
    let is_option = words.first()?.as_encoded_bytes().starts_with(b"-");
    let line =
        || CommandLine { options: Options::default(), of_file: OfFile::default(), words: words.to_vec() };
    (!is_option).then(line).map(Read::Line)
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

/// A command with all its words. Where these are but options of ours, as pm2's users write them, they are taken as such if the
/// program cannot mean them, and else a line says whose they are.
fn command_line(line: CommandLine, argv: &[OsString], ended: bool, look: &Look<'_>) -> Request {
    let CommandLine { options, of_file, words } = line;
    let has_options =
        words.get(1).is_some_and(|word| word.to_string_lossy().starts_with('-') && word != "--");
    if ended || !has_options {
        return run(with_remarks(options, of_file), words, Vec::new(), false);
    }
    let are_ours = has_no_options_like_ours(&words[0], options.cwd.as_deref().map(Path::new), look);
    // Many a program has a `--json` of its own; hardly one has only such options, and `--` behind them.
    let look_ours = words.iter().any(|word| word == "--");
    let meant = if are_ours || look_ours { file_line(argv, false).ok() } else { None };
    let mut flags = with_remarks(options, of_file);
    match meant {
        Some(meant @ Request::Run(_)) if are_ours => return meant,
        Some(Request::Run(_)) if words[1].to_string_lossy().starts_with("--") => {
            flags.remarks.push(mistaken(&words));
        }
        _ => {}
    }
    run(flags, words, Vec::new(), false)
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
    let mut remarks: Vec<String> = options.foreign.remarks().collect();
    let without_file = [("--only", of_file.only), ("--env", of_file.environment)];
    for (option, _) in without_file.iter().filter(|(_, value)| value.is_some()) {
        remarks
            .push(format!("`{option}` has no effect: it chooses among what a configuration file declares"));
    }
    Flags { remarks, ..options.into() }
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

#[cfg(test)]
mod tests;
