//! What apps say by `process.send`, and what is said to them.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use support::cluster::http_pids;
use support::control::pids;
use support::fixtures::{fixture, packages, tool};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::update;
use support::{http, signals};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

/// One worker of the fixture that does `case`. Where it ends by itself, so does the runtime.
fn single(version: &str, case: &str) -> Launch {
    running(version, "node/channel.js").env("APP_CASE", case)
}

fn running(version: &str, script: &str) -> Launch {
    let words = ["--stop-exit-codes".into(), "0".into(), tool(version), fixture(script)];
    Launch::new(words).workers(1)
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
fn a_look_at_its_channel_does_not_open_it_and_a_use_does() {
    for version in VERSIONS {
        let seen = json!({ "fd": 3, "looked": "undefined", "used": "function" });
        assert_eq!(said_by_one_that_ends(version, "looks"), [Value::Null, seen], "{version}");
    }
}

#[test]
fn a_module_can_import_its_channel_by_name() {
    for version in VERSIONS {
        let mut runtime = running(version, "node/channel.mjs").spawn();
        runtime.ends_with(0);
        let said: Value = serde_json::from_slice(&runtime.final_stdout()).expect("JSON");
        assert_eq!(said, json!({ "connected": true, "send": "function" }), "{version}");
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
        let mut runtime: Runtime = single(version, "closes").port(port).spawn();
        http_pids(&runtime, 1, port);
        runtime.stops();
    }
}

/// The fixture that speaks to pm2 by `library`, in `workers` workers.
#[track_caller]
fn speaking(library: &str, workers: usize, port: u16) -> Runtime {
    let words = ["--stop-exit-codes".into(), "4".into(), tool("node20"), fixture("node/pm2-io.js")];
    let launch = Launch::new(words).port(port).workers(workers).env("APP_LIBRARY", library);
    let runtime = launch.env("NODE_PATH", packages()).spawn();
    http_pids(&runtime, workers, port);
    runtime
}

/// The app's view, once each instance has reported a metric and the actions.
#[track_caller]
fn reported(runtime: &Runtime) -> Value {
    let control = runtime.control();
    runtime.until("metrics and actions", || {
        let app = control.app("all");
        let instances = app["instances"].as_array().expect("instances").clone();
        let has_all = |one: &Value| {
            one["metrics"]["queue length"]["value"] == 7.0 && one["actions"].to_string().contains("die")
        };
        instances.iter().all(has_all).then_some(app)
    })
}

#[test]
fn what_an_app_reports_by_pm2s_libraries_is_shown() {
    for (library, workers) in [("@pm2/io", 1), ("tx2", 1), ("@pm2/io", 2), ("tx2", 2)] {
        let mut runtime = speaking(library, workers, free_port());
        let app = reported(&runtime);
        let metric = json!({ "value": 7.0, "unit": "jobs" });
        assert_eq!(app["metrics"]["queue length"], metric, "{library}: {app:#}");
        let actions = app["actions"].as_array().expect("actions");
        for action in ["add", "die", "refresh", "silent"] {
            assert!(actions.contains(&json!(action)), "{library}: {app:#}");
        }
        runtime.stops();
    }
}

#[test]
fn events_and_exceptions_are_told_once_with_what_comes_along() {
    for library in ["@pm2/io", "tx2"] {
        let port = free_port();
        let mut runtime = speaking(library, 1, port);
        reported(&runtime);
        http::get(port, "/event").expect("an answer");
        http::get(port, "/error").expect("an answer");
        runtime.stderr_line(&["the app reports: signed up", "instance=0"]);
        let line = runtime.stderr_line(&["the app reports an exception: ", "an odd thing"]);
        assert_eq!(runtime.stderr.text().matches("an odd thing").count(), 1, "{line}");
        let events = runtime.control().get("/v1/events?target=all").json;
        let of = |kind: &str| {
            events.as_array().and_then(|all| all.iter().find(|one| one["kind"] == kind).cloned())
        };
        assert_eq!(of("app_event").expect("an event")["data"], json!({ "plan": "big" }), "{library}");
        let stack = of("exception").expect("an exception")["data"]["stack"].to_string();
        assert!(stack.contains("pm2-io.js"), "{library}: {stack}");
        runtime.stops();
    }
}

#[test]
fn what_a_worker_says_last_is_heard() {
    let port = free_port();
    let mut runtime = speaking("tx2", 1, port);
    // The connection ends with the process. The runtime then learns of its end and of what it has said at the same time.
    runtime.signal(signals::STOP);
    drop(http::get(port, "/crash"));
    runtime.signal(signals::CONT);
    // The exit code is one after which none follows.
    runtime.ends_with(0);
    let text = runtime.stderr.text();
    let told = text.find("the app reports an exception: the last word");
    assert!(told < text.find("exited with code 4") && told.is_some(), "{text}");
}

#[test]
fn actions_are_called_and_answer() {
    for library in ["@pm2/io", "tx2"] {
        let port = free_port();
        let mut runtime = speaking(library, 2, port);
        let app = reported(&runtime);
        let control = runtime.control();
        let trigger = |body: &Value| control.order("/v1/apps/all/trigger", body);
        let reply = trigger(&json!({ "action": "refresh" }));
        let answering: BTreeSet<i32> = replies(&reply.json)
            .iter()
            .map(|reply| i32::try_from(reply["answers"][0]["pid"].as_i64().expect("a pid")).expect("a pid"))
            .collect();
        assert_eq!((reply.status, answering), (200, pids(&app)), "{library}: {reply:?}");
        let reply = trigger(&json!({ "action": "add", "parameter": "41" }));
        assert_eq!(replies(&reply.json)[0]["answers"], json!([{ "sum": 42 }]), "{library}: {reply:?}");
        for (action, error) in [
            ("silent", "no answer within 200 ms"),
            ("odd", "it has no action `odd`, but "),
            ("die", "its worker has ended before it answered"),
        ] {
            let reply = trigger(
                &json!({ "action": action, "timeout_ms": 200 + u32::from(action == "die") * 20_000 }),
            );
            let said = replies(&reply.json)[0]["error"].as_str().expect("an error").to_owned();
            assert!(reply.status == 409 && said.starts_with(error), "{library}: {reply:?}");
        }
        runtime.stops();
    }
}

/// What the command line prints, if it ends with this status.
#[track_caller]
fn pmr(runtime: &Runtime, status: i32, words: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.args(words).env_clear().env("PMR_HOME", runtime.home().join(".pmr"));
    let output = command.output().expect("it can be run");
    assert_eq!(output.status.code(), Some(status), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_command_line_calls_actions_and_sends_data() {
    let mut runtime = speaking("@pm2/io", 2, free_port());
    reported(&runtime);
    let said = pmr(&runtime, 0, &["trigger", "pm2-io", "add", "-3"]);
    assert_eq!(said, "✓ pm2-io 0: {\"sum\":-2}\n✓ pm2-io 1: {\"sum\":-2}\n");
    let said = pmr(&runtime, 1, &["trigger", "1", "silent", "--timeout", "100ms"]);
    assert_eq!(said, "✗ pm2-io 1: no answer within 100 ms\n");
    let said: Value =
        serde_json::from_str(&pmr(&runtime, 1, &["trigger", "0", "odd", "--json"])).expect("JSON");
    assert_eq!((&replies(&said)[0]["ok"], replies(&said).len()), (&json!(false), 1), "{said:#}");
    let said = pmr(&runtime, 0, &["send", "0", r#"{"level":"debug"}"#, "--topic", "log"]);
    assert_eq!(said, "✓ pm2-io: sent to 1 worker\n");
    runtime.stdout_line(r#""topic":"log","data":{"level":"debug"}"#);
    pmr(&runtime, 0, &["send", "all", "plain words", "--bare"]);
    runtime.stdout_line(r#"heard "plain words""#);
    let shown = pmr(&runtime, 0, &["show", "pm2-io"]);
    let row = shown.lines().find(|line| line.contains("queue length")).unwrap_or_else(|| panic!("{shown}"));
    assert!(row.contains("instance 0: 7 jobs") && row.contains("instance 1: 7 jobs"), "{row}");
    let listed: Value = serde_json::from_str(&pmr(&runtime, 0, &["jlist"])).expect("JSON");
    assert_eq!(listed[1]["pm2_env"]["axm_monitor"]["queue length"], json!({ "value": 7.0, "unit": "jobs" }));
    runtime.stops();
}

#[test]
fn data_is_sent_to_apps() {
    for workers in [1, 2] {
        let mut runtime = speaking("tx2", workers, free_port());
        let control = runtime.control();
        let sent = control.order("/v1/apps/0/send", &json!({ "topic": "log", "data": { "level": "debug" } }));
        assert_eq!(sent.went_well().verdict()["message"], "sent to 1 worker");
        runtime.stdout_line(r#"heard {"id":0,"type":"process:msg","topic":"log","data":{"level":"debug"}}"#);
        let sent = control.order("/v1/apps/all/send", &json!({ "data": "any" }));
        let expected = if workers == 1 { "sent to 1 worker" } else { "sent to 2 workers" };
        assert_eq!(sent.went_well().verdict()["message"], expected);
        runtime.until_stdout("the message in each", |text| {
            (text.matches(r#"heard "any""#).count() == workers).then_some(())
        });
        runtime.stops();
    }
}

#[test]
fn what_was_reported_survives_an_update_and_goes_with_its_worker() {
    let port = free_port();
    let mut runtime = speaking("tx2", 1, port);
    let before = reported(&runtime);
    update(&runtime);
    let after = runtime.control().app("all");
    assert_eq!(after["instances"][0]["actions"], before["instances"][0]["actions"]);
    assert_eq!(after["instances"][0]["pid"], before["instances"][0]["pid"]);
    let reply =
        runtime.control().order("/v1/apps/all/trigger", &json!({ "action": "add", "parameter": "1" }));
    assert_eq!(replies(&reply.json)[0]["answers"], json!([{ "sum": 2 }]), "{reply:?}");
    runtime.control().post("/v1/apps/all/stop").went_well();
    let stopped = runtime.control().app("all");
    assert_eq!((&stopped["metrics"], &stopped["actions"]), (&json!({}), &json!([])), "{stopped:#}");
    runtime.stops();
}

#[test]
fn messages_that_an_app_has_not_read_survive_an_update() {
    let port = free_port();
    let words = [tool("node20"), fixture("node/channel.js")];
    let mut runtime = Launch::new(words).port(port).workers(1).env("APP_CASE", "late").spawn();
    http_pids(&runtime, 1, port);
    // More than a socket takes.
    let long = "x".repeat(900_000);
    runtime.control().order("/v1/apps/all/send", &json!({ "data": format!("{long}end") })).went_well();
    update(&runtime);
    runtime.control().order("/v1/apps/all/send", &json!({ "data": "later" })).went_well();
    runtime.control().order("/v1/apps/all/signal", &json!({ "signal": "USR2" })).went_well();
    runtime.stdout_line(r#"{"length":900003,"end":"end"}"#);
    runtime.stdout_line(r#"{"length":5,"end":"ter"}"#);
    runtime.stops();
}

#[test]
fn a_flood_of_messages_neither_grows_nor_stalls_the_runtime() {
    let port = free_port();
    let words = [tool("node20"), fixture("node/channel.js")];
    let launch = Launch::new(words).port(port).workers(1).env("APP_CASE", "floods");
    let mut runtime = launch.spawn();
    http_pids(&runtime, 1, port);
    let control = runtime.control();
    runtime.until("a hundred metrics", || {
        let app = control.app("all");
        (app["metrics"].as_object().is_some_and(|metrics| metrics.len() == 100)).then_some(())
    });
    runtime.stderr_line(&["more before it were left out"]);
    runtime.stops();
}

#[track_caller]
fn replies(answer: &Value) -> &Vec<Value> {
    answer["replies"].as_array().unwrap_or_else(|| panic!("no replies: {answer:#}"))
}

/// What clients of the socket.io server see, when they use it by `transport`.
#[track_caller]
fn clients(transport: &str, count: usize, port: u16) -> Value {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(tool("node20")).arg(fixture("node/socketio-client.js"));
    command.env("NODE_PATH", packages()).env("PORT", port.to_string());
    let output = command
        .env("APP_TRANSPORT", transport)
        .env("APP_CLIENTS", count.to_string())
        .output()
        .expect("`timeout` can be run");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn socket_ios_cluster_adapter_reaches_the_clients_of_all_workers() {
    for version in ["node20", "node24"] {
        let port = free_port();
        let words = ["--balance".into(), "even".into(), tool(version), fixture("node/socketio.js")];
        let launch = Launch::new(words).port(port).workers(2).env("NODE_PATH", packages());
        let mut runtime = launch.spawn();
        http_pids(&runtime, 2, port);
        runtime.until("clients on both workers", || {
            let seen = clients("websocket", 8, port);
            assert_eq!((&seen["news"], &seen["binary"]), (&json!(8), &json!(8)), "{version}: {seen}");
            (seen["workers"] == 2).then_some(())
        });
        runtime.stops();
    }
}

#[test]
fn socket_ios_long_polling_stays_with_its_worker_if_connections_are_sticky() {
    let port = free_port();
    let words = ["--balance".into(), "sticky".into(), tool("node20"), fixture("node/socketio.js")];
    let launch = Launch::new(words).port(port).workers(2).env("NODE_PATH", packages());
    let mut runtime = launch.spawn();
    runtime.until_ready(2);
    assert_eq!(clients("polling", 4, port), json!({ "workers": 1, "news": 4, "binary": 4 }));
    runtime.stops();
}
