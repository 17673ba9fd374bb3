//! The first line, about the runtime, and the last: questions, news, or the commonest keys.

use std::time::Duration;

use ratatui_core::layout::Rect;

use super::super::state::model::{Connection, MessageKind, Mode, Page, State};
use super::canvas::Canvas;
use super::figures;
use super::look::Ink;
use crate::api::types::RuntimeView;

/// About the runtime and its machine.
pub(super) fn header(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let x = canvas.put(area, (0, 0), " pmr ", Ink::Title);
    match &state.connection {
        Connection::Down { why, since } => {
            let away = figures::span(state.now.saturating_sub(*since));
            canvas.put(area, (x, 0), &format!("no answer for {away}, trying again: {why}"), Ink::Bad);
        }
        Connection::Waiting => {
            canvas.put(area, (x, 0), "asking the runtime", Ink::Faint);
        }
        Connection::Up => {
            let facts = state.runtime.as_ref().map(|runtime| facts(runtime, canvas));
            canvas.put(area, (x, 0), &facts.unwrap_or_default(), Ink::Plain);
        }
    }
}

fn facts(runtime: &RuntimeView, canvas: &Canvas<'_>) -> String {
    let machine = &runtime.machine;
    let mut facts = vec![runtime.version.clone()];
    facts.extend(machine.host.clone());
    facts.push(format!("pid {}", runtime.pid));
    facts.push(format!("up {}", figures::span(Duration::from_millis(runtime.uptime_ms))));
    facts.extend(machine.load.map(|[last, ..]| format!("load {last:.2} of {} CPUs", machine.cpus)));
    // The container's limit, where there is one, is the end that matters.
    let total = machine.memory_limit_bytes.or(machine.memory_total_bytes);
    facts.extend(total.map(|total| format!("memory {}", figures::bytes(total))));
    facts.extend(machine.memory_available_bytes.map(|free| format!("{} free", figures::bytes(free))));
    facts.extend(runtime.memory_bytes.map(|own| format!("own {}", figures::bytes(own))));
    facts.join(canvas.look.glyphs.dot)
}

/// What is asked, what happened, or what can be done.
pub(super) fn status(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let cursor = |canvas: &mut Canvas<'_>, x| canvas.put(area, (x, 0), " ", Ink::Selected);
    match (&state.mode, &state.message) {
        (Mode::Filter { .. }, _) => {
            let x = canvas.put(area, (1, 0), &tail("filter: ", &state.list.filter, area), Ink::Title);
            cursor(canvas, x);
        }
        (Mode::Search { text }, _) => {
            let x = canvas.put(area, (1, 0), &tail("search: ", text, area), Ink::Title);
            cursor(canvas, x);
        }
        (Mode::Confirm(change), _) => {
            canvas.put(area, (1, 0), &state.question(change), Ink::Warning);
        }
        (Mode::Normal, Some(message)) => {
            let (word, ink) = match message.kind {
                MessageKind::Note => ("", Ink::Plain),
                MessageKind::Success => ("ok: ", Ink::Good),
                MessageKind::Failure => ("failed: ", Ink::Bad),
            };
            canvas.put(area, (1, 0), &format!("{word}{}", message.text), ink);
        }
        (Mode::Normal, None) if !state.pending.is_empty() => {
            canvas.put(area, (1, 0), &pending(state), Ink::Warning);
        }
        (Mode::Normal, None) => {
            let keys = match state.page {
                Page::Main => "q quit  ? help  d details  r reload  R restart  + - scale  f filter  / search",
                Page::Details | Page::Help => "Esc back  Up Down move  q quit",
            };
            canvas.put(area, (1, 0), keys, Ink::Faint);
        }
    }
}

/// The end of what is typed is what has to be seen.
fn tail(prompt: &str, text: &str, area: Rect) -> String {
    let room = usize::from(area.width).saturating_sub(prompt.len() + 3);
    let skipped = text.chars().count().saturating_sub(room);
    let end: String = text.chars().skip(skipped).collect();
    format!("{prompt}{end}")
}

fn pending(state: &State) -> String {
    let words = state.pending.iter().map(|change| match &change.argument {
        Some(argument) => format!("{} {} {argument}", change.operation, change.target),
        None => format!("{} {}", change.operation, change.target),
    });
    let words: Vec<_> = words.collect();
    format!("under way: {}", words.join(", "))
}
