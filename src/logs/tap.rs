//! Lines as they come, for somebody who may be slow: a client of the control socket.
//!
//! What is read is copied for a tap only while there is room for it. A tap that is not emptied loses whole pieces,
//! counts the lines in them, and holds nobody up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::assemble::Assembler;
use super::chunks::{Chunks, Piece};
use super::line::{Filter, LogLine};

/// How much waits for a reader.
const BOUND: usize = 128 * 1024;
/// What is made into lines at a time: lines take many times the memory of their bytes, and a reader may not want them yet.
const PORTION: usize = 4 * 1024;
/// The same, in lines.
const PORTION_LINES: usize = 64;

/// What a tap gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapItem {
    /// The next lines, in the order of their ends.
    Lines(Vec<LogLine>),
    /// So many lines ended here that were not kept, since nobody took those before them.
    Lost(u64),
}

/// Lines as they come. Dropping it is all it takes to end it.
#[derive(Debug)]
pub struct Tap {
    basin: Arc<Basin>,
    begun: Assembler,
    /// To be given next.
    due: VecDeque<TapItem>,
}

/// Where pieces wait for the tap's reader.
#[derive(Debug)]
pub(super) struct Basin {
    filter: Filter,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug)]
struct State {
    chunks: Chunks,
    /// Lines in pieces that found no room after `chunks`.
    lost: u64,
    /// Whether a piece found no room after `chunks`.
    is_full: bool,
    is_closed: bool,
}

/// What a reader gets at a time.
struct Taken {
    chunks: Chunks,
    lost: u64,
    is_closed: bool,
}

impl State {
    fn new(is_closed: bool) -> Self {
        Self { chunks: Chunks::new(BOUND), lost: 0, is_full: false, is_closed }
    }
}

impl Tap {
    pub(super) fn new(basin: Arc<Basin>, begun: Assembler) -> Self {
        Self { basin, begun, due: VecDeque::new() }
    }

    /// The next lines, or how many of them were lost. `None` once the outputs have been closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<TapItem> {
        loop {
            if let Some(item) = self.due.pop_front() {
                return Some(item);
            }
            let Taken { chunks, lost, is_closed } = self.basin.take();
            let mut lines = Vec::new();
            chunks.pieces().for_each(|piece| self.begun.feed(piece, &mut |line| lines.push(line)));
            if !lines.is_empty() {
                self.due.push_back(TapItem::Lines(lines));
            }
            if lost > 0 {
                self.due.push_back(TapItem::Lost(lost));
            }
            if !self.due.is_empty() || !chunks.is_empty() {
                continue;
            }
            if is_closed {
                return None;
            }
            self.basin.filled.notified().await;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.basin.close();
    }
}

impl Basin {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, state: Mutex::new(State::new(false)), filled: Notify::new() }
    }

    /// Takes a copy of `piece` where it is wanted and there is room. Says whether anybody still listens. `lines` counts the
    /// piece's line ends.
    pub(super) fn offer(&self, piece: Piece<'_>, lines: impl FnOnce() -> u64) -> bool {
        let mut state = self.lock();
        if state.is_closed || !self.filter.wants(&piece.pipe.origin) {
            return !state.is_closed;
        }
        let was_empty = state.chunks.is_empty();
        // What comes after a loss must not be told before it.
        if state.is_full || !state.chunks.try_add(piece) {
            state.is_full = true;
            state.lost += lines();
        } else if was_empty {
            self.filled.notify_one();
        }
        true
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// The next portion. What was lost comes behind the last one.
    fn take(&self) -> Taken {
        let mut state = self.lock();
        let chunks = state.chunks.take_front(PORTION, PORTION_LINES);
        let (mut lost, is_closed) = (0, state.is_closed);
        if state.chunks.is_empty() {
            lost = state.lost;
            *state = State::new(is_closed);
        }
        Taken { chunks, lost, is_closed }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, some lines would be missing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
