//! Ctrl-Z on a terminal: the shell gets its prompt, `fg` brings everything back, and nothing stays frozen where there is no
//! such shell.

mod support;

use std::ffi::OsString;

use support::fixtures::{compiled, fixture};
use support::launch::Launch;
use support::terminal::{CTRL_C, Terminal};

const CTRL_Z: &[u8] = b"\x1a";

/// Instances, as a word and as a number, and what a Ctrl-C ends them with: a single one has the terminal itself.
const CASES: [(&str, usize, i32); 2] = [("1", 1, 130), ("2", 2, 0)];

/// Workers that say something all the time, so that it shows whether they go on. They start no other program: a Ctrl-Z
/// between vfork(2) and exec stops the child alone, and the parent waits for it, deaf, under any shell.
fn workers(instances: &str) -> Vec<OsString> {
    vec!["-i".into(), instances.into(), compiled("worker").into(), "tick".into()]
}

fn all_tick(terminal: &Terminal, count: usize) {
    terminal.until_screen("all workers", |text| {
        (0..count).all(|n| text.contains(&format!("worker.{n}")) && text.contains("tick")).then_some(())
    });
}

/// The runtime as a job of a shell, which says when it has the terminal again, and then waits for a line.
fn job_of_a_shell(words: Vec<OsString>) -> Terminal {
    let script = "set -m; \"$@\"; echo the shell is back; read line; fg";
    let mut all: Vec<OsString> = vec!["-c".into(), script.into(), "bash".into()];
    all.push(env!("CARGO_BIN_EXE_pmr-runtime").into());
    all.extend(words);
    Terminal::spawn(Launch::new(all).binary("/bin/bash"))
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_continues() {
    for (instances, count, status) in CASES {
        let mut terminal = job_of_a_shell(workers(instances));
        all_tick(&terminal, count);
        terminal.types(CTRL_Z);
        terminal.until_shows("the shell is back");
        terminal.types(b"go on\n");
        terminal.until_screen("a tick after `fg`", |text| {
            text.rsplit_once("go on").filter(|(_, after)| after.contains("tick")).map(drop)
        });
        terminal.types(CTRL_C);
        terminal.runtime.ends_with(status);
    }
}

#[test]
fn ctrl_z_without_a_shell_freezes_nothing() {
    for (instances, count, status) in CASES {
        let mut terminal = Terminal::spawn(Launch::new(workers(instances)));
        all_tick(&terminal, count);
        terminal.types(CTRL_Z);
        terminal.until_shows("^Z");
        terminal.types(CTRL_C);
        terminal.runtime.ends_with(status);
    }
}

/// A shell gives the terminal to us before it continues us, so what is typed then reaches us and not the worker.
#[test]
fn ctrl_c_between_the_shells_fg_and_our_giving_the_terminal_back_is_the_workers() {
    let mut all: Vec<OsString> =
        vec!["python3".into(), fixture("python/shell.py").into(), env!("CARGO_BIN_EXE_pmr-runtime").into()];
    all.extend(workers("1"));
    let mut terminal = Terminal::spawn(Launch::new(all).binary("/usr/bin/env"));
    all_tick(&terminal, 1);
    terminal.types(CTRL_Z);
    terminal.until_shows("in the foreground, not continued");
    terminal.types(CTRL_C);
    terminal.runtime.ends_with(130);
}
