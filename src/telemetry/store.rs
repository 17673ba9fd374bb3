//! All that is kept: the series of instances, what they have done in all, and the last look. Pure.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::answer::{self, Excerpt, Step};
use super::point;
use super::series::Series;
use super::state::{SeriesState, TelemetryState};
use crate::api::history::RecentView;
use crate::api::node::NodeView;
use crate::api::types::{AppView, InstanceView};
use crate::metrics::totals::{Place, Totals};
use crate::metrics::usage::TreeUsage;

/// Of so many instances figures are kept over time, so that memory has a bound; of further ones only the last are known.
pub(super) const MOST_SERIES: usize = 128;

/// What a look at all workers has found.
#[derive(Debug)]
pub struct Look {
    /// When it was, in milliseconds since the epoch.
    pub(super) at_ms: u64,
    /// With what processes use and what Node workers report.
    pub(super) apps: Vec<AppView>,
    /// By the workers' pids.
    pub(super) usages: BTreeMap<i32, TreeUsage>,
    /// Each report once, by the worker's pid: one that comes late belongs to the next look.
    pub(super) reports: Vec<(i32, NodeView)>,
}

/// The last look at all workers.
#[derive(Debug)]
pub struct Latest {
    /// When it was, in milliseconds since the epoch.
    pub at_ms: u64,
    /// With what processes use and what Node workers report.
    pub apps: Vec<AppView>,
    /// By the workers' pids.
    pub usages: BTreeMap<i32, TreeUsage>,
    /// They go on over workers and updates.
    pub totals: Totals,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) series: BTreeMap<Place, Series>,
    totals: Totals,
    latest: Option<Rc<Latest>>,
}

impl Store {
    pub(super) fn resume(state: &TelemetryState) -> Self {
        let series = state.series.iter().filter_map(|state| Some((state.place, state.read()?)));
        Self { series: series.collect(), totals: state.totals.clone(), latest: None }
    }

    pub(super) fn state(&self) -> TelemetryState {
        let series = self.series.iter().map(|(place, series)| SeriesState::of(*place, series));
        TelemetryState { is_kept: false, series: series.collect(), totals: self.totals.clone() }
    }

    pub(super) fn latest(&self) -> Option<Rc<Latest>> {
        self.latest.clone()
    }

    /// Counts what a look has found.
    pub(super) fn count(&mut self, look: Look) -> Latest {
        let Look { at_ms, apps, usages, reports } = look;
        self.totals.keep(|place| instances(&apps).any(|(known, _)| known == place));
        for (place, view) in instances(&apps) {
            if let Some((pid, usage)) = view.pid.and_then(|pid| Some((pid, usages.get(&pid)?))) {
                self.totals.note(place, pid, usage.cpu_time);
                usage.switches.into_iter().for_each(|it| self.totals.note_switches(place, pid, it));
            }
            let reported = reports.iter().filter(|(pid, _)| view.pid == Some(*pid));
            reported.for_each(|(_, report)| self.totals.add(place, report));
        }
        Latest { at_ms, apps, usages, totals: self.totals.clone() }
    }

    /// Adds a point to the series of each instance, and makes the look the last one.
    pub(super) fn keep(&mut self, latest: Latest) {
        self.series.retain(|place, _| instances(&latest.apps).any(|(known, _)| known == *place));
        for (place, view) in instances(&latest.apps) {
            if self.series.len() >= MOST_SERIES && !self.series.contains_key(&place) {
                continue;
            }
            let series = self.series.entry(place).or_default();
            let restarts = series.new_restarts(view.restarts);
            series.push(latest.at_ms / 1000, &point::of(view, restarts));
        }
        self.set_latest(latest);
    }

    pub(super) fn set_latest(&mut self, latest: Latest) {
        self.latest = Some(Rc::new(latest));
    }

    pub(super) fn forget_latest(&mut self) {
        self.latest = None;
    }

    /// The series of the instances that are meant.
    pub(super) fn history(
        &self,
        step: Step,
        since_ms: Option<u64>,
        is_meant: impl Fn(&AppView, &InstanceView) -> bool,
    ) -> Excerpt {
        let mut excerpt = Excerpt::new(step, since_ms);
        for app in self.latest.iter().flat_map(|latest| &latest.apps) {
            for view in app.instances.iter().filter(|view| is_meant(app, view)) {
                if let Some(series) = self.series.get(&(app.app_id, view.instance)) {
                    excerpt.add(app, view, series);
                }
            }
        }
        excerpt
    }

    /// The newest points of an instance.
    pub(super) fn recent(&self, place: Place, seconds: u64) -> Option<RecentView> {
        answer::recent(self.series.get(&place)?, seconds)
    }
}

fn instances(apps: &[AppView]) -> impl Iterator<Item = (Place, &InstanceView)> {
    apps.iter().flat_map(|app| app.instances.iter().map(|view| ((app.app_id, view.instance), view)))
}

impl Latest {
    /// Fills in what was known then of the workers of `apps`. False where one of them was not known.
    #[must_use]
    pub fn fill(&self, apps: &mut [AppView]) -> bool {
        let known = |view: &InstanceView| {
            let mut all = self.apps.iter().flat_map(|app| app.instances.iter().chain(&app.standbys));
            all.find(|known| known.pid == view.pid)
        };
        let mut are_known = true;
        for view in apps.iter_mut().flat_map(|app| app.instances.iter_mut().chain(&mut app.standbys)) {
            if view.pid.is_none() {
                continue;
            }
            let known = known(view).filter(|known| known.processes.is_some());
            are_known &= known.is_some();
            let Some(known) = known else { continue };
            view.cpu_percent = known.cpu_percent;
            view.memory_bytes = known.memory_bytes;
            view.processes = known.processes;
            view.connections = known.connections;
            view.requests_in_flight = known.requests_in_flight;
            view.node = known.node;
        }
        are_known
    }
}
