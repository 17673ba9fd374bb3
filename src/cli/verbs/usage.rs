//! What is wrong with the words of a verb, in our own words rather than those of the parser.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::error::VerbError;
use super::words::{Called, Line};

/// What a command line asks for, other than a mistake.
pub(super) enum Read {
    Matches(clap::ArgMatches),
    /// To be shown.
    Text(String),
}

/// Reads the words by the grammar. Without any words, help is wanted.
pub(super) fn read(
    mut grammar: clap::Command,
    line: &Line,
    is_file: &dyn Fn(&str) -> bool,
) -> Result<Read, VerbError> {
    if line.words.is_empty() {
        return Ok(Read::Text(grammar.render_help().to_string()));
    }
    let argv = std::iter::once(OsString::from("pmr")).chain(line.words.iter().cloned());
    match grammar.try_get_matches_from(argv) {
        Ok(matches) => Ok(Read::Matches(matches)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Read::Text(error.to_string()))
        }
        Err(error) => Err(self::error(&error, line, is_file)),
    }
}

/// The mistake.
pub(super) fn error(error: &clap::Error, line: &Line, is_file: &dyn Fn(&str) -> bool) -> VerbError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        _ => None,
    };
    if error.kind() == ErrorKind::InvalidSubcommand {
        let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
        let nearest = match error.get(ContextKind::SuggestedSubcommand) {
            // The best one comes last.
            Some(ContextValue::Strings(texts)) => texts.last().cloned(),
            other => other.map(ToString::to_string),
        };
        return VerbError::UnknownVerb { is_file: is_file(&word), word, nearest };
    }
    let found = plain(&text(ContextKind::InvalidArg).unwrap_or_default());
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let reason = std::error::Error::source(error).map_or_else(String::new, |reason| format!(": {reason}"));
    let what = match error.kind() {
        ErrorKind::UnknownArgument if found.starts_with('-') => format!("unknown option `{found}`"),
        ErrorKind::UnknownArgument => format!("`{found}` is one word too many"),
        ErrorKind::MissingRequiredArgument => format!("`{found}` is missing"),
        ErrorKind::MissingSubcommand => "a verb is missing".to_owned(),
        ErrorKind::ArgumentConflict => {
            let other = plain(&text(ContextKind::PriorArg).unwrap_or_default());
            format!("`{found}` cannot be used together with `{other}`")
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("`{found}` needs a value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("`{value}` cannot be used for `{found}`{reason}")
        }
        _ => first_line(&error.to_string()),
    };
    let usage = text(ContextKind::Usage).map(|usage| usage.replacen("Usage:", "usage:", 1));
    VerbError::Usage { what, usage, hint: hint(error, line) }
}

fn hint(error: &clap::Error, line: &Line) -> Option<String> {
    let words: Vec<String> = line.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let verb = words.first()?;
    if line.called == Called::Runtime {
        // Somebody may mean the program of that name.
        let words = words.join(" ");
        return Some(format!(
            "`{verb}` is a verb here; to run a program of that name, write `pmr-runtime -- {words}`"
        ));
    }
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(option)) => Some(format!("did you mean `{option}`?")),
        _ => Some(format!("`pmr {verb} --help` shows what is accepted")),
    }
}

/// `--sort` of `--sort <FIELD>`, and `TARGET` of `<TARGET>...`.
fn plain(argument: &str) -> String {
    let word = match argument.split_once(' ') {
        Some((option, _)) if option.starts_with('-') => option,
        _ => argument,
    };
    word.trim_end_matches("...").trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
