//! The log of the selected instance or app. The newest line that is shown stands at the bottom.

use std::ops::Range;

use ratatui_core::layout::Rect;

use super::super::state::log::{Line, Log, Scope, Streams, Wrap, matches_in};
use super::super::state::model::{Focus, State};
use super::canvas::Canvas;
use super::figures;
use super::look::Ink;
use super::text::fold;
use crate::api::types::LogStream;

/// From here on a line shows its time.
const WITH_TIME: u16 = 60;

/// Matches are marked in the part of a line that may be on a screen.
const MARKED: usize = 4096;

/// The log with its heading.
pub(super) fn section(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let log = &state.log;
    let inner = canvas.section(area, &title(state), state.focus == Focus::Log, &flags(log));
    let shown = log.shown();
    if shown.is_empty() {
        let word = if log.target.is_some() { "no lines yet" } else { "" };
        canvas.put(inner, (1, 0), word, Ink::Faint);
    }
    let rows = visible(&shown, log, inner);
    for (y, (line, range)) in (0..inner.height).zip(rows) {
        draw(canvas, inner, y, log, line, range);
    }
}

/// The rows that fit, from the top down: a line, and the part of it that stands in that row.
fn visible<'a>(shown: &[&'a Line], log: &Log, area: Rect) -> Vec<(&'a Line, Range<usize>)> {
    let height = usize::from(area.height);
    let mut rows = Vec::new();
    for line in shown.iter().rev().take(height) {
        let columns = usize::from(area.width).saturating_sub(prefix(line, log, area).len());
        let parts = match log.wrap {
            Wrap::Fold => fold(&line.text, columns),
            Wrap::Cut => std::iter::once(0..line.text.len()).collect(),
        };
        rows.extend(parts.into_iter().rev().map(|part| (*line, part)));
    }
    // The first rows of a line that is too long for the screen are the ones to miss.
    rows.truncate(height);
    rows.reverse();
    rows
}

/// One row. The text goes on from where matches are marked in between.
fn draw(canvas: &mut Canvas<'_>, area: Rect, y: u16, log: &Log, line: &Line, range: Range<usize>) {
    let prefix = prefix(line, log, area);
    let ink = match line.stream {
        LogStream::Out => Ink::Plain,
        LogStream::Err => Ink::Error,
        LogStream::Runtime => Ink::Own,
    };
    let mut x = match range.start {
        0 => canvas.put(area, (0, y), &prefix, Ink::Faint),
        _ => u16::try_from(prefix.len()).unwrap_or(u16::MAX),
    };
    let text = &line.text[range];
    let marked = text.char_indices().nth(MARKED).map_or(text, |(end, _)| &text[..end]);
    let mut done = 0;
    for found in matches_in(marked, &log.search) {
        x = canvas.put(area, (x, y), &text[done..found.start], ink);
        x = canvas.put(area, (x, y), &text[found.clone()], Ink::Found);
        done = found.end;
    }
    canvas.put(area, (x, y), &text[done..], ink);
}

fn title(state: &State) -> String {
    let row = state.list.selected(&state.apps);
    match (row, state.log.scope) {
        (Some(row), Scope::Instance) => format!("logs of {}", row.name()),
        (Some(row), Scope::App) => format!("logs of {} (all)", row.app.name),
        (None, _) => "logs".to_owned(),
    }
}

/// What is unusual about the view.
fn flags(log: &Log) -> String {
    let mut flags = Vec::new();
    if !log.search.is_empty() {
        flags.push(format!("/{}", log.search));
    }
    if log.streams == Streams::Err {
        flags.push("stderr only".to_owned());
    }
    if log.wrap == Wrap::Fold {
        flags.push("wrap".to_owned());
    }
    if log.is_paused() {
        flags.push(format!("paused, {} newer", log.below()));
    }
    flags.join(" | ")
}

fn prefix(line: &Line, log: &Log, area: Rect) -> String {
    let time = match line.at_ms {
        Some(at_ms) if area.width >= WITH_TIME => format!("{} ", figures::clock(at_ms)),
        None if area.width >= WITH_TIME => " ".repeat(9),
        _ => String::new(),
    };
    let instance = match line.instance {
        Some(instance) if log.scope == Scope::App => format!("{instance:>2} "),
        None if log.scope == Scope::App => "   ".to_owned(),
        _ => String::new(),
    };
    format!("{time}{instance}{} ", sign(line.stream))
}

/// Tells streams apart where there are no colours.
fn sign(stream: LogStream) -> char {
    match stream {
        LogStream::Out => '|',
        LogStream::Err => '!',
        LogStream::Runtime => '*',
    }
}
