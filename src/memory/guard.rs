//! Judges looks at the memory: warns once it runs short, and has workers replaced before the kernel ends one.
//!
//! A worker is replaced for what that gives back: what it has beyond what one of its app has when it begins to serve. Where all
//! is as it was at the start, no replacement is a remedy, and there is only the warning. One worker at a time gives way. If
//! another has room beside it, it comes first; that is why a leak is met early, just before there is no room any more. Else the
//! old one ends first, while others serve or, where it is alone, while connections wait.
//!
//! Replacements keep a distance that grows while they are no lasting remedy, but a leak that would reach the limit within
//! seconds is not made to wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::look::{Look, Strained, Weight};
use crate::spec::{AppId, WorkerKey};
use crate::supervisor::{Remedy, Strain, Uptime};

/// From here on, in percent of the limit, a warning is given.
const WARN: u64 = 85;
/// Below this it may be given again, and workers need not be weighed.
const EASY: u64 = 70;
/// At this a worker gives way, whether there is room beside it or not. What is left takes what comes until it is gone.
const LATE: u64 = 92;
/// Above this we do not go of our own accord: the kernel needs some pages to work with.
const CEILING: u64 = 97;
/// Early replacements begin no earlier: for a worker that others stand in for, and for one that serves alone.
const EARLIEST: [u64; 2] = [75, 60];
/// How long before there is no room any more a replacement may begin.
const WINDOW: u64 = 6;
/// Between warnings.
const WARN_EVERY: Duration = Duration::from_secs(600);
/// Between replacements, and the most that grows to.
const SPACING: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// How long a replacement is waited for: it may have failed, or been refused, and the worker serve on.
const GIVEN_UP: Duration = SPACING[0];
/// The same, before a leak that cannot wait takes the next worker.
const UNDER_WAY: Duration = Duration::from_secs(10);
/// A leak that reaches the limit sooner is urgent.
const URGENT: u64 = 15;
/// How many seconds of a leak a replacement has to have room for: until the newcomer serves, and the old one has ended.
const REPLACING: u64 = 3;
/// Over so long the growth is measured.
const MEASURED: Duration = Duration::from_secs(3);
/// And it is remembered for so long: a leak does not end because a worker that had it does.
const REMEMBERED: Duration = Duration::from_secs(6);
/// Workers are weighed at least so often.
const WEIGH_EVERY: Duration = Duration::from_secs(60);
/// The least and the most time between looks.
const LOOKS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guard {
    limit: u64,
    due: Uptime,
    /// How much was in use, lately.
    recent: VecDeque<(Uptime, u64)>,
    /// By how many bytes a second it grew, lately.
    growths: VecDeque<(Uptime, u64)>,
    /// How many looks in a row have shown no change.
    calm: u32,
    weighed: Option<Uptime>,
    warned: Option<Uptime>,
    /// Whether a warning may be given again once its time has come.
    is_easy: bool,
    /// What each worker had when it was first weighed.
    first: Vec<(WorkerKey, u64)>,
    /// The same of the last worker of each app.
    young: BTreeMap<AppId, u64>,
    /// Who was to give way last, and since when.
    leaving: Option<(WorkerKey, Uptime)>,
    last: Option<Uptime>,
    spacing: Duration,
}

impl Guard {
    /// For so many bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit: limit.max(1),
            due: Uptime::default(),
            recent: VecDeque::new(),
            growths: VecDeque::new(),
            calm: 0,
            weighed: None,
            warned: None,
            is_easy: true,
            first: Vec::new(),
            young: BTreeMap::new(),
            leaving: None,
            last: None,
            spacing: SPACING[0],
        }
    }

    /// The same, for another limit.
    #[must_use]
    pub fn limited_to(self, limit: u64) -> Self {
        Self { limit: limit.max(1), ..self }
    }

    /// When to look next.
    #[must_use]
    pub fn due(&self) -> Uptime {
        self.due
    }

    /// In use so much, nobody need be weighed, unless [`Guard::wants_weights`].
    #[must_use]
    pub fn is_easy(&self, used: u64) -> bool {
        used < self.part(EASY)
    }

    /// Whether workers are to be weighed whatever is in use: of those that `serve` one is new, or the last time is long ago.
    #[must_use]
    pub fn wants_weights(&self, now: Uptime, serve: &[WorkerKey]) -> bool {
        let is_new = |worker: &WorkerKey| !self.first.iter().any(|(known, _)| known == worker);
        serve.iter().any(is_new) || self.weighed.is_none_or(|at| now.since(at) >= WEIGH_EVERY)
    }

    /// Takes in a look, and says who is to hear of it.
    pub fn judge(&mut self, now: Uptime, look: &Look) -> Vec<Strained> {
        self.observe(now, look.used);
        if !look.workers.is_empty() {
            self.learn(now, &look.workers);
        }
        self.due = now.after(self.pace(look.used));
        let warning = self.warn(now, look);
        let relief = self.relieve(now, look);
        warning.into_iter().chain(relief).collect()
    }

    /// A look has shown nothing.
    pub fn forgo(&mut self, now: Uptime) {
        self.due = now.after(LOOKS[1]);
    }

    /// So many percent of the limit.
    fn part(&self, percent: u64) -> u64 {
        let part = u128::from(self.limit) * u128::from(percent) / 100;
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    fn observe(&mut self, now: Uptime, used: u64) {
        let is_same = self.recent.back().is_some_and(|(_, last)| last.abs_diff(used) <= self.limit / 256);
        self.calm = if is_same { self.calm.saturating_add(1) } else { 0 };
        forget(&mut self.recent, now, MEASURED);
        forget(&mut self.growths, now, REMEMBERED);
        if let Some(&(at, before)) = self.recent.front()
            && now.since(at) >= LOOKS[0]
        {
            let millis = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX).max(1);
            self.growths.push_back((now, used.saturating_sub(before).saturating_mul(1000) / millis));
        }
        self.recent.push_back((now, used));
    }

    /// Bytes a second by which it grows at worst.
    fn growth(&self) -> u64 {
        self.growths.iter().map(|(_, growth)| *growth).max().unwrap_or(0)
    }

    fn learn(&mut self, now: Uptime, workers: &[Weight]) {
        self.weighed = Some(now);
        self.first.retain(|(known, _)| workers.iter().any(|weight| weight.worker == *known));
        for weight in workers.iter().filter(|weight| weight.serves) {
            if !self.first.iter().any(|(known, _)| *known == weight.worker) {
                self.first.push((weight.worker, weight.bytes));
                self.young.insert(weight.worker.app, weight.bytes);
            }
        }
    }

    /// The less is left, and the more it changes, the sooner the next look.
    fn pace(&self, used: u64) -> Duration {
        let left = self.limit.saturating_sub(used).saturating_mul(2000) / self.limit;
        let usual = Duration::from_millis(left);
        let patient = if self.is_easy(used) { usual.saturating_mul(1 << self.calm.min(4)) } else { usual };
        patient.clamp(LOOKS[0], LOOKS[1])
    }

    fn warn(&mut self, now: Uptime, look: &Look) -> Option<Strained> {
        self.is_easy |= self.is_easy(look.used);
        let is_time = self.is_easy && self.warned.is_none_or(|at| now.since(at) >= WARN_EVERY);
        if look.used < self.part(WARN) || !is_time {
            return None;
        }
        let serving = look.workers.iter().filter(|weight| weight.serves && weight.is_guarded);
        let largest = serving.max_by_key(|weight| weight.bytes)?;
        (self.warned, self.is_easy) = (Some(now), false);
        Some(self.strained(largest, look.used, Remedy::None))
    }

    fn relieve(&mut self, now: Uptime, look: &Look) -> Option<Strained> {
        let serving = look.workers.iter().filter(|weight| weight.serves && weight.is_guarded);
        let heaviest = serving.max_by_key(|weight| self.gain(weight))?;
        let young = self.young_of(heaviest);
        if self.gain(heaviest) < (self.limit / 20).min(young / 4).max(1) {
            return self.thin_out(now, look);
        }
        let stands_in = |other: &Weight| {
            other.serves && other.worker.app == heaviest.worker.app && other.worker != heaviest.worker
        };
        let remedy = self.remedy(look.used, young, look.workers.iter().any(stands_in))?;
        self.may_relieve(now, look).then(|| {
            self.spend(now, heaviest.worker);
            self.strained(heaviest, look.used, remedy)
        })
    }

    /// Nobody has anything to give back: where the number of workers was only estimated, there is one less.
    fn thin_out(&mut self, now: Uptime, look: &Look) -> Option<Strained> {
        let is_of = |weight: &Weight, app: AppId| weight.serves && weight.worker.app == app;
        let count = |app| look.workers.iter().filter(|weight| is_of(weight, app)).count();
        let may = |weight: &&Weight| {
            weight.serves && weight.is_guarded && weight.may_be_fewer && count(weight.worker.app) > 1
        };
        let largest = look.workers.iter().filter(may).max_by_key(|weight| weight.bytes)?;
        (look.used >= self.part(LATE) && self.may_relieve(now, look)).then(|| {
            self.spend(now, largest.worker);
            self.leaving = None;
            self.strained(largest, look.used, Remedy::Fewer)
        })
    }

    /// What its replacement would give back.
    fn gain(&self, weight: &Weight) -> u64 {
        weight.bytes.saturating_sub(self.young_of(weight))
    }

    /// What a worker of its app has when it begins to serve.
    fn young_of(&self, weight: &Weight) -> u64 {
        self.young.get(&weight.worker.app).copied().unwrap_or(weight.bytes)
    }

    /// What is to be done with so much in use, where a newcomer has `young` bytes.
    fn remedy(&self, used: u64, young: u64, others_serve: bool) -> Option<Remedy> {
        let ceiling = self.part(CEILING);
        let meanwhile = self.growth().saturating_mul(REPLACING);
        let room = ceiling.saturating_sub(young.saturating_add(young / 4)).saturating_sub(meanwhile);
        let earliest = self.part(EARLIEST[usize::from(!others_serve)]);
        let begins = room.saturating_sub(self.part(WINDOW)).max(earliest);
        let late = ceiling.saturating_sub(meanwhile).clamp(self.part(EARLIEST[0]), self.part(LATE));
        // The old one's end gives back at once what the newcomer would only give back later.
        let must_hurry = self.is_urgent(used) && others_serve;
        if (begins..=room).contains(&used) && !must_hurry {
            Some(Remedy::Beside)
        } else {
            (used >= late).then_some(Remedy::Instead)
        }
    }

    /// Whether the limit would be reached within seconds.
    fn is_urgent(&self, used: u64) -> bool {
        let growth = self.growth();
        growth > 0 && self.part(CEILING).saturating_sub(used) <= growth.saturating_mul(URGENT)
    }

    fn may_relieve(&mut self, now: Uptime, look: &Look) -> bool {
        let is_urgent = self.is_urgent(look.used);
        if let Some((leaving, since)) = self.leaving {
            let is_it = |weight: &Weight| {
                weight.worker == leaving || (weight.worker.app == leaving.app && !weight.serves)
            };
            if look.workers.iter().any(is_it) && now.since(since) < GIVEN_UP {
                return is_urgent && now.since(since) >= UNDER_WAY;
            }
            self.leaving = None;
        }
        is_urgent || self.last.is_none_or(|last| now.since(last) >= self.spacing)
    }

    fn spend(&mut self, now: Uptime, worker: WorkerKey) {
        let lasts = self.last.is_none_or(|last| now.since(last) >= self.spacing.saturating_mul(2));
        self.spacing = if lasts { SPACING[0] } else { self.spacing.saturating_mul(2).min(SPACING[1]) };
        (self.last, self.leaving) = (Some(now), Some((worker, now)));
    }

    fn strained(&self, weight: &Weight, used: u64, remedy: Remedy) -> Strained {
        let strain = Strain { used, limit: self.limit, bytes: weight.bytes };
        Strained { worker: weight.worker, strain, remedy }
    }
}

/// Drops what is older than `span`.
fn forget(facts: &mut VecDeque<(Uptime, u64)>, now: Uptime, span: Duration) {
    while facts.front().is_some_and(|(at, _)| now.since(*at) > span) {
        facts.pop_front();
    }
}
