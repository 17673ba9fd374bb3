//! From the bytes that a keyboard sends to keys. Whatever a terminal may send, nothing but keys comes out.

/// A key, as far as the dashboard tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    /// With Ctrl held: the letter in lower case.
    Ctrl(char),
    /// Part of a paste: text, never a command.
    Pasted(char),
    Enter,
    Esc,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

/// No sequence of a keyboard is longer; what is longer is noise.
const LONGEST_SEQUENCE: usize = 32;

const ESC: u8 = 0x1b;

/// Collects bytes until they are keys.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    pasting: bool,
}

/// What the first bytes are.
enum Step {
    /// So many bytes are done, and mean this.
    Done(usize, Option<Key>),
    Paste(usize, bool),
    Incomplete,
}

impl Decoder {
    /// Takes bytes and gives the keys that are complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        loop {
            match step(&self.pending[at..]) {
                Step::Done(length, key) => {
                    at += length;
                    keys.extend(key.and_then(|key| self.as_pasted(key)));
                }
                Step::Paste(length, begins) => {
                    at += length;
                    self.pasting = begins;
                }
                Step::Incomplete => break,
            }
        }
        self.pending.drain(..at);
        keys
    }

    /// Whether bytes are kept that may be a key of their own: Esc, or the beginning of a longer one.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing came for a while, so what is pending is all there is.
    pub fn flush(&mut self) -> Vec<Key> {
        let is_escape = self.pending == [ESC];
        self.pending.clear();
        let key = if is_escape { self.as_pasted(Key::Esc) } else { None };
        key.into_iter().collect()
    }

    /// In a paste only text counts.
    fn as_pasted(&self, key: Key) -> Option<Key> {
        match key {
            key if !self.pasting => Some(key),
            Key::Char(c) => Some(Key::Pasted(c)),
            _ => None,
        }
    }
}

fn step(bytes: &[u8]) -> Step {
    match *bytes {
        [] | [ESC] | [ESC, b'O'] => Step::Incomplete,
        [ESC, b'[', ref rest @ ..] => control_sequence(rest),
        [ESC, b'O', name, ..] => Step::Done(3, named(name)),
        // Esc and another key in quick succession; Alt with a key looks the same.
        [ESC, ..] => Step::Done(1, Some(Key::Esc)),
        [b'\r' | b'\n', ..] => Step::Done(1, Some(Key::Enter)),
        [b'\t', ..] => Step::Done(1, Some(Key::Tab)),
        [0x7f | 0x08, ..] => Step::Done(1, Some(Key::Backspace)),
        [byte @ 0x01..=0x1a, ..] => Step::Done(1, Some(Key::Ctrl(char::from(byte | 0x60)))),
        [0x00..=0x1f, ..] => Step::Done(1, None),
        _ => character(bytes),
    }
}

/// After `ESC [`: parameters up to a final byte.
fn control_sequence(rest: &[u8]) -> Step {
    let Some(end) = rest.iter().position(|byte| !matches!(byte, 0x20..=0x3f)) else {
        return if rest.len() > LONGEST_SEQUENCE {
            Step::Done(2 + rest.len(), None)
        } else {
            Step::Incomplete
        };
    };
    let length = 2 + end + 1;
    match (&rest[..end], rest[end]) {
        (b"200", b'~') => Step::Paste(length, true),
        (b"201", b'~') => Step::Paste(length, false),
        (parameters, b'~') => Step::Done(length, numbered(parameters)),
        (_, name @ 0x40..=0x7e) => Step::Done(length, named(name)),
        // No final byte: it begins something else.
        _ => Step::Done(length - 1, None),
    }
}

fn named(name: u8) -> Option<Key> {
    Some(match name {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'Z' => Key::BackTab,
        b'M' => Key::Enter,
        _ => return None,
    })
}

fn numbered(parameters: &[u8]) -> Option<Key> {
    // A modifier may follow: `5;2`.
    Some(match parameters.split(|&byte| byte == b';').next()? {
        b"1" | b"7" => Key::Home,
        b"4" | b"8" => Key::End,
        b"5" => Key::PageUp,
        b"6" => Key::PageDown,
        b"3" => Key::Backspace,
        _ => return None,
    })
}

/// One character of UTF-8; a byte that is none is passed over.
fn character(bytes: &[u8]) -> Step {
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() == 0 => {
            return error.error_len().map_or(Step::Incomplete, |length| Step::Done(length, None));
        }
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    let Some(c) = valid.chars().next() else { return Step::Incomplete };
    Step::Done(c.len_utf8(), (!c.is_control()).then_some(Key::Char(c)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_keys(bytes: &[u8], expected: &[Key]) {
        assert_eq!(Decoder::default().feed(bytes), expected, "in one piece");
        let mut decoder = Decoder::default();
        let keys: Vec<_> = bytes.iter().flat_map(|&byte| decoder.feed(&[byte])).collect();
        assert_eq!(keys, expected, "byte by byte");
    }

    #[test]
    fn letters_of_any_alphabet_are_characters() {
        assert_keys("qü你🚀".as_bytes(), &['q', 'ü', '你', '🚀'].map(Key::Char));
    }

    #[test]
    fn the_keys_that_move_are_known_in_all_their_spellings() {
        assert_keys(b"\x1b[A\x1bOA\x1b[1;5A", &[Key::Up; 3]);
        assert_keys(b"\x1b[H\x1b[1~\x1b[7~\x1bOH", &[Key::Home; 4]);
        assert_keys(b"\x1b[F\x1b[4~\x1b[5~\x1b[6;2~", &[Key::End, Key::End, Key::PageUp, Key::PageDown]);
        assert_keys(b"\t\x1b[Z\r\x7f", &[Key::Tab, Key::BackTab, Key::Enter, Key::Backspace]);
    }

    #[test]
    fn control_characters_are_letters_with_ctrl() {
        assert_keys(b"\x03\x15", &[Key::Ctrl('c'), Key::Ctrl('u')]);
    }

    #[test]
    fn escape_alone_waits_for_what_may_follow() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty() && decoder.is_waiting());
        assert_eq!(decoder.flush(), [Key::Esc]);
        assert!(!decoder.is_waiting() && decoder.flush().is_empty());
        assert_eq!(decoder.feed(b"\x1bq"), [Key::Esc, Key::Char('q')]);
    }

    #[test]
    fn what_is_pasted_is_text_and_no_command() {
        assert_keys(b"\x1b[200~x\ry\x1b[A\x1b[201~q", &[Key::Pasted('x'), Key::Pasted('y'), Key::Char('q')]);
    }

    #[test]
    fn bytes_that_mean_nothing_are_passed_over() {
        assert_keys(
            b"\xff\xc3(q\x1b[999zq\x1b[5\x03",
            &[Key::Char('('), Key::Char('q'), Key::Char('q'), Key::Ctrl('c')],
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hoard(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut decoder = Decoder::default();
            for chunk in chunks {
                decoder.feed(&chunk);
                prop_assert!(decoder.pending.len() <= 2 + LONGEST_SEQUENCE);
            }
        }
    }
}
