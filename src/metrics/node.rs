//! Reads the report of the agent in a Node worker. Pure, never panics, and keeps nothing but numbers: a worker may lie.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::node::{ActiveView, EventLoopView, GcView, HeapView, HttpView, NodeView, SpreadView};

/// The agent's own take some 600 bytes.
const LONGEST: usize = 4096;

#[derive(Deserialize)]
struct Message {
    report: Report,
}

/// As `meter.cjs` makes it.
#[derive(Deserialize)]
struct Report {
    window: Option<f64>,
    #[serde(rename = "loop")]
    event_loop: Option<Loop>,
    gc: Option<Gc>,
    http: Option<Http>,
    heap: Heap,
    active: Option<Active>,
}

#[derive(Deserialize)]
struct Loop {
    utilization: Option<f64>,
    delay: Option<Spread>,
}

#[derive(Deserialize)]
struct Gc {
    count: f64,
    ms: f64,
}

#[derive(Deserialize)]
struct Http {
    requests: f64,
    errors: f64,
    aborted: Option<f64>,
    in_flight: Option<f64>,
    latency: Option<Spread>,
}

#[derive(Deserialize)]
struct Heap {
    used: f64,
    total: f64,
    external: f64,
}

#[derive(Deserialize)]
struct Active {
    handles: f64,
    requests: f64,
}

#[derive(Deserialize)]
struct Spread {
    mean: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// The report in a message of the agent; `None` where it is none.
#[must_use]
pub fn read(message: &RawValue) -> Option<NodeView> {
    if message.get().len() > LONGEST {
        return None;
    }
    let Message { report } = serde_json::from_str(message.get()).ok()?;
    // Of no time at all nothing can be said.
    let window = report.window.filter(|window| *window >= 1.0);
    let Report { event_loop, gc, http, heap, active, .. } = report;
    Some(NodeView {
        window_ms: window.map(amount),
        event_loop: window.and(event_loop).map(|it| EventLoopView {
            utilization: it.utilization.map(|part| amount(part).min(1.0)),
            delay_ms: it.delay.as_ref().map(spread),
        }),
        gc: window.and(gc).map(|it| GcView { collections: count(it.count), took_ms: amount(it.ms) }),
        http: window.zip(http).map(|(window, it)| requests(window, &it)),
        heap: HeapView {
            used_bytes: count(heap.used),
            total_bytes: count(heap.total),
            external_bytes: count(heap.external),
        },
        active: active.map(|it| ActiveView { handles: count(it.handles), requests: count(it.requests) }),
    })
}

fn requests(window: f64, it: &Http) -> HttpView {
    HttpView {
        requests: count(it.requests),
        requests_per_second: amount(it.requests) / window * 1000.0,
        errors: count(it.errors),
        aborted: it.aborted.map(count),
        in_flight: it.in_flight.map(count),
        latency_ms: it.latency.as_ref().map(spread),
    }
}

fn spread(it: &Spread) -> SpreadView {
    SpreadView {
        mean: amount(it.mean),
        p50: amount(it.p50),
        p95: amount(it.p95),
        p99: amount(it.p99),
        max: amount(it.max),
    }
}

/// Not below nothing, and not beyond what a double tells exactly.
fn amount(value: f64) -> f64 {
    const MOST: f64 = 9_007_199_254_740_992.0;
    value.clamp(0.0, MOST)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`amount` is within the type")]
fn count(value: f64) -> u64 {
    amount(value) as u64
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(report: Value) -> Option<NodeView> {
        read(&serde_json::value::to_raw_value(&json!({ "cmd": "NODE_PMR", "report": report })).unwrap())
    }

    fn whole() -> Value {
        let spread = json!({ "mean": 1.5, "p50": 1, "p95": 2, "p99": 3, "max": 4 });
        json!({
            "window": 2000.0,
            "loop": { "utilization": 0.25, "delay": spread },
            "gc": { "count": 2, "ms": 1.5 },
            "http": { "requests": 100, "errors": 1, "aborted": 0, "in_flight": 3, "latency": spread },
            "heap": { "used": 10, "total": 20, "external": 5 },
            "active": { "handles": 4, "requests": 1 },
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut report = whole();
        report[field] = value;
        report
    }

    #[test]
    fn a_report_is_read_and_rates_are_made() {
        let view = of(whole()).unwrap();
        let spread = SpreadView { mean: 1.5, p50: 1.0, p95: 2.0, p99: 3.0, max: 4.0 };
        assert_eq!(view.window_ms, Some(2000.0));
        assert_eq!(view.event_loop, Some(EventLoopView { utilization: Some(0.25), delay_ms: Some(spread) }));
        assert_eq!(view.gc, Some(GcView { collections: 2, took_ms: 1.5 }));
        let http = view.http.unwrap();
        assert!((http.requests_per_second - 50.0).abs() < 1e-9);
        assert_eq!(
            (http.requests, http.errors, http.in_flight, http.latency_ms),
            (100, 1, Some(3), Some(spread))
        );
        assert_eq!(view.heap, HeapView { used_bytes: 10, total_bytes: 20, external_bytes: 5 });
    }

    #[test]
    fn a_report_without_a_window_tells_nothing_of_the_time() {
        for window in [json!(null), json!(0), json!(-5)] {
            let view = of(with("window", window)).unwrap();
            assert_eq!((view.window_ms, view.event_loop, view.gc, view.http), (None, None, None, None));
            assert_eq!(view.active, Some(ActiveView { handles: 4, requests: 1 }));
        }
    }

    #[test]
    fn figures_that_cannot_be_are_bounded() {
        let view = of(with("heap", json!({ "used": -1, "total": 1e300, "external": 0.5 }))).unwrap();
        assert_eq!(view.heap, HeapView { used_bytes: 0, total_bytes: 1 << 53, external_bytes: 0 });
        let busy = of(with("loop", json!({ "utilization": 7, "delay": null }))).unwrap();
        assert_eq!(busy.event_loop, Some(EventLoopView { utilization: Some(1.0), delay_ms: None }));
    }

    #[test]
    fn what_a_worker_does_not_know_is_not_known() {
        let of_bun = with("active", json!(null));
        assert_eq!(of(of_bun).unwrap().active, None);
        let view = of(with("loop", json!({ "utilization": null, "delay": null }))).unwrap();
        assert_eq!(view.event_loop, Some(EventLoopView { utilization: None, delay_ms: None }));
        let http = json!({ "requests": 1, "errors": 0, "aborted": 0, "in_flight": null, "latency": null });
        assert_eq!(of(with("http", http)).unwrap().http.unwrap().in_flight, None);
    }

    #[test]
    fn what_is_no_report_is_none() {
        for report in [json!(null), json!([]), json!({}), with("heap", json!("big")), with("gc", json!(7))] {
            assert_eq!(of(report.clone()), None, "{report}");
        }
        assert_eq!(of(with("more", json!("x".repeat(LONGEST)))), None);
    }
}
