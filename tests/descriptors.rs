//! The limit on open descriptors: ours is as high as it may be, the workers' is the one that we were given.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;

use support::fixtures::compiled;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, updates};

/// Too few for the pipes of so many workers.
const GIVEN: &str = "64";
const WORKERS: usize = 40;

fn limited() -> Runtime {
    let words = ["-i", &WORKERS.to_string(), compiled("epoll").to_str().unwrap()].map(str::to_owned);
    Launch::new(words)
        .through(["sh", "-c", &format!("ulimit -Sn {GIVEN}; exec \"$@\""), "sh"])
        .port(free_port())
        .spawn()
}

/// The soft limits of all workers.
fn limits(runtime: &Runtime) -> Vec<String> {
    runtime.workers().into_iter().filter_map(limit).collect()
}

fn limit(pid: i32) -> Option<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next().map(str::to_owned)
}

#[test]
fn more_workers_run_than_the_given_limit_has_room_for_and_each_keeps_that_limit() {
    let mut runtime = limited();
    runtime.until_ready(WORKERS);
    assert_eq!(limits(&runtime), [GIVEN; WORKERS], "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn the_limit_is_known_after_an_update_of_the_runtime_too() {
    let mut runtime = limited();
    runtime.until_ready(WORKERS);
    updates::update(&runtime);
    let ended = *runtime.workers().first().unwrap();
    processes::signal(ended, signals::KILL);
    runtime.until_ready(WORKERS + 1);
    assert_eq!(limits(&runtime), [GIVEN; WORKERS], "{}", runtime.tails());
    runtime.stops();
}
