//! Between how many instances an app may have.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The ends of `--instances 2..8`. The greater is not the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRange {
    pub least: NonZeroU32,
    pub most: NonZeroU32,
}

impl InstanceRange {
    /// The number of this range that is nearest to `count`.
    #[must_use]
    pub fn nearest(self, count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).map_or(self.least, |count| count.max(self.least).min(self.most))
    }

    /// Whether an app may have so many instances.
    #[must_use]
    pub fn has(self, count: u32) -> bool {
        (self.least.get()..=self.most.get()).contains(&count)
    }
}

/// As the option has it.
impl fmt::Display for InstanceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_a_range_is_within_it() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let range = InstanceRange { least: number(2), most: number(8) };
        let nearest: Vec<_> = [0, 1, 2, 5, 8, 9, u32::MAX].map(|count| range.nearest(count).get()).into();
        assert_eq!(nearest, [2, 2, 2, 5, 8, 8, 8]);
        assert_eq!([0, 1, 2, 8, 9].map(|count| range.has(count)), [false, false, true, true, false]);
        assert_eq!(range.to_string(), "2..8");
    }
}
