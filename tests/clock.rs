//! Reloads and jobs by the clock.

mod support;

use std::ffi::OsString;

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::updates::update;
use support::words;

const EVERY_FIVE_SECONDS: [&str; 2] = ["--cron", "*/5 * * * * *"];

#[test]
fn an_app_is_reloaded_when_its_time_comes_and_loses_no_request() {
    let port = free_port();
    let options = EVERY_FIVE_SECONDS.map(OsString::from);
    let words = options.into_iter().chain([tool("node20").into(), fixture("node/heavy.js").into()]);
    let mut runtime = Launch::new(words).port(port).workers(2).spawn();
    runtime.until_ready(2);
    let before = http_pids(&runtime, 2, port);
    let load = Load::begin(port, "/", 3);
    // The clock goes on in the program after us.
    update(&runtime);
    runtime.stderr_line(&["it is time to begin anew: `--cron-restart` is `*/5 * * * * *`"]);
    runtime.until("two new workers", || {
        let workers = runtime.workers();
        (workers.len() >= 2 && workers.iter().all(|pid| !before.contains(pid))).then_some(())
    });
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    runtime.stops();
}

#[test]
fn a_job_runs_at_the_start_and_then_by_the_clock() {
    let options =
        EVERY_FIVE_SECONDS.iter().chain(&["--no-autorestart", "-i", "1", "sh", "-c", "echo ran; exit 3"]);
    let mut runtime = Launch::new(options.map(OsString::from)).spawn();
    runtime.until_stderr("three ends", |text| (words::deaths(text).len() >= 3).then_some(()));
    runtime.stops();
}

#[test]
fn a_pattern_that_is_none_is_refused_and_zero_is_never() {
    let mut runtime = Launch::new(["--cron-restart", "daily", "true"]).spawn();
    runtime.ends_with(2);
    assert!(runtime.stderr.text().contains("`--cron-restart`: found `daily`"), "{}", runtime.tails());
    let mut runtime = Launch::new(["--cron", "0", "-i", "1", "--no-autorestart", "true"]).spawn();
    runtime.ends_with(0);
}
