//! Cuts a stream of bytes at its line ends, and keeps the start of a line whose end has not come yet.
//!
//! Pure: bytes in, bytes out, nothing lost, nothing added. Who may write when is decided in `pump` and `queue`.

use memchr::memrchr;

/// A line of up to so many bytes is kept back until it is whole (1 MiB).
pub const LONGEST: usize = 1 << 20;

/// What becomes of the start of a line whose end has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gather {
    /// It goes on at once, so that a prompt is seen.
    Pass,
    /// It is kept until the line is whole. Beyond the allowance it goes on, and so does what follows, up to
    /// the line's end.
    Whole,
    /// It is kept until the line is whole. Beyond the allowance it goes on as a part, and the next part is
    /// kept again.
    Parts,
}

/// What is to be written now: first `head`, then `body`.
#[derive(Debug, PartialEq, Eq)]
pub struct Due<'chunk> {
    /// The start of a line that had been kept back. Holds no line end.
    pub head: Vec<u8>,
    /// A piece of the chunk that was fed.
    pub body: &'chunk [u8],
}

/// One stream on its way to becoming lines. Holds no memory while no line is begun.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    mid_line: bool,
}

impl Lines {
    /// Goes on where another one with this `rest` and `is_mid_line` has stopped.
    #[must_use]
    pub fn restore(rest: Vec<u8>, mid_line: bool) -> Self {
        Self { rest, mid_line }
    }

    /// The start of a line that is kept back.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Takes the next bytes of the stream and says what is due. At most `allowance` bytes of an unfinished
    /// line are kept back.
    pub fn feed<'chunk>(&mut self, chunk: &'chunk [u8], gather: Gather, allowance: usize) -> Due<'chunk> {
        let end = memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        let (whole, tail) = chunk.split_at(end);
        let begun = end == 0 && self.mid_line;
        let kept = if end == 0 { self.rest.len() } else { 0 };
        if gather == Gather::Pass || (gather == Gather::Whole && begun) {
            self.mid_line = !tail.is_empty() || begun;
            return Due { head: std::mem::take(&mut self.rest), body: chunk };
        }
        if kept + tail.len() > allowance {
            return self.let_go(chunk, gather);
        }
        self.mid_line = false;
        let head = if end == 0 { Vec::new() } else { std::mem::take(&mut self.rest) };
        self.rest.extend_from_slice(tail);
        Due { head, body: whole }
    }

    /// Gives out the start of a line that was kept back, since the stream ends here or its line may never be
    /// finished.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.mid_line = false;
        std::mem::take(&mut self.rest)
    }

    /// Whether the last bytes given out were the start of a line that is to go on.
    #[must_use]
    pub fn is_mid_line(&self) -> bool {
        self.mid_line
    }

    /// How many bytes of memory are held for an unfinished line.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.rest.capacity()
    }

    fn let_go<'chunk>(&mut self, chunk: &'chunk [u8], gather: Gather) -> Due<'chunk> {
        let mut head = std::mem::take(&mut self.rest);
        if gather == Gather::Whole {
            self.mid_line = true;
            return Due { head, body: chunk };
        }
        // A part is turned into text on its own, so neither a character nor CR LF must be cut in two, not even one whose
        // bytes came in several chunks.
        let begun = unfinished(&[last(&head), last(chunk)].concat());
        let (body, begun_here) = chunk.split_at(chunk.len() - begun.min(chunk.len()));
        self.mid_line = false;
        self.rest = head.split_off(head.len() - (begun - begun_here.len()));
        self.rest.extend_from_slice(begun_here);
        Due { head, body }
    }
}

/// As many bytes from the end as a character that is not complete can have.
fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(3)..]
}

/// How many bytes at the end are the beginning of a UTF-8 character that is not complete, or may be that of a CR LF
/// (0 to 3).
fn unfinished(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\r") { 1 } else { unfinished_char(bytes) }
}

/// How many bytes at the end are the beginning of a UTF-8 character that is not complete (0 to 3).
pub(super) fn unfinished_char(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let wanted = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        return if back + 1 < wanted { back + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: [Gather; 3] = [Gather::Pass, Gather::Whole, Gather::Parts];

    fn all(due: &Due<'_>) -> Vec<u8> {
        [&due.head, due.body].concat()
    }

    #[test]
    fn a_line_is_kept_until_it_is_whole() {
        let mut lines = Lines::default();
        assert_eq!(all(&lines.feed(b"one\ntw", Gather::Whole, LONGEST)), b"one\n");
        assert_eq!(all(&lines.feed(b"o", Gather::Whole, LONGEST)), b"");
        assert_eq!(all(&lines.feed(b"!\n\n", Gather::Whole, LONGEST)), b"two!\n\n");
        assert_eq!(lines.held_bytes(), 0);
    }

    #[test]
    fn a_line_beyond_the_allowance_goes_on_up_to_its_end() {
        let mut lines = Lines::default();
        assert_eq!(all(&lines.feed(b"abc", Gather::Whole, 4)), b"");
        assert_eq!(all(&lines.feed(b"de", Gather::Whole, 4)), b"abcde");
        assert!(lines.is_mid_line());
        assert_eq!(all(&lines.feed(b"f", Gather::Whole, 4)), b"f");
        assert_eq!(all(&lines.feed(b"g\nh", Gather::Whole, 4)), b"g\n");
        assert!(!lines.is_mid_line());
        assert_eq!(lines.take_rest(), b"h");
    }

    #[test]
    fn parts_of_a_long_line_do_not_cut_a_character() {
        let mut lines = Lines::default();
        let euro = "€".as_bytes();
        assert_eq!(all(&lines.feed(&[b"ab", &euro[..2]].concat(), Gather::Parts, 2)), b"ab");
        assert_eq!(all(&lines.feed(&[&euro[2..], b"c"].concat(), Gather::Parts, 2)), "€c".as_bytes());
        assert!(!lines.is_mid_line());
    }

    #[test]
    fn parts_of_a_long_line_do_not_cut_a_character_that_comes_byte_by_byte() {
        let mut lines = Lines::default();
        let mut parts = Vec::new();
        for byte in "ab😀c".as_bytes().chunks(1) {
            parts.push(all(&lines.feed(byte, Gather::Parts, 0)));
        }
        parts.push(lines.take_rest());
        assert!(parts.iter().all(|part| str::from_utf8(part).is_ok()), "{parts:?}");
        assert_eq!(parts.concat(), "ab😀c".as_bytes());
    }

    #[test]
    fn parts_of_a_long_line_do_not_cut_its_end() {
        let mut lines = Lines::default();
        assert_eq!(all(&lines.feed(b"50%\r", Gather::Parts, 2)), b"50%");
        assert_eq!(all(&lines.feed(b"100%\r", Gather::Parts, 2)), b"\r100%");
        assert_eq!(all(&lines.feed(b"\n", Gather::Parts, 2)), b"\r\n");
    }

    #[test]
    fn a_prompt_passes_at_once() {
        let mut lines = Lines::default();
        assert_eq!(all(&lines.feed(b"name? ", Gather::Pass, LONGEST)), b"name? ");
        assert!(lines.is_mid_line());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added_and_lines_stay_whole(
            chunks in prop::collection::vec(
                (prop::collection::vec(prop::sample::select(b"\nab\xe2\x82\xac".to_vec()), 1..12), 0..3_usize), 0..20),
            allowance in 0..16_usize,
        ) {
            let mut lines = Lines::default();
            let mut out = Vec::new();
            for (chunk, gather) in &chunks {
                let due = lines.feed(chunk, EVERY[*gather], allowance);
                out.extend(all(&due));
                prop_assert!(memchr::memchr(b'\n', &due.head).is_none());
                if EVERY[*gather] == Gather::Whole && !all(&due).is_empty() && !lines.is_mid_line() {
                    prop_assert_eq!(out.last(), Some(&b'\n'));
                }
                prop_assert!(lines.rest.len() <= allowance.max(3));
            }
            out.extend(lines.take_rest());
            prop_assert_eq!(out, chunks.into_iter().flat_map(|(chunk, _)| chunk).collect::<Vec<_>>());
        }
    }
}
