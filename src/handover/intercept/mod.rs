//! Interception: a worker's own `bind` is answered with the instance's listening socket, its `listen` by us.
//!
//! ```text
//! worker: socket() ── setsockopt(V6ONLY, REUSEPORT) ── bind(address) ───────── listen(backlog)
//!                         noted, goes on              our socket takes the       we listen, once;
//!                                                     descriptor's place         the worker is told 0
//! ```
//!
//! A worker that is parked waits in `listen` until [`Interception::release`] answers it.
//!
//! Whatever is not a TCP or Unix-domain stream socket, binds port 0, or cannot be had by us goes on untouched, so that
//! the program sees just what it would have seen without us. The worker waits for each answer, so none may block.

pub mod sockaddr;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, RawFd};
use std::path::PathBuf;
use std::rc::Rc;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use self::sockaddr::Requested;
use super::park::Gate;
use crate::listener::{Address, Blocking, Handed, ListenError, Listeners, OnlyV6};
use crate::process::Pid;
use crate::spec::InstanceId;
use crate::sys::inherited::{self, Kept};
use crate::sys::inspect::{self, SocketKind};
use crate::sys::notification::{Call, Listener, Notification, OnExec};

/// More than `sizeof(struct sockaddr_storage)` is no address.
const LONGEST_ADDRESS: u64 = 128;
/// Sockets with noted options that were never bound, such as a client's, must not pile up.
const MOST_NOTES: usize = 1024;

/// The interception of one worker and all its descendants.
#[derive(Debug)]
pub struct Interception {
    listener: Rc<Listener>,
    instance: InstanceId,
    /// By the socket's inode.
    notes: HashMap<u64, Options>,
    /// The process that was last handed each socket of ours, by the socket's inode.
    holders: HashMap<u64, Pid>,
    gate: Gate,
    /// Calls of `listen` that wait for the gate to open.
    held: Vec<Notification>,
}

/// What is known of it between two programs of one process.
#[derive(Debug, Serialize, Deserialize)]
pub struct InterceptionState {
    descriptor: i32,
    instance: InstanceId,
    notes: HashMap<u64, Options>,
    holders: HashMap<u64, Pid>,
    #[serde(default)]
    gate: Gate,
    #[serde(default)]
    held: Vec<Notification>,
}

/// What a program has set on a socket before binding it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Options {
    only_v6: Option<OnlyV6>,
    reuse_port: bool,
}

/// What a worker did that others should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// It listens on a socket of ours.
    Listening(Address),
    /// It is about to, and waits until it is released.
    Parked,
    /// It wanted an address that we could not get; it was left to try by itself.
    Refused(ListenError),
    /// It bound something, but the kernel does not let us see what; it was left to itself.
    Closed,
}

impl Interception {
    /// For the worker of `instance` whose filter reports to `listener`.
    #[must_use]
    pub fn new(listener: Rc<Listener>, instance: InstanceId, gate: Gate) -> Self {
        Self { listener, instance, notes: HashMap::new(), holders: HashMap::new(), gate, held: Vec::new() }
    }

    /// As the program before us in this process left it. What a worker asked meanwhile waits in the kernel. To be called within
    /// the event loop.
    ///
    /// # Errors
    /// When the filter's descriptor is not there any more.
    pub fn resume(state: InterceptionState) -> io::Result<Self> {
        let InterceptionState { descriptor, instance, notes, holders, gate, held } = state;
        let listener = Rc::new(Listener::new(inherited::take(descriptor)?)?);
        Ok(Self { listener, instance, notes, holders, gate, held })
    }

    /// All that another program must know to go on, which keeps the filter's descriptor open over an `execve`.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn state(&self, kept: &mut Kept) -> io::Result<InterceptionState> {
        Ok(InterceptionState {
            descriptor: kept.add(self.listener.as_fd())?,
            instance: self.instance,
            notes: self.notes.clone(),
            holders: self.holders.clone(),
            gate: self.gate,
            held: self.held.clone(),
        })
    }

    /// Whether `process` was handed the socket, and has it still.
    #[must_use]
    pub fn is_with(&self, inode: u64, process: Pid) -> bool {
        self.holders.get(&inode) == Some(&process) && inspect::holds_socket(process, inode, None)
    }

    /// `process` was given the socket in another way: over Node's channel.
    pub fn note_holder(&mut self, inode: u64, process: Pid) {
        self.holders.insert(inode, process);
    }

    /// Where the questions come in.
    #[must_use]
    pub fn listener(&self) -> &Rc<Listener> {
        &self.listener
    }

    /// Answers one question.
    pub fn answer(&mut self, question: &Notification, listeners: &mut Listeners) -> Option<Fact> {
        match question.call {
            Call::Bind { fd, address, length } => self.bind(question, fd, (address, length), listeners),
            Call::Listen { fd } => self.listen(question, fd, listeners),
            Call::AskListening { fd } => {
                self.say_whether_it_listens(question, fd, listeners);
                None
            }
            Call::SetOnlyV6 { fd, value } => {
                let only = |on| if on { OnlyV6::Yes } else { OnlyV6::No };
                self.note(question, fd, value, |options, on| options.only_v6 = Some(only(on)));
                None
            }
            Call::SetReusePort { fd, value } => {
                self.note(question, fd, value, |options, on| options.reuse_port = on);
                None
            }
        }
    }

    /// The worker is that of `instance` from now on, and may listen. Says what it did that was waiting for this.
    pub fn release(&mut self, instance: InstanceId, listeners: &mut Listeners) -> Vec<Fact> {
        (self.instance, self.gate) = (instance, Gate::Open);
        let held = std::mem::take(&mut self.held);
        held.iter().filter_map(|question| self.let_listen(question, listeners)).collect()
    }

    /// It was handed a socket when it called `bind`, before it had an instance; where each instance has its own, it now
    /// gets the right one.
    fn let_listen(&mut self, question: &Notification, listeners: &mut Listeners) -> Option<Fact> {
        let Call::Listen { fd } = question.call else { return None };
        // A signal may have ended the call, and the program may have called again.
        if !self.listener.is_waiting(question) {
            return None;
        }
        if let Some(inode) = inspect::socket_inode(question.thread, fd)
            && let Some(handed) = listeners.same_for(inode, self.instance)
            && handed.inode != inode
        {
            // Where it cannot be replaced, the worker shares the socket that it has.
            let _kept = self.exchange(question, fd, &handed);
        }
        self.listen(question, fd, listeners)
    }

    /// A socket that the other workers share listens already. gunicorn asks, and would then serve without calling `listen`; one
    /// that gets no answer calls it.
    fn say_whether_it_listens(&self, question: &Notification, fd: RawFd, listeners: &Listeners) {
        let ours = inspect::socket_inode(question.thread, fd).and_then(|inode| listeners.by_inode(inode));
        if ours.is_some_and(|ours| self.gate.holds_address(ours.address)) {
            self.listener.fail(question, Errno::ENOPROTOOPT);
        } else {
            self.listener.go_on(question);
        }
    }

    fn hold(&mut self, question: &Notification) -> Option<Fact> {
        // A thread waits in one call at a time: what it called before was ended by a signal.
        self.held.retain(|held| held.thread != question.thread);
        self.held.push(*question);
        Some(Fact::Parked)
    }

    fn note(&mut self, question: &Notification, fd: RawFd, value: u64, set: impl FnOnce(&mut Options, bool)) {
        let on = inspect::int(question.thread, value).map(|value| value != 0);
        if let (Some(inode), Some(on)) = (inspect::socket_inode(question.thread, fd), on) {
            if self.notes.len() >= MOST_NOTES {
                self.notes.clear();
            }
            set(self.notes.entry(inode).or_default(), on);
        }
        self.listener.go_on(question);
    }

    fn bind(
        &mut self,
        question: &Notification,
        fd: RawFd,
        address: (u64, u64),
        listeners: &mut Listeners,
    ) -> Option<Fact> {
        let Some(wanted) = self.wanted(question, fd, address) else {
            let closed = inspect::is_closed_to_us(question.thread);
            self.listener.go_on(question);
            return closed.then_some(Fact::Closed);
        };
        match self.hand_over(question, fd, &wanted, listeners) {
            Ok(()) => None,
            Err(HandOver::Taken) => {
                self.listener.fail(question, Errno::EADDRINUSE);
                None
            }
            // The program's own attempt fails with the truth, or even succeeds.
            Err(HandOver::Refused(error)) => {
                self.listener.go_on(question);
                Some(Fact::Refused(error))
            }
        }
    }

    /// What the caller wants to bind, if that is something to be shared.
    fn wanted(
        &mut self,
        question: &Notification,
        fd: RawFd,
        (address, length): (u64, u64),
    ) -> Option<Wanted> {
        if length > LONGEST_ADDRESS {
            return None;
        }
        let thread = question.thread;
        let kind = inspect::socket_kind(thread, fd)?;
        let inode = inspect::socket_inode(thread, fd)?;
        let bytes = inspect::memory(thread, address, usize::try_from(length).ok()?)?;
        let flags = inspect::descriptor_flags(thread, fd)?;
        let options = self.notes.remove(&inode).unwrap_or_default();
        let address = match (kind, sockaddr::parse(&bytes)?) {
            (SocketKind::Stream | SocketKind::UnixStream, Requested::Inet(_) | Requested::Abstract(_))
                if !inspect::shares_our_network(thread) =>
            {
                return None;
            }
            (SocketKind::Stream, Requested::Inet(addr)) if addr.port() != 0 => tcp(addr, options),
            (SocketKind::UnixStream, Requested::Path(path)) => {
                Address::Unix { path: absolute(thread, path)? }
            }
            (SocketKind::UnixStream, Requested::Abstract(name)) => Address::Abstract { name },
            _ => return None,
        };
        // What was read may have belonged to somebody else if the caller has ended meanwhile.
        self.listener.is_waiting(question).then_some(Wanted { address, inode, flags, options })
    }

    fn hand_over(
        &mut self,
        question: &Notification,
        fd: RawFd,
        wanted: &Wanted,
        listeners: &mut Listeners,
    ) -> Result<(), HandOver> {
        if !listeners.has_room_for(&wanted.address) {
            return Err(HandOver::Refused(ListenError::TooMany));
        }
        let blocking = if wanted.flags & libc::O_NONBLOCK == 0 { Blocking::Yes } else { Blocking::No };
        let umask = match wanted.address {
            Address::Unix { .. } => inspect::umask(question.thread),
            Address::Tcp { .. } | Address::Udp { .. } | Address::Abstract { .. } => None,
        };
        let handed =
            listeners.obtain(&wanted.address, self.instance, blocking, umask).map_err(HandOver::Refused)?;
        if handed.inode == wanted.inode {
            self.listener.succeed(question); // The call was restarted by a signal after our first answer.
            return Ok(());
        }
        let process = inspect::process_of(question.thread).unwrap_or(question.thread);
        if !wanted.options.reuse_port && self.is_held(handed.inode, process, fd) {
            return Err(HandOver::Taken);
        }
        self.put(question, fd, &handed, wanted.flags).map_err(HandOver::Refused)?;
        self.holders.insert(handed.inode, process);
        self.listener.succeed(question);
        Ok(())
    }

    /// Puts our socket in the place of the caller's descriptor, whose open flags these are.
    fn put(
        &self,
        question: &Notification,
        fd: RawFd,
        handed: &Handed,
        flags: i32,
    ) -> Result<(), ListenError> {
        let on_exec = if flags & libc::O_CLOEXEC == 0 { OnExec::Keep } else { OnExec::Close };
        self.listener.replace(question, handed.socket.as_fd(), fd, on_exec).map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
            ListenError::Refused { address: handed.address.clone(), errno }
        })
    }

    /// Whether `process` has the socket already, under another descriptor, or another of this worker's processes, which was
    /// handed it before: two programs that take the same port by mistake would else share its connections.
    fn is_held(&self, inode: u64, process: Pid, fd: RawFd) -> bool {
        // Who was never handed it cannot have it, and is not kept waiting while we look through all its descriptors.
        let Some(&holder) = self.holders.get(&inode) else { return false };
        inspect::holds_socket(process, inode, Some(fd))
            || holder != process && inspect::holds_socket(holder, inode, None)
    }

    /// The app's own `listen` would set its backlog on the socket that all share, so it is never made on ours.
    fn listen(&mut self, question: &Notification, fd: RawFd, listeners: &mut Listeners) -> Option<Fact> {
        let mut inode = inspect::socket_inode(question.thread, fd);
        if let Some(handed) = inode.and_then(|inode| listeners.instead_of(inode)) {
            if let Err(error) = self.exchange(question, fd, &handed) {
                self.listener.fail(question, error.errno());
                return Some(Fact::Refused(error));
            }
            inode = Some(handed.inode);
        }
        let ours = inode.and_then(|inode| listeners.by_inode(inode));
        if ours.is_some_and(|ours| self.gate.holds_address(ours.address)) {
            return self.hold(question);
        }
        match inode.map(|inode| listeners.listen(inode)) {
            Some(Ok(address)) => {
                self.listener.succeed(question);
                Some(Fact::Listening(address))
            }
            Some(Err(_)) | None => {
                self.listener.go_on(question);
                None
            }
        }
    }

    /// Gives the caller another socket than at its `bind`.
    fn exchange(&mut self, question: &Notification, fd: RawFd, handed: &Handed) -> Result<(), ListenError> {
        let flags = inspect::descriptor_flags(question.thread, fd).unwrap_or(libc::O_CLOEXEC);
        self.put(question, fd, handed, flags)?;
        let process = inspect::process_of(question.thread).unwrap_or(question.thread);
        self.holders.insert(handed.inode, process);
        Ok(())
    }
}

/// A `bind` that is ours to answer.
struct Wanted {
    address: Address,
    /// Of the caller's own socket.
    inode: u64,
    /// The open flags of the caller's descriptor.
    flags: i32,
    options: Options,
}

/// Why a socket was not handed over.
enum HandOver {
    /// The caller holds it already, and did not ask to share.
    Taken,
    Refused(ListenError),
}

fn tcp(addr: SocketAddr, options: Options) -> Address {
    let only_v6 = options.only_v6.unwrap_or(OnlyV6::No);
    Address::Tcp { addr, only_v6, index: 0 }
}

/// The path as we see it, if the caller's files are ours.
fn absolute(thread: Pid, path: PathBuf) -> Option<PathBuf> {
    if !inspect::sees_our_files(thread) {
        return None;
    }
    Some(if path.is_absolute() { path } else { inspect::working_directory(thread)?.join(path) })
}
