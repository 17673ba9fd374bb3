//! The task that moves bytes between one worker's link and its socket, and the handle by which the driver speaks to it.
//!
//! Nothing is held for an idle link but its state: what is read goes through a buffer on the stack. A worker that
//! floods us is not read faster than the driver takes its messages; one that does not read never keeps us waiting.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::{Rc, Weak};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use super::codec::Query;
use super::link::{FromWorker, Link, ServerId};
use super::outbox::{Outbox, Taken, Unwritten};
use super::shared_data::SharedData;
use super::wanted::Errno;
use super::wire::Frame;
use crate::spec::WorkerKey;
use crate::sys::channel;
use crate::sys::inherited::{self, Kept};

/// How much is read at once. Small, for each line in it may become a message in memory before the driver takes the
/// first; large enough for the protocol's own messages, which are of some 200 bytes.
const READ_SIZE: usize = 16 << 10;

/// More than fits into a socket. A descendant that still writes is not heard out for ever.
const LAST_READS: usize = 64;

/// The driver's handle on a worker's channel.
///
/// Node ends a worker at once when its channel closes, whatever it was answering. So dropping this handle leaves the
/// channel open: the task closes it when the worker has closed its end. Keep the handle until the worker is reaped, and
/// call [`ClusterLink::close`] then, in case some descendant still holds the worker's end.
#[derive(Debug)]
pub struct ClusterLink {
    shared: Rc<Shared>,
    /// Until the channel has ended.
    socket: Weak<UnixStream>,
    task: JoinHandle<()>,
}

/// What is known of a channel between two programs of one process.
#[derive(Debug, Serialize, Deserialize)]
pub struct LinkState {
    descriptor: i32,
    link: Link,
    refused: u64,
    /// What the worker has not read yet.
    #[serde(default)]
    unwritten: Vec<Unwritten>,
}

#[derive(Debug)]
struct Shared {
    worker: WorkerKey,
    link: RefCell<Link>,
    outbox: RefCell<Outbox<Rc<OwnedFd>>>,
    /// There is something to write.
    filled: Notify,
    /// Something was written.
    emptied: Notify,
    /// Whether something was read that is still to be passed on.
    delivering: Cell<bool>,
    /// Whether nothing more is to be read.
    resting: Cell<bool>,
}

impl ClusterLink {
    /// Takes over our end of `worker`'s channel (see [`channel::pair`]). What the worker says goes to `events`, whose
    /// capacity bounds how many messages wait; while it is full, the worker's socket is not read. The last event is
    /// [`FromWorker::Ended`].
    ///
    /// Call it inside a `LocalSet` or local runtime with I/O.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn start(
        worker: WorkerKey,
        socket: StdUnixStream,
        events: Sender<(WorkerKey, FromWorker)>,
    ) -> io::Result<Self> {
        Self::go_on(worker, socket, (Link::new(worker.worker), Outbox::default()), events)
    }

    /// The channel as the program before us in this process left it; see [`ClusterLink::start`].
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn resume(
        worker: WorkerKey,
        state: LinkState,
        events: Sender<(WorkerKey, FromWorker)>,
    ) -> io::Result<Self> {
        let LinkState { descriptor, link, refused, unwritten } = state;
        let socket = inherited::take(descriptor)?.into();
        Self::go_on(worker, socket, (link, Outbox::resume(refused, unwritten)), events)
    }

    fn go_on(
        worker: WorkerKey,
        socket: StdUnixStream,
        (link, outbox): (Link, Outbox<Rc<OwnedFd>>),
        events: Sender<(WorkerKey, FromWorker)>,
    ) -> io::Result<Self> {
        let socket = Rc::new(UnixStream::from_std(socket)?);
        let shared = Rc::new(Shared {
            worker,
            link: RefCell::new(link),
            outbox: RefCell::new(outbox),
            filled: Notify::new(),
            emptied: Notify::new(),
            delivering: Cell::default(),
            resting: Cell::default(),
        });
        // There may be something to write already.
        shared.filled.notify_one();
        let weak = Rc::downgrade(&socket);
        let task = tokio::task::spawn_local(run(socket, Rc::clone(&shared), events));
        Ok(Self { shared, socket: weak, task })
    }

    /// Reads nothing more, save what it is about to read.
    pub fn rest(&self) {
        self.shared.resting.set(true);
    }

    /// Ends a rest.
    pub fn end_rest(&self) {
        self.shared.resting.set(false);
        self.shared.emptied.notify_one();
    }

    /// Whether all that was read has been passed on, and another program could write what is to be said.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.shared.delivering.get() && self.shared.outbox.borrow().is_plain()
    }

    /// All that another program must know to go on, which keeps the channel open over an `execve`; `None` where it has ended.
    /// Only at rest.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn state(&self, kept: &mut Kept) -> io::Result<Option<LinkState>> {
        let Some(socket) = self.socket.upgrade() else { return Ok(None) };
        let descriptor = kept.add(socket.as_fd())?;
        let link = self.shared.link.borrow().clone();
        let unwritten = self.shared.outbox.borrow().unwritten().ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Some(LinkState { descriptor, link, refused: self.refused(), unwritten }))
    }

    /// Gives the worker the socket that it asked for. Does nothing if the worker does not want it any more.
    pub fn answer_listener(&self, query: &Query, socket: Rc<OwnedFd>, data: &mut SharedData) {
        let frame = self.shared.link.borrow_mut().answer_listener(query, data);
        self.shared.send(frame, Some(socket));
    }

    /// Tells the worker that it cannot have the socket that it asked for.
    pub fn answer_error(&self, query: &Query, errno: Errno) {
        let frame = self.shared.link.borrow_mut().answer_error(query, errno);
        self.shared.send(frame, None);
    }

    /// Hands the worker a connection for one of its servers, and returns the number by which
    /// [`FromWorker::Connection`] will speak of it; `None` if the worker does not have that server.
    #[must_use]
    pub fn hand_connection(&self, server: ServerId, connection: Rc<OwnedFd>) -> Option<u64> {
        let (seq, frame) = self.shared.link.borrow_mut().hand_connection(server)?;
        self.shared.send(Some(frame), Some(connection));
        Some(seq)
    }

    /// Whether the worker would be handed connections for this server of its.
    #[must_use]
    pub fn takes_connections(&self, server: ServerId) -> bool {
        self.shared.link.borrow().takes_connections(server)
    }

    /// Sends the worker something that it answers when it reads its channel, and returns the number by which
    /// [`FromWorker::Connection`] will speak of it. `nowhere` is a socket that it will close; `None` if it has ended.
    #[must_use]
    pub fn probe(&self, nowhere: Rc<OwnedFd>) -> Option<u64> {
        self.socket.upgrade()?;
        let (seq, frame) = self.shared.link.borrow_mut().probe();
        self.shared.send(Some(frame), Some(nowhere));
        Some(seq)
    }

    /// Asks the worker to close its servers, finish what it is answering, and exit. Repeating it does nothing.
    pub fn disconnect(&self) {
        let frame = self.shared.link.borrow_mut().disconnect();
        self.shared.send(frame, None);
    }

    /// Asks the worker's event loop for a sign of life, [`FromWorker::Pulse`]. False if it cannot be asked.
    #[must_use]
    pub fn ping(&self) -> bool {
        if !self.is_open() {
            return false;
        }
        let Some(frame) = self.shared.link.borrow_mut().ping() else { return false };
        self.shared.send(Some(frame), None);
        true
    }

    /// Sends `message` to the app's `process.on('message')`. It is refused if the app does not read, is gone, or if the
    /// message looks like one of Node's own.
    pub fn send(&self, message: &RawValue) -> Taken {
        let Some(frame) = Link::user(message) else {
            return Taken::Refused;
        };
        let taken = self.shared.outbox.borrow_mut().push_message(frame);
        self.shared.filled.notify_one();
        taken
    }

    /// Whether the worker has not closed its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.socket.strong_count() > 0
    }

    /// What the app has said last and was not read yet. For a worker that was reaped: nothing follows.
    #[must_use]
    pub fn last_words(&self) -> Vec<Box<RawValue>> {
        let mut said = Vec::new();
        let Some(socket) = self.socket.upgrade() else { return said };
        for _ in 0..LAST_READS {
            let Ok(Some(heard)) = self.shared.read(&socket) else { break };
            said.extend(heard.into_iter().filter_map(|event| match event {
                FromWorker::Said(message) => Some(message),
                _ => None,
            }));
        }
        said
    }

    /// How many messages for the app were refused because it did not read, or was gone.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.outbox.borrow().refused()
    }

    /// Whether the worker holds no server: it has asked for none yet, or has closed them all.
    #[must_use]
    pub fn has_no_server(&self) -> bool {
        self.shared.link.borrow().has_no_server()
    }

    /// Closes the channel. Only for a worker that was reaped: a living one would exit at once. There is no
    /// [`FromWorker::Ended`] after this.
    pub fn close(self) {
        self.task.abort();
    }
}

impl Shared {
    fn send(&self, frame: Option<Frame>, descriptor: Option<Rc<OwnedFd>>) {
        if let Some(frame) = frame {
            self.outbox.borrow_mut().push(frame, descriptor);
            self.filled.notify_one();
        }
    }

    /// Reads once; `None` at the end of the channel.
    fn read(&self, socket: &UnixStream) -> io::Result<Option<Vec<FromWorker>>> {
        let mut buffer = [0; READ_SIZE];
        let count = channel::receive(socket.as_fd(), &mut buffer)?;
        if count == 0 {
            return Ok(None);
        }
        let mut replies = Vec::new();
        let events = self.link.borrow_mut().receive(&buffer[..count], &mut replies);
        for reply in replies {
            self.send(Some(reply), None);
        }
        self.delivering.set(true);
        Ok(Some(events))
    }

    /// Writes until nothing is left or there is no room.
    fn write(&self, socket: &UnixStream) -> io::Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        while let Some((line, descriptor)) = outbox.front() {
            let count = channel::send(socket.as_fd(), line, descriptor.map(|descriptor| descriptor.as_fd()))?;
            outbox.advance(count);
            self.emptied.notify_one();
        }
        Ok(())
    }
}

async fn run(socket: Rc<UnixStream>, shared: Rc<Shared>, events: Sender<(WorkerKey, FromWorker)>) {
    // Only `write_all` is ever cancelled, when there is nobody left to write to; `read_all` would lose events.
    tokio::select! {
        () = read_all(&socket, &shared, &events) => {}
        () = write_all(&socket, &shared) => {}
    }
    shared.outbox.borrow_mut().close();
    drop(socket);
    shared.delivering.set(true);
    let ended = events.send((shared.worker, FromWorker::Ended)).await;
    // Without a driver nobody wants to know.
    drop(ended);
    shared.delivering.set(false);
}

/// Reads until the end of the channel, or an error that means the same: the worker is gone.
async fn read_all(socket: &UnixStream, shared: &Shared, events: &Sender<(WorkerKey, FromWorker)>) {
    loop {
        while shared.resting.get() || shared.outbox.borrow().is_full() {
            shared.emptied.notified().await;
        }
        let read = socket.async_io(Interest::READABLE, || shared.read(socket)).await;
        let Ok(Some(heard)) = read else {
            return;
        };
        for event in heard {
            if events.send((shared.worker, event)).await.is_err() {
                // The driver is gone, but the worker must not lose its channel: go on, and throw away.
                break;
            }
        }
        shared.delivering.set(false);
    }
}

/// Writes whatever is queued. Never returns: after an error nothing can be written, but what the worker wrote before it
/// went is still to be read.
async fn write_all(socket: &UnixStream, shared: &Shared) {
    loop {
        shared.filled.notified().await;
        let written = socket.async_io(Interest::WRITABLE, || shared.write(socket)).await;
        if written.is_err() {
            shared.outbox.borrow_mut().close();
            shared.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
