//! When a worker is ready, and what is to be said about one that is not. One [`Watch`] for each worker.
//!
//! It waits for the sign that the policy asks for. With [`ReadySign::Listening`] the clock may speak as well: a worker
//! that listens nowhere is ready once it has lived for the minimum uptime, or where a port is expected of it, for ten
//! seconds; one that listens elsewhere than the platform expects, after the minimum uptime;
//! unless its predecessor in the same instance did listen, for then a slow start is the likelier explanation, and a
//! reload that believed the clock would stop the old worker too early. Nobody is told of another port before ten seconds
//! are over either: it may be an inspector's or a metrics page's, opened while the app still connects to its database.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Listen, Uptime};
use crate::spec::{ListeningHeard, ReadinessPolicy, ReadySign};

/// Heroku ends a dyno that does not bind its port in 60 s; ten is slow for an app and early enough to be read.
const NOWHERE_AFTER: Duration = Duration::from_secs(10);

/// What is known of a worker's readiness.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Watch {
    sign: ReadySign,
    wanted: Option<u16>,
    min_uptime: Duration,
    /// When the minimum uptime is over.
    stable_at: Uptime,
    /// When a worker that listens nowhere is taken for one that never will.
    silent_at: Uptime,
    expected: Expected,
    tone: Tone,
    heard: Heard,
    /// When to complain that it listens nowhere.
    nowhere_at: Option<Uptime>,
    /// When to complain that it is not ready.
    late_at: Option<Uptime>,
    pace: Pace,
    /// Since when it listens, where a check is to tell whether it is ready.
    #[serde(default)]
    open_since: Option<Uptime>,
    #[serde(default)]
    hold: Hold,
}

/// Whether the worker is kept from going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Hold {
    #[default]
    Free,
    /// It is about to listen. Nothing is expected of it, and time says nothing.
    Parked,
}

/// What the worker has shown so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Heard {
    Nothing,
    /// It listens, but not on the wanted port. It may yet, until `judge_at`.
    Elsewhere {
        found: u16,
        judge_at: Uptime,
        /// When to say so.
        tell_at: Option<Uptime>,
    },
    /// The sign of readiness was given.
    Enough,
}

/// Whether the worker's predecessor in its instance was seen to listen as wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Expected {
    /// So a listen is waited for.
    Listen,
    /// It may be one that never listens.
    Anything,
}

/// Whether complaints are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tone {
    Plain,
    /// A mere init has no opinion of its child.
    Quiet,
}

/// Whether the readiness timeout has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Pace {
    InTime,
    Late,
}

/// Something that people should hear about a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    Nowhere {
        wanted: u16,
    },
    Elsewhere {
        found: u16,
        wanted: u16,
    },
    /// The readiness timeout has passed.
    Late,
}

impl Watch {
    /// Begins to watch a worker spawned at `now`.
    pub(super) fn new(
        now: Uptime,
        policy: &ReadinessPolicy,
        min_uptime: Duration,
        expected: Expected,
        tone: Tone,
    ) -> Self {
        let plain = tone == Tone::Plain;
        let port_matters = plain && policy.sign == ReadySign::Listening && policy.port.is_some();
        let stable_at = now.after(min_uptime);
        Self {
            sign: policy.sign,
            wanted: policy.port,
            min_uptime,
            stable_at,
            silent_at: if port_matters { stable_at.max(now.after(NOWHERE_AFTER)) } else { stable_at },
            expected,
            tone,
            heard: Heard::Nothing,
            nowhere_at: port_matters.then(|| now.after(NOWHERE_AFTER)),
            late_at: plain.then(|| now.after(policy.timeout)),
            pace: Pace::InTime,
            open_since: match policy.sign {
                ReadySign::Healthy(ListeningHeard::No) => Some(now),
                ReadySign::Healthy(ListeningHeard::Yes) | ReadySign::Said | ReadySign::Listening => None,
            },
            hold: Hold::Free,
        }
    }

    /// The worker listens. Says whether that is what was wanted of it.
    pub(super) fn listens(&mut self, now: Uptime, listen: Listen) -> bool {
        if self.sign != ReadySign::Listening {
            self.open_since.get_or_insert(now);
            return false;
        }
        self.nowhere_at = None;
        match (self.wanted, listen.port) {
            (Some(wanted), Some(found)) if found != wanted => {
                self.listens_elsewhere(now, found);
                false
            }
            (Some(_), Some(_) | None) | (None, _) => {
                self.heard = Heard::Enough;
                true
            }
        }
    }

    /// Remembers the first other port. A late one (an inspector's, a metrics page's) gets as long as an early one for
    /// the wanted port to follow.
    fn listens_elsewhere(&mut self, now: Uptime, found: u16) {
        if matches!(self.heard, Heard::Nothing) {
            let judge_at = if now < self.stable_at { self.stable_at } else { now.after(self.min_uptime) };
            let tell_at = (self.tone == Tone::Plain).then(|| judge_at.max(self.silent_at));
            self.heard = Heard::Elsewhere { found, judge_at, tell_at };
        }
    }

    /// Whether it was seen to listen as wanted.
    pub(super) fn has_listened(&self) -> bool {
        self.sign == ReadySign::Listening && matches!(self.heard, Heard::Enough)
    }

    /// The worker said that it is ready.
    pub(super) fn says_ready(&mut self) {
        if self.sign != ReadySign::Listening {
            self.heard = Heard::Enough;
        }
    }

    /// Whether a check makes it ready.
    pub(super) fn waits_for_check(&self) -> bool {
        matches!(self.sign, ReadySign::Healthy(_)) && matches!(self.heard, Heard::Nothing)
    }

    /// Whether a check of the app that began at `asked` may have been answered by it.
    pub(super) fn was_open(&self, asked: Uptime) -> bool {
        self.waits_for_check() && self.open_since.is_some_and(|since| since <= asked)
    }

    /// Whether it was seen to listen, where it becomes ready by a check.
    pub(super) fn was_seen_open(&self) -> bool {
        self.sign == ReadySign::Healthy(ListeningHeard::Yes) && self.open_since.is_some()
    }

    /// It asks for more time to become ready, at least until then.
    pub(super) fn extend(&mut self, until: Uptime) {
        if let Some(late_at) = &mut self.late_at {
            *late_at = until.max(*late_at);
        }
    }

    /// Whether the worker counts as ready now.
    pub(super) fn is_ready(&self, now: Uptime) -> bool {
        self.ready_at().is_some_and(|at| at <= now)
    }

    /// It is about to listen, and is held there.
    pub(super) fn park(&mut self) {
        self.hold = Hold::Parked;
        (self.nowhere_at, self.late_at) = (None, None);
    }

    /// It may go on. One that was held will listen.
    pub(super) fn release(&mut self, now: Uptime, timeout: Duration) {
        if std::mem::take(&mut self.hold) == Hold::Parked {
            self.expected = Expected::Listen;
            self.late_at = Some(now.after(timeout));
            self.open_since = None;
        }
    }

    /// It is ready: its being late is no longer of interest.
    pub(super) fn settle(&mut self) {
        self.late_at = None;
    }

    /// Whether the readiness timeout has passed.
    pub(super) fn is_late(&self) -> bool {
        self.pace == Pace::Late
    }

    /// What is to be said now. To be asked until there is nothing more.
    pub(super) fn complaint(&mut self, now: Uptime) -> Option<Complaint> {
        if self.hold == Hold::Parked {
            return None;
        }
        if let (Some(wanted), Heard::Elsewhere { found, tell_at, .. }) = (self.wanted, &mut self.heard)
            && tell_at.take_if(|at| *at <= now).is_some()
        {
            return Some(Complaint::Elsewhere { found: *found, wanted });
        }
        if let Some(wanted) = self.wanted
            && self.nowhere_at.take_if(|at| *at <= now).is_some()
        {
            return Some(Complaint::Nowhere { wanted });
        }
        self.late_at.take_if(|at| *at <= now)?;
        self.pace = Pace::Late;
        Some(Complaint::Late)
    }

    /// When time alone may make the worker ready.
    pub(super) fn ready_at(&self) -> Option<Uptime> {
        if self.hold == Hold::Parked {
            return None;
        }
        match (&self.heard, self.sign, self.expected) {
            (Heard::Enough, _, _) => Some(Uptime::default()),
            (Heard::Elsewhere { judge_at, .. }, _, Expected::Anything) => Some(*judge_at),
            (Heard::Nothing, ReadySign::Listening, Expected::Anything) => Some(self.silent_at),
            (Heard::Nothing | Heard::Elsewhere { .. }, ReadySign::Listening, Expected::Listen)
            | (Heard::Nothing | Heard::Elsewhere { .. }, ReadySign::Said | ReadySign::Healthy(_), _) => None,
        }
    }

    /// When the next complaint may be due.
    pub(super) fn complaint_at(&self) -> Option<Uptime> {
        if self.hold == Hold::Parked {
            return None;
        }
        let tell_at = match self.heard {
            Heard::Elsewhere { tell_at, .. } => tell_at,
            Heard::Nothing | Heard::Enough => None,
        };
        [tell_at, self.nowhere_at, self.late_at].into_iter().flatten().min()
    }
}
