//! Keeping it alive: restarts with growing delays, and giving up with a reason.

mod support;

use std::ffi::OsString;
use std::fs;

use support::cgroup::Cgroup;
use support::cluster::http_pids;
use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::{http, processes, signals, words};

fn worker(options: &[&str], rest: &[&str]) -> Launch {
    let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
    words.push(compiled("worker").into());
    words.extend(rest.iter().map(OsString::from));
    Launch::new(words)
}

#[test]
fn a_crash_loop_is_slowed_down_and_ends_with_the_reason_and_the_last_words() {
    let script = "echo 'fatal: no database' >&2; exit 3";
    let mut runtime = Launch::new(["-i", "1", "--max-restarts", "6", "sh", "-c", script]).spawn();
    runtime.ends_with(3);
    let stderr = runtime.stderr.text();
    let delays = words::restart_delays(&stderr);
    assert_eq!(delays.len(), 5, "{delays:?}\n{stderr}");
    // Doubling with jitter: from a few to a few it must have grown, whatever the dice say.
    assert!(delays[4] > delays[0] * 2.0, "{delays:?}");
    let (_, after_death) = stderr.rsplit_once("worker exited").unwrap();
    assert!(after_death.contains("fatal: no database"), "the last words are not shown again:\n{stderr}");
    assert!(words::ours(&stderr).iter().any(|line| words::is_giving_up(line)), "{stderr}");
}

#[test]
fn sixteen_unstable_starts_are_the_default_limit() {
    let mut runtime = worker(&["-i", "1", "--restart-delay", "1ms"], &["exit", "4"]).spawn();
    runtime.ends_with(4);
    let deaths = words::deaths(&runtime.stderr.text()).len();
    assert_eq!(deaths, 16, "{}", runtime.tails());
}

#[test]
fn an_app_that_lives_for_two_seconds_is_backed_off_but_not_given_up() {
    let mut runtime = worker(&["-i", "1", "--max-restarts", "2"], &["crash-after", "1500"]).spawn();
    let delays = runtime.until_stderr("four deaths", |text| {
        let delays = words::restart_delays(text);
        (delays.len() >= 4).then_some(delays)
    });
    assert!(delays[3] > delays[0] * 2.0, "{delays:?}");
    runtime.stops();
}

#[test]
fn a_fixed_delay_is_kept() {
    let options = ["-i", "1", "--restart-delay", "50ms", "--max-restarts", "5"];
    let mut runtime = worker(&options, &["exit", "3"]).spawn();
    runtime.ends_with(3);
    let stderr = runtime.stderr.text();
    assert_eq!(words::restart_delays(&stderr), [0.05; 4], "{stderr}");
}

#[test]
fn min_uptime_says_what_counts_as_unstable() {
    // Each life is longer than the minimum: never given up, though two unstable starts would do.
    let options = ["-i", "1", "--restart-delay", "1ms", "--max-restarts", "2", "--min-uptime", "20ms"];
    let mut runtime = worker(&options, &["crash-after", "200"]).spawn();
    runtime.until_stderr("six deaths", |text| (words::deaths(text).len() >= 6).then_some(()));
    runtime.stops();
}

#[test]
fn a_death_message_names_the_code_or_the_signal_and_the_life_time() {
    let mut runtime = worker(&["-i", "1", "--max-restarts", "1"], &["exit", "41"]).spawn();
    runtime.ends_with(41);
    let stderr = runtime.stderr.text();
    let death = words::deaths(&stderr)[0];
    assert!(death.contains("41") && death.contains("lived="), "{death}");

    let mut runtime = worker(&["-i", "1", "--max-restarts", "1"], &["die", "11"]).spawn();
    runtime.ends_with(128 + signals::SEGV);
    let stderr = runtime.stderr.text();
    let death = words::deaths(&stderr)[0];
    assert!(death.contains("SIGSEGV") && death.contains("lived="), "{death}");
}

#[test]
fn a_crash_while_serving_is_repaired() {
    let port = free_port();
    let mut runtime = Launch::new([tool("node20"), fixture("node/server.js")]).port(port).workers(2).spawn();
    let before = http_pids(&runtime, 2, port);
    http::get(port, "/crash").unwrap_err();
    runtime.until_ready(3);
    let after = http_pids(&runtime, 2, port);
    assert_eq!(before.intersection(&after).count(), 1, "{before:?} {after:?}");
    runtime.stops();
}

#[test]
fn a_spawn_that_fails_later_is_a_death_like_another() {
    let launch = Launch::new(["-i", "1", "--restart-delay", "100ms", "--max-restarts", "100", "./app"]);
    let app = launch.home().join("app");
    fs::copy(compiled("worker"), &app).unwrap();
    let wrapped = launch.home().join("aside");
    let script = launch.home().join("run");
    fs::write(&script, format!("#!/bin/sh\nexec {} sleep\n", compiled("worker").display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::rename(&script, &app).unwrap();
    let mut runtime = launch.spawn();
    runtime.stdout_line("ready pid=");
    fs::rename(&app, &wrapped).unwrap();
    let only = *runtime.workers().first().unwrap();
    processes::signal(only, signals::KILL);
    runtime.until_stderr("two failed spawns", |text| {
        let failed = words::ours(text).into_iter().filter(|line| words::is_spawn_failure(line)).count();
        (failed >= 2).then_some(())
    });
    fs::rename(&wrapped, &app).unwrap();
    runtime.until_stdout("a new worker", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    runtime.stops();
}

#[test]
fn every_instance_completed_is_the_end() {
    // `--no-autorestart` with several: each ends by itself, and then so do we.
    let mut runtime = worker(&["-i", "3", "--no-autorestart"], &["exit", "0"]).spawn();
    runtime.ends_with(0);
}

#[test]
fn the_kernels_oom_killer_is_named() {
    let Some(group) = Cgroup::with_limit(64 << 20) else {
        processes::say_not_shown("no memory cgroup can be made here");
        return;
    };
    let launch = worker(&["-i", "1", "--max-restarts", "1"], &["memory"]).through(group.enter());
    let mut runtime = launch.spawn();
    runtime.ends_with(137);
    let stderr = runtime.stderr.text();
    assert!(words::deaths(&stderr)[0].to_lowercase().contains("memory"), "{stderr}");
}

#[test]
fn a_stop_exit_code_is_no_failure_and_none_follows() {
    let mut runtime = worker(&["-i", "2", "--stop-exit-codes", "0,42"], &["exit", "42"]).spawn();
    runtime.ends_with(0);
    let stderr = runtime.stderr.text();
    let deaths = words::deaths(&stderr);
    assert_eq!(deaths.len(), 2, "{stderr}");
    assert!(deaths[0].contains("code 42, which is one of `--stop-exit-codes`"), "{stderr}");
}
