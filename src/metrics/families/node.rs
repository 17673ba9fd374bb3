//! What Node workers report: by the names of prom-client where that has one, so that boards made for it fit. And what apps report
//! of themselves.
//!
//! The figures are those of the last look, mostly a second; what adds up does so over all workers that an instance has had.

use super::{Head, Labels, List, bytes, counter, gauge, instances};
use crate::api::messages::MetricValue;
use crate::api::node::{NodeView, SpreadView};
use crate::api::types::{AppView, InstanceView};
use crate::metrics::totals::{NodeTotal, Totals};

/// A quantile, and where it stands.
type Quantile = (&'static str, fn(&SpreadView) -> f64);

/// Those that are told.
const QUANTILES: [Quantile; 3] = [("0.5", |it| it.p50), ("0.95", |it| it.p95), ("0.99", |it| it.p99)];

impl<'a> List<'a> {
    pub(super) fn node(&mut self, apps: &'a [AppView], totals: &Totals) {
        self.event_loop(apps);
        self.heap(apps);
        let collecting = |total: &NodeTotal| total.collecting.as_secs_f64();
        let help = "Garbage collections, and how long they took.";
        self.of_totals(apps, totals, counter("nodejs_gc_duration_seconds_sum", help), collecting);
        self.of_totals(apps, totals, counter("nodejs_gc_duration_seconds_count", help), |total| {
            bytes(total.collections)
        });
        self.http(apps, totals);
    }

    fn event_loop(&mut self, apps: &'a [AppView]) {
        let mut delay = |head: Head, value: fn(&SpreadView) -> f64| {
            self.of_reports(apps, head, |node| Some(value(&node.event_loop?.delay_ms?) / 1000.0));
        };
        delay(gauge("nodejs_eventloop_lag_seconds", "By how much timers were late, on average."), |it| {
            it.mean
        });
        delay(gauge("nodejs_eventloop_lag_mean_seconds", "The same."), |it| it.mean);
        delay(gauge("nodejs_eventloop_lag_p50_seconds", "By how much timers were late, median."), |it| {
            it.p50
        });
        delay(gauge("nodejs_eventloop_lag_p95_seconds", "95th percentile."), |it| it.p95);
        delay(gauge("nodejs_eventloop_lag_p99_seconds", "99th percentile."), |it| it.p99);
        delay(gauge("nodejs_eventloop_lag_max_seconds", "By how much the latest timer was late."), |it| {
            it.max
        });
        let busy =
            gauge("nodejs_eventloop_utilization", "The part of the time in which it was busy, 0 to 1.");
        self.of_reports(apps, busy, |node| node.event_loop?.utilization);
    }

    fn heap(&mut self, apps: &'a [AppView]) {
        let mut each = |head: Head, value: fn(&NodeView) -> Option<u64>| {
            self.of_reports(apps, head, |node| value(node).map(bytes));
        };
        each(gauge("nodejs_heap_size_total_bytes", "Size of V8's heap."), |node| Some(node.heap.total_bytes));
        each(gauge("nodejs_heap_size_used_bytes", "What of it is used."), |node| Some(node.heap.used_bytes));
        each(gauge("nodejs_external_memory_bytes", "Memory of buffers and the like beside it."), |node| {
            Some(node.heap.external_bytes)
        });
        each(
            gauge("nodejs_active_handles_total", "Sockets, servers, timers and the like that are open."),
            |node| Some(node.active?.handles),
        );
        each(gauge("nodejs_active_requests_total", "Reads, look-ups and the like under way."), |node| {
            Some(node.active?.requests)
        });
    }

    fn http(&mut self, apps: &'a [AppView], totals: &Totals) {
        let mut total = |name, help, value: fn(&NodeTotal) -> u64| {
            self.of_totals(apps, totals, counter(name, help), |total| bytes(value(total)));
        };
        total("pmr_http_requests", "HTTP requests that were answered.", |total| total.requests);
        total("pmr_http_errors", "Those answered with a status of 500 or more.", |total| total.errors);
        total("pmr_http_aborted", "HTTP requests whose client was gone before the answer.", |total| {
            total.aborted
        });
        let in_flight = gauge("pmr_http_requests_in_flight", "HTTP requests that are being answered.");
        self.of_reports(apps, in_flight, |node| node.http?.in_flight.map(bytes));
        let help = "How long it took to answer them.";
        let quantiles = instances(apps).flat_map(|(labels, _, it)| {
            let latency = it.node.and_then(|node| node.http?.latency_ms);
            QUANTILES.map(|(quantile, value)| {
                let mut labels = labels.clone();
                labels.push(("quantile", quantile.into()));
                (labels, latency.as_ref().map(|latency| value(latency) / 1000.0))
            })
        });
        self.family(gauge("pmr_http_request_duration_seconds", help), quantiles);
        let took = counter("pmr_http_request_duration_seconds_sum", help);
        self.of_totals(apps, totals, took, |total| total.took.as_secs_f64());
        let number = counter("pmr_http_request_duration_seconds_count", help);
        self.of_totals(apps, totals, number, |total| bytes(total.requests));
    }

    /// What apps report of themselves, as far as it is numbers.
    pub(super) fn of_apps_own(&mut self, apps: &'a [AppView]) {
        let samples = instances(apps).flat_map(|(labels, _, it)| own(&labels, it));
        self.family(gauge("pmr_app_metric", "What the app reports of itself, by name."), samples);
    }

    fn of_reports(&mut self, apps: &'a [AppView], head: Head, value: impl Fn(&NodeView) -> Option<f64>) {
        let samples = instances(apps).map(|(labels, _, it)| (labels, it.node.as_ref().and_then(&value)));
        self.family(head, samples);
    }

    fn of_totals(
        &mut self,
        apps: &'a [AppView],
        totals: &Totals,
        head: Head,
        value: impl Fn(&NodeTotal) -> f64,
    ) {
        let total = |place| totals.node(place).as_ref().map(&value);
        self.family(head, instances(apps).map(|(labels, place, _)| (labels, total(place))));
    }
}

fn own<'a>(labels: &Labels<'a>, it: &'a InstanceView) -> Vec<(Labels<'a>, Option<f64>)> {
    let named = |name: &'a str| {
        let mut labels = labels.clone();
        labels.push(("name", name.into()));
        labels
    };
    let number = |value: &MetricValue| match value {
        MetricValue::Number(number) => Some(*number),
        MetricValue::Text(_) => None,
    };
    it.metrics.iter().map(|(name, metric)| (named(name), number(&metric.value))).collect()
}
