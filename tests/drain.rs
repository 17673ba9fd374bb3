//! Draining: a worker without a handler for SIGTERM finishes its answers before it is asked to end.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::thread::JoinHandle;

use support::cluster::{http_pids, pid_in};
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals, updates, words};

/// Python's `http.server`, which ends at once on SIGTERM.
fn python<const N: usize>(options: [&str; N]) -> Launch {
    let options = options.into_iter().map(Into::into);
    Launch::new(options.chain(["python3".into(), fixture("python/app.py")]))
}

/// Deno's own server.
fn deno() -> Launch {
    let deno = [tool("deno"), "run".into(), "--allow-net".into(), "--allow-env".into()];
    Launch::new(deno.into_iter().chain([fixture("deno/server.js")]))
}

#[track_caller]
fn until_reloaded(runtime: &Runtime, round: usize) {
    runtime.until_stderr("the end of the reload", |text| {
        (words::ours(text).iter().filter(|line| words::is_reload_done(line)).count() == round).then_some(())
    });
}

#[track_caller]
fn until_workers(runtime: &Runtime, count: usize) {
    runtime.until(&format!("{count} workers"), || (runtime.workers().len() == count).then_some(()));
}

#[track_caller]
fn never_cut_short(runtime: &Runtime) {
    assert!(!runtime.stderr.text().lines().any(words::is_cut_short), "{}", runtime.tails());
}

/// Asks for an answer that takes its time, and waits until a worker has begun it.
fn slow(runtime: &Runtime, port: u16, ms: u32) -> JoinHandle<std::io::Result<String>> {
    let begun = || runtime.stdout.text().matches("begin pid=").count();
    let before = begun();
    let asking = std::thread::spawn(move || http::get(port, &format!("/slow?ms={ms}")));
    runtime.until("the request to be begun", || (begun() > before).then_some(()));
    asking
}

#[track_caller]
fn loses_nothing(launch: Launch, workers: usize, clients: usize) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(workers).spawn();
    http_pids(&runtime, workers, port);
    let load = Load::begin(port, "/", clients);
    let until_loaded = || {
        let so_far = load.answered();
        runtime.until("load", || (load.answered() > so_far + 50).then_some(()));
    };
    for round in 1..=3 {
        until_loaded();
        runtime.signal(signals::HUP);
        until_reloaded(&runtime, round);
        until_workers(&runtime, workers);
        until_loaded();
        runtime.signal(signals::TTIN);
        until_workers(&runtime, workers + 1);
        runtime.until_ready(round * (workers + 1) + workers);
        until_loaded();
        runtime.signal(signals::TTOU);
        until_workers(&runtime, workers);
    }
    until_loaded();
    let errors = load.end();
    if let Some(first) = errors.first() {
        runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
    }
    never_cut_short(&runtime);
    runtime.stops();
}

#[test]
fn reloads_and_scaling_under_load_lose_nothing() {
    loses_nothing(python([]), 3, 8);
}

#[test]
fn nor_as_process_1() {
    loses_nothing(python([]).process_one(), 2, 8);
}

#[test]
fn nor_without_any_rights() {
    if !processes::is_root() {
        // All the other tests have shown it, then.
        return;
    }
    let rights = ["setpriv", "--reuid=65432", "--regid=65432", "--clear-groups", "--bounding-set=-all"];
    loses_nothing(python([]).directory("/").without_env("PMR_HOME").through(rights), 2, 8);
}

#[test]
fn nor_when_started_by_a_shell() {
    let line = format!("python3 {}; exit 3", fixture("python/app.py").display());
    loses_nothing(Launch::new(["sh", "-c", &line]), 2, 8);
}

/// Few enough clients that a worker has moments without any: nothing can be steered away from it.
const WITH_PAUSES: usize = 2;

/// Its new worker accepts from the same socket.
#[test]
fn nor_of_a_single_instance() {
    loses_nothing(python(["-i", "1"]), 1, WITH_PAUSES);
}

#[test]
fn a_slow_answer_is_finished_in_a_reload_a_scale_down_and_a_stop() {
    let port = free_port();
    let mut runtime = python([]).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let asked: Vec<_> = (0..4).map(|_| slow(&runtime, port, 2000)).collect();
    runtime.signal(signals::HUP);
    until_reloaded(&runtime, 1);
    asked.into_iter().for_each(|asked| drop(asked.join().unwrap().unwrap()));
    let asked: Vec<_> = (0..4).map(|_| slow(&runtime, port, 1000)).collect();
    runtime.signal(signals::TTOU);
    until_workers(&runtime, 1);
    asked.into_iter().for_each(|asked| drop(asked.join().unwrap().unwrap()));
    let asked = slow(&runtime, port, 1000);
    runtime.stops();
    asked.join().unwrap().unwrap();
    never_cut_short(&runtime);
}

#[test]
fn idle_connections_are_not_waited_for() {
    let port = free_port();
    let launch = python(["--drain-timeout", "1h"]).env("APP_PROTOCOL", "HTTP/1.1");
    let mut runtime = launch.port(port).workers(1).spawn();
    runtime.until_ready(1);
    let mut kept = http::Connection::open(port).unwrap();
    let old = pid_in(&kept.get("/").unwrap().body);
    // One over which nothing has come, and one that has had its answer.
    let silent = http::connect(port).unwrap();
    runtime.signal(signals::HUP);
    until_reloaded(&runtime, 1);
    until_workers(&runtime, 1);
    assert_ne!(pid_in(&http::get(port, "/").unwrap()), old);
    drop(silent);
    runtime.stops();
}

#[test]
fn the_deadline_holds() {
    let port = free_port();
    let mut runtime = python(["--drain-timeout", "200ms"]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let asked = slow(&runtime, port, 600_000);
    runtime.signal(signals::HUP);
    runtime.until_stderr("the end of its time", |text| text.lines().any(words::is_cut_short).then_some(()));
    until_reloaded(&runtime, 1);
    asked.join().unwrap().unwrap_err();
    runtime.stops();
}

#[test]
fn without_time_for_it_nothing_is_waited_for() {
    let port = free_port();
    let mut runtime = python(["--drain-timeout", "0"]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let asked = slow(&runtime, port, 600_000);
    runtime.stops();
    asked.join().unwrap().unwrap_err();
}

/// Their sockets do not block, so all workers take from one queue.
#[test]
fn nor_where_all_share_one_queue() {
    let bun = [tool("bun"), fixture("bun/server.js")];
    loses_nothing(Launch::new(bun), 2, WITH_PAUSES);
    loses_nothing(deno(), 2, WITH_PAUSES);
}

/// Deno catches the signal in any case, only to end at once if the app does not listen to it.
#[test]
fn an_app_of_deno_that_listens_to_the_signal_hears_it() {
    let port = free_port();
    let mut runtime = deno().port(port).workers(1).env("APP_LISTENS", "1").spawn();
    runtime.until_ready(1);
    runtime.stdout_line("prepared");
    runtime.signal(signals::HUP);
    runtime.stdout_line("asked");
    until_reloaded(&runtime, 1);
    runtime.until_stderr("its own end", |text| text.contains("exited with code 3").then_some(()));
    runtime.stops();
}

#[test]
fn an_update_amid_a_drain_lets_it_go_on() {
    let port = free_port();
    let mut runtime = python([]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let asked = slow(&runtime, port, 4000);
    runtime.signal(signals::HUP);
    runtime.until_ready(2);
    updates::update(&runtime);
    assert!(!asked.is_finished(), "the update came too late");
    asked.join().unwrap().unwrap();
    until_reloaded(&runtime, 1);
    until_workers(&runtime, 1);
    never_cut_short(&runtime);
    runtime.stops();
}

/// A handler means that the worker parts with its clients by itself, and is asked at once.
#[test]
fn who_has_a_handler_is_asked_at_once() {
    let port = free_port();
    let mut runtime =
        python(["--drain-timeout", "1h"]).env("APP_SIGTERM", "drain").port(port).workers(1).spawn();
    runtime.until_ready(1);
    let asked = slow(&runtime, port, 1000);
    runtime.signal(signals::HUP);
    until_reloaded(&runtime, 1);
    assert!(!asked.is_finished(), "the reload waited for the answer");
    asked.join().unwrap().unwrap();
    runtime.stops();
}

/// A client that has sent half of its request is waited for as well.
#[test]
fn a_request_that_is_just_arriving_is_answered() {
    let port = free_port();
    let mut runtime = python([]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let mut client = http::connect(port).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n").unwrap();
    runtime.signal(signals::HUP);
    runtime.until_ready(2);
    client.write_all(b"\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&client).read_line(&mut answer).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer:?}");
    until_reloaded(&runtime, 1);
    runtime.stops();
}
