//! What follows a try to push, by the rules of OTLP/HTTP. Pure.

use std::time::Duration;

/// The first pause after a failure; each that follows is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All was taken, or all but so many points, for this reason.
    Taken { rejected: Option<(u64, String)> },
    /// The receiver said so.
    Status { status: u16, retry_after: Option<Duration> },
    /// There was no answer, for this reason.
    NoAnswer(String),
}

impl Outcome {
    /// Whether the same may be taken later: statuses that the specification lists, and no answer at all.
    #[must_use]
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Taken { .. } => false,
            Self::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::NoAnswer(_) => true,
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub(super) fn complaint(&self) -> Option<String> {
        match self {
            Self::Taken { rejected: None } => None,
            Self::Taken { rejected: Some((count, why)) } if why.is_empty() => {
                Some(format!("{count} points were refused"))
            }
            Self::Taken { rejected: Some((count, why)) } => {
                Some(format!("{count} points were refused: {why}"))
            }
            Self::Status { status, .. } => Some(match status {
                401 | 403 => format!("status {status} (OTEL_EXPORTER_OTLP_HEADERS says who we are)"),
                404 | 405 => format!("status {status} (nobody takes OTLP's metrics there)"),
                _ => format!("status {status}"),
            }),
            Self::NoAnswer(why) => Some(why.clone()),
        }
    }

    /// How long to wait before the same is tried again for the `tries`th time, from 1 on. `chance` is from 0 to 1, so that
    /// many that were refused together do not come back together.
    #[must_use]
    pub(super) fn pause(&self, tries: u32, chance: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST);
        let pause = doubled.mul_f64(0.5 + chance / 2.0);
        match self {
            Self::Status { retry_after: Some(wanted), .. } => pause.max(*wanted),
            _ => pause,
        }
    }
}

/// What is to be said after a try. Said once when it begins to fail, and once when that is over.
#[derive(Debug, Default)]
pub(super) struct Voice {
    failing: bool,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say {
    Fails(String),
    Works,
}

impl Voice {
    /// Takes note of how a try went.
    pub(super) fn hear(&mut self, outcome: &Outcome) -> Option<Say> {
        let complaint = outcome.complaint();
        let was_failing = std::mem::replace(&mut self.failing, complaint.is_some());
        match complaint {
            Some(why) if !was_failing => Some(Say::Fails(why)),
            None if was_failing => Some(Say::Works),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    const TAKEN: Outcome = Outcome::Taken { rejected: None };

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (outcome, again) in [
            (status(429), true),
            (status(503), true),
            (status(500), false),
            (status(400), false),
            (Outcome::NoAnswer("refused".to_owned()), true),
            (Outcome::Taken { rejected: Some((1, String::new())) }, false),
            (TAKEN, false),
        ] {
            assert_eq!(outcome.may_pass(), again, "{outcome:?}");
        }
    }

    #[test]
    fn pauses_grow_and_a_receiver_may_ask_for_longer_ones() {
        let pauses: Vec<u64> = (1..=7).map(|tries| status(503).pause(tries, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(status(503).pause(u32::MAX, 0.0), LONGEST / 2);
        let asked = Outcome::Status { status: 503, retry_after: Some(Duration::from_secs(100)) };
        assert_eq!(asked.pause(1, 1.0), Duration::from_secs(100));
    }

    #[test]
    fn a_failure_is_told_once_and_its_end_as_well() {
        let mut voice = Voice::default();
        let mut hear = |outcome: &Outcome| voice.hear(outcome);
        assert_eq!(hear(&TAKEN), None);
        assert_eq!(hear(&status(400)), Some(Say::Fails("status 400".to_owned())));
        assert_eq!(hear(&Outcome::NoAnswer("no".to_owned())), None);
        assert_eq!(hear(&TAKEN), Some(Say::Works));
        assert_eq!(hear(&TAKEN), None);
    }
}
