//! The keys, told in the dashboard itself. docs/monit.md has the same table; a test compares them.

use ratatui_core::layout::Rect;

use super::super::state::model::State;
use super::canvas::{Align, Canvas};
use super::look::Ink;

/// Keys and what they do, as `state/press.rs` has it.
pub(super) const KEYS: [(&str, &str); 22] = [
    ("Up Down j k", "move the selection, or the log"),
    ("PgUp PgDn Space", "the same by pages"),
    ("Home End g G", "to the beginning, to the end"),
    ("Tab", "from the list to the log and back"),
    ("d Enter", "details of the selected instance"),
    ("s", "sort by the next column"),
    ("S", "sort the other way around"),
    ("f", "filter the list by name, namespace or status"),
    ("/", "search the log"),
    ("n N", "older match, newer match"),
    ("p", "pause the log; again: follow it"),
    ("a", "lines of all instances, or of the selected one"),
    ("e", "lines of standard error only, or all"),
    ("w", "fold long lines, or cut them"),
    ("r", "reload the app, without a gap"),
    ("R", "restart the app, with a gap (asks first)"),
    ("+ -", "one instance more, one less"),
    ("x", "stop the app (asks first)"),
    ("u", "start the app when it is stopped"),
    ("? h", "this help"),
    ("Esc", "undo search, pause, filter; then quit"),
    ("q Ctrl-C", "quit; the apps go on"),
];

/// The whole screen.
pub(super) fn page(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let inner = canvas.section(area, "keys", false, "Esc goes back");
    let room = usize::from(inner.height);
    let first = state.page_scroll.min(KEYS.len().saturating_sub(room));
    for (y, (keys, meaning)) in (0..inner.height).zip(&KEYS[first..]) {
        canvas.field(inner, (1, y), 16, Align::Left, keys, Ink::Title);
        canvas.put(inner, (18, y), meaning, Ink::Plain);
    }
}
