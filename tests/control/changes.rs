//! Changes of one app: each does what it says, and the answer comes when it is done.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::cluster::http_pids;
use crate::support::control::{Control, pids, text};
use crate::support::fixtures::{compiled, fixture};
use crate::support::http;
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::processes;
use crate::{node, until_old_ones_end};

/// Every way to mean the one app of [`node`].
const TARGETS: [&str; 4] = ["server", "all", "%2F%5Eserv%2F", "default"];

/// The pids of the instances in their order.
fn in_order(control: &Control) -> Vec<i64> {
    let app = control.app("all");
    app["instances"].as_array().unwrap().iter().filter_map(|instance| instance["pid"].as_i64()).collect()
}

#[test]
fn a_reload_replaces_all_workers_by_every_target() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    let mut before = http_pids(&runtime, 2, port);
    for (number, target) in TARGETS.iter().enumerate() {
        let reply = control.post(&format!("/v1/apps/{target}/reload")).went_well();
        assert_eq!(reply.verdict()["generation"], number + 2, "{reply:?}");
        assert_eq!(reply.verdict()["app"], "server");
        let after = pids(&control.app("server"));
        assert!(after.len() == 2 && after.is_disjoint(&before), "{before:?} {after:?}");
        before = after;
    }
    until_old_ones_end(&runtime, &control);
    assert_eq!(http_pids(&runtime, 2, port), before);
    runtime.stops();
}

#[test]
fn one_instance_is_changed_alone() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    for operation in ["reload", "restart"] {
        let before = in_order(&control);
        control.post(&format!("/v1/apps/1/{operation}")).went_well();
        let after = in_order(&control);
        assert_eq!(before[0], after[0], "{operation}");
        assert_ne!(before[1], after[1], "{operation}");
    }
    until_old_ones_end(&runtime, &control);
    let before = in_order(&control);
    control.post("/v1/apps/0/stop").went_well();
    let app = control.app("server");
    assert_eq!(
        (&app["instances"][0]["status"], &app["instances"][1]["status"]),
        (&json!("stopped"), &json!("online"))
    );
    assert_eq!(http_pids(&runtime, 1, port).into_iter().map(i64::from).collect::<Vec<_>>(), before[1..]);
    control.post("/v1/apps/0/start").went_well();
    http_pids(&runtime, 2, port);
    assert_eq!(in_order(&control)[1], before[1]);
    // These are of whole apps.
    assert!(control.order("/v1/apps/1/scale", &json!({ "to": "3" })).error(409).contains("server"));
    assert!(control.delete("/v1/apps/1").status == 409);
    runtime.stops();
}

#[test]
fn a_stopped_app_refuses_connections_and_starts_again() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    control.post("/v1/apps/server/stop").went_well();
    assert!(runtime.workers().is_empty(), "{:?}", runtime.workers());
    assert_eq!(http::connect(port).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let app = control.app("server");
    assert_eq!(app["status"], "stopped", "{app:#}");
    // Again, it is so already.
    control.post("/v1/apps/server/stop").went_well();
    assert!(control.post("/v1/apps/server/reload").failed().contains("no worker"), "a reload of nothing");
    let reply = control.post("/v1/apps/server/start").went_well();
    assert!(text(&reply.verdict()["message"]).contains("2 instances"), "{reply:?}");
    assert_eq!(http_pids(&runtime, 2, port), pids(&control.app("server")));
    runtime.stops();
}

#[test]
fn a_restart_ends_all_and_starts_all() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    let before = http_pids(&runtime, 2, port);
    control.post("/v1/apps/server/restart").went_well();
    let after = pids(&control.app("server"));
    assert!(after.len() == 2 && after.is_disjoint(&before), "{before:?} {after:?}");
    assert_eq!(runtime.workers(), after);
    assert_eq!(http_pids(&runtime, 2, port), after);
    runtime.stops();
}

#[test]
fn an_app_is_scaled_to_and_by_a_number() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    for (to, count) in [("4", 4), ("-2", 2), ("+1", 3), ("1", 1), ("2", 2)] {
        let reply = control.order("/v1/apps/server/scale", &json!({ "to": to })).went_well();
        assert_eq!(reply.verdict()["instances"], count, "{to}: {reply:?}");
        let serving = pids(&control.app("server"));
        assert_eq!(runtime.workers(), serving, "{to}");
        assert_eq!(http_pids(&runtime, count, port), serving, "{to}");
    }
    for refused in ["-2", "-9"] {
        let reply = control.order("/v1/apps/server/scale", &json!({ "to": refused }));
        assert!(reply.failed().contains("at least one"), "{reply:?}");
    }
    let many = control.order("/v1/apps/server/scale", &json!({ "to": "100000" }));
    assert!(many.status == 400 || many.status == 409, "{many:?}");
    for nonsense in ["", "x", "1.5", "0"] {
        let reply = control.order("/v1/apps/server/scale", &json!({ "to": nonsense }));
        assert!(reply.status == 400 || reply.status == 409, "{nonsense}: {reply:?}");
    }
    assert_eq!(pids(&control.app("server")).len(), 2);
    runtime.stops();
}

#[test]
fn signals_are_sent_to_whom_they_are_meant_for() {
    let launch = Launch::new(
        ["-i", "2"].map(Into::into).into_iter().chain([compiled("worker"), "signals-quit".into()]),
    );
    let mut runtime = launch.spawn();
    let control = runtime.control();
    runtime.until_stdout("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    let reply = control.order("/v1/apps/fixture-worker/signal", &json!({ "signal": "SIGUSR2" })).went_well();
    assert!(text(&reply.verdict()["message"]).contains("2 workers"), "{reply:?}");
    runtime.until_stdout("both", |text| (text.matches("got 12 count=1 ").count() == 2).then_some(()));
    control.order("/v1/apps/1/signal", &json!({ "signal": "USR1" })).went_well();
    let wanted = format!("got 10 count=1 pid={}", in_order(&control)[1]);
    runtime.stdout_line(&wanted);
    let error = control.order("/v1/apps/fixture-worker/signal", &json!({ "signal": "NONSENSE" })).error(400);
    assert!(error.contains("NONSENSE"), "{error}");
    assert_eq!(runtime.stdout.text().matches("got 10").count(), 1);
    runtime.stops();
}

#[test]
fn reset_forgets_restarts_and_flush_forgets_lines() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    let killed = *http_pids(&runtime, 2, port).first().unwrap();
    processes::signal(killed, crate::support::signals::KILL);
    runtime.until("a restart", || {
        let app = control.app("server");
        let restarts = app["instances"].as_array().unwrap().iter().filter_map(|one| one["restarts"].as_u64());
        (restarts.sum::<u64>() == 1 && pids(&app).len() == 2 && app["status"] == "online").then_some(())
    });
    control.post("/v1/apps/server/reset").went_well();
    for instance in control.app("server")["instances"].as_array().unwrap() {
        assert_eq!(instance["restarts"], 0, "{instance}");
    }
    let lines = |control: &Control| control.get("/v1/logs?stream=out").json.as_array().unwrap().len();
    runtime.until("its lines", || (lines(&control) >= 3).then_some(()));
    control.post("/v1/apps/server/flush").went_well();
    assert_eq!(lines(&control), 0);
    runtime.stops();
}

/// `VALUE` as the workers have it.
fn values(control: &Control) -> BTreeSet<String> {
    let of = |pid: i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let value = environment.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(b"VALUE="));
        String::from_utf8_lossy(value.unwrap_or(b"-")).into_owned()
    };
    pids(&control.app("all")).into_iter().map(of).collect()
}

#[track_caller]
fn expect_values(control: &Control, wanted: &str) {
    assert_eq!(values(control), BTreeSet::from([wanted.to_owned()]));
}

/// An environment for a request, with the mark by which a test knows its processes.
fn environment(
    runtime: &crate::support::runtime::Runtime,
    port: u16,
    value: &str,
    more: &[(&str, &str)],
) -> Value {
    let mark = std::fs::read(format!("/proc/{}/environ", runtime.pid())).unwrap();
    let entries = mark.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    let mut variables: Vec<Value> = entries
        .filter_map(|entry| std::str::from_utf8(entry).unwrap().split_once('='))
        .filter(|(name, _)| *name != "VALUE")
        .map(|(name, value)| json!([name, value]))
        .collect();
    variables.push(json!(["PORT", port.to_string()]));
    variables.push(json!(["VALUE", value]));
    variables.extend(more.iter().map(|(name, value)| json!([name, value])));
    json!({ "environment": variables })
}

#[test]
fn a_new_environment_reaches_the_workers_and_stays() {
    let port = free_port();
    let mut runtime = node(port).env("VALUE", "first").spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    expect_values(&control, "first");
    control.order("/v1/apps/server/reload", &environment(&runtime, port, "second", &[])).went_well();
    expect_values(&control, "second");
    assert_eq!(control.get("/v1/apps/0/env").json[0]["variables"]["VALUE"], "second");
    control.post("/v1/apps/server/reload").went_well();
    expect_values(&control, "second");
    control.order("/v1/apps/server/restart", &environment(&runtime, port, "third", &[])).went_well();
    expect_values(&control, "third");
    control.post("/v1/apps/server/restart").went_well();
    control.order("/v1/apps/server/scale", &json!({ "to": "3" })).went_well();
    expect_values(&control, "third");
    runtime.signal(crate::support::signals::HUP);
    runtime.until_stderr("the end of the reload", |text| {
        (text.lines().filter(|line| crate::support::words::is_reload_done(line)).count() == 3).then_some(())
    });
    expect_values(&control, "third");
    until_old_ones_end(&runtime, &control);
    http_pids(&runtime, 3, port);
    runtime.stops();
}

#[test]
fn an_environment_that_does_not_serve_is_not_kept() {
    let port = free_port();
    let launch = Launch::new(
        ["--listen-timeout", "10s"]
            .map(Into::into)
            .into_iter()
            .chain(["node".into(), fixture("node/server.js")]),
    );
    let mut runtime = launch.port(port).workers(2).env("VALUE", "first").spawn();
    let control = runtime.control();
    let before = http_pids(&runtime, 2, port);
    let broken = environment(&runtime, port, "second", &[("NODE_OPTIONS", "--no-such-option")]);
    for dry_run in [false, true] {
        let mut request = broken.clone();
        request["dry_run"] = dry_run.into();
        let reply = control.order("/v1/apps/server/reload", &request);
        assert!(reply.failed().contains("exit code 9"), "{reply:?}");
    }
    assert_eq!(pids(&control.app("server")), before);
    // A rehearsal that passes changes nothing either.
    let mut request = environment(&runtime, port, "second", &[]);
    request["dry_run"] = true.into();
    control.order("/v1/apps/server/reload", &request).went_well();
    assert_eq!(pids(&control.app("server")), before);
    // Neither what is started from now on, nor what is reloaded, has it.
    control.order("/v1/apps/server/scale", &json!({ "to": "3" })).went_well();
    expect_values(&control, "first");
    control.post("/v1/apps/server/reload").went_well();
    expect_values(&control, "first");
    // What cannot be read is refused before anything begins.
    let wrong = environment(&runtime, port, "second", &[("PMR_KILL_TIMEOUT", "soon")]);
    let reply = control.order("/v1/apps/server/reload", &wrong);
    assert!(reply.failed().contains("PMR_KILL_TIMEOUT"), "{reply:?}");
    expect_values(&control, "first");
    runtime.stops();
}

#[test]
fn all_instances_may_be_reloaded_at_a_time() {
    let port = free_port();
    let mut runtime = node(port).workers(4).spawn();
    let control = runtime.control();
    let before = http_pids(&runtime, 4, port);
    let load = crate::support::load::Load::begin(port, "/", 4);
    for parallel in ["all", "3"] {
        control.order("/v1/apps/server/reload", &json!({ "parallel": parallel })).went_well();
    }
    let errors = load.end();
    assert!(errors.is_empty(), "{errors:?}\n{}", runtime.tails());
    let after = pids(&control.app("server"));
    assert!(after.len() == 4 && after.is_disjoint(&before), "{before:?} {after:?}");
    until_old_ones_end(&runtime, &control);
    assert_eq!(http_pids(&runtime, 4, port), after);
    let error = control.order("/v1/apps/server/reload", &json!({ "parallel": "some" })).error(400);
    assert!(error.contains("some"), "{error}");
    runtime.stops();
}

#[test]
fn a_reload_is_refused_while_one_runs() {
    let port = free_port();
    let mut runtime = node(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    let slow = environment(&runtime, port, "second", &[("APP_BOOT_MS", "3000")]);
    let mut first = control.stream("POST", "/v1/apps/server/reload", Some(&slow));
    first.until("its beginning", |_, event| event["kind"] == "reload_begun");
    assert!(control.post("/v1/apps/server/reload").failed().contains("under way"));
    let dry_run = control.order("/v1/apps/server/reload", &json!({ "dry_run": true }));
    assert!(dry_run.failed().contains("under way"));
    assert_eq!(control.app("server")["reloading"], 2);
    let verdict = first.until("its end", |name, _| name == "verdict");
    assert_eq!(verdict["verdicts"][0]["ok"], true, "{verdict:#}");
    expect_values(&control, "second");
    runtime.stops();
}
