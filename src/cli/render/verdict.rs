//! How an operation ended, and what happens until then. Pure.

use super::colour::{Colours, Paint};
use super::human;
use super::table::harmless;
use crate::api::types::{EventView, Verdict};

/// `✓ web: reloaded, 4 instances, generation 3 in 1.2s`; where it failed, with what the worker said last.
pub(in crate::cli) fn render(verdict: &Verdict, colours: Colours) -> String {
    let mark = if verdict.ok { colours.paint(Paint::Green, "✓") } else { colours.paint(Paint::Red, "✗") };
    let app = verdict.app.as_ref().map_or(String::new(), |app| format!("{}: ", harmless(app)));
    let mut text = format!("{mark} {app}{}\n", harmless(&verdict.message));
    if !verdict.last_lines.is_empty() {
        text += "  its last lines were:\n";
    }
    for line in &verdict.last_lines {
        text += &format!("    {}\n", harmless(line));
    }
    text
}

/// A line of what happens: `12:00:00 web 1: worker ready`.
pub(in crate::cli) fn progress(event: &EventView, colours: Colours) -> String {
    let line = format!("  {}{}", subject(event), harmless(&event.message));
    colours.paint(paint(event), &line) + "\n"
}

/// A line of `pmr events`.
pub(in crate::cli) fn event(event: &EventView, colours: Colours) -> String {
    let at = colours.paint(Paint::Dim, &human::moment(event.at_ms));
    let level = colours.paint(paint(event), &format!("{:<5}", event.level));
    format!("{at} {level} {}{}\n", subject(event), harmless(&event.message))
}

fn paint(event: &EventView) -> Paint {
    match event.level.as_str() {
        "error" => Paint::Red,
        "warn" => Paint::Yellow,
        "debug" => Paint::Dim,
        _ => Paint::Plain,
    }
}

/// `web 1: `, as far as it is about somebody.
fn subject(event: &EventView) -> String {
    match (&event.app, event.id) {
        (Some(app), Some(id)) => format!("{} {id}: ", harmless(app)),
        (Some(app), None) => format!("{}: ", harmless(app)),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::Operation;

    fn verdict(ok: bool, message: &str, last_lines: &[&str]) -> Verdict {
        Verdict {
            app: Some("web".to_owned()),
            operation: Operation::Reload,
            ok,
            message: message.to_owned(),
            took_ms: 1234,
            generation: Some(3),
            instances: Some(4),
            last_lines: last_lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    #[test]
    fn a_success_is_one_line() {
        let text = render(&verdict(true, "reloaded, 4 instances, generation 3 in 1.2s", &[]), Colours::Off);
        assert_eq!(text, "✓ web: reloaded, 4 instances, generation 3 in 1.2s\n");
        let of_runtime = Verdict { app: None, ..verdict(true, "saved 2 apps", &[]) };
        assert_eq!(render(&of_runtime, Colours::Off), "✓ saved 2 apps\n");
    }

    #[test]
    fn a_failure_shows_the_workers_last_lines() {
        let message = "reload called off, the old workers go on: the new worker ended with exit code 1";
        let lines = ["Error: no such table", "\x1b[31m    at boot\x1b[0m"];
        insta::assert_snapshot!(render(&verdict(false, message, &lines), Colours::Off), @r"
        ✗ web: reload called off, the old workers go on: the new worker ended with exit code 1
          its last lines were:
            Error: no such table
            �[31m    at boot�[0m
        ");
    }

    #[test]
    fn an_event_says_when_and_whom_it_is_about() {
        let view = EventView {
            seq: 7,
            at_ms: super::super::samples::NOW,
            level: "warn".to_owned(),
            kind: "exited".to_owned(),
            app: Some("web".to_owned()),
            id: Some(1),
            pid: Some(4001),
            message: "worker exited with code 3".to_owned(),
            data: None,
        };
        assert_eq!(
            event(&view, Colours::Off),
            "2026-08-09T12:00:00Z warn  web 1: worker exited with code 3\n"
        );
        assert_eq!(progress(&view, Colours::Off), "  web 1: worker exited with code 3\n");
    }
}
