//! From series to the answer of `GET /v1/history`. Pure.

use super::point::Field;
use super::ring::Ring;
use super::series::Series;
use crate::api::history::{Column, ColumnsView, HistoryView, RecentView, SeriesView};
use crate::api::types::{AppView, InstanceView};

/// From one value to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Second,
    Minute,
}

impl Step {
    fn millis(self) -> u64 {
        match self {
            Self::Second => 1000,
            Self::Minute => 60_000,
        }
    }
}

/// A copy of all that an answer is made of: making it takes milliseconds, which is for another thread.
#[derive(Debug)]
pub struct Excerpt {
    step: Step,
    since_ms: Option<u64>,
    series: Vec<(SeriesView, Ring)>,
}

impl Excerpt {
    pub(super) fn new(step: Step, since_ms: Option<u64>) -> Self {
        Self { step, since_ms, series: Vec::new() }
    }

    pub(super) fn add(&mut self, app: &AppView, view: &InstanceView, series: &Series) {
        let ring = match self.step {
            Step::Second => &series.seconds,
            Step::Minute => &series.minutes,
        };
        let head = SeriesView {
            app: app.name.clone(),
            app_id: app.app_id,
            instance: view.instance,
            id: view.id,
            columns: ColumnsView::default(),
        };
        self.series.push((head, ring.clone()));
    }

    /// All from the first time of which any is known, or after the one that was said, to the last.
    #[must_use]
    pub fn view(self) -> HistoryView {
        let step_ms = self.step.millis();
        let spans = || self.series.iter().filter_map(|(_, ring)| ring.span());
        let after = self.since_ms.map(|since| (since / step_ms).saturating_add(1));
        let first = spans().map(|(first, _)| first).min().max(after).unwrap_or(0);
        // Nothing where there is nothing new.
        let end = spans().map(|(_, last)| last + 1).max().unwrap_or(0).max(first);
        let whole =
            |(head, ring): (SeriesView, Ring)| SeriesView { columns: columns(&ring, first..end), ..head };
        let series = self.series.into_iter().map(whole).collect();
        HistoryView { step_ms, from_ms: first.saturating_mul(step_ms), series }
    }
}

/// The last `seconds` of which anything is known.
pub(super) fn recent(series: &Series, seconds: u64) -> Option<RecentView> {
    let (first, last) = series.seconds.span()?;
    let first = first.max((last + 1).saturating_sub(seconds));
    let columns = columns(&series.seconds, first..last + 1);
    Some(RecentView { step_ms: Step::Second.millis(), from_ms: first * Step::Second.millis(), columns })
}

fn columns(ring: &Ring, times: std::ops::Range<u64>) -> ColumnsView {
    let column =
        |field: Field| Column(times.clone().map(|time| ring.get(time, field as usize).value()).collect());
    ColumnsView {
        cpu_percent: column(Field::CpuPercent),
        memory_bytes: column(Field::MemoryBytes),
        loop_delay_ms: column(Field::LoopDelayMs),
        loop_utilization: column(Field::LoopUtilization),
        requests_per_second: column(Field::RequestsPerSecond),
        in_flight: column(Field::InFlight),
        latency_ms: column(Field::LatencyMs),
        errors_per_second: column(Field::ErrorsPerSecond),
        restarts: column(Field::Restarts),
    }
}
