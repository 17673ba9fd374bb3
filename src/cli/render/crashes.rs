//! `pmr crashes`: a row for each, and all that was kept of one. Pure.

use super::colour::{Colours, Paint};
use super::human;
use super::show::{command, pairs};
use super::table::{Cell, Column, Side, Table, harmless};
use crate::api::crash::{CrashDetail, CrashView};
use crate::api::history::RecentView;
use crate::api::types::{LogStream, LogView};

/// What an empty list says.
const NOTHING: &str = "No worker has crashed.\n";
/// Where the summary is among the columns: what has room for less is cut there.
const SUMMARY_AT: usize = 5;

/// The table, newest first; as wide as the terminal, where there is one.
pub(in crate::cli) fn list(crashes: &[CrashView], colours: Colours, width: Option<usize>) -> String {
    if crashes.is_empty() {
        return NOTHING.to_owned();
    }
    let (left, right) = (Side::Left, Side::Right);
    let columns = [
        ("id", right),
        ("when", left),
        ("app", left),
        ("instance", right),
        ("cause", left),
        ("summary", left),
        ("seen", right),
    ];
    let columns = columns.into_iter().map(|(title, side)| Column { title, side }).collect();
    let mut table = Table::new(columns, crashes.iter().map(cells).collect());
    if let Some(width) = width {
        table.squeeze(SUMMARY_AT, width);
    }
    let hint = "`pmr crashes ID` shows one with its last lines";
    table.render(colours) + &colours.paint(Paint::Dim, hint) + "\n"
}

fn cells(crash: &CrashView) -> Vec<Cell> {
    vec![
        Cell::new(crash.id.to_string()),
        Cell::new(human::moment(crash.at_ms)),
        Cell::new(harmless(&crash.app)),
        Cell::new(crash.instance.to_string()),
        Cell::new(crash.cause.as_str()),
        Cell::new(harmless(&crash.summary)),
        Cell::new(format!("{}×", crash.count)),
    ]
}

/// One of them, in sections.
pub(in crate::cli) fn detail(detail: &CrashDetail, colours: Colours) -> String {
    let title = |title: &str| colours.paint(Paint::Bold, title) + "\n";
    let mut text = title("Crash") + &pairs(&about(detail));
    let stack = detail.crash.exception.as_ref().and_then(|exception| exception.stack.as_deref());
    if let Some(stack) = stack {
        text += &("\n".to_owned() + &title("Exception") + &indented(stack.lines()));
    }
    if let Some(figures) = &detail.figures {
        text += &("\n".to_owned() + &title("The minute before") + &pairs(&before(figures)));
    }
    if !detail.logs.is_empty() {
        let lines: Vec<String> = detail.logs.iter().map(line).collect();
        text += &("\n".to_owned() + &title("Last lines") + &indented(lines.iter().map(String::as_str)));
    }
    text
}

fn about(
    CrashDetail { crash, command: words, directory, .. }: &CrashDetail,
) -> Vec<(&'static str, Option<String>)> {
    let seen = match crash.count {
        1 => "once".to_owned(),
        count => format!("{count} times, first at {}", human::moment(crash.first_at_ms)),
    };
    vec![
        ("id", Some(crash.id.to_string())),
        ("when", Some(human::moment(crash.at_ms))),
        ("app", Some(crash.app.clone())),
        ("instance", Some(crash.instance.to_string())),
        ("pid", crash.pid.map(|pid| pid.to_string())),
        ("cause", Some(crash.cause.as_str().to_owned())),
        ("reason", Some(crash.reason.clone())),
        ("summary", Some(crash.summary.clone()).filter(|summary| *summary != crash.reason)),
        ("seen", Some(seen)),
        ("fingerprint", Some(crash.fingerprint.clone())),
        ("lived", crash.uptime_ms.map(human::took)),
        ("generation", Some(crash.generation.to_string())),
        ("version", crash.version.clone()),
        ("revision", crash.revision.clone()),
        ("command", Some(command(words))),
        ("directory", Some(directory.clone())),
    ]
}

/// Each figure that was known, at the end and at its highest.
fn before(figures: &RecentView) -> Vec<(&'static str, Option<String>)> {
    let words = |column: &[Option<f32>], word: fn(f64) -> String| {
        let known = || column.iter().flatten().copied().map(f64::from);
        let most = known().reduce(f64::max)?;
        Some(format!("{} at the end, {} at most", word(known().next_back()?), word(most)))
    };
    let columns = &figures.columns;
    vec![
        ("cpu", words(&columns.cpu_percent.0, human::percent)),
        ("memory", words(&columns.memory_bytes.0, |bytes| human::bytes(bytes as u64))),
        ("event loop delay", words(&columns.loop_delay_ms.0, |millis| format!("{millis:.1} ms"))),
        ("requests", words(&columns.requests_per_second.0, |number| format!("{number:.1}/s"))),
        ("in flight", words(&columns.in_flight.0, |number| number.to_string())),
    ]
}

fn line(line: &LogView) -> String {
    let stream = if line.stream == LogStream::Err { "err" } else { "out" };
    format!("{stream} | {}", line.text)
}

fn indented<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    // A tab is no harm, but it would be shown as a character that is not known.
    lines.map(|line| format!("  {}\n", harmless(&line.replace('\t', "    ")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::sample_crash;

    fn crash() -> CrashDetail {
        let mut crash = sample_crash(7);
        let last = LogView {
            stream: LogStream::Err,
            text: "\u{1b}[31mno\u{1b}[0m".to_owned(),
            ..crash.logs[0].clone()
        };
        crash.logs.push(last);
        crash
    }

    #[test]
    fn each_has_a_row() {
        let CrashDetail { crash, .. } = crash();
        insta::assert_snapshot!(list(&[crash], Colours::Off, None), @r"
        ┌────┬──────────────────────┬─────┬──────────┬───────────┬────────────────────────────────┬──────┐
        │ id │ when                 │ app │ instance │ cause     │ summary                        │ seen │
        ├────┼──────────────────────┼─────┼──────────┼───────────┼────────────────────────────────┼──────┤
        │  7 │ 2026-08-08T11:00:00Z │ web │        0 │ exception │ TypeError: x is not a function │   3× │
        └────┴──────────────────────┴─────┴──────────┴───────────┴────────────────────────────────┴──────┘
        `pmr crashes ID` shows one with its last lines
        ");
        assert_eq!(list(&[], Colours::Off, None), NOTHING);
    }

    #[test]
    fn one_is_shown_with_all_that_was_kept() {
        insta::assert_snapshot!(detail(&crash(), Colours::Off), @r"
        Crash
          id           7
          when         2026-08-08T11:00:00Z
          app          web
          instance     0
          pid          42
          cause        exception
          reason       exit code 1
          summary      TypeError: x is not a function
          seen         3 times, first at 2026-08-08T10:59:50Z
          fingerprint  9f3c2a7d10b4e6aa
          lived        5.0s
          generation   2
          version      1.4.2
          revision     5fe83f6c0ffee
          command      node server.js
          directory    /app

        Exception
          TypeError: x is not a function
              at load (/app/a.js:1:2)

        The minute before
          cpu     100% at the end, 100% at most
          memory  74.4mb at the end, 99.2mb at most

        Last lines
          out | listening
          err | �[31mno�[0m
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_summary() {
        let CrashDetail { crash, .. } = crash();
        let text = list(&[crash], Colours::Off, Some(80));
        assert!(text.contains("TypeErr") && !text.contains("is not a function"), "{text}");
    }
}
