//! Finding and reading configuration files.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::declaration::problem::FileProblem;
use super::declaration::read::{Document, Kind, read};
use super::declaration::text::{Form, NoDocument, parse};
use super::evaluate::{EvaluateError, evaluate};

/// The files that are looked for where none is named, the first one first.
pub const USUAL: [&str; 9] = [
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.config.ts",
    "ecosystem.json",
    "ecosystem.json5",
    "ecosystem.yaml",
    "ecosystem.yml",
    "pmr.toml",
];

/// Why a configuration file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read `{file}`")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("`{file}` is no configuration file by its name, accepted: {FORMS}")]
    Form { file: String },
    #[error("there is no configuration file in this directory, looked for {}", listed())]
    None,
    #[error("cannot read `{file}`: {what}")]
    NoDocument { file: String, what: NoDocument },
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error("{}", summary(.0.len()))]
    Problems(Vec<FileProblem>),
}

const FORMS: &str =
    "`.js`, `.cjs`, `.mjs`, `.ts`, `.json`, `.json5`, `.yaml`, `.yml` or `.toml`, or `Procfile`";

fn listed() -> String {
    USUAL.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn summary(problems: usize) -> String {
    match problems {
        1 => "the configuration file has a problem".to_owned(),
        several => format!("the configuration file has {several} problems"),
    }
}

impl LoadError {
    /// All that is wrong, line by line, where that is more than the message.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Problems(problems) => problems.iter().map(ToString::to_string).collect(),
            Self::Evaluate(error) => error.lines().to_vec(),
            _ => Vec::new(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::None => Some("`pmr init` writes one".to_owned()),
            Self::Evaluate(EvaluateError::NoInterpreter { .. }) => {
                Some("install one, or write the file as JSON, YAML or TOML".to_owned())
            }
            _ => None,
        }
    }
}

/// The configuration file of `directory`, if one has a usual name.
///
/// # Errors
/// When none has.
pub fn discover(directory: &Path) -> Result<PathBuf, LoadError> {
    let found = USUAL.iter().find(|name| directory.join(name).is_file());
    found.map(PathBuf::from).ok_or(LoadError::None)
}

/// Reads `file`, seen from `directory`. `find` looks a program up in PATH.
///
/// # Errors
/// All that is wrong with it.
pub fn load(
    file: &Path,
    directory: &Path,
    find: &dyn Fn(&OsStr) -> Option<PathBuf>,
) -> Result<Document, LoadError> {
    let label = file.display().to_string();
    let form = Form::of(file).ok_or_else(|| LoadError::Form { file: label.clone() })?;
    let document = document(&label, (file, form), directory, find)?;
    let document = read(&label, &document).map_err(LoadError::Problems)?;
    Ok(match form {
        Form::Procfile => Document { kind: Kind::Procfile, ..document },
        Form::Script(_) | Form::Json5 | Form::Yaml | Form::Toml => document,
    })
}

fn document(
    label: &str,
    (file, form): (&Path, Form),
    directory: &Path,
    find: &dyn Fn(&OsStr) -> Option<PathBuf>,
) -> Result<Value, LoadError> {
    let unreadable = |source| LoadError::Unreadable { file: label.to_owned(), source };
    // In full, since what evaluates it may take another directory for its own.
    let path = std::path::absolute(directory.join(file)).map_err(unreadable)?;
    if let Form::Script(language) = form {
        path.metadata().map_err(unreadable)?;
        return Ok(evaluate(label, &path, language, directory, find)?);
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    parse(form, &text).map_err(|what| LoadError::NoDocument { file: label.to_owned(), what })
}

#[cfg(test)]
mod tests;
