//! One of our outputs: the turn that a source must have to write, and the thread that does the writing.
//!
//! The thread exists because our stdout and stderr may block, and because they must not be made non-blocking: the
//! open file is shared with whoever started us.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::sys::signal::SigSet;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use super::format::Stream;
use super::queue::{Queue, Taken, Task};
use super::target::Target;

/// How much is read from a worker at once: what a pipe holds.
const READ: usize = 64 * 1024;
/// The writer calls little more than `write`; glibc keeps its thread-local data here too.
const STACK: usize = 128 * 1024;

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
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<()>,
}

impl Writer {
    /// Starts writing to `target` what `queue` gets. If the target turns out to be closed, `closed` is told
    /// `stream`, once.
    pub(super) fn start(
        queue: Arc<Queue>,
        target: Target,
        stream: Stream,
        closed: mpsc::Sender<Stream>,
    ) -> io::Result<Self> {
        if target.is_within_line() {
            queue.begin_within_line();
        }
        let (end, ended) = oneshot::channel();
        let name = match stream {
            Stream::Stdout => "pmr-stdout",
            Stream::Stderr => "pmr-stderr",
        };
        let source = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
            write_queue(&source, target, stream, &closed);
            // Nobody listens where finishing took too long.
            let _gone = end.send(());
        })?;
        Ok(Self { queue, thread: Some(thread), ended })
    }

    /// Has the thread do `task` between two lines.
    pub(super) async fn order(&self, task: Task) -> io::Result<()> {
        self.queue.order(task).await
    }

    /// Waits until the thread has ended: after `finish`, or since its output is closed.
    pub(super) async fn ended(mut self) {
        // An error would mean that it has panicked, which is an end too.
        let _ended = (&mut self.ended).await;
        if let Some(thread) = self.thread.take() {
            // It has nothing left to do, so this does not block.
            let _joined = thread.join();
        }
    }

    /// Lets the thread end once all that is queued has been written.
    pub(super) fn finish(&self) {
        self.queue.finish();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

fn write_queue(queue: &Queue, mut target: Target, stream: Stream, closed: &mpsc::Sender<Stream>) {
    // Signals are for the main thread; and with SIGTTOU blocked, a terminal takes our lines while the app is
    // in the foreground.
    let _never_fails = SigSet::all().thread_block();
    let mut batch = Vec::new();
    loop {
        match queue.take(&mut batch) {
            Taken::Batch => {
                if target.write_all(&batch).is_err() {
                    queue.close();
                    // There is room for one word of each output, and nobody to tell once the loop is over.
                    let _told = closed.try_send(stream);
                    return;
                }
            }
            Taken::Order(order) => {
                // Whoever asked may have lost interest.
                let _gone = order.reply.send(target.perform(order.task));
            }
            Taken::Nothing => return,
        }
    }
}
