//! How wide text is in cells, and how it is made to fit.

use ratatui_core::buffer::CellWidth;
use ratatui_core::text::Span;

/// The cells that `text` takes.
pub(super) fn width(text: &str) -> usize {
    pieces(text).iter().map(|&(_, width)| width).sum()
}

/// As much of `text` as fits into `columns`, and `more` at its end where that is not all.
pub(super) fn cut(text: &str, columns: usize, more: &str) -> String {
    // Most text is short; a byte never takes more than one cell, so it fits.
    if text.len() <= columns {
        return text.to_owned();
    }
    let (mut used, mut kept) = (0, 0);
    let room = columns.saturating_sub(width(more));
    for (piece, width) in pieces_of(text) {
        if used + width > columns {
            return if columns == 0 { String::new() } else { format!("{}{more}", &text[..kept]) };
        }
        used += width;
        if used <= room {
            kept = piece.end;
        }
    }
    text.to_owned()
}

/// `text` in rows of at most `columns`.
pub(super) fn fold(text: &str, columns: usize) -> Vec<std::ops::Range<usize>> {
    let (mut rows, mut start, mut end, mut used) = (Vec::new(), 0, 0, 0);
    for (piece, width) in pieces_of(text) {
        if used + width > columns.max(1) && used > 0 {
            rows.push(start..end);
            (start, used) = (piece.start, 0);
        }
        end = piece.end;
        used += width;
    }
    rows.push(start..text.len());
    rows
}

fn pieces(text: &str) -> Vec<(std::ops::Range<usize>, usize)> {
    pieces_of(text).collect()
}

/// The graphemes of `text`: where they are, and how wide. Lazily, for lines may be long.
fn pieces_of(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
    // Handed over in bits, since a span gives its graphemes only while it lives.
    let mut bits = bits(text);
    let mut current: std::vec::IntoIter<(std::ops::Range<usize>, usize)> = Vec::new().into_iter();
    std::iter::from_fn(move || {
        loop {
            if let Some(piece) = current.next() {
                return Some(piece);
            }
            current = graphemes(text, bits.next()?).into_iter();
        }
    })
}

/// Parts of about a screen's row. They end before a space where there is one, so that as a rule no grapheme is torn.
fn bits(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    const BIT: usize = 256;
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let split = rest.char_indices().find(|&(place, c)| place >= BIT && (c == ' ' || place >= 4 * BIT));
        at = start + split.map_or(rest.len(), |(place, _)| place);
        Some(start..at)
    })
}

fn graphemes(text: &str, range: std::ops::Range<usize>) -> Vec<(std::ops::Range<usize>, usize)> {
    let span = Span::raw(&text[range.clone()]);
    let mut at = range.start;
    // Text is clean here, so none is left out and the places are right.
    span.styled_graphemes(ratatui_core::style::Style::new())
        .map(|grapheme| {
            let start = at;
            at += grapheme.symbol.len();
            (start..at, usize::from(grapheme.symbol.cell_width()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::state::clean::clean;
    use super::*;

    fn folded(text: &str, columns: usize) -> Vec<&str> {
        fold(text, columns).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_says_so() {
        assert_eq!(cut("hello", 5, "…"), "hello");
        assert_eq!(cut("hello!", 5, "…"), "hell…");
        assert_eq!(cut("你好吗", 6, "…"), "你好吗");
        assert_eq!(cut("你好吗", 5, "…"), "你好…");
        assert_eq!(cut("你好吗", 4, "…"), "你…");
        assert_eq!(cut("abc", 1, "…"), "…");
        assert_eq!(cut("abc", 0, "…"), "");
    }

    #[test]
    fn folding_keeps_every_character() {
        assert_eq!(folded("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(folded("你好吗", 5), ["你好", "吗"]);
        assert_eq!(folded("", 5), [""]);
        assert_eq!(folded("你", 1), ["你"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text in "\\PC{0,80}", columns in 1_usize..40) {
            let text = clean(&text);
            prop_assert!(width(&cut(&text, columns, "…")) <= columns);
            let rows = fold(&text, columns);
            let whole: String = rows.iter().map(|range| &text[range.clone()]).collect();
            prop_assert_eq!(&whole, &text);
            for range in rows {
                // What alone is wider than a row, is in a row of its own.
                let wide = pieces(&text[range.clone()]).iter().filter(|(_, width)| *width > 0).count();
                prop_assert!(width(&text[range]) <= columns || wide == 1);
            }
        }

        #[test]
        fn long_lines_are_measured_in_bits(word in "[a-z你 ]{1,9}", times in 1_usize..400) {
            let text = word.repeat(times);
            let expected: usize = text.chars().map(|c| if c == '你' { 2 } else { 1 }).sum();
            prop_assert_eq!(width(&text), expected);
        }
    }
}
