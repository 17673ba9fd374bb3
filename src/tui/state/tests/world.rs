//! Made-up apps, lines and keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::input::{Change, Effect, Input, Size};
use super::super::key::Key;
use super::super::model::State;
use crate::api::types::{
    AppView, ExecMode, InstanceView, LogFilesView, LogStream, LogView, MachineView, Mode, Operation, Outcome,
    RuntimeView, Status, Verdict,
};

pub(crate) const SIZE: Size = Size { columns: 80, rows: 24 };

/// An app that serves, with an instance for each of these numbers.
pub(crate) fn app(app_id: u32, name: &str, ids: &[u32]) -> AppView {
    AppView {
        app_id,
        name: name.to_owned(),
        namespace: "default".to_owned(),
        version: Some("1.2.3".to_owned()),
        status: if ids.is_empty() { Status::Stopped } else { Status::Online },
        before_start: None,
        command: vec!["node".to_owned(), "server.js".to_owned()],
        resolved: None,
        script: Some("/app/server.js".to_owned()),
        directory: "/app".to_owned(),
        interpreter: None,
        share: "cluster".to_owned(),
        balance: "shared".to_owned(),
        exec_mode: ExecMode::Cluster,
        user: "app".to_owned(),
        watching: false,
        created_at_ms: 0,
        generation: 1,
        reloading: None,
        health: None,
        instances: (0..).zip(ids).map(|(instance, &id)| self::instance(id, instance)).collect(),
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

pub(crate) fn instance(id: u32, instance: u32) -> InstanceView {
    InstanceView {
        id,
        instance,
        status: Status::Online,
        steered_away: false,
        pid: Some(100 + i32::try_from(id).unwrap()),
        generation: 1,
        uptime_ms: Some(3_600_000 * u64::from(id + 1)),
        restarts: 0,
        unstable_starts: 0,
        cpu_percent: Some(12.5),
        memory_bytes: Some(64 << 20),
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

pub(crate) fn runtime() -> RuntimeView {
    RuntimeView {
        version: "0.1.0".to_owned(),
        pid: 1,
        mode: Mode::Foreground,
        home: None,
        socket: "/run/pmr/pmr.sock".to_owned(),
        web: None,
        otlp: None,
        user: "root".to_owned(),
        command: vec!["pmr-runtime".to_owned()],
        directory: "/app".to_owned(),
        started_at_ms: 0,
        uptime_ms: 7_200_000,
        updates: 0,
        memory_bytes: Some(3 << 20),
        cpu_time_ms: None,
        descriptors: None,
        machine: MachineView {
            host: Some("dyno".to_owned()),
            cpus: 4,
            memory_limit_bytes: Some(512 << 20),
            memory_available_bytes: Some(300 << 20),
            load: Some([0.42, 0.3, 0.2]),
            ..MachineView::default()
        },
    }
}

/// A line of standard output.
pub(crate) fn line(id: u32, text: &str) -> LogView {
    LogView {
        at_ms: 1_700_000_000_000,
        app: Some("web".to_owned()),
        id: Some(id),
        instance: Some(id),
        pid: Some(100),
        stream: LogStream::Out,
        text: text.to_owned(),
    }
}

pub(crate) fn error_line(id: u32, text: &str) -> LogView {
    LogView { stream: LogStream::Err, ..line(id, text) }
}

pub(crate) fn lines(lines: Vec<LogView>) -> Input {
    Input::Lines { target: "web".to_owned(), lines }
}

pub(crate) fn outcome(app: &str, operation: Operation, ok: bool, message: &str) -> Outcome {
    let verdict = Verdict {
        app: Some(app.to_owned()),
        operation,
        ok,
        message: message.to_owned(),
        took_ms: 5,
        generation: Some(2),
        instances: Some(2),
        last_lines: Vec::new(),
    };
    Outcome { verdicts: vec![verdict] }
}

pub(crate) fn change(operation: Operation, argument: Option<&str>) -> Change {
    Change { operation, target: "web".to_owned(), argument: argument.map(str::to_owned) }
}

/// A dashboard over `apps`, that has had its first answer.
pub(crate) fn dashboard(apps: Vec<AppView>) -> State {
    let mut state = State::new(SIZE);
    drop(state.update(Input::Apps(apps)));
    drop(state.update(Input::Runtime(Box::new(runtime()))));
    state
}

/// web with two instances, and worker with one.
pub(crate) fn usual() -> State {
    dashboard(vec![app(0, "web", &[0, 1]), app(1, "worker", &[2])])
}

/// Types letters, one after the other, and gives all effects.
pub(crate) fn types(state: &mut State, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| state.update(Input::Key(Key::Char(c)))).collect()
}

pub(crate) fn press(state: &mut State, key: Key) -> Vec<Effect> {
    state.update(Input::Key(key))
}

pub(crate) fn tick(state: &mut State, seconds: u64) -> Vec<Effect> {
    state.update(Input::Tick(Duration::from_secs(seconds)))
}

/// What the status line says.
pub(crate) fn message(state: &State) -> &str {
    state.message.as_ref().map_or("", |message| &message.text)
}
