//! Whether and when an ended worker is replaced: the record of an instance's ends, the growing delay and its jitter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::{ExitReason, Signal};
use crate::spec::{RestartDelay, RestartPolicy};

/// A worker that lived so long sets the delay back to its first value.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Small and seeded, so that a history can be played again. The generator is SplitMix64.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// Equal seeds give equal delays.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `span` times something between 0.8 and 1.2.
    fn spread(&mut self, span: Duration) -> Duration {
        let permille = 800 + u32::try_from(self.next() % 401).expect("a remainder of 401 is small");
        span.saturating_mul(permille) / 1000
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What the ends of an instance's workers add up to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct History {
    /// Unstable starts in a row.
    unstable: u32,
    /// Ends in a row of workers that did not live for [`STABLE_AFTER`].
    short_lives: u32,
}

/// How long a worker lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It could not even be spawned: always an unstable start.
    None,
    Of(Duration),
}

/// What is to be done about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    Retry(Duration),
    GiveUp,
}

impl History {
    /// Takes note of an end, and says whether there shall be a next worker and in what time.
    pub(super) fn judge(
        &mut self,
        policy: &RestartPolicy,
        reason: ExitReason,
        life: Life,
        jitter: &mut Jitter,
    ) -> Sentence {
        if self.note(policy, reason, life) && self.unstable >= policy.max_unstable {
            return Sentence::GiveUp;
        }
        let delay = self.delay(policy.delay, jitter);
        if !life.reaches(STABLE_AFTER) {
            self.short_lives = self.short_lives.saturating_add(1);
        }
        Sentence::Retry(delay)
    }

    /// Unstable starts in a row so far.
    pub(super) fn unstable(&self) -> u32 {
        self.unstable
    }

    /// Counts an end; true when it was an unstable one.
    fn note(&mut self, policy: &RestartPolicy, reason: ExitReason, life: Life) -> bool {
        if life.reaches(STABLE_AFTER) {
            self.short_lives = 0;
        }
        if life.reaches(policy.min_uptime) {
            self.unstable = 0;
            return false;
        }
        // A platform may signal every process of the container at once: the worker's end is then the first we hear
        // of a stop, and says nothing about the app.
        if is_request(reason) {
            return false;
        }
        self.unstable = self.unstable.saturating_add(1);
        true
    }

    fn delay(&self, delay: RestartDelay, jitter: &mut Jitter) -> Duration {
        match delay {
            RestartDelay::Fixed(delay) => delay,
            RestartDelay::Exponential { first, cap } => {
                let factor = 1_u32.checked_shl(self.short_lives).unwrap_or(u32::MAX);
                jitter.spread(first.saturating_mul(factor).min(cap)).min(cap)
            }
        }
    }
}

impl Life {
    fn reaches(self, span: Duration) -> bool {
        match self {
            Self::None => false,
            Self::Of(lived) => lived >= span,
        }
    }
}

/// Whether the process ended by a signal that asks for an end.
fn is_request(reason: ExitReason) -> bool {
    match reason {
        ExitReason::Signal(signal) => [Signal::TERM, Signal::INT, Signal::QUIT].contains(&signal),
        ExitReason::Code(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::AfterExit;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(15);

    fn policy() -> RestartPolicy {
        RestartPolicy {
            after_exit: AfterExit::Restart,
            delay: RestartDelay::Exponential { first: FIRST, cap: CAP },
            min_uptime: Duration::from_secs(1),
            max_unstable: 16,
            stop_codes: Vec::new(),
            cron: None,
        }
    }

    fn delays(lives: &[u64], seed: u64) -> Vec<Duration> {
        let (mut history, mut jitter) = (History::default(), Jitter::new(seed));
        let crash = ExitReason::Code(1);
        lives
            .iter()
            .map(|&secs| {
                match history.judge(&policy(), crash, Life::Of(Duration::from_secs(secs)), &mut jitter) {
                    Sentence::Retry(delay) => delay,
                    Sentence::GiveUp => panic!("given up"),
                }
            })
            .collect()
    }

    #[track_caller]
    fn assert_about(delay: Duration, expected: Duration) {
        assert!(
            delay >= expected * 8 / 10 && delay <= expected * 12 / 10,
            "{delay:?}, not about {expected:?}"
        );
    }

    #[test]
    fn the_delay_doubles_with_every_short_life_and_stays_within_a_fifth() {
        for seed in 0..200 {
            let delays = delays(&[2; 6], seed);
            for (k, &delay) in delays.iter().enumerate() {
                assert_about(delay, FIRST * (1 << k));
            }
        }
    }

    #[test]
    fn the_delay_never_exceeds_its_cap_however_often_it_doubles() {
        for seed in 0..50 {
            let delays = delays(&[2; 80], seed);
            assert!(delays.iter().all(|&delay| delay <= CAP));
            assert!(delays.iter().skip(10).all(|&delay| delay >= CAP * 8 / 10));
        }
    }

    #[test]
    fn a_stable_minute_sets_the_delay_back() {
        let delays = delays(&[2, 2, 2, 60, 2, 2], 7);
        assert_about(delays[3], FIRST);
        assert_about(delays[4], FIRST);
        assert_about(delays[5], FIRST * 2);
    }

    #[test]
    fn the_jitter_varies() {
        let all: std::collections::BTreeSet<_> = (0..50).map(|seed| delays(&[2], seed)[0]).collect();
        assert!(all.len() > 25, "{all:?}");
    }

    #[test]
    fn the_longest_spans_do_not_overflow() {
        let delay = RestartDelay::Exponential { first: Duration::MAX, cap: Duration::MAX };
        let mut history = History::default();
        let policy = RestartPolicy { delay, max_unstable: 0, ..policy() };
        for _ in 0..40 {
            history.judge(
                &policy,
                ExitReason::Code(0),
                Life::Of(Duration::from_secs(2)),
                &mut Jitter::new(1),
            );
        }
    }
}
