//! Standbys and fleet reloads: workers that are held where they are about to listen.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::cluster::{http_pids, pid_in};
use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals, updates, words};

/// As long as an app of the real world takes.
const BOOT_MS: &str = "1500";

fn node() -> Vec<PathBuf> {
    vec![tool("node20"), fixture("node/server.js")]
}

fn python() -> Vec<PathBuf> {
    vec!["python3".into(), fixture("python/app.py")]
}

/// One that closes its server when it is asked to end, as the fixtures do it.
fn polite(command: &[PathBuf]) -> Launch {
    let manner = if command[0].ends_with("python3") { "drain" } else { "close" };
    Launch::new(command).env("APP_SIGTERM", manner)
}

#[track_caller]
fn app(runtime: &Runtime) -> Value {
    updates::asked(runtime, "/v1/apps")[0].clone()
}

fn pids(views: &Value, status: &str) -> BTreeSet<i32> {
    let wanted = views.as_array().unwrap().iter().filter(|view| view["status"] == status);
    wanted.map(|view| i32::try_from(view["pid"].as_i64().unwrap()).unwrap()).collect()
}

/// Waits until so many standbys are held, and gives their pids.
#[track_caller]
fn parked(runtime: &Runtime, count: usize) -> BTreeSet<i32> {
    runtime.until(&format!("{count} parked"), || {
        Some(pids(&app(runtime)["standbys"], "standby")).filter(|pids| pids.len() == count)
    })
}

#[track_caller]
fn goes_on(runtime: &Runtime, load: &Load) {
    let so_far = load.answered();
    runtime.until("load", || (load.answered() > so_far + 50).then_some(()));
}

/// The serving worker is killed under load: the one that was held serves, and another is held.
#[track_caller]
fn takes_over(launch: Launch, instances: usize) {
    let port = free_port();
    let launch = launch.port(port).workers(instances).env("PMR_STANDBY", "1").env("APP_BOOT_MS", BOOT_MS);
    let mut runtime = launch.spawn();
    let before = http_pids(&runtime, instances, port);
    let standby = parked(&runtime, 1);
    assert!(before.is_disjoint(&standby), "{before:?} {standby:?}");
    let load = Load::begin(port, "/", 4);
    goes_on(&runtime, &load);
    let victim = *before.first().unwrap();
    assert!(processes::signal(victim, signals::KILL));
    runtime.stderr_line(&["a standby takes its place"]);
    goes_on(&runtime, &load);
    let errors = load.end();
    assert!(errors.len() <= 4, "more than it was answering: {errors:?}\n{}", runtime.tails());
    let mut expected: BTreeSet<_> = before.union(&standby).copied().collect();
    expected.remove(&victim);
    assert_eq!(http_pids(&runtime, instances, port), expected, "{}", runtime.tails());
    let next = parked(&runtime, 1);
    assert!(next.is_disjoint(&standby) && next.is_disjoint(&before), "{next:?}");
    assert_eq!(http_pids(&runtime, instances, port), expected, "one that is held serves nobody");
    runtime.stops();
}

#[test]
fn a_node_cluster_gets_one_in_the_place_of_a_killed_worker() {
    takes_over(polite(&node()), 2);
}

#[test]
fn a_single_node_worker_has_one_too() {
    takes_over(Launch::new(node()), 1);
}

#[test]
fn node_by_interception_has_one_too() {
    takes_over(polite(&node()).env("PMR_SHARE", "intercept"), 2);
}

#[test]
fn with_a_queue_for_each_instance_it_takes_that_of_the_killed_one() {
    takes_over(polite(&node()).env("PMR_BALANCE", "even"), 2);
}

#[test]
fn a_python_server_gets_the_socket_of_the_instance() {
    takes_over(polite(&python()), 2);
}

#[test]
fn a_python_server_without_a_handler_has_one_too() {
    takes_over(Launch::new(python()), 1);
}

#[test]
fn one_that_asks_whether_its_socket_listens_is_held_as_well() {
    let port = free_port();
    let command = [tool("gunicorn"), "--bind".into(), format!(":{port}").into(), "--preload".into()];
    let command = command.into_iter().chain(["wsgi:app".into()]);
    let directory = fixture("python/wsgi.py");
    let launch = Launch::new(command).directory(directory.parent().unwrap()).port(port).workers(1);
    let mut runtime = launch.env("PMR_STANDBY", "1").spawn();
    let before = http_pids(&runtime, 1, port);
    let standby = parked(&runtime, 1);
    assert_eq!(http_pids(&runtime, 1, port), before, "one that is held serves nobody: {standby:?}");
    let master = *runtime.workers().difference(&standby).next().unwrap();
    assert!(processes::signal(master, signals::KILL));
    runtime.stderr_line(&["takes over"]);
    runtime.until("an answer of its workers", || {
        let pid = pid_in(&http::get(port, "/").ok()?)?;
        standby.contains(&processes::parent(pid)?).then_some(())
    });
    runtime.stops();
}

#[test]
fn a_server_behind_a_shell_has_one_too() {
    let script = format!("{} {} & wait", tool("node20").display(), fixture("node/server.js").display());
    let port = free_port();
    let launch = Launch::new(["sh", "-c", &script]).port(port).workers(1).env("PMR_STANDBY", "1");
    let mut runtime = launch.spawn();
    let before = http_pids(&runtime, 1, port);
    let standby = parked(&runtime, 1);
    assert!(processes::signal(*standby.first().unwrap(), signals::KILL), "{before:?}");
    let next = parked_other_than(&runtime, &standby);
    assert_eq!(http_pids(&runtime, 1, port), before, "the end of a standby is none of the app's: {next:?}");
    runtime.stops();
}

#[track_caller]
fn parked_other_than(runtime: &Runtime, known: &BTreeSet<i32>) -> BTreeSet<i32> {
    runtime.until("another standby", || {
        Some(pids(&app(runtime)["standbys"], "standby"))
            .filter(|pids| !pids.is_empty() && pids.is_disjoint(known))
    })
}

#[test]
fn one_that_says_that_it_is_ready_is_held_as_well() {
    let port = free_port();
    let launch = Launch::new([tool("node20"), "server.js".into()]).port(port).workers(2);
    let text = fs::read_to_string(fixture("node/server.js")).unwrap();
    let server = launch.home().join("server.js");
    fs::write(server, format!("{text}\nsetTimeout(() => process.send('ready'), 50);\n")).unwrap();
    let mut runtime = launch.env("PMR_STANDBY", "1").env("PMR_WAIT_READY", "1").spawn();
    let before = http_pids(&runtime, 2, port);
    let standby = parked(&runtime, 1);
    let victim = *before.first().unwrap();
    assert!(processes::signal(victim, signals::KILL));
    runtime.stderr_line(&["takes over"]);
    let mut expected: BTreeSet<_> = before.union(&standby).copied().collect();
    expected.remove(&victim);
    assert_eq!(http_pids(&runtime, 2, port), expected, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn one_that_was_held_relieves_a_worker_that_has_stalled() {
    let port = free_port();
    let launch = Launch::new([tool("node20"), fixture("node/block.js")]).port(port).workers(2);
    let launch = launch.env("PMR_STANDBY", "1").env("PMR_KILL_STALLED", "2s");
    let mut runtime = launch.env("PMR_KILL_TIMEOUT", "500ms").env("PMR_DRAIN_TIMEOUT", "0").spawn();
    let before = http_pids(&runtime, 2, port);
    let standby = parked(&runtime, 1);
    let blocked = pid_in(&http::get(port, "/block").unwrap()).unwrap();
    runtime.stderr_line(&["worker has stalled", &format!("pid={blocked}")]);
    runtime.stderr_line(&["takes over"]);
    let mut expected: BTreeSet<_> = before.union(&standby).copied().collect();
    expected.remove(&blocked);
    runtime.until("the end of the stalled worker", || (!runtime.workers().contains(&blocked)).then_some(()));
    assert_eq!(http_pids(&runtime, 2, port), expected, "{}", runtime.tails());
    assert!(parked(&runtime, 1).is_disjoint(&standby));
    runtime.stops();
}

#[test]
fn one_that_becomes_ready_by_a_check_is_held_before_and_checked_after() {
    let port = free_port();
    let launch = Launch::new([tool("node20"), fixture("node/block.js")]).port(port).workers(1);
    let well = launch.home().join("well");
    fs::write(&well, "").unwrap();
    let launch = launch.env("PMR_STANDBY", "1").env("PMR_WAIT_READY", "1").env("PMR_HEALTH", "/health");
    let mut runtime = launch.env("APP_WELL", &well).spawn();
    let before = http_pids(&runtime, 1, port);
    let standby = parked(&runtime, 1);
    assert!(processes::signal(*before.first().unwrap(), signals::KILL));
    runtime.stderr_line(&["takes over"]);
    assert_eq!(http_pids(&runtime, 1, port), standby, "{}", runtime.tails());
    runtime.until("its being ready", || (app(&runtime)["status"] == "online").then_some(()));
    runtime.stops();
}

#[test]
fn a_command_that_checks_it_is_told_the_number_that_it_knows() {
    let port = free_port();
    let mut runtime = Launch::new(python())
        .port(port)
        .workers(1)
        .env("PMR_STANDBY", "1")
        .env("PMR_HEALTH", "cmd:echo number $PMR_INSTANCE; exit 1")
        .env("PMR_HEALTH_INTERVAL", "200ms")
        .spawn();
    let before = http_pids(&runtime, 1, port);
    let failure = |number: &str| {
        let last = app(&runtime)["instances"][0]["health"]["last_failure"].as_str()?.to_owned();
        last.ends_with(&format!("number {number}")).then_some(())
    };
    runtime.until("a check of the first", || failure("0"));
    parked(&runtime, 1);
    assert!(processes::signal(*before.first().unwrap(), signals::KILL));
    runtime.until("a check of the standby", || failure("1024"));
    runtime.stops();
}

#[test]
fn a_new_instance_is_one_that_was_held() {
    let port = free_port();
    let mut runtime = Launch::new(python()).port(port).workers(1).env("PMR_STANDBY", "1").spawn();
    let mut expected = http_pids(&runtime, 1, port);
    expected.extend(parked(&runtime, 1));
    runtime.signal(signals::TTIN);
    assert_eq!(http_pids(&runtime, 2, port), expected, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn an_app_that_never_listens_has_none() {
    let mut words: Vec<PathBuf> = ["-i", "2", "--standby", "1"].iter().map(PathBuf::from).collect();
    words.extend([compiled("worker"), "signals-quit".into()]);
    let mut runtime = Launch::new(words).spawn();
    runtime.stderr_line(&["no standby is kept", "listens nowhere"]);
    assert_eq!(runtime.workers().len(), 2);
    runtime.stops();
}

#[track_caller]
fn survives_updates(launch: Launch) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(1).env("PMR_STANDBY", "1").spawn();
    let before = http_pids(&runtime, 1, port);
    let standby = parked(&runtime, 1);
    let load = Load::begin(port, "/", 2);
    for _ in 0..2 {
        updates::update(&runtime);
        goes_on(&runtime, &load);
    }
    let errors = load.end();
    assert!(errors.is_empty(), "{errors:?}\n{}", runtime.tails());
    assert_eq!(parked(&runtime, 1), standby);
    assert_eq!(http_pids(&runtime, 1, port), before);
    assert!(processes::signal(*before.first().unwrap(), signals::KILL));
    runtime.stderr_line(&["takes over"]);
    assert_eq!(http_pids(&runtime, 1, port), standby, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn one_that_is_held_over_nodes_channel_survives_updates() {
    survives_updates(Launch::new(node()));
}

#[test]
fn one_that_is_held_in_listen_survives_updates() {
    survives_updates(Launch::new(python()));
}

fn fleet(launch: Launch, instances: usize, port: u16) -> Launch {
    launch.port(port).workers(instances).env("PMR_RELOAD_STRATEGY", "fleet")
}

#[track_caller]
fn reloads_in_one_step(launch: Launch) {
    let port = free_port();
    let mut runtime = fleet(launch, 2, port).env("PMR_STANDBY", "1").spawn();
    let mut known = http_pids(&runtime, 2, port);
    known.extend(parked(&runtime, 1));
    let load = Load::begin(port, "/", 4);
    for generation in 1..=2 {
        goes_on(&runtime, &load);
        runtime.signal(signals::HUP);
        runtime.until_stderr("the end of the reload", |text| {
            let done = words::ours(text).iter().filter(|line| words::is_reload_done(line)).count();
            (done == generation).then_some(())
        });
    }
    goes_on(&runtime, &load);
    let errors = load.end();
    if let Some(first) = errors.first() {
        runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
    }
    let after = http_pids(&runtime, 2, port);
    assert!(known.is_disjoint(&after), "{known:?} {after:?}");
    let standby = parked_other_than(&runtime, &known);
    assert!(standby.is_disjoint(&after), "{standby:?} {after:?}");
    runtime.stops();
}

#[test]
fn a_node_cluster_is_replaced_in_one_step_without_a_loss() {
    reloads_in_one_step(Launch::new(node()));
}

#[test]
fn a_python_server_is_replaced_in_one_step_without_a_loss() {
    reloads_in_one_step(polite(&python()));
}

/// A fleet of such code comes to nothing, and nobody notices.
#[track_caller]
fn changes_nothing(code: &str) {
    let port = free_port();
    let launch = Launch::new([tool("node20"), "server.js".into()]).env("PMR_LISTEN_TIMEOUT", "3s");
    let server = launch.home().join("server.js");
    fs::copy(fixture("node/server.js"), &server).unwrap();
    let mut runtime = launch.port(port).workers(2).env("PMR_STANDBY", "1").spawn();
    let before = http_pids(&runtime, 2, port);
    let standby = parked(&runtime, 1);
    let half = format!("if (process.env.PMR_INSTANCE === '1') {{ {code} }}\n");
    let good = fs::read_to_string(fixture("node/server.js")).unwrap();
    fs::write(&server, format!("{half} else {{ {} }}", good.replace("'use strict';", ""))).unwrap();
    let load = Load::begin(port, "/", 2);
    let verdict = updates::order(&runtime, "/v1/apps/server/reload", r#"{"strategy":"fleet"}"#);
    assert_eq!(verdict["ok"], false, "{verdict}");
    assert!(verdict["message"].as_str().unwrap().contains("the old workers go on"), "{verdict}");
    goes_on(&runtime, &load);
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    assert_eq!(http_pids(&runtime, 2, port), before, "the old workers were to go on");
    assert_eq!(parked(&runtime, 1), standby);
    runtime.stops();
}

#[test]
fn a_fleet_that_throws_changes_nothing() {
    changes_nothing("throw new Error('broken');");
}

#[test]
fn a_fleet_that_ends_changes_nothing() {
    changes_nothing("process.exit(3);");
}

#[test]
fn a_fleet_that_never_listens_changes_nothing() {
    changes_nothing("setInterval(() => {}, 1000);");
}

#[test]
fn an_app_whose_listen_is_not_seen_is_not_replaced_in_one_step() {
    let port = free_port();
    let mut runtime = Launch::new(python()).port(port).workers(1).env("PMR_SHARE", "none").spawn();
    http_pids(&runtime, 1, port);
    let verdict = updates::order(&runtime, "/v1/apps/app/reload", r#"{"strategy":"fleet"}"#);
    assert!(verdict["message"].as_str().unwrap().contains("no worker can be held"), "{verdict}");
    runtime.stops();
}
