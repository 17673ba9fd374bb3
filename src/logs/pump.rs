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

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use memchr::memchr;
use nix::fcntl::{FcntlArg, fcntl};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{MutexGuard, mpsc, oneshot};

use super::chunks::{Piece, Pipe};
use super::clock;
use super::format::{self, Format, JsonLine, Label, Part, Prefix, Stream};
use super::lines::{Due, Gather, LONGEST, Lines};
use super::queue::{Kind, SILENCE, SourceId};
use super::recorder::{Recorder, millis};
use super::ring::Ring;
use super::sink::{Sink, Turn};
use super::{Settings, StreamSettings};

/// All pumps together keep at most so many bytes of unfinished lines, small ones not counted.
const BUDGET: usize = 4 << 20;
/// An unfinished line of up to so many bytes is small: any pump may keep one.
const SMALL: usize = 4 * 1024;
/// Formatted bytes are handed on once there are so many of them.
const BATCH: usize = 32 * 1024;

/// What all pumps share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Cell<Settings>,
    /// Bytes of unfinished lines that are kept.
    kept: Cell<usize>,
    pub(super) recorder: Arc<Recorder>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Cell::new(settings), kept: Cell::new(0), recorder: Arc::new(Recorder::new()) }
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
    /// What this pump has added to `Shared::kept`.
    kept: usize,
    drains: mpsc::Receiver<Drain>,
}

/// What a pump belongs to.
pub(super) struct Place {
    pub(super) sink: Rc<Sink>,
    pub(super) source: SourceId,
    pub(super) stream: Stream,
    pub(super) track: Track,
    pub(super) label: Label,
    pub(super) ring: Rc<RefCell<Ring>>,
    pub(super) shared: Rc<Shared>,
}

/// How far a pipe has been read, for the recorder.
#[derive(Debug)]
pub(super) struct Track {
    pipe: Arc<Pipe>,
    read: u64,
    /// Whether what comes next begins a line.
    begins: bool,
}

impl Track {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe, read: 0, begins: true }
    }

    fn add(&mut self, bytes: &[u8], recorder: &Recorder) {
        let Self { pipe, read: offset, begins } = &*self;
        recorder.add(Piece { pipe, offset: *offset, begins: *begins, time: millis(clock::now()), bytes });
        self.read += bytes.len() as u64;
        self.begins = bytes.last().is_none_or(|&byte| byte == b'\n');
    }

    /// The line that is begun, if one is, will not go on.
    fn end_line(&mut self, recorder: &Recorder) {
        if !self.begins {
            self.add(b"\n", recorder);
        }
    }
}

enum Wake {
    Readable,
    Drain(Drain),
    Silent,
}

enum Got {
    Bytes(usize),
    Nothing,
    End,
}

impl Pump {
    /// A pump for `pipe`, which is made non-blocking. Fails where it is no pipe.
    pub(super) fn new(pipe: OwnedFd, place: Place, drains: mpsc::Receiver<Drain>) -> io::Result<Self> {
        let Place { sink, source, stream, track, label, ring, shared } = place;
        let pipe = Receiver::from_owned_fd(pipe)?;
        let lines = Lines::default();
        Ok(Self { pipe, sink, source, stream, track, label, lines, ring, shared, kept: 0, drains })
    }

    /// Runs until the last holder of the pipe's other end has closed it.
    pub(super) async fn run(mut self) {
        let sink = Rc::clone(&self.sink);
        let mut kept_turn = None;
        loop {
            let wake = self.wait(kept_turn.is_some()).await;
            let mut turn = match (kept_turn.take(), &wake) {
                (_, Wake::Silent) => continue,
                (Some(turn), _) => turn,
                (None, _) => sink.turn().await,
            };
            let got = match wake {
                Wake::Drain(reply) => self.drain(&mut turn, reply).await,
                Wake::Readable | Wake::Silent => self.read(&mut turn).await,
            };
            if matches!(got, Got::End) {
                self.end_line(&mut turn).await;
                return;
            }
            kept_turn = self.lines.is_mid_line().then_some(turn);
        }
    }

    async fn wait(&mut self, holding: bool) -> Wake {
        // Every branch is cancel-safe. Once nobody can ask for a drain any more, the first is out of the game.
        tokio::select! {
            biased;
            Some(reply) = self.drains.recv() => Wake::Drain(reply),
            // An error would mean that the reactor is gone; the read then says the same.
            _ready = self.pipe.readable() => Wake::Readable,
            () = silence(), if holding => Wake::Silent,
        }
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
        let due = self.lines.feed(chunk, self.gather(), self.allowance());
        self.note_kept();
        self.write(due, scratch).await;
        Got::Bytes(length)
    }

    fn gather(&self) -> Gather {
        let settings = self.shared.settings.get();
        match settings.format {
            Format::Json => Gather::Parts,
            Format::Raw | Format::Text if settings.sole_source => Gather::Pass,
            Format::Raw | Format::Text => Gather::Whole,
        }
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

    async fn write(&self, due: Due<'_>, scratch: &mut Vec<u8>) {
        let Due { head, body } = due;
        if self.shared.settings.get().format == Format::Json {
            self.write_objects(head, body, scratch).await;
        } else if let Some(prefix) = self.prefix() {
            self.write_prefixed(&prefix, &head, scratch).await;
            self.write_prefixed(&prefix, body, scratch).await;
        } else {
            self.sink.queue.push(self.source, Kind::Line, b"", &head).await;
            self.sink.queue.push(self.source, Kind::Line, b"", body).await;
        }
    }

    async fn write_prefixed(&self, prefix: &[u8], bytes: &[u8], scratch: &mut Vec<u8>) {
        let (mut lead, mut left) = (prefix, bytes);
        while !left.is_empty() {
            scratch.clear();
            left = format::prefix_lines(left, prefix, scratch, BATCH);
            self.sink.queue.push(self.source, Kind::Line, lead, scratch).await;
            lead = b"";
        }
    }

    async fn write_objects(&self, mut head: Vec<u8>, body: &[u8], scratch: &mut Vec<u8>) {
        if head.is_empty() && body.is_empty() {
            return;
        }
        let time = format::rfc3339(clock::now());
        let mut body = body;
        scratch.clear();
        if !head.is_empty() {
            let end = memchr(b'\n', body).map_or(body.len(), |at| at + 1);
            head.extend_from_slice(&body[..end]);
            body = &body[end..];
            self.write_object(&head, &time, scratch).await;
        }
        while !body.is_empty() {
            let end = memchr(b'\n', body).map_or(body.len(), |at| at + 1);
            self.write_object(&body[..end], &time, scratch).await;
            body = &body[end..];
        }
        self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
    }

    async fn write_object(&self, line: &[u8], time: &str, scratch: &mut Vec<u8>) {
        let part = if line.ends_with(b"\n") { Part::Last } else { Part::More };
        self.write_part(line, part, time, scratch).await;
    }

    async fn write_part(&self, line: &[u8], part: Part, time: &str, scratch: &mut Vec<u8>) {
        let mut object = JsonLine::begin(line, part, &self.label, time, scratch);
        while object.write_some(scratch) {
            if scratch.len() >= BATCH {
                self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
                scratch.clear();
            }
        }
        if scratch.len() >= BATCH {
            self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
            scratch.clear();
        }
    }

    /// Writes the start of a line whose end will not come. In raw it stays without one, until somebody else's
    /// bytes follow.
    async fn end_line(&mut self, turn: &mut Turn) {
        self.track.end_line(&self.shared.recorder);
        let head = self.lines.take_rest();
        self.note_kept();
        let scratch = &mut turn.scratch;
        if self.shared.settings.get().format == Format::Json {
            if !head.is_empty() {
                scratch.clear();
                self.write_part(&head, Part::Last, &format::rfc3339(clock::now()), scratch).await;
                self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
            }
            return;
        }
        self.write(Due { head, body: b"" }, scratch).await;
        if self.prefix().is_some() && self.sink.queue.is_open(self.source) {
            self.sink.queue.push(self.source, Kind::Line, b"", b"\n").await;
        }
        self.sink.queue.end_source(self.source);
    }

    /// What stands before each line, if anything does.
    fn prefix(&self) -> Option<Cow<'_, [u8]>> {
        let settings = self.shared.settings.get();
        let StreamSettings { prefix, .. } = settings.of(self.stream);
        let is_named = settings.format == Format::Text && prefix == Prefix::AppAndInstance;
        let name = is_named.then_some(&*self.label.prefix);
        if !settings.line_times {
            return name.map(Cow::Borrowed);
        }
        let time = format!("{} ", format::rfc3339(clock::now()));
        Some(Cow::Owned([time.as_bytes(), name.unwrap_or_default()].concat()))
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
