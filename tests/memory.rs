//! Workers with more memory than they may have are replaced with no gap.

mod support;

use std::path::PathBuf;

use support::cluster::{http_pids, pid_in};
use support::fixtures::{fixture, tool};
use support::http;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
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
