//! How many instances an app should have. Pure.
//!
//! ```text
//!        busy twice, or queueing thrice in a row       a minute in which one less would have been
//!   grows ◀──────────────────────────────────── stays ──────────────────────────────────────────▶ shrinks by one
//!     │                                           ▲                 half busy at most                │
//!     └── waits until all serve, and settle ──────┴──────────────────────── pauses ──────────────────┘
//! ```
//!
//! To grow late costs requests, to shrink late costs some memory: so growth takes seconds, and several instances at once where
//! they are needed, and what was needed within the last minute is kept. Between "busy" and "half busy" nothing happens,
//! whatever the noise. Where it had to grow soon after it has shrunk, the minute becomes two, and so on.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::spec::InstanceRange;

/// An app grows where its instances are at least so busy.
const BUSY: f64 = 0.75;
/// To such a size that they are so busy then.
const AIM: f64 = 0.6;
/// One goes where the others would not have been busier than this.
const IDLE: f64 = 0.5;
/// After so many busy looks in a row.
const BUSY_LOOKS: u32 = 2;
/// After so many looks in a row at which as many connections waited as there are instances, and these were busy: some wait now
/// and then until an event loop comes round to them.
const QUEUE_LOOKS: u32 = 3;
/// What was needed is kept for so long, unless it turned out that this is too short.
const MEMORY: Duration = Duration::from_secs(60);
/// And never for longer.
const LONGEST_MEMORY: Duration = Duration::from_secs(3600);
/// Newcomers take their part of the load within this time.
const SETTLE: Duration = Duration::from_secs(2);
/// From one shrinking to the next.
const PAUSE: Duration = Duration::from_secs(10);
/// Who has scaled by hand is not contradicted for so long.
const RESPECT: Duration = Duration::from_secs(60);
/// A look that had begun before the last change may still tell of the size before.
const STALE: Duration = Duration::from_secs(3);

/// What is seen of an app at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Between how many instances it may have.
    pub range: InstanceRange,
    /// How many there are to be.
    pub instances: u32,
    /// How many of them serve.
    pub serving: u32,
    /// How many are on their way to it.
    pub starting: u32,
    /// How busy those are that serve, on average: the share of the time in which an event loop runs, or of a CPU that is used,
    /// whichever is more. `None` where neither is known.
    pub busy: Option<f64>,
    /// How many have a request to answer and no event loop that tells how busy that makes them: they may be busy with waiting.
    pub occupied: u32,
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// Whether any CPU is left that another instance could use.
    pub has_cpu: bool,
    /// For how many instances there is memory; `None` where that is not bounded, or not known.
    pub room: Option<u32>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub to: u32,
    pub because: Because,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Because {
    /// The instances are so busy.
    Busy(f64),
    /// So many connections wait.
    Queue(u32),
    /// Fewer would have done for a while.
    Idle,
    /// The range does not have the number that there is.
    Range(InstanceRange),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(share) => write!(f, "instances are {:.0}% busy", share * 100.0),
            Self::Queue(1) => f.write_str("a connection waits"),
            Self::Queue(count) => write!(f, "{count} connections wait"),
            Self::Idle => f.write_str("fewer are enough"),
            Self::Range(range) => write!(f, "the range is {range}"),
        }
    }
}

/// The last change of the size.
#[derive(Debug, Clone, Copy)]
struct Change {
    at: Duration,
    from: u32,
    to: u32,
}

/// Decides for one app. Time is that since any fixed moment.
#[derive(Debug, Default)]
pub struct Autoscaler {
    /// How many instances' whole time was needed, and when; the greatest of the time that is remembered comes first, then the
    /// greatest after it, and so on.
    needs: VecDeque<(Duration, f64)>,
    /// Looks in a row that speak for growth.
    busy_looks: u32,
    queue_looks: u32,
    /// Since when all that there are serve; `None` where some do not.
    complete_since: Option<Duration>,
    known_since: Option<Duration>,
    last: Option<Change>,
    shrunk_at: Option<Duration>,
    grown_at: Option<Duration>,
    /// Since when, where somebody else has changed the size.
    respects_since: Option<Duration>,
    /// For how long needs are remembered, beyond [`MEMORY`].
    regret: Duration,
}

impl Autoscaler {
    /// Looks at the app, about once a second; says what is to be done, if anything.
    pub fn look(&mut self, now: Duration, look: &Look) -> Option<Step> {
        if self.is_stale(now, look) {
            return None;
        }
        self.note(now, look);
        if !look.range.has(look.instances) {
            let (to, because) = (look.range.nearest(look.instances).get(), Because::Range(look.range));
            return Some(self.go(now, look, Step { to, because }));
        }
        if self.respects_since.is_some_and(|since| now.saturating_sub(since) < RESPECT) {
            return None;
        }
        let step = self.growth(now, look).or_else(|| self.shrinking(now, look))?;
        Some(self.go(now, look, step))
    }

    fn is_stale(&self, now: Duration, look: &Look) -> bool {
        self.last.is_some_and(|last| {
            look.instances == last.from && last.from != last.to && now.saturating_sub(last.at) < STALE
        })
    }

    fn note(&mut self, now: Duration, look: &Look) {
        self.known_since.get_or_insert(now);
        let is_as_left = self.last.is_none_or(|last| last.to == look.instances);
        if !is_as_left {
            self.respects_since = Some(now);
            self.last = None;
        }
        self.last.get_or_insert(Change { at: now, from: look.instances, to: look.instances });
        self.complete_since = if look.starting > 0 { None } else { self.complete_since.or(Some(now)) };
        self.remember(now, look);
        let is_busy = look.busy.is_some_and(|busy| busy >= BUSY);
        let is_queueing = look.waiting >= look.serving.max(1) && is_at_work(look);
        self.busy_looks = if is_busy { self.busy_looks.saturating_add(1) } else { 0 };
        self.queue_looks = if is_queueing { self.queue_looks.saturating_add(1) } else { 0 };
    }

    fn remember(&mut self, now: Duration, look: &Look) {
        let by_load = look.busy.map_or(0.0, |busy| busy * f64::from(look.serving));
        // Of instances that wait for others it is not known how many more requests they could take meanwhile.
        let need = by_load.max(f64::from(look.occupied) * IDLE);
        while self.needs.back().is_some_and(|(_, known)| *known <= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
        let memory = self.memory();
        while self.needs.front().is_some_and(|(at, _)| now.saturating_sub(*at) > memory) {
            self.needs.pop_front();
        }
    }

    /// For how long what was needed is kept.
    fn memory(&self) -> Duration {
        MEMORY.saturating_add(self.regret).min(LONGEST_MEMORY)
    }

    /// At most to twice the size: how much is wanted of those that have no time left is not to be seen.
    fn growth(&self, now: Duration, look: &Look) -> Option<Step> {
        let is_settled = self.complete_since.is_some_and(|since| now.saturating_sub(since) >= SETTLE);
        let presses = self.busy_looks >= BUSY_LOOKS || self.queue_looks >= QUEUE_LOOKS;
        if !presses || !is_settled || !look.has_cpu || look.serving == 0 {
            return None;
        }
        let by_load = look.busy.map_or(0, |busy| whole(busy * f64::from(look.serving) / AIM));
        let wanted = by_load.max(look.instances.saturating_add(1));
        let ceiling = look.room.map_or(look.range.most.get(), |room| room.min(look.range.most.get()));
        let to = wanted.min(look.instances.saturating_mul(2)).min(ceiling);
        let because = match look.busy {
            Some(busy) if self.busy_looks >= BUSY_LOOKS => Because::Busy(busy),
            _ => Because::Queue(look.waiting),
        };
        (to > look.instances).then_some(Step { to, because })
    }

    fn shrinking(&self, now: Duration, look: &Look) -> Option<Step> {
        let lasts = |since: Option<Duration>, span| since.is_some_and(|at| now.saturating_sub(at) >= span);
        let knows_enough = lasts(self.grown_at.or(self.known_since), self.memory());
        let is_calm = look.busy.is_some() && look.waiting == 0 && self.complete_since.is_some();
        let pauses = self.shrunk_at.is_some() && !lasts(self.shrunk_at, PAUSE);
        if !knows_enough || !is_calm || pauses {
            return None;
        }
        let most = self.needs.front().map_or(0.0, |(_, need)| *need);
        let to = look.instances.checked_sub(1).filter(|to| *to >= look.range.least.get())?;
        let is_enough = most <= IDLE * f64::from(to);
        is_enough.then_some(Step { to, because: Because::Idle })
    }

    fn go(&mut self, now: Duration, look: &Look, step: Step) -> Step {
        (self.busy_looks, self.queue_looks, self.complete_since) = (0, 0, None);
        self.last = Some(Change { at: now, from: look.instances, to: step.to });
        if step.to < look.instances {
            self.shrunk_at = Some(now);
            return step;
        }
        self.grown_at = Some(now);
        if let Some(shrunk_at) = self.shrunk_at.take() {
            let was_too_soon = now.saturating_sub(shrunk_at) < self.memory().saturating_mul(2);
            self.regret = if was_too_soon { self.memory() } else { Duration::ZERO };
        }
        step
    }
}

/// Whether it takes more instances to work a queue off, as far as can be told.
fn is_at_work(look: &Look) -> bool {
    look.busy.is_none_or(|busy| busy >= AIM) || look.occupied >= look.serving
}

/// The next whole number.
fn whole(count: f64) -> u32 {
    // Casts of floats end at the bounds, and NaN is 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it ends at the bounds")]
    let whole = count.ceil() as u32;
    whole
}
