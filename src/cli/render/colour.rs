//! Colours. They repeat what the words say, so nothing is lost without them. Pure.

use crate::api::types::Status;

/// Whether colours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Colours {
    Off,
    On,
}

/// What a piece of text is painted with (ECMA-48, "select graphic rendition").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
    Reverse,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
            Self::Reverse => "7",
        }
    }

    /// That of a status.
    pub(in crate::cli) fn of(status: Status) -> Self {
        match status {
            Status::Online | Status::Standby => Self::Green,
            Status::Unhealthy | Status::Launching | Status::WaitingRestart | Status::Stopping => Self::Yellow,
            Status::Stopped | Status::Errored => Self::Red,
        }
    }
}

impl Colours {
    /// `text`, painted if colours are wanted.
    pub(in crate::cli) fn paint(self, paint: Paint, text: &str) -> String {
        if self == Self::Off || paint == Paint::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", paint.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_text_is_only_text() {
        assert_eq!(Colours::Off.paint(Paint::Red, "errored"), "errored");
        assert_eq!(Colours::On.paint(Paint::Red, "errored"), "\x1b[31merrored\x1b[0m");
        assert_eq!(Colours::On.paint(Paint::Plain, "x"), "x");
    }
}
