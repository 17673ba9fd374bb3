//! The list of instances. Columns leave, the least telling first, where there is no room.

use ratatui_core::layout::Rect;

use super::super::state::list::{Column, Direction, Row};
use super::super::state::model::{Focus, State};
use super::canvas::{Align, Canvas};
use super::figures;
use super::look::Ink;
use crate::api::types::Status;

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Of(Column),
    CpuCurve,
    MemoryCurve,
}

/// A column's room. `rank` says who leaves first: the greatest.
struct Field {
    cell: Cell,
    least: u16,
    most: u16,
    rank: u8,
}

const fn field(cell: Cell, least: u16, most: u16, rank: u8) -> Field {
    Field { cell, least, most, rank }
}

/// From left to right.
const FIELDS: [Field; 10] = [
    field(Cell::Of(Column::Id), 4, 4, 3),
    field(Cell::Of(Column::Name), 12, 30, 0),
    field(Cell::Of(Column::Status), 9, LONGEST_STATUS, 0),
    field(Cell::Of(Column::Cpu), 6, 6, 1),
    field(Cell::CpuCurve, 8, 24, 6),
    field(Cell::Of(Column::Memory), 7, 7, 2),
    field(Cell::MemoryCurve, 8, 24, 8),
    field(Cell::Of(Column::Restarts), 9, 9, 5),
    field(Cell::Of(Column::Uptime), 7, 7, 4),
    field(Cell::Of(Column::Pid), 8, 8, 7),
];

/// That of `waiting restart`. It is understood when it is cut, but only very narrow lists do so.
const LONGEST_STATUS: u16 = 15;

/// Who gets what is left over, in this order.
const GROW: [Cell; 4] = [Cell::Of(Column::Status), Cell::Of(Column::Name), Cell::CpuCurve, Cell::MemoryCurve];

/// The list with its heading.
pub(super) fn section(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let rows = state.list.rows(&state.apps);
    let title = match state.list.filter.as_str() {
        "" => format!("apps {}", state.apps.len()),
        filter => format!("apps with `{filter}`"),
    };
    let selected = rows.iter().position(|row| Some(row.key()) == state.list.selected);
    let place = selected.map_or_else(String::new, |place| format!("{}/{}", place + 1, rows.len()));
    let inner = canvas.section(area, &title, state.focus == Focus::List, &place);
    let fields = fields(inner.width.saturating_sub(2));
    headings(canvas, inner, &fields, state);

    let body = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if rows.is_empty() {
        let word =
            if state.list.filter.is_empty() { "no apps" } else { "no app matches; Esc clears the filter" };
        canvas.put(body, (2, 0), word, Ink::Faint);
    }
    // The selected row is always in sight.
    let height = usize::from(body.height.max(1));
    let first = (selected.unwrap_or(0) + 1).saturating_sub(height);
    for (y, row) in (0..body.height).zip(&rows[first.min(rows.len())..]) {
        line(canvas, body, y, &fields, state, row);
        if Some(row.key()) == state.list.selected {
            canvas.paint_row(body, y, Ink::Selected);
            canvas.put(body, (0, y), canvas.look.glyphs.marker, Ink::Selected);
        }
    }
}

/// The columns for which there is room, and how wide each is.
fn fields(room: u16) -> Vec<(Cell, u16)> {
    let with_rank = |rank: u8| FIELDS.iter().filter(move |field| field.rank <= rank);
    let needed = |rank| with_rank(rank).map(|field| field.least + 1).sum::<u16>();
    // From rank 3 on, a whole status is worth more than another column.
    let enough = |rank: u8| needed(rank) + if rank > 2 { LONGEST_STATUS - 9 } else { 0 };
    let rank = (1..=8).rev().find(|&rank| enough(rank) <= room + 1).unwrap_or(0);
    let mut spare = (room + 1).saturating_sub(needed(rank));
    let mut fields: Vec<_> = with_rank(rank).map(|field| (field.cell, field.least)).collect();
    for cell in GROW {
        let most = FIELDS.iter().find(|field| field.cell == cell).map_or(0, |field| field.most);
        if let Some((_, columns)) = fields.iter_mut().find(|(known, _)| *known == cell) {
            let more = spare.min(most.saturating_sub(*columns));
            *columns += more;
            spare -= more;
        }
    }
    fields
}

fn headings(canvas: &mut Canvas<'_>, area: Rect, fields: &[(Cell, u16)], state: &State) {
    let mut x = 2;
    for &(cell, columns) in fields {
        if let Cell::Of(column) = cell {
            let arrow = match state.list.direction {
                _ if column != state.list.column => "",
                Direction::Up => canvas.look.glyphs.up,
                Direction::Down => canvas.look.glyphs.down,
            };
            let ink = if arrow.is_empty() { Ink::Faint } else { Ink::Title };
            canvas.field(area, (x, 0), columns, align(cell), &format!("{}{arrow}", column.name()), ink);
        }
        x += columns + 1;
    }
}

fn line(canvas: &mut Canvas<'_>, area: Rect, y: u16, fields: &[(Cell, u16)], state: &State, row: &Row<'_>) {
    let mut x = 2;
    for &(cell, columns) in fields {
        let (text, ink) = content(canvas, state, row, cell, columns);
        canvas.field(area, (x, y), columns, align(cell), &text, ink);
        x += columns + 1;
    }
}

fn content(canvas: &Canvas<'_>, state: &State, row: &Row<'_>, cell: Cell, columns: u16) -> (String, Ink) {
    let glyphs = canvas.look.glyphs;
    let series = row.instance.and_then(|instance| state.history.of(instance.id));
    let columns = usize::from(columns);
    match cell {
        Cell::Of(column) => text(row, column),
        // A whole CPU is the least that fills the height; 64 MB the least for memory.
        Cell::CpuCurve => {
            let curve = series.map(|series| figures::curve(&series.cpu, columns, 100.0, glyphs));
            (curve.unwrap_or_default(), Ink::Curve)
        }
        Cell::MemoryCurve => {
            let floor = f64::from(64 << 20);
            let curve = series.map(|series| figures::curve(&series.memory, columns, floor, glyphs));
            (curve.unwrap_or_default(), Ink::Curve)
        }
    }
}

fn text(row: &Row<'_>, column: Column) -> (String, Ink) {
    let Some(instance) = row.instance else {
        return match column {
            Column::Name => (row.name(), Ink::Plain),
            Column::Status => status(row),
            _ => ("-".to_owned(), Ink::Faint),
        };
    };
    let known = |text: Option<String>| (text.unwrap_or_else(|| "-".to_owned()), Ink::Plain);
    match column {
        Column::Id => known(Some(instance.id.to_string())),
        Column::Name => known(Some(row.name())),
        Column::Status => status(row),
        Column::Cpu => known(instance.cpu_percent.map(figures::percent)),
        Column::Memory => known(instance.memory_bytes.map(figures::bytes)),
        Column::Restarts => known(Some(instance.restarts.to_string())),
        Column::Uptime => {
            known(instance.uptime_ms.map(|ms| figures::span(std::time::Duration::from_millis(ms))))
        }
        Column::Pid => known(instance.pid.map(|pid| pid.to_string())),
    }
}

/// In the middle of a reload, the instances that are still to be replaced say so.
fn status(row: &Row<'_>) -> (String, Ink) {
    let status = row.status();
    let is_old = row.app.reloading.zip(row.instance).is_some_and(|(new, instance)| instance.generation < new);
    match status {
        Status::Online if is_old => ("reloading".to_owned(), Ink::Warning),
        status => (status.to_string(), status.into()),
    }
}

fn align(cell: Cell) -> Align {
    match cell {
        Cell::Of(Column::Name | Column::Status) => Align::Left,
        Cell::Of(_) | Cell::CpuCurve | Cell::MemoryCurve => Align::Right,
    }
}
