//! Node workers whose channel waits until something needs it: for the app they are workers of Node's cluster like others.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

/// Numbers that no machine gives away.
const USER: &str = "65432";

fn workers(version: &str, port: u16) -> Launch {
    with_options(&[], version, port)
}

fn with_options(options: &[&str], version: &str, port: u16) -> Launch {
    let command: [PathBuf; 2] = [tool(version), fixture("node/worker.js")];
    let words = options.iter().map(OsString::from).chain(command.map(Into::into));
    Launch::new(words).port(port).workers(2)
}

/// What each of the two workers tells of itself.
#[track_caller]
fn about(runtime: &Runtime, port: u16) -> Vec<Value> {
    http_pids(runtime, 2, port);
    let mut seen = BTreeSet::new();
    runtime.until("both have told", || {
        seen.insert(http::get(port, "/about").ok()?);
        (seen.len() >= 2).then_some(())
    });
    seen.iter().map(|text| serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))).collect()
}

#[track_caller]
fn have_no_channel(runtime: &Runtime, port: u16, whether: bool) {
    for told in about(runtime, port) {
        assert_eq!((&told["isWorker"], &told["opened"]), (&json!(true), &json!(!whether)), "{told}");
    }
}

#[test]
fn an_app_finds_itself_a_worker_and_its_channel_opens_when_it_is_used() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = workers(version, port).spawn();
        let told = about(&runtime, port);
        for one in &told {
            let expected = json!({
                "isPrimary": false, "isWorker": true, "id": one["id"], "state": "listening", "opened": false,
                "variables": [],
            });
            assert_eq!(one, &expected, "{version}");
        }
        let ids: BTreeSet<_> = told.iter().filter_map(|one| one["id"].as_u64()).collect();
        assert_eq!(ids.len(), 2, "{version}: {told:?}");
        assert_eq!(http::get(port, "/child").unwrap(), "true undefined", "{version}");
        assert_eq!(http::get(port, "/connected").unwrap(), "true", "{version}");
        runtime.until("one has opened its channel", || {
            http::get(port, "/about").ok()?.contains(r#""opened":true"#).then_some(())
        });
        runtime.stops();
    }
}

#[test]
fn an_app_that_freezes_what_is_its_own_is_a_worker_like_others() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = workers(version, port).env("APP_FREEZES", "1").env("APP_STOP", "SIGUSR2").spawn();
        have_no_channel(&runtime, port, true);
        let ids: BTreeSet<_> = about(&runtime, port).iter().filter_map(|one| one["id"].as_u64()).collect();
        assert_eq!(ids.len(), 2, "{version}");
        let slow = std::thread::spawn(move || http::get(port, "/slow"));
        runtime.stdout_line("slow pid=");
        runtime.signal(signals::TERM);
        assert_eq!(slow.join().unwrap().unwrap(), "slow", "{version}");
        runtime.ends_with(0);
    }
}

/// By SIGURG, which the kernel ignores for whoever does not listen to it.
#[test]
fn one_of_which_nobody_wants_anything_can_be_asked_how_it_does() {
    for version in VERSIONS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("idle.js");
        std::fs::write(&file, "require('net').createServer().listen(process.env.PORT);").unwrap();
        let words: [PathBuf; 2] = [tool(version), file];
        let mut runtime = Launch::new(words).port(free_port()).workers(2).spawn();
        runtime.until_ready(2);
        for worker in runtime.workers() {
            runtime.until(&format!("{version}: it listens to the question"), || {
                processes::catches(worker, signals::URG).then_some(())
            });
        }
        runtime.stops();
    }
}

#[test]
fn what_is_sent_to_workers_is_heard_and_they_stop_all_the_same() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = workers(version, port).env("APP_HEARS", "1").spawn();
        have_no_channel(&runtime, port, false);
        let home = runtime.home().join(".pmr");
        let mut send = Command::new(binary());
        let status = send.args(["send", "all", "words", "--bare"]).env_clear().env("PMR_HOME", home).status();
        assert!(status.expect("it can be run").success());
        runtime.until("each has heard it", || {
            let heard = |_| http::get(port, "/heard").is_ok_and(|heard| heard == r#"["words"]"#);
            (0..20).all(heard).then_some(())
        });
        runtime.stops();
    }
}

/// Of which the agent does not know that it is a stop: the runtime's farewell ends a worker that still hears messages.
#[test]
fn a_stop_by_another_signal_ends_who_only_closes_the_server() {
    let port = free_port();
    let launch = with_options(&["--kill-signal", "SIGUSR2"], "node24", port);
    let launch = launch.env("APP_HEARS", "1").env("APP_STOP", "SIGUSR2").env("APP_FAILS", "1");
    let mut runtime = launch.spawn();
    have_no_channel(&runtime, port, false);
    runtime.stops();
}

/// The one binds by itself, the other has to ask for its socket.
#[test]
fn two_servers_of_one_worker_do_not_share_a_port() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = workers(version, port).env("APP_TLS_TOO", "1").spawn();
        http_pids(&runtime, 2, port);
        runtime.until_stdout("both are refused", |text| {
            (text.matches("secure: EADDRINUSE").count() >= 2).then_some(())
        });
        assert!(!runtime.stdout.text().contains("secure: listening"), "{version}: {}", runtime.tails());
        runtime.stops();
    }
}

/// As in Node, which closes what its cluster knows of.
#[test]
fn a_server_of_its_own_outlives_a_disconnect() {
    let (port, own) = (free_port(), free_port());
    let mut runtime = workers("node24", port).env("APP_EXCLUSIVE", own.to_string()).spawn();
    http_pids(&runtime, 2, port);
    assert_eq!(http::get(port, "/leave").unwrap(), "left true");
    runtime.stdout_line("disconnected pid=");
    runtime.stops();
    assert_eq!(runtime.stdout.text().matches("exclusive: true").count(), 2, "{}", runtime.tails());
}

/// As ts-node does, which may refuse what it compiles.
#[test]
fn an_app_that_compiles_what_it_loads_drains_all_the_same() {
    let hook = "require('module')._extensions['.js'] = (module, file) => { if (!/worker.js$/.test(file)) throw file;";
    let hook = format!("{hook} module._compile(require('fs').readFileSync(file, 'utf8'), file); }};");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hook.cjs");
    std::fs::write(&file, hook).unwrap();
    let port = free_port();
    let words: [PathBuf; 4] = [tool("node24"), "--require".into(), file, fixture("node/worker.js")];
    let mut runtime = Launch::new(words).port(port).workers(2).env("APP_STOP", "SIGUSR2").spawn();
    http_pids(&runtime, 2, port);
    let slow = std::thread::spawn(move || http::get(port, "/slow"));
    runtime.stdout_line("slow pid=");
    runtime.signal(signals::TERM);
    assert_eq!(slow.join().unwrap().unwrap(), "slow");
    runtime.ends_with(0);
}

#[test]
fn one_that_disconnects_answers_what_it_was_asked_and_is_replaced() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = workers(version, port).spawn();
        http_pids(&runtime, 2, port);
        assert_eq!(http::get(port, "/leave").unwrap(), "left true", "{version}");
        runtime.stdout_line("disconnected pid=");
        runtime
            .until_stderr("it has ended by itself", |text| text.contains("exited with code 0").then_some(()));
        runtime.until_stdout("another one listens", |text| {
            (text.matches("listening").count() >= 3).then_some(())
        });
        http_pids(&runtime, 2, port);
        runtime.stops();
    }
}

#[test]
fn a_port_that_a_stranger_has_is_told_to_the_app() {
    let stranger = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = stranger.local_addr().unwrap().port();
    let mut runtime = workers("node24", port).spawn();
    runtime.stdout_line("failed: EADDRINUSE");
    runtime.stops();
}

/// Such a module may load Node's `cluster`, which decides then for good what the process is.
#[test]
fn modules_that_are_loaded_before_do_no_harm() {
    let port = free_port();
    let mut runtime = workers("node24", port).env("NODE_OPTIONS", "-r node:cluster").spawn();
    have_no_channel(&runtime, port, false);
    runtime.stops();
}

#[test]
fn what_node_must_answer_itself_has_its_channel_from_the_start() {
    for options in
        [&["--kill-stalled", "30s"][..], &["--balance", "even"], &["--share", "cluster"], &["--no-agent"]]
    {
        let port = free_port();
        let mut runtime = with_options(options, "node24", port).spawn();
        have_no_channel(&runtime, port, false);
        runtime.stops();
    }
}

#[test]
fn a_worker_that_changes_its_user_before_it_listens_shares_the_port() {
    if !processes::is_root() {
        processes::say_not_shown("only root can become another user");
        return;
    }
    for user in [USER, "back"] {
        for without in ["-sys_ptrace", "-sys_time"] {
            let port = free_port();
            let rights = format!("--bounding-set={without}");
            let launch = workers("node24", port).env("APP_USER", user).directory("/");
            let mut runtime = launch.through(["setpriv", &rights, "--"]).spawn();
            have_no_channel(&runtime, port, false);
            runtime.stops();
        }
    }
}

/// The kernel does not let us look at the calls of another user then, as in a container of Docker.
#[test]
fn nor_does_one_of_another_user_need_rights_of_ours_to_share_it() {
    if !processes::is_root() {
        processes::say_not_shown("only root can become another user");
        return;
    }
    for (without, has_none) in [("-sys_ptrace", false), ("-sys_time", true)] {
        let port = free_port();
        let launch = with_options(&["--uid", USER, "--gid", USER], "node24", port).directory("/");
        let rights = format!("--bounding-set={without}");
        let mut runtime = launch.through(["setpriv", &rights, "--"]).spawn();
        have_no_channel(&runtime, port, has_none);
        runtime.stops();
    }
}
