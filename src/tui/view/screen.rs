//! The layout: which part is where.
//!
//! ```text
//!  narrow                     wide
//!  header                     header
//!  apps ------------------    apps, with curves ---------- | details, metrics
//!  logs ------------------    logs ----------------------- |
//!  status                     status
//! ```

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::super::state::model::{Page, State};
use super::canvas::Canvas;
use super::look::{Ink, Look};
use super::{bars, details, help, list, log};

/// Below this there is no room for a list, a log and a word of status.
const SMALLEST: (u16, u16) = (40, 10);

/// From here on details stand beside the list.
const WIDE: (u16, u16) = (120, 20);

/// Draws `state` into `buffer`, over all of it.
pub fn render(state: &State, look: Look, buffer: &mut Buffer) {
    let area = buffer.area;
    buffer.reset();
    let mut canvas = Canvas::new(buffer, look);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(&mut canvas, area);
    }
    let [header, body, status] = rows(area, area.height - 2);
    bars::header(&mut canvas, header, state);
    bars::status(&mut canvas, status, state);
    match state.page {
        Page::Help => help::page(&mut canvas, body, state),
        Page::Details => details::page(&mut canvas, body, state),
        Page::Main if area.width >= WIDE.0 && area.height >= WIDE.1 => wide(&mut canvas, body, state),
        Page::Main => list_and_log(&mut canvas, body, state),
    }
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let (columns, rows) = SMALLEST;
    let text = [
        "too small".to_owned(),
        format!("{}x{} of", area.width, area.height),
        format!("{columns}x{rows}"),
        "q quits".to_owned(),
    ];
    for (y, line) in (0..).zip(&text) {
        canvas.put(area, (0, y), line, Ink::Plain);
    }
}

fn wide(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    // Logs need the room more than details do, which are cut where they are long.
    let right = (area.width / 3).clamp(40, 72);
    let left = area.width - right - 1;
    list_and_log(canvas, Rect { width: left, ..area }, state);
    let edge = Rect { x: area.x + left, width: 1, ..area };
    for y in 0..area.height {
        canvas.put(edge, (0, y), canvas.look.glyphs.column, Ink::Faint);
    }
    details::beside(canvas, Rect { x: area.x + left + 1, width: right, ..area }, state);
}

/// The list gets what it needs, the log at least half.
fn list_and_log(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let needed = u16::try_from(state.list.rows(&state.apps).len()).unwrap_or(u16::MAX).saturating_add(2);
    let height = needed.clamp(3, (area.height / 2).max(3));
    let [top, bottom] =
        [Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area }];
    list::section(canvas, top, state);
    log::section(canvas, bottom, state);
}

fn rows(area: Rect, body: u16) -> [Rect; 3] {
    [
        Rect { height: 1, ..area },
        Rect { y: area.y + 1, height: body, ..area },
        Rect { y: area.y + 1 + body, height: 1, ..area },
    ]
}
