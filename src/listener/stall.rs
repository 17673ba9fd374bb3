//! Whether an instance accepts, told from the length of its socket's queue. Pure.
//!
//! ```text
//!                     for half the time, nothing          for the other half neither, although
//!                     is seen to be accepted              nothing new comes
//!   Empty ──▶ Waiting ─────────────────────────▶ Suspect ──────────────────────────────────▶ Stalled
//!     ▲          ▲ │                                │                                           │
//!     └──────────┴─┴────────────────────────────────┴───────────────────────────────────────────┘
//!                  the queue is empty or shorter: somebody accepts
//! ```
//!
//! The length alone does not tell a queue that nobody accepts from one that fills as fast as it empties. So a suspect is
//! steered away from at once; then nothing new comes, and any acceptance shows.

use std::time::Duration;

/// What is known of one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Queue {
    stage: Stage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Empty,
    Waiting(Since),
    Suspect(Since),
    Stalled {
        length: u32,
    },
}

/// Nothing was accepted since then, when the queue had this length, or what it has grown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Since {
    time: Duration,
    length: u32,
}

/// What an instance's queue says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It accepts, as far as one can see.
    Accepts,
    /// It gets no new connections.
    Suspect,
    /// It gets no new connections, and who waits there waits in vain.
    Stalled,
}

impl Queue {
    /// Takes note that `waiting` connections wait `now`. Without any progress for `patience` the queue has stalled.
    pub(super) fn observe(&mut self, now: Duration, waiting: u32, patience: Duration) {
        let since = Since { time: now, length: waiting };
        let is_over = |since: Since| now.saturating_sub(since.time) >= patience / 2;
        self.stage = match self.stage {
            Stage::Stalled { length } if waiting >= length => Stage::Stalled { length: waiting },
            _ if waiting == 0 => Stage::Empty,
            Stage::Empty | Stage::Stalled { .. } => Stage::Waiting(since),
            Stage::Waiting(before) | Stage::Suspect(before) if waiting < before.length => {
                Stage::Waiting(since)
            }
            Stage::Waiting(before) if is_over(before) => Stage::Suspect(since),
            Stage::Suspect(before) if is_over(before) => Stage::Stalled { length: waiting },
            Stage::Waiting(before) => Stage::Waiting(Since { length: waiting, ..before }),
            Stage::Suspect(before) => Stage::Suspect(Since { length: waiting, ..before }),
        };
    }

    /// We took so many connections out ourselves. That says nothing of the instance.
    pub(super) fn take_out(&mut self, count: u32) {
        match &mut self.stage {
            Stage::Waiting(Since { length, .. })
            | Stage::Suspect(Since { length, .. })
            | Stage::Stalled { length } => {
                *length = length.saturating_sub(count);
            }
            Stage::Empty => {}
        }
    }

    /// The instance has shown by other means that it accepts again, or another worker is in its place.
    pub(super) fn forgive(&mut self) {
        self.stage = Stage::Empty;
    }

    /// What it says of the instance.
    #[must_use]
    pub(super) fn standing(self) -> Standing {
        match self.stage {
            Stage::Empty | Stage::Waiting(_) => Standing::Accepts,
            Stage::Suspect(_) => Standing::Suspect,
            Stage::Stalled { .. } => Standing::Stalled,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What is thought of a queue in the end that had these lengths at these times.
    fn after(seen: &[(u64, u32)]) -> Queue {
        let mut queue = Queue::default();
        for &(time, waiting) in seen {
            queue.observe(ms(time), waiting, PATIENCE);
        }
        queue
    }

    #[test]
    fn a_queue_in_which_nothing_moves_is_suspect_and_then_stalled() {
        assert_eq!(after(&[(0, 1), (49, 1)]).standing(), Standing::Accepts);
        assert_eq!(after(&[(0, 1), (50, 3)]).standing(), Standing::Suspect);
        assert_eq!(after(&[(0, 1), (50, 3), (99, 3)]).standing(), Standing::Suspect);
        assert_eq!(after(&[(0, 1), (50, 3), (100, 3)]).standing(), Standing::Stalled);
    }

    #[test]
    fn one_that_gets_shorter_is_accepted_from() {
        assert_eq!(after(&[(0, 3), (40, 2), (80, 2)]).standing(), Standing::Accepts);
        assert_eq!(after(&[(0, 3), (60, 3), (80, 2)]).standing(), Standing::Accepts);
        assert_eq!(after(&[(0, 3), (60, 3), (120, 3), (500, 3), (501, 2)]).standing(), Standing::Accepts);
        assert_eq!(after(&[(0, 3), (60, 3), (120, 3), (130, 0)]).standing(), Standing::Accepts);
    }

    #[test]
    fn what_we_take_out_ourselves_is_no_progress() {
        let mut queue = after(&[(0, 3), (60, 3), (120, 3)]);
        queue.take_out(3);
        queue.observe(ms(130), 0, PATIENCE);
        assert_eq!(queue.standing(), Standing::Stalled);
        queue.observe(ms(140), 1, PATIENCE);
        assert_eq!(queue.standing(), Standing::Stalled);
        queue.observe(ms(150), 0, PATIENCE);
        assert_eq!(queue.standing(), Standing::Accepts);
    }

    #[test]
    fn who_answers_otherwise_is_forgiven() {
        let mut queue = after(&[(0, 3), (60, 3), (120, 3)]);
        queue.forgive();
        assert_eq!(queue.standing(), Standing::Accepts);
    }

    proptest! {
        #[test]
        fn an_empty_queue_that_was_left_alone_has_not_stalled(seen in prop::collection::vec((0_u64..80, 0_u32..5), 0..50)) {
            let mut now = 0;
            let mut queue = Queue::default();
            for (step, waiting) in seen {
                now += step;
                queue.observe(ms(now), waiting, PATIENCE);
                prop_assert!(waiting > 0 || queue.standing() == Standing::Accepts);
            }
        }

        #[test]
        fn a_queue_never_stalls_sooner_than_after_the_patience(seen in prop::collection::vec((0_u64..40, 1_u32..5), 1..50)) {
            let (mut now, mut queue) = (0, Queue::default());
            for (step, waiting) in seen {
                now += step;
                queue.observe(ms(now), waiting, PATIENCE);
                prop_assert!(now >= 100 || queue.standing() != Standing::Stalled);
            }
        }
    }
}
