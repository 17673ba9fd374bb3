//! How the runtime ends: the table of exit statuses, and the one place that words errors for people.
//!
//! docs/exit-codes.md explains the table to operators.

use std::fmt::Write as _;
use std::io;

use crate::cli::args::UsageError;
use crate::config::problem::Problem;
use crate::config::resolve::ResolveError;
use crate::ecosystem::files::LoadError;

/// Stopped on request and every worker ended in time; or the app is done.
pub const OK: u8 = 0;
/// The app has failed although its last worker exited with 0.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// The operating system refused what the runtime itself needs (EX_OSERR of sysexits.h).
pub const SYSTEM: u8 = 71;
/// The environment or a configuration file is wrong (EX_CONFIG of sysexits.h).
pub const CONFIGURATION: u8 = 78;
/// The program is there, but cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The program, its file or its interpreter is not there.
pub const NOT_FOUND: u8 = 127;
/// A signal's number is added to this, as shells do: the last worker was ended by that signal.
pub const SIGNAL_BASE: u8 = 128;
/// Stopped on request, but a worker had to be killed: [`SIGNAL_BASE`] and SIGKILL.
pub const KILLED: u8 = SIGNAL_BASE + 9;

/// Why the runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    File(#[from] LoadError),
    /// One of the apps of a configuration file.
    #[error("cannot start the app `{name}` of `{file}`")]
    App {
        name: String,
        file: String,
        #[source]
        source: Box<Error>,
    },
    /// The system refused something without which nothing can be run.
    #[error("cannot {what}")]
    System {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The status to end with.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::System { .. } => SYSTEM,
            Self::File(_) => CONFIGURATION,
            Self::App { source, .. } => match source.status() {
                // Not the command line, but the words that the file made.
                USAGE => CONFIGURATION,
                status => status,
            },
            Self::Resolve(ResolveError::Problems(problems)) if problems.iter().all(Problem::is_usage) => {
                USAGE
            }
            Self::Resolve(ResolveError::Problems(_) | ResolveError::ConfigurationFile(_)) => CONFIGURATION,
            Self::Resolve(ResolveError::NoSuchFile(_) | ResolveError::NoInterpreter(_)) => NOT_FOUND,
        }
    }

    /// Everything that is wrong with the settings, if that is it.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Resolve(ResolveError::Problems(problems)) => problems,
            Self::App { source, .. } => source.problems(),
            Self::Resolve(_) | Self::Usage(_) | Self::File(_) | Self::System { .. } => &[],
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::App { source, .. } => source.hint(),
            Self::Resolve(ResolveError::ConfigurationFile(_)) => {
                Some("name the app's own file instead, as in `pmr-runtime server.js`".to_owned())
            }
            Self::Resolve(ResolveError::NoInterpreter(_)) => {
                Some("install one, or add its directory to PATH".to_owned())
            }
            Self::Resolve(ResolveError::Problems(_) | ResolveError::NoSuchFile(_)) | Self::System { .. } => {
                None
            }
        }
    }
}

/// The text of `error` for people, with a newline at its end.
#[must_use]
pub fn render(error: &Error) -> String {
    if let Error::Usage(UsageError::NoCommand { help }) = error {
        return help.clone();
    }
    let mut details: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    if let Error::File(error) = error {
        details.extend(error.details());
    }
    words(error, &details, error.hint().as_deref())
}

/// What failed, its details, its causes, the remedy.
#[must_use]
pub fn words(error: &dyn std::error::Error, details: &[String], hint: Option<&str>) -> String {
    let mut text = format!("error: {error}\n");
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes every write");
    for detail in details {
        line(format!("  {detail}"));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        line(format!("caused by: {error}"));
        cause = error.source();
    }
    if let Some(hint) = hint {
        line(format!("hint: {hint}"));
    }
    text
}

/// Tells people about `error` on `output` and gives the status to end with. An output that takes nothing is no reason
/// to end in another way.
pub fn report(error: &Error, output: &mut dyn io::Write) -> u8 {
    let _unwritable = output.write_all(render(error).as_bytes());
    error.status()
}

#[cfg(test)]
mod tests;
