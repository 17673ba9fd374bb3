//! What is to be written to one of our outputs: bytes of the workers, lines of ours, and where one may follow
//! the other.
//!
//! One side fills it (pumps, on the loop's thread, and our own messages from any thread), the other empties
//! it (the output's writer thread, in `sink`). It does no I/O. Bytes of workers wait for room; lines of ours
//! never wait: they have room of their own, and where that is used up they are counted instead.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memchr::memrchr;
use tokio::sync::{Notify, oneshot};

mod rest;

/// Workers' bytes are taken in while fewer than this wait to be written.
const FULL: usize = 128 * 1024;
/// At most so many of a worker's bytes are taken in at once.
const PIECE: usize = 64 * 1024;
/// At most so many bytes of our own lines wait.
const OWN_FULL: usize = 64 * 1024;
/// A line that has not gone on for so long may be interrupted.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// One worker's pipe. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceId(pub(super) u64);

impl SourceId {
    const NOBODY: Self = Self(u64::MAX);
}

/// What kind of bytes a worker's pipe gives us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, which may be interrupted by others when it falls silent within a line.
    Line,
    /// A JSON object, which may not.
    Object,
    /// Text whose end will not come.
    Ended,
}

/// Whose line the last bytes belong to, where they did not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    source: SourceId,
    kind: Kind,
}

/// Whether more is to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// No pump writes, and lines of ours stay where they are: soon nothing will be left to write.
    Resting,
    /// What is there is written, then the writer ends.
    Finishing,
    /// The output is gone: everything is thrown away.
    Closed,
}

/// What the writer thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Writing,
    /// Waits for anything.
    Idle,
    /// Waits for an open line to go on, with a line of ours in hand.
    Holding,
}

/// What can be asked of a log file between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Truncate,
    Reopen,
}

/// A task, and who wants to know how it went.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) task: Task,
    pub(super) reply: oneshot::Sender<io::Result<()>>,
}

/// What the writer has to do next.
#[derive(Debug)]
pub(super) enum Taken {
    /// To write what is now in the batch.
    Batch,
    Order(Order),
    /// Nothing will come any more.
    Nothing,
}

#[derive(Debug)]
struct State {
    pending: Vec<u8>,
    orders: VecDeque<Order>,
    own: Vec<u8>,
    /// Lines of ours that found no room since the last one that did.
    lost: u64,
    open: Option<Open>,
    phase: Phase,
    writer: Writer,
    /// Whether a pump waits for room.
    awaited: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    room: Notify,
    rested: Notify,
}

impl Queue {
    pub(super) fn new() -> Self {
        let state = State {
            pending: Vec::new(),
            orders: VecDeque::new(),
            own: Vec::new(),
            lost: 0,
            open: None,
            phase: Phase::Running,
            writer: Writer::Writing,
            awaited: false,
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), room: Notify::new(), rested: Notify::new() }
    }

    /// Queues all of `bytes`, waiting for room. `lead` goes first unless `bytes` continue the line that
    /// `source` left open. Only one task at a time may push (it holds the output's turn). Dropped early, it
    /// leaves a part of `bytes` queued.
    pub(super) async fn push(&self, source: SourceId, kind: Kind, lead: &[u8], bytes: &[u8]) {
        let (mut lead, mut bytes) = (lead, bytes);
        while !bytes.is_empty() {
            match self.push_some(source, kind, lead, bytes) {
                0 => self.room.notified().await,
                taken => {
                    bytes = &bytes[taken..];
                    lead = b"";
                }
            }
        }
    }

    /// Says that the line `source` left open, if it did, will not go on.
    pub(super) fn end_source(&self, source: SourceId) {
        let mut state = self.lock();
        if let Some(open) = &mut state.open
            && open.source == source
        {
            open.kind = Kind::Ended;
            self.wake_writer(&mut state);
        }
    }

    /// Whether the last bytes are of a line that `source` left open.
    pub(super) fn is_open(&self, source: SourceId) -> bool {
        self.lock().open.is_some_and(|open| open.source == source)
    }

    /// Queues a whole line of ours (line end included) without waiting. Where there is no room it is lost and
    /// counted; `note` makes the line that tells of so many lost ones before the next that finds room.
    pub(super) fn push_own(&self, line: &[u8], note: impl FnOnce(u64) -> Vec<u8>) {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return;
        }
        if state.own.len() + line.len() > OWN_FULL {
            state.lost += 1;
            return;
        }
        if state.lost > 0 {
            let told = note(std::mem::take(&mut state.lost));
            state.own.extend_from_slice(&told);
        }
        state.own.extend_from_slice(line);
        if state.pending.len() < FULL {
            state.place_own();
        }
        if state.writer == Writer::Idle {
            self.wake_writer(&mut state);
        }
    }

    /// Has the writer do `task` before anything else, and tells how it went. An error, too, where the output is gone.
    pub(super) async fn order(&self, task: Task) -> io::Result<()> {
        let (reply, done) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.phase != Phase::Closed {
                state.orders.push_back(Order { task, reply });
                self.wake_writer(&mut state);
            }
        }
        done.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Waits for what is to be done next. Bytes are put in the place of what `batch` held.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> Taken {
        batch.clear();
        let mut state = self.lock();
        loop {
            if state.phase == Phase::Closed {
                return Taken::Nothing;
            }
            if let Some(order) = state.orders.pop_front() {
                return Taken::Order(order);
            }
            state.place_own();
            if !state.pending.is_empty() {
                std::mem::swap(&mut state.pending, batch);
                self.tell_room(&mut state);
                return Taken::Batch;
            }
            if state.phase == Phase::Resting {
                self.rested.notify_one();
            }
            if state.phase == Phase::Finishing {
                if state.own.is_empty() {
                    return Taken::Nothing;
                }
                state.force_own();
            } else {
                state = self.wait(state);
            }
        }
    }

    /// Lets the writer end once all is written.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Finishing;
        }
        self.wake_writer(&mut state);
    }

    /// The output is gone. From now on everything is thrown away.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        state.pending = Vec::new();
        state.own = Vec::new();
        state.orders = VecDeque::new();
        self.tell_room(&mut state);
        self.wake_writer(&mut state);
        self.rested.notify_one();
    }

    /// Takes in a first piece of `bytes` and says how long it is; 0 means that there is no room.
    fn push_some(&self, source: SourceId, kind: Kind, lead: &[u8], bytes: &[u8]) -> usize {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return bytes.len();
        }
        if state.pending.len() >= FULL {
            state.awaited = true;
            return 0;
        }
        let taken = bytes.len().min(PIECE);
        state.append(source, kind, lead, &bytes[..taken]);
        self.wake_writer(&mut state);
        taken
    }

    fn wait<'guard>(&self, mut state: MutexGuard<'guard, State>) -> MutexGuard<'guard, State> {
        let holds_own = !state.own.is_empty() && state.phase == Phase::Running;
        if holds_own && state.open.is_some_and(|open| open.kind == Kind::Line) {
            state.writer = Writer::Holding;
            let (mut state, waited) =
                self.filled.wait_timeout(state, SILENCE).unwrap_or_else(PoisonError::into_inner);
            state.writer = Writer::Writing;
            if waited.timed_out() && state.pending.is_empty() {
                state.force_own();
            }
            return state;
        }
        state.writer = Writer::Idle;
        let mut state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.writer = Writer::Writing;
        state
    }

    fn wake_writer(&self, state: &mut State) {
        if state.writer != Writer::Writing {
            // Said here, not by the woken thread, so that it is woken once and not again by each push until
            // it runs.
            state.writer = Writer::Writing;
            self.filled.notify_one();
        }
    }

    fn tell_room(&self, state: &mut State) {
        if std::mem::take(&mut state.awaited) {
            self.room.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, the bytes would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, source: SourceId, kind: Kind, lead: &[u8], bytes: &[u8]) {
        self.place_own();
        if self.open.is_none_or(|open| open.source != source) {
            self.end_line();
            self.pending.extend_from_slice(lead);
        }
        let mut bytes = bytes;
        if !self.own.is_empty()
            && kind == Kind::Line
            && let Some(at) = memrchr(b'\n', bytes)
        {
            // A stream whose pieces all end within a line must not keep our own lines waiting.
            let (whole, rest) = bytes.split_at(at + 1);
            self.pending.extend_from_slice(whole);
            self.pending.append(&mut self.own);
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        let ended = self.pending.last() == Some(&b'\n');
        self.open = (!ended).then_some(Open { source, kind });
    }

    /// Moves our own lines to the workers' bytes, if those do not end within a line that may still go on.
    fn place_own(&mut self) {
        let is_resting = self.phase == Phase::Resting;
        if !is_resting && !self.own.is_empty() && self.open.is_none_or(|open| open.kind == Kind::Ended) {
            self.force_own();
        }
    }

    fn force_own(&mut self) {
        self.end_line();
        self.pending.append(&mut self.own);
    }

    fn end_line(&mut self) {
        if self.open.take().is_some() {
            self.pending.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests;
