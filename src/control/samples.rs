//! Apps for the tests of this module.

use std::collections::BTreeMap;

use crate::api::crash::{CrashCause, CrashDetail, CrashView, ExceptionView};
use crate::api::history::{Column, ColumnsView, RecentView};
use crate::api::types::{
    AppView, EventView, ExecMode, InstanceView, InterpreterView, ListenerView, LogFilesView, LogStream,
    LogView, Status,
};

/// An app with `instances` instances, of which the first has the number `100 × app_id`.
pub(crate) fn app(app_id: u32, name: &str, instances: u32) -> AppView {
    AppView {
        app_id,
        name: name.to_owned(),
        namespace: "default".to_owned(),
        version: Some("1.2.3".to_owned()),
        status: Status::Online,
        before_start: None,
        command: vec!["node".to_owned(), "server.js".to_owned()],
        resolved: None,
        script: Some("/srv/server.js".to_owned()),
        directory: "/srv".to_owned(),
        interpreter: Some(InterpreterView { program: "node".to_owned(), path: None, version: None }),
        share: "cluster".to_owned(),
        balance: "shared".to_owned(),
        exec_mode: ExecMode::Cluster,
        user: "app".to_owned(),
        watching: false,
        created_at_ms: 1,
        generation: 1,
        reloading: None,
        health: None,
        instances: (0..instances).map(|instance| self::instance(app_id * 100 + instance, instance)).collect(),
        standbys: Vec::new(),
        listeners: vec![ListenerView {
            address: "tcp 0.0.0.0:3000".to_owned(),
            instance: None,
            waiting: Some(0),
        }],
        logs: LogFilesView::default(),
        git: None,
        settings: Vec::new(),
        metrics: BTreeMap::new(),
        actions: Vec::new(),
        last_crash: None,
        scaling: None,
    }
}

fn recent() -> RecentView {
    let column = |values: &[f32]| Column(values.iter().copied().map(Some).collect());
    let unknown = Column(vec![None; 3]);
    let columns = ColumnsView {
        cpu_percent: column(&[0.1, 12.5, 100.0]),
        memory_bytes: column(&[52e6, 104e6, 78e6]),
        restarts: column(&[0.0; 3]),
        loop_delay_ms: unknown.clone(),
        loop_utilization: unknown.clone(),
        requests_per_second: unknown.clone(),
        in_flight: unknown.clone(),
        latency_ms: unknown.clone(),
        errors_per_second: unknown,
    };
    RecentView { step_ms: 1000, from_ms: 1_786_186_797_000, columns }
}

/// A crash of the app `web`, with all that can be known of one.
pub(crate) fn crash(id: u64) -> CrashDetail {
    CrashDetail {
        crash: CrashView {
            id,
            at_ms: 1_786_186_800_000,
            app: "web".to_owned(),
            app_id: 0,
            instance: 0,
            pid: Some(42),
            generation: 2,
            uptime_ms: Some(5_000),
            cause: CrashCause::Exception,
            reason: "exit code 1".to_owned(),
            summary: "TypeError: x is not a function".to_owned(),
            exception: Some(ExceptionView {
                name: "TypeError".to_owned(),
                message: "x is not a function".to_owned(),
                stack: Some("TypeError: x is not a function\n    at load (/app/a.js:1:2)".to_owned()),
            }),
            fingerprint: "9f3c2a7d10b4e6aa".to_owned(),
            count: 3,
            first_at_ms: 1_786_186_790_000,
            revision: Some("5fe83f6c0ffee".to_owned()),
            version: Some("1.4.2".to_owned()),
        },
        command: vec!["node".to_owned(), "server.js".to_owned()],
        directory: "/app".to_owned(),
        logs: vec![line("web", "listening")],
        figures: Some(recent()),
    }
}

fn instance(id: u32, instance: u32) -> InstanceView {
    InstanceView {
        id,
        instance,
        status: Status::Online,
        steered_away: false,
        pid: None,
        generation: 1,
        uptime_ms: Some(5000),
        restarts: 0,
        unstable_starts: 0,
        cpu_percent: None,
        memory_bytes: None,
        processes: None,
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

/// An event of `app`.
pub(super) fn event(seq: u64, app: &str) -> EventView {
    EventView {
        seq,
        at_ms: 1_700_000_000_000 + seq,
        level: "info".to_owned(),
        kind: "ready".to_owned(),
        app: Some(app.to_owned()),
        id: Some(0),
        pid: Some(42),
        message: "worker ready".to_owned(),
        data: None,
    }
}

/// A line of `app`.
pub(super) fn line(app: &str, text: &str) -> LogView {
    LogView {
        at_ms: 1_700_000_000_000,
        app: Some(app.to_owned()),
        id: Some(0),
        instance: Some(0),
        pid: Some(42),
        stream: LogStream::Out,
        text: text.to_owned(),
    }
}
