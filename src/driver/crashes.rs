//! Writes down the crashes of workers, and tells of them: to clients as events, to programs that read our lines as JSON.
//!
//! A record is made when the worker's end has been told: then its last lines were read. What the app's files say of its
//! version is read on another thread. Nothing waits for a record but the next one.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use super::app::App;
use super::clock::{self, Clock};
use super::crash_hooks::{Hooks, Recipient};
use super::tell::{Events, Whose};
use super::watch_logs::view_of;
use super::words::crashed;
use crate::api::crash::{CrashDetail, CrashView, LastCrashView};
use crate::api::types::LogView;
use crate::crashes::cause::{self, Death};
use crate::crashes::exception;
use crate::crashes::fingerprint::{self, Features};
use crate::crashes::lines;
use crate::crashes::store::Crashes;
use crate::facts::gather::{self, gather};
use crate::facts::known::Facts;
use crate::logs::{Filter, Origin, Outputs};
use crate::spec::{AppId, WorkerId};
use crate::supervisor::{Notice, Uptime};
use crate::telemetry::Telemetry;

/// How many lines of the app are searched for the worker's last ones: other instances may write more than it did.
const SEARCHED: usize = 1000;
/// How many seconds of figures are kept.
const FIGURES: u64 = 60;
/// How long the app's files may take to be read; a disk that is away keeps nobody from knowing of the crash.
const FACTS_WITHIN: Duration = Duration::from_secs(1);
/// A worker that ends later than so long after an exception was told of has gone on with it.
const DIES_WITHIN: Duration = Duration::from_secs(10);

/// An exception that a worker's agent has told of.
#[derive(Debug, Clone)]
pub(super) struct Caught {
    pub(super) at: Uptime,
    /// Its first line.
    pub(super) text: String,
    pub(super) stack: Option<String>,
}

/// A crash of which no record was made yet.
#[derive(Debug)]
pub(super) struct Obituary {
    at_ms: u64,
    whose: Rc<Whose>,
    app: AppId,
    /// The instance's number in the runtime.
    id: Option<u32>,
    death: Death,
    command: Vec<String>,
    directory: String,
    script: Option<String>,
    path: Option<OsString>,
    outputs: Rc<Outputs>,
    /// Who else is told.
    recipient: Option<Rc<Recipient>>,
}

/// The crashes that are kept.
#[derive(Debug)]
pub(super) struct CrashBook {
    events: Rc<Events>,
    pub(super) kept: RefCell<Crashes>,
    pub(super) hooks: Rc<Hooks>,
    /// What workers used before.
    pub(super) telemetry: RefCell<Telemetry>,
    /// Who makes records, and who delivers reports on them, until they are waited for.
    recorder: RefCell<Option<JoinHandle<()>>>,
    deliverer: RefCell<Option<JoinHandle<()>>>,
}

impl CrashBook {
    /// One without crashes, and the way to it. To be called within a `LocalSet`.
    pub(super) fn start(events: Rc<Events>, clock: Clock) -> (Rc<Self>, UnboundedSender<Obituary>) {
        let (crashed, obituaries) = mpsc::unbounded_channel();
        let hooks = Rc::new(Hooks::new(clock));
        let deliverer = RefCell::new(Some(tokio::task::spawn_local(Rc::clone(&hooks).run())));
        let (kept, telemetry) = (RefCell::default(), RefCell::default());
        let book = Rc::new(Self { events, kept, hooks, telemetry, recorder: RefCell::default(), deliverer });
        book.recorder.replace(Some(tokio::task::spawn_local(Rc::clone(&book).run(obituaries))));
        (book, crashed)
    }

    /// All that are kept, newest first.
    pub(super) fn views(&self) -> Vec<CrashView> {
        self.kept.borrow().views()
    }

    /// The one of this number.
    pub(super) fn get(&self, id: u64) -> Option<CrashDetail> {
        self.kept.borrow().get(id)
    }

    /// The last one of an app.
    pub(super) fn last_of(&self, app: AppId) -> Option<LastCrashView> {
        self.kept.borrow().last_of(app.0)
    }

    /// Makes records until there is nobody left who could tell of a crash.
    async fn run(self: Rc<Self>, mut obituaries: UnboundedReceiver<Obituary>) {
        while let Some(obituary) = obituaries.recv().await {
            let facts = tokio::time::timeout(FACTS_WITHIN, obituary.facts()).await.unwrap_or_default();
            let record = self.kept.borrow_mut().add(obituary.record(facts, &self.telemetry.borrow()));
            self.tell(&obituary, &record);
            if let Some(recipient) = obituary.recipient {
                self.hooks.offer(record, recipient);
            }
            self.events.waiting.update(|waiting| waiting.saturating_sub(1));
        }
    }

    /// Waits until all is written down. To be called when nobody is left who could tell of a crash.
    pub(super) async fn written(&self) {
        if let Some(recorder) = self.recorder.take() {
            let _ended = recorder.await;
        }
    }

    /// Ends all deliveries, once what is left was delivered, or that took longer than `limit`.
    pub(super) async fn finish(&self, limit: Duration) {
        self.hooks.finish(limit).await;
        if let Some(deliverer) = self.deliverer.take() {
            deliverer.abort();
            let _ended = deliverer.await;
        }
    }

    fn tell(&self, obituary: &Obituary, record: &CrashDetail) {
        let CrashView { id, instance, pid, summary, count, .. } = &record.crash;
        let mut said = crashed(*id, summary, *count).of(obituary.death.instance);
        said.pid = obituary.death.pid;
        let data = serde_json::to_value(&record.crash).unwrap_or(Value::Null);
        self.events.publish_of(&obituary.whose, obituary.id, &said, data);
        // People have been told of the end by a line of its own.
        if let Ok(json) = serde_json::to_string(record) {
            let app = &obituary.whose.name;
            tracing::warn!(app, instance, pid, event = "crash", record = json, "{}", said.text);
        }
    }
}

impl Obituary {
    /// The app's version and commit. Blocks only another thread.
    async fn facts(&self) -> Facts {
        let (command, script) = (self.command.first().cloned(), self.script.clone());
        let (directory, path) = (self.directory.clone(), self.path.clone());
        let work = move || {
            gather(&gather::App {
                program: OsStr::new(command.as_deref().unwrap_or_default()),
                script: script.as_deref().map(Path::new),
                directory: Path::new(&directory),
                path: path.as_deref(),
            })
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    fn record(&self, facts: Facts, telemetry: &Telemetry) -> CrashDetail {
        let Self { death, directory, command, .. } = self;
        let logs = lines::last(self.lines());
        let summary = self.summary(&logs);
        let fingerprint = fingerprint::of(&Features {
            app: &self.whose.name,
            cause: death.cause,
            reason: &death.reason,
            exception: death.exception.as_ref(),
            last_line: lines::last_error(&logs),
            directory,
        });
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let crash = CrashView {
            id: 0,
            at_ms: self.at_ms,
            app: self.whose.name.clone(),
            app_id: self.app.0,
            instance: death.instance.0,
            pid: death.pid.map(crate::process::Pid::as_raw),
            generation: death.generation.0,
            uptime_ms: death.lived.map(millis),
            cause: death.cause,
            reason: death.reason.clone(),
            summary,
            exception: death.exception.clone(),
            fingerprint,
            count: 0,
            first_at_ms: self.at_ms,
            revision: facts.git.and_then(|git| git.revision).map(|revision| revision.full),
            version: facts.version.map(|version| version.version),
        };
        let figures = telemetry.recent(self.app.0, death.instance.0, FIGURES);
        CrashDetail { crash, command: command.clone(), directory: directory.clone(), logs, figures }
    }

    fn summary(&self, logs: &[LogView]) -> String {
        let Death { cause, reason, exception, .. } = &self.death;
        let said = match exception {
            Some(exception) => exception::summary(exception),
            None if cause.speaks_for_itself() => reason.clone(),
            None => lines::last_error(logs).unwrap_or(reason).to_owned(),
        };
        lines::shown(&said)
    }

    /// Those that the worker has written, both streams in their order.
    fn lines(&self) -> Vec<LogView> {
        let filter = Filter { apps: Some([self.app].into()), ..Filter::default() };
        let all = self.outputs.history(self.app, &filter, SEARCHED).into_iter();
        let is_its =
            |origin: &Origin| matches!(origin, Origin::App { pid, .. } if Some(*pid) == self.death.pid);
        all.filter(|line| is_its(&line.origin)).map(|line| view_of(line, self.id)).collect()
    }
}

impl App {
    /// Of what the worker has just died, if it is the exception that it has told of last.
    pub(super) fn note_last_words(&mut self, id: WorkerId) {
        let now = self.shared.clock.now();
        let caught = self.workers.get(id).and_then(|worker| worker.talk.dying.clone());
        self.last_words = caught.filter(|caught| now.since(caught.at) <= DIES_WITHIN);
    }

    /// What is to be written down of the crash that a notice tells of, if it does.
    pub(super) fn obituary(&mut self, notice: &Notice) -> Option<Box<Obituary>> {
        let last_words = match notice {
            Notice::Exited { .. } => self.last_words.take(),
            _ => None,
        };
        let exception = last_words.map(|caught| exception::of(&caught.text, caught.stack));
        let death = cause::of(notice, &self.plan().app.restart, exception)?;
        let plan = self.plan_of(death.generation);
        let command = &plan.app.command;
        let words = std::iter::once(&command.program).chain(&command.arguments);
        Some(Box::new(Obituary {
            at_ms: clock::epoch_ms(),
            whose: Rc::clone(&self.whose),
            app: self.id,
            id: self.id_of(death.instance),
            command: words.map(|word| word.to_string_lossy().into_owned()).collect(),
            directory: self.directory_of(&plan),
            script: plan.script.clone(),
            path: command.environment.get(OsStr::new("PATH")).cloned(),
            outputs: Rc::clone(&self.outputs),
            recipient: self.recipient(death.instance, death.generation),
            death,
        }))
    }
}
