//! Workers with more memory than they may have are replaced with no gap.

mod support;

use std::path::PathBuf;

use support::cluster::{http_pids, pid_in};
use support::fixtures::{fixture, tool};
use support::http;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::processes;
use support::updates::update;

#[test]
fn a_worker_that_grows_above_its_limit_is_replaced_and_no_request_is_lost() {
    let port = free_port();
    let options = ["--max-memory-restart", "200M"].map(PathBuf::from);
    let words = options.into_iter().chain([tool("node20"), fixture("node/heavy.js")]);
    let mut runtime = Launch::new(words).port(port).workers(2).spawn();
    runtime.until_ready(2);
    let before = http_pids(&runtime, 2, port);
    // What was measured goes on to be measured.
    update(&runtime);
    let load = Load::begin(port, "/", 3);
    let large = pid_in(&http::get(port, "/grow?300").unwrap()).unwrap();
    runtime
        .stderr_line(&["of memory, more than `--max-memory-restart` allows (200M)", &format!("pid={large}")]);
    runtime.until_ready(3);
    runtime.until("the end of the large worker", || (!runtime.workers().contains(&large)).then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    let after = http_pids(&runtime, 2, port);
    assert_eq!(before.intersection(&after).count(), 1, "{before:?} {after:?}");
    runtime.stops();
}

/// What the kernel adds to what a process has, when it looks for one to end.
fn adjustment(pid: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("the process lives");
    text.trim().parse().expect("it is a number")
}

#[test]
fn the_kernel_would_end_a_worker_before_the_runtime() {
    let mut kinds = vec![vec![]];
    if processes::is_root() {
        kinds.push(["--uid", "65432", "--gid", "65433"].map(PathBuf::from).to_vec());
    }
    for options in kinds {
        let port = free_port();
        let words = options.into_iter().chain([tool("node20"), fixture("node/heavy.js")]);
        // As a platform does that has an opinion of its own.
        let script = "echo 500 > /proc/self/oom_score_adj && exec \"$0\" \"$@\"";
        let mut runtime =
            Launch::new(words).through(["sh", "-c", script]).directory("/").port(port).workers(2).spawn();
        runtime.until_ready(2);
        assert_eq!(adjustment(runtime.pid()), 500);
        for worker in http_pids(&runtime, 2, port) {
            assert!((501..=1000).contains(&adjustment(worker)), "{}", adjustment(worker));
        }
        runtime.stops();
    }
}
