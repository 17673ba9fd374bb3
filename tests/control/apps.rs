//! Several apps in one runtime: added, deleted, saved, and what the runtime's end says of them.

use serde_json::{Value, json};

use crate::support::cluster::{http_pids, pid_in};
use crate::support::control::{Control, pids, text};
use crate::support::fixtures::{compiled, fixture};
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::processes::{self, MARK};
use crate::support::runtime::Runtime;
use crate::support::{http, words};
use crate::{small, until_old_ones_end};

fn names(control: &Control) -> Vec<String> {
    control.apps().iter().map(|app| text(&app["name"]).to_owned()).collect()
}

/// The mark by which a test knows its processes.
fn mark(runtime: &Runtime) -> String {
    let environment = std::fs::read(format!("/proc/{}/environ", runtime.pid())).unwrap();
    let wanted = format!("{MARK}=");
    let mut entries = environment.split(|&byte| byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(wanted.as_bytes())).unwrap();
    String::from_utf8(value.to_vec()).unwrap()
}

/// Adds the Python server as `api`.
fn add_python(runtime: &Runtime, control: &Control, port: u16) {
    let server = fixture("python/app.py");
    let (port, mark) = (port.to_string(), mark(runtime));
    let environment = [("PORT", port.as_str()), ("APP_SIGTERM", "drain"), (MARK, &mark)];
    let words = [server.to_str().unwrap(), "--name", "api", "-i", "2"];
    let reply = control.add(&words, runtime.home(), &environment).went_well();
    assert_eq!(
        (&reply.verdict()["app"], &reply.verdict()["instances"]),
        (&json!("api"), &json!(2)),
        "{reply:?}"
    );
}

#[test]
fn an_app_is_added_and_deleted_and_the_other_stays() {
    let (port, second) = (free_port(), free_port());
    let mut runtime = crate::node(port).spawn();
    let control = runtime.control();
    let node = http_pids(&runtime, 2, port);
    add_python(&runtime, &control, second);
    let python = http_pids(&runtime, 2, second);
    assert_eq!(names(&control), ["server", "api"]);
    assert_eq!(pids(&control.app("api")), python);
    // Numbers are the whole runtime's.
    let ids: Vec<&Value> = control
        .apps()
        .leak()
        .iter()
        .flat_map(|app| app["instances"].as_array().unwrap())
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(control.get("/v1/apps/3").json[0]["name"], "api");
    let reply = control.post("/v1/apps/all/reload").went_well();
    assert_eq!(reply.json["verdicts"].as_array().unwrap().len(), 2, "{reply:?}");
    until_old_ones_end(&runtime, &control);
    let node_now = http_pids(&runtime, 2, port);
    assert!(node_now.is_disjoint(&node) && http_pids(&runtime, 2, second).is_disjoint(&python));

    control.delete("/v1/apps/api").went_well();
    assert_eq!(names(&control), ["server"]);
    assert_eq!(http::connect(second).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(http_pids(&runtime, 2, port), node_now);
    // Its name is free again.
    add_python(&runtime, &control, second);
    http_pids(&runtime, 2, second);
    runtime.stops();
}

#[test]
fn lines_of_several_apps_are_told_apart() {
    let mut runtime = small(free_port()).workers(1).env("PMR_LOG_FORMAT", "text").spawn();
    let control = runtime.control();
    let worker = compiled("worker");
    let mark = mark(&runtime);
    let said = [worker.to_str().unwrap(), "--name", "talker", "--", "signals-quit"];
    control.add(&said, runtime.home(), &[(MARK, &mark)]).went_well();
    let line = runtime.stdout_line("ready pid=");
    assert!(line.starts_with("talker"), "{line}");
    let lines = runtime.until("the line", || {
        let lines = control.get("/v1/logs?target=talker&stream=out").json;
        (!lines.as_array().unwrap().is_empty()).then_some(lines)
    });
    assert!(text(&lines[0]["text"]).starts_with("ready pid="), "{lines:#}");
    assert_eq!(control.get("/v1/logs?target=fixture-epoll&stream=out").json, json!([]));
    runtime.stops();
}

#[test]
fn what_cannot_be_added_is_refused_with_all_that_is_wrong() {
    let port = free_port();
    let mut runtime = crate::node(port).spawn();
    let control = runtime.control();
    let before = http_pids(&runtime, 2, port);
    let home = runtime.home().to_owned();
    let server = fixture("node/server.js");
    let server = server.to_str().unwrap();

    let taken = control.add(&[server], &home, &[]).error(409);
    assert!(taken.starts_with("name_taken") && taken.contains("--name"), "{taken}");
    let wrong = ["-i", "many", "--kill-timeout", "5 parsecs", "--name", "x", server];
    let reply = control.add(&wrong, &home, &[("PMR_LISTEN_TIMEOUT", "soon")]);
    let error = reply.error(409);
    assert!(error.starts_with("configuration"), "{error}");
    let details = reply.json["error"]["details"].to_string();
    for part in ["--instances", "many", "--kill-timeout", "5 parsecs", "PMR_LISTEN_TIMEOUT", "soon"] {
        assert!(details.contains(part), "{part} is missing: {details}");
    }
    let missing = control.add(&["nothere.js", "--name", "x"], &home, &[]).error(409);
    assert!(missing.contains("nothere.js") && missing.contains("no such file"), "{missing}");
    let option = control.add(&["--no-such-option", server], &home, &[]).error(409);
    assert!(option.contains("no-such-option"), "{option}");
    let empty = control.add(&[], &home, &[]).error(400);
    assert!(empty.contains("words"), "{empty}");

    assert_eq!(names(&control), ["server"]);
    assert_eq!(http_pids(&runtime, 2, port), before);
    runtime.stops();
}

#[test]
fn an_app_whose_program_is_not_there_has_failed_and_can_be_deleted() {
    let port = free_port();
    let mut runtime = small(port).spawn();
    let control = runtime.control();
    let mark = mark(&runtime);
    let reply = control.add(&["no-such-program", "--name", "x"], runtime.home(), &[(MARK, &mark)]);
    let why = reply.failed();
    assert!(why.contains("no-such-program") && why.contains("not tried again"), "{why}");
    assert_eq!(control.app("x")["status"], "errored");
    assert_eq!(names(&control), ["fixture-epoll", "x"]);
    let reload = control.post("/v1/apps/x/reload");
    assert!(!reload.failed().contains("old workers"), "it has none: {reload:?}");
    control.delete("/v1/apps/x").went_well();
    assert_eq!(names(&control), ["fixture-epoll"]);
    // It was deleted, and the rest ended well.
    runtime.stops();
}

#[test]
fn an_app_that_fails_is_told_with_its_last_lines() {
    let mut runtime = small(free_port()).spawn();
    let control = runtime.control();
    let worker = compiled("worker");
    let mark = mark(&runtime);
    let words = [worker.to_str().unwrap(), "--name", "x", "--max-restarts", "1", "--", "crash-after", "1"];
    let reply = control.add(&words, runtime.home(), &[(MARK, &mark)]);
    assert!(reply.failed().contains("exit code 3"), "{reply:?}");
    assert!(reply.last_lines().contains("last words"), "{reply:?}");
    control.delete("/v1/apps/x").went_well();
    runtime.stops();
}

#[test]
fn the_runtime_ends_when_its_last_app_is_deleted() {
    let (port, second) = (free_port(), free_port());
    let mut runtime = small(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    add_python(&runtime, &control, second);
    control.delete("/v1/apps/fixture-epoll").went_well();
    assert!(pid_in(&http::get(second, "/").unwrap()).is_some());
    control.delete("/v1/apps/api").went_well();
    runtime.ends_with(0);
    assert!(!control.socket().exists());
}

#[test]
fn a_stopped_app_keeps_the_runtime_and_is_no_failure() {
    let port = free_port();
    let mut runtime = small(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    control.post("/v1/apps/all/stop").went_well();
    assert_eq!(control.get("/v1/ping").status, 200);
    runtime.stops();
}

#[test]
fn kill_ends_the_runtime_and_answers_first() {
    let (port, second) = (free_port(), free_port());
    let mut runtime = small(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    add_python(&runtime, &control, second);
    let mark = mark(&runtime);
    control.add(&["no-such-program", "--name", "x"], runtime.home(), &[(MARK, &mark)]).failed();
    let mut watcher = control.stream("GET", "/v1/events?follow&last=0", None);
    let reply = control.post("/v1/runtime/kill").went_well();
    assert!(text(&reply.verdict()["message"]).contains("ended"), "{reply:?}");
    while watcher.next().is_some() {}
    runtime.ends_with(0);
}

#[test]
fn the_status_is_that_of_the_app_that_failed_last() {
    let port = free_port();
    let mut runtime = small(port).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    let worker = compiled("worker");
    let mark = mark(&runtime);
    for (name, status) in [("x", "3"), ("y", "4")] {
        let words = [worker.to_str().unwrap(), "--name", name, "--max-restarts", "1", "--", "exit", status];
        control.add(&words, runtime.home(), &[(MARK, &mark)]).failed();
        runtime.until("its failure", || (control.app(name)["status"] == "errored").then_some(()));
    }
    control.delete("/v1/apps/y").went_well();
    runtime.signal(crate::support::signals::TERM);
    // That of `y` was seen to; that of `x` was not.
    runtime.ends_with(3);
}

#[test]
fn a_runtime_in_the_background_stays_without_apps_and_says_what_is_in_its_way() {
    let launch = Launch::new(["daemon", ".pmr"]);
    // Where its log file should be.
    std::fs::create_dir_all(launch.home().join(".pmr/logs/x-out.log")).unwrap();
    let mut runtime = launch.spawn();
    let control = runtime.control();
    assert_eq!(control.get("/v1/runtime").json["mode"], "background");
    let (worker, mark) = (compiled("worker"), mark(&runtime));
    let start = |name: &str| {
        let words = [worker.to_str().unwrap(), "--name", name, "--", "signals-quit"];
        control.add(&words, runtime.home(), &[(MARK, &mark)])
    };
    let error = start("x").error(500);
    assert!(error.starts_with("failed") && error.contains("log files of `x`"), "{error}");
    assert!(names(&control).is_empty());
    start("y").went_well();
    assert!(text(&control.app("y")["logs"]["out"]).ends_with("/logs/y-out.log"));
    control.delete("/v1/apps/y").went_well();
    assert_eq!(control.get("/v1/apps").json, json!([]));
    control.post("/v1/runtime/kill").went_well();
    runtime.ends_with(0);
}

#[test]
fn what_runs_is_saved() {
    let (port, second) = (free_port(), free_port());
    const TOKEN: &str = "0123456789abcdef";
    let mut runtime = small(port).env("PMR_WEB_TOKEN", TOKEN).spawn();
    let control = runtime.control();
    http_pids(&runtime, 2, port);
    add_python(&runtime, &control, second);
    control.order("/v1/apps/api/scale", &json!({ "to": "3" })).went_well();
    let reply = control.post("/v1/runtime/save").went_well();
    let file = runtime.home().join(".pmr/dump.json");
    assert!(text(&reply.verdict()["message"]).contains(file.to_str().unwrap()), "{reply:?}");
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(!saved.contains(TOKEN), "{saved}");
    let saved: Value = serde_json::from_str(&saved).unwrap();
    let saved = saved.as_array().unwrap();
    assert_eq!(saved.len(), 2, "{saved:#?}");
    // What was saved starts the same again.
    control.delete("/v1/apps/api").went_well();
    control.order("/v1/apps", &saved[1]).went_well();
    assert_eq!(http_pids(&runtime, 3, second), pids(&control.app("api")));
    assert!(
        words::ours(&runtime.stderr.text()).iter().all(|line| !line.contains("error")),
        "{}",
        runtime.tails()
    );
    assert_eq!(processes::zombies(runtime.pid()), 0);
    runtime.stops();
}
