//! Since when each counter counts, which OTLP wants to know of every value. Pure.
//!
//! A counter counts since the runtime was started, unless it was seen to begin anew: then it is the moment of the look before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was seen of each counter at the last look. It goes over an update. All times are nanoseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Starts {
    last_look: Option<u64>,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Seen {
    start: u64,
    value: f64,
    at: u64,
}

impl Starts {
    /// Since when the counter has counted that is at `value` now, in a runtime that was started at `began`.
    pub fn of(&mut self, counter: String, value: f64, (began, now): (u64, u64)) -> u64 {
        let anew = self.last_look.unwrap_or(began);
        let seen = self.seen.entry(counter).or_insert(Seen { start: anew, value, at: now });
        if value < seen.value {
            seen.start = anew;
        }
        (seen.value, seen.at) = (value, now);
        seen.start
    }

    /// A look at `now` is over: forgets the counters that are gone. One that comes back begins anew.
    pub fn looked(&mut self, now: u64) {
        self.seen.retain(|_, seen| seen.at == now);
        self.last_look = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Since when it counts at each look; `None` is a look that does not find it.
    fn starts(looks: &[Option<f64>]) -> Vec<Option<u64>> {
        let mut starts = Starts::default();
        let mut at = |(turn, value): (u64, &Option<f64>)| {
            let now = 10 * (turn + 1);
            let start = value.map(|value| starts.of("restarts".to_owned(), value, (5, now)));
            starts.looked(now);
            start
        };
        (0..).zip(looks).map(&mut at).collect()
    }

    #[test]
    fn a_counter_counts_since_the_runtime_was_started() {
        assert_eq!(starts(&[Some(1.0), Some(1.0), Some(7.0)]), [Some(5), Some(5), Some(5)]);
    }

    #[test]
    fn one_that_falls_has_begun_anew() {
        assert_eq!(starts(&[Some(3.0), Some(1.0), Some(2.0)]), [Some(5), Some(10), Some(10)]);
    }

    #[test]
    fn one_that_comes_later_or_comes_back_counts_since_the_look_before() {
        assert_eq!(starts(&[None, Some(1.0), None, Some(1.0)]), [None, Some(10), None, Some(30)]);
    }
}
