//! The resolved settings: what the runtime shall do, and where each value came from.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::problem::{Origin, Warning};
use super::sizing::Sizing;
use crate::spec::AppSpec;

/// How the lines of the workers reach our output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// The workers' bytes as they are.
    Raw,
    /// Whole lines, with a prefix where there are several instances.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much the runtime itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word that filters understand: `info`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Everything that was decided before the first worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub app: AppSpec,
    /// Why there are so many instances; its text belongs to the start line.
    pub sizing: Sizing,
    /// The CPUs that we may use, by affinity and cgroup quota.
    pub cpus: NonZeroU32,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
    /// Whether our own lines carry a time. Not on Heroku, which adds one to every line.
    pub timestamps: bool,
    /// Whether we run in a container or a dyno, where only connections from outside matter.
    pub container: bool,
    /// PORT, where it is set.
    pub port: Option<u16>,
    /// Where each option got its value, by the option's name without dashes: `instances`, `kill-timeout`.
    pub origins: BTreeMap<&'static str, Origin>,
    pub warnings: Vec<Warning>,
}
