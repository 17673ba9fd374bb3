//! Many reloads leave the runtime as it was.

use crate::support::cluster::http_pids;
use crate::support::http::Connection;
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::processes::{self, status_kilobytes};
use crate::support::runtime::Runtime;
use crate::{node, rounds, small};

/// What memory of its own may grow by: 1 MB.
const GROWTH: u64 = 1024;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "shown by a failure")]
struct Holding {
    descriptors: usize,
    /// Without the pages of the executable, which the runtime gives back when it rests.
    anonymous: u64,
    resident: u64,
    proportional: u64,
    threads: u64,
}

fn holding(pid: i32) -> Holding {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    Holding {
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        anonymous: status_kilobytes(pid, "RssAnon").unwrap(),
        resident: status_kilobytes(pid, "VmRSS").unwrap(),
        proportional: line.split_whitespace().next().unwrap().parse().unwrap(),
        threads: status_kilobytes(pid, "Threads").unwrap(),
    }
}

/// Reloads, over one connection; at the end only the new workers are there.
#[track_caller]
fn reload(runtime: &Runtime, times: usize) {
    let mut connection = Connection::open_unix(runtime.control().socket()).unwrap();
    for _ in 0..times {
        connection.send_request("POST", "/v1/apps/all/reload", "", "").unwrap();
        let response = connection.receive().unwrap();
        assert_eq!(response.status, 200, "{response:?}\n{}", runtime.tails());
    }
    drop(connection);
    runtime.until("two workers", || (runtime.workers().len() == 2).then_some(()));
    runtime.until("no zombie", || (processes::zombies(runtime.pid()) == 0).then_some(()));
}

#[track_caller]
fn stays_as_it_was(launch: Launch, times: usize) {
    let port = free_port();
    let mut runtime = launch.port(port).spawn();
    http_pids(&runtime, 2, port);
    // What is kept of lines and events is full by then.
    reload(&runtime, times / 2);
    let before = holding(runtime.pid());
    reload(&runtime, times);
    let after = runtime.until("the connections' end", || {
        let now = holding(runtime.pid());
        (now.descriptors <= before.descriptors).then_some(now)
    });
    let grown = after.anonymous.saturating_sub(before.anonymous);
    assert!(grown <= GROWTH, "after {times} reloads: {before:?} {after:?}");
    crate::say(&format!("{times} reloads: {before:?} {after:?}"));
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn many_reloads_of_a_small_app_leave_nothing() {
    stays_as_it_was(small(0), rounds(200, 1000));
}

#[test]
fn many_reloads_of_node_leave_nothing() {
    stays_as_it_was(node(0), rounds(8, 100));
}
