//! What is kept of one instance: the last hour second by second, and the last day minute by minute. Pure.

use super::point::{ALL, FIELDS, Point};
use super::ring::Ring;

/// How many seconds are kept one by one.
pub(super) const SECONDS: u64 = 60 * 60;
/// How many minutes are kept.
pub(super) const MINUTES: u64 = 24 * 60;

/// One instance over time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) seconds: Ring,
    pub(super) minutes: Ring,
    /// What the instance had been restarted at the last point.
    restarts: Option<u32>,
}

impl Default for Series {
    fn default() -> Self {
        Self { seconds: Ring::new(SECONDS), minutes: Ring::new(MINUTES), restarts: None }
    }
}

impl Series {
    /// How many restarts are new, if there have been so many in all.
    pub(super) fn new_restarts(&mut self, all: u32) -> u32 {
        let before = self.restarts.replace(all).unwrap_or(all);
        // They are counted anew after `pmr reset`.
        if all < before { all } else { all - before }
    }

    /// Adds the point of a second since 1970. A minute is made once it is over.
    pub(super) fn push(&mut self, second: u64, point: &Point) {
        if let Some((_, last)) = self.seconds.span()
            && second / 60 > last / 60
        {
            let minute = last / 60;
            let figure = |field: usize| {
                ALL[field].together((minute * 60..=last).map(|second| self.seconds.get(second, field)))
            };
            self.minutes.push(minute, &std::array::from_fn::<_, FIELDS, _>(figure));
        }
        self.seconds.push(second, point);
    }

    /// As it is handed over.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FIELDS as u8];
        bytes.extend(self.restarts.unwrap_or(u32::MAX).to_le_bytes());
        self.seconds.write(&mut bytes);
        self.minutes.write(&mut bytes);
        bytes
    }

    /// From what was handed over; `None` where that makes no sense, or was written by a program with other figures.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fields, rest) = bytes.split_first()?;
        let (restarts, mut rest) = rest.split_first_chunk()?;
        if usize::from(*fields) != FIELDS {
            return None;
        }
        let seconds = Ring::read(SECONDS, &mut rest)?;
        let minutes = Ring::read(MINUTES, &mut rest)?;
        let restarts = Some(u32::from_le_bytes(*restarts)).filter(|number| *number != u32::MAX);
        rest.is_empty().then_some(Self { seconds, minutes, restarts })
    }
}

#[cfg(test)]
mod tests {
    use super::super::code::Code;
    use super::super::point::Field;
    use super::*;

    /// As docs/history.md says.
    const MOST_BYTES: usize = 112_000;

    #[test]
    fn a_minute_is_made_of_its_seconds_once_it_is_over() {
        let mut series = Series::default();
        for second in 600..665 {
            let value = if second == 610 { 100.0 } else { 1.0 };
            series.push(second, &[Code::of(Some(value)); FIELDS]);
        }
        assert_eq!(series.minutes.span(), Some((10, 10)));
        let of = |field: Field| series.minutes.get(10, field as usize).value().unwrap();
        assert_eq!((of(Field::LatencyMs), of(Field::Restarts)), (100.0, 159.0));
        assert_eq!(of(Field::CpuPercent), 2.65);
    }

    #[test]
    fn a_day_and_more_takes_no_more_memory_than_is_said() {
        let mut series = Series::default();
        for second in 0..100_000_u64 {
            // No two that follow on each other are the same.
            let value = |field: usize| Code::of(Some((second % 977) as f64 * 1.37 + field as f64));
            series.push(second + 7, &std::array::from_fn(value));
        }
        let bytes = series.seconds.bytes() + series.minutes.bytes();
        assert!((80_000..MOST_BYTES).contains(&bytes), "{bytes}");
        assert!(series.to_bytes().len() < MOST_BYTES);
        let (first, last) = series.minutes.span().unwrap();
        assert_eq!(last - first + 1, MINUTES);
        assert_eq!(Series::from_bytes(&series.to_bytes()), Some(series));
    }

    #[test]
    fn restarts_are_counted_from_point_to_point() {
        let mut series = Series::default();
        assert_eq!([3, 3, 5, 1].map(|all| series.new_restarts(all)), [0, 0, 2, 1]);
    }

    #[test]
    fn what_was_cut_off_is_not_taken() {
        let mut series = Series::default();
        series.push(5, &[Code::UNKNOWN; FIELDS]);
        let bytes = series.to_bytes();
        assert!((0..bytes.len()).all(|length| Series::from_bytes(&bytes[..length]).is_none()));
        let mut other = bytes.clone();
        other[0] += 1;
        assert_eq!((Series::from_bytes(&other), Series::from_bytes(&bytes)), (None, Some(series)));
    }
}
