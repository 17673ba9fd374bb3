//! The dashboard in a real terminal (tmux): what it shows, that its keys work, and that the terminal is given back on
//! every way out.
//!
//! The runtime is a made-up one, so that it can be away, slow or broken at will. This program is both sides: started
//! with [`SCENE`] in its environment, it is the dashboard, and else the test that looks at it.

#![expect(
    clippy::unwrap_used,
    reason = "the made-up runtime is part of the test, which fails where it cannot go on"
)]
#![expect(clippy::disallowed_methods, reason = "as in `support`, tests read their own environment")]

mod support;

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::Write;

use pmr_runtime::api::types::{AppView, LogView, Operation, Outcome, RuntimeView, Verdict};
use pmr_runtime::tui::run::run;
use pmr_runtime::tui::source::{Said, Source};
use pmr_runtime::tui::state::input::Change;
use pmr_runtime::tui::view::look::Look;
use serde_json::{Value, json};
use support::tmux::Tmux;
use support::{processes, signals, wait};
use tokio::sync::mpsc::Sender;

/// Names the scene that the dashboard is to play.
const SCENE: &str = "PMR_MONIT_SCENE";

/// What it says when it has ended, with the status.
const ENDED: &str = "the dashboard ended with";

#[derive(Debug, thiserror::Error)]
#[error("connection refused")]
struct Away;

/// Two apps whose number of instances can be changed; in the scene `away`, it stops to answer after a while.
struct MadeUp {
    scene: String,
    instances: Cell<u64>,
    asked: Cell<u32>,
}

impl MadeUp {
    fn app(id: u64, name: &str, instances: std::ops::Range<u64>) -> Value {
        let instance = |(instance, id): (u64, u64)| {
            json!({ "id": id, "instance": instance, "status": "online", "pid": 1000 + id, "generation": 1,
                "uptime_ms": 60_000, "restarts": 0, "unstable_starts": 0, "cpu_percent": 1.5,
                "memory_bytes": 50_000_000, "processes": 1, "next_start_in_ms": null, "last_exit": null })
        };
        let instances: Vec<Value> = (0..).zip(instances).map(instance).collect();
        json!({ "app_id": id, "name": name, "namespace": "default", "version": null, "status": "online",
            "command": ["node", "server.js"], "script": null, "directory": "/app", "interpreter": null,
            "share": "cluster", "exec_mode": "cluster", "user": "app", "watching": false, "created_at_ms": 0,
            "generation": 1, "reloading": null, "instances": instances, "listeners": [], "logs": {},
            "git": null, "settings": [], "metrics": {}, "actions": [] })
    }
}

impl Source for MadeUp {
    type Error = Away;

    async fn apps(&self) -> Result<Vec<AppView>, Away> {
        self.asked.set(self.asked.get() + 1);
        match (self.scene.as_str(), self.asked.get()) {
            ("away", 3..) => return Err(Away),
            ("panic", 3..) => panic!("something is wrong with the dashboard"),
            _ => {}
        }
        let apps = json!([Self::app(0, "web", 0..self.instances.get()), Self::app(1, "worker", 90..91)]);
        Ok(serde_json::from_value(apps).unwrap())
    }

    async fn runtime(&self) -> Result<RuntimeView, Away> {
        let view = json!({ "version": "0.1.0", "pid": 1, "mode": "foreground", "home": null, "socket": "@pmr",
            "user": "root", "command": [], "directory": "/", "started_at_ms": 0, "uptime_ms": 5000, "updates": 0,
            "memory_bytes": null, "machine": { "host": "somewhere", "kernel": null, "architecture": "x86_64",
            "cpus": 2, "memory_limit_bytes": null, "memory_total_bytes": null, "memory_available_bytes": null,
            "load": null } });
        Ok(serde_json::from_value(view).unwrap())
    }

    async fn follow(&self, target: &str, lines: Sender<Said>) -> Result<(), Away> {
        for n in 0..3 {
            let line = json!({ "at_ms": 0, "app": target, "id": 0, "instance": 0, "pid": 1, "stream": "out",
                "text": format!("line {n} of {target} \u{1b}[2J\u{1b}]0;title\u{7}") });
            let line: LogView = serde_json::from_value(line).unwrap();
            lines.send(Said::Line(line)).await.map_err(|_ending| Away)?;
        }
        std::future::pending().await
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Away> {
        if change.operation == Operation::Scale {
            self.instances.set(self.instances.get() + 1);
        }
        let verdict = Verdict {
            app: Some(change.target.clone()),
            operation: change.operation,
            ok: true,
            message: format!("{} is done", change.operation),
            took_ms: 1,
            generation: None,
            instances: None,
            last_lines: Vec::new(),
        };
        Ok(Outcome { verdicts: vec![verdict] })
    }
}

/// Not a test of its own: the dashboard that the others look at.
#[test]
fn the_dashboard_itself() {
    let Some(scene) = std::env::var_os(SCENE) else { return };
    let scene = scene.into_string().unwrap();
    let source = MadeUp { scene, instances: Cell::new(2), asked: Cell::new(0) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(run(source, Look::of(|name| std::env::var(name).ok())));
    let words = match ended {
        Ok(status) => format!("{ENDED} {status}\n"),
        Err(error) => format!("{ENDED} `{error}`, {}\n", error.hint().unwrap_or_default()),
    };
    std::io::stdout().write_all(words.as_bytes()).unwrap();
}

/// The shell's line that starts the dashboard.
fn line(rest: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!("{} --exact --nocapture --test-threads=1 the_dashboard_itself {rest}", program.display())
}

#[track_caller]
fn start(scene: &str, columns: u16, rows: u16) -> Tmux {
    let tmux = Tmux::start(columns, rows, &[(SCENE, OsStr::new(scene))]);
    tmux.runs(&line(""));
    tmux.until_shows("apps 2");
    tmux
}

/// The screen of before is back with the cursor on it, and the shell takes lines as ever.
#[track_caller]
fn assert_given_back(tmux: &Tmux) {
    wait::until("the screen to be given back", || (tmux.format("alternate_on") == "0").then_some(()));
    assert_eq!(tmux.format("cursor_flag"), "1", "the cursor is hidden");
    tmux.runs("stty -a | grep -o ' icanon\\| echo ' | tr -d '\\n'; echo '<'");
    tmux.until_shows(" icanon echo <");
}

fn pid_of_dashboard(tmux: &Tmux) -> i32 {
    let shell = tmux.format("pane_pid").parse().unwrap();
    processes::children(shell).into_iter().next().expect("the dashboard runs")
}

#[test]
fn on_80_by_24_it_shows_list_and_log_and_its_keys_work() {
    let tmux = start("plain", 80, 24);
    tmux.until_shows("line 2 of web");
    tmux.until_shows("somewhere");
    let screen = tmux.screen();
    assert!(screen.contains("web.0") && screen.contains("web.1") && screen.contains("worker.0"), "{screen}");
    assert!(screen.contains("logs of web.0") && screen.contains("q quit"), "{screen}");

    tmux.press("Down");
    tmux.until_shows("logs of web.1");
    tmux.types("+");
    tmux.until_shows("web.2");
    tmux.types("R");
    tmux.until_shows("restart web (3 instances), with a gap");
    tmux.types("y");
    tmux.until_shows("ok: web: restart is done");
    tmux.types("fwork");
    tmux.until_shows("filter: work");
    tmux.press("Enter");
    tmux.until_shows("logs of worker.0");
    tmux.types("d");
    tmux.until_shows("details of worker.0");
    tmux.press("Escape");
    tmux.until_shows("logs of worker.0");
    tmux.types("q");
    tmux.until_shows(&format!("{ENDED} 0"));
    assert_given_back(&tmux);
}

#[test]
fn on_200_by_50_details_stand_beside_and_another_size_is_drawn_anew() {
    let tmux = start("plain", 200, 50);
    tmux.until_shows("details of web.0");
    tmux.until_shows("logs of web.0");
    tmux.resize(80, 24);
    tmux.until("the narrow layout", |screen| {
        (!screen.contains("details of") && screen.contains("logs of")).then_some(())
    });
    tmux.resize(30, 8);
    tmux.until_shows("too small");
    tmux.resize(200, 50);
    tmux.until_shows("details of web.0");
    tmux.press("C-c");
    tmux.until_shows(&format!("{ENDED} 0"));
    assert_given_back(&tmux);
}

#[test]
fn the_terminal_is_given_back_when_a_signal_ends_it() {
    for (signal, status) in [(signals::TERM, 143), (signals::INT, 130), (signals::HUP, 129)] {
        let tmux = start("plain", 80, 24);
        assert!(processes::signal(pid_of_dashboard(&tmux), signal));
        tmux.until_shows(&format!("{ENDED} {status}"));
        assert_given_back(&tmux);
    }
}

#[test]
fn the_terminal_is_given_back_before_a_panic_is_told() {
    let tmux = start("panic", 80, 24);
    tmux.until_shows("something is wrong with the dashboard");
    assert_given_back(&tmux);
}

#[test]
fn it_gives_way_to_the_shell_and_comes_back() {
    let tmux = start("plain", 80, 24);
    tmux.press("C-z");
    tmux.until_shows("Stopped");
    assert_given_back(&tmux);
    tmux.runs("fg");
    tmux.until_shows("apps 2");
    tmux.types("q");
    tmux.until_shows(&format!("{ENDED} 0"));
}

#[test]
fn a_runtime_that_goes_away_is_told_and_nothing_is_lost() {
    let tmux = start("away", 80, 24);
    tmux.until_shows("trying again: connection refused");
    assert!(tmux.screen().contains("web.0"));
    tmux.press("Down");
    tmux.until_shows("logs of web.1");
    tmux.press("Escape");
    tmux.until_shows(&format!("{ENDED} 0"));
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let tmux = Tmux::start(120, 24, &[(SCENE, OsStr::new("plain"))]);
    tmux.runs(&line("| cat"));
    tmux.until_shows("`pmr list` shows the apps once");
    tmux.runs(&line("< /dev/null"));
    tmux.until("both refusals", |screen| (screen.matches("needs a terminal").count() == 2).then_some(()));
}
