//! What may happen to the dashboard, and what it asks for in return.

use std::time::Duration;

use super::key::Key;
use crate::api::types::{AppView, LogView, Operation, Outcome, RuntimeView};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// All apps, as asked for.
    Apps(Vec<AppView>),
    Runtime(Box<RuntimeView>),
    /// The runtime does not answer; why, for people.
    Unreachable(String),
    /// Lines of the app that is followed.
    Lines {
        target: String,
        lines: Vec<LogView>,
    },
    /// So many lines were left out because we were too slow.
    Missed {
        target: String,
        count: u64,
    },
    /// The stream of lines ended; it may have been the runtime that did.
    LinesEnded {
        target: String,
    },
    /// A change that was asked for is done, or was refused; why, for people.
    Done {
        change: Change,
        result: Result<Outcome, String>,
    },
    Key(Key),
    /// Time since the dashboard was opened.
    Tick(Duration),
    Resize(Size),
}

/// What the world is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// All apps, and the runtime itself.
    Fetch,
    /// The lines of this app, the last ones and all to come, instead of those of any other.
    Follow(String),
    Do(Change),
    /// The terminal goes to the shell until it brings us back.
    Suspend,
    Quit,
}

/// A change to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub operation: Operation,
    pub target: String,
    /// Of a scale: `+1`, `-1`.
    pub argument: Option<String>,
}

/// In cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}
