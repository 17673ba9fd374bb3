//! What there is to see: apps, the runtime, environments, logs, events.

use serde_json::{Value, json};

use crate::support::cluster::http_pids;
use crate::support::control::{pids, text};
use crate::support::fixtures::{compiled, fixture};
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::{processes, signals};
use crate::{node, small};

#[track_caller]
fn setting<'a>(app: &'a Value, name: &str) -> (&'a str, &'a str) {
    let settings = app["settings"].as_array().unwrap();
    let found =
        settings.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {app:#}"));
    (text(&found["value"]), text(&found["origin"]))
}

#[test]
fn an_app_is_shown_as_it_is() {
    let port = free_port();
    let words = ["--kill-timeout", "7s", "node"].map(Into::into);
    let launch = Launch::new(words.into_iter().chain([fixture("node/server.js")]));
    let mut runtime = launch.port(port).workers(2).env("PMR_MIN_UPTIME", "3s").spawn();
    let serving = http_pids(&runtime, 2, port);
    let control = runtime.control();
    let app = runtime.until("figures", || {
        let app = control.app("server");
        let has_all = |one: &Value| one["memory_bytes"].is_u64() && one["cpu_percent"].is_number();
        app["instances"].as_array().unwrap().iter().all(has_all).then_some(app)
    });
    assert_eq!(pids(&app), serving);
    for (number, instance) in app["instances"].as_array().unwrap().iter().enumerate() {
        assert_eq!(instance["id"], number);
        assert_eq!(instance["instance"], number);
        assert_eq!(instance["status"], "online");
        assert_eq!(instance["processes"], 1);
        assert_eq!(instance["restarts"], 0);
        assert_eq!(instance["last_exit"], Value::Null);
        assert!(instance["memory_bytes"].as_u64().unwrap() > 1_000_000, "{instance}");
    }
    assert_eq!(
        app["listeners"],
        json!([{ "address": format!("[::]:{port}"), "instance": null, "waiting": 0 }])
    );
    assert_eq!(
        (&app["status"], &app["share"], &app["exec_mode"]),
        (&json!("online"), &json!("cluster"), &json!("cluster"))
    );
    assert_eq!(app["directory"], runtime.home().canonicalize().unwrap().to_str().unwrap());
    assert!(text(&app["script"]).ends_with("node/server.js"), "{app:#}");
    assert_eq!(app["interpreter"]["program"], "node");
    assert!(text(&app["interpreter"]["path"]).ends_with("/bin/node"), "{app:#}");
    assert_eq!(setting(&app, "kill-timeout"), ("7s", "--kill-timeout"));
    assert_eq!(setting(&app, "min-uptime"), ("3s", "PMR_MIN_UPTIME"));
    assert_eq!(setting(&app, "instances"), ("2", "WEB_CONCURRENCY=2"));
    assert_eq!(setting(&app, "listen-timeout").1, "default");
    runtime.stops();
}

#[test]
fn the_status_tells_what_an_instance_does() {
    let launch = Launch::new([compiled("worker"), "crash-after".into(), "0".into()]);
    let mut runtime = launch.env("PMR_EXP_BACKOFF_RESTART_DELAY", "1h").spawn();
    let control = runtime.control();
    let app = runtime.until("a back-off", || {
        let app = control.app("0");
        (app["status"] == "waiting-restart").then_some(app)
    });
    let instance = &app["instances"][0];
    assert_eq!((&instance["status"], &instance["pid"]), (&json!("waiting-restart"), &Value::Null));
    assert!(instance["next_start_in_ms"].as_u64().unwrap() > 1_000_000, "{instance}");
    assert_eq!(instance["last_exit"]["reason"], "exit code 3");
    assert_eq!(instance["last_exit"]["status"], 3);
    assert!(instance["last_exit"]["at_ms"].as_u64() >= app["created_at_ms"].as_u64(), "{app:#}");
    runtime.stops();
}

#[test]
fn a_listener_shows_its_queue() {
    let port = free_port();
    let mut runtime = small(port).spawn();
    http_pids(&runtime, 2, port);
    let control = runtime.control();
    let app = control.app("all");
    for pid in pids(&app) {
        assert!(processes::signal(pid, signals::STOP));
    }
    let _clients: Vec<_> = (0..3).map(|_| crate::support::http::connect(port).unwrap()).collect();
    runtime.until("three that wait", || (control.app("all")["listeners"][0]["waiting"] == 3).then_some(()));
    for pid in pids(&app) {
        assert!(processes::signal(pid, signals::CONT));
    }
    runtime.until("nobody waits", || (control.app("all")["listeners"][0]["waiting"] == 0).then_some(()));
    runtime.stops();
}

#[test]
fn the_runtime_shows_itself() {
    let mut runtime = small(free_port()).spawn();
    let control = runtime.control();
    let ping = control.get("/v1/ping");
    assert_eq!(ping.json, json!({ "version": env!("CARGO_PKG_VERSION"), "pid": runtime.pid() }));
    let view = control.get("/v1/runtime").json;
    assert_eq!(
        (&view["pid"], &view["mode"], &view["updates"]),
        (&json!(runtime.pid()), &json!("foreground"), &json!(0))
    );
    assert_eq!(view["socket"], control.socket().to_str().unwrap());
    assert!(view["memory_bytes"].as_u64().unwrap() > 100_000, "{view:#}");
    assert!(view["machine"]["cpus"].as_u64().unwrap() > 0, "{view:#}");
    runtime.stops();
    assert!(!control.socket().exists(), "the socket's file stays behind");
}

#[test]
fn secrets_are_hidden_until_asked_for() {
    let mut runtime = small(free_port())
        .env("API_TOKEN", "t0p")
        .env("DATABASE_URL", "postgres://a:b@c/d")
        .env("PLAIN", "x")
        .spawn();
    let control = runtime.control();
    let shown = control.get("/v1/apps/all/env").json;
    let variables = &shown[0]["variables"];
    assert_eq!(shown[0]["id"], 0);
    assert_eq!(
        (&variables["API_TOKEN"], &variables["DATABASE_URL"]),
        (&Value::Null, &Value::Null),
        "{shown:#}"
    );
    assert_eq!(
        (&variables["PLAIN"], &variables["NODE_APP_INSTANCE"]),
        (&json!("x"), &json!("0")),
        "{shown:#}"
    );
    assert_eq!(control.get("/v1/apps/1/env").json[0]["variables"]["NODE_APP_INSTANCE"], "1");
    let revealed = control.get("/v1/apps/all/env?reveal=true").json;
    assert_eq!(revealed[0]["variables"]["API_TOKEN"], "t0p", "{revealed:#}");
    runtime.stops();
}

#[test]
fn logs_come_from_the_past_and_live() {
    let mut runtime =
        Launch::new([compiled("worker"), "signals-quit".into()]).env("WEB_CONCURRENCY", "1").spawn();
    let control = runtime.control();
    let ready = runtime.stdout_line("ready pid=");
    let lines = runtime.until("a line", || {
        let lines = control.get("/v1/logs?stream=out&lines=5").json;
        (!lines.as_array().unwrap().is_empty()).then_some(lines)
    });
    assert_eq!(lines.as_array().unwrap().len(), 1, "{lines:#}");
    assert_eq!((&lines[0]["text"], &lines[0]["app"]), (&json!(ready), &json!("fixture-worker")));
    assert_eq!((&lines[0]["stream"], &lines[0]["id"]), (&json!("out"), &json!(0)));

    let mut stream = control.stream("GET", "/v1/logs?follow&target=fixture-worker&lines=1", None);
    let first = stream.next().unwrap();
    assert_eq!((first.0.as_str(), &first.1["text"]), ("line", &json!(ready)));
    control.order("/v1/apps/fixture-worker/signal", &json!({ "signal": "USR1" })).went_well();
    let line = stream.until("the signal", |_, line| text(&line["text"]).starts_with("got 10"));
    assert_eq!(line["pid"], lines[0]["pid"]);
    runtime.stops();
    let rest = stream.rest();
    assert!(rest.iter().any(|(_, line)| text(&line["text"]).starts_with("got 15")), "{rest:?}");
}

#[test]
fn events_come_from_the_past_and_live() {
    let mut runtime = small(free_port()).spawn();
    let control = runtime.control();
    runtime.until_ready(2);
    let kinds = |events: &Value| -> Vec<String> {
        events.as_array().unwrap().iter().map(|event| text(&event["kind"]).to_owned()).collect()
    };
    runtime.until("what was", || {
        let kinds = kinds(&control.get("/v1/events").json);
        (kinds.iter().filter(|kind| *kind == "ready").count() == 2).then_some(())
    });
    let mut stream = control.stream("GET", "/v1/events?follow&last=0", None);
    control.post("/v1/apps/all/reload").went_well();
    let mut seen = Vec::new();
    while !seen.contains(&"reload_done".to_owned()) {
        seen.push(text(&stream.next().unwrap().1["kind"]).to_owned());
    }
    assert_eq!(seen[0], "reload_begun", "{seen:?}");
    assert_eq!(seen.iter().filter(|kind| *kind == "ready").count(), 2, "{seen:?}");
    runtime.stops();
}

#[test]
fn a_change_can_be_followed() {
    let mut runtime = node(free_port()).spawn();
    let control = runtime.control();
    runtime.until_ready(2);
    let events = control.stream("POST", "/v1/apps/all/reload", None).rest();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.last(), Some(&"verdict"), "{events:?}");
    assert!(names[..names.len() - 1].iter().all(|name| *name == "progress"), "{events:?}");
    let kinds: Vec<&str> = events.iter().filter_map(|(_, data)| data["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "ready").count(), 2, "{events:?}");
    assert_eq!(events.last().unwrap().1["verdicts"][0]["ok"], true);
    runtime.stops();
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_is() {
    let mut runtime = node(free_port()).spawn();
    let control = runtime.control();
    let error = control.get("/v1/apps/servr").error(404);
    assert!(error.starts_with("unknown_target") && error.contains("`server`"), "{error}");
    for (method, path) in [("POST", "/v1/apps/servr/reload"), ("DELETE", "/v1/apps/servr")] {
        let error = control.try_ask(method, path, None).unwrap().error(404);
        assert!(error.contains("did you mean `server`?"), "{error}");
    }
    assert!(control.get("/v1/apps/99").error(404).starts_with("unknown_target"));
    assert!(control.get("/v1/apps/%2Fnone%2F").error(404).starts_with("unknown_target"));
    let error = control.get("/v1/aps").error(404);
    assert!(error.starts_with("unknown_route") && error.contains("/v1/apps"), "{error}");
    assert!(control.delete("/v1/ping").error(405).starts_with("method_not_allowed"));
    assert!(control.post("/v1/apps/all/scale").error(400).starts_with("bad_request"));
    runtime.stops();
}
