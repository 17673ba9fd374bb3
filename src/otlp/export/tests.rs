//! Pushes of made-up figures.

use super::*;
use crate::metrics::families::tests::{app, with_figures};

/// Of the made-up runtime.
const BEGAN: u64 = 1_786_276_800_500_000_000;
const NOW: u64 = BEGAN + 5_000_000;

/// Calls `show` with what is pushed of an app whose name says how it is written.
pub(in crate::otlp) fn with_export<T>(show: impl FnOnce(&Export<'_>) -> T) -> T {
    let resource = [("service.name".to_owned(), "shop".to_owned())];
    with_figures(&[app("a\"b")], |figures| show(&Export::of(&resource, figures, &mut Starts::default())))
}

#[test]
fn a_counter_has_a_start_and_a_gauge_has_none() {
    with_export(|export| {
        let metric = |name: &str| export.metrics.iter().find(|metric| metric.name == name).unwrap();
        let cpu = metric("pmr.instance.cpu");
        assert_eq!((cpu.unit, cpu.kind, cpu.points.len()), ("s", Kind::Counter, 1));
        let attributes = vec![("pmr.app", "a\"b".into()), ("pmr.instance", "0".into())];
        assert_eq!(cpu.points[0], Point { attributes, start: Some(BEGAN), time: NOW, value: 3.5 });
        let memory = metric("pmr.instance.memory_pss");
        assert_eq!((memory.unit, memory.kind, memory.points[0].start), ("By", Kind::Gauge, None));
    });
}

#[test]
fn names_are_those_of_metrics_with_namespaces_and_without_units() {
    for (ours, name, unit) in [
        ("pmr_start_time_seconds", "pmr.start_time", "s"),
        ("pmr_instance_cpu_seconds", "pmr.instance.cpu", "s"),
        ("pmr_listener_queue_length", "pmr.listener.queue_length", ""),
        ("pmr_cpus", "pmr.cpus", ""),
        ("nodejs_eventloop_lag_p99_seconds", "nodejs.eventloop_lag_p99", "s"),
        ("nodejs_gc_duration_seconds_sum", "nodejs.gc_duration.sum", "s"),
        ("pmr_http_request_duration_seconds_count", "pmr.http.request_duration.count", ""),
        ("up", "up", ""),
    ] {
        assert_eq!(renamed(ours), (name.to_owned(), unit), "{ours}");
    }
}
