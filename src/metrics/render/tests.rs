//! Pages of made-up figures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Figures, Format, render};
use crate::api::types::{AppView, Health, HealthView, RuntimeView, Status};
use crate::metrics::totals::CpuTotals;
use crate::metrics::usage::{Memory, MemoryKind, TreeUsage};

fn runtime() -> RuntimeView {
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "pid": 1, "mode": "foreground", "home": null, "socket": "/run/pmr/pmr.sock", "user": "root",
        "command": ["pmr-runtime"], "directory": "/", "started_at_ms": 1_786_276_800_500_u64, "uptime_ms": 5, "updates": 2,
        "memory_bytes": 4_194_304, "machine": {
            "host": null, "kernel": null, "architecture": "x86_64", "cpus": 2, "memory_limit_bytes": 536_870_912,
            "memory_total_bytes": null, "memory_available_bytes": null, "load": null,
        },
    }))
    .unwrap()
}

/// Two instances, of which the second has no worker.
fn app(name: &str) -> AppView {
    let mut app = crate::control::sample(0, name, 2);
    app.instances[0].pid = Some(42);
    app.instances[0].restarts = 3;
    app.instances[0].health =
        Some(HealthView { health: Health::Healthy, failures: 0, last_failure: None, stalled: None });
    app.instances[1].status = Status::WaitingRestart;
    app
}

fn usage() -> TreeUsage {
    TreeUsage {
        cpu_percent: None,
        cpu_time: Duration::from_millis(1500),
        memory: Some(Memory { bytes: 1000, kind: MemoryKind::Pss, rss: 3000, uss: Some(500) }),
        processes: 2,
        threads: 12,
        descriptors: Some(25),
        switches: None,
        age: None,
        started: Some(Duration::from_millis(1_786_276_801_250)),
    }
}

fn page(apps: &[AppView], format: Format) -> String {
    let usages = BTreeMap::from([(42, usage())]);
    let mut totals = CpuTotals::default();
    totals.note((0, 0), 41, Duration::from_secs(2));
    totals.note((0, 0), 42, usage().cpu_time);
    render(&Figures { runtime: &runtime(), apps, usages: &usages, totals: &totals }, format)
}

#[test]
fn the_page_is_as_prometheus_reads_it() {
    insta::assert_snapshot!(page(&[app("web")], Format::Text));
}

#[test]
fn open_metrics_names_counters_without_their_ending_and_ends_with_a_mark() {
    let page = page(&[app("web")], Format::OpenMetrics);
    assert!(page.contains("# TYPE pmr_instance_restarts counter\n"), "{page}");
    assert!(page.contains("pmr_instance_restarts_total{app=\"web\",instance=\"0\"} 3\n"), "{page}");
    assert!(page.ends_with("# EOF\n"), "{page}");
}

#[test]
fn a_name_may_be_anything() {
    let page = page(&[app("a\"b\\c\nd")], Format::Text);
    assert!(page.contains(r#"pmr_app_up{app="a\"b\\c\nd",namespace="default"} 1"#), "{page}");
}

#[test]
fn what_is_not_known_has_no_sample() {
    let page = page(&[], Format::Text);
    assert!(!page.contains("pmr_app"), "{page}");
    assert!(!page.contains("pmr_instance"), "{page}");
}

#[test]
fn the_documentation_has_each_family_and_no_other() {
    const DOCUMENT: &str = include_str!("../../../docs/web.md");
    let page = page(&[app("web")], Format::Text);
    let told: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `pmr_"));
    let named: BTreeSet<String> =
        rows.filter_map(|row| row.split('`').next()).map(|name| format!("pmr_{name}")).collect();
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), told);
}
