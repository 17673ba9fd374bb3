//! `pmr monit` on a real runtime, in a real terminal (tmux). What it does with one that is slow or broken is in
//! tests/monit.rs.

use std::ffi::OsStr;

use super::home::{Home, SERVER};
use crate::support::tmux::Tmux;
use crate::support::{processes, signals, wait};

/// `pmr monit` with `web` in its list.
#[track_caller]
fn open(home: &Home, columns: u16, rows: u16) -> Tmux {
    let environment = home.environment();
    let environment: Vec<(&str, &OsStr)> =
        environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    let tmux = Tmux::start(columns, rows, &environment);
    tmux.runs("pmr monit; echo ended with $?");
    tmux.until_shows("web.0");
    tmux
}

/// Leaves it; the screen of before is back, with the cursor, and the shell takes lines.
#[track_caller]
fn leave(tmux: &Tmux) {
    tmux.types("q");
    tmux.until_shows("ended with 0");
    assert_eq!((tmux.format("alternate_on"), tmux.format("cursor_flag")), ("0".to_owned(), "1".to_owned()));
    assert!(!tmux.screen().contains("web.0"), "{}", tmux.screen());
    tmux.runs("stty -a | grep -o ' icanon\\| echo ' | tr -d '\\n'; echo '<'");
    tmux.until_shows(" icanon echo <");
}

#[test]
fn on_80_by_24_apps_are_looked_at_and_changed() {
    let home = Home::with_web(2);
    let tmux = open(&home, 80, 24);
    tmux.until_shows("it listens");
    let screen = tmux.screen();
    assert!(screen.contains("web.1") && screen.contains("logs of web.0"), "{screen}");

    // The lines of who is selected, as they come.
    tmux.press("Down");
    tmux.until_shows("logs of web.1");
    home.pmr(0, &["signal", "USR2", "web"]);
    tmux.until_shows("a word of 1");
    assert!(!tmux.screen().contains("a word of 0"), "{}", tmux.screen());

    // A search.
    tmux.types("/sigh");
    tmux.press("Enter");
    tmux.until_shows("sigh");
    tmux.types("/xyzzy");
    tmux.press("Enter");
    tmux.until_shows("no line has `xyzzy`");

    // More and fewer.
    tmux.types("+");
    tmux.until_shows("scaled to 3 instances");
    tmux.until_shows("web.2");
    tmux.types("-");
    tmux.until_shows("scaled to 2 instances");
    tmux.until("two rows", |screen| (!screen.contains("web.2")).then_some(()));
    assert_eq!(home.pids("web").len(), 2);
    tmux.press("Escape");
    leave(&tmux);
    home.pmr(0, &["kill"]);
}

#[test]
fn on_200_by_50_a_reload_and_a_restart_tell_how_they_went() {
    let home = Home::with_web(2);
    let tmux = open(&home, 200, 50);
    tmux.until_shows("details of web.0");
    tmux.until_shows("logs of web.0");
    let first = home.pids("web");
    tmux.types("r");
    tmux.until_shows("web: reloaded, 2 instances, generation 2");
    let second = home.pids("web");
    assert!(first.iter().all(|pid| !second.contains(pid)), "{first:?} {second:?}");

    home.write("server.js", "console.error('no such table'); process.exit(3);");
    tmux.types("r");
    tmux.until_shows("reload called off, the old workers go on");
    assert_eq!(home.pids("web"), second);
    home.write("server.js", SERVER);

    // A restart has a gap, so it is asked for first.
    tmux.types("R");
    tmux.until_shows("restart web (2 instances), with a gap");
    tmux.types("n");
    tmux.until_shows("restart web: not done");
    assert_eq!(home.pids("web"), second);
    tmux.types("R");
    tmux.until_shows("? y/n");
    tmux.types("y");
    tmux.until_shows("web: restarted, 2 instances");
    assert_ne!(home.pids("web"), second);
    leave(&tmux);
    home.pmr(0, &["kill"]);
}

#[test]
fn a_runtime_that_was_killed_is_told_and_a_new_one_is_found() {
    let home = Home::with_web(1);
    let tmux = open(&home, 80, 24);
    let pid: i32 = home.json(&["ping", "--json"])["pid"].as_i64().unwrap().try_into().unwrap();
    assert!(processes::signal(pid, signals::KILL));
    tmux.until_shows("trying again");
    assert!(tmux.screen().contains("web.0"), "what was known last stays:\n{}", tmux.screen());
    wait::until("the end of its worker", || (!home.pmr(1, &["ping"]).is_empty()).then_some(()));
    home.pmr(0, &["start", "server.js", "-i", "2", "--name", "again"]);
    tmux.until_shows("again.1");
    leave(&tmux);
    home.pmr(0, &["kill"]);
}
