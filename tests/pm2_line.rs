//! pm2-runtime's command lines, run by us: the forms, the options and the variables that its users have in their files.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use support::cluster::http_pids;
use support::fixtures::{compiled, fixture};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::runtime::Runtime;
use support::signals;

const SERVER: &str = "
    const cluster = require('node:cluster');
    const server = require('node:http').createServer((request, response) => {
        response.end(`pid=${process.pid} worker=${cluster.isWorker} words=${process.argv.slice(2)}`);
    });
    server.listen(process.env.PORT);
";

/// A package with its `main`, a start script and `bin/www`, as express's generator makes them.
fn package() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    fs::create_dir(directory.path().join("bin")).unwrap();
    write("package.json", r#"{"name": "shop", "main": "server.js", "scripts": {"start": "node server.js"}}"#);
    write("server.js", SERVER);
    write("bin/www", &format!("#!/usr/bin/env node\n{SERVER}"));
    directory
}

#[track_caller]
fn answer_of_two(directory: &Path, words: &[&str]) -> (Runtime, String) {
    let port = free_port();
    let runtime = Launch::new(words).directory(directory).port(port).spawn();
    http_pids(&runtime, 2, port);
    let answer = support::http::get(port, "/").unwrap();
    (runtime, answer)
}

#[test]
fn what_pm2s_users_name_runs_as_a_cluster() {
    let package = package();
    for words in [
        ["bin/www", "-i", "2", "--name", "shop", "--", "one"].as_slice(),
        &[".", "--name", "shop", "-i", "2", "--", "one"],
        &["start", "server.js", "-i", "2", "--name", "shop", "--", "one"],
    ] {
        let (mut runtime, answer) = answer_of_two(package.path(), words);
        assert!(answer.ends_with("worker=true words=one"), "{words:?}: {answer}");
        runtime.stderr_line(&["starting 2 instances", "app=shop"]);
        runtime.stops();
    }
}

#[test]
fn an_executable_script_for_node_keeps_its_own_words() {
    let package = package();
    fs::set_permissions(package.path().join("bin/www"), fs::Permissions::from_mode(0o755)).unwrap();
    let (mut runtime, answer) = answer_of_two(package.path(), &["-i", "2", "bin/www", "serve", "-i", "9"]);
    assert!(answer.ends_with("worker=true words=serve,-i,9"), "{answer}");
    runtime.stops();
}

#[test]
fn what_has_no_effect_is_told_in_a_line_each() {
    let package = package();
    let words =
        ["server.js", "--secret", "s3cret", "--v8", "--web", "0", "--env", "production", "--no-daemon"];
    let launch = Launch::new(words).directory(package.path()).port(free_port());
    let mut runtime = launch.env("PM2_HOME", "/nowhere").env("SECRET_KEY", "of-the-app").spawn();
    runtime.until_ready(1);
    for part in ["`--secret` has no effect", "`--v8`", "`--env`", "the variable `PM2_HOME`"] {
        runtime.stderr_line(&["warn", part]);
    }
    runtime.stops();
    let told = runtime.stderr.text();
    assert_eq!(told.matches("no effect").count(), 4, "{told}");
    assert!(!told.contains("s3cret") && !told.contains("of-the-app"), "{told}");
}

#[test]
fn variables_of_pm2s_stand_in_for_ours_and_are_named_when_they_are_wrong() {
    let mut runtime = Launch::new([compiled("worker")]).env("PM2_KILL_TIMEOUT", "soon").spawn();
    runtime.ends_with(78);
    assert!(runtime.stderr.text().contains("`PM2_KILL_TIMEOUT`: found `soon`"), "{}", runtime.tails());

    let script = "process.on('SIGUSR2', () => { console.log('asked'); process.exit(); }); \
                  setInterval(() => {}, 1000); console.log('up', process.env.APP_ID)";
    let launch = Launch::new(["node", "-e", script]).env("PM2_KILL_SIGNAL", "SIGUSR2");
    let mut runtime = launch.env("PM2_PROCESS_INSTANCE_VAR", "APP_ID").spawn();
    runtime.stdout_line("up 0");
    runtime.signal(signals::TERM);
    runtime.stdout_line("asked");
    runtime.ends_with(0);
}

#[test]
fn without_auto_exit_the_runtime_outlives_its_apps() {
    let words = ["--no-auto-exit", "--no-autorestart", "-i", "2"].map(Into::into);
    let words = words.into_iter().chain([compiled("worker").into_os_string(), "exit".into(), "0".into()]);
    let mut runtime = Launch::new(words).spawn();
    let control = runtime.control();
    runtime.until("the end of both", || {
        let apps = control.apps();
        let instances = apps.first()?["instances"].as_array()?.clone();
        instances.iter().all(|instance| instance["pid"].is_null()).then_some(())
    });
    assert_eq!(runtime.try_status(), None);
    runtime.stops();
}

#[test]
fn a_delay_comes_before_everything_and_a_signal_ends_it() {
    let mut runtime = Launch::new(["--delay", "600", "sh", "-c", "echo started"]).spawn();
    runtime.stderr_line(&["starting in 10m"]);
    runtime.signal(signals::HUP);
    runtime.signal(signals::TERM);
    runtime.ends_with(0);
    assert_eq!(runtime.stdout.text(), "");
    assert!(
        runtime.stderr.text().contains("SIGTERM received before anything was started"),
        "{}",
        runtime.tails()
    );

    let mut runtime =
        Launch::new(["--delay", "50ms", "--no-autorestart", "sh", "-c", "echo started"]).spawn();
    runtime.ends_with(0);
    assert_eq!(runtime.stdout.text(), "started\n");
}

#[test]
fn called_pmr_start_stays_in_the_foreground_where_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let pmr = directory.path().join("pmr");
    symlink(binary(), &pmr).unwrap();
    let port = free_port();
    let launch =
        Launch::new(["start", fixture("node/server.js").to_str().unwrap(), "--no-daemon", "-i", "2"]);
    let mut runtime = launch.binary(pmr).port(port).spawn();
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn a_package_is_told_from_a_configuration() {
    let package = package();
    let mut runtime = Launch::new(["package.json"]).directory(package.path()).spawn();
    runtime.ends_with(78);
    assert!(runtime.stderr.text().contains("`pmr-runtime npm start`"), "{}", runtime.tails());
}
