//! The words everyone uses about an operating-system process: its id, a signal, and how it ended.
//!
//! Nothing here makes a system call, and nothing here imports the rest of the crate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a process (or, with the same number, of the process group it leads).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Pid(i32);

/// A number that is none of a process, or of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no such number")]
pub struct BadNumber(i32);

impl TryFrom<i32> for Pid {
    type Error = BadNumber;

    fn try_from(raw: i32) -> Result<Self, BadNumber> {
        if raw > 0 { Ok(Self(raw)) } else { Err(BadNumber(raw)) }
    }
}

impl From<Pid> for i32 {
    fn from(pid: Pid) -> Self {
        pid.0
    }
}

impl Pid {
    /// Wraps the raw id `raw`, which must be positive: 0 and negative ids mean groups to `kill(2)`.
    ///
    /// # Panics
    /// When `raw` is not positive, since signalling such a pid would reach processes that are not meant.
    #[must_use]
    pub fn new(raw: i32) -> Self {
        assert!(raw > 0, "a process id is positive, not {raw}");
        Self(raw)
    }

    /// The number the kernel knows it by.
    #[must_use]
    pub fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A signal by its number, 1 to 64; real-time signals included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(u8);

impl TryFrom<i32> for Signal {
    type Error = BadNumber;

    fn try_from(raw: i32) -> Result<Self, BadNumber> {
        Self::from_raw(raw).ok_or(BadNumber(raw))
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> Self {
        signal.as_raw()
    }
}

/// The numbers are those of x86-64 and AArch64 Linux, which are the same (signal(7)).
const NAMES: [(&str, u8); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

impl Signal {
    pub const HUP: Self = Self(1);
    pub const INT: Self = Self(2);
    pub const QUIT: Self = Self(3);
    pub const ABRT: Self = Self(6);
    pub const KILL: Self = Self(9);
    pub const TERM: Self = Self(15);
    pub const CHLD: Self = Self(17);
    pub const CONT: Self = Self(18);
    pub const STOP: Self = Self(19);
    pub const TSTP: Self = Self(20);
    pub const TTIN: Self = Self(21);
    pub const TTOU: Self = Self(22);
    pub const URG: Self = Self(23);
    pub const WINCH: Self = Self(28);
    /// The greatest signal number on Linux (SIGRTMAX).
    pub const MAX: u8 = 64;

    /// The signal numbered `raw`, if the kernel has one of that number.
    #[must_use]
    pub fn from_raw(raw: i32) -> Option<Self> {
        u8::try_from(raw).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self)
    }

    /// Reads `TERM`, `SIGTERM`, `sigterm` or `15`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_raw(number);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, number)| Self(number))
    }

    /// The number the kernel knows it by.
    #[must_use]
    pub fn as_raw(self) -> i32 {
        i32::from(self.0)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|&&(_, number)| number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// It ended itself with this exit code, 0 to 255.
    Code(u8),
    /// A signal ended it.
    Signal(Signal),
}

impl ExitReason {
    /// The status a shell would report: the code, or 128 plus the signal's number.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal.0,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => signal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_with_and_without_its_prefix_and_as_a_number() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        for text in ["", "SIG", "0", "65", "-1", "TERMINATE"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_names_are_those_of_this_platform() {
        for (name, number) in NAMES {
            let theirs: nix::sys::signal::Signal = format!("SIG{name}").parse().unwrap();
            assert_eq!(theirs as i32, i32::from(number), "{name}");
        }
    }

    #[test]
    fn a_death_by_signal_has_a_shells_status() {
        assert_eq!(ExitReason::Signal(Signal::KILL).status(), 137);
        assert_eq!(ExitReason::Code(7).status(), 7);
    }
}
