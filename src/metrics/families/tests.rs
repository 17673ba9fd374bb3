//! Made-up figures, and that they are documented.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Family, Figures, Kind, families};
use crate::api::messages::{MetricValue, MetricView};
use crate::api::node;
use crate::api::types::{AppView, Health, HealthView, RuntimeView, ScalingView, Status};
use crate::metrics::totals::Totals;
use crate::metrics::usage::{Clients, Memory, MemoryKind, Switches, TreeUsage};

pub(crate) fn runtime() -> RuntimeView {
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "pid": 1, "mode": "foreground", "home": null, "socket": "/run/pmr/pmr.sock", "user": "root",
        "command": ["pmr-runtime"], "directory": "/", "started_at_ms": 1_786_276_800_500_u64, "uptime_ms": 5, "updates": 2,
        "memory_bytes": 4_194_304, "cpu_time_ms": 1500, "descriptors": 20, "machine": {
            "host": null, "kernel": null, "architecture": "x86_64", "cpus": 2, "memory_limit_bytes": 536_870_912,
            "memory_total_bytes": null, "memory_available_bytes": null, "load": null,
        },
    }))
    .unwrap()
}

/// Two instances, of which the second has no worker.
pub(crate) fn app(name: &str) -> AppView {
    let mut app = crate::control::sample(0, name, 2);
    app.instances[0].pid = Some(42);
    app.instances[0].restarts = 3;
    app.instances[0].health =
        Some(HealthView { health: Health::Healthy, failures: 0, last_failure: None, stalled: None });
    app.instances[0].node = Some(node::sample());
    let own = MetricView { value: MetricValue::Number(2.5), unit: "jobs".to_owned() };
    let text = MetricView { value: MetricValue::Text("busy".to_owned()), unit: String::new() };
    app.instances[0].metrics = BTreeMap::from([("queue".to_owned(), own), ("mood".to_owned(), text)]);
    app.instances[1].status = Status::WaitingRestart;
    app.scaling = Some(ScalingView { min: 2, max: 8, last: None });
    app
}

pub(crate) fn usage() -> TreeUsage {
    TreeUsage {
        cpu_percent: None,
        cpu_time: Duration::from_millis(1500),
        memory: Some(Memory { bytes: 1000, kind: MemoryKind::Pss, rss: 3000, uss: Some(500) }),
        processes: 2,
        threads: 12,
        descriptors: Some(25),
        switches: None,
        clients: Some(Clients { connections: 9, in_flight: Some(2) }),
        age: None,
        started: Some(Duration::from_millis(1_786_276_801_250)),
    }
}

/// Calls `show` with all that there is to tell of these apps.
pub(crate) fn with_figures<T>(apps: &[AppView], show: impl FnOnce(&Figures<'_>) -> T) -> T {
    let usages = BTreeMap::from([(42, usage())]);
    let mut totals = Totals::default();
    totals.note((0, 0), 41, Duration::from_secs(2));
    totals.note((0, 0), 42, usage().cpu_time);
    totals.add((0, 0), &node::sample());
    totals.note_switches((0, 0), 42, Switches { voluntary: 900, involuntary: 30 });
    show(&Figures { runtime: &runtime(), apps, usages: &usages, totals: &totals })
}

/// The names of all families, as Prometheus shows them.
pub(crate) fn names() -> BTreeSet<String> {
    with_figures(&[app("web")], |figures| {
        let name = |it: &Family<'_>| match (it.kind, it.summary()) {
            (_, Some(summary)) => summary.to_owned(),
            (Kind::Counter, None) => format!("{}_total", it.name),
            (Kind::Gauge, None) => it.name.to_owned(),
        };
        families(figures).iter().map(name).collect()
    })
}

#[test]
fn what_is_not_known_has_no_sample() {
    let of_nothing =
        with_figures(&[], |figures| families(figures).iter().map(|it| it.name).collect::<Vec<_>>());
    assert!(of_nothing.contains(&"pmr_cpus"), "{of_nothing:?}");
    assert!(!of_nothing.iter().any(|name| name.starts_with("pmr_app") || name.starts_with("pmr_instance")));
}

#[test]
fn the_documentation_has_each_family_and_no_other() {
    const DOCUMENT: &str = include_str!("../../../docs/web.md");
    let first = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let is_name = |cell: &&str| ["pmr_", "nodejs_"].iter().any(|start| cell.starts_with(start));
    let named: BTreeSet<String> = first.filter(is_name).map(str::to_owned).collect();
    assert_eq!(named, names());
}

/// The words of each expression that could be names of ours.
fn asked_for(panel: &serde_json::Value) -> Vec<String> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    let words = expressions.flat_map(|it| it.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    let is_name =
        |word: &&str| ["pmr_", "nodejs_", "process_", "http_"].iter().any(|it| word.starts_with(it));
    words.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_board_asks_for_nothing_that_is_not_there() {
    const BOARD: &str = include_str!("../../../deploy/grafana/pmr-runtime.json");
    let board: serde_json::Value = serde_json::from_str(BOARD).unwrap();
    let asked: BTreeSet<String> = board["panels"].as_array().unwrap().iter().flat_map(asked_for).collect();
    let known = names();
    // A summary has its sum and its count.
    let of_summary = |name: &str, part| name.strip_suffix(part).is_some_and(|it| known.contains(it));
    let is_known =
        |name: &str| known.contains(name) || of_summary(name, "_sum") || of_summary(name, "_count");
    let missing: Vec<_> = asked.iter().filter(|name| !is_known(name)).collect();
    assert!(missing.is_empty() && asked.len() > 20, "{missing:?}");
}
