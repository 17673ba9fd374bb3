//! The agent in node processes, without the runtime: what it does, and that nothing else of it shows.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use support::fixtures::{fixture, tool};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/handover/agent.cjs");

/// Runs `case` of the fixture, at most for 20 s.
fn run(version: &str, case: &str) -> Output {
    run_with(Path::new(SCRIPT), version, case)
}

fn run_with(script: &Path, version: &str, case: &str) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "20"]).arg(tool(version)).arg("--require").arg(script);
    command.arg(fixture("node/agent.js")).env("APP_CASE", case).output().expect("`timeout` can be run")
}

/// Each version of Node ends so: with a code, or -1 and a signal.
#[track_caller]
fn ends(case: &str, code: Option<i32>, says: &str) {
    for version in VERSIONS {
        let output = run(version, case);
        let text = String::from_utf8_lossy(&output.stdout);
        let found = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        assert_eq!(found, code, "{version}: {output:?}");
        assert!(text.ends_with(says), "{version}: {output:?}");
        assert!(output.stderr.is_empty() || case == "loop", "{version}: {output:?}");
    }
}

/// 128 + SIGTERM
const BY_THE_SIGNAL: Option<i32> = Some(143);

#[test]
fn nothing_of_it_is_visible_to_the_app() {
    for version in VERSIONS {
        let output = run(version, "visible");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (before, after) = text.trim().split_once('\n').expect("two lines");
        assert_eq!(before, after, "{version}: after `listen`");
        assert!(
            before.contains(r#""emit":[false,"emit",1],"listen":["",0],"close":["",1]"#),
            "{version}: {before}"
        );
        assert!(before.contains(r#""listeners":[0,0,0]"#), "{version}: {before}");
    }
}

#[test]
fn a_timer_or_a_pool_does_not_keep_a_drained_server() {
    ends("pool", BY_THE_SIGNAL, "");
}

/// Whoever tidies has taken them away before they were loaded.
#[test]
fn without_the_scripts_beside_it_a_server_ends_by_the_signal() {
    let directory = tempfile::tempdir().unwrap();
    let alone = directory.path().join("agent.cjs");
    std::fs::copy(SCRIPT, &alone).unwrap();
    for version in VERSIONS {
        let output = run_with(&alone, version, "pool");
        assert_eq!(output.status.signal(), Some(15), "{version}: {output:?}");
    }
}

#[test]
fn a_web_socket_does_not_keep_a_drained_server() {
    ends("upgraded", BY_THE_SIGNAL, "");
}

/// Browsers open connections in advance. Node itself would wait for a minute.
#[test]
fn a_client_that_never_asks_does_not_keep_a_drained_server() {
    ends("silent", Some(0), "hung up\n");
}

#[test]
fn a_request_that_comes_while_the_app_closes_its_server_is_answered_and_is_the_last() {
    ends("asked", Some(0), "Connection: close\n");
}

/// While the machine stands still, or gives others all its time, no client can ask.
#[test]
fn a_pause_of_the_whole_machine_does_not_count_as_quiet() {
    ends("paused", Some(0), "Connection: close\n");
}

#[test]
fn it_drains_after_the_apps_handler_was_removed() {
    ends("removed", Some(0), "");
}

/// It hears of every signal, so that it can tell others, but the app has none of its own, and is drained.
#[test]
fn a_handler_that_hides_and_would_end_an_app_without_one_is_not_the_apps() {
    ends("hidden", Some(0), "told\ntold\nanswered\n");
}

#[test]
fn the_second_signal_ends_an_app_that_handles_it_once() {
    ends("once", BY_THE_SIGNAL, "mine\n");
}

#[test]
fn an_app_that_puts_its_own_emit_in_place_sees_signals() {
    ends("replaced", Some(0), "seen by the app\n");
}

#[test]
fn an_app_whose_server_was_closed_long_before_ends_by_the_signal() {
    ends("closed", BY_THE_SIGNAL, "");
}

#[test]
fn an_app_that_exits_in_its_handler_exits() {
    ends("exit", Some(7), "");
}

#[test]
fn a_server_that_tries_a_taken_port_again_and_again_piles_up_no_listeners() {
    ends("retries", Some(0), "");
}

#[test]
fn a_busy_job_that_serves_nothing_ends_by_the_signal() {
    ends("loop", BY_THE_SIGNAL, "");
}
