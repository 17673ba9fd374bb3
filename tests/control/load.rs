//! Reloads and scaling by the control socket under `wrk`: no failed, reset or refused request.

use std::process::{Child, Command, Output, Stdio};

use serde_json::json;

use crate::support::cluster::http_pids;
use crate::support::fixtures::fixture;
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::{processes, signals};
use crate::{node, rounds, until_old_ones_end};

/// Connections of each of the two loads.
const CONNECTIONS: &str = "64";

/// A running `wrk`, which goes with the test, however that ends.
struct Wrk(Option<Child>);

impl Wrk {
    fn begin(port: u16, headers: &[&str]) -> Self {
        let mut command = Command::new("wrk");
        // What is slow on a busy machine is not lost.
        command.args(["-t", "1", "-c", CONNECTIONS, "-d", "600s", "--timeout", "25s"]);
        command.args(headers.iter().flat_map(|header| ["-H", header]));
        command.arg(format!("http://127.0.0.1:{port}/")).stdout(Stdio::piped());
        Self(Some(command.spawn().expect("wrk is missing: run scripts/test, which installs it")))
    }

    /// Ends it, and gives what it says.
    fn end(mut self) -> String {
        let output = self.signal(signals::INT).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn signal(&mut self, number: i32) -> Option<Output> {
        let child = self.0.take()?;
        assert!(processes::signal(i32::try_from(child.id()).unwrap(), number));
        Some(child.wait_with_output().unwrap())
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        self.signal(signals::KILL);
    }
}

/// How many requests `wrk` has had answered; it says something else where any went wrong.
#[track_caller]
fn answered(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(" requests in "))?;
    let well = !said.contains("Socket errors") && !said.contains("Non-2xx");
    line.split_whitespace().next()?.parse().ok().filter(|_| well)
}

#[track_caller]
fn loses_nothing(launch: Launch, loads: &[&[&str]]) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let control = runtime.control();
    let loads: Vec<_> = loads.iter().map(|headers| Wrk::begin(port, headers)).collect();
    for _ in 0..rounds(3, 10) {
        control.post("/v1/apps/all/reload").went_well();
        control.order("/v1/apps/all/scale", &json!({ "to": "+1" })).went_well();
        control.order("/v1/apps/all/scale", &json!({ "to": "-1" })).went_well();
    }
    let said: Vec<_> = loads.into_iter().map(Wrk::end).collect();
    for said in &said {
        match answered(said) {
            Some(count) if count > 100 => crate::say(&format!("{count} requests, none lost")),
            Some(_) | None => runtime.fail(&format!("not all was well: {said}")),
        }
    }
    until_old_ones_end(&runtime, &control);
    runtime.stops();
}

const KEPT_ALIVE: &[&str] = &[];
const NEW_EACH_TIME: &[&str] = &["Connection: close"];

#[test]
fn node_loses_no_request() {
    loses_nothing(node(0), &[KEPT_ALIVE, NEW_EACH_TIME]);
}

#[test]
fn npm_start_loses_no_request() {
    let directory = fixture("npm/package.json").parent().unwrap().to_owned();
    loses_nothing(
        Launch::new(["--no-resolve", "npm", "start"]).directory(directory),
        &[KEPT_ALIVE, NEW_EACH_TIME],
    );
}

/// It speaks HTTP/1.0, which keeps nothing alive.
#[test]
fn python_loses_no_request() {
    let launch = Launch::new(["python3".into(), fixture("python/app.py")]).env("APP_SIGTERM", "drain");
    loses_nothing(launch, &[KEPT_ALIVE, NEW_EACH_TIME]);
}
