//! What came of a command that may name a script, and how it is told.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It names no script.
    Untouched,
    /// It names one, which the package manager has to run itself.
    Kept(Kept),
    Direct(Box<Direct>),
}

/// What to run in the place of a package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// That of the package.
    pub directory: PathBuf,
    /// What is set over the environment.
    pub variables: Vec<(OsString, OsString)>,
    /// What has to succeed before it: a script like `prestart`.
    pub before: Option<Before>,
    /// The commands from the one that was given to the one that is run, as one would type them.
    pub steps: Vec<String>,
}

/// A script that runs before another, in its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its name: `prestart`.
    pub name: String,
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// What is set over the environment of the script that follows.
    pub variables: Vec<(OsString, OsString)>,
}

/// Why a package manager runs its script itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    #[error("`{0}` belongs to it")]
    Hook(String),
    #[error("`{option}` is an option of {manager}")]
    Option { option: String, manager: &'static str },
    #[error("Yarn 2 and later run scripts in a shell of their own")]
    Berry,
    #[error("packages come from {}", .0.display())]
    PlugAndPlay(PathBuf),
    #[error("{} sets `{key}`", file.display())]
    Setting { file: PathBuf, key: String },
    #[error("the environment sets `{0}`")]
    Variable(String),
    #[error("{} is not {manager} itself", path.display())]
    Shim { path: PathBuf, manager: &'static str },
    #[error("{manager} {version} is older than all that are known here")]
    Old { manager: &'static str, version: String },
    #[error("package.json asks for `{0}`")]
    OtherManager(String),
    #[error("`node` is not in PATH")]
    NoNode,
}

/// The same for people, once all is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    /// What was asked for and what is run, with what is between.
    Direct(Vec<String>),
    /// What was asked for, and why the package manager runs it.
    Kept { command: String, why: String },
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(steps) => f.write_str(&steps.join(" → ")),
            Self::Kept { command, why } => write!(f, "{command}, as it stands: {why}"),
        }
    }
}
