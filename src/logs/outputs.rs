//! Our two outputs and everything that writes to them.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::stat::fstat;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

use super::chunks::Pipe;
use super::clock;
use super::copy::Copies;
use super::file::{FileSettings, RotatingFile};
use super::format::{Format, Label, Prefix, Source, Stream};
use super::line::{Filter, LogLine, Origin};
use super::look::AppLook;
use super::message::Look;
use super::own::OwnMessages;
use super::pump::{Drain, Place, Pump, Shared};
use super::queue::Task;
use super::recorder::{FIRST_PIPE, Recorder};
use super::ring::Ring;
use super::sink::{Sink, Writer};
use super::tap::Tap;
use super::target::Target;
use super::track::Track;
use crate::spec::AppId;

/// How lines are to look. What belongs to a terminal or to the environment (NO_COLOR, DYNO) is the caller's
/// to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub format: Format,
    pub stdout: StreamSettings,
    pub stderr: StreamSettings,
    /// Whether our own messages begin with the time in text. Not where the platform (DYNO) or a terminal
    /// makes it a nuisance.
    pub timestamps: bool,
    /// Whether each line begins with the time at which it was read, in raw and text.
    pub line_times: bool,
    /// Whether there is one instance only: then bytes pass at once in raw and text, unfinished lines too.
    pub sole_source: bool,
}

/// How lines on one of the outputs are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSettings {
    pub prefix: Prefix,
    pub colour: bool,
}

impl Settings {
    /// The part that belongs to `stream`.
    #[must_use]
    pub fn of(&self, stream: Stream) -> StreamSettings {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }

    /// How our own messages look on `stream`.
    fn look(&self, stream: Stream) -> Look {
        Look { format: self.format, colour: self.of(stream).colour, timestamps: self.timestamps }
    }
}

/// Our stdout and stderr, with a thread each that writes. Dropping it ends all pumps at once.
#[derive(Debug)]
pub struct Outputs {
    pub(super) shared: Rc<Shared>,
    pub(super) stdout: Rc<Sink>,
    pub(super) stderr: Rc<Sink>,
    writers: Vec<Writer>,
    /// Each gives itself back where it was told to rest.
    pub(super) pumps: RefCell<JoinSet<Option<Pump>>>,
    /// The number of the next pipe.
    pub(super) pipes: Cell<u64>,
    _end_of_taps: EndOfTaps,
}

/// Ends the taps when the outputs end.
#[derive(Debug)]
struct EndOfTaps(Arc<Recorder>);

impl Drop for EndOfTaps {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Tells when one of our outputs has been closed at its other end.
#[derive(Debug)]
pub struct Closed(mpsc::Receiver<Stream>);

impl Closed {
    /// Whether there is nothing to tell now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until an output is found closed; each is told of once. What is written to it is thrown away from
    /// then on. (Both names may stand for one output; then it is told as stdout.) Pends for ever once nothing
    /// can be closed any more. Cancel-safe.
    pub async fn next(&mut self) -> Stream {
        match self.0.recv().await {
            Some(stream) => stream,
            None => std::future::pending().await,
        }
    }
}

/// A stream of a worker, and where else it goes.
#[derive(Debug)]
pub struct WorkerPipe {
    /// Our end of the worker's pipe.
    pub own: OwnedFd,
    /// Ends of pipes to write what is read to; see [`Outputs::attach_copy`].
    pub copies: Vec<OwnedFd>,
}

impl WorkerPipe {
    /// It goes nowhere else.
    #[must_use]
    pub fn alone(own: OwnedFd) -> Self {
        Self { own, copies: Vec::new() }
    }
}

/// A worker's two pipes at our end. Dropping it leaves its pumps running until the last descendant has closed
/// the pipes.
#[derive(Debug)]
pub struct WorkerLogs {
    ring: Rc<RefCell<Ring>>,
    drains: Vec<mpsc::Sender<Drain>>,
}

impl WorkerLogs {
    pub(super) fn new(ring: Rc<RefCell<Ring>>, drains: Vec<mpsc::Sender<Drain>>) -> Self {
        Self { ring, drains }
    }

    /// The last lines of both streams as far as they have been read: at most 30 and 8 KiB. Ask after `drain`.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.ring.borrow().lines()
    }

    /// Whether the last descendant has closed the pipes and all of it was read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.drains.iter().all(mpsc::Sender::is_closed)
    }

    /// Waits until everything that is in the pipes now has been read and queued, and ends a line that is
    /// begun. For a worker that has ended: it does not wait for descendants, which may hold the pipes and go
    /// on writing. Takes as long as our output is blocked, so give it a deadline. Cancel-safe: the reading
    /// goes on.
    pub async fn drain(&self) {
        let mut replies = Vec::with_capacity(self.drains.len());
        for drains in &self.drains {
            let (reply, done) = oneshot::channel();
            if drains.send(reply).await.is_ok() {
                replies.push(done);
            }
        }
        for done in replies {
            // An error means that the pump has met the end of its pipe, which is as good.
            let _ended = done.await;
        }
    }
}

impl Outputs {
    /// Starts the writers. The descriptors are our stdout and stderr or copies of them; they are left in
    /// blocking mode. Where both lead to the same file (`2>&1`), one writer serves both, so that their lines
    /// do not tear each other.
    pub fn start(settings: Settings, stdout: OwnedFd, stderr: OwnedFd) -> io::Result<(Self, Closed)> {
        let stderr = (!is_same_file(&stdout, &stderr)).then_some(Target::Descriptor(stderr));
        Self::start_with(settings, Target::Descriptor(stdout), stderr)
    }

    /// Starts the writers of two log files, or of one where both have the same path; its settings are then those of `out`.
    /// What is for no file is thrown away once it was recorded. The files are never waited for: what they do not take is lost,
    /// counted and told of. Fails where one cannot be opened now.
    pub fn to_files(
        settings: Settings,
        out: Option<FileSettings>,
        err: Option<FileSettings>,
    ) -> io::Result<(Self, Closed)> {
        let target = |file: Option<FileSettings>, stream| -> io::Result<Target> {
            let Some(file) = file else { return Ok(Target::Nowhere) };
            Ok(Target::File(Box::new(RotatingFile::open(file, clock::now())?), settings.look(stream)))
        };
        let path = |file: &Option<FileSettings>| file.as_ref().map(|file| file.path.clone());
        let err = if path(&err) == path(&out) { None } else { Some(target(err, Stream::Stderr)?) };
        Self::start_with(settings, target(out, Stream::Stdout)?, err)
    }

    fn start_with(settings: Settings, stdout: Target, stderr: Option<Target>) -> io::Result<(Self, Closed)> {
        let (tell, closed) = mpsc::channel(2);
        let out = Rc::new(Sink::new());
        let mut writers = Vec::with_capacity(2);
        writers.push(Writer::start(Arc::clone(&out.queue), stdout, Stream::Stdout, tell.clone())?);
        let mut err = Rc::clone(&out);
        if let Some(stderr) = stderr {
            err = Rc::new(Sink::new());
            writers.push(Writer::start(Arc::clone(&err.queue), stderr, Stream::Stderr, tell)?);
        }
        let shared = Rc::new(Shared::new(settings));
        let outputs = Self {
            _end_of_taps: EndOfTaps(Arc::clone(&shared.recorder)),
            shared,
            stdout: out,
            stderr: err,
            writers,
            pumps: RefCell::default(),
            pipes: Cell::new(FIRST_PIPE),
        };
        Ok((outputs, Closed(closed)))
    }

    /// What makes `tracing` events lines on our stderr. `filter` (a `LevelFilter`, an `EnvFilter`) says which
    /// ones.
    pub fn subscriber<F>(&self, filter: F) -> impl Subscriber + Send + Sync + use<F>
    where
        F: Layer<Registry> + Send + Sync,
    {
        let look = self.shared.settings.get().look(Stream::Stderr);
        let own = OwnMessages::new(Arc::clone(&self.stderr.queue), Arc::clone(&self.shared.recorder), look);
        tracing_subscriber::registry().with(filter).with(own)
    }

    /// Takes over a new worker's pipes (our ends, which are made non-blocking). Must be called within a
    /// `LocalSet`. Fails where one is no pipe or the kernel has no room to watch it; then both are closed.
    pub fn attach(
        &self,
        source: Source<'_>,
        stdout: WorkerPipe,
        stderr: WorkerPipe,
    ) -> io::Result<WorkerLogs> {
        self.shared.recorder.know(source.app);
        let ring = Rc::new(RefCell::new(Ring::default()));
        let (out, drain_stdout) = self.pump(source, Stream::Stdout, stdout, &ring)?;
        let (err, drain_stderr) = self.pump(source, Stream::Stderr, stderr, &ring)?;
        self.run([out, err]);
        Ok(WorkerLogs::new(ring, vec![drain_stdout, drain_stderr]))
    }

    /// Takes over a pipe with a copy of what a worker writes to `stream`. It is written, and not recorded.
    pub fn attach_copy(&self, source: Source<'_>, stream: Stream, pipe: OwnedFd) -> io::Result<()> {
        let (pump, _never_drained) = self.pump(source, stream, WorkerPipe::alone(pipe), &Rc::default())?;
        self.run([pump]);
        Ok(())
    }

    fn pump(
        &self,
        source: Source<'_>,
        stream: Stream,
        WorkerPipe { own, copies }: WorkerPipe,
        ring: &Rc<RefCell<Ring>>,
    ) -> io::Result<(Pump, mpsc::Sender<Drain>)> {
        let (drain, drains) = mpsc::channel(1);
        let track = Track::new(self.new_pipe(source, stream));
        let place = self.place(source, stream, (track, Copies::new(copies)?), ring);
        Pump::new(own, place, drains).map(|pump| (pump, drain))
    }

    fn run<const N: usize>(&self, new: [Pump; N]) {
        let mut pumps = self.pumps.borrow_mut();
        // Those that have ended since are forgotten here, as good a moment as any.
        while pumps.try_join_next().is_some() {}
        for pump in new {
            pumps.spawn_local(pump.run());
        }
    }

    /// What the lines of `app` have of their own, from now on.
    pub fn set_look(&self, app: AppId, look: AppLook) {
        self.shared.looks.set(app, look);
    }

    /// Whether all pipes are at their end.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let mut pumps = self.pumps.borrow_mut();
        while pumps.try_join_next().is_some() {}
        pumps.is_empty()
    }

    /// How lines look now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.settings.get()
    }

    /// Says whether there is one instance only, and whether lines have a prefix, from now on.
    pub fn rearrange(&self, sole_source: bool, stdout: Prefix, stderr: Prefix) {
        let mut settings = self.shared.settings.get();
        settings.sole_source = sole_source;
        settings.stdout.prefix = stdout;
        settings.stderr.prefix = stderr;
        self.shared.settings.set(settings);
    }

    /// The last `count` lines of `app` that `filter` wants, oldest first. Those that have no end yet are the last.
    #[must_use]
    pub fn history(&self, app: AppId, filter: &Filter, count: usize) -> Vec<LogLine> {
        self.shared.recorder.history(app, filter, count)
    }

    /// The last `count` messages of ours.
    #[must_use]
    pub fn own_history(&self, count: usize) -> Vec<LogLine> {
        self.shared.recorder.own_history(count)
    }

    /// Forgets what `app` has written so far.
    pub fn clear(&self, app: AppId) {
        self.shared.recorder.clear(app);
    }

    /// Keeps nothing of `app` any more, since it is no more.
    pub fn forget(&self, app: AppId) {
        self.shared.recorder.forget(app);
        self.shared.looks.set(app, AppLook::default());
    }

    /// The lines that `filter` wants, from now on. Of lines that are begun already the start is missing.
    #[must_use]
    pub fn subscribe(&self, filter: Filter) -> Tap {
        self.shared.recorder.subscribe(filter)
    }

    /// The last lines that `filter` wants, at most `count` of each app and as many of ours, in the order of time, and
    /// all that come after them: no line is in both or in neither.
    #[must_use]
    pub fn history_and_subscribe(&self, filter: Filter, count: usize) -> (Vec<LogLine>, Tap) {
        self.shared.recorder.history_and_tap(filter, count)
    }

    /// Empties the log files. Gives the first error, but tries each. Waits for writers, so give it a deadline.
    pub async fn truncate_files(&self) -> io::Result<()> {
        self.order(Task::Truncate).await
    }

    /// Opens the log files anew, since somebody has moved them away. As for the rest, see `truncate_files`.
    pub async fn reopen_files(&self) -> io::Result<()> {
        self.order(Task::Reopen).await
    }

    async fn order(&self, task: Task) -> io::Result<()> {
        let mut result = Ok(());
        for writer in &self.writers {
            result = result.and(writer.order(task).await);
        }
        result
    }

    /// Ends all pumps and waits until everything queued has been written, at most for `limit`. False: an output is
    /// blocked, and what is queued for it is lost when the process ends.
    pub async fn finish(self, limit: Duration) -> bool {
        self.pumps.into_inner().shutdown().await;
        self.writers.iter().for_each(Writer::finish);
        let all_ended = async {
            for writer in self.writers {
                writer.ended().await;
            }
        };
        tokio::time::timeout(limit, all_ended).await.is_ok()
    }

    /// As `finish`, but the pumps end by themselves, at the end of their pipes.
    pub async fn finish_at_their_end(self, limit: Duration) -> bool {
        let mut pumps = self.pumps.take();
        let ended = async { while pumps.join_next().await.is_some() {} };
        let _in_time = tokio::time::timeout(limit, ended).await;
        self.pumps.replace(pumps);
        self.finish(limit).await
    }

    fn new_pipe(&self, source: Source<'_>, stream: Stream) -> Arc<Pipe> {
        let number = self.pipes.get();
        self.pipes.set(number + 1);
        let Source { app, name, instance, pid } = source;
        Arc::new(Pipe { number, origin: Origin::App { app, name: name.into(), instance, pid, stream } })
    }

    /// The place of a pump for a pipe of `source`.
    pub(super) fn place(
        &self,
        source: Source<'_>,
        stream: Stream,
        (track, copies): (Track, Copies),
        ring: &Rc<RefCell<Ring>>,
    ) -> Place {
        let sink = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        let colour = self.shared.settings.get().of(stream).colour;
        Place {
            sink: Rc::clone(sink),
            stream,
            track,
            label: Label::new(source, stream, colour),
            ring: Rc::clone(ring),
            shared: Rc::clone(&self.shared),
            copies,
        }
    }
}

/// Whether both descriptors lead to the same file, pipe, socket or terminal. Where that cannot be told, they
/// do not.
fn is_same_file(one: &OwnedFd, other: &OwnedFd) -> bool {
    match (fstat(one.as_fd()), fstat(other.as_fd())) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}
