//! Makes text of others harmless: what a worker writes, or how an app is named, must not move the cursor, change colours or
//! title, ring, or reorder what stands beside it.

use std::iter::Peekable;
use std::str::Chars;

/// As terminals do.
const TAB_STOP: usize = 8;

/// Stands for what has no safe look.
const REPLACEMENT: char = '\u{fffd}';

/// `text` on one line, without escape sequences. Other control characters become visible: `^G`.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut column = 0;
    while let Some(c) = chars.next() {
        let before = out.len();
        match c {
            '\x1b' => skip_sequence(&mut chars),
            '\u{9b}' => skip_control(&mut chars),
            '\t' => out.extend(std::iter::repeat_n(' ', TAB_STOP - column % TAB_STOP)),
            // Line ends, and the carriage returns before them, are no part of a line.
            '\n' | '\r' if chars.peek().is_none_or(|&next| next == '\n') => {}
            '\0'..='\x1f' | '\x7f' => out.extend(['^', caret(c)]),
            c if is_deceptive(c) => out.push(REPLACEMENT),
            c => out.push(c),
        }
        column += out[before..].chars().count();
    }
    out
}

fn caret(control: char) -> char {
    // The table of ASCII: 64 apart, and 127 wraps around to `?`.
    char::from(u8::try_from(u32::from(control) ^ 0x40).unwrap_or(b'?'))
}

/// C1 controls, and what changes the order or place of other characters without being seen.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// After ESC: a whole sequence, or the one character that it takes.
fn skip_sequence(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control(chars);
        }
        // Strings for the terminal: title, links, pictures.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some('\x20'..='\x7e') => {
            while chars.next_if(|&c| matches!(c, '\x20'..='\x2f')).is_some() {}
            chars.next_if(|&c| matches!(c, '\x30'..='\x7e'));
        }
        _ => {}
    }
}

/// After CSI: parameters, then one final character.
fn skip_control(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|&c| matches!(c, '\x20'..='\x3f')).is_some() {}
    chars.next_if(|&c| matches!(c, '\x40'..='\x7e'));
}

/// Up to BEL or ST. One that never ends takes the rest of the line, as a terminal would.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next() {
        match c {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_of_any_language_stays_as_it_is() {
        for text in ["", "GET / 200", "Grüße 你好 🚀", "é e\u{301}"] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn escape_sequences_vanish_whole() {
        assert_eq!(clean("\x1b[31mred\x1b[0m"), "red");
        assert_eq!(clean("\x1b]0;title\x07x"), "x");
        assert_eq!(clean("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\"), "link");
        assert_eq!(clean("\u{9b}2Jx"), "x");
        assert_eq!(clean("\x1b(Bx\x1bcy\x1b"), "xy");
        assert_eq!(clean("a\x1b[12;"), "a");
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("a\x07b\0c\x7fd"), "a^Gb^@c^?d");
        assert_eq!(clean("a\u{202e}b\u{85}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(clean("50%\r100%\r\n"), "50%^M100%");
    }

    #[test]
    fn a_tab_goes_on_to_the_next_stop() {
        assert_eq!(clean("a\tb\t\tc"), "a       b               c");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_comes_through(text in "(\\PC|[\\x00-\\x1f\\x7f-\\x9f]|\\x1b[\\[\\]P(]){0,60}") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
