//! A table with borders, as wide as its cells. Pure.
//!
//! Widths are those of a terminal: a Chinese character has two columns, a combining accent none. What could move the
//! cursor or change colours in a cell (a name may be any text) is replaced.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::colour::{Colours, Paint};

/// What no cell may hold.
const REPLACEMENT: char = '\u{fffd}';

/// A piece of text in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::painted(text, Paint::Plain)
    }

    pub(super) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: harmless(&text.into()), paint }
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    fn shorten(&mut self, width: usize) {
        self.text = shortened(&self.text, width);
    }
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) side: Side,
}

/// Columns, and rows with a cell for each.
#[derive(Debug, Clone)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        Self { columns, rows }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(Cell::width);
            cells.fold(column.title.width(), usize::max)
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    /// How wide it is on a terminal.
    pub(super) fn width(&self) -> usize {
        // A border, and a space on each side, for every cell; and the last border.
        self.widths().iter().map(|width| width + 3).sum::<usize>() + 1
    }

    /// Shortens the cells of column `index` so that the whole is at most `width` wide, if that can be.
    pub(super) fn squeeze(&mut self, index: usize, width: usize) {
        let too_much = self.width().saturating_sub(width);
        let Some(now) = self.widths().get(index).copied().filter(|_| too_much > 0) else { return };
        let least = self.columns[index].title.width().max(4);
        let then = now.saturating_sub(too_much).max(least);
        for row in &mut self.rows {
            row[index].shorten(then);
        }
    }

    /// The text, a newline at its end.
    pub(super) fn render(&self, colours: Colours) -> String {
        let widths = self.widths();
        let border = |left: &str, cross: &str, right: &str| {
            let lines: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
            format!("{left}{}{right}\n", lines.join(cross))
        };
        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell::painted(column.title, Paint::Bold)).collect();
        let mut text = border("┌", "┬", "┐");
        text += &self.line(&titles, &widths, colours);
        text += &border("├", "┼", "┤");
        for row in &self.rows {
            text += &self.line(row, &widths, colours);
        }
        text + &border("└", "┴", "┘")
    }

    fn line(&self, cells: &[Cell], widths: &[usize], colours: Colours) -> String {
        let columns = self.columns.iter().zip(cells).zip(widths);
        let cells = columns.map(|((column, cell), width)| {
            let space = " ".repeat(width - cell.width());
            let text = colours.paint(cell.paint, &cell.text);
            match column.side {
                Side::Left => format!("│ {text}{space} "),
                Side::Right => format!("│ {space}{text} "),
            }
        });
        cells.collect::<String>() + "│\n"
    }
}

/// `text` without what a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { REPLACEMENT } else { c }).collect()
}

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut short: String = text
        .chars()
        .take_while(|c| {
            let next = c.width().unwrap_or(0);
            let fits = next <= left;
            left = left.saturating_sub(next);
            fits
        })
        .collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(names: &[&str]) -> Table {
        let columns =
            vec![Column { title: "name", side: Side::Left }, Column { title: "n", side: Side::Right }];
        let row = |(index, name): (usize, &&str)| vec![Cell::new(*name), Cell::new((index * 10).to_string())];
        Table::new(columns, names.iter().enumerate().map(row).collect())
    }

    #[test]
    fn wide_and_combined_characters_keep_the_borders_straight() {
        insta::assert_snapshot!(table(&["web", "日本語", "cafe\u{301}"]).render(Colours::Off), @r"
        ┌────────┬────┐
        │ name   │  n │
        ├────────┼────┤
        │ web    │  0 │
        │ 日本語 │ 10 │
        │ café   │ 20 │
        └────────┴────┘
        ");
    }

    #[test]
    fn a_name_cannot_take_the_terminal_over() {
        let text = table(&["\x1b[2Jweb\n"]).render(Colours::Off);
        assert!(text.contains("│ \u{fffd}[2Jweb\u{fffd} │"), "{text}");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let mut table = table(&["a-very-long-name", "日本語日本語日本語"]);
        table.squeeze(0, 20);
        assert_eq!(table.width(), 20);
        insta::assert_snapshot!(table.render(Colours::Off), @r"
        ┌─────────────┬────┐
        │ name        │  n │
        ├─────────────┼────┤
        │ a-very-lon… │  0 │
        │ 日本語日本… │ 10 │
        └─────────────┴────┘
        ");
        table.squeeze(0, 3);
        assert!(table.width() > 3, "the title stays");
    }

    proptest! {
        #[test]
        fn every_line_is_as_wide_as_the_table(names in proptest::collection::vec("\\PC{0,12}", 0..6), limit in 0_usize..40) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut table = table(&names);
            table.squeeze(0, limit);
            for line in table.render(Colours::Off).lines() {
                prop_assert_eq!(line.width(), table.width());
            }
        }
    }
}
