//! The last lines of one app, or of our own messages.
//!
//! Pure. What is read is kept as it came, and split into lines only when somebody asks.

use std::collections::VecDeque;

use super::assemble::Assembler;
use super::chunks::{Chunks, Piece};
use super::line::{Filter, LogLine};
use super::state::{PieceState, Pipes};

/// How much is kept of an app, what its pieces cost besides their bytes included.
pub(super) const OF_APP: usize = 256 * 1024;
/// How much is kept of our own messages.
pub(super) const OF_RUNTIME: usize = 64 * 1024;

/// See the module. Holds no memory until the first byte.
#[derive(Debug)]
pub struct History {
    chunks: Chunks,
    bound: usize,
}

impl History {
    /// An empty one that will keep `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { chunks: Chunks::new(bound), bound }
    }

    /// Adds what was read; the oldest makes room.
    pub fn add(&mut self, piece: Piece<'_>) {
        self.chunks.add(piece);
    }

    /// The last `count` lines that `filter` wants, oldest first; those that are not finished yet at the end.
    pub fn lines(&self, filter: &Filter, count: usize) -> Vec<LogLine> {
        let mut last = Last::new(count);
        let begun = self.assemble(filter, &mut last);
        begun.finish(&mut |line| last.add(line));
        last.lines.into()
    }

    /// As `lines`, with those that are not finished yet in the hands of who will go on with them.
    pub fn lines_to_go_on(&self, filter: &Filter, count: usize) -> (Vec<LogLine>, Assembler) {
        let mut last = Last::new(count);
        let begun = self.assemble(filter, &mut last);
        (last.lines.into(), begun)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.chunks = Chunks::new(self.bound);
    }

    pub(super) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    pub(super) fn restore(&mut self, pieces: &[PieceState], pipes: &Pipes) {
        pieces.iter().for_each(|piece| piece.add_to(&mut self.chunks, pipes));
    }

    fn assemble(&self, filter: &Filter, last: &mut Last) -> Assembler {
        let mut assembler = Assembler::default();
        for piece in self.chunks.pieces().filter(|piece| filter.wants(&piece.pipe.origin)) {
            assembler.feed(piece, &mut |line| last.add(line));
        }
        assembler
    }
}

/// The last so many lines.
struct Last {
    lines: VecDeque<LogLine>,
    count: usize,
}

impl Last {
    fn new(count: usize) -> Self {
        Self { lines: VecDeque::new(), count }
    }

    fn add(&mut self, line: LogLine) {
        self.lines.push_back(line);
        if self.lines.len() > self.count {
            self.lines.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::logs::chunks::Pipe;
    use crate::logs::format::Stream;
    use crate::logs::line::Origin;
    use crate::process::Pid;
    use crate::spec::{AppId, InstanceId};

    fn pipe(number: u64, stream: Stream) -> Arc<Pipe> {
        let (app, instance, pid) = (AppId(0), InstanceId(0), Pid::new(42));
        Arc::new(Pipe { number, origin: Origin::App { app, name: "web".into(), instance, pid, stream } })
    }

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn the_last_lines_of_both_streams_come_in_the_order_of_their_ends() {
        let (out, err) = (pipe(0, Stream::Stdout), pipe(1, Stream::Stderr));
        let mut history = History::new(OF_APP);
        history.add(Piece { pipe: &out, offset: 0, begins: true, time: 1, bytes: b"one\nth" });
        history.add(Piece { pipe: &err, offset: 0, begins: true, time: 2, bytes: b"two\n" });
        history.add(Piece { pipe: &out, offset: 6, begins: false, time: 3, bytes: b"ree\nfour" });
        assert_eq!(texts(&history.lines(&Filter::default(), 10)), ["one", "two", "three", "four"]);
        assert_eq!(texts(&history.lines(&Filter::default(), 2)), ["three", "four"]);
        let only = Filter { stream: Some(Stream::Stderr), ..Filter::default() };
        let lines = history.lines(&only, 10);
        assert_eq!((texts(&lines), lines[0].time), (vec!["two"], 2));
        history.clear();
        assert!(history.lines(&Filter::default(), 10).is_empty());
    }

    #[test]
    fn a_flood_leaves_its_end_and_the_first_line_says_that_it_was_cut() {
        let out = pipe(0, Stream::Stdout);
        let mut history = History::new(OF_APP);
        let block = [vec![b'x'; 99], vec![b'\n']].concat().repeat(655);
        for number in 0..20 {
            let offset = number * block.len() as u64;
            history.add(Piece { pipe: &out, offset, begins: true, time: number, bytes: &block });
        }
        let lines = history.lines(&Filter::default(), usize::MAX);
        assert!(lines.len() > OF_APP / 101 && lines.len() <= OF_APP / 100, "{}", lines.len());
        assert!(lines[0].text.starts_with('…') && lines[1..].iter().all(|line| line.text.len() == 99));
    }
}
