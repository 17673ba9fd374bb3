//! Workers that run as another user than the runtime.

mod support;

use std::ffi::OsString;

use support::cluster::http_pids;
use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::{processes, signals};

/// Numbers that no machine gives away.
const AS_NOBODY: [&str; 4] = ["--uid", "65432", "--gid", "65433"];

fn as_nobody(words: impl IntoIterator<Item = OsString>) -> Option<Launch> {
    if !processes::is_root() {
        processes::say_not_shown("only root can become another user");
        return None;
    }
    Some(Launch::new(AS_NOBODY.map(OsString::from).into_iter().chain(words)))
}

/// The numbers in a line of /proc/PID/status.
fn numbers<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_ascii_whitespace().collect()
}

#[test]
fn a_worker_has_the_user_and_the_groups_that_were_asked_for_and_no_others() {
    let words =
        ["-i".into(), "1".into(), "--no-autorestart".into(), compiled("worker").into(), "status".into()];
    let Some(launch) = as_nobody(words) else { return };
    let mut runtime = launch.directory("/").spawn();
    let status = String::from_utf8(runtime.final_stdout()).unwrap();
    assert_eq!(numbers(&status, "Uid:"), ["65432"; 4], "{status}");
    assert_eq!(numbers(&status, "Gid:"), ["65433"; 4], "{status}");
    assert_eq!(numbers(&status, "Groups:"), ["65433"], "{status}");
    assert_eq!(numbers(&status, "CapEff:"), ["0000000000000000"], "{status}");
    runtime.ends_with(0);
}

#[test]
fn workers_of_another_user_share_a_port_and_end_with_the_runtime() {
    let port = free_port();
    for version in ["node20", "node24"] {
        let Some(launch) = as_nobody([tool(version).into(), fixture("node/heavy.js").into()]) else { return };
        let mut runtime = launch.directory("/").port(port).workers(2).spawn();
        runtime.until_ready(2);
        http_pids(&runtime, 2, port);
        runtime.signal(signals::KILL);
        runtime.ends_with(128 + signals::KILL);
        // Dropping the runtime requires that nobody is left.
    }
}

#[test]
fn what_they_say_by_sd_notify_is_believed() {
    let words = ["--wait-ready".into(), compiled("worker").into(), "notify".into()];
    let Some(launch) = as_nobody(words) else { return };
    let mut runtime = launch.directory("/").workers(2).spawn();
    runtime.until_ready(2);
    runtime.stops();
}

#[test]
fn a_user_that_is_not_known_is_refused_before_anything_is_started() {
    let mut runtime = Launch::new(["--uid", "no-such-user", "echo", "started"]).spawn();
    runtime.ends_with(2);
    let told = "`--uid`: found `no-such-user`, accepted: a user of this machine, by name or number";
    assert!(runtime.stderr.text().contains(told), "{}", runtime.tails());
}
