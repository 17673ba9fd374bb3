//! Puts lines together from pieces of several pipes that took turns.
//!
//! Pure. A line has its place where its end was read. What is not known of a line, since it was let go of or never
//! seen, shows as `…` at its start.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memchr;

use super::chunks::{Piece, Pipe};
use super::line::LogLine;
use super::lines::unfinished_char;

/// A line without an end is shown as far as it has come once it has so many bytes.
const LONGEST: usize = 64 * 1024;
/// So is the one that grows while all unfinished lines together have more than so many.
const BUDGET: usize = 256 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Assembler {
    begun: BTreeMap<u64, Begun>,
    held: usize,
}

/// A line whose end has not come yet.
#[derive(Debug)]
struct Begun {
    pipe: Arc<Pipe>,
    /// Where it goes on.
    next: u64,
    time: u64,
    is_cut: bool,
    bytes: Vec<u8>,
}

impl Assembler {
    /// Takes the next piece and gives `out` the lines that it completes.
    pub fn feed(&mut self, piece: Piece<'_>, out: &mut impl FnMut(LogLine)) {
        let mut piece = piece;
        if let Some(begun) = self.take(piece) {
            piece = self.go_on(begun, piece, out);
        }
        while let Some(at) = memchr(b'\n', piece.bytes) {
            out(line(piece.pipe, piece.time, !piece.begins, &piece.bytes[..at]));
            piece = piece.after(at + 1);
        }
        if !piece.bytes.is_empty() {
            let Piece { pipe, offset, begins, time, bytes } = piece;
            let next = offset + bytes.len() as u64;
            let begun = Begun { pipe: Arc::clone(pipe), next, time, is_cut: !begins, bytes: bytes.to_vec() };
            self.keep(begun, out);
        }
    }

    /// Gives `out` the lines that have no end (yet).
    pub fn finish(self, out: &mut impl FnMut(LogLine)) {
        let mut all: Vec<Begun> = self.begun.into_values().collect();
        all.sort_by_key(|begun| begun.time);
        all.iter().for_each(|begun| out(begun.line()));
    }

    /// Takes over what another one has begun. They must not know of the same pipes.
    pub fn join(&mut self, other: Self) {
        self.begun.extend(other.begun);
        self.held += other.held;
    }

    /// The line that `piece` goes on with. Where bytes between are missing, that line's end is among them: it is lost.
    fn take(&mut self, piece: Piece<'_>) -> Option<Begun> {
        let begun = self.begun.remove(&piece.pipe.number)?;
        self.held -= begun.bytes.len();
        (begun.next == piece.offset).then_some(begun)
    }

    /// Adds to `begun` what belongs to it and returns what is left of the piece.
    fn go_on<'piece>(
        &mut self,
        mut begun: Begun,
        piece: Piece<'piece>,
        out: &mut impl FnMut(LogLine),
    ) -> Piece<'piece> {
        begun.time = piece.time;
        if let Some(at) = memchr(b'\n', piece.bytes) {
            begun.bytes.extend_from_slice(&piece.bytes[..at]);
            out(begun.line());
            return piece.after(at + 1);
        }
        begun.bytes.extend_from_slice(piece.bytes);
        begun.next += piece.bytes.len() as u64;
        self.keep(begun, out);
        piece.after(piece.bytes.len())
    }

    fn keep(&mut self, mut begun: Begun, out: &mut impl FnMut(LogLine)) {
        if begun.bytes.len() > LONGEST || self.held + begun.bytes.len() > BUDGET {
            let rest = begun.bytes.split_off(begun.bytes.len() - unfinished_char(&begun.bytes));
            out(begun.line());
            begun.bytes = rest;
            begun.is_cut = true;
        }
        self.held += begun.bytes.len();
        self.begun.insert(begun.pipe.number, begun);
    }
}

impl Begun {
    fn line(&self) -> LogLine {
        line(&self.pipe, self.time, self.is_cut, &self.bytes)
    }
}

fn line(pipe: &Pipe, time: u64, is_cut: bool, bytes: &[u8]) -> LogLine {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut text = String::new();
    let mut whole = bytes;
    if is_cut {
        // It may have been cut within a character, of which up to three bytes are left.
        let rest = bytes.iter().take(3).take_while(|&&byte| matches!(byte, 0x80..=0xbf)).count();
        whole = &bytes[rest..];
        text.push('…');
    }
    text.push_str(&String::from_utf8_lossy(whole));
    LogLine { time, origin: pipe.origin.clone(), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::line::Origin;

    fn pipe(number: u64) -> Arc<Pipe> {
        Arc::new(Pipe { number, origin: Origin::Runtime { level: tracing::Level::INFO } })
    }

    /// Feeds pieces of (pipe, offset, begins, bytes) and gives the texts.
    fn texts(assembler: &mut Assembler, pieces: &[(u64, u64, bool, &[u8])]) -> Vec<String> {
        let mut found = Vec::new();
        for (time, &(number, offset, begins, bytes)) in (0..).zip(pieces) {
            let piece = Piece { pipe: &pipe(number), offset, begins, time, bytes };
            assembler.feed(piece, &mut |line| found.push(format!("{} {}", line.time, line.text)));
        }
        found
    }

    #[test]
    fn a_line_has_the_place_and_the_time_of_its_end() {
        let mut assembler = Assembler::default();
        let pieces: [(u64, u64, bool, &[u8]); 3] =
            [(1, 0, true, b"one\r\ntw"), (2, 0, true, b"other\n"), (1, 7, false, b"o\n\n")];
        assert_eq!(texts(&mut assembler, &pieces), ["0 one", "1 other", "2 two", "2 "]);
        assert_eq!(assembler.held, 0);
    }

    #[test]
    fn a_line_whose_start_is_missing_says_so() {
        let found = texts(&mut Assembler::default(), &[(1, 5, false, b"\x82\xacd\nnext\n")]);
        assert_eq!(found, ["0 …d", "0 next"]);
    }

    #[test]
    fn lines_are_not_glued_over_a_gap() {
        let mut assembler = Assembler::default();
        let found = texts(&mut assembler, &[(1, 0, true, b"begun"), (1, 50, false, b"end\nnext\n")]);
        assert_eq!(found, ["1 …end", "1 next"]);
        let found = texts(&mut assembler, &[(1, 60, true, b"begun"), (1, 90, true, b"whole\n")]);
        assert_eq!(found, ["1 whole"]);
        assert_eq!(assembler.held, 0);
    }

    #[test]
    fn what_has_no_end_is_shown_when_no_more_is_to_come() {
        let mut assembler = Assembler::default();
        assert!(texts(&mut assembler, &[(2, 0, true, b"late"), (1, 0, true, b"later")]).is_empty());
        let mut found = Vec::new();
        assembler.finish(&mut |line| found.push(line.text));
        assert_eq!(found, ["late", "later"]);
    }

    #[test]
    fn an_endless_line_comes_in_parts_that_cut_no_character() {
        let mut assembler = Assembler::default();
        let long = "€".repeat(LONGEST / 3 + 1);
        let (first, rest) = long.as_bytes().split_at(long.len() - 2);
        let pieces: [(u64, u64, bool, &[u8]); 3] = [
            (1, 0, true, first),
            (1, first.len() as u64, false, b"\x82"),
            (1, first.len() as u64 + 1, false, &[&rest[1..], b"!\n"].concat()),
        ];
        let found = texts(&mut assembler, &pieces);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].matches('€').count(), LONGEST / 3);
        assert_eq!(found[1], "2 …€!");
    }

    #[test]
    fn all_unfinished_lines_together_are_bounded() {
        let mut assembler = Assembler::default();
        let half = vec![b'x'; LONGEST / 2];
        for number in 0..100 {
            texts(&mut assembler, &[(number, 0, true, &half)]);
            assert!(assembler.held <= BUDGET);
        }
    }
}
