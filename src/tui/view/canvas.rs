//! Puts text into cells: within bounds, cut to fit, harmless, in the look of the terminal.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::super::state::clean::clean;
use super::look::{Ink, Look};
use super::text::{cut, width};

/// The screen that is being drawn.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    pub(super) look: Look,
}

/// Which edge of its field a text keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, look: Look) -> Self {
        Self { buffer, look }
    }

    /// Puts `text` at the left edge of row `y` of `area`, from column `x` of it on. Gives the column after it.
    pub(super) fn put(&mut self, area: Rect, (x, y): (u16, u16), text: &str, ink: Ink) -> u16 {
        let room = area.width.saturating_sub(x);
        self.field(area, (x, y), room, Align::Left, text, ink)
    }

    /// As `put`, in a field of so many columns. Gives the column after the text.
    pub(super) fn field(
        &mut self,
        area: Rect,
        (x, y): (u16, u16),
        columns: u16,
        align: Align,
        text: &str,
        ink: Ink,
    ) -> u16 {
        let columns = columns.min(area.width.saturating_sub(x));
        if y >= area.height || columns == 0 {
            return x;
        }
        let text = cut(&self.shown(text), usize::from(columns), self.look.glyphs.more);
        let used = u16::try_from(width(&text)).unwrap_or(columns);
        let start = if align == Align::Right { x + columns.saturating_sub(used) } else { x };
        let style = self.look.style(ink);
        let (place, row) = (area.x.saturating_add(start), area.y.saturating_add(y));
        if self.buffer.area.contains((place, row).into()) {
            self.buffer.set_stringn(place, row, &text, usize::from(columns), style);
        }
        start + used
    }

    /// A whole row in one ink, whatever is in it.
    pub(super) fn paint_row(&mut self, area: Rect, y: u16, ink: Ink) {
        let row = Rect::new(area.x, area.y.saturating_add(y), area.width, 1).intersection(self.buffer.area);
        if y < area.height {
            self.buffer.set_style(row, self.look.style(ink));
        }
    }

    /// A line across the top of `area`, with a title in it. Gives what is below it.
    pub(super) fn section(&mut self, area: Rect, title: &str, has_focus: bool, right: &str) -> Rect {
        let glyphs = self.look.glyphs;
        self.put(area, (0, 0), &glyphs.rule.repeat(usize::from(area.width)), Ink::Faint);
        let (marker, ink) = if has_focus { (glyphs.marker, Ink::Title) } else { (glyphs.rule, Ink::Plain) };
        self.put(area, (1, 0), marker, ink);
        let after = self.put(area, (2, 0), &format!(" {title} "), ink);
        let columns = u16::try_from(width(&self.shown(right))).unwrap_or(u16::MAX).saturating_add(2);
        if !right.is_empty() && after.saturating_add(columns) < area.width {
            self.put(area, (area.width - columns - 1, 0), &format!(" {right} "), Ink::Plain);
        }
        Rect::new(area.x, area.y.saturating_add(1), area.width, area.height.saturating_sub(1))
    }

    /// As this terminal can show it.
    pub(super) fn shown(&self, text: &str) -> String {
        let text = clean(text);
        if self.look.glyphs.unicode || text.is_ascii() {
            return text;
        }
        text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }
}
