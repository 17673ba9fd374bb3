//! Who is connected to workers of many kinds, none of which tells us: what the kernel knows of their connections.

mod support;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;

const IDLE: u64 = 5;
const HELD: u64 = 3;

/// The sum over all instances; `None` where one of them does not know.
fn sum(app: &Value, name: &str) -> Option<u64> {
    app["instances"].as_array().expect("instances").iter().map(|it| it[name].as_u64()).sum()
}

/// Connections open, and requests in flight, as the kernel sees them.
fn counted(runtime: &Runtime) -> (Option<u64>, Option<u64>) {
    let app = runtime.control().app("all");
    (sum(&app, "connections"), sum(&app, "requests_in_flight"))
}

#[track_caller]
fn until_counted(runtime: &Runtime, connections: u64, in_flight: Option<u64>) {
    let mut seen = Vec::new();
    let found = support::wait::within(support::wait::DEADLINE, || {
        seen.push(counted(runtime));
        (seen.last() == Some(&(Some(connections), in_flight))).then_some(())
    });
    if found.is_none() {
        runtime.fail(&format!("{connections} connections, {in_flight:?} in flight; seen: {seen:?}"));
    }
}

fn open(port: u16) -> Connection<std::net::TcpStream> {
    Connection::open(port).expect("a connection")
}

/// Idle connections are connections alone, and requests that are held are in flight.
#[track_caller]
fn are_counted(command: impl IntoIterator<Item = PathBuf>, workers: usize) {
    let port = free_port();
    let express = tool("frameworks").join("node_modules");
    let launch = Launch::new(command).env("NODE_PATH", express).env("APP_EXPRESS", "true");
    let mut runtime = launch.port(port).workers(workers).spawn();
    http_pids(&runtime, workers, port);
    until_counted(&runtime, 0, Some(0));
    let ask = || {
        let mut connection = open(port);
        connection.get("/").expect("an answer");
        connection
    };
    let idle: Vec<_> = (0..IDLE).map(|_| ask()).collect();
    let hang = || {
        let mut connection = open(port);
        connection.send("/hang", "keep-alive").expect("sent");
        connection
    };
    let held: Vec<_> = (0..HELD).map(|_| hang()).collect();
    until_counted(&runtime, IDLE + HELD, Some(HELD));
    drop(held);
    until_counted(&runtime, IDLE, Some(0));
    drop(idle);
    until_counted(&runtime, 0, Some(0));
    runtime.stops();
}

#[test]
fn of_a_single_node() {
    are_counted([tool("node22"), fixture("node/hold.js")], 1);
}

#[test]
fn of_a_cluster_of_node() {
    are_counted([tool("node20"), fixture("node/hold.js")], 2);
}

#[test]
fn of_node_by_interception_alone() {
    are_counted(["--share".into(), "intercept".into(), tool("node24"), fixture("node/hold.js")], 2);
}

#[test]
fn of_node_behind_a_shell_that_shares_nothing() {
    let script = format!("{} {}; :", tool("node20").display(), fixture("node/hold.js").display());
    are_counted(["--share", "none", "sh", "-c", &script].map(PathBuf::from), 1);
}

#[test]
fn of_threads_of_python() {
    are_counted([tool("python"), fixture("python/hold.py")], 2);
}

#[test]
fn of_bun() {
    are_counted([tool("bun"), fixture("bun/hold.js")], 2);
}

#[test]
fn of_uvicorn() {
    let app = fixture("python/hold_asgi.py");
    let directory = app.parent().expect("a directory").to_owned();
    let command =
        [tool("uvicorn"), "--timeout-keep-alive".into(), "60".into(), "--app-dir".into(), directory];
    // It does not read PORT.
    let script = "exec \"$@\" --port \"$PORT\"";
    let shell = ["sh", "-c", script, "sh"].map(PathBuf::from);
    are_counted(shell.into_iter().chain(command).chain(["hold_asgi:app".into()]), 2);
}

#[test]
fn over_unix_domain_sockets_connections_are_known_and_requests_are_not() {
    let launch = Launch::new([tool("node20"), fixture("node/unix.js")]).workers(2);
    let socket = launch.home().join("app.sock");
    let mut runtime = launch.env("APP_SOCKET", &socket).spawn();
    runtime.until_ready(2);
    let open: Vec<_> = (0..IDLE).map(|_| UnixStream::connect(&socket).expect("a connection")).collect();
    until_counted(&runtime, IDLE, None);
    drop(open);
    until_counted(&runtime, 0, None);
    runtime.stops();
}

#[test]
fn who_does_not_listen_has_no_clients() {
    let mut runtime = Launch::new(["sh", "-c", "exec sleep 1000"]).spawn();
    runtime.until_ready(1);
    assert_eq!(counted(&runtime), (None, None));
    runtime.stops();
}
