//! What comes before an app's first start: others, a command, an order; and the end in the opposite order.

use super::home::{Home, outputs};
use crate::support::launch::Launch;
use crate::support::runtime::Runtime;
use crate::support::signals;

/// Tells its name, and again when it ends.
const TELLER: &str = "\
const me = process.env.name;
process.on('SIGTERM', () => { console.log(me + ' ends'); process.exit(0); });
require('http').createServer(() => {}).listen(0, () => {
  console.log(me + ' runs');
  process.send?.('ready');
});
";

fn home() -> Home {
    let home = Home::new();
    home.write("teller.js", TELLER);
    home
}

fn launch(home: &Home, words: &[&str]) -> Runtime {
    Launch::new(words).directory(home.path()).env("PMR_HOME", home.of_runtime()).spawn()
}

/// That `parts` stand in standard output in this order.
#[track_caller]
fn in_order(runtime: &Runtime, parts: &[&str]) {
    runtime.until_stdout(&format!("{parts:?}"), |text| {
        let mut rest = text;
        for part in parts {
            rest = rest.split_once(part)?.1;
        }
        Some(())
    });
}

#[test]
fn apps_start_after_those_that_they_need_and_end_before_them() {
    let home = home();
    home.write(
        "apps.yaml",
        "- {name: web, script: teller.js, depends_on: {db: ready, migrate: exited}}\n\
         - {name: migrate, script: 'echo migrated', autorestart: false, depends_on: [db]}\n\
         - {name: db, script: teller.js, wait_ready: true}\n\
         - {name: other, script: teller.js}\n",
    );
    let mut runtime = launch(&home, &["apps.yaml", "--only", "web"]);
    in_order(&runtime, &["db runs", "migrated", "web runs"]);
    runtime.stderr_line(&["app=web", "waits for `db`, the end of `migrate`"]);
    runtime.signal(signals::TERM);
    in_order(&runtime, &["web ends", "db ends"]);
    runtime.ends_with(0);
    assert!(!runtime.stdout.tail().contains("other"), "nobody has asked for it");
}

#[test]
fn an_app_whose_need_fails_is_not_started_and_the_failure_is_the_status() {
    let home = home();
    home.write("Procfile", "web: node teller.js\nrelease: sh -c 'exit 3'\n");
    home.write(
        "apps.json",
        "[{ name: 'web', script: 'teller.js', depends_on: { migrate: 'exited' } }, \
          { name: 'migrate', script: 'sh', args: ['-c', 'exit 3'], autorestart: false }]",
    );
    for (words, needed) in
        [(vec!["apps.json"], "migrate"), (vec!["Procfile", "-m", "all=1,release=1"], "release")]
    {
        let (result, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), 3, &words);
        assert!(told.contains(&format!("not started: it depends on `{needed}`, which has failed")), "{told}");
        assert!(!result.contains("runs"), "{result}");
    }
}

#[test]
fn a_command_runs_once_before_the_first_start_and_its_failure_is_the_status() {
    let home = home();
    let words = [
        "--log-format",
        "text",
        "--pre-start",
        "echo prepared && echo > done",
        "-i",
        "2",
        "node",
        "teller.js",
    ];
    let mut runtime = launch(&home, &words);
    in_order(&runtime, &["prepared", "teller runs", "teller runs"]);
    runtime.stdout_line("teller:pre_start.0 | prepared");
    runtime.until_ready(2);
    std::fs::remove_file(home.path().join("done")).unwrap();
    home.pmr(0, &["restart", "teller"]);
    home.pmr(0, &["reload", "teller"]);
    assert!(!home.path().join("done").exists(), "only the first start is prepared");
    runtime.stops();

    let words = ["--pre-start", "echo no >&2; exit 7", "node", "teller.js"];
    let (result, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), 7, &words);
    assert!(
        told.contains("not started: `echo no >&2; exit 7` failed: exit code 7") && result.is_empty(),
        "{told}"
    );
    let words = ["--pre-start", "sleep 60", "--pre-start-timeout", "10ms", "node", "teller.js"];
    let (_, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), 124, &words);
    assert!(told.contains("not started: `sleep 60` did not end within 10ms"), "{told}");
    let words = ["--pre-start", "no-such-program", "node", "teller.js"];
    let (_, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), 127, &words);
    assert!(told.contains("not started: `no-such-program` cannot be run"), "{told}");
}

#[test]
fn a_stop_ends_the_command_and_nothing_is_started() {
    let home = home();
    let words = ["--pre-start", "echo begins; sleep 60 & wait", "node", "teller.js"];
    let mut runtime = launch(&home, &words);
    runtime.stdout_line("begins");
    runtime.signal(signals::TERM);
    runtime.ends_with(0);
    let words = [
        "--kill-timeout",
        "50ms",
        "--pre-start",
        "trap '' TERM; echo begins; while :; do sleep 1; done",
        "node",
        "x",
    ];
    let mut runtime = launch(&home, &words);
    runtime.stdout_line("begins");
    runtime.signal(signals::TERM);
    runtime.ends_with(137);
}

#[test]
fn an_app_is_started_on_order_and_tried_again_after_a_failure() {
    let home = home();
    home.write(
        "apps.yaml",
        "- {name: web, script: teller.js, pre_start: [test -e ready, echo prepared]}\n\
         - {name: jobs, script: teller.js, autostart: false}\n",
    );
    let text = home.pmr(1, &["start", "apps.yaml"]);
    assert!(
        text.contains("web: not started: `( test -e ready ) && ( echo prepared )` failed: exit code 1"),
        "{text}"
    );
    assert!(text.contains("jobs: added, and not started; `pmr start jobs` starts it"), "{text}");
    let status = |app: &str| home.json(&["show", app, "--json"])[0]["status"].clone();
    assert_eq!((status("web"), status("jobs")), ("errored".into(), "stopped".into()));
    assert!(home.pmr(0, &["show", "web"]).contains("failed: exit code 1"));
    home.pmr(0, &["update"]);
    assert_eq!((status("web"), status("jobs")), ("errored".into(), "stopped".into()));
    home.write("ready", "");
    assert!(home.pmr(0, &["start", "web"]).contains("✓ web: started, 1 instance"));
    assert!(home.pmr(0, &["start", "jobs"]).contains("✓ jobs: started, 1 instance"));
    assert!(home.pmr(0, &["logs", "web", "--nostream"]).contains("prepared"));
    home.pmr(0, &["kill"]);
}

#[test]
fn an_app_on_order_keeps_no_runtime_in_front_whose_others_have_ended() {
    let home = home();
    home.write(
        "apps.json",
        "[{ name: 'job', script: 'true', autorestart: false }, { name: 'later', script: 'teller.js', autostart: false }]",
    );
    outputs(&home.command("pmr-runtime", &["apps.json"]).output().unwrap(), 0, &["apps.json"]);
}

#[test]
fn while_the_command_runs_the_app_is_not_made_another_and_the_runtime_not_updated() {
    let home = home();
    let words = ["--pre-start", "echo begins; exec sleep 60", "node", "teller.js"];
    let mut runtime = launch(&home, &words);
    runtime.stdout_line("begins");
    assert!(home.pmr(1, &["restart", "teller"]).contains("the command before its first start runs"));
    assert!(home.pmr(1, &["update"]).contains("is still under way"));
    assert!(home.pmr(0, &["show", "teller"]).contains("runs `echo begins; exec sleep 60`"));
    runtime.stops();
}
