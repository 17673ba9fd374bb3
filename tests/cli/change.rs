//! The verbs that change what runs: what becomes of the workers, and the verdict.

use super::home::{Home, SERVER, outputs};
use crate::support::wait;

/// What `pmr VERB` says when all went well.
#[track_caller]
fn done(home: &Home, words: &[&str], begins: &str) {
    let told = home.pmr(0, words);
    assert!(told.starts_with(begins), "{words:?}: {told}");
}

#[test]
fn stop_ends_the_workers_and_keeps_the_app() {
    let home = Home::with_web(2);
    done(&home, &["stop", "1"], "✓ web: stopped in ");
    assert!(home.pmr(0, &["list"]).contains("1 of 2 instances online"));
    done(&home, &["stop", "web"], "✓ web: stopped in ");
    assert!(home.pids("web").is_empty());
    assert_eq!(home.pmr(0, &["pid", "web"]), "");
    let list = home.pmr(0, &["list"]);
    assert!(list.contains("0 of 2 instances online") && list.matches("│ stopped ").count() == 2, "{list}");
    home.pmr(0, &["kill"]);
}

#[test]
fn restart_gives_every_worker_a_new_process_and_the_environment_only_when_told_so() {
    let home = Home::with_web(2);
    let before = home.pids("web");
    done(&home, &["restart", "web"], "✓ web: restarted, 2 instances in ");
    let after = home.pids("web");
    assert!(after.len() == 2 && before.iter().all(|pid| !after.contains(pid)), "{before:?} {after:?}");
    let restart = |words: &[&str]| {
        outputs(&home.command("pmr", words).env("COLOUR", "green").output().unwrap(), 0, words)
    };
    restart(&["restart", "all"]);
    assert!(!home.pmr(0, &["env", "web"]).contains("COLOUR"));
    for (words, verb) in
        [(["restart", "web", "--update-env"], "restart"), (["reload", "web", "-a"], "reload")]
    {
        home.pmr(0, &["restart", "web", "--update-env"]);
        restart(&words);
        assert!(home.pmr(0, &["env", "web"]).contains("COLOUR=green\n"), "{verb}");
    }
    home.pmr(0, &["restart", "web"]);
    assert!(home.pmr(0, &["env", "web"]).contains("COLOUR=green\n"), "and it stays");
    home.pmr(0, &["kill"]);
}

#[test]
fn reload_replaces_the_workers_of_several_targets() {
    let home = Home::with_web(2);
    home.pmr(0, &["start", "server.js", "--name", "api"]);
    let before = (home.pids("web"), home.pids("api"));
    let told = home.pmr(0, &["reload", "web", "api", "--parallel", "all"]);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("✓ web: reloaded, 2 instances, generation 2 in "), "{told}");
    assert!(lines[1].starts_with("✓ api: reloaded, 1 instance, generation 2 in "), "{told}");
    let after = (home.pids("web"), home.pids("api"));
    assert!(before.0.iter().all(|pid| !after.0.contains(pid)) && before.1 != after.1);
    done(&home, &["reload", "/^a/"], "✓ api: reloaded, 1 instance, generation 3 in ");
    assert_eq!(home.pids("web"), after.0);
    home.pmr(0, &["kill"]);
}

#[test]
fn a_reload_to_code_that_fails_is_called_off_with_its_last_lines() {
    let home = Home::with_web(2);
    let pids = home.pids("web");
    home.write("server.js", "console.error('no such table'); process.exit(3);");
    for words in [["reload", "web"].as_slice(), &["reload", "web", "--dry-run"], &["reload", "0"]] {
        let told = home.pmr(1, words);
        assert!(told.starts_with("✗ web: ") && told.contains("exit code 3"), "{told}");
        assert!(told.contains("  its last lines were:\n    no such table\n"), "{told}");
        assert_eq!(home.pids("web"), pids, "the old workers go on");
    }
    let verdict = &home.json_of(1, &["reload", "web", "--json"])["verdicts"][0];
    assert_eq!((&verdict["ok"], &verdict["last_lines"][0]), (&false.into(), &"no such table".into()));
    home.write("server.js", SERVER);
    done(&home, &["reload", "web", "--dry-run"], "✓ web: a new worker was ready in ");
    assert_eq!(home.pids("web"), pids, "it was discarded");
    done(&home, &["reload", "web"], "✓ web: reloaded");
    home.pmr(0, &["kill"]);
}

#[test]
fn delete_and_its_aliases_forget_an_app() {
    let home = Home::with_web(1);
    for (verb, name) in [("delete", "a"), ("del", "b"), ("rm", "c")] {
        home.pmr(0, &["start", "server.js", "--name", name]);
        done(&home, &[verb, name], &format!("✓ {name}: stopped and removed in "));
        assert!(home.pmr(1, &["show", name]).contains("there is no app"));
    }
    home.pmr(0, &["scale", "web", "2"]);
    let last = home.pmr(0, &["id", "web"]).lines().last().unwrap().to_owned();
    let told = home.pmr(1, &["delete", &last]);
    assert!(told.contains("one of several instances of `web`") && told.contains("name the app"), "{told}");
    home.pmr(0, &["stop", "web"]);
    done(&home, &["delete", "web"], "✓ web: stopped and removed in ");
    assert!(home.pmr(0, &["list"]).starts_with("No apps. Add one: `pmr start server.js`"));
    assert!(home.pmr(0, &["ping"]).starts_with("pong"), "the runtime stays");
    assert_eq!(home.pmr(0, &["stop", "all"]), "nothing to do: there is no app\n");
    home.pmr(0, &["kill"]);
}

#[test]
fn scale_sets_the_number_or_changes_it() {
    let home = Home::with_web(1);
    let first = home.pids("web");
    for (to, ids) in [("3", "0\n1\n2\n"), ("+1", "0\n1\n2\n3\n"), ("-2", "0\n1\n"), ("1", "0\n")] {
        let count = ids.lines().count();
        let s = if count == 1 { "" } else { "s" };
        done(&home, &["scale", "web", to], &format!("✓ web: scaled to {count} instance{s} in "));
        assert_eq!(home.pmr(0, &["id", "web"]), ids);
        assert_eq!(home.pids("web")[0], first[0], "who is there stays");
    }
    let told = home.pmr(1, &["scale", "web", "-1"]);
    assert!(told.starts_with("✗ web: an app has at least one instance; `pmr stop"), "{told}");
    home.pmr(0, &["kill"]);
}

#[test]
fn a_signal_reaches_every_worker_by_each_of_its_names() {
    let home = Home::with_web(2);
    for (count, words) in
        [["signal", "USR2", "web"], ["sendSignal", "SIGUSR2", "web"], ["signal", "12", "all"]]
            .iter()
            .enumerate()
    {
        assert_eq!(home.pmr(0, words), "✓ web: sent SIGUSR2 to 2 workers\n");
        wait::until("the words of both", || {
            let logs = home.pmr(0, &["logs", "web", "--nostream", "--raw", "--lines", "100"]);
            let said = |me: usize| logs.matches(&format!("a word of {me}")).count() == count + 1;
            (said(0) && said(1)).then_some(())
        });
    }
    home.pmr(0, &["stop", "web"]);
    assert!(home.pmr(1, &["signal", "USR2", "web"]).contains("✗ web: it has no worker"));
    home.pmr(0, &["kill"]);
}

#[test]
fn reset_sets_the_counters_to_zero() {
    let home = Home::with_web(1);
    let restarts = |home: &Home| home.json(&["jlist"])[0]["pm2_env"]["restart_time"].clone();
    // A worker that ends without being told to is what counts.
    home.pmr(0, &["signal", "KILL", "web"]);
    wait::until("the restart to be counted", || (restarts(&home) == 1).then_some(()));
    done(&home, &["reset", "all"], "✓ web: its counters are zero");
    assert_eq!(restarts(&home), 0);
    home.pmr(0, &["kill"]);
}

#[test]
fn of_several_targets_those_that_are_there_are_changed() {
    let home = Home::with_web(1);
    let (result, told) = home.both(1, &["stop", "wbe", "web"]);
    assert!(result.starts_with("✓ web: stopped in "), "{result}");
    assert!(told.contains("there is no app, instance or namespace `wbe`"), "{told}");
    home.pmr(0, &["kill"]);
}

#[test]
fn kill_ends_the_apps_and_the_runtime() {
    let home = Home::new();
    let mut runtime = home.foreground(&["server.js", "-i", "2", "--name", "web"]);
    done(&home, &["kill"], "✓ the runtime has ended, with 1 app, in ");
    runtime.ends_with(0);
    assert!(home.pmr(1, &["kill"]).contains("no runtime is running"));
}
