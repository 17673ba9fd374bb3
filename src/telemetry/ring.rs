//! The last points of an instance, in memory that does not grow beyond a limit. Pure.
//!
//! Points are kept in blocks of equal length, column by column. A column of a block in which nothing changes takes one number,
//! so what an instance never shows, and what stays zero, costs next to nothing. Times are whole steps since 1970.

use std::collections::VecDeque;
use std::sync::Arc;

use super::code::Code;
use super::point::{FIELDS, NOTHING, Point};

/// How many points are in a block.
const BLOCK: u64 = 240;
const LENGTH: usize = BLOCK as usize;
/// A clock that was set back by no more than so many steps is waited for; else all is begun anew.
const SET_BACK: u64 = 60;

/// Points of the last time, one a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// How many are kept.
    most: u64,
    /// From the first to the last time for which there may be one, both included.
    span: Option<(u64, u64)>,
    /// Without gaps; the last is that of the last time.
    blocks: VecDeque<Block>,
}

type Block = [Column; FIELDS];

/// One figure over the time of a block. What lies beyond the last time means nothing. Copies of a ring have the numbers in common until
/// one of them is changed.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    Same(Code),
    Each(Arc<[Code; LENGTH]>),
}

impl Column {
    fn get(&self, place: usize) -> Code {
        match self {
            Self::Same(code) => *code,
            Self::Each(codes) => codes[place],
        }
    }

    /// Adds what follows on all before.
    fn put(&mut self, place: usize, code: Code) {
        match self {
            Self::Same(before) if place == 0 => *before = code,
            Self::Same(before) if *before == code => {}
            Self::Same(before) => {
                let mut codes = [Code::UNKNOWN; LENGTH];
                codes[..place].fill(*before);
                codes[place] = code;
                *self = Self::Each(Arc::new(codes));
            }
            Self::Each(codes) => Arc::make_mut(codes)[place] = code,
        }
    }
}

impl Ring {
    pub(super) fn new(most: u64) -> Self {
        Self { most: most.max(1), span: None, blocks: VecDeque::new() }
    }

    /// From the first to the last time for which there may be a point.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// Adds the point of a time. What lies between this and the last one is not known.
    pub(super) fn push(&mut self, time: u64, point: &Point) {
        if let Some((_, last)) = self.span {
            if time <= last && last - time <= SET_BACK {
                return;
            }
            if time < last || time - last >= self.most {
                *self = Self::new(self.most);
            }
        }
        let (first, next) = self.span.map_or((time, time), |(first, last)| (first, last + 1));
        for missed in next..time {
            self.append(missed, &NOTHING);
        }
        self.append(time, point);
        self.span = Some((first.max((time + 1).saturating_sub(self.most)), time));
        self.forget();
    }

    /// The points of a time; unknown where there is none.
    pub(super) fn get(&self, time: u64, field: usize) -> Code {
        let Some((first, last)) = self.span else { return Code::UNKNOWN };
        if time < first || time > last {
            return Code::UNKNOWN;
        }
        let from_the_end = usize::try_from(last / BLOCK - time / BLOCK).unwrap_or(usize::MAX);
        let block = self.blocks.iter().rev().nth(from_the_end);
        block.map_or(Code::UNKNOWN, |block| block[field].get(place(time)))
    }

    fn append(&mut self, time: u64, point: &Point) {
        if self.blocks.is_empty() || place(time) == 0 {
            self.blocks.push_back([const { Column::Same(Code::UNKNOWN) }; FIELDS]);
        }
        let Some(block) = self.blocks.back_mut() else { return };
        for (column, code) in block.iter_mut().zip(point) {
            column.put(place(time), *code);
        }
    }

    /// Gives the memory of what is too old back.
    fn forget(&mut self) {
        let Some((first, last)) = self.span else { return };
        let needed = usize::try_from(last / BLOCK - first / BLOCK + 1).unwrap_or(usize::MAX);
        while self.blocks.len() > needed {
            self.blocks.pop_front();
        }
    }

    /// As it is handed over.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let (first, last) = self.span.unwrap_or((1, 0));
        to.extend(first.to_le_bytes());
        to.extend(last.to_le_bytes());
        for column in self.blocks.iter().flatten() {
            match column {
                Column::Same(code) => {
                    to.push(0);
                    to.extend(code.to_bytes());
                }
                Column::Each(codes) => {
                    to.push(1);
                    to.extend(codes.iter().flat_map(|code| code.to_bytes()));
                }
            }
        }
    }

    /// From what was handed over, of which it takes its part; `None` where that makes no sense.
    pub(super) fn read(most: u64, from: &mut &[u8]) -> Option<Self> {
        let (first, last) = (u64::from_le_bytes(*take(from)?), u64::from_le_bytes(*take(from)?));
        let mut ring = Self::new(most);
        if first > last {
            return Some(ring);
        }
        // A time that is close to the last of all could not be counted on from.
        if last - first >= most || last > u64::MAX / 2 {
            return None;
        }
        for _ in first / BLOCK..=last / BLOCK {
            let mut block = [const { Column::Same(Code::UNKNOWN) }; FIELDS];
            for column in &mut block {
                *column = match take::<1>(from)? {
                    [0] => Column::Same(Code::from_bytes(*take(from)?)),
                    [1] => each(take(from)?),
                    _ => return None,
                };
            }
            ring.blocks.push_back(block);
        }
        ring.span = Some((first, last));
        Some(ring)
    }

    /// How much memory it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let each = self.blocks.iter().flatten().filter(|column| matches!(column, Column::Each(_)));
        each.count() * size_of::<[Code; LENGTH]>() + self.blocks.capacity() * size_of::<Block>()
    }
}

fn place(time: u64) -> usize {
    (time % BLOCK) as usize
}

fn each(bytes: &[u8; LENGTH * 2]) -> Column {
    let mut codes = [Code::UNKNOWN; LENGTH];
    for (code, pair) in codes.iter_mut().zip(bytes.as_chunks().0) {
        *code = Code::from_bytes(*pair);
    }
    Column::Each(Arc::new(codes))
}

fn take<'a, const N: usize>(from: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn point(number: u64) -> Point {
        [Code::of(Some(number as f64)); FIELDS]
    }

    fn times(ring: &Ring) -> Vec<u64> {
        let (first, last) = ring.span().unwrap();
        (first..=last).filter(|time| ring.get(*time, 0) != Code::UNKNOWN).collect()
    }

    #[test]
    fn times_without_a_point_are_gaps() {
        let mut ring = Ring::new(100);
        for time in [1000, 1001, 1004] {
            ring.push(time, &point(time));
        }
        assert_eq!((ring.span(), times(&ring)), (Some((1000, 1004)), vec![1000, 1001, 1004]));
        assert_eq!((ring.get(999, 0), ring.get(1005, 0)), (Code::UNKNOWN, Code::UNKNOWN));
    }

    #[test]
    fn after_a_gap_that_is_longer_than_all_that_is_kept_it_begins_anew() {
        let mut ring = Ring::new(100);
        ring.push(1000, &point(1));
        ring.push(9000, &point(2));
        assert_eq!((ring.span(), ring.blocks.len()), (Some((9000, 9000)), 1));
    }

    #[test]
    fn a_clock_that_was_set_back_is_waited_for_or_begins_anew() {
        let mut ring = Ring::new(100);
        ring.push(1000, &point(1));
        ring.push(990, &point(2));
        ring.push(1000, &point(3));
        assert_eq!((times(&ring), ring.get(1000, 0)), (vec![1000], point(1)[0]));
        ring.push(500, &point(4));
        assert_eq!(times(&ring), [500]);
    }

    #[test]
    fn what_never_changes_takes_no_memory_of_its_own() {
        let mut ring = Ring::new(3600);
        (0..10_000).for_each(|time| ring.push(time, &point(7)));
        assert!(ring.blocks.iter().flatten().all(|column| matches!(column, Column::Same(_))));
        assert_eq!(times(&ring).len(), 3600);
    }

    proptest! {
        #[test]
        fn it_holds_the_last_points_as_a_map_would(
            steps in prop::collection::vec((1..400_u64, 0..3_u64), 1..60), begin in 0..1_000_u64,
        ) {
            const MOST: u64 = 700;
            let (mut ring, mut map, mut time) = (Ring::new(MOST), BTreeMap::new(), begin);
            for (step, number) in steps {
                time += step;
                ring.push(time, &point(number));
                map.insert(time, number);
                map.retain(|old, _| *old + MOST > time);
            }
            for at in begin..=time + 1 {
                let expected = map.get(&at).map_or(Code::UNKNOWN, |number| point(*number)[0]);
                prop_assert_eq!(ring.get(at, FIELDS - 1), expected);
            }
            prop_assert!(ring.blocks.len() as u64 <= MOST / BLOCK + 2);
            let mut bytes = Vec::new();
            ring.write(&mut bytes);
            let mut rest = &bytes[..];
            prop_assert_eq!(Ring::read(MOST, &mut rest), Some(ring));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, first in 0..500_u64, length in 0..500_u64, time: u64) {
            let _ = Ring::read(3600, &mut &bytes[..]);
            let mut head = first.to_le_bytes().to_vec();
            head.extend((first + length).to_le_bytes());
            head.extend(bytes);
            if let Some(mut ring) = Ring::read(3600, &mut &head[..]) {
                ring.push(time % (u64::MAX / 2), &NOTHING);
            }
        }
    }
}
