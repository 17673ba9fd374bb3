//! The command line: what is refused and why, what the start line says, whose word is whose.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::ffi::OsString;

use support::cluster::http_pids;
use support::fixtures::{compiled, fixture};
use support::launch::Launch;
use support::ports::free_port;
use support::words;

#[test]
fn help_and_version_go_to_standard_output() {
    let mut runtime = Launch::new(["--help"]).spawn();
    let text = String::from_utf8(runtime.final_stdout()).unwrap();
    runtime.ends_with(0);
    let options = [
        "--instances",
        "--name",
        "--kill-timeout",
        "--kill-signal",
        "--no-autorestart",
        "--max-restarts",
        "--min-uptime",
        "--restart-delay",
        "--exp-backoff-restart-delay",
        "--wait-ready",
        "--listen-timeout",
        "--cwd",
        "--log-format",
        "--share",
        "--on-hup",
        "--version",
        "--help",
    ];
    for option in options {
        assert!(text.contains(option), "{option} is missing in:\n{text}");
    }
    assert_eq!(runtime.stderr.text(), "");

    let mut runtime = Launch::new(["--version"]).spawn();
    let text = String::from_utf8(runtime.final_stdout()).unwrap();
    runtime.ends_with(0);
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
}

#[test]
fn nothing_to_run_is_a_usage_error() {
    let mut runtime = Launch::new([""; 0]).spawn();
    runtime.ends_with(2);
    assert!(runtime.stderr.text().to_lowercase().contains("usage"), "{}", runtime.tails());
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let mut runtime = Launch::new(["--instancess", "2", "node", "x.js"]).spawn();
    runtime.ends_with(2);
    assert!(runtime.stderr.text().contains("--instancess"), "{}", runtime.tails());
}

#[test]
fn all_problems_are_told_at_once_and_nothing_is_started() {
    let words: Vec<OsString> = vec![compiled("worker").into(), "sleep".into()];
    let launch = Launch::new(words)
        .env("WEB_CONCURRENCY", "abc")
        .env("PORT", "99999")
        .env("PMR_KILL_TIMEOUT", "5 parsecs");
    let mut runtime = launch.spawn();
    runtime.ends_with(78);
    let stderr = runtime.stderr.text();
    for part in ["WEB_CONCURRENCY", "abc", "PORT", "99999", "65535", "PMR_KILL_TIMEOUT", "5 parsecs"] {
        assert!(stderr.contains(part), "{part} is missing in:\n{stderr}");
    }
    assert_eq!(runtime.stdout.text(), "");
}

#[test]
fn a_web_concurrency_that_is_no_count_is_refused() {
    for value in ["0", "abc", "-1"] {
        let words: Vec<OsString> = vec![compiled("worker").into(), "sleep".into()];
        let mut runtime = Launch::new(words).env("WEB_CONCURRENCY", value).spawn();
        runtime.ends_with(78);
        let stderr = runtime.stderr.text();
        assert!(stderr.contains("WEB_CONCURRENCY") && stderr.contains(value), "{stderr}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let words: Vec<OsString> =
        vec!["--no-autorestart".into(), compiled("worker").into(), "exit".into(), "5".into()];
    let launch = Launch::new(words).env("WEB_CONCURRENCY", "").env("PORT", "").env("PMR_KILL_TIMEOUT", "");
    launch.env("WEB_MEMORY", "").env("MEMORY_AVAILABLE", "").env("DYNO", "").spawn().ends_with(5);
}

#[test]
fn the_start_line_says_how_many_and_why() {
    let cases = [(vec!["-i", "3"], "-i"), (vec![], "WEB_CONCURRENCY")];
    for (options, why) in cases {
        let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
        words.extend([compiled("worker").into(), "sleep".into()]);
        let mut runtime = Launch::new(words).workers(3).spawn();
        runtime.until_stdout("three workers", |text| (text.matches("ready pid=").count() == 3).then_some(()));
        let stderr = runtime.stderr.text();
        let told = words::ours(&stderr).iter().any(|line| line.contains('3') && line.contains(why));
        assert!(told, "no line with 3 and {why}\n{stderr}");
        runtime.stops();
    }
}

#[test]
fn without_port_there_is_one_instance() {
    let words: Vec<OsString> = vec![compiled("worker").into(), "sleep".into()];
    let mut runtime = Launch::new(words).spawn();
    runtime.stdout_line("ready pid=");
    runtime.until_ready(1);
    assert_eq!(runtime.workers().len(), 1);
    runtime.stops();
}

#[test]
fn a_script_is_run_by_its_interpreter() {
    for arguments in [vec!["server.js"], vec!["start", "server.js"]] {
        let port = free_port();
        let launch = Launch::new(arguments).port(port).workers(2);
        std::fs::copy(fixture("node/server.js"), launch.home().join("server.js")).unwrap();
        let mut runtime = launch.spawn();
        http_pids(&runtime, 2, port);
        runtime.stops();
    }
}

/// What a script that prints its arguments printed first.
#[track_caller]
fn arguments_seen(arguments: &[&str]) -> (String, usize) {
    let launch = Launch::new(arguments);
    let script = "console.log('seen ' + process.argv.slice(2).join(' ')); setInterval(() => {}, 1000);";
    std::fs::write(launch.home().join("x.js"), script).unwrap();
    let mut runtime = launch.spawn();
    let line = runtime.stdout_line("seen");
    runtime.until_ready(1);
    let count = runtime.workers().len();
    runtime.stops();
    (line, count)
}

#[test]
fn every_word_after_a_command_is_the_apps() {
    let (line, count) = arguments_seen(&["node", "x.js", "--help", "-i", "3", "--", "--version"]);
    assert_eq!(line, "seen --help -i 3 -- --version");
    assert_eq!(count, 1);
}

#[test]
fn options_may_follow_a_file_and_two_dashes_end_them() {
    let (line, count) = arguments_seen(&["start", "x.js", "-i", "2", "--", "--flag", "-i", "9"]);
    assert!(line.ends_with("seen --flag -i 9"), "{line}");
    assert!(count <= 2, "{count}");
}

#[test]
fn two_dashes_before_the_command_are_taken_away() {
    let (line, _) = arguments_seen(&["-i", "1", "--", "node", "x.js", "--flag"]);
    assert!(line.ends_with("seen --flag"), "{line}");
}

#[test]
fn an_option_is_stronger_than_its_variable() {
    let words: Vec<OsString> = vec!["-i".into(), "2".into(), compiled("worker").into(), "sleep".into()];
    let mut runtime = Launch::new(words).env("PMR_INSTANCES", "3").workers(4).spawn();
    runtime.until_ready(2);
    assert_eq!(runtime.workers().len(), 2);
    runtime.stops();
}

#[test]
fn durations_are_read_with_and_without_units() {
    for value in ["1600", "1600ms", "5s", "2m"] {
        let words = ["--kill-timeout", value, "--no-autorestart", "sh", "-c", "exit 6"];
        Launch::new(words).spawn().ends_with(6);
    }
    Launch::new(["--kill-timeout", "soon", "--no-autorestart", "sh", "-c", "exit 6"]).spawn().ends_with(2);
}
