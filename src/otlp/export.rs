//! The figures as OpenTelemetry has them: names, units, attributes and times. Pure.
//!
//! A name is that of /metrics with its unit taken off and its first parts as namespaces: `pmr_instance_cpu_seconds_total` is
//! `pmr.instance.cpu` in `s`. A Prometheus that takes OTLP makes the same name of it again.

use std::borrow::Cow;

use super::starts::Starts;
use crate::metrics::families::{Family, Figures, Kind, Sample, families};

const NANOS_IN_A_MILLI: u64 = 1_000_000;

/// All that one push says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Export<'a> {
    /// Who says it.
    pub(super) resource: &'a [(String, String)],
    pub(super) metrics: Vec<Metric<'a>>,
}

/// The values of one name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric<'a> {
    pub(super) name: String,
    /// In UCUM's words; empty where things are counted.
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: Kind,
    pub(super) points: Vec<Point<'a>>,
}

/// A value at a time, in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point<'a> {
    pub(super) attributes: Vec<(&'static str, Cow<'a, str>)>,
    /// Since when a counter counts.
    pub(super) start: Option<u64>,
    pub(super) time: u64,
    pub(super) value: f64,
}

impl<'a> Export<'a> {
    /// What is told of a runtime by `resource`.
    pub(super) fn of(resource: &'a [(String, String)], figures: &Figures<'a>, starts: &mut Starts) -> Self {
        let runtime = figures.runtime;
        let began = runtime.started_at_ms.saturating_mul(NANOS_IN_A_MILLI);
        let now = began.saturating_add(runtime.uptime_ms.saturating_mul(NANOS_IN_A_MILLI));
        let families = families(figures).into_iter();
        let metrics = families.map(|family| metric(family, starts, (began, now))).collect();
        starts.looked(now);
        Self { resource, metrics }
    }
}

fn metric<'a>(family: Family<'a>, starts: &mut Starts, times: (u64, u64)) -> Metric<'a> {
    let Family { name, kind, help, samples } = family;
    let mut point = |Sample { labels, value }: Sample<'a>| Point {
        start: (kind == Kind::Counter).then(|| starts.of(format!("{name}{labels:?}"), value, times)),
        attributes: labels.into_iter().map(|(label, value)| (attribute(label), value)).collect(),
        time: times.1,
        value,
    };
    let points = samples.into_iter().map(&mut point).collect();
    let (name, unit) = renamed(name);
    Metric { name, unit, description: help, kind, points }
}

/// The name as OpenTelemetry has it, and the unit. `_sum` and `_count` of a summary are counters of their own.
fn renamed(name: &str) -> (String, &'static str) {
    let (of_what, part) = if let Some(of_what) = name.strip_suffix("_sum") {
        (of_what, ".sum")
    } else if let Some(of_what) = name.strip_suffix("_count") {
        (of_what, ".count")
    } else {
        (name, "")
    };
    let units = [("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1")];
    let found = units.iter().find_map(|(ending, unit)| Some((of_what.strip_suffix(ending)?, *unit)));
    let (stem, unit) = found.unwrap_or((of_what, ""));
    (dotted(stem) + part, if part == ".count" { "" } else { unit })
}

/// `pmr_instance_memory_pss` as `pmr.instance.memory_pss`, `pmr_start_time` as `pmr.start_time`.
fn dotted(name: &str) -> String {
    let (namespace, rest) = name.split_once('_').unwrap_or((name, ""));
    match rest.split_once('_') {
        Some((subject @ ("app" | "http" | "instance" | "listener"), rest)) => {
            format!("{namespace}.{subject}.{rest}")
        }
        _ if rest.is_empty() => namespace.to_owned(),
        _ => format!("{namespace}.{rest}"),
    }
}

/// A Prometheus that takes OTLP would put `service.instance.id` in the place of an attribute `instance`.
fn attribute(label: &'static str) -> &'static str {
    match label {
        "app" => "pmr.app",
        "namespace" => "pmr.namespace",
        "instance" => "pmr.instance",
        other => other,
    }
}

#[cfg(test)]
pub(super) mod tests;
