//! What an app does wrong about its port is told in words, while it is happening.

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, words};

/// Node by the cluster protocol and Python by interception, each listening as the variables say.
fn servers() -> [Vec<PathBuf>; 2] {
    [vec![tool("node20"), fixture("node/server.js")], vec!["python3".into(), fixture("python/app.py")]]
}

/// Waits for a line of the runtime's own with all of `parts`.
#[track_caller]
fn told(runtime: &Runtime, parts: &[&str]) {
    runtime.until_stderr(&format!("an own line with {parts:?}"), |text| {
        let found = words::ours(text).iter().any(|line| parts.iter().all(|part| line.contains(part)));
        found.then_some(())
    });
}

#[test]
fn listening_on_another_port_than_port_is_told() {
    for server in servers() {
        let (wanted, found) = (free_port(), free_port());
        let launch = Launch::new(server).port(wanted).env("APP_PORT", found.to_string());
        let mut runtime = launch.spawn();
        told(&runtime, &[&wanted.to_string(), &found.to_string(), "PORT"]);
        runtime.stops();
    }
}

#[test]
fn listening_on_loopback_inside_a_container_is_told() {
    let port = free_port();
    let launch = Launch::new(&servers()[0]).port(port).env("APP_HOST", "127.0.0.1");
    let mut runtime = launch.env("KUBERNETES_SERVICE_HOST", "10.0.0.1").spawn();
    told(&runtime, &["127.0.0.1", "0.0.0.0"]);
    runtime.stops();
}

#[test]
fn listening_on_loopback_elsewhere_is_nobodys_business() {
    if ["/.dockerenv", "/run/.containerenv"].iter().any(|sign| Path::new(sign).exists()) {
        processes::say_not_shown("this is a container");
        return;
    }
    let port = free_port();
    let mut runtime = Launch::new(&servers()[0]).port(port).env("APP_HOST", "127.0.0.1").workers(1).spawn();
    runtime.until_ready(1);
    runtime.stops();
    let stderr = runtime.stderr.text();
    assert!(!words::ours(&stderr).iter().any(|line| line.contains("0.0.0.0")), "{stderr}");
}

#[test]
fn listening_nowhere_for_ten_seconds_is_told() {
    let port = free_port();
    let mut runtime = Launch::new([compiled("worker"), "sleep".into()]).port(port).workers(1).spawn();
    told(&runtime, &["listen", &port.to_string()]);
    runtime.stops();
}

/// A dyno has 60 s; the runtime looks after 50.
#[test]
fn a_dyno_whose_port_nobody_has_bound_is_told_of_before_the_platform_ends_it() {
    const SOON: Duration = Duration::from_secs(90);
    let port = free_port();
    let dyno = |words: &[&OsStr]| Launch::new(words).env("DYNO", "web.1").port(port).workers(1);
    let (worker, sleep) = (compiled("worker"), "sleep".as_ref());
    let silent = dyno(&["--wait-ready".as_ref(), worker.as_ref(), sleep]).spawn();
    let busy = dyno(&["--pre-start".as_ref(), "sleep 1000".as_ref(), worker.as_ref(), sleep]).spawn();
    for (mut runtime, lack) in
        [(silent, "does not listen there"), (busy, "waits for its command before the first start")]
    {
        let parts = ["R10", &port.to_string(), lack];
        let told = runtime.stderr.wait(SOON, |text| words::line_with(text, &parts));
        assert!(told.is_some(), "{}", runtime.tails());
        runtime.signal(signals::TERM);
        runtime.wait();
    }
}

/// Plain servers that all bind the port by themselves.
#[test]
fn workers_that_take_the_port_from_one_another_are_told_of_the_remedy() {
    for (way, parts) in [
        ("none", ["`--share none`", "drop that option"]),
        ("reuseport", ["SO_REUSEPORT", "drop that option"]),
        ("activation", ["LISTEN_FDS", "Drop that option"]),
    ] {
        for server in servers() {
            let share = ["--share".into(), way.into()];
            let launch = Launch::new(share.into_iter().chain(server)).port(free_port()).workers(2);
            let mut runtime = launch.spawn();
            told(&runtime, &parts);
            runtime.stops();
            let stderr = runtime.stderr.text();
            let lines = words::ours(&stderr);
            let times = lines.iter().filter(|line| line.contains(parts[1])).count();
            assert_eq!(times, 1, "{stderr}");
        }
    }
}
