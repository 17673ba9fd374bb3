//! Configuration files that are programs, evaluated by the user's own Node or Bun.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::declaration::stack;
use super::declaration::text::Language;
use crate::sys::evaluation::{self, Outcome};

/// A file may ask a service for secrets; a container's start is waited for no longer than this.
const LIMIT: Duration = Duration::from_secs(30);

/// What runs in the interpreter.
const PROGRAM: &str = include_str!("evaluate.cjs");

/// Why a file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error("`{file}` is a program, and neither `{}` nor `{}` is in PATH to evaluate it", .looked_for[0], .looked_for[1])]
    NoInterpreter { file: String, looked_for: [&'static str; 2] },
    #[error("cannot evaluate `{file}` by `{program}`")]
    Spawn {
        file: String,
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{file}` gave nothing within {} s", LIMIT.as_secs())]
    TimedOut { file: String },
    #[error("`{file}` ended its process ({how}) before it exported anything")]
    Ended { file: String, how: String },
    #[error("`{file}` cannot be evaluated")]
    Thrown {
        file: String,
        /// What was thrown, and where.
        lines: Vec<String>,
    },
}

impl EvaluateError {
    /// What was thrown.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        match self {
            Self::Thrown { lines, .. } => lines,
            _ => &[],
        }
    }
}

/// What the program says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Exported(Option<Value>),
    /// A stack, with the message in front.
    Thrown(String),
    Failed(Vec<String>),
    /// The same, with this option.
    Again(String),
}

/// Evaluates `file`, called `label` in messages, in `directory`. `find` looks a program up in PATH.
///
/// # Errors
/// When there is no interpreter, or it has nothing to give.
pub fn evaluate(
    label: &str,
    file: &Path,
    language: Language,
    directory: &Path,
    find: &dyn Fn(&OsStr) -> Option<PathBuf>,
) -> Result<Value, EvaluateError> {
    let looked_for = match language {
        Language::JavaScript => ["node", "bun"],
        // Which reads all of it, in every version.
        Language::TypeScript => ["bun", "node"],
    };
    let found = looked_for.iter().find_map(|name| Some((*name, find(OsStr::new(name))?)));
    let Some((name, program)) = found else {
        return Err(EvaluateError::NoInterpreter { file: label.to_owned(), looked_for });
    };
    let mut options: Vec<String> = Vec::new();
    if name == "node" {
        options.push("--no-warnings".to_owned());
    }
    let attempt = Attempt { label, file, directory, program: &program };
    match attempt.ask(&options)? {
        Answer::Again(option) => {
            options.push(option);
            attempt.take(attempt.ask(&options)?)
        }
        answer => attempt.take(answer),
    }
}

struct Attempt<'a> {
    label: &'a str,
    file: &'a Path,
    directory: &'a Path,
    program: &'a Path,
}

impl Attempt<'_> {
    fn ask(&self, options: &[String]) -> Result<Answer, EvaluateError> {
        let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
        words.extend(["-e".into(), PROGRAM.into(), "--".into(), self.file.as_os_str().to_owned()]);
        let file = self.label.to_owned();
        let outcome = evaluation::run(self.program, &words, self.directory, LIMIT);
        let spawn = |source| EvaluateError::Spawn {
            file: file.clone(),
            program: self.program.display().to_string(),
            source,
        };
        match outcome.map_err(spawn)? {
            Outcome::Line(line) => serde_json::from_slice(&line).map_err(|error| spawn(error.into())),
            Outcome::Ended(status) => Err(EvaluateError::Ended { file, how: status.to_string() }),
            Outcome::TimedOut => Err(EvaluateError::TimedOut { file }),
        }
    }

    fn take(&self, answer: Answer) -> Result<Value, EvaluateError> {
        let thrown = |lines| Err(EvaluateError::Thrown { file: self.label.to_owned(), lines });
        match answer {
            Answer::Exported(value) => Ok(value.unwrap_or_default()),
            Answer::Thrown(stack) => thrown(stack::trim(&stack)),
            Answer::Failed(lines) => thrown(lines),
            Answer::Again(_) => thrown(Vec::new()),
        }
    }
}
