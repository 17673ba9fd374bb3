//! Pieces of workers' output as they were read, in their order, with when and from where; bounded.
//!
//! Pure. Nothing is split into lines here: a flood costs a copy of its bytes and no look at them. Memory grows with
//! what is added, up to the bound.

use std::collections::VecDeque;
use std::sync::Arc;

use super::line::Origin;

/// Where bytes come from: one stream of one worker, or our own messages of one level.
#[derive(Debug)]
pub struct Pipe {
    /// Never used again.
    pub number: u64,
    pub origin: Origin,
}

/// Bytes that were read at once.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'bytes> {
    pub pipe: &'bytes Arc<Pipe>,
    /// How many bytes the pipe gave before these.
    pub offset: u64,
    /// Whether they are the beginning of a line.
    pub begins: bool,
    /// When they were read, in milliseconds since 1970.
    pub time: u64,
    pub bytes: &'bytes [u8],
}

impl Piece<'_> {
    /// What is left of it after its first `count` bytes.
    pub fn after(self, count: usize) -> Self {
        let begins = if count == 0 { self.begins } else { self.bytes[count - 1] == b'\n' };
        Self { offset: self.offset + count as u64, begins, bytes: &self.bytes[count..], ..self }
    }

    /// Its last `count` bytes, or all of it where it has fewer.
    pub fn tail(self, count: usize) -> Self {
        self.after(self.bytes.len().saturating_sub(count))
    }
}

#[derive(Debug)]
struct Chunk {
    pipe: Arc<Pipe>,
    offset: u64,
    begins: bool,
    time: u64,
    length: usize,
}

/// What a piece costs besides its bytes.
const OVERHEAD: usize = size_of::<Chunk>();

/// See the module.
#[derive(Debug)]
pub struct Chunks {
    bytes: VecDeque<u8>,
    chunks: VecDeque<Chunk>,
    bound: usize,
}

impl Chunks {
    /// None yet; they will be of `bound` bytes at most, all told.
    pub fn new(bound: usize) -> Self {
        Self { bytes: VecDeque::new(), chunks: VecDeque::new(), bound }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds `piece` if there is room, and says whether there was.
    pub fn try_add(&mut self, piece: Piece<'_>) -> bool {
        let has_room = self.size() + piece.bytes.len() + OVERHEAD <= self.bound;
        if has_room {
            self.append(piece);
        }
        has_room
    }

    /// Adds `piece`, and lets go of as much of the oldest as that takes.
    pub fn add(&mut self, piece: Piece<'_>) {
        let piece = piece.tail(self.bound - OVERHEAD);
        self.make_room(piece.bytes.len() + OVERHEAD);
        self.append(piece);
    }

    /// Takes the oldest out: no more than `bytes`, and `lines` line ends.
    pub fn take_front(&mut self, bytes: usize, lines: usize) -> Self {
        let mut ends = (1..).zip(&self.bytes).take(bytes).filter(|(_, byte)| **byte == b'\n');
        let mut left = ends.nth(lines - 1).map_or(bytes.min(self.bytes.len()), |(count, _)| count);
        let mut taken = Self::new(self.bound);
        while left > 0
            && let Some(oldest) = self.chunks.front_mut()
        {
            let count = oldest.length.min(left);
            left -= count;
            taken.bytes.extend(self.bytes.drain(..count));
            let Chunk { pipe, offset, begins, time, length } = oldest;
            taken.chunks.push_back(Chunk {
                pipe: Arc::clone(pipe),
                offset: *offset,
                begins: *begins,
                time: *time,
                length: count,
            });
            if count == *length {
                self.chunks.pop_front();
            } else {
                (*offset, *length) = (*offset + count as u64, *length - count);
                *begins = taken.bytes.back() == Some(&b'\n');
            }
        }
        taken
    }

    /// All pieces, oldest first. They may be cut elsewhere than they were when they were added.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let (front, back) = self.bytes.as_slices();
        let mut start = 0;
        self.chunks.iter().flat_map(move |chunk| {
            let end = start + chunk.length;
            let (first, second) = if end <= front.len() {
                (&front[start..end], &[][..])
            } else if start >= front.len() {
                (&back[start - front.len()..end - front.len()], &[][..])
            } else {
                (&front[start..], &back[..end - front.len()])
            };
            start = end;
            let Chunk { pipe, offset, begins, time, .. } = chunk;
            let first = Piece { pipe, offset: *offset, begins: *begins, time: *time, bytes: first };
            let second = Piece { bytes: second, ..first.after(first.bytes.len()) };
            [first, second].into_iter().filter(|piece| !piece.bytes.is_empty())
        })
    }

    /// The bytes held, and what they cost besides.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.chunks.len() * OVERHEAD
    }

    fn append(&mut self, piece: Piece<'_>) {
        let Piece { pipe, offset, begins, time, bytes } = piece;
        if bytes.is_empty() {
            return;
        }
        self.reserve(bytes.len());
        self.bytes.extend(bytes);
        if let Some(last) = self.chunks.back_mut()
            && Arc::ptr_eq(&last.pipe, pipe)
            && last.time == time
            && last.offset + last.length as u64 == offset
        {
            last.length += bytes.len();
            return;
        }
        self.chunks.push_back(Chunk { pipe: Arc::clone(pipe), offset, begins, time, length: bytes.len() });
    }

    fn make_room(&mut self, wanted: usize) {
        let mut surplus = (self.size() + wanted).saturating_sub(self.bound);
        let mut dropped = 0;
        while surplus > 0
            && let Some(oldest) = self.chunks.front_mut()
        {
            if surplus < oldest.length {
                dropped += surplus;
                oldest.length -= surplus;
                oldest.offset += surplus as u64;
                oldest.begins = self.bytes[dropped - 1] == b'\n';
                break;
            }
            dropped += oldest.length;
            surplus = surplus.saturating_sub(oldest.length + OVERHEAD);
            self.chunks.pop_front();
        }
        self.bytes.drain(..dropped);
    }

    /// Doubles as usual, but not beyond the bound.
    fn reserve(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let wanted = (2 * self.bytes.capacity()).min(self.bound).max(needed);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pipe(number: u64) -> Arc<Pipe> {
        Arc::new(Pipe { number, origin: Origin::Runtime { level: tracing::Level::INFO } })
    }

    #[test]
    fn nothing_costs_nothing() {
        let chunks = Chunks::new(1000);
        assert_eq!((chunks.size(), chunks.bytes.capacity(), chunks.chunks.capacity()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_is_taken_out_in_portions() {
        let (mut chunks, one, two) = (Chunks::new(10_000), pipe(0), pipe(1));
        chunks.add(Piece { pipe: &one, offset: 0, begins: true, time: 7, bytes: b"a\nbcd\ne" });
        chunks.add(Piece { pipe: &two, offset: 5, begins: false, time: 8, bytes: b"f\ngh" });
        let mut take = |bytes, lines| {
            let taken = chunks.take_front(bytes, lines);
            let text = |piece: Piece<'_>| {
                let bytes = String::from_utf8_lossy(piece.bytes).into_owned();
                (piece.pipe.number, piece.offset, piece.begins, bytes)
            };
            taken.pieces().map(text).collect::<Vec<_>>()
        };
        assert_eq!(take(100, 1), [(0, 0, true, "a\n".to_owned())]);
        assert_eq!(take(2, 9), [(0, 2, true, "bc".to_owned())]);
        assert_eq!(take(100, 2), [(0, 4, false, "d\ne".to_owned()), (1, 5, false, "f\n".to_owned())]);
        assert_eq!(take(100, 2), [(1, 7, true, "gh".to_owned())]);
        assert_eq!(take(100, 2), []);
        assert!(chunks.is_empty() && chunks.size() == 0);
    }

    #[test]
    fn what_is_read_in_the_same_moment_is_kept_together() {
        let (mut chunks, pipe) = (Chunks::new(1000), pipe(0));
        let piece = Piece { pipe: &pipe, offset: 0, begins: true, time: 7, bytes: b"ab" };
        chunks.add(piece);
        chunks.add(Piece { offset: 2, begins: false, ..piece });
        chunks.add(Piece { offset: 4, begins: false, time: 8, ..piece });
        assert_eq!(chunks.chunks.len(), 2);
    }

    #[test]
    fn of_a_piece_beyond_the_bound_only_the_end_is_copied() {
        let (mut chunks, pipe) = (Chunks::new(OVERHEAD + 4), pipe(0));
        chunks.add(Piece { pipe: &pipe, offset: 10, begins: true, time: 0, bytes: b"abc\ndefg" });
        let kept: Vec<_> = chunks.pieces().map(|piece| (piece.offset, piece.begins, piece.bytes)).collect();
        assert_eq!(kept, [(14, true, &b"defg"[..])]);
        assert_eq!(chunks.bytes.capacity(), 4);
    }

    proptest! {
        #[test]
        fn the_end_of_everything_is_kept_and_each_byte_knows_its_place(
            added in prop::collection::vec((0..3_usize, 0..3_u64, prop::collection::vec(prop::sample::select(b"\nab".to_vec()), 1..40)), 0..60),
            bound in OVERHEAD + 1..OVERHEAD * 6,
        ) {
            let pipes = [pipe(0), pipe(1), pipe(2)];
            let mut all = [const { Vec::<u8>::new() }; 3];
            let mut order: Vec<(u64, u8)> = Vec::new();
            let mut chunks = Chunks::new(bound);
            for (to, time, bytes) in &added {
                let (offset, begins) = (all[*to].len() as u64, all[*to].last().is_none_or(|&byte| byte == b'\n'));
                chunks.add(Piece { pipe: &pipes[*to], offset, begins, time: *time, bytes });
                all[*to].extend(bytes);
                order.extend(bytes.iter().map(|&byte| (*to as u64, byte)));
                prop_assert!(chunks.size() <= bound && chunks.bytes.capacity() <= bound);
            }
            let mut kept = Vec::new();
            for piece in chunks.pieces() {
                let (from, start) = (&all[usize::try_from(piece.pipe.number).unwrap()], usize::try_from(piece.offset).unwrap());
                prop_assert_eq!(&from[start..start + piece.bytes.len()], piece.bytes);
                prop_assert_eq!(piece.begins, start == 0 || from[start - 1] == b'\n');
                kept.extend(piece.bytes.iter().map(|&byte| (piece.pipe.number, byte)));
            }
            prop_assert!(order.ends_with(&kept));
            prop_assert!(added.is_empty() || !kept.is_empty());
        }
    }
}
