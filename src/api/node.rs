//! What a Node worker reports of itself, as it is shown. Values only.

use serde::{Deserialize, Serialize};

/// How a worker of Node or Bun does. What Bun does not know is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Over how long event loop, garbage collection and requests were measured; `None` where that has only begun.
    pub window_ms: Option<f64>,
    pub event_loop: Option<EventLoopView>,
    pub gc: Option<GcView>,
    /// Requests to HTTP/1 servers; with Bun, to those of `node:http` once there was one.
    pub http: Option<HttpView>,
    pub heap: HeapView,
    pub active: Option<ActiveView>,
}

/// The event loop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EventLoopView {
    /// The part of the time in which it was busy, from 0 to 1.
    pub utilization: Option<f64>,
    /// By how much timers were late; `None` where none was due.
    pub delay_ms: Option<SpreadView>,
}

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpreadView {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// Garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GcView {
    pub collections: u64,
    /// How long they took together.
    pub took_ms: f64,
}

/// Requests that were answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HttpView {
    pub requests: u64,
    pub requests_per_second: f64,
    /// Answered with a status of 500 or more.
    pub errors: u64,
    /// Whose connection was gone before they were answered; `None` where there were so many requests that the others are estimates.
    pub aborted: Option<u64>,
    /// Being answered at the end of the window.
    pub in_flight: Option<u64>,
    /// From a request's headers to its answer's end; `None` where none was answered.
    pub latency_ms: Option<SpreadView>,
}

/// The engine's heap, and what lies beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapView {
    pub used_bytes: u64,
    pub total_bytes: u64,
    pub external_bytes: u64,
}

/// What keeps the event loop going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveView {
    /// Sockets, servers, timers and the like.
    pub handles: u64,
    /// Reads, look-ups and the like that are under way.
    pub requests: u64,
}

impl NodeView {
    /// In short lines, each with a name: `event loop`, `3% busy, delay 1.2 ms (p99 4 ms)`.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let HeapView { used_bytes, total_bytes, external_bytes } = self.heap;
        let told = |it: &EventLoopView| it.utilization.is_some() || it.delay_ms.is_some();
        let event_loop = self.event_loop.filter(told).map(|it| ("event loop", it.to_string()));
        let http = self.http.map(|it| ("http", it.to_string()));
        let gc = self.gc.zip(self.window_ms).map(|(it, window)| {
            let share = if window > 0.0 { (it.took_ms / window * 100.0).min(100.0) } else { 0.0 };
            ("gc", format!("{share:.1}% of the time, {} collections", it.collections))
        });
        let heap = format!("{} of {}, {} outside", mebi(used_bytes), mebi(total_bytes), mebi(external_bytes));
        let active = self.active.map(|ActiveView { handles, requests }| {
            ("active", format!("{handles} handles, {requests} requests"))
        });
        event_loop.into_iter().chain(http).chain(gc).chain([("heap", heap)]).chain(active).collect()
    }
}

impl std::fmt::Display for EventLoopView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let busy = self.utilization.map(|part| format!("{:.0}% busy", part * 100.0));
        let delay = self.delay_ms.as_ref().map(|delay| format!("delay {delay}"));
        f.write_str(&busy.into_iter().chain(delay).collect::<Vec<_>>().join(", "))
    }
}

impl std::fmt::Display for HttpView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} requests/s", self.requests_per_second)?;
        if let Some(in_flight) = self.in_flight {
            write!(f, ", {in_flight} in flight")?;
        }
        if let Some(latency) = &self.latency_ms {
            write!(f, ", {latency}")?;
        }
        if self.errors > 0 {
            write!(f, ", {} errors", self.errors)?;
        }
        if let Some(aborted @ 1..) = self.aborted {
            write!(f, ", {aborted} aborted")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for SpreadView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ms (p95 {:.1}, p99 {:.1}, max {:.1})", self.mean, self.p95, self.p99, self.max)
    }
}

/// In MB of 2^20 bytes, as `list` shows them.
fn mebi(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{}mb", tenths / 10, tenths % 10)
}

/// A view with values that differ.
#[cfg(test)]
pub(crate) fn sample() -> NodeView {
    let spread = SpreadView { mean: 1.2, p50: 1.0, p95: 3.0, p99: 4.5, max: 9.0 };
    NodeView {
        window_ms: Some(1000.0),
        event_loop: Some(EventLoopView { utilization: Some(0.031), delay_ms: Some(spread) }),
        gc: Some(GcView { collections: 3, took_ms: 12.0 }),
        http: Some(HttpView {
            requests: 420,
            requests_per_second: 420.0,
            errors: 2,
            aborted: Some(1),
            in_flight: Some(7),
            latency_ms: Some(spread),
        }),
        heap: HeapView { used_bytes: 12 << 20, total_bytes: 20 << 20, external_bytes: 3 << 20 },
        active: Some(ActiveView { handles: 9, requests: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_told_in_short_lines() {
        let spread = "1.2 ms (p95 3.0, p99 4.5, max 9.0)";
        assert_eq!(
            sample().facts(),
            [
                ("event loop", format!("3% busy, delay {spread}")),
                ("http", format!("420.0 requests/s, 7 in flight, {spread}, 2 errors, 1 aborted")),
                ("gc", "1.2% of the time, 3 collections".to_owned()),
                ("heap", "12.0mb of 20.0mb, 3.0mb outside".to_owned()),
                ("active", "9 handles, 1 requests".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let whole = sample();
        let delay_ms = whole.event_loop.unwrap().delay_ms;
        let http =
            HttpView { in_flight: None, errors: 0, aborted: None, latency_ms: None, ..whole.http.unwrap() };
        let event_loop = EventLoopView { utilization: None, delay_ms };
        let bun =
            NodeView { event_loop: Some(event_loop), gc: None, http: Some(http), active: None, ..whole };
        assert_eq!(
            bun.facts(),
            [
                ("event loop", "delay 1.2 ms (p95 3.0, p99 4.5, max 9.0)".to_owned()),
                ("http", "420.0 requests/s".to_owned()),
                ("heap", "12.0mb of 20.0mb, 3.0mb outside".to_owned()),
            ]
        );
        let idle = EventLoopView { utilization: None, delay_ms: None };
        let idle = NodeView { event_loop: Some(idle), http: None, ..bun };
        assert_eq!(idle.facts().len(), 1);
    }

    #[test]
    fn a_first_report_has_the_heap_and_what_is_active() {
        let first = NodeView { window_ms: None, event_loop: None, gc: None, http: None, ..sample() };
        let names: Vec<_> = first.facts().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["heap", "active"]);
    }
}
