//! Carries the bytes of one worker's pipe to one of our outputs.
//!
//! A pump waits for its pipe to be readable, then for its output's turn, and only then reads. So what cannot
//! be written stays in the pipe, where it holds the worker up, and idle or waiting pumps have no buffer. The
//! turn is given back at the end of a line. It is kept within one where the line is too long to be collected,
//! or is passed on as it comes:
//!
//! ```text
//! waiting --readable--> turn --read, queued--> at a line's end: waiting
//!                                         \--> within a line: waiting, turn kept --1 s of silence--> turn given back
//! ```

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{MutexGuard, mpsc, oneshot};

use super::Settings;
use super::copy::Copies;
use super::format::{Format, Label, Stream};
use super::lines::{Gather, LONGEST, Lines};
use super::look::{AppLook, Looks};
use super::queue::{SILENCE, SourceId};
use super::recorder::Recorder;
use super::rest::Rest;
use super::ring::Ring;
use super::sink::{Sink, Turn};
use super::state::{Bytes, PipeState, PumpState};
use super::track::Track;

mod write;

/// All pumps together keep at most so many bytes of unfinished lines, small ones not counted.
const BUDGET: usize = 4 << 20;
/// An unfinished line of up to so many bytes is small: any pump may keep one.
const SMALL: usize = 4 * 1024;

/// What all pumps share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Cell<Settings>,
    /// Bytes of unfinished lines that are kept.
    kept: Cell<usize>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) rest: Rest,
    pub(super) looks: Looks,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Cell::new(settings),
            kept: Cell::new(0),
            recorder: Arc::new(Recorder::new()),
            rest: Rest::default(),
            looks: Looks::default(),
        }
    }
}

/// A wish to have all read that is there now; answered when that is done.
pub(super) type Drain = oneshot::Sender<()>;

/// See the module.
#[derive(Debug)]
pub(super) struct Pump {
    pipe: Receiver,
    sink: Rc<Sink>,
    source: SourceId,
    stream: Stream,
    track: Track,
    label: Label,
    lines: Lines,
    ring: Rc<RefCell<Ring>>,
    shared: Rc<Shared>,
    copies: Copies,
    /// What this pump has added to `Shared::kept`.
    kept: usize,
    drains: mpsc::Receiver<Drain>,
    /// What was asked for when it was told to rest.
    owed: Option<Drain>,
    /// Whether it is at rest within a line that it has begun on the output.
    keeps_turn: bool,
}

/// What a pump belongs to.
pub(super) struct Place {
    pub(super) sink: Rc<Sink>,
    pub(super) stream: Stream,
    pub(super) track: Track,
    pub(super) label: Label,
    pub(super) ring: Rc<RefCell<Ring>>,
    pub(super) shared: Rc<Shared>,
    pub(super) copies: Copies,
}

enum Wake {
    Readable,
    Drain(Drain),
    Silent,
    Rest,
}

enum Got {
    Bytes(usize),
    Nothing,
    End,
}

impl Pump {
    /// A pump for `pipe`, which is made non-blocking. Fails where it is no pipe.
    pub(super) fn new(pipe: OwnedFd, place: Place, drains: mpsc::Receiver<Drain>) -> io::Result<Self> {
        let Place { sink, stream, track, label, ring, shared, copies } = place;
        let (source, pipe) = (SourceId(track.pipe.number), Receiver::from_owned_fd(pipe)?);
        let (lines, kept, owed, keeps_turn) = (Lines::default(), 0, None, false);
        Ok(Self {
            pipe,
            sink,
            source,
            stream,
            track,
            label,
            lines,
            ring,
            shared,
            copies,
            kept,
            drains,
            owed,
            keeps_turn,
        })
    }

    /// Goes on with what an earlier pump of this pipe had begun.
    pub(super) fn restore(&mut self, state: PumpState) {
        self.lines = Lines::restore(state.rest.0, state.mid_line);
        self.keeps_turn = state.keeps_turn;
        self.note_kept();
    }

    /// Runs until the last holder of the pipe's other end has closed it, or until it is told to rest: then it gives itself
    /// back, and all that it has read is queued or in its hands.
    pub(super) async fn run(mut self) -> Option<Self> {
        let sink = Rc::clone(&self.sink);
        let mut kept_turn = None;
        if self.keeps_turn {
            kept_turn = Some(sink.turn().await);
        }
        loop {
            let wake = self.wait(kept_turn.is_some()).await;
            let mut turn = match (kept_turn.take(), &wake) {
                (_, Wake::Silent) => continue,
                (kept, Wake::Rest) => {
                    self.keeps_turn = kept.is_some();
                    return Some(self);
                }
                (Some(turn), _) => turn,
                (None, _) => sink.turn().await,
            };
            let got = match wake {
                // The turn was given back because its holder rests, and so must this one.
                wake if self.shared.rest.is_asked() => return Some(self.owing(wake)),
                Wake::Drain(reply) => self.drain(&mut turn, reply).await,
                Wake::Readable | Wake::Silent | Wake::Rest => self.read(&mut turn).await,
            };
            if matches!(got, Got::End) {
                self.end_line(&mut turn).await;
                return None;
            }
            kept_turn = self.lines.is_mid_line().then_some(turn);
        }
    }

    async fn wait(&mut self, holding: bool) -> Wake {
        if let Some(reply) = self.owed.take() {
            return Wake::Drain(reply);
        }
        if self.shared.rest.is_asked() {
            return Wake::Rest;
        }
        // Every branch is cancel-safe. Once nobody can ask for a drain any more, the first is out of the game.
        tokio::select! {
            biased;
            Some(reply) = self.drains.recv() => Wake::Drain(reply),
            // An error would mean that the reactor is gone; the read then says the same.
            _ready = self.pipe.readable() => Wake::Readable,
            () = silence(), if holding => Wake::Silent,
            () = self.shared.rest.asked() => Wake::Rest,
        }
    }

    /// At rest without the turn, with `wake` still to be dealt with.
    fn owing(mut self, wake: Wake) -> Self {
        self.keeps_turn = false;
        if let Wake::Drain(reply) = wake {
            self.owed = Some(reply);
        }
        self
    }

    /// Whether it is at rest within a line that it has begun on the output.
    pub(super) fn keeps_turn(&self) -> bool {
        self.keeps_turn
    }

    pub(super) fn ring(&self) -> &Rc<RefCell<Ring>> {
        &self.ring
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    pub(super) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// What another pump needs to go on in its place.
    pub(super) fn state(&self) -> Option<PumpState> {
        Some(PumpState {
            descriptor: self.pipe.as_raw_fd(),
            pipe: PipeState::of(&self.track.pipe)?,
            read: self.track.read,
            begins_line: self.track.begins,
            rest: Bytes(self.lines.rest().to_vec()),
            mid_line: self.lines.is_mid_line(),
            keeps_turn: self.keeps_turn,
            copies: self.copies.numbers(),
        })
    }

    /// Reads what the pipe holds now, not what is still to come, and ends a line that is begun.
    async fn drain(&mut self, turn: &mut MutexGuard<'_, Turn>, reply: Drain) -> Got {
        // A descendant may write for ever; what was there before is never more than the pipe holds.
        let capacity = fcntl(&self.pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or_default();
        let mut left = usize::try_from(capacity).unwrap_or_default();
        let end = loop {
            // Straight from the pipe: the reactor may not have heard yet of what a dead worker wrote last.
            let read = nix::unistd::read(&self.pipe, &mut turn.read).map_err(io::Error::from);
            match self.carry(read, turn).await {
                Got::Bytes(read) if read < left => left -= read,
                Got::Bytes(_) | Got::Nothing => break Got::Nothing,
                Got::End => break Got::End,
            }
        };
        self.end_line(turn).await;
        // Whoever asked may have lost interest.
        let _gone = reply.send(());
        end
    }

    async fn read(&mut self, turn: &mut Turn) -> Got {
        let read = self.pipe.try_read(&mut turn.read);
        self.carry(read, turn).await
    }

    /// Queues what is due after a read into the turn's buffer.
    async fn carry(&mut self, read: io::Result<usize>, turn: &mut Turn) -> Got {
        let length = match read {
            Ok(0) => return Got::End,
            Ok(length) => length,
            Err(error) if is_transient(&error) => return Got::Nothing,
            Err(_) => return Got::End,
        };
        let Turn { read: buffer, scratch } = turn;
        let chunk = &buffer[..length];
        self.ring.borrow_mut().add(self.stream, chunk);
        self.track.add(chunk, &self.shared.recorder);
        self.copies.write(chunk).await;
        let due = self.lines.feed(chunk, self.gather(), self.allowance());
        self.note_kept();
        self.write(due, scratch).await;
        Got::Bytes(length)
    }

    fn gather(&self) -> Gather {
        let settings = self.shared.settings.get();
        match self.format() {
            Format::Json => Gather::Parts,
            Format::Raw | Format::Text if settings.sole_source => Gather::Pass,
            Format::Raw | Format::Text | Format::Fields => Gather::Whole,
        }
    }

    /// The form of this app's lines.
    fn format(&self) -> Format {
        self.look().and_then(|look| look.format).unwrap_or_else(|| self.shared.settings.get().format)
    }

    /// What this app's lines have of their own.
    fn look(&self) -> Option<Rc<AppLook>> {
        self.shared.looks.of(&self.track.pipe.origin)
    }

    fn allowance(&self) -> usize {
        let left = BUDGET.saturating_sub(self.shared.kept.get());
        (self.kept + left).clamp(SMALL, LONGEST)
    }

    fn note_kept(&mut self) {
        let held = self.lines.held_bytes();
        let kept = if held > SMALL { held } else { 0 };
        self.shared.kept.set(self.shared.kept.get() - self.kept + kept);
        self.kept = kept;
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.shared.kept.set(self.shared.kept.get() - self.kept);
    }
}

async fn silence() {
    tokio::time::sleep(SILENCE).await;
}

/// Whether the pipe is in order and only has nothing for us now.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
