//! sd_notify(3): a worker says by a datagram that it is ready, and a few things more.
//!
//! Each worker has a socket of its own, so what comes in needs no further sign of whose it is.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use crate::process::Pid;
use crate::spec::{WorkerKey, bytes};
use crate::sys::inherited::{self, Kept};
use crate::sys::notify;

/// The variable that tells a worker where to send to.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// systemd's own limit for a message.
const LONGEST_MESSAGE: usize = 4096;

/// How many names are tried. Containers of one Kubernetes pod have abstract names in common, and each has a process 1.
const NAMES: u32 = 16;

/// Something that a worker said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `READY=1`
    Ready,
    /// `RELOADING=1`
    Reloading,
    /// `STOPPING=1`
    Stopping,
    /// `WATCHDOG=1`
    Alive,
    /// `WATCHDOG=trigger`: as if it were not alive.
    Failing,
    /// `WATCHDOG_USEC=…`: how often it will say that it lives from now on; zero for no more.
    WatchdogPeriod(Duration),
    /// `EXTEND_TIMEOUT_USEC=…`: what it is doing may take so long from now on.
    ExtendTimeout(Duration),
    /// `STATUS=…`, for people. As sent, so it may hold control characters.
    Status(String),
    /// `MAINPID=…`
    MainPid(Pid),
}

/// What a message says; lines of no meaning to us are left out. Never panics, whatever the bytes.
#[must_use]
pub fn parse(message: &[u8]) -> Vec<Said> {
    message.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(line);
    match text.split_once('=')? {
        ("READY", "1") => Some(Said::Ready),
        ("RELOADING", "1") => Some(Said::Reloading),
        ("STOPPING", "1") => Some(Said::Stopping),
        ("WATCHDOG", "1") => Some(Said::Alive),
        ("WATCHDOG", "trigger") => Some(Said::Failing),
        ("WATCHDOG_USEC", span) => microseconds(span).map(Said::WatchdogPeriod),
        ("EXTEND_TIMEOUT_USEC", span) => microseconds(span).map(Said::ExtendTimeout),
        ("STATUS", status) => Some(Said::Status(status.to_owned())),
        ("MAINPID", pid) => pid.parse().ok().filter(|&pid| pid > 0).map(|pid| Said::MainPid(Pid::new(pid))),
        _ => None,
    }
}

/// A worker's socket, and the task that reads it. Dropping it closes the socket; do so when the worker is reaped.
#[derive(Debug)]
pub struct NotifyListener {
    address: OsString,
    file: Option<PathBuf>,
    socket: Rc<UnixDatagram>,
    /// The worker's, where it is not ours.
    user: Option<u32>,
    /// Whether something was read that is still to be passed on.
    delivering: Rc<Cell<bool>>,
    task: JoinHandle<()>,
}

/// What is known of one between two programs of one process.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotifyState {
    descriptor: i32,
    #[serde(with = "bytes::one")]
    address: OsString,
    #[serde(with = "bytes::option")]
    file: Option<PathBuf>,
    #[serde(default)]
    user: Option<u32>,
}

/// A sign before the number is none of the protocol's.
fn microseconds(text: &str) -> Option<Duration> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok().map(Duration::from_micros))?
}

impl NotifyListener {
    /// Opens a socket for `worker`: with an abstract name made of our pid and the worker's number, or where that cannot
    /// be had, as a file in `directory`. `user` is the worker's, where that is not ours. What the worker says goes to `events`; while that is full, the worker waits.
    ///
    /// Call it inside a `LocalSet` or local runtime with I/O.
    ///
    /// # Errors
    /// When neither can be bound.
    pub fn start(
        (worker, user): (WorkerKey, Option<u32>),
        own_pid: Pid,
        directory: &Path,
        events: Sender<(WorkerKey, Said)>,
    ) -> io::Result<Self> {
        let (socket, address, file) = bind(worker, own_pid, directory)?;
        if let Some(file) = file.as_ref().filter(|_| user.is_some()) {
            // Who it is the kernel tells with each message.
            std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        }
        Self::watch((worker, user), socket, (address, file), events)
    }

    /// The socket as the program before us in this process left it; see [`NotifyListener::start`].
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn resume(
        worker: WorkerKey,
        state: NotifyState,
        events: Sender<(WorkerKey, Said)>,
    ) -> io::Result<Self> {
        let NotifyState { descriptor, address, file, user } = state;
        Self::watch((worker, user), inherited::take(descriptor)?.into(), (address, file), events)
    }

    fn watch(
        (worker, user): (WorkerKey, Option<u32>),
        socket: StdUnixDatagram,
        (address, file): (OsString, Option<PathBuf>),
        events: Sender<(WorkerKey, Said)>,
    ) -> io::Result<Self> {
        let socket = Rc::new(UnixDatagram::from_std(socket)?);
        let delivering = Rc::default();
        let task = tokio::task::spawn_local(receive_all(
            Rc::clone(&socket),
            (worker, user),
            Rc::clone(&delivering),
            events,
        ));
        Ok(Self { address, file, socket, user, delivering, task })
    }

    /// Whether all that was read has been passed on.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.delivering.get()
    }

    /// All that another program must know to go on, which keeps the socket open over an `execve`. Only at rest.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn state(&self, kept: &mut Kept) -> io::Result<NotifyState> {
        let descriptor = kept.add(self.socket.as_fd())?;
        Ok(NotifyState {
            descriptor,
            address: self.address.clone(),
            file: self.file.clone(),
            user: self.user,
        })
    }

    /// The value of [`VARIABLE`] for the worker.
    #[must_use]
    pub fn address(&self) -> &OsString {
        &self.address
    }
}

impl Drop for NotifyListener {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(file) = &self.file {
            // A file that is left behind does no harm: the next one of that name replaces it.
            let _removed = std::fs::remove_file(file);
        }
    }
}

fn bind(
    worker: WorkerKey,
    own_pid: Pid,
    directory: &Path,
) -> io::Result<(StdUnixDatagram, OsString, Option<PathBuf>)> {
    for attempt in 0..NAMES {
        let suffix = if attempt == 0 { String::new() } else { format!("/{attempt}") };
        let name = format!("pmr-runtime/{own_pid}/{worker}{suffix}");
        match notify::bind_abstract(name.as_bytes()) {
            Ok(socket) => return Ok((socket, format!("@{name}").into(), None)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(_) => break,
        }
    }
    bind_in(directory, worker, own_pid)
}

fn bind_in(
    directory: &Path,
    worker: WorkerKey,
    own_pid: Pid,
) -> io::Result<(StdUnixDatagram, OsString, Option<PathBuf>)> {
    let path = directory.join(format!("notify-{own_pid}-{worker}.sock"));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = notify::bind_file(&path)?;
    Ok((socket, path.clone().into_os_string(), Some(path)))
}

async fn receive_all(
    socket: Rc<UnixDatagram>,
    (worker, user): (WorkerKey, Option<u32>),
    delivering: Rc<Cell<bool>>,
    events: Sender<(WorkerKey, Said)>,
) {
    loop {
        // A datagram socket has no end, and an error on it concerns a sender, not us; but do not spin on it.
        let Ok(heard) = socket.async_io(Interest::READABLE, || receive(&socket, user)).await else {
            return;
        };
        delivering.set(true);
        for said in heard {
            if events.send((worker, said)).await.is_err() {
                return;
            }
        }
        delivering.set(false);
    }
}

/// Reads one message; an untrusted one says nothing.
fn receive(socket: &UnixDatagram, user: Option<u32>) -> io::Result<Vec<Said>> {
    let mut buffer = [0; LONGEST_MESSAGE];
    let received = notify::receive(socket.as_fd(), &mut buffer, user)?;
    Ok(match received.sender {
        notify::Sender::Trusted => parse(&buffer[..received.length]),
        notify::Sender::Untrusted => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    use tokio::sync::mpsc;

    use super::*;
    use crate::spec::{AppId, WorkerId};

    fn key(worker: u32) -> WorkerKey {
        WorkerKey { app: AppId(0), worker: WorkerId(worker) }
    }

    #[test]
    fn what_a_worker_says_is_read_line_by_line() {
        assert_eq!(
            parse(b"READY=1\nSTATUS=on = off\nMAINPID=42\nSTOPPING=1\nRELOADING=1\nWATCHDOG=1\n"),
            [
                Said::Ready,
                Said::Status("on = off".to_owned()),
                Said::MainPid(Pid::new(42)),
                Said::Stopping,
                Said::Reloading,
                Said::Alive
            ]
        );
    }

    #[test]
    fn times_are_in_microseconds() {
        assert_eq!(
            parse(b"WATCHDOG=trigger\nWATCHDOG_USEC=1500000\nEXTEND_TIMEOUT_USEC=0\nWATCHDOG_USEC=+5\nWATCHDOG_USEC="),
            [
                Said::Failing,
                Said::WatchdogPeriod(Duration::from_millis(1500)),
                Said::ExtendTimeout(Duration::ZERO)
            ]
        );
    }

    #[test]
    fn what_means_nothing_is_left_out() {
        assert_eq!(parse(b"READY=0\nREADY\nMAINPID=0\nMAINPID=-1\nMAINPID=x\nFDSTORE=1\n=\n\xff=1"), []);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_parsed(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&message).len() <= 200);
        }
    }

    async fn heard(events: &mut mpsc::Receiver<(WorkerKey, Said)>) -> (WorkerKey, Said) {
        let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await;
        event.expect("an event in time").unwrap()
    }

    fn own_pid() -> Pid {
        Pid::new(std::process::id().try_into().unwrap())
    }

    fn in_a_runtime(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    fn send(address: &OsString, message: &[u8]) {
        let name = address.as_bytes().strip_prefix(b"@").unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        StdUnixDatagram::unbound().unwrap().send_to_addr(message, &address).unwrap();
    }

    #[test]
    fn a_worker_that_says_ready_is_heard() {
        in_a_runtime(async {
            let (sender, mut events) = mpsc::channel(4);
            let directory = tempfile::tempdir().unwrap();
            let listener =
                NotifyListener::start((key(1), None), own_pid(), directory.path(), sender).unwrap();
            send(listener.address(), b"READY=1");
            assert_eq!(heard(&mut events).await, (key(1), Said::Ready));
        });
    }

    #[test]
    fn a_socket_goes_on_in_the_next_program_with_what_was_said_meanwhile() {
        use std::os::fd::IntoRawFd;

        in_a_runtime(async {
            let (sender, mut events) = mpsc::channel(4);
            let directory = tempfile::tempdir().unwrap();
            let listener =
                NotifyListener::start((key(9), None), own_pid(), directory.path(), sender.clone()).unwrap();
            let mut state = listener.state(&mut Kept::default()).unwrap();
            state.descriptor = listener.socket.as_fd().try_clone_to_owned().unwrap().into_raw_fd();
            let text = serde_json::to_string(&state).unwrap();
            let address = listener.address().clone();
            drop(listener);
            send(&address, b"READY=1");
            let next = NotifyListener::resume(key(9), serde_json::from_str(&text).unwrap(), sender).unwrap();
            assert_eq!((next.address(), next.is_at_rest()), (&address, true));
            assert_eq!(heard(&mut events).await, (key(9), Said::Ready));
        });
    }

    #[test]
    fn a_name_that_is_taken_is_avoided() {
        in_a_runtime(async {
            let (sender, mut events) = mpsc::channel(4);
            let directory = tempfile::tempdir().unwrap();
            let start = || {
                NotifyListener::start((key(2), None), own_pid(), directory.path(), sender.clone()).unwrap()
            };
            let (first, second) = (start(), start());
            assert_ne!(first.address(), second.address());
            send(second.address(), b"STATUS=second");
            assert_eq!(heard(&mut events).await.1, Said::Status("second".to_owned()));
        });
    }

    #[test]
    fn a_file_serves_as_well_and_a_stale_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, address, file) = bind_in(directory.path(), key(3), own_pid()).unwrap();
        drop(socket);
        assert!(file.as_ref().unwrap().exists());
        let (socket, again, _) = bind_in(directory.path(), key(3), own_pid()).unwrap();
        assert_eq!(again, address);
        StdUnixDatagram::unbound().unwrap().send_to(b"READY=1", file.unwrap()).unwrap();
        let received = notify::receive(socket.as_fd(), &mut [0; 16], None).unwrap();
        assert_eq!(received.sender, notify::Sender::Trusted);
    }
}
