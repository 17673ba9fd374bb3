//! The tail of what a worker wrote, for the report of its crash.
//!
//! Pure. Holds no memory until the first byte, and at most 16 KiB from then on.

use std::collections::VecDeque;

use super::format::Stream;
use super::state::{Bytes, RingState};

/// How many bytes are kept.
const BYTES: usize = 8 * 1024;
/// How many lines are shown. Node's trace of a port that is taken has 24, and what went wrong in its fifth.
const LINES: usize = 30;

/// The last bytes of one worker's two streams, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Ring {
    bytes: VecDeque<u8>,
    last: Option<Stream>,
    cut: bool,
}

impl Ring {
    /// Adds what was read from `stream`. Only the end of `chunk` is looked at.
    pub fn add(&mut self, stream: Stream, chunk: &[u8]) {
        if self.last != Some(stream) && self.bytes.back().is_some_and(|&byte| byte != b'\n') {
            self.append(b"\n");
        }
        self.last = Some(stream);
        self.append(chunk);
    }

    /// The last lines, at most 30 of them and 8 KiB; `…` stands for the missing start of the first. Invalid UTF-8
    /// becomes U+FFFD, and a carriage return before the line's end is left out.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (front, back) = self.bytes.as_slices();
        let bytes = [front, back].concat();
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if text.is_empty() && bytes.is_empty() {
            return Vec::new();
        }
        let all: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        let skipped = all.len().saturating_sub(LINES);
        let mut lines: Vec<String> = all[skipped..].iter().map(|line| shown(line)).collect();
        if self.cut && skipped == 0 {
            lines[0].insert(0, '…');
        }
        lines
    }

    pub(super) fn state(&self) -> RingState {
        let (front, back) = self.bytes.as_slices();
        RingState { bytes: Bytes([front, back].concat()), last: self.last, cut: self.cut }
    }

    pub(super) fn restore(state: RingState) -> Self {
        Self { bytes: state.bytes.0.into(), last: state.last, cut: state.cut }
    }

    fn append(&mut self, chunk: &[u8]) {
        let kept = &chunk[chunk.len().saturating_sub(BYTES)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(BYTES);
        self.cut |= surplus > 0 || kept.len() < chunk.len();
        self.bytes.drain(..surplus);
        self.bytes.extend(kept);
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unused_ring_holds_no_memory() {
        assert_eq!(Ring::default().bytes.capacity(), 0);
        assert_eq!(Ring::default().lines(), Vec::<String>::new());
    }

    #[test]
    fn the_last_thirty_lines_are_kept_with_the_blank_ones() {
        let mut ring = Ring::default();
        for number in 0..40 {
            ring.add(Stream::Stdout, format!("line {number}\n").as_bytes());
        }
        ring.add(Stream::Stdout, b"\nlast");
        let lines = ring.lines();
        assert_eq!(lines.len(), 30);
        assert_eq!(lines[27..], ["line 39".to_owned(), String::new(), "last".to_owned()]);
    }

    #[test]
    fn streams_are_not_glued_together() {
        let mut ring = Ring::default();
        ring.add(Stream::Stdout, b"begun");
        ring.add(Stream::Stderr, b"Error: x\r\n");
        assert_eq!(ring.lines(), ["begun", "Error: x"]);
    }

    #[test]
    fn a_long_line_keeps_its_end_and_says_so() {
        let mut ring = Ring::default();
        ring.add(Stream::Stdout, &[b'a'; 5000]);
        ring.add(Stream::Stdout, &[vec![b'b'; 100_000], b"end\n".to_vec()].concat());
        let lines = ring.lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("…b") && lines[0].ends_with("bend"));
        assert!(ring.bytes.len() <= BYTES && ring.bytes.capacity() <= 2 * BYTES);
    }
}
