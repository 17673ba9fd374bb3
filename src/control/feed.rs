//! Streams of server-sent events: what happens, lines of logs, the progress of a change.
//!
//! A feed is asked for its next piece only when the connection has room for it, so what a slow client does not read
//! stays in the bounded channels that the feed reads from, and is lost there; the client is told how much. A piece is
//! small, and after each the others have their turn.

use std::collections::VecDeque;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};

use super::answer::to_json;
use crate::api::types::{ErrorView, EventView, LogView, Lost, Outcome, Problem};
use crate::driver::handle::Live;

/// A piece ends with the event that takes it beyond this size.
const PIECE: usize = 8 * 1024;
/// After so much silence a comment is sent, so that whoever has gone is noticed.
const SILENCE: Duration = Duration::from_secs(15);

/// A piece of the stream, and what is to come after it.
pub(crate) type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Feed)>>>>;

/// What a client has subscribed to.
pub(crate) enum Feed {
    Events(Events),
    Lines(Lines),
    Progress(Progress),
    /// Nothing more.
    End,
}

/// Events, the past ones first.
pub(crate) struct Events {
    pub(super) past: VecDeque<Arc<EventView>>,
    pub(super) to_come: broadcast::Receiver<Arc<EventView>>,
    pub(super) filter: Filter,
    /// Turns true when the runtime ends.
    pub(super) closing: watch::Receiver<bool>,
}

/// Lines of logs, the past ones first.
pub(crate) struct Lines {
    pub(super) past: VecDeque<LogView>,
    pub(super) to_come: Option<mpsc::Receiver<Live>>,
    pub(super) closing: watch::Receiver<bool>,
}

/// The events of a change while it runs, then its verdict.
pub(crate) struct Progress {
    pub(super) events: broadcast::Receiver<Arc<EventView>>,
    pub(super) filter: Filter,
    pub(super) outcome: Pin<Box<dyn Future<Output = Result<Outcome, Problem>>>>,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Those of these apps only.
    pub(super) apps: Option<Vec<String>>,
    /// Not those of these.
    pub(super) without: Vec<String>,
    /// Those after this one.
    pub(super) after: Option<u64>,
}

impl Filter {
    pub(super) fn wants(&self, event: &EventView) -> bool {
        let named = |apps: &[String]| event.app.as_ref().is_some_and(|app| apps.contains(app));
        self.apps.as_ref().is_none_or(|apps| named(apps))
            && !named(&self.without)
            && self.after.is_none_or(|after| event.seq > after)
    }
}

impl Feed {
    pub(super) fn next(self) -> Next {
        Box::pin(async {
            let piece = match self {
                Self::Events(events) => events.next().await,
                Self::Lines(lines) => lines.next().await,
                Self::Progress(progress) => Some(progress.next().await),
                Self::End => None,
            };
            // Between two pieces everybody else has a turn, however much there is to send.
            tokio::task::yield_now().await;
            piece.map(|(piece, feed)| (piece.into(), feed))
        })
    }
}

impl Events {
    async fn next(mut self) -> Option<(String, Feed)> {
        let mut piece = String::new();
        while piece.len() < PIECE
            && let Some(event) = self.past.pop_front()
        {
            write(&mut piece, "event", event.as_ref());
        }
        while piece.is_empty() {
            tokio::select! {
                biased;
                () = closed(&mut self.closing) => return None,
                // Cancel-safe.
                event = self.to_come.recv() => match event {
                    Ok(event) if self.filter.wants(&event) => write(&mut piece, "event", event.as_ref()),
                    Ok(_) => {}
                    Err(RecvError::Lagged(lost)) => write(&mut piece, "lost", &Lost { lost }),
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(SILENCE) => keep_alive(&mut piece),
            }
        }
        fill(&mut piece, "event", &mut self.to_come, &self.filter);
        Some((piece, Feed::Events(self)))
    }
}

impl Lines {
    async fn next(mut self) -> Option<(String, Feed)> {
        let mut piece = self.piece();
        while piece.is_empty() {
            let to_come = self.to_come.as_mut()?;
            tokio::select! {
                biased;
                () = closed(&mut self.closing) => return None,
                // Cancel-safe. A batch may be larger than a piece: the rest waits in the past ones.
                live = to_come.recv() => match live? {
                    Live::Lines(lines) => {
                        self.past.extend(lines);
                        piece = self.piece();
                    }
                    Live::Lost(lost) => write(&mut piece, "lost", &Lost { lost }),
                },
                () = tokio::time::sleep(SILENCE) => keep_alive(&mut piece),
            }
        }
        Some((piece, Feed::Lines(self)))
    }

    /// Lines that are there already.
    fn piece(&mut self) -> String {
        let mut piece = String::new();
        while piece.len() < PIECE
            && let Some(line) = self.past.pop_front()
        {
            write(&mut piece, "line", &line);
        }
        piece
    }
}

impl Progress {
    async fn next(mut self) -> (String, Feed) {
        let mut piece = String::new();
        while piece.is_empty() {
            tokio::select! {
                biased;
                // Cancel-safe. First, lest the verdict overtake what led to it.
                event = self.events.recv() => match event {
                    Ok(event) if self.filter.wants(&event) => write(&mut piece, "progress", event.as_ref()),
                    Ok(_) => {}
                    Err(RecvError::Lagged(lost)) => write(&mut piece, "lost", &Lost { lost }),
                    // The answer will say so.
                    Err(RecvError::Closed) => return (verdict(piece, self.outcome.await), Feed::End),
                },
                // Polled by reference, so it goes on where it was.
                outcome = &mut self.outcome => return (verdict(piece, outcome), Feed::End),
                () = tokio::time::sleep(SILENCE) => keep_alive(&mut piece),
            }
        }
        fill(&mut piece, "progress", &mut self.events, &self.filter);
        (piece, Feed::Progress(self))
    }
}

/// Waits for the end of the runtime. Cancel-safe.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _either = closing.wait_for(|closing| *closing).await;
}

/// Adds events that are there already.
fn fill(piece: &mut String, name: &str, events: &mut broadcast::Receiver<Arc<EventView>>, filter: &Filter) {
    while piece.len() < PIECE {
        match events.try_recv() {
            Ok(event) if filter.wants(&event) => write(piece, name, event.as_ref()),
            Ok(_) => {}
            Err(TryRecvError::Lagged(lost)) => write(piece, "lost", &Lost { lost }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

fn verdict(mut piece: String, outcome: Result<Outcome, Problem>) -> String {
    match outcome {
        Ok(outcome) => write(&mut piece, "verdict", &outcome),
        Err(error) => write(&mut piece, "error", &ErrorView { error }),
    }
    piece
}

/// One server-sent event. JSON has no line ends in it, so one line of data is enough.
fn write(piece: &mut String, name: &str, value: &impl Serialize) {
    write!(piece, "event: {name}\ndata: {}\n\n", to_json(value)).expect("memory takes all text");
}

fn keep_alive(piece: &mut String) {
    piece.push_str(": still here\n\n");
}
