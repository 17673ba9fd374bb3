//! What comes before an app's first start.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bytes;

/// When the first workers of an app start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartPolicy {
    pub when: Autostart,
    /// Other apps that have to be there before.
    pub after: Vec<Dependency>,
    /// A command that has to succeed before.
    pub first: Option<PreStart>,
}

/// Whether an app starts by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Autostart {
    #[default]
    AtOnce,
    /// `--no-autostart`: only when it is told to.
    OnOrder,
}

/// An app that another one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name.
    pub app: String,
    pub until: Until,
}

/// What has to have become of an app that another one needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// All its instances are ready; or it has done its work, and ended with status 0.
    Ready,
    /// A worker of it was started.
    Started,
    /// It has ended with status 0.
    Exited,
}

/// A command that runs once before an app's first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreStart {
    #[serde(with = "bytes::one")]
    pub program: OsString,
    #[serde(with = "bytes::list")]
    pub arguments: Vec<OsString>,
    /// What is set over the app's own environment.
    #[serde(default, with = "bytes::map")]
    pub variables: BTreeMap<OsString, OsString>,
    /// How long it may take.
    pub timeout: Duration,
}

impl StartPolicy {
    /// Whether nothing comes before.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.when == Autostart::AtOnce && self.after.is_empty() && self.first.is_none()
    }
}

impl Until {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Started, Self::Exited];

    /// The word that asks for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Started => "started",
            Self::Exited => "exited",
        }
    }
}

impl PreStart {
    /// As one would type it, for people.
    #[must_use]
    pub fn line(&self) -> String {
        line_of(&self.program, &self.arguments)
    }
}

/// A command as one would type it, for people.
#[must_use]
pub fn line_of(program: &OsStr, arguments: &[OsString]) -> String {
    match arguments {
        // The line as it was given.
        [option, line] if program == "sh" && option == "-c" => line.to_string_lossy().into_owned(),
        _ => {
            let words = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str));
            words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
        }
    }
}
