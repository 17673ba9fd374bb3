//! A client's bytes, through a real socket into the server of the control socket: it always ends, and what comes is HTTP.
//!
//! The driver behind it is one that answers at once. The script says where the bytes are cut, and how soon the client goes.

#![no_main]

use std::cell::RefCell;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream as StdStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::types::{Operation, Problem, Verdict};
use pmr_runtime::control::bind::bind;
use pmr_runtime::control::place::Candidate;
use pmr_runtime::control::{Options, Server};
use pmr_runtime::driver::handle::{self, DriverEnd, Question};
use pmr_runtime::telemetry::Telemetry;
use pmr_runtime_fuzz::{Script, views, with_script};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Without an answer for so long, the server is stuck.
const LIMIT: Duration = Duration::from_secs(8);
/// After so many turns of the loop without a byte, no more is waited for.
const QUIET: usize = 24;
/// More than any answers to what fits into an input.
const MOST: usize = 1024 * 1024;

/// How many there were.
static WORLDS: AtomicU64 = AtomicU64::new(0);

struct World {
    runtime: Runtime,
    local: LocalSet,
    address: SocketAddr,
    _server: Server,
}

impl World {
    fn new() -> Self {
        // As Rust's own `main` does it, which libFuzzer's takes the place of: the server may hang up while we write.
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        // So that sockets are looked at in every turn.
        let runtime =
            Builder::new_current_thread().enable_all().event_interval(1).build().expect("a runtime");
        let local = LocalSet::new();
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("pmr-runtime-fuzz-http/{}/{number}", std::process::id());
        let bound = bind(&[Candidate::Abstract(name.clone())]).expect("a socket");
        let server = local.block_on(&runtime, async {
            let (handle, end) = handle::handle();
            // Nothing can be saved there.
            let options = Options {
                home: PathBuf::from("/proc/none"),
                events: handle.events(),
                telemetry: Telemetry::default(),
            };
            drop(tokio::task::spawn_local(drive(end)));
            Server::start(bound, handle, options).expect("a server")
        });
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        Self { runtime, local, address, _server: server }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|data: &[u8]| {
    let (bytes, script) = with_script(data);
    WORLD.with_borrow_mut(|world| {
        let client = StdStream::connect_addr(&world.address).expect("it listens");
        let answer = world.local.block_on(&world.runtime, async {
            tokio::time::timeout(LIMIT, ask(client, bytes, Script::new(script))).await.expect("it ends")
        });
        is_http(&answer);
        if answer.starts_with(b"HTTP/1.1 503") {
            // Streams of clients that have gone keep their places until the next word to them, which takes its time.
            *world = World::new();
        }
    });
});

async fn ask(client: StdStream, mut bytes: &[u8], mut script: Script<'_>) -> Vec<u8> {
    client.set_nonblocking(true).expect("a socket");
    let mut client = UnixStream::from_std(client).expect("a socket");
    let (mut answer, mut hurry) = (Vec::new(), false);
    while !bytes.is_empty() {
        // It may have had enough of us.
        if client.write_all(script.piece(&mut bytes)).await.is_err() {
            break;
        }
        hurry = script.below(4) == 3;
        for _ in 0..script.below(4) {
            tokio::task::yield_now().await;
        }
    }
    let mut quiet = if hurry { QUIET } else { 0 };
    while quiet < QUIET {
        tokio::task::yield_now().await;
        let mut buffer = [0; 4096];
        match client.try_read(&mut buffer) {
            Ok(0) => return answer,
            Ok(length) => {
                answer.extend(&buffer[..length]);
                quiet = 0;
            }
            Err(_nothing_yet) => quiet += 1,
        }
        assert!(answer.len() < MOST);
    }
    // A reset is an end, too. A stream goes on for whoever still reads.
    let mut has_more = client.shutdown().await.is_ok();
    while has_more && !is_stream(&answer) {
        has_more = client.read_buf(&mut answer).await.is_ok_and(|length| length > 0);
        assert!(answer.len() < MOST);
    }
    answer
}

fn is_stream(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("text/event-stream")
}

fn is_http(answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let text = str::from_utf8(answer).expect("all that is sent is text");
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "));
    let status: u16 =
        status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).expect("a status");
    assert!([100, 200, 400, 404, 405, 408, 409, 413, 414, 431, 500, 503].contains(&status), "{text}");
}

async fn drive(mut end: DriverEnd) {
    let apps = [views::app(0, "web", "default", &[0, 1]), views::app(1, "api", "default", &[100])];
    let verdict = |operation| Verdict {
        app: None,
        operation,
        ok: true,
        message: "done".to_owned(),
        took_ms: 1,
        generation: None,
        instances: None,
        last_lines: Vec::new(),
    };
    while let Some(question) = end.questions.recv().await {
        // Who has gone needs no answer.
        match question {
            Question::Runtime { reply } => drop(reply.send(views::runtime())),
            Question::Apps { reply } => drop(reply.send(apps.to_vec())),
            Question::Change { targets, change, reply } => {
                drop(reply.send(vec![verdict(change.operation()); targets.len()]));
            }
            Question::Add { reply, .. } => drop(reply.send(Ok(verdict(Operation::Start)))),
            Question::Environment { reply, .. } => {
                drop(reply.send(Some(vec![("TOKEN".into(), "t0p".into())])))
            }
            // Nobody has such an action, so nobody is waited for.
            Question::Call { targets, action, reply, .. } => {
                let called = |target: handle::Target| handle::Called {
                    app: "web".to_owned(),
                    id: target.app.0,
                    instance: 0,
                    pid: None,
                    answer: Err(format!("it has no action `{action}`")),
                };
                drop(reply.send(targets.into_iter().map(called).collect()));
            }
            Question::Logs { reply, .. } => drop(reply.send((Vec::new(), None))),
            Question::Reports { reply, .. } => drop(reply.send(Vec::new())),
            // Nobody is Node.
            Question::Insight { reply, .. } => drop(reply.send(Err(not_node()))),
            Question::Urge { reply, .. } => {
                let _heard = reply.send(());
            }
            Question::Crashes { reply } => drop(reply.send(Vec::new())),
            Question::Crash { reply, .. } => drop(reply.send(None)),
            Question::Definitions { reply } => drop(reply.send(Vec::new())),
            Question::Kill { reply } => drop(reply.send(verdict(Operation::Kill))),
            Question::Update { reply, .. } => drop(reply.send(verdict(Operation::Update))),
        }
    }
}

fn not_node() -> Problem {
    Problem { code: "not_node".to_owned(), message: "it is none".to_owned(), hint: None, details: Vec::new() }
}
