//! Reloads and scaling under load over connections that are kept alive, and over new ones: not a request is lost.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::capture::Capture;
use support::fixtures::{certificate, fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::wait::DEADLINE;
use support::{signals, words};

const ROUNDS: usize = 3;

#[track_caller]
fn reload(runtime: &Runtime, round: usize) {
    runtime.signal(signals::HUP);
    runtime.until_stderr("the end of the reload", |text| {
        (words::ours(text).iter().filter(|line| words::is_reload_done(line)).count() == round).then_some(())
    });
}

#[track_caller]
fn scale_up_and_down(runtime: &Runtime) {
    let ready = |text: &str| text.lines().filter(|line| words::is_ready(line)).count();
    let before = ready(&runtime.stderr.text());
    runtime.signal(signals::TTIN);
    runtime.until_ready(before + 1);
    runtime.signal(signals::TTOU);
    // Those of earlier generations may still be parting with their clients.
    runtime.until("two workers", || (runtime.workers().len() == 2).then_some(()));
}

/// Begins to ask `port`.
type Clients = fn(port: u16) -> Load;

const KEPT_ALIVE: Clients = |port| Load::begin_keep_alive(port, "/", 6);
const NEW_EACH_TIME: Clients = |port| Load::begin(port, "/", 3);
const A_CROWD: Clients = |port| Load::begin(port, "/", 48);

#[track_caller]
fn loses_nothing(launch: Launch) {
    loses_nothing_under(launch, &[KEPT_ALIVE, NEW_EACH_TIME]);
}

/// Two workers of `launch`'s command under load.
#[track_caller]
fn loses_nothing_under(launch: Launch, clients: &[Clients]) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(2).spawn();
    // Not until both have answered: a client with one address may always be served by the same.
    runtime.until_ready(2);
    let loads: Vec<_> = clients.iter().map(|begin| begin(port)).collect();
    let until_loaded = || {
        for load in &loads {
            let so_far = load.answered();
            runtime.until("load", || (load.answered() > so_far + 50).then_some(()));
        }
    };
    for round in 1..=ROUNDS {
        until_loaded();
        reload(&runtime, round);
        until_loaded();
        scale_up_and_down(&runtime);
    }
    until_loaded();
    let errors: Vec<_> = loads.into_iter().flat_map(Load::end).collect();
    if let Some(first) = errors.first() {
        runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
    }
    runtime.stops();
}

fn node(version: &str, handler: &str) -> Launch {
    Launch::new([tool(version), fixture("node/server.js")]).env("APP_SIGTERM", handler)
}

#[test]
fn node_without_a_handler() {
    for version in ["node18", "node20", "node22", "node24"] {
        loses_nothing(node(version, ""));
    }
}

#[test]
fn node_whose_handler_only_closes_its_server() {
    for version in ["node18", "node20", "node22", "node24"] {
        loses_nothing(node(version, "close"));
    }
}

#[test]
fn node_with_a_socket_for_each_instance() {
    for balance in ["even", "sticky"] {
        loses_nothing(node("node22", "close").env("PMR_BALANCE", balance));
    }
}

#[test]
fn node_by_interception() {
    let command = ["--share".into(), "intercept".into(), tool("node20"), fixture("node/server.js")];
    loses_nothing(Launch::new(command).env("APP_SIGTERM", "close"));
}

#[test]
fn an_ecmascript_module() {
    loses_nothing(Launch::new([tool("node22"), fixture("node/server.mjs")]));
}

#[test]
fn node_started_by_npm() {
    for handler in ["", "close"] {
        let directory = fixture("npm/package.json").parent().unwrap().to_owned();
        loses_nothing(
            Launch::new(["--no-resolve", "npm", "start"]).directory(directory).env("APP_SIGTERM", handler),
        );
    }
}

/// Its socket blocks, so each instance has a queue of its own. It speaks HTTP/1.0, which keeps nothing alive.
#[test]
fn python_with_a_handler() {
    let launch = Launch::new(["python3".into(), fixture("python/app.py")]).env("APP_SIGTERM", "drain");
    loses_nothing_under(launch, &[A_CROWD]);
}

/// What the client of fixture `node/load.mjs` says in the end, after reloads under its load.
#[track_caller]
fn reloaded_under(kind: &str, launch: Launch) -> String {
    let port = free_port();
    let mut runtime = launch.port(port).workers(2).spawn();
    runtime.until_ready(2);
    let mut command = Command::new(tool("node20"));
    command.args([fixture("node/load.mjs"), PathBuf::from(kind), PathBuf::from(port.to_string())]);
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let said = Capture::of(client.stdout.take().unwrap());
    let until_loaded = || {
        let ticks = |text: &str| text.matches("tick").count();
        let so_far = ticks(&said.text());
        let more = said.wait(DEADLINE, |text| (ticks(text) > so_far + 1).then_some(()));
        more.unwrap_or_else(|| runtime.fail("the client gets no answers"));
    };
    for round in 1..=ROUNDS {
        until_loaded();
        reload(&runtime, round);
        // The old workers have ended, although their clients would have kept their connections.
        runtime.until("two workers", || (runtime.workers().len() == 2).then_some(()));
    }
    until_loaded();
    drop(client.stdin.take());
    let last =
        said.wait(DEADLINE, |text| text.lines().find(|line| line.contains("answered=")).map(str::to_owned));
    client.wait_with_output().unwrap();
    runtime.stops();
    last.unwrap_or_else(|| panic!("the client said nothing in the end"))
}

#[test]
fn node_over_https() {
    for version in ["node18", "node24"] {
        let launch = Launch::new([tool(version), fixture("node/https.js")]);
        let (certificate, key) = certificate(launch.home());
        let said = reloaded_under("https", launch.env("APP_CERT", certificate).env("APP_KEY", key));
        assert!(said.contains(" lost=0"), "{version}: {said}");
    }
}

/// What Node's own client has begun to send when it is told to go away may come back as cancelled; so none is counted.
#[test]
fn sessions_of_http2_end_with_their_worker() {
    for version in ["node18", "node20", "node22", "node24"] {
        let said = reloaded_under("http2", Launch::new([tool(version), fixture("node/http2.js")]));
        assert!(said.starts_with("answered="), "{version}: {said}");
    }
}
