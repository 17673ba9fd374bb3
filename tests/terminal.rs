//! On a terminal: the app can read it, and Ctrl-C works as without us.

mod support;

use std::ffi::OsString;

use support::fixtures::compiled;
use support::launch::Launch;
use support::signals;
use support::terminal::{CTRL_C, Terminal};

fn worker(options: &[&str], what: &str) -> Launch {
    let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
    words.extend([compiled("worker").into(), what.into()]);
    Launch::new(words)
}

#[test]
fn the_app_can_read_a_line_from_the_terminal() {
    let mut terminal = Terminal::spawn(worker(&["--no-autorestart"], "terminal"));
    terminal.until_shows("tty 1");
    terminal.types(b"hello\n");
    terminal.until_shows("heard hello");
    terminal.runtime.ends_with(0);
}

#[test]
fn in_init_mode_input_output_and_errors_are_the_terminal() {
    let mut terminal = Terminal::spawn(worker(&["--no-autorestart"], "terminal"));
    terminal.until_shows("tty 111");
    terminal.types(b"x\n");
    terminal.runtime.ends_with(0);
}

/// How often workers say that they got SIGINT.
fn interrupts(said: &str) -> usize {
    said.matches(&format!("got {} count=", signals::INT)).count()
}

#[test]
fn ctrl_c_reaches_the_only_worker_once_and_ends_us() {
    let mut terminal = Terminal::keyboard_of(worker(&["-i", "1"], "signals-quit"));
    terminal.runtime.until_stdout("a worker", |text| text.contains("ready pid=").then_some(()));
    terminal.types(CTRL_C);
    terminal.runtime.ends_with(0);
    let said = String::from_utf8_lossy(&terminal.runtime.final_stdout()).into_owned();
    assert_eq!(interrupts(&said), 1, "{said}");
}

#[test]
fn ctrl_c_in_init_mode_gives_the_apps_own_end() {
    let mut terminal = Terminal::spawn(worker(&["--no-autorestart"], "sleep"));
    terminal.until_shows("ready pid=");
    terminal.types(CTRL_C);
    terminal.runtime.ends_with(128 + signals::INT);
}

#[test]
fn ctrl_c_reaches_each_of_two_workers_once() {
    let mut terminal = Terminal::keyboard_of(worker(&["-i", "2"], "signals-quit"));
    let two = |text: &str| (text.matches("ready pid=").count() == 2).then_some(());
    terminal.runtime.until_stdout("two workers", two);
    terminal.types(CTRL_C);
    terminal.runtime.ends_with(0);
    let said = String::from_utf8_lossy(&terminal.runtime.final_stdout()).into_owned();
    assert_eq!(interrupts(&said), 2, "{said}");
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let mut terminal = Terminal::spawn(worker(&["-i", "2", "--kill-timeout", "10m"], "stubborn"));
    terminal.until_screen("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    terminal.types(CTRL_C);
    terminal.until_shows("stopping");
    terminal.types(CTRL_C);
    terminal.runtime.ends_with(137);
}
