//! A driver that knows two apps and says yes to everything but what `web` is asked in vain.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::api::node;
use crate::api::types::{
    AppView, EventView, MachineView, Mode, Operation, Problem, RuntimeView, StartRequest, Verdict,
};
use crate::control::{order, samples};
use crate::driver::handle::{Called, Change, DriverEnd, Insight, Live, Question, Report, Target};
use crate::process::Pid;

pub(super) struct Fake {
    end: DriverEnd,
    reports: Reports,
}

/// A change, and what it was asked of.
type Asked = (Vec<Target>, Change);

/// What a test sees of the driver.
#[derive(Clone)]
pub(super) struct Reports {
    pub(super) changes: Rc<RefCell<Vec<Asked>>>,
    pub(super) events: broadcast::Sender<Arc<EventView>>,
    /// Who follows the logs.
    pub(super) followers: Rc<RefCell<Vec<mpsc::Sender<Live>>>>,
    seq: Rc<Cell<u64>>,
}

impl Reports {
    /// Something happens to `app`.
    pub(super) fn say(&self, app: &str) {
        self.seq.set(self.seq.get() + 1);
        // Nobody may listen.
        let _ = self.events.send(Arc::new(samples::event(self.seq.get(), app)));
    }
}

impl Fake {
    pub(super) fn new(end: DriverEnd) -> (Self, Reports) {
        let reports = Reports {
            changes: Rc::default(),
            events: end.events.clone(),
            followers: Rc::default(),
            seq: Rc::default(),
        };
        (Self { end, reports: reports.clone() }, reports)
    }

    pub(super) async fn run(mut self) {
        while let Some(question) = self.end.questions.recv().await {
            self.answer(question);
        }
    }

    /// A client that is gone needs no answer.
    fn answer(&self, question: Question) {
        match question {
            Question::Runtime { reply } => drop(reply.send(runtime())),
            Question::Apps { reply } => drop(reply.send(apps())),
            Question::Change { targets, change, reply } => {
                let verdicts = targets.iter().map(|target| self.carry_out(*target, &change)).collect();
                self.reports.changes.borrow_mut().push((targets, change));
                drop(reply.send(verdicts));
            }
            Question::Add { request, reply } => drop(reply.send(self.add(&request))),
            Question::Environment { instance, reply, .. } => {
                let variable = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
                let number = instance.to_string();
                drop(reply.send(Some(vec![variable("TOKEN", "t0p"), variable("PMR_INSTANCE", &number)])));
            }
            Question::Call { targets, action, reply, .. } => {
                drop(reply.send(targets.iter().map(|target| called(*target, &action)).collect()));
            }
            Question::Logs { query, reply } => {
                let lines = (0..query.lines).map(|number| samples::line("web", &format!("line {number}")));
                let (sender, receiver) = mpsc::channel(4);
                let live = query.follow.then_some(receiver);
                self.reports.followers.borrow_mut().push(sender);
                drop(reply.send((lines.collect(), live)));
            }
            Question::Reports { targets, reply } => {
                drop(
                    reply.send(targets.iter().filter(|target| target.app.0 == 0).map(|_| report()).collect()),
                );
            }
            Question::Crashes { reply } => drop(reply.send(vec![samples::crash(7).crash])),
            Question::Crash { id, reply } => drop(reply.send((id == 7).then(|| samples::crash(id)))),
            Question::Insight { target, reply, .. } => drop(reply.send(insight(target))),
            Question::Urge { reply, .. } => {
                let _heard = reply.send(());
            }
            Question::Definitions { reply } => drop(reply.send(vec![definition()])),
            Question::Kill { reply } => drop(reply.send(verdict(None, Operation::Kill))),
            Question::Update { reply, .. } => drop(reply.send(verdict(None, Operation::Update))),
        }
    }

    fn carry_out(&self, target: Target, change: &Change) -> Verdict {
        let name = apps().into_iter().find(|app| app.app_id == target.app.0).unwrap().name;
        self.reports.say("other");
        self.reports.say(&name);
        let mut verdict = verdict(Some(name), order::operation(change));
        if matches!(change, Change::Check { .. }) {
            verdict.ok = false;
            verdict.message = "the new worker ended with exit code 1".to_owned();
            verdict.last_lines = vec!["Error: boom".to_owned()];
        }
        verdict
    }

    fn add(&self, request: &StartRequest) -> Result<Verdict, Problem> {
        self.reports.say("web");
        self.reports.say("new");
        let word = request.words[0].to_string_lossy();
        if word == "web.js" {
            return Err(Problem {
                code: "name_taken".to_owned(),
                message: "there is an app `web` already".to_owned(),
                hint: None,
                details: Vec::new(),
            });
        }
        Ok(verdict(Some("new".to_owned()), Operation::Start))
    }
}

/// The worker of `web` has answered already.
fn report() -> Report {
    let (sender, answer) = oneshot::channel();
    sender.send(node::sample()).expect("somebody waits");
    Report { pid: std::process::id().cast_signed(), answer }
}

pub(super) fn apps() -> Vec<AppView> {
    let mut web = samples::app(0, "web", 2);
    // A child of ours, as workers are: there is none, so no figures are found.
    web.instances[0].pid = Some(std::process::id().cast_signed());
    vec![web, samples::app(1, "api", 1)]
}

/// `refresh` is answered, `silent` is not, `lost` by nobody that lives, and there is no other.
fn called(target: Target, action: &str) -> Called {
    let (sender, waiting) = oneshot::channel();
    let answer = match action {
        "refresh" => {
            sender.send(Ok(vec!["{\"done\":true}".to_owned()])).unwrap();
            Ok(waiting)
        }
        "silent" => {
            // As long as the test.
            std::mem::forget(sender);
            Ok(waiting)
        }
        "lost" => Ok(waiting),
        _ => Err(format!("it has no action `{action}`")),
    };
    let name = apps().into_iter().find(|app| app.app_id == target.app.0).unwrap().name;
    Called { app: name, id: 0, instance: 0, pid: Some(42), answer }
}

/// The worker of `web` has done it already, that of `api` has no room.
fn insight(target: Target) -> Result<Insight, Problem> {
    let (name, outcome) = match target.app.0 {
        0 => ("web", Ok(())),
        _ => ("api", Err("there is no space left for the file".to_owned())),
    };
    let ((begins, begun), (ends, done)) = (oneshot::channel(), oneshot::channel());
    if outcome.is_ok() {
        begins.send(()).unwrap();
    }
    ends.send(outcome).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"{}").unwrap();
    Ok(Insight { app: name.to_owned(), instance: 0, pid: Pid::new(42), at_ms: 0, file, begun, done })
}

fn definition() -> StartRequest {
    let text = |text: &str| crate::api::text::Text::Utf8(text.to_owned());
    serde_json::from_value(serde_json::json!({
        "words": [text("web.js")], "directory": text("/srv"), "environment": [[text("A"), text("b")]],
    }))
    .unwrap()
}

fn verdict(app: Option<String>, operation: Operation) -> Verdict {
    Verdict {
        app,
        operation,
        ok: true,
        message: "done".to_owned(),
        took_ms: 12,
        generation: Some(2),
        instances: Some(2),
        last_lines: Vec::new(),
    }
}

fn runtime() -> RuntimeView {
    RuntimeView {
        version: "0.1.0".to_owned(),
        pid: 1,
        mode: Mode::Foreground,
        home: None,
        socket: String::new(),
        web: None,
        otlp: None,
        user: "root".to_owned(),
        command: vec!["pmr-runtime".to_owned()],
        directory: "/".to_owned(),
        started_at_ms: 1,
        uptime_ms: 2,
        updates: 0,
        memory_bytes: None,
        cpu_time_ms: None,
        descriptors: None,
        machine: MachineView { cpus: 2, ..MachineView::default() },
    }
}
