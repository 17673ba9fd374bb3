//! What apps say by `process.send`, and what is said to them.

mod support;

use serde_json::{Value, json};

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

/// One worker of the fixture that does `case`. Where it ends by itself, so does the runtime.
fn single(version: &str, case: &str) -> Launch {
    let words = ["--stop-exit-codes".into(), "0".into(), tool(version), fixture("node/channel.js")];
    Launch::new(words).env("APP_CASE", case)
}

/// What it said, a value a line, once it has ended by itself.
#[track_caller]
fn said_by_one_that_ends(version: &str, case: &str) -> Vec<Value> {
    let mut runtime = single(version, case).spawn();
    runtime.ends_with(0);
    let text = String::from_utf8(runtime.final_stdout()).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{version}: {line}")))
        .collect()
}

#[test]
fn an_app_of_one_worker_has_a_channel_and_ends_by_itself() {
    for version in VERSIONS {
        let child = "undefined undefined";
        let seen = json!({ "offered": true, "send": "function", "connected": true, "child": child });
        assert_eq!(said_by_one_that_ends(version, "ends"), [seen, json!("sent")], "{version}");
        assert_eq!(said_by_one_that_ends(version, "removed"), [] as [Value; 0], "{version}");
    }
}

#[test]
fn its_channel_can_be_closed_and_overwritten_as_that_of_a_child() {
    for version in VERSIONS {
        assert_eq!(said_by_one_that_ends(version, "leaves"), [json!({ "connected": false })], "{version}");
        let own = json!({ "connected": true, "own": 0 });
        assert_eq!(said_by_one_that_ends(version, "replaces"), [own], "{version}");
    }
}

#[test]
fn an_app_that_hears_messages_ends_when_its_work_is_done() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime: Runtime = single(version, "closes").port(port).workers(1).spawn();
        http_pids(&runtime, 1, port);
        runtime.stops();
    }
}
