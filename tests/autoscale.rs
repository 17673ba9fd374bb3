//! Apps whose number of instances follows the load: `--instances 1..2`.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "how long it took is told")]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::http;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::update;
use support::{processes, wait};

/// An app is kept as large as it was for a minute after the load has ended, and longer where others keep the machine busy.
const SHRINKS_WITHIN: Duration = Duration::from_secs(300);

fn node() -> Vec<PathBuf> {
    vec![tool("node20"), fixture("node/server.js")]
}

fn ranged(range: &str, port: u16) -> Launch {
    Launch::new(node()).port(port).env("PMR_INSTANCES", range)
}

#[track_caller]
fn app(runtime: &Runtime) -> Value {
    runtime.control().app("server")
}

fn online(app: &Value) -> usize {
    app["instances"].as_array().unwrap().iter().filter(|it| it["status"] == "online").count()
}

/// Whether a second worker could get a CPU: else none is started.
fn has_cpus() -> bool {
    let has_two = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
    if !has_two {
        processes::say_not_shown("there is one CPU, so that a second worker is of no use");
    }
    has_two
}

/// Requests that keep a worker busy for 20 ms each, until there are two.
#[track_caller]
fn grows(runtime: &Runtime, port: u16) {
    let (load, begun) = (Load::begin(port, "/block?ms=20", 4), Instant::now());
    runtime.until("a second worker that serves", || (online(&app(runtime)) == 2).then_some(()));
    println!("a second worker served {:?} after the load had begun", begun.elapsed());
    let answered = load.answered();
    runtime.until("answers by both", || (load.answered() > answered + 20).then_some(()));
    assert_eq!(load.end().len(), 0, "{}", runtime.tails());
}

#[test]
fn the_number_of_workers_follows_the_load_and_no_request_is_lost() {
    if !has_cpus() {
        return;
    }
    let port = free_port();
    let mut runtime = ranged("1..2", port).spawn();
    runtime.stderr_line(&["starting 1 instance, up to 2 as the load asks: PMR_INSTANCES=1..2"]);
    http_pids(&runtime, 1, port);
    grows(&runtime, port);
    runtime.stderr_line(&["scaling to the load: ", "from=1 to=2"]);
    let scaling = app(&runtime)["scaling"].clone();
    assert_eq!((&scaling["min"], &scaling["max"], &scaling["last"]["to"]), (&json!(1), &json!(2), &json!(2)));
    // It has still to answer while one goes, and that is little to do.
    let (load, ended) = (Load::begin(port, "/slow?ms=200", 2), Instant::now());
    let shrunk = wait::within(SHRINKS_WITHIN, || {
        let app = app(&runtime);
        (app["scaling"]["last"]["to"] == 1 && app["instances"].as_array().unwrap().len() == 1).then_some(())
    });
    assert!(shrunk.is_some(), "it did not shrink\n{}", runtime.tails());
    println!("a worker went {:?} after the load had ended", ended.elapsed());
    runtime.stderr_line(&["scaling to the load: fewer are enough", "from=2 to=1"]);
    runtime.until("the end of the other", || (runtime.workers().len() == 1).then_some(()));
    assert_eq!(load.end().len(), 0, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn one_that_is_added_with_a_range_is_followed_too_and_an_update_keeps_it() {
    if !has_cpus() {
        return;
    }
    let port = free_port();
    let mut runtime = Launch::new(node()).port(free_port()).env("PMR_NAME", "first").workers(1).spawn();
    runtime.until_ready(1);
    let [node, script] = [tool("node20"), fixture("node/server.js")].map(|path| path.display().to_string());
    let words = ["-i", "1..2", "--interpreter", &node, &script];
    let home = runtime.home().to_owned();
    runtime.control().add(&words, &home, &[("PORT", &port.to_string())]).went_well();
    update(&runtime);
    grows(&runtime, port);
    update(&runtime);
    let app = app(&runtime);
    assert_eq!((online(&app), &app["scaling"]["last"]["to"]), (2, &json!(2)));
    runtime.stops();
}

#[test]
fn who_scales_by_hand_moves_within_the_range() {
    let port = free_port();
    let mut runtime = ranged("2..3", port).spawn();
    let pids = http_pids(&runtime, 2, port);
    let control = runtime.control();
    let scale = |to: &str| control.order("/v1/apps/server/scale", &json!({ "to": to }));
    for to in ["1", "-1", "4", "+2"] {
        let said = scale(to).failed().to_owned();
        assert!(said.contains("it has 2 to 3 instances, as the load asks (`--instances 2..3`)"), "{said}");
    }
    scale("+1").went_well();
    assert!(http_pids(&runtime, 3, port).is_superset(&pids));
    let app = app(&runtime);
    let setting = app["settings"].as_array().unwrap().iter().find(|it| it["name"] == "instances").unwrap();
    assert_eq!((&setting["value"], &setting["origin"]), (&json!("2..3"), &json!("PMR_INSTANCES")));
    assert!(http::get(port, "/").unwrap().contains("concurrency=1"));
    runtime.stops();
}

#[test]
fn a_range_that_makes_no_sense_is_refused_with_words() {
    let mut runtime = ranged("8..2", free_port()).spawn();
    runtime.stderr_line(&[
        "`PMR_INSTANCES`: found `8..2`, accepted: a range whose first number is not the greater one",
    ]);
    runtime.ends_with(78);
}
