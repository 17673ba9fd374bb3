//! What stands between an app and its first start: an order, other apps, a command. Pure.
//!
//! ```text
//! closed --order--> waits --others are there--> prepares --the command succeeded--> open
//!    ^                |                            |
//!    '----- stop -----+----------------------------+-- others, or the command, have failed --> failed --order--> waits
//! ```

use serde::{Deserialize, Serialize};

use crate::process::{ExitReason, Signal};
use crate::spec::{Autostart, Dependency, StartPolicy, Until};
use crate::supervisor::Uptime;

/// See the module. Once it is open, it never closes again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Gate {
    #[default]
    Open,
    /// Until somebody orders a start.
    Closed,
    /// For other apps.
    Waits,
    /// The command runs.
    Prepares(Course),
    /// It is not started.
    Failed,
}

/// How far the command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Course {
    Runs {
        until: Uptime,
    },
    /// It was asked to end, and is killed then.
    Asked {
        why: Why,
        kill_at: Uptime,
    },
    Killed {
        why: Why,
    },
}

/// Why a command was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Why {
    Stopped,
    TimedOut,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed(ExitReason),
    TimedOut,
    /// Nobody wants to know any more.
    Stopped,
    /// The same, and it had to be killed.
    Killed,
}

/// What others can see of an app that they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Absent,
    Coming,
    Started,
    Ready,
    /// It has ended with status 0.
    Done,
    Failed,
}

/// Whether those that an app needs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passage {
    Go,
    Wait,
    /// They never will be: because of this one.
    Never {
        app: String,
        standing: Standing,
    },
}

impl Gate {
    /// Before the app's first start.
    pub(super) fn before(policy: &StartPolicy) -> Self {
        match policy.when {
            Autostart::OnOrder => Self::Closed,
            Autostart::AtOnce if policy.is_immediate() => Self::Open,
            Autostart::AtOnce => Self::Waits,
        }
    }

    /// When to call [`Gate::on_deadline`].
    pub(super) fn deadline(&self) -> Option<Uptime> {
        match self {
            Self::Prepares(Course::Runs { until }) => Some(*until),
            Self::Prepares(Course::Asked { kill_at, .. }) => Some(*kill_at),
            Self::Open
            | Self::Closed
            | Self::Waits
            | Self::Failed
            | Self::Prepares(Course::Killed { .. }) => None,
        }
    }

    /// The command is not wanted any more, nor the start. Gives the signal that it is to get.
    pub(super) fn stop(&mut self, signal: Signal, kill_at: Uptime) -> Option<Signal> {
        match self {
            Self::Open | Self::Closed => None,
            Self::Waits | Self::Failed => {
                *self = Self::Closed;
                None
            }
            Self::Prepares(course @ Course::Runs { .. }) => {
                *course = Course::Asked { why: Why::Stopped, kill_at };
                Some(signal)
            }
            Self::Prepares(Course::Asked { why, .. } | Course::Killed { why }) => {
                *why = Why::Stopped;
                None
            }
        }
    }

    /// Somebody has lost patience. Gives the signal that the command is to get.
    pub(super) fn hurry(&mut self) -> Option<Signal> {
        let Self::Prepares(course @ Course::Asked { .. }) = self else { return None };
        *course = Course::Killed { why: Why::Stopped };
        Some(Signal::KILL)
    }

    /// The command has taken too long, or did not end when it was asked to. Gives the signal that it is to get.
    pub(super) fn on_deadline(&mut self, now: Uptime, kill_at: Uptime) -> Option<Signal> {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        let Self::Prepares(course) = self else { return None };
        match *course {
            Course::Runs { .. } if is_due => {
                *course = Course::Asked { why: Why::TimedOut, kill_at };
                Some(Signal::TERM)
            }
            Course::Asked { why, .. } if is_due => {
                *course = Course::Killed { why };
                Some(Signal::KILL)
            }
            Course::Runs { .. } | Course::Asked { .. } | Course::Killed { .. } => None,
        }
    }

    /// The command has ended.
    pub(super) fn on_ended(&mut self, reason: ExitReason) -> Outcome {
        let Self::Prepares(course) = *self else { return Outcome::Stopped };
        let outcome = match (course, reason) {
            (Course::Runs { .. }, ExitReason::Code(0)) => Outcome::Passed,
            (Course::Runs { .. }, _) => Outcome::Failed(reason),
            (Course::Asked { why: Why::TimedOut, .. } | Course::Killed { why: Why::TimedOut }, _) => {
                Outcome::TimedOut
            }
            (Course::Asked { why: Why::Stopped, .. }, _) => Outcome::Stopped,
            (Course::Killed { why: Why::Stopped }, _) => Outcome::Killed,
        };
        *self = match outcome {
            Outcome::Passed => Self::Open,
            Outcome::Failed(_) | Outcome::TimedOut => Self::Failed,
            Outcome::Stopped | Outcome::Killed => Self::Closed,
        };
        outcome
    }
}

/// Whether all that is needed is there, or never will be.
pub(super) fn passage(needed: &[Dependency], standing: impl Fn(&str) -> Standing) -> Passage {
    let mut passage = Passage::Go;
    for Dependency { app, until } in needed {
        let standing = standing(app);
        let has_come = match (until, standing) {
            (_, Standing::Absent | Standing::Failed) => {
                return Passage::Never { app: app.clone(), standing };
            }
            (_, Standing::Done) => true,
            (Until::Ready, Standing::Ready) | (Until::Started, Standing::Ready | Standing::Started) => true,
            (Until::Ready, Standing::Started) | (Until::Exited, Standing::Ready | Standing::Started) => false,
            (_, Standing::Coming) => false,
        };
        if !has_come {
            passage = Passage::Wait;
        }
    }
    passage
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn prepares() -> Gate {
        Gate::Prepares(Course::Runs { until: at(10) })
    }

    #[test]
    fn only_an_app_with_nothing_before_it_starts_at_once() {
        let mut policy = StartPolicy::default();
        assert_eq!(Gate::before(&policy), Gate::Open);
        policy.after = vec![Dependency { app: "db".to_owned(), until: Until::Ready }];
        assert_eq!(Gate::before(&policy), Gate::Waits);
        policy.when = Autostart::OnOrder;
        assert_eq!(Gate::before(&policy), Gate::Closed);
    }

    #[test]
    fn what_is_needed_is_there_is_to_come_or_never_comes() {
        let needs = |until| [Dependency { app: "db".to_owned(), until }];
        let passes = |until, standing| passage(&needs(until), |_| standing);
        for (until, enough) in [
            (Until::Ready, vec![Standing::Ready, Standing::Done]),
            (Until::Started, vec![Standing::Started, Standing::Ready, Standing::Done]),
            (Until::Exited, vec![Standing::Done]),
        ] {
            for standing in [Standing::Coming, Standing::Started, Standing::Ready, Standing::Done] {
                let expected = if enough.contains(&standing) { Passage::Go } else { Passage::Wait };
                assert_eq!(passes(until, standing), expected, "{until:?} {standing:?}");
            }
            for standing in [Standing::Absent, Standing::Failed] {
                assert_eq!(passes(until, standing), Passage::Never { app: "db".to_owned(), standing });
            }
        }
        let both = [needs(Until::Ready), needs(Until::Exited)].concat();
        assert_eq!(passage(&both, |_| Standing::Ready), Passage::Wait);
        assert_eq!(passage(&[], |_| Standing::Absent), Passage::Go);
    }

    #[test]
    fn a_command_opens_the_gate_or_says_why_not() {
        let failed = ExitReason::Code(3);
        for (mut gate, reason, outcome, then) in [
            (prepares(), ExitReason::Code(0), Outcome::Passed, Gate::Open),
            (prepares(), failed, Outcome::Failed(failed), Gate::Failed),
        ] {
            assert_eq!((gate.on_ended(reason), gate), (outcome, then));
        }
        let mut gate = prepares();
        assert_eq!(gate.on_deadline(at(9), at(20)), None);
        assert_eq!(gate.on_deadline(at(10), at(20)), Some(Signal::TERM));
        assert_eq!(gate.deadline(), Some(at(20)));
        assert_eq!(gate.on_deadline(at(20), at(40)), Some(Signal::KILL));
        assert_eq!(gate.deadline(), None);
        assert_eq!(
            (gate.on_ended(ExitReason::Signal(Signal::KILL)), gate),
            (Outcome::TimedOut, Gate::Failed)
        );
    }

    #[test]
    fn a_stop_ends_the_command_once() {
        let mut gate = prepares();
        assert_eq!(gate.stop(Signal::INT, at(5)), Some(Signal::INT));
        assert_eq!(gate.stop(Signal::INT, at(6)), None);
        let mut patient = gate;
        // It may end well all the same; nobody wants to know.
        assert_eq!((patient.on_ended(ExitReason::Code(0)), patient), (Outcome::Stopped, Gate::Closed));
        assert_eq!(gate.hurry(), Some(Signal::KILL));
        assert_eq!(gate.hurry(), None);
        assert_eq!((gate.on_ended(ExitReason::Signal(Signal::KILL)), gate), (Outcome::Killed, Gate::Closed));
        let mut waiting = Gate::Waits;
        assert_eq!((waiting.stop(Signal::TERM, at(5)), waiting), (None, Gate::Closed));
        let mut open = Gate::Open;
        assert_eq!((open.stop(Signal::TERM, at(5)), open.hurry(), open), (None, None, Gate::Open));
    }
}
