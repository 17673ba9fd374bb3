//! Views made up for the tests.

use std::collections::BTreeMap;

use crate::api::messages::{MetricValue, MetricView};
use crate::api::types::{
    AppView, ExecMode, ExitView, GitView, InstanceView, InterpreterView, ListenerView, LogFilesView,
    MachineView, Mode, RuntimeView, SettingView, Status,
};

/// 2026-08-09T12:00:00Z.
pub(in crate::cli) const NOW: u64 = 1_786_276_800_000;
const MEBIBYTE: u64 = 1024 * 1024;

pub(in crate::cli) fn runtime() -> RuntimeView {
    RuntimeView {
        version: "0.2.0".to_owned(),
        pid: 1,
        mode: Mode::Foreground,
        home: None,
        socket: "/run/pmr/control.sock".to_owned(),
        web: None,
        otlp: None,
        user: "node".to_owned(),
        command: vec!["pmr-runtime".to_owned(), "node".to_owned(), "server.js".to_owned()],
        directory: "/app".to_owned(),
        started_at_ms: NOW - 90_061_000,
        uptime_ms: 90_061_000,
        updates: 1,
        memory_bytes: Some(4 * MEBIBYTE),
        cpu_time_ms: Some(1500),
        descriptors: Some(20),
        machine: MachineView {
            host: Some("dyno-1".to_owned()),
            kernel: Some("6.18.0".to_owned()),
            architecture: "x86_64".to_owned(),
            cpus: 4,
            cpu_model: Some("AMD EPYC 9R14".to_owned()),
            memory_limit_bytes: Some(512 * MEBIBYTE),
            memory_total_bytes: Some(16 * 1024 * MEBIBYTE),
            memory_available_bytes: Some(9 * 1024 * MEBIBYTE),
            load: Some([0.5, 1.25, 2.0]),
        },
    }
}

pub(in crate::cli) fn instance(id: u32, number: u32) -> InstanceView {
    InstanceView {
        id,
        instance: number,
        status: Status::Online,
        steered_away: false,
        pid: Some(4000 + i32::try_from(id).unwrap()),
        generation: 3,
        uptime_ms: Some(7_500_000),
        restarts: 0,
        unstable_starts: 0,
        cpu_percent: Some(9.5),
        memory_bytes: Some(104 * MEBIBYTE),
        processes: Some(1),
        connections: None,
        requests_in_flight: None,
        next_start_in_ms: None,
        last_exit: None,
        health: None,
        says: None,
        node: None,
        metrics: BTreeMap::new(),
        actions: Vec::new(),
    }
}

pub(in crate::cli) fn app(app_id: u32, name: &str) -> AppView {
    AppView {
        app_id,
        name: name.to_owned(),
        namespace: "default".to_owned(),
        version: Some("1.4.2".to_owned()),
        status: Status::Online,
        before_start: None,
        command: vec!["node".to_owned(), "server.js".to_owned(), "--title=my app".to_owned()],
        resolved: None,
        script: Some("/app/server.js".to_owned()),
        directory: "/app".to_owned(),
        interpreter: Some(InterpreterView {
            program: "node".to_owned(),
            path: Some("/usr/bin/node".to_owned()),
            version: Some("v20.20.2".to_owned()),
        }),
        share: "cluster".to_owned(),
        balance: "shared".to_owned(),
        exec_mode: ExecMode::Cluster,
        user: "node".to_owned(),
        watching: false,
        created_at_ms: NOW - 90_000_000,
        generation: 3,
        reloading: None,
        health: None,
        instances: Vec::new(),
        standbys: Vec::new(),
        listeners: Vec::new(),
        logs: LogFilesView::default(),
        git: None,
        settings: Vec::new(),
        metrics: BTreeMap::new(),
        actions: Vec::new(),
        last_crash: None,
        scaling: None,
    }
}

fn lag(milliseconds: f64) -> BTreeMap<String, MetricView> {
    let view = MetricView { value: MetricValue::Number(milliseconds), unit: "ms".to_owned() };
    BTreeMap::from([("event loop lag".to_owned(), view)])
}

fn web() -> AppView {
    let setting = |name: &str, value: &str, origin: &str| SettingView {
        name: name.to_owned(),
        value: value.to_owned(),
        origin: origin.to_owned(),
    };
    let second = InstanceView {
        uptime_ms: Some(5_000),
        restarts: 3,
        cpu_percent: Some(100.0),
        memory_bytes: Some(52 * MEBIBYTE),
        processes: Some(2),
        last_exit: Some(ExitView { reason: "exit code 3".to_owned(), status: 3, at_ms: NOW - 6_000 }),
        metrics: lag(2.0),
        actions: vec!["heapdump".to_owned()],
        ..instance(1, 1)
    };
    let first = InstanceView { metrics: lag(0.5), ..instance(0, 0) };
    AppView {
        reloading: Some(4),
        health: None,
        instances: vec![first, second],
        standbys: Vec::new(),
        listeners: vec![
            ListenerView { address: "tcp 0.0.0.0:3000".to_owned(), instance: None, waiting: Some(2) },
            ListenerView { address: "unix /run/app.sock".to_owned(), instance: Some(1), waiting: None },
        ],
        logs: LogFilesView {
            out: Some("/home/node/.pmr/logs/web-out.log".to_owned()),
            error: None,
            both: None,
        },
        git: Some(GitView {
            branch: Some("main".to_owned()),
            revision: "5fe83f6c0ffee".to_owned(),
            remote: Some("https://example.com/web.git".to_owned()),
        }),
        settings: vec![
            setting("instances", "2", "WEB_CONCURRENCY"),
            setting("kill-timeout", "25s", "default"),
        ],
        metrics: lag(1.25),
        actions: vec!["heapdump".to_owned()],
        last_crash: None,
        scaling: None,
        ..app(0, "web")
    }
}

fn api() -> AppView {
    let failed = InstanceView {
        status: Status::Errored,
        steered_away: false,
        pid: None,
        uptime_ms: None,
        restarts: 15,
        unstable_starts: 16,
        cpu_percent: None,
        memory_bytes: None,
        processes: None,
        last_exit: Some(ExitView { reason: "SIGKILL".to_owned(), status: 137, at_ms: NOW - 60_000 }),
        ..instance(2, 0)
    };
    AppView {
        status: Status::Errored,
        version: None,
        share: "intercept".to_owned(),
        balance: "shared".to_owned(),
        user: "www-data".to_owned(),
        instances: vec![failed],
        ..app(1, "api")
    }
}

fn jobs() -> AppView {
    let only = InstanceView {
        pid: Some(17),
        uptime_ms: Some(1_000),
        cpu_percent: Some(0.0),
        memory_bytes: Some(9 * MEBIBYTE),
        ..instance(10, 0)
    };
    AppView {
        namespace: "background".to_owned(),
        share: "none".to_owned(),
        balance: "shared".to_owned(),
        exec_mode: ExecMode::Fork,
        watching: true,
        interpreter: None,
        instances: vec![only],
        ..app(2, "jobs")
    }
}

/// Three apps with four instances.
pub(in crate::cli) fn apps() -> Vec<AppView> {
    vec![web(), api(), jobs()]
}
