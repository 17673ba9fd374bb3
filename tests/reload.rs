//! Reload and scale by signals: no gap, and never worse off than before.

mod support;

use std::fs;
use std::path::PathBuf;

use support::cluster::{http_pids, pid_in};
use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::{http, signals, words};

#[track_caller]
fn reloads_without_a_gap(command: &[PathBuf], environment: &[(&str, &str)]) {
    let port = free_port();
    let mut launch = Launch::new(command).port(port).workers(2);
    for (name, value) in environment {
        launch = launch.env(name, value);
    }
    let mut runtime = launch.spawn();
    let before = http_pids(&runtime, 2, port);
    let load = Load::begin(port, "/", 4);
    for generation in 1..=2 {
        let so_far = load.answered();
        runtime.until("load", || (load.answered() > so_far + 100).then_some(()));
        runtime.signal(signals::HUP);
        runtime.until_stderr("the end of the reload", |text| {
            (words::ours(text).iter().filter(|line| words::is_reload_done(line)).count() == generation)
                .then_some(())
        });
    }
    let so_far = load.answered();
    runtime.until("load after the reload", || (load.answered() > so_far + 100).then_some(()));
    let errors = load.end();
    if let Some(first) = errors.first() {
        runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
    }
    let after = http_pids(&runtime, 2, port);
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    runtime.stops();
}

#[test]
fn node_reloads_without_a_gap() {
    reloads_without_a_gap(&[tool("node20"), fixture("node/server.js")], &[]);
}

#[test]
fn node_by_interception_reloads_without_a_gap() {
    let command = ["--share".into(), "intercept".into(), tool("node20"), fixture("node/server.js")];
    reloads_without_a_gap(&command, &[("APP_SIGTERM", "close")]);
}

#[test]
fn python_reloads_without_a_gap() {
    reloads_without_a_gap(&["python3".into(), fixture("python/app.py")], &[("APP_SIGTERM", "drain")]);
}

#[test]
fn a_reload_to_broken_code_is_called_off() {
    let port = free_port();
    let launch = Launch::new([tool("node20"), "server.js".into()]).port(port).workers(2);
    let server = launch.home().join("server.js");
    fs::copy(fixture("node/server.js"), &server).unwrap();
    let mut runtime = launch.spawn();
    let before = http_pids(&runtime, 2, port);
    fs::write(&server, "process.exit(3)").unwrap();
    let load = Load::begin(port, "/", 2);
    runtime.signal(signals::HUP);
    runtime.until_stderr("the reload called off", |text| {
        words::ours(text).iter().any(|line| words::is_reload_called_off(line)).then_some(())
    });
    let so_far = load.answered();
    runtime.until("load after it", || (load.answered() > so_far + 50).then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    assert_eq!(http_pids(&runtime, 2, port), before, "the old workers were to go on");
    runtime.stops();
}

#[test]
fn ttin_and_ttou_scale() {
    let port = free_port();
    let mut runtime = Launch::new([tool("node20"), fixture("node/server.js")]).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    runtime.signal(signals::TTIN);
    runtime.until_ready(3);
    http_pids(&runtime, 3, port);
    for left in [2, 1] {
        runtime.signal(signals::TTOU);
        runtime.until(&format!("{left} workers"), || (runtime.workers().len() == left).then_some(()));
        http_pids(&runtime, left, port);
    }
    // The last one stays.
    runtime.signal(signals::TTOU);
    runtime.until_stderr("a refusal", |text| {
        words::ours(text).iter().any(|line| words::is_scale_refused(line)).then_some(())
    });
    let last = http_pids(&runtime, 1, port);
    assert_eq!(http::get(port, "/").ok().and_then(|answer| pid_in(&answer)), last.first().copied());
    runtime.stops();
}

#[test]
fn scaling_under_load_loses_nothing() {
    let port = free_port();
    let mut runtime = Launch::new([tool("node20"), fixture("node/server.js")]).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let load = Load::begin(port, "/", 4);
    runtime.signal(signals::TTIN);
    runtime.until("a third worker", || (runtime.workers().len() == 3).then_some(()));
    runtime.until_ready(3);
    runtime.signal(signals::TTOU);
    runtime.until("its end", || (runtime.workers().len() == 2).then_some(()));
    let so_far = load.answered();
    runtime.until("load after it", || (load.answered() > so_far + 50).then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{} errors like {:?}\n{}", errors.len(), errors.first(), runtime.tails());
    runtime.stops();
}

#[test]
fn hup_can_be_forwarded_instead() {
    let mut words: Vec<PathBuf> = ["-i", "2", "--on-hup", "forward"].iter().map(PathBuf::from).collect();
    words.extend([compiled("worker"), "signals-quit".into()]);
    let mut runtime = Launch::new(words).spawn();
    runtime.until_stdout("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    runtime.signal(signals::HUP);
    let hup = format!("got {} count=1 ", signals::HUP);
    runtime.until_stdout("both to get it", |text| (text.matches(&hup).count() == 2).then_some(()));
    runtime.stops();
}

#[test]
fn other_signals_are_forwarded_to_every_worker() {
    let mut words: Vec<PathBuf> = ["-i", "2"].iter().map(PathBuf::from).collect();
    words.extend([compiled("worker"), "signals-quit".into()]);
    let mut runtime = Launch::new(words).spawn();
    runtime.until_stdout("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    for number in [signals::USR1, signals::USR2, signals::WINCH, 40] {
        runtime.signal(number);
        let told = format!("got {number} count=1 ");
        runtime.until_stdout("both to get it", |text| (text.matches(&told).count() == 2).then_some(()));
    }
    runtime.stops();
}
