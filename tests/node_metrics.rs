//! What Node workers report of themselves when somebody looks, and what they die of.

mod support;

use std::cell::Cell;
use std::process::Command;

use serde_json::{Value, json};

use support::fixtures::{fixture, tool};
use support::http::{self, Connection};
use support::launch::Launch;
use support::ports::free_port;
use support::reports::{reports, serving};
use support::updates::update;

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

fn launch(version: &str, script: &str, workers: usize, port: u16) -> Launch {
    let words = [tool(version), fixture(script)];
    Launch::new(words).port(port).workers(workers)
}

/// What the script beside ours says, run alone by that version of Node.
fn metered(version: &str, script: &str) -> Value {
    let meter = concat!(env!("CARGO_MANIFEST_DIR"), "/src/handover/meter.cjs");
    let mut command = Command::new(tool(version));
    command.arg("--expose-gc").arg(fixture(script)).env("APP_METER", meter);
    let output = command.output().expect("it can be run");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{version}: {output:?}"))
}

/// Each look: whether anything is measured before it, whether it has a window, whether anything is measured after it.
#[test]
fn nothing_is_measured_before_the_first_look_and_long_after_the_last() {
    for version in VERSIONS {
        let seen = metered(version, "node/meter.js");
        let looks = json!([[false, false, true], [true, true, true], [false, false, true], false]);
        assert_eq!(seen, looks, "{version}");
    }
}

/// The fixture has a clock of its own, on which these are seconds: two at 100,000 requests and 100 collections; two at which an answer takes
/// 200 ms; four at 5000.
#[test]
fn what_comes_too_often_to_hear_all_of_it_is_heard_in_slices_and_reckoned_up() {
    for version in VERSIONS {
        let found = metered(version, "node/meter_busy.js");
        let ended = json!({ "isFollowed": true, "isLeft": false });
        assert_eq!(found["ended"], json!([ended, ended]), "{version}");
        let seconds = found["seen"].as_array().expect("seconds");
        let of = |second: usize, name: &str| {
            seconds[second][name].as_f64().unwrap_or_else(|| panic!("{name} in {found:#}"))
        };
        let is_near = |second, name, count: f64| (of(second, name) - count).abs() <= count / 50.0;
        // Of the seconds in which the load changes nothing can be said so exactly.
        for (second, requests) in [(0, 1e5), (1, 1e5), (3, 1e5), (5, 5e3), (6, 5e3), (7, 5e3)] {
            assert!(is_near(second, "requests", requests), "{version}: {found:#}");
            assert!(is_near(second, "errors", requests / if second < 4 { 10.0 } else { 5.0 }), "{found:#}");
        }
        // There may be one of Node's own.
        assert!([0, 1].iter().all(|&second| (of(second, "collections") - 100.0).abs() < 20.0), "{found:#}");
        let is_sliced: Vec<bool> = (0..8).map(|second| of(second, "heard") < 1000.0).collect();
        assert_eq!(is_sliced, [false, true, true, true, true, true, true, false], "{version}: {found:#}");
        // It is not known where not all was heard.
        let aborted: Vec<Option<u64>> = seconds.iter().map(|second| second["aborted"].as_u64()).collect();
        let known: Vec<Option<u64>> = is_sliced.iter().map(|sliced| (!sliced).then_some(0)).collect();
        assert_eq!(aborted, known, "{version}: {found:#}");
        assert!(of(1, "heard") < 200.0, "{version}: {found:#}");
        assert!(of(3, "slowest") >= 200.0, "{version}: {found:#}");
    }
}

#[test]
fn every_worker_reports_how_it_does() {
    for version in VERSIONS {
        for (script, workers) in [("node/metrics.js", 1), ("node/metrics.js", 2), ("node/metrics.mjs", 1)] {
            let port = free_port();
            let mut runtime = serving(launch(version, script, workers, port), workers, port);
            let nodes = reports(&runtime, "delays", |nodes| {
                nodes.iter().all(|node| node["event_loop"]["delay_ms"]["max"].is_number())
            });
            for node in nodes {
                let used = node["heap"]["used_bytes"].as_u64().expect("bytes");
                assert!(used > 1_000_000, "{version} {script}: {node:#}");
                assert!(node["active"]["handles"].as_u64() > Some(0), "{version} {script}: {node:#}");
                assert_eq!(node["http"]["in_flight"], 0, "{version} {script}: {node:#}");
            }
            runtime.stops();
        }
    }
}

#[test]
fn requests_are_counted_while_somebody_looks() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = serving(launch(version, "node/metrics.js", 1, port), 1, port);
        reports(&runtime, "a report", |_| true);
        let hang = || {
            let mut connection = Connection::open(port).expect("a connection");
            connection.send("/hang", "keep-alive").expect("sent");
            connection
        };
        let hanging = hang();
        // Each look begins a new window.
        reports(&runtime, "a failed request, one that hangs, one that was given up", |nodes| {
            drop(http::get(port, "/error"));
            drop(hang());
            let http = &nodes[0]["http"];
            let of = |name: &str| http[name].as_u64().expect("a number");
            of("errors") > 0 && of("requests") >= of("errors") && of("in_flight") > 0 && of("aborted") > 0
        });
        drop(hanging);
        reports(&runtime, "nothing under way", |nodes| nodes[0]["http"]["in_flight"] == 0);
        runtime.stops();
    }
}

#[test]
fn what_a_server_owes_that_never_listens_is_not_given_up() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = serving(launch(version, "node/fed.js", 1, port), 1, port);
        reports(&runtime, "a report", |_| true);
        let mut connection = Connection::open(port).expect("a connection");
        connection.send("/hang", "keep-alive").expect("sent");
        let given_up = Cell::new(0);
        reports(&runtime, "a request under way", |nodes| {
            let of = |name: &str| nodes[0]["http"][name].as_u64().expect("a number");
            given_up.set(given_up.get() + of("aborted"));
            of("in_flight") == 1
        });
        assert_eq!(given_up.get(), 0, "{version}");
        drop(connection);
        reports(&runtime, "nothing under way", |nodes| nodes[0]["http"]["in_flight"] == 0);
        runtime.stops();
    }
}

#[test]
fn the_app_sees_nothing_of_it() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = serving(launch(version, "node/metrics.js", 1, port), 1, port);
        reports(&runtime, "a report", |_| true);
        let seen: Value = serde_json::from_str(&http::get(port, "/seen").expect("an answer")).expect("JSON");
        // Node itself may have looked for the channel, when a connection was closed.
        let opened = &seen["opened"];
        let nothing = json!({ "opened": opened, "listeners": 0, "names": false, "variables": [] });
        assert_eq!(seen, nothing, "{version}");
        runtime.stops();
    }
}

#[test]
fn workers_report_after_an_update() {
    for workers in [1, 2] {
        let port = free_port();
        let mut runtime = serving(launch("node22", "node/metrics.js", workers, port), workers, port);
        reports(&runtime, "reports", |_| true);
        update(&runtime);
        reports(&runtime, "reports", |_| true);
        runtime.stops();
    }
}

#[test]
fn what_nobody_has_caught_is_told_once_and_ends_the_worker_as_ever() {
    for version in VERSIONS {
        for (path, text) in
            [("/throw", "TypeError: an odd thing"), ("/reject", "RangeError: a rejected thing")]
        {
            for workers in [1, 2] {
                let port = free_port();
                let mut runtime = serving(launch(version, "node/metrics.js", workers, port), workers, port);
                drop(http::get(port, path));
                runtime.stderr_line(&["exited with code 1"]);
                let told = format!("the app reports an exception: {text}");
                assert_eq!(runtime.stderr.text().matches(&told).count(), 1, "{version}: {}", runtime.tails());
                let events = runtime.control().get("/v1/events?target=all").json;
                let event =
                    events.as_array().and_then(|all| all.iter().find(|one| one["kind"] == "exception"));
                let stack = event.expect("an exception")["data"]["stack"].to_string();
                assert!(stack.contains("metrics.js"), "{version}: {stack}");
                runtime.stops();
            }
        }
    }
}

#[test]
fn an_app_that_catches_its_exceptions_lives_on() {
    for version in VERSIONS {
        let port = free_port();
        let launch = launch(version, "node/metrics.js", 1, port).env("APP_CATCHES", "true");
        let mut runtime = serving(launch, 1, port);
        http::get(port, "/throw").expect("an answer");
        runtime.stderr_line(&["the app reports an exception: TypeError: an odd thing"]);
        runtime.stdout_line("caught an odd thing");
        http::get(port, "/").expect("an answer");
        runtime.stops();
    }
}

#[test]
fn without_our_script_nothing_is_reported() {
    for workers in [1, 2] {
        let port = free_port();
        let launch = launch("node22", "node/metrics.js", workers, port).env("PMR_AGENT", "false");
        let mut runtime = serving(launch, workers, port);
        let app = runtime.control().app("all");
        assert!(
            app["instances"].as_array().expect("instances").iter().all(|one| one["node"].is_null()),
            "{app:#}"
        );
        let seen: Value = serde_json::from_str(&http::get(port, "/seen").expect("an answer")).expect("JSON");
        assert_eq!((&seen["opened"], &seen["listeners"]), (&json!("function"), &json!(0)));
        runtime.signal(support::signals::TERM);
        runtime.wait();
    }
}
