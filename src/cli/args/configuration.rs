//! A command line that names a configuration file: our options, `--only` and `--env`, and no words of an app.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser};

use super::foreign::FOREIGN;
use super::{OfFile, Options, Read, Request, USAGE, UsageError, matches};
use crate::config::interpreter::{self, Found, Look};
use crate::ecosystem::declaration::select::{Choice, FileRequest};
use crate::ecosystem::files::USUAL;

#[derive(Debug, Parser)]
#[command(name = "pmr-runtime", version, override_usage = USAGE, args_override_self = true)]
struct Line {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    of_file: OfFile,

    /// How many of each app, and none of the others
    #[arg(short = 'm', long, value_name = "APP=N,APP=N", conflicts_with = "instances")]
    formation: Option<String>,

    /// Read variables from this `.env` file
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<String>,

    #[arg(value_name = "FILE")]
    words: Vec<OsString>,

    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Reads `argv`, which is without `start`, if it names a configuration file. After `start` no file needs to be named where
/// one has a usual name.
pub(super) fn line(argv: &[OsString], start: bool, look: &Look<'_>) -> Option<Result<Request, UsageError>> {
    let is_configuration = |word: &OsString| interpreter::is_configuration(Path::new(word));
    // Wherever the apps run, the file is seen from here.
    let exists = |word: &OsString| look(Some(Path::new("")), Path::new(word)) != Found::Nothing;
    let found = match matches(Line::command(), argv) {
        Ok(Read::Line(found)) => found,
        Ok(Read::Asked(request)) => return Some(Ok(request)),
        Err(error) => {
            let named = argv.iter().skip(1).any(|word| is_configuration(word) && exists(word));
            return named.then_some(Err(after_file(error)));
        }
    };
    let line = Line::from_arg_matches(&found).ok()?;
    let file = match line.words.first() {
        Some(word) if is_configuration(word) && (start || exists(word)) => PathBuf::from(word),
        None if start && line.arguments.is_empty() => {
            USUAL.iter().map(PathBuf::from).find(|file| exists(&file.into()))?
        }
        Some(_) | None => return None,
    };
    Some(request(file, line, &found))
}

fn request(file: PathBuf, line: Line, matches: &ArgMatches) -> Result<Request, UsageError> {
    let extra = line.words.get(1).or(line.arguments.first());
    if let Some(word) = extra {
        let (word, file) = (word.to_string_lossy().into_owned(), file.display().to_string());
        return Err(UsageError::WordsWithConfiguration { word, file });
    }
    let choice = Choice {
        only: line.of_file.only,
        environment: line.of_file.environment,
        formation: line.formation,
        env_files: line.env_files,
    };
    let remarks = line.options.foreign.remarks().collect();
    Ok(Request::Configuration(Box::new(FileRequest { file, choice, options: own_options(matches), remarks })))
}

fn after_file(error: UsageError) -> UsageError {
    match error {
        UsageError::UnknownOption { option, nearest } => {
            UsageError::UnknownOptionWithConfiguration { option, nearest }
        }
        other => other,
    }
}

/// Our own options as they were typed, each in one word with its value.
fn own_options(matches: &ArgMatches) -> Vec<OsString> {
    let grammar = Options::augment_args(clap::Command::new("options"));
    let typed = grammar.get_arguments().filter(|argument| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    });
    let mut words = Vec::new();
    for argument in typed {
        let Some(name) = argument.get_long().filter(|name| has_effect(name)) else { continue };
        if matches!(argument.get_action(), ArgAction::SetTrue) {
            words.push(OsString::from(format!("--{name}")));
        } else if let Some(value) = matches.get_raw(argument.get_id().as_str()).and_then(Iterator::last) {
            let mut word = OsString::from(format!("--{name}="));
            word.push(value);
            words.push(word);
        }
    }
    words
}

/// Those that have none are told of once, not for each app.
fn has_effect(name: &str) -> bool {
    name != "no-daemon" && FOREIGN.iter().all(|foreign| foreign.long != name)
}

#[cfg(test)]
mod tests;
