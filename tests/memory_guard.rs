//! Workers that leak in a container with a small memory limit: one gives way before the kernel ends it, and no request is lost.

mod support;

use std::path::PathBuf;
use std::time::Duration;

use support::cgroup::Cgroup;
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::processes;
use support::runtime::Runtime;
use support::updates::update;
use support::wait;

const LIMIT: u64 = 300 << 20;
/// On a machine that does much else, the leak takes its time.
const SLOWEST: Duration = Duration::from_secs(180);

/// A cgroup of 300 MB; where none can be had by root, nothing is shown, which is an error.
fn container() -> Option<Cgroup> {
    let group = Cgroup::with_limit(LIMIT);
    assert!(
        group.is_some() || !nix::unistd::geteuid().is_root(),
        "no memory cgroup can be made here, even by root"
    );
    if group.is_none() {
        processes::say_not_shown("only root can make a memory cgroup");
    }
    group
}

fn leaking(group: &Cgroup, port: u16, instances: usize, options: &[&str]) -> Runtime {
    let count = instances.to_string();
    let words = ["-i", &count, "--drain-timeout", "10s"].into_iter().chain(options.iter().copied());
    let words = words.map(PathBuf::from).chain([tool("node20"), fixture("node/leak.js")]);
    Launch::new(words).port(port).workers(instances).through(group.enter()).spawn()
}

fn recycled(runtime: &Runtime) -> usize {
    runtime.stderr.text().matches("worker has grown to").count()
}

/// Each of `clients` gets an answer every 20 ms, so that the leak is some 6 MB a second and client at 128 KB a request.
fn leaks_without_loss(group: &Cgroup, instances: usize, load: fn(u16) -> Load, kilobytes: usize) {
    let port = free_port();
    let mut runtime = leaking(group, port, instances, &[]);
    runtime.until_ready(instances);
    let load = load(port);
    // Half as much again as there is beside what workers have at first.
    let is_enough = || (load.answered() * kilobytes > 320 << 10 && recycled(&runtime) >= 2).then_some(());
    if wait::within(SLOWEST, is_enough).is_none() {
        runtime.fail("320 MB to have leaked and two replacements");
    }
    let errors = load.end();
    assert!(errors.is_empty(), "{} {:?}\n{}", errors.len(), errors.first(), runtime.tails());
    assert_eq!(group.oom_kills(), 0, "{}", runtime.tails());
    assert!(!runtime.stderr.text().contains("SIGKILL"), "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn two_workers_that_leak_lose_no_request_and_never_meet_the_oom_killer() {
    let Some(group) = container() else { return };
    leaks_without_loss(&group, 2, |port| Load::begin(port, "/?128", 3), 128);
}

#[test]
fn a_worker_that_leaks_alone_loses_no_request_either() {
    let Some(group) = container() else { return };
    leaks_without_loss(&group, 1, |port| Load::begin(port, "/?128", 2), 128);
}

#[test]
fn clients_that_stay_connected_lose_no_request_either() {
    let Some(group) = container() else { return };
    leaks_without_loss(&group, 2, |port| Load::begin_keep_alive(port, "/?128", 3), 128);
}

#[test]
fn an_update_forgets_nothing_of_how_workers_have_grown() {
    let Some(group) = container() else { return };
    let port = free_port();
    let mut runtime = leaking(&group, port, 2, &[]);
    runtime.until_ready(2);
    let load = Load::begin(port, "/?128", 3);
    runtime.until("40 MB to have leaked", || (load.answered() > 320).then_some(()));
    update(&runtime);
    runtime.until("a replacement", || (recycled(&runtime) >= 1).then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{} {:?}\n{}", errors.len(), errors.first(), runtime.tails());
    assert_eq!(group.oom_kills(), 0);
    runtime.stops();
}

#[test]
fn a_job_that_is_not_begun_anew_when_it_ends_is_not_when_memory_runs_short_either() {
    let words = ["-i", "2", "--no-autorestart"].map(PathBuf::from).into_iter();
    let job = [tool("node20"), fixture("node/grow.js"), PathBuf::from("150"), PathBuf::from("5")];
    let launch = Launch::new(words.chain(job)).port(free_port()).workers(2);
    let mut runtime = launch.env("MEMORY_AVAILABLE", "300").spawn();
    runtime.ends_with(0);
    assert_eq!(recycled(&runtime), 0, "{}", runtime.tails());
}

#[test]
fn without_the_guard_it_is_the_kernel_that_ends_them() {
    let Some(group) = container() else { return };
    let port = free_port();
    let mut runtime = leaking(&group, port, 1, &["--no-memory-guard"]);
    runtime.until_ready(1);
    let load = Load::begin(port, "/?512", 2);
    runtime.stderr_line(&["out of memory"]);
    drop(load.end());
    assert_eq!(recycled(&runtime), 0);
    assert!(group.oom_kills() > 0);
    runtime.stops();
}
