//! Keeps the last lines of every app and of ours, and passes on to taps what is read.
//!
//! It is told of bytes when they are read, before they are written, so a blocked output of ours hides nothing. Our own
//! messages may come from any thread.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Level;

use super::assemble::Assembler;
use super::chunks::{Piece, Pipe};
use super::history::{History, OF_APP, OF_RUNTIME};
use super::line::{Filter, LogLine, Origin};
use super::state::{HistoryState, PieceState, Pipes};
use super::tap::{Basin, Tap};
use crate::spec::AppId;

/// The levels of our messages, each with a pipe of its own, numbered as here. Workers' pipes have the numbers above.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
/// The first number for a worker's pipe.
pub(super) const FIRST_PIPE: u64 = LEVELS.len() as u64;

/// See the module.
#[derive(Debug)]
pub(super) struct Recorder {
    own: [Arc<Pipe>; LEVELS.len()],
    records: Mutex<Records>,
}

#[derive(Debug)]
struct Records {
    apps: BTreeMap<AppId, History>,
    runtime: History,
    taps: Vec<Arc<Basin>>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        let mut number = 0..;
        let own = LEVELS.map(|level| {
            let number = number.next().unwrap_or_default();
            Arc::new(Pipe { number, origin: Origin::Runtime { level } })
        });
        let records = Records { apps: BTreeMap::new(), runtime: History::new(OF_RUNTIME), taps: Vec::new() };
        Self { own, records: Mutex::new(records) }
    }

    /// Has a history for `app` from now on.
    pub(super) fn know(&self, app: AppId) {
        self.lock().apps.entry(app).or_insert_with(|| History::new(OF_APP));
    }

    /// Takes in what was read. That of an app which was forgotten goes to the taps alone.
    pub(super) fn add(&self, piece: Piece<'_>) {
        let mut records = self.lock();
        match &piece.pipe.origin {
            Origin::Runtime { .. } => records.runtime.add(piece),
            Origin::App { app, .. } => {
                if let Some(history) = records.apps.get_mut(app) {
                    history.add(piece);
                }
            }
        }
        if !records.taps.is_empty() {
            records.pass_on(piece);
        }
    }

    /// Takes in a message of ours, one line without its end.
    pub(super) fn add_own(&self, level: Level, time: SystemTime, text: &str) {
        let Some(pipe) = self.own.iter().zip(LEVELS).find(|(_, of)| *of == level).map(|(pipe, _)| pipe)
        else {
            return;
        };
        let bytes = format!("{text}\n");
        self.add(Piece { pipe, offset: 0, begins: true, time: millis(time), bytes: bytes.as_bytes() });
    }

    /// The last `count` lines of `app` that `filter` wants.
    pub(super) fn history(&self, app: AppId, filter: &Filter, count: usize) -> Vec<LogLine> {
        self.lock().apps.get(&app).map(|history| history.lines(filter, count)).unwrap_or_default()
    }

    /// The last `count` messages of ours.
    pub(super) fn own_history(&self, count: usize) -> Vec<LogLine> {
        self.lock().runtime.lines(&Filter { runtime: true, ..Filter::default() }, count)
    }

    /// Forgets what `app` has written, but not what it will write.
    pub(super) fn clear(&self, app: AppId) {
        if let Some(history) = self.lock().apps.get_mut(&app) {
            history.clear();
        }
    }

    /// Keeps nothing of `app` any more.
    pub(super) fn forget(&self, app: AppId) {
        self.lock().apps.remove(&app);
    }

    /// What comes from now on.
    pub(super) fn subscribe(&self, filter: Filter) -> Tap {
        self.lock().open_tap(filter, Assembler::default())
    }

    /// The last lines that `filter` wants, at most `count` of each app and as many of ours, in the order of time; and what
    /// comes after them. Lines that are not finished yet are the tap's.
    pub(super) fn history_and_tap(&self, filter: Filter, count: usize) -> (Vec<LogLine>, Tap) {
        let mut records = self.lock();
        let (mut lines, mut begun) = (Vec::new(), Assembler::default());
        for (_, history) in records.apps.iter().filter(|(app, _)| filter.wants_app(**app)) {
            let (last, rest) = history.lines_to_go_on(&filter, count);
            lines.extend(last);
            begun.join(rest);
        }
        if filter.runtime {
            lines.extend(records.runtime.lines(&Filter { runtime: true, ..Filter::default() }, count));
        }
        lines.sort_by_key(|line| line.time);
        (lines, records.open_tap(filter, begun))
    }

    /// All that is kept, and the pipes that it speaks of.
    pub(super) fn state(&self) -> (Pipes, Vec<HistoryState>, Vec<PieceState>) {
        let records = self.lock();
        let mut pipes = Pipes::default();
        records.apps.values().for_each(|history| pipes.add_all(history.chunks()));
        let histories = records
            .apps
            .iter()
            .map(|(app, history)| HistoryState { app: app.0, pieces: PieceState::all(history.chunks()) });
        (pipes, histories.collect(), PieceState::all(records.runtime.chunks()))
    }

    /// Takes in what another recorder has kept. `pipes` are those that it spoke of.
    pub(super) fn restore(&self, pipes: &mut Pipes, histories: &[HistoryState], own: &[PieceState]) {
        self.own.iter().for_each(|pipe| pipes.add(pipe));
        let mut records = self.lock();
        for history in histories {
            let kept = records.apps.entry(AppId(history.app)).or_insert_with(|| History::new(OF_APP));
            kept.restore(&history.pieces, pipes);
        }
        records.runtime.restore(own, pipes);
    }

    /// Ends all taps, once what they hold has been taken.
    pub(super) fn close(&self) {
        self.lock().taps.drain(..).for_each(|basin| basin.close());
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        // Nothing panics while the lock is held; if it did, some lines would be missing.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn open_tap(&mut self, filter: Filter, begun: Assembler) -> Tap {
        let basin = Arc::new(Basin::new(filter));
        self.taps.push(Arc::clone(&basin));
        Tap::new(basin, begun)
    }

    fn pass_on(&mut self, piece: Piece<'_>) {
        let counted = OnceCell::new();
        let count = || memchr::memchr_iter(b'\n', piece.bytes).count() as u64;
        // However many taps are full, the lines are counted once.
        self.taps.retain(|basin| basin.offer(piece, || *counted.get_or_init(count)));
    }
}

/// Milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
