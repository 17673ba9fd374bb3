//! From series to the answer of `GET /v1/history`. Pure.

use std::ops::Range;

use serde::{Serialize, Serializer};

use super::point::Field;
use super::ring::Ring;
use super::series::Series;
use crate::api::history::{self, Column, ColumnsView, HistoryView, RecentView, SeriesView};
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

/// A copy of all that an answer is made of, which takes no memory to speak of: making it takes milliseconds, which is for another thread.
#[derive(Debug)]
pub struct Excerpt {
    step: Step,
    since_ms: Option<u64>,
    series: Vec<(SeriesView<()>, Ring)>,
}

/// A column that is written from where it lies: an hour of a few instances takes megabytes, which nobody needs at once.
#[derive(Debug)]
pub struct Figures<'a> {
    ring: &'a Ring,
    field: Field,
    times: Range<u64>,
}

impl Figures<'_> {
    fn values(&self) -> impl Iterator<Item = Option<f32>> {
        self.times.clone().map(|time| self.ring.get(time, self.field as usize).value())
    }
}

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        history::write_column(self.values(), to)
    }
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
    pub fn view(&self) -> HistoryView<Figures<'_>> {
        let step_ms = self.step.millis();
        let spans = || self.series.iter().filter_map(|(_, ring)| ring.span());
        let after = self.since_ms.map(|since| (since / step_ms).saturating_add(1));
        let first = spans().map(|(first, _)| first).min().max(after).unwrap_or(0);
        // Nothing where there is nothing new.
        let end = spans().map(|(_, last)| last + 1).max().unwrap_or(0).max(first);
        let series = self.series.iter().map(|(head, ring)| {
            let columns = columns(|field| Figures { ring, field, times: first..end });
            let SeriesView { app, app_id, instance, id, .. } = head.clone();
            SeriesView { app, app_id, instance, id, columns }
        });
        HistoryView { step_ms, from_ms: first.saturating_mul(step_ms), series: series.collect() }
    }
}

/// The last `seconds` of which anything is known.
pub(super) fn recent(series: &Series, seconds: u64) -> Option<RecentView> {
    let ring = &series.seconds;
    let (first, last) = ring.span()?;
    let first = first.max((last + 1).saturating_sub(seconds));
    let column = |field| Column(Figures { ring, field, times: first..last + 1 }.values().collect());
    Some(RecentView {
        step_ms: Step::Second.millis(),
        from_ms: first * Step::Second.millis(),
        columns: columns(column),
    })
}

fn columns<C>(column: impl Fn(Field) -> C) -> ColumnsView<C> {
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
