//! What is wrong with the settings, in words that name the setting, where it came from, what was found and what is accepted.

use std::fmt;

/// Where a setting got its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An option of the command line, such as `--instances`.
    Flag(&'static str),
    /// An environment variable, such as `PMR_INSTANCES`.
    Variable(&'static str),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What a value should have been, as a phrase for people: ``a port from 1 to 65535``.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted(pub &'static str);

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("`{origin}`: found `{found}`, accepted: {}", accepted.0)]
    Unacceptable { origin: Origin, found: String, accepted: Accepted },
    /// `found` shows the replacement character where the bytes make no sense.
    #[error("`{origin}`: found `{found}`, which is not UTF-8 text")]
    NotUtf8 { origin: Origin, found: String },
    #[error("`{one}` and `{other}` exclude each other, accepted: one of them")]
    Conflict { one: Origin, other: Origin },
}

impl Problem {
    /// Whether the command line alone is to blame.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unacceptable { origin, .. } | Self::NotUtf8 { origin, .. } => {
                matches!(origin, Origin::Flag(_))
            }
            Self::Conflict { one, other } => matches!((one, other), (Origin::Flag(_), Origin::Flag(_))),
        }
    }
}

/// Something that is worth a line, but does not keep the app from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A variable that begins like ours and is none of ours; `nearest` is the name that was perhaps meant.
    UnknownVariable { name: String, nearest: Option<&'static str> },
    /// WEB_CONCURRENCY asks for more than twice as many workers as there are CPUs.
    ManyInstances { instances: u32, cpus: u32 },
    /// A variable of pm2's that does nothing here, and why.
    NoEffect { name: &'static str, why: &'static str },
    /// All of a container ends when its memory is used up, and nothing is to be done before.
    EndTogether,
    /// What is to be said of the command line.
    Said(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVariable { name, nearest: Some(nearest) } => {
                write!(f, "the variable `{name}` is not known and has no effect, did you mean `{nearest}`?")
            }
            Self::UnknownVariable { name, nearest: None } => {
                write!(f, "the variable `{name}` is not known and has no effect")
            }
            Self::ManyInstances { instances, cpus } => write!(
                f,
                "WEB_CONCURRENCY asks for {instances} instances, more than twice the CPUs ({cpus}); \
                 `--instances auto` fits the number to the machine"
            ),
            Self::NoEffect { name, why } => write!(f, "the variable `{name}` has no effect: {why}"),
            Self::EndTogether => f.write_str(
                "when its memory is used up, the kernel ends this whole container, not only a worker (memory.oom.group); \
                 `--max-memory-restart` replaces a worker before that",
            ),
            Self::Said(text) => f.write_str(text),
        }
    }
}
