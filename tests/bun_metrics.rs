//! What Bun's workers report of themselves when somebody looks, and what they die of.

mod support;

use serde_json::{Value, json};

use support::fixtures::{fixture, tool};
use support::http::{self, Connection};
use support::launch::Launch;
use support::ports::free_port;
use support::reports::{reports, serving};
use support::updates::update;

fn launch(script: &str, workers: usize, port: u16) -> Launch {
    Launch::new([tool("bun"), fixture(script)]).port(port).workers(workers)
}

/// Bun has no figures for them, and 0 would be one.
fn assert_unknown(node: &Value) {
    for field in ["/gc", "/active", "/event_loop/utilization"] {
        assert_eq!(node.pointer(field), Some(&Value::Null), "{node:#}");
    }
}

#[test]
fn every_worker_of_bun_reports_its_event_loop_and_its_heap() {
    for (script, workers) in [("bun/metrics.ts", 1), ("bun/metrics.ts", 2), ("bun/serve.ts", 1)] {
        let port = free_port();
        let mut runtime = serving(launch(script, workers, port), workers, port);
        let nodes = reports(&runtime, "delays", |nodes| {
            nodes.iter().all(|node| node["event_loop"]["delay_ms"]["max"].is_number())
        });
        for node in nodes {
            assert!(node["heap"]["used_bytes"].as_u64() > Some(100_000), "{script}: {node:#}");
            assert_unknown(&node);
        }
        runtime.stops();
    }
}

#[test]
fn requests_to_servers_of_node_http_are_counted_while_somebody_looks() {
    let port = free_port();
    let mut runtime = serving(launch("bun/metrics.ts", 1, port), 1, port);
    reports(&runtime, "a report", |_| true);
    // Each look begins a new window.
    reports(&runtime, "a failed request, and one that was given up", |nodes| {
        drop(http::get(port, "/error"));
        let mut given_up = Connection::open(port).expect("a connection");
        given_up.send("/hang", "keep-alive").expect("sent");
        drop(given_up);
        let http = &nodes[0]["http"];
        let of = |name: &str| http[name].as_u64().unwrap_or_default();
        of("errors") > 0
            && of("requests") >= of("errors")
            && of("aborted") > 0
            && http["latency_ms"].is_object()
    });
    let node = &reports(&runtime, "a report", |nodes| nodes[0]["http"].is_object())[0];
    assert_eq!(node.pointer("/http/in_flight"), Some(&Value::Null), "{node:#}");
    runtime.stops();
}

#[test]
fn of_requests_to_servers_of_buns_own_nothing_is_said() {
    let port = free_port();
    let mut runtime = serving(launch("bun/serve.ts", 1, port), 1, port);
    reports(&runtime, "a report", |_| true);
    http::get(port, "/").expect("an answer");
    let node = &reports(&runtime, "a report", |_| true)[0];
    assert_eq!(node["http"], Value::Null, "{node:#}");
    runtime.stops();
}

#[test]
fn the_app_keeps_its_options_and_has_no_parent_to_speak_to() {
    for (given, seen) in [(None, json!(null)), (Some("--smol"), json!("--smol"))] {
        let port = free_port();
        let mut launch = launch("bun/metrics.ts", 1, port);
        if let Some(given) = given {
            launch = launch.env("BUN_OPTIONS", given);
        }
        let mut runtime = serving(launch, 1, port);
        let answer: Value =
            serde_json::from_str(&http::get(port, "/seen").expect("an answer")).expect("JSON");
        let nothing = json!({
            "send": "undefined", "connected": false, "options": seen, "variables": [], "emit": false,
        });
        assert_eq!(answer, nothing);
        reports(&runtime, "a report", |_| true);
        runtime.stops();
    }
}

#[test]
fn an_app_of_bun_tells_its_own_metrics_by_a_diagnostics_channel() {
    let port = free_port();
    let mut runtime = serving(launch("bun/metrics.ts", 1, port), 1, port);
    runtime.until("a metric", || {
        (runtime.control().app("all")["metrics"]["jobs"]["value"] == 7.0).then_some(())
    });
    runtime.stops();
}

#[test]
fn workers_of_bun_report_after_an_update() {
    let port = free_port();
    let mut runtime = serving(launch("bun/metrics.ts", 2, port), 2, port);
    reports(&runtime, "reports", |_| true);
    update(&runtime);
    reports(&runtime, "reports", |_| true);
    runtime.stops();
}

#[test]
fn what_nobody_has_caught_in_bun_is_in_the_record_of_its_death() {
    let port = free_port();
    let mut runtime = serving(launch("bun/metrics.ts", 1, port), 1, port);
    drop(http::get(port, "/throw"));
    runtime.stderr_line(&["exited with code 1"]);
    runtime.stderr_line(&["the app reports an exception: TypeError: an odd thing"]);
    let crash = runtime.until("a record", || {
        let crashes = runtime.control().get("/v1/crashes").json;
        crashes.get(0).cloned()
    });
    assert_eq!(crash["cause"], "exception", "{crash:#}");
    assert_eq!(crash["exception"]["name"], "TypeError", "{crash:#}");
    let stack = crash["exception"]["stack"].to_string();
    assert!(stack.contains("metrics.ts"), "{stack}");
    runtime.stops();
}

#[test]
fn without_our_script_bun_reports_nothing() {
    let port = free_port();
    let mut runtime = serving(launch("bun/metrics.ts", 1, port).env("PMR_AGENT", "false"), 1, port);
    let app = runtime.control().app("all");
    assert_eq!(app["instances"][0]["node"], Value::Null, "{app:#}");
    runtime.stops();
}
