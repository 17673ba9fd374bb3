//! The figures of an instance at one time. Pure.

use super::code::Code;
use crate::api::types::InstanceView;

/// One of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    CpuPercent,
    MemoryBytes,
    /// The 99th percentile.
    LoopDelayMs,
    LoopUtilization,
    RequestsPerSecond,
    InFlight,
    /// The 95th percentile.
    LatencyMs,
    ErrorsPerSecond,
    /// Workers started in the place of one that ended, in this time.
    Restarts,
}

/// How many there are.
pub(super) const FIELDS: usize = 9;

/// All of them, in the order of a point.
pub(super) const ALL: [Field; FIELDS] = [
    Field::CpuPercent,
    Field::MemoryBytes,
    Field::LoopDelayMs,
    Field::LoopUtilization,
    Field::RequestsPerSecond,
    Field::InFlight,
    Field::LatencyMs,
    Field::ErrorsPerSecond,
    Field::Restarts,
];

/// The figures of one time, in the order of [`ALL`].
pub(super) type Point = [Code; FIELDS];

/// Nothing is known of that time.
pub(super) const NOTHING: Point = [Code::UNKNOWN; FIELDS];

/// What an instance shows, and how many workers of it were started anew since the point before.
pub(super) fn of(view: &InstanceView, restarts: u32) -> Point {
    let node = view.node.as_ref();
    let event_loop = node.and_then(|node| node.event_loop);
    let http = node.and_then(|node| node.http);
    let errors = || Some(http?.errors as f64 * 1000.0 / node?.window_ms.filter(|window| *window > 0.0)?);
    ALL.map(|field| {
        Code::of(match field {
            Field::CpuPercent => view.cpu_percent,
            Field::MemoryBytes => view.memory_bytes.map(|bytes| bytes as f64),
            Field::LoopDelayMs => event_loop.and_then(|it| it.delay_ms).map(|delay| delay.p99),
            Field::LoopUtilization => event_loop.and_then(|it| it.utilization),
            Field::RequestsPerSecond => http.map(|http| http.requests_per_second),
            Field::InFlight => view.in_flight().map(|number| number as f64),
            Field::LatencyMs => http.and_then(|http| http.latency_ms).map(|latency| latency.p95),
            Field::ErrorsPerSecond => errors(),
            Field::Restarts => Some(f64::from(restarts)),
        })
    })
}

impl Field {
    /// That of a longer time, from those of its parts.
    pub(super) fn together(self, parts: impl Iterator<Item = Code>) -> Code {
        let (mut number, mut sum, mut largest) = (0_u32, 0.0_f64, 0.0_f64);
        for value in parts.filter_map(Code::value).map(f64::from) {
            number += 1;
            sum += value;
            largest = largest.max(value);
        }
        let of_all = match self {
            // Of percentiles no mean can be made.
            Self::LoopDelayMs | Self::LatencyMs => largest,
            Self::Restarts => sum,
            _ => sum / f64::from(number.max(1)),
        };
        Code::of((number > 0).then_some(of_all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::node;
    use crate::control::sample;

    fn value(point: &Point, field: Field) -> Option<f32> {
        point[field as usize].value()
    }

    #[test]
    fn the_figures_stand_in_their_order() {
        for (place, field) in ALL.into_iter().enumerate() {
            assert_eq!(field as usize, place);
        }
    }

    #[test]
    fn what_a_worker_shows_becomes_a_point() {
        let mut view = sample(0, "web", 1).instances.remove(0);
        assert_eq!(of(&view, 0)[..8], NOTHING[..8]);
        view.node = Some(node::sample());
        view.cpu_percent = Some(12.5);
        view.memory_bytes = Some(64 << 20);
        let point = of(&view, 2);
        let found = ALL.map(|field| value(&point, field).unwrap());
        assert_eq!(found, [12.5, 67_100_000.0, 4.5, 0.031, 420.0, 7.0, 3.0, 2.0, 2.0]);
    }

    #[test]
    fn a_longer_time_has_the_mean_of_amounts_the_worst_delay_and_all_restarts() {
        let together = |field: Field, values: &[Option<f64>]| {
            field.together(values.iter().map(|value| Code::of(*value))).value()
        };
        let values = [Some(1.0), None, Some(3.0), Some(2.0)];
        assert_eq!(together(Field::CpuPercent, &values), Some(2.0));
        assert_eq!(together(Field::LatencyMs, &values), Some(3.0));
        assert_eq!(together(Field::Restarts, &values), Some(6.0));
        assert_eq!(together(Field::CpuPercent, &[None]), None);
    }
}
