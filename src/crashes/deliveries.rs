//! When a report on a crash is delivered: the first of its fingerprint at once, then the newest one from time to time. Few at a time, one
//! of each fingerprint, so that a crash loop floods nobody. One that has not arrived may be tried again a few times.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::supervisor::Uptime;

/// How many are under way at a time.
const MOST_AT_ONCE: usize = 4;
/// From the beginning of one to the next of the same fingerprint.
const NEXT_AFTER: Duration = Duration::from_secs(60);
/// How long after each failure in a row it is tried again.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];
/// How many fingerprints are known.
const MOST_KNOWN: usize = 100;

/// See the module. `T` is a report.
#[derive(Debug)]
pub struct Deliveries<T> {
    alike: BTreeMap<String, Alike<T>>,
    /// Whether nothing waits for its time any more.
    is_hurried: bool,
}

/// Those of one fingerprint.
#[derive(Debug)]
struct Alike<T> {
    /// When the last one was begun.
    begun: Option<Uptime>,
    /// How many have failed in a row.
    failures: usize,
    /// When the one that waits is due, if it has failed.
    again: Option<Uptime>,
    under_way: Option<T>,
    /// The newest one that is still to be delivered; those before it are told of by its count.
    waiting: Option<T>,
}

impl<T> Default for Deliveries<T> {
    fn default() -> Self {
        Self { alike: BTreeMap::new(), is_hurried: false }
    }
}

impl<T> Alike<T> {
    fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_none()
    }

    /// When the one that waits may begin; `None` where none does.
    fn due(&self, is_hurried: bool) -> Option<Uptime> {
        let may_begin = self.waiting.is_some() && self.under_way.is_none();
        let after = self.again.or_else(|| self.begun.map(|begun| begun.after(NEXT_AFTER)));
        may_begin.then(|| after.filter(|_| !is_hurried).unwrap_or_default())
    }

    fn give_up(&mut self) {
        self.under_way = None;
        self.failures = 0;
    }
}

impl<T: Clone> Deliveries<T> {
    /// There is another one to be delivered. It takes the place of one that waits.
    pub fn offer(&mut self, fingerprint: &str, report: T) {
        if !self.alike.contains_key(fingerprint) {
            self.make_room();
        }
        let new = || Alike { begun: None, failures: 0, again: None, under_way: None, waiting: None };
        self.alike.entry(fingerprint.to_owned()).or_insert_with(new).waiting = Some(report);
    }

    /// One to be delivered now, with its fingerprint.
    pub fn next(&mut self, now: Uptime) -> Option<(String, T)> {
        if self.is_full() {
            return None;
        }
        let is_hurried = self.is_hurried;
        let is_due = |alike: &Alike<T>| alike.due(is_hurried).is_some_and(|due| due <= now);
        let (fingerprint, alike) = self.alike.iter_mut().find(|(_, alike)| is_due(alike))?;
        alike.begun = Some(now);
        alike.again = None;
        alike.under_way = alike.waiting.take();
        alike.under_way.clone().map(|report| (fingerprint.clone(), report))
    }

    /// It was delivered, or was not and is given up.
    pub fn ended(&mut self, fingerprint: &str) {
        if let Some(alike) = self.alike.get_mut(fingerprint) {
            alike.give_up();
        }
    }

    /// It was not delivered. It waits for the next time, unless a newer one does; after a few times, and where there is no time left,
    /// it is given up.
    pub fn failed(&mut self, fingerprint: &str, now: Uptime) {
        let is_hurried = self.is_hurried;
        let Some(alike) = self.alike.get_mut(fingerprint) else { return };
        let Some(pause) = AGAIN_AFTER.get(alike.failures).filter(|_| !is_hurried) else {
            return alike.give_up();
        };
        let failed = alike.under_way.take();
        alike.failures += 1;
        alike.again = Some(now.after(*pause));
        alike.waiting = alike.waiting.take().or(failed);
    }

    /// When to look for the next one, unless one ends before.
    #[must_use]
    pub fn next_at(&self) -> Option<Uptime> {
        if self.is_full() {
            return None;
        }
        self.alike.values().filter_map(|alike| alike.due(self.is_hurried)).min()
    }

    fn is_full(&self) -> bool {
        self.alike.values().filter(|alike| alike.under_way.is_some()).count() >= MOST_AT_ONCE
    }

    /// There is no time left: what waits is due, unless it has failed just before.
    pub fn hurry(&mut self) {
        self.is_hurried = true;
        for alike in self.alike.values_mut().filter(|alike| alike.again.is_some()) {
            alike.waiting = None;
        }
    }

    /// Whether nothing is to be delivered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.alike.values().all(Alike::is_idle)
    }

    /// All that was not delivered yet.
    pub fn outstanding(&self) -> impl Iterator<Item = &T> {
        self.alike.values().flat_map(|alike| alike.waiting.as_ref().or(alike.under_way.as_ref()))
    }

    /// The one that was begun longest ago is forgotten, and with it when that was.
    fn make_room(&mut self) {
        if self.alike.len() < MOST_KNOWN {
            return;
        }
        let idle = self.alike.iter().filter(|(_, alike)| alike.under_way.is_none());
        if let Some(oldest) = idle.min_by_key(|(_, alike)| alike.begun).map(|(name, _)| name.clone()) {
            self.alike.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn begun(deliveries: &mut Deliveries<u32>, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| deliveries.next(at(now))).map(|(_, report)| report).collect()
    }

    #[test]
    fn the_first_is_due_at_once_and_the_newest_of_its_kind_a_minute_later() {
        let mut deliveries = Deliveries::default();
        deliveries.offer("a", 1);
        assert_eq!(begun(&mut deliveries, 5), [1]);
        (2..100).for_each(|number| deliveries.offer("a", number));
        assert_eq!(begun(&mut deliveries, 6), [0_u32; 0]);
        deliveries.ended("a");
        assert_eq!((begun(&mut deliveries, 64), deliveries.next_at()), (vec![], Some(at(65))));
        assert_eq!(begun(&mut deliveries, 65), [99]);
        deliveries.ended("a");
        assert!(deliveries.is_idle() && deliveries.next_at().is_none());
    }

    #[test]
    fn others_do_not_wait_for_it() {
        let mut deliveries = Deliveries::default();
        ["a", "b"].iter().for_each(|name| deliveries.offer(name, 1));
        assert_eq!(begun(&mut deliveries, 0).len(), 2);
    }

    #[test]
    fn no_more_than_four_are_under_way() {
        let mut deliveries = Deliveries::default();
        (0..6).for_each(|number: u32| deliveries.offer(&number.to_string(), number));
        assert_eq!(begun(&mut deliveries, 0), [0, 1, 2, 3]);
        // An end tells of the next.
        assert_eq!(deliveries.next_at(), None);
        deliveries.ended("2");
        assert_eq!(begun(&mut deliveries, 0), [4]);
    }

    #[test]
    fn at_the_end_nothing_waits_for_its_time() {
        let mut deliveries = Deliveries::default();
        deliveries.offer("a", 1);
        begun(&mut deliveries, 0);
        deliveries.offer("a", 2);
        assert_eq!(deliveries.outstanding().copied().collect::<Vec<_>>(), [2]);
        deliveries.ended("a");
        deliveries.hurry();
        assert_eq!(begun(&mut deliveries, 1), [2]);
        assert_eq!(deliveries.outstanding().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn one_that_has_failed_is_tried_three_times_more_ever_later() {
        let mut deliveries = Deliveries::default();
        deliveries.offer("a", 1);
        for (now, next) in [(0, Some(at(3))), (3, Some(at(14))), (14, Some(at(45))), (45, None)] {
            assert_eq!(begun(&mut deliveries, now), [1], "{now}");
            deliveries.failed("a", at(now + 1));
            assert_eq!(deliveries.next_at(), next, "{now}");
        }
        assert!(deliveries.is_idle());
        deliveries.offer("a", 2);
        assert_eq!(deliveries.next_at(), Some(at(105)));
        assert_eq!(begun(&mut deliveries, 105), [2]);
        deliveries.failed("a", at(105));
        assert_eq!(deliveries.next_at(), Some(at(107)));
    }

    #[test]
    fn a_newer_one_takes_the_place_of_one_that_has_failed() {
        let mut deliveries = Deliveries::default();
        deliveries.offer("a", 1);
        begun(&mut deliveries, 0);
        deliveries.offer("a", 2);
        deliveries.failed("a", at(1));
        assert_eq!(begun(&mut deliveries, 3), [2]);
        deliveries.ended("a");
        deliveries.offer("a", 3);
        assert_eq!(deliveries.next_at(), Some(at(63)));
    }

    #[test]
    fn the_end_does_not_wait_for_one_that_has_failed() {
        let mut deliveries = Deliveries::default();
        ["a", "b"].iter().for_each(|name| deliveries.offer(name, 1));
        begun(&mut deliveries, 0);
        deliveries.failed("a", at(0));
        deliveries.hurry();
        assert_eq!(deliveries.next_at(), None);
        deliveries.failed("b", at(1));
        assert!(deliveries.is_idle());
    }

    #[test]
    fn there_is_an_end_to_what_is_known() {
        let mut deliveries = Deliveries::default();
        for number in 0..1000_u32 {
            deliveries.offer(&number.to_string(), number);
            deliveries.next(at(u64::from(number)));
            deliveries.ended(&number.to_string());
        }
        assert_eq!(deliveries.alike.len(), MOST_KNOWN);
    }
}
