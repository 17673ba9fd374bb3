//! Signs of life of one worker: sd_notify's watchdog, and whether its event loop turns.
//!
//! Both are deadlines that a sign of life moves. One that we ourselves come to late, because we were stopped or starved,
//! says nothing about the worker: it counts anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Uptime;

/// A deadline noticed later than this is our own fault. The loop's turns take milliseconds.
const LATE: Duration = Duration::from_millis(500);

/// What has come of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    NotYet,
    /// It has passed, but it was us who were away.
    Unseen,
    Missed,
}

/// Whether `due` has passed, as seen at `now`.
pub(super) fn passed(now: Uptime, due: Uptime) -> Passed {
    match now.since(due) {
        _ if due > now => Passed::NotYet,
        late if late > LATE => Passed::Unseen,
        _ => Passed::Missed,
    }
}

/// sd_notify's watchdog: runs from the worker's first `WATCHDOG=1` on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Watchdog {
    /// `None`: not asked for.
    period: Option<Duration>,
    due: Option<Uptime>,
}

impl Watchdog {
    pub(super) fn new(period: Option<Duration>) -> Self {
        Self { period, due: None }
    }

    /// Whether it was asked for, and not ended by the worker.
    pub(super) fn is_on(&self) -> bool {
        self.period.is_some()
    }

    /// `WATCHDOG=1`.
    pub(super) fn feed(&mut self, now: Uptime) {
        self.due = self.period.map(|period| now.after(period));
    }

    /// `WATCHDOG_USEC=…`; zero ends it.
    pub(super) fn set_period(&mut self, now: Uptime, period: Duration) {
        if self.is_on() {
            self.period = Some(period).filter(|period| !period.is_zero());
            if self.due.is_some() {
                self.feed(now);
            }
        }
    }

    /// The worker starts to count now, or we were away.
    pub(super) fn rearm(&mut self, now: Uptime) {
        if self.due.is_some() {
            self.feed(now);
        }
    }

    /// When it is missed.
    pub(super) fn due(&self) -> Option<Uptime> {
        self.due
    }

    /// When the last sign came, if it is missed now. It runs again with the next sign.
    pub(super) fn take_missed(&mut self, now: Uptime) -> Option<Uptime> {
        match passed(now, self.due?) {
            Passed::NotYet => None,
            Passed::Unseen => {
                self.rearm(now);
                None
            }
            Passed::Missed => {
                let due = self.due.take()?;
                Some(Uptime(due.0.saturating_sub(self.period.unwrap_or_default())))
            }
        }
    }
}

/// Whether a worker's event loop turns: it is asked now and then, and answers by itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pulse {
    /// How long an answer may take; `None`: not asked for, or there is nobody to ask.
    limit: Option<Duration>,
    stage: PulseStage,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum PulseStage {
    #[default]
    Off,
    Due(Uptime),
    Asked(Uptime),
    /// An answer is overdue.
    Missed,
}

/// What is to be done about a pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feel {
    Ask,
    /// It stands still since then.
    Missed(Uptime),
}

impl Pulse {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, stage: PulseStage::Off }
    }

    /// Begins to ask, or was answered. True when an answer was overdue.
    pub(super) fn beat(&mut self, now: Uptime) -> bool {
        let Some(limit) = self.limit else { return false };
        let next = PulseStage::Due(now.after(limit / 2));
        matches!(std::mem::replace(&mut self.stage, next), PulseStage::Missed)
    }

    /// There is nobody who could answer.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(super) fn due(&self) -> Option<Uptime> {
        match self.stage {
            PulseStage::Due(at) => Some(at),
            PulseStage::Asked(at) => Some(at.after(self.limit?)),
            PulseStage::Off | PulseStage::Missed => None,
        }
    }

    /// What is due.
    pub(super) fn feel(&mut self, now: Uptime) -> Option<Feel> {
        match (self.stage, passed(now, self.due()?)) {
            (_, Passed::NotYet) | (PulseStage::Off | PulseStage::Missed, _) => None,
            (PulseStage::Due(_), _) => {
                self.stage = PulseStage::Asked(now);
                Some(Feel::Ask)
            }
            // The answer may have come while we were away. The question stands.
            (PulseStage::Asked(_), Passed::Unseen) => {
                self.stage = PulseStage::Asked(now);
                None
            }
            (PulseStage::Asked(at), Passed::Missed) => {
                self.stage = PulseStage::Missed;
                Some(Feel::Missed(at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    fn watchdog() -> Watchdog {
        Watchdog::new(Some(Duration::from_secs(1)))
    }

    #[test]
    fn a_worker_that_never_began_to_feed_it_is_not_watched() {
        let mut watchdog = watchdog();
        watchdog.rearm(at(5));
        assert_eq!((watchdog.due(), watchdog.take_missed(at(99_999))), (None, None));
    }

    #[test]
    fn silence_for_a_period_is_told_once_and_with_when_the_last_sign_came() {
        let mut watchdog = watchdog();
        watchdog.feed(at(500));
        watchdog.feed(at(2_000));
        assert_eq!(watchdog.take_missed(at(2_999)), None);
        assert_eq!(watchdog.take_missed(at(3_000)), Some(at(2_000)));
        assert_eq!(watchdog.take_missed(at(3_000)), None);
    }

    #[test]
    fn a_deadline_that_we_slept_over_counts_anew() {
        let mut watchdog = watchdog();
        watchdog.feed(at(0));
        assert_eq!(watchdog.take_missed(at(60_000)), None);
        assert_eq!(watchdog.due(), Some(at(61_000)));
    }

    #[test]
    fn the_worker_may_change_its_period_and_end_it() {
        let mut watchdog = watchdog();
        watchdog.feed(at(0));
        watchdog.set_period(at(0), Duration::from_secs(5));
        assert_eq!(watchdog.due(), Some(at(5_000)));
        watchdog.set_period(at(0), Duration::ZERO);
        assert_eq!(watchdog.due(), None);
        let mut unwanted = Watchdog::new(None);
        unwanted.set_period(at(0), Duration::from_secs(5));
        unwanted.feed(at(0));
        assert_eq!(unwanted.due(), None);
    }

    #[test]
    fn a_pulse_is_asked_for_and_missed_when_the_answer_takes_too_long() {
        let mut pulse = Pulse::new(Some(Duration::from_secs(2)));
        assert_eq!(pulse.due(), None);
        pulse.beat(at(0));
        assert_eq!((pulse.feel(at(999)), pulse.feel(at(1_000))), (None, Some(Feel::Ask)));
        assert!(!pulse.beat(at(1_001)));
        assert_eq!(pulse.feel(at(2_001)), Some(Feel::Ask));
        assert_eq!(pulse.feel(at(4_001)), Some(Feel::Missed(at(2_001))));
        assert_eq!(pulse.due(), None);
        assert!(pulse.beat(at(9_000)));
    }
}
