//! The state of the dashboard.

use std::time::Duration;

use super::history::History;
use super::input::{Change, Size};
use super::list::List;
use super::log::Log;
use crate::api::types::{AppView, RuntimeView};

/// Everything the dashboard knows.
#[derive(Debug)]
pub struct State {
    /// Since the dashboard was opened.
    pub now: Duration,
    pub size: Size,
    pub connection: Connection,
    pub runtime: Option<RuntimeView>,
    pub apps: Vec<AppView>,
    pub list: List,
    pub history: History,
    pub log: Log,
    pub mode: Mode,
    pub page: Page,
    pub focus: Focus,
    pub message: Option<Message>,
    /// Changes that were asked for and are not done yet.
    pub pending: Vec<Change>,
    /// Rows that a page has been moved on by.
    pub page_scroll: usize,
    pub(super) fetch: Fetch,
    /// The lines must be asked for again.
    pub(super) refollow: bool,
}

/// Whether the runtime answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// It was not asked yet.
    Waiting,
    Up,
    /// It does not; why, and since when.
    Down {
        why: String,
        since: Duration,
    },
}

/// What keys mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Commands.
    Normal,
    /// Text to filter the list by; it counts while it is typed. The one before comes back with Esc.
    Filter { before: String },
    /// Text to search the log for.
    Search { text: String },
    /// The answer to "are you sure".
    Confirm(Change),
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Main,
    Details,
    Help,
}

/// Which part the arrows move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    List,
    Log,
}

/// A word in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: MessageKind,
    pub text: String,
    pub(super) until: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    Note,
    Success,
    Failure,
}

/// Whether the apps are being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetch {
    Underway,
    Answered { at: Duration },
}

/// How long good news stay.
const NOTE_STAYS: Duration = Duration::from_secs(5);

/// Bad news take longer to read.
const FAILURE_STAYS: Duration = Duration::from_secs(12);

impl State {
    /// Knows nothing yet. The apps count as asked for.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            now: Duration::ZERO,
            size,
            connection: Connection::Waiting,
            runtime: None,
            apps: Vec::new(),
            list: List::default(),
            history: History::default(),
            log: Log::default(),
            mode: Mode::Normal,
            page: Page::Main,
            focus: Focus::List,
            message: None,
            pending: Vec::new(),
            page_scroll: 0,
            fetch: Fetch::Underway,
            refollow: false,
        }
    }

    pub(super) fn say(&mut self, kind: MessageKind, text: impl Into<String>) {
        let stays = if kind == MessageKind::Failure { FAILURE_STAYS } else { NOTE_STAYS };
        self.message = Some(Message { kind, text: text.into(), until: self.now + stays });
    }
}
