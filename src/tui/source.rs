//! What the dashboard needs of a runtime. The control socket's client gives it; the tests have made-up ones.

use std::error::Error;

use tokio::sync::mpsc::Sender;

use super::state::input::Change;
use crate::api::types::{AppView, LogView, Outcome, RuntimeView};

/// A runtime, as it can be asked. Every question but `change` and `follow` has a time limit of its own.
pub trait Source: 'static {
    type Error: Error + 'static;

    /// All apps.
    fn apps(&self) -> impl Future<Output = Result<Vec<AppView>, Self::Error>>;

    /// The runtime itself.
    fn runtime(&self) -> impl Future<Output = Result<RuntimeView, Self::Error>>;

    /// Sends the last lines of `target` and all that come, until the stream ends or nobody takes them any more.
    fn follow(&self, target: &str, lines: Sender<Said>) -> impl Future<Output = Result<(), Self::Error>>;

    /// Has something changed, and waits until it is done.
    fn change(&self, change: &Change) -> impl Future<Output = Result<Outcome, Self::Error>>;
}

/// Part of a stream of lines.
#[derive(Debug)]
pub enum Said {
    Line(LogView),
    /// So many were left out.
    Missed(u64),
}
