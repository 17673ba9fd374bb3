//! What instances have used and done, over all workers that they have had: counters that a new worker does not set back. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::usage::Switches;
use crate::api::node::NodeView;

/// An app's number, and that of an instance of it.
pub type Place = (u32, u32);

/// What is known of each instance. What a worker uses and does between the last look and its end is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Place, Total)>", into = "Vec<(Place, Total)>")]
pub struct Totals(BTreeMap<Place, Total>);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Total {
    pid: Option<i32>,
    /// CPU time of the workers before.
    before: Duration,
    /// Of this one.
    now: Duration,
    /// What Node workers have reported.
    node: Option<NodeTotal>,
    #[serde(default)]
    switches: Option<SwitchTotal>,
}

/// Context switches of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct SwitchTotal {
    pid: i32,
    /// Of the threads that were there at the last look.
    last: Switches,
    all: Switches,
}

/// What Node workers of an instance have reported, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeTotal {
    /// Requests that were answered, those with errors among them.
    pub requests: u64,
    /// Answered with a status of 500 or more.
    pub errors: u64,
    /// Whose connection was gone before they were answered.
    pub aborted: u64,
    /// How long requests took, as far as the mean of each report tells.
    pub took: Duration,
    pub collections: u64,
    /// How long garbage collections took.
    pub collecting: Duration,
}

impl Totals {
    /// Notes what the worker `pid` of an instance has used since its start.
    pub fn note(&mut self, place: Place, pid: i32, used: Duration) {
        let total = self.0.entry(place).or_default();
        if total.pid.replace(pid) != Some(pid) {
            total.before = total.before.saturating_add(total.now);
            total.now = Duration::ZERO;
        }
        // What a process used that has ended and was waited for by nobody is lost, and must not be taken back.
        total.now = total.now.max(used);
    }

    /// Notes the context switches of the threads that the worker `pid` has now. Those of a thread are lost with it: what was
    /// seen of them stays.
    pub fn note_switches(&mut self, place: Place, pid: i32, now: Switches) {
        let total = self.0.entry(place).or_default().switches.get_or_insert_default();
        let before = if total.pid == pid { total.last } else { Switches::default() };
        *total = SwitchTotal { pid, last: now, all: total.all.plus(now.since(before)) };
    }

    /// The context switches of an instance, where they are known.
    #[must_use]
    pub fn switches(&self, place: Place) -> Option<Switches> {
        Some(self.0.get(&place)?.switches?.all)
    }

    /// Adds what a worker of an instance did since its report before. To be called once for each report.
    pub fn add(&mut self, place: Place, report: &NodeView) {
        let total = self.0.entry(place).or_default().node.get_or_insert_default();
        if let Some(http) = report.http {
            total.requests = total.requests.saturating_add(http.requests);
            total.errors = total.errors.saturating_add(http.errors);
            total.aborted = total.aborted.saturating_add(http.aborted.unwrap_or(0));
            let mean = http.latency_ms.map_or(0.0, |latency| latency.mean);
            total.took = total.took.saturating_add(millis(mean * http.requests as f64));
        }
        if let Some(gc) = report.gc {
            total.collections = total.collections.saturating_add(gc.collections);
            total.collecting = total.collecting.saturating_add(millis(gc.took_ms));
        }
    }

    /// The CPU time that an instance has used, where that is known.
    #[must_use]
    pub fn cpu(&self, place: Place) -> Option<Duration> {
        let total = self.0.get(&place).filter(|total| total.pid.is_some())?;
        Some(total.before.saturating_add(total.now))
    }

    /// What the Node workers of an instance have reported, if they have.
    #[must_use]
    pub fn node(&self, place: Place) -> Option<NodeTotal> {
        self.0.get(&place)?.node
    }

    /// Forgets the instances that are gone.
    pub fn keep(&mut self, is_there: impl Fn(Place) -> bool) {
        self.0.retain(|place, _| is_there(*place));
    }

    /// Whether nothing was ever noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<(Place, Total)>> for Totals {
    fn from(list: Vec<(Place, Total)>) -> Self {
        Self(list.into_iter().collect())
    }
}

impl From<Totals> for Vec<(Place, Total)> {
    fn from(totals: Totals) -> Self {
        totals.0.into_iter().collect()
    }
}

fn millis(amount: f64) -> Duration {
    Duration::try_from_secs_f64(amount / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::node::sample;

    const PLACE: Place = (0, 1);

    fn seconds(totals: &Totals) -> Option<u64> {
        totals.cpu(PLACE).map(|total| total.as_secs())
    }

    #[test]
    fn a_new_worker_adds_to_what_the_old_one_has_used() {
        let mut totals = Totals::default();
        for (pid, used, all) in [(10, 5, 5), (10, 7, 7), (11, 1, 8), (11, 9, 16), (12, 0, 16)] {
            totals.note(PLACE, pid, Duration::from_secs(used));
            assert_eq!(seconds(&totals), Some(all), "{pid}: {used}");
        }
    }

    #[test]
    fn a_total_never_falls() {
        let mut totals = Totals::default();
        totals.note(PLACE, 10, Duration::from_secs(5));
        totals.note(PLACE, 10, Duration::from_secs(3));
        assert_eq!(seconds(&totals), Some(5));
    }

    #[test]
    fn context_switches_only_grow_whatever_becomes_of_threads_and_workers() {
        let mut totals = Totals::default();
        assert_eq!(totals.switches(PLACE), None);
        for (pid, voluntary, all) in
            [(10, 5, 5), (10, 9, 9), (10, 2, 9), (10, 4, 11), (11, 3, 14), (11, 3, 14)]
        {
            totals.note_switches(PLACE, pid, Switches { voluntary, involuntary: 1 });
            assert_eq!(totals.switches(PLACE).unwrap().voluntary, all, "{pid}: {voluntary}");
        }
        assert_eq!(totals.switches(PLACE).unwrap().involuntary, 2);
    }

    #[test]
    fn an_instance_that_is_gone_is_forgotten() {
        let mut totals = Totals::default();
        totals.note(PLACE, 10, Duration::from_secs(5));
        totals.keep(|place| place == PLACE);
        assert_eq!(seconds(&totals), Some(5));
        totals.keep(|_| false);
        assert_eq!((seconds(&totals), totals.is_empty()), (None, true));
    }

    #[test]
    fn reports_add_up_and_one_without_requests_adds_none() {
        let mut totals = Totals::default();
        assert_eq!(totals.node(PLACE), None);
        totals.add(PLACE, &sample());
        totals.add(PLACE, &sample());
        totals.add(PLACE, &NodeView { http: None, gc: None, ..sample() });
        let all = totals.node(PLACE).unwrap();
        assert_eq!((all.requests, all.errors, all.aborted, all.collections), (840, 4, 2, 6));
        assert_eq!((all.took.as_millis(), all.collecting.as_millis()), (1008, 24));
        // Its CPU was never seen.
        assert_eq!(totals.cpu(PLACE), None);
    }

    #[test]
    fn what_is_handed_over_comes_back() {
        let mut totals = Totals::default();
        totals.note(PLACE, 10, Duration::from_secs(5));
        totals.add((3, 0), &sample());
        let text = serde_json::to_string(&totals).unwrap();
        assert_eq!(serde_json::from_str::<Totals>(&text).unwrap(), totals);
    }
}
