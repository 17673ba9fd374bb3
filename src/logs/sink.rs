//! One of our outputs: the turn that a source must have to write, and the thread that does the writing.
//!
//! The thread exists because our stdout and stderr may block, and because they must not be made non-blocking: the
//! open file is shared with whoever started us.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use super::format::Stream;
use super::queue::Queue;

/// How much is read from a worker at once: what a pipe holds.
const READ: usize = 64 * 1024;
/// The writer calls little more than `write`; glibc keeps its thread-local data here too.
const STACK: usize = 128 * 1024;
/// How long to wait before writing to a full disk again.
const FULL_DISK: Duration = Duration::from_secs(1);

/// The buffers that go with the right to write. So there is one set an output, not one a source, and a source
/// that must wait for others, or for a slow reader, leaves its bytes in its own pipe.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) read: Box<[u8]>,
    pub(super) scratch: Vec<u8>,
}

/// One output, as the pumps see it.
#[derive(Debug)]
pub(super) struct Sink {
    turn: Mutex<Turn>,
    pub(super) queue: Arc<Queue>,
}

impl Sink {
    pub(super) fn new() -> Self {
        let turn = Turn { read: Box::default(), scratch: Vec::new() };
        Self { turn: Mutex::new(turn), queue: Arc::new(Queue::new()) }
    }

    /// Waits for the right to read from a source and to write; first come, first served. It may be held
    /// across waits: that is its purpose, since only its holder can end the line that it has begun.
    /// Cancel-safe.
    pub(super) async fn turn(&self) -> MutexGuard<'_, Turn> {
        let mut turn = self.turn.lock().await;
        if turn.read.is_empty() {
            turn.read = vec![0; READ].into();
        }
        turn
    }
}

/// The thread that writes one output.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Writer {
    /// Starts writing to `output` what `queue` gets. If the output turns out to be closed, `closed` is told
    /// `stream`, once.
    pub(super) fn start(
        queue: Arc<Queue>,
        output: OwnedFd,
        stream: Stream,
        closed: mpsc::Sender<Stream>,
    ) -> io::Result<Self> {
        let (end, ended) = oneshot::channel();
        let name = match stream {
            Stream::Stdout => "pmr-stdout",
            Stream::Stderr => "pmr-stderr",
        };
        let source = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
            write_queue(&source, output.as_fd(), stream, &closed);
            // Nobody listens where finishing took too long.
            let _gone = end.send(());
        })?;
        Ok(Self { queue, thread, ended })
    }

    /// Lets the thread end once all that is queued has been written.
    pub(super) fn finish(&self) {
        self.queue.finish();
    }

    /// Waits until the thread has ended: after `finish`, or since its output is closed.
    pub(super) async fn ended(self) {
        // An error would mean that it has panicked, which is an end too.
        let _ended = self.ended.await;
        // It has nothing left to do, so this does not block.
        let _joined = self.thread.join();
    }
}

fn write_queue(queue: &Queue, output: BorrowedFd<'_>, stream: Stream, closed: &mpsc::Sender<Stream>) {
    // Signals are for the main thread; and with SIGTTOU blocked, a terminal takes our lines while the app is
    // in the foreground.
    let _never_fails = SigSet::all().thread_block();
    let mut batch = Vec::new();
    while queue.take(&mut batch) {
        if write_all(output, &batch).is_err() {
            queue.close();
            // There is room for one word of each output, and nobody to tell once the loop is over.
            let _told = closed.try_send(stream);
            return;
        }
    }
}

/// Writes all of `bytes`, however long it takes. An error means that the output takes nothing any more.
fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match nix::unistd::write(output, bytes) {
            // Nothing taken and no error: not something that an output may do with bytes to write.
            Ok(0) => return Err(Errno::EIO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            // Somebody who shares the open file with us has made it non-blocking.
            Err(Errno::EAGAIN) => wait_writable(output)?,
            // Lines are never thrown away while they may still find a place; the workers wait.
            Err(Errno::ENOSPC | Errno::EDQUOT) => std::thread::sleep(FULL_DISK),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn wait_writable(output: BorrowedFd<'_>) -> Result<(), Errno> {
    match poll(&mut [PollFd::new(output, PollFlags::POLLOUT)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
