//! Workers that stall: found out by sd_notify's watchdog, by health checks and by their event loop, and replaced with no gap.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::cluster::{http_pids, pid_in};
use support::fixtures::{fixture, tool};
use support::http;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::{asked, update};

fn python(options: &[&str]) -> Launch {
    let options = options.iter().map(PathBuf::from);
    Launch::new(options.chain(["python3".into(), fixture("python/notify.py")]))
}

fn node(version: &str, options: &[&str]) -> Launch {
    let options = options.iter().map(PathBuf::from);
    Launch::new(options.chain([tool(version), fixture("node/block.js")]))
}

/// The only app's view.
#[track_caller]
fn app(runtime: &Runtime) -> Value {
    let apps = asked(runtime, "/v1/apps");
    apps.get("apps").unwrap_or(&apps)[0].clone()
}

/// The pid of the worker that answers to `path`.
#[track_caller]
fn ask(port: u16, path: &str) -> i32 {
    pid_in(&http::get(port, path).unwrap()).unwrap()
}

/// Waits until the runtime has said that `pid` has stalled, and where the report is; gives the report.
#[track_caller]
fn report_on(runtime: &Runtime, pid: i32, why: &str) -> String {
    let pid = format!("pid={pid}");
    runtime.stderr_line(&["worker has stalled", why, &pid]);
    let line = runtime.stderr_line(&["what the stalled worker was doing is in ", &pid]);
    let (_, path) = line.split_once(" is in ").unwrap();
    let path = path.split(' ').next().unwrap();
    fs::read_to_string(path).unwrap_or_else(|error| runtime.fail(&format!("no report at {path}: {error}")))
}

#[track_caller]
fn is_gone(runtime: &Runtime, pid: i32) {
    runtime.until("the end of the stalled worker", || (!runtime.workers().contains(&pid)).then_some(()));
}

#[test]
fn a_missed_watchdog_costs_one_worker_and_no_request() {
    let port = free_port();
    let mut runtime = python(&["--wait-ready", "--watchdog", "2s"]).port(port).workers(2).spawn();
    runtime.until_ready(2);
    let before = http_pids(&runtime, 2, port);
    assert_eq!(app(&runtime)["instances"][0]["says"], "serving");
    // What was watched goes on to be watched.
    update(&runtime);
    let load = Load::begin(port, "/", 3);
    let silent = ask(port, "/silent");
    let report = report_on(&runtime, silent, "WATCHDOG=1");
    assert!(report.contains("\nthread ") && report.contains("it sends no WATCHDOG=1"), "{report}");
    runtime.until_ready(3);
    is_gone(&runtime, silent);
    let so_far = load.answered();
    runtime.until("load after it", || (load.answered() > so_far + 50).then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    let after = http_pids(&runtime, 2, port);
    assert_eq!(before.intersection(&after).count(), 1, "{before:?} {after:?}");
    runtime.stops();
}

#[test]
fn a_worker_can_ask_to_be_replaced() {
    let port = free_port();
    let mut runtime = python(&["--watchdog", "1m"]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let before = runtime.until("an answer", || http::get(port, "/").ok());
    let before = pid_in(&before).unwrap();
    assert_eq!(ask(port, "/say?STATUS=tired%0AWATCHDOG=trigger"), before);
    report_on(&runtime, before, "WATCHDOG=trigger");
    is_gone(&runtime, before);
    assert_ne!(ask(port, "/"), before);
    runtime.stops();
}

#[test]
fn a_worker_can_ask_for_more_time_to_start() {
    let port = free_port();
    let launch = python(&["--wait-ready", "--listen-timeout", "5s"]).port(port).workers(1);
    let mut runtime = launch.env("APP_BOOT", "7").env("APP_EXTEND", "60000000").spawn();
    runtime.until_ready(1);
    assert!(!runtime.stderr.text().contains("has not said that it is ready"), "{}", runtime.tails());
    runtime.stops();
}

#[track_caller]
fn a_blocked_event_loop_is_replaced(launch: Launch, instances: usize) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(instances).spawn();
    runtime.until_ready(instances);
    http_pids(&runtime, instances, port);
    let blocked = ask(port, "/block");
    let report = report_on(&runtime, blocked, "event loop");
    assert!(report.contains(&format!("== process {blocked} ==")), "{report}");
    assert!(report.trim_end().ends_with("blocking"), "{report}");
    is_gone(&runtime, blocked);
    assert!(!http_pids(&runtime, instances, port).contains(&blocked));
    runtime.stops();
}

const PATIENT_FOR_2S: [&str; 4] = ["--kill-stalled", "2s", "--kill-timeout", "500ms"];

#[test]
fn a_blocked_cluster_worker_is_replaced() {
    a_blocked_event_loop_is_replaced(node("node20", &PATIENT_FOR_2S), 2);
}

#[test]
fn a_blocked_single_worker_is_replaced() {
    a_blocked_event_loop_is_replaced(node("node24", &PATIENT_FOR_2S), 1);
}

#[test]
fn a_worker_whose_check_fails_is_unhealthy_and_then_replaced() {
    let port = free_port();
    let check =
        "cmd:if test -e \"$APP_FLAG$PMR_INSTANCE\"; then echo worker $PMR_WORKER_PID is ill; exit 3; fi";
    let launch = python(&[
        "--health",
        check,
        "--health-interval",
        "300ms",
        "--health-retries",
        "2",
        "--kill-stalled",
        "2s",
    ]);
    let flag = launch.home().join("flag");
    let mut runtime = launch.env("APP_FLAG", &flag).port(port).workers(2).spawn();
    runtime.until_ready(2);
    http_pids(&runtime, 2, port);
    runtime.until("two healthy workers", || {
        let app = app(&runtime);
        (0..2).all(|at| app["instances"][at]["health"]["health"] == "healthy").then_some(())
    });
    let answer = http::get(port, "/file").unwrap();
    let ill = pid_in(&answer).unwrap();
    let instance = answer.trim().rsplit('=').next().unwrap().to_owned();
    runtime.stderr_line(&["unhealthy: 2 health checks", &format!("exit code 3: worker {ill} is ill")]);
    report_on(&runtime, ill, "health check");
    let flagged = PathBuf::from(format!("{}{instance}", flag.display()));
    fs::remove_file(flagged).unwrap();
    is_gone(&runtime, ill);
    runtime.until("two healthy workers again", || {
        let app = app(&runtime);
        let well = |at: usize| app["instances"][at]["health"]["health"] == "healthy";
        ((0..2).all(well) && app["status"] == "online").then_some(())
    });
    runtime.stops();
}

#[test]
fn a_health_url_tells_when_a_worker_is_ready() {
    let port = free_port();
    let launch = node("node22", &["--wait-ready", "--health", "/health"]).port(port).workers(1);
    let well = launch.home().join("well");
    let mut runtime = launch.env("APP_WELL", &well).spawn();
    runtime
        .until("a failed check", || (app(&runtime)["health"]["last_failure"] == "status 503").then_some(()));
    assert_eq!(app(&runtime)["status"], "launching");
    fs::write(&well, "").unwrap();
    runtime.until_ready(1);
    assert_eq!(app(&runtime)["status"], "online");
    runtime.stops();
}

#[test]
fn the_app_is_unhealthy_while_its_url_is_and_nobody_is_replaced_for_it() {
    let port = free_port();
    let options = ["--health", "http://:PORT/health", "--health-interval", "200ms"];
    let launch = node("node20", &options).port(port).workers(2);
    let well = launch.home().join("well");
    let mut runtime = launch.env("APP_WELL", &well).spawn();
    runtime.until_ready(2);
    runtime.stderr_line(&["unhealthy: 3 health checks in a row have failed, the last with: status 503"]);
    assert_eq!(app(&runtime)["status"], "unhealthy");
    fs::write(&well, "").unwrap();
    runtime.stderr_line(&["healthy again"]);
    runtime.until("a healthy app", || (app(&runtime)["status"] == "online").then_some(()));
    assert!(!runtime.stderr.text().contains("stalled"), "{}", runtime.tails());
    runtime.stops();
}
