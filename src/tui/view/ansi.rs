//! From cells to the bytes that bring a terminal from one screen to the next. Only what has changed is sent.

use std::fmt::Write as _;

use ratatui_core::buffer::{Buffer, Cell, CellWidth};
use ratatui_core::style::{Color, Modifier};

/// The bytes that turn a terminal that shows `before` into one that shows `after`. Where the sizes differ, everything
/// is drawn anew.
#[must_use]
pub fn changes(before: &Buffer, after: &Buffer) -> String {
    let mut out = String::new();
    if before.area == after.area {
        write_cells(&mut out, before.diff_iter(after));
    } else {
        out.push_str("\x1b[0m\x1b[2J");
        let blank = Buffer::empty(after.area);
        write_cells(&mut out, blank.diff_iter(after));
    }
    out
}

fn write_cells<'a>(out: &mut String, cells: impl Iterator<Item = (u16, u16, &'a Cell)>) {
    // Where the cursor is after the last cell, if that is certain: terminals differ over the width of some characters.
    let mut cursor = None;
    let mut look = None;
    for (x, y, cell) in cells {
        if cursor != Some((x, y)) {
            put(out, format_args!("\x1b[{};{}H", y + 1, x + 1));
        }
        if look != Some(look_of(cell)) {
            write_look(out, cell);
            look = Some(look_of(cell));
        }
        out.push_str(cell.symbol());
        cursor = (cell.symbol().is_ascii() && cell.cell_width() == 1).then_some((x + 1, y));
    }
    if look.is_some() {
        out.push_str("\x1b[0m");
    }
}

fn look_of(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn write_look(out: &mut String, cell: &Cell) {
    out.push_str("\x1b[0");
    let modifiers =
        [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)];
    for (modifier, code) in modifiers {
        if cell.modifier.contains(modifier) {
            put(out, format_args!(";{code}"));
        }
    }
    if let Some(colour) = number(cell.fg) {
        put(out, format_args!(";{}", if colour < 8 { 30 + colour } else { 82 + colour }));
    }
    if let Some(colour) = number(cell.bg) {
        put(out, format_args!(";{}", if colour < 8 { 40 + colour } else { 92 + colour }));
    }
    out.push('m');
}

/// Of the sixteen colours; all others are the terminal's own.
fn number(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

/// Writing to text cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use ratatui_core::layout::Rect;
    use ratatui_core::style::Style;

    use super::*;

    fn screen(lines: [&str; 2]) -> Buffer {
        Buffer::with_lines(lines)
    }

    #[test]
    fn nothing_is_sent_when_nothing_has_changed() {
        assert_eq!(changes(&screen(["ab", "cd"]), &screen(["ab", "cd"])), "");
    }

    #[test]
    fn only_what_differs_is_sent_and_neighbours_in_one_go() {
        assert_eq!(
            changes(&screen(["abcd", "efgh"]), &screen(["aXYd", "efgZ"])),
            "\x1b[1;2H\x1b[0mXY\x1b[2;4HZ\x1b[0m"
        );
    }

    #[test]
    fn after_a_character_of_disputed_width_the_place_is_named_anew() {
        assert_eq!(
            changes(&screen(["    ", ""]), &screen(["你ab", ""])),
            "\x1b[1;1H\x1b[0m你\x1b[1;3Hab\x1b[0m"
        );
    }

    #[test]
    fn colours_and_weight_are_those_of_the_sixteen() {
        let mut after = screen(["ab", "  "]);
        after.set_style(Rect::new(0, 0, 1, 1), Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        after.set_style(Rect::new(1, 0, 1, 1), Style::new().fg(Color::White).bg(Color::DarkGray));
        let before = Buffer::empty(after.area);
        assert_eq!(changes(&before, &after), "\x1b[1;1H\x1b[0;1;31ma\x1b[0;97;100mb\x1b[0m");
    }

    #[test]
    fn another_size_is_drawn_whole() {
        let before = Buffer::empty(Rect::new(0, 0, 5, 5));
        assert_eq!(changes(&before, &screen(["ab", ""])), "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0mab\x1b[0m");
    }
}
