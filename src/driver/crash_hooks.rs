//! Delivers reports on crashes to whom `--on-crash` names: by a POST, or to a command on its standard input. When which one is begun is
//! decided in `crashes::deliveries`; nothing ever waits for a delivery, but the runtime's end, for a while.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::app::App;
use super::clock::Clock;
use super::plan::Plan;
use super::spawn::identity;
use super::tell::LAST_LINES_WITHIN;
use super::words::Human;
use crate::api::crash::CrashDetail;
use crate::crashes::deliveries::Deliveries;
use crate::crashes::post::post;
use crate::handover::environment;
use crate::health::connect::Target;
use crate::logs::{Outputs, Source, WorkerPipe};
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{AppId, Generation, InstanceId, OnCrash};
use crate::sys::reap::{self, Child};
use crate::sys::replace::memory_file;
use crate::sys::signals::signal_group;
use crate::sys::spawn::{Order, Output, SpawnError, Stdin, spawn};

/// How long a delivery may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How often the end of a command is looked for when the loop, which is told of it, is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Who is told of an app's crashes, with all that it takes.
#[derive(Debug)]
pub(super) struct Recipient {
    app: AppId,
    name: String,
    instance: InstanceId,
    plan: Rc<Plan>,
    environment: Vec<(OsString, OsString)>,
    outputs: Rc<Outputs>,
}

/// What is delivered.
#[derive(Debug, Clone)]
pub(super) struct Report {
    crash: Rc<CrashDetail>,
    to: Rc<Recipient>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hooks {
    clock: Clock,
    deliveries: RefCell<Deliveries<Report>>,
    /// There is something new to deliver.
    offered: Notify,
    /// Those that run, and who waits for their ends.
    commands: RefCell<BTreeMap<Pid, oneshot::Sender<ExitReason>>>,
    /// Whose last report did not arrive.
    failing: RefCell<BTreeSet<AppId>>,
}

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("{0}")]
    NotPosted(String),
    #[error("{}", .0.describe())]
    NotStarted(#[from] SpawnError),
    #[error("no memory for it: {0}")]
    NoMemory(#[from] io::Error),
    #[error("the command ended with {0}")]
    Ended(ExitReason),
    #[error("it was not taken within {}", Human(WITHIN))]
    TimedOut,
}

impl Hooks {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            deliveries: RefCell::default(),
            offered: Notify::new(),
            commands: RefCell::default(),
            failing: RefCell::default(),
        }
    }

    /// Has a crash told to `to`, now or later.
    pub(super) fn offer(&self, crash: CrashDetail, to: Rc<Recipient>) {
        let fingerprint = crash.crash.fingerprint.clone();
        self.deliveries.borrow_mut().offer(&fingerprint, Report { crash: Rc::new(crash), to });
        self.offered.notify_one();
    }

    /// Delivers until it is aborted, which ends what is under way.
    pub(super) async fn run(self: Rc<Self>) {
        let mut under_way = JoinSet::new();
        loop {
            while let Some((fingerprint, report)) = self.next() {
                under_way.spawn_local(Rc::clone(&self).deliver(fingerprint, report));
            }
            let next_at = self.deliveries.borrow().next_at();
            let due = async {
                match next_at {
                    Some(at) => tokio::time::sleep_until(self.clock.at(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.offered.notified() => {}
                Some(_ended) = under_way.join_next() => {}
                () = due => {}
            }
        }
    }

    fn next(&self) -> Option<(String, Report)> {
        self.deliveries.borrow_mut().next(self.clock.now())
    }

    async fn deliver(self: Rc<Self>, fingerprint: String, report: Report) {
        let sent = tokio::time::timeout(WITHIN, self.send(&report)).await;
        let outcome = sent.unwrap_or(Err(DeliveryError::TimedOut));
        match outcome.is_err() && is_posted(&report) {
            true => self.deliveries.borrow_mut().failed(&fingerprint, self.clock.now()),
            false => self.deliveries.borrow_mut().ended(&fingerprint),
        }
        let Recipient { app, name, .. } = &*report.to;
        match outcome {
            Ok(()) => drop(self.failing.borrow_mut().remove(app)),
            Err(why) => {
                if self.failing.borrow_mut().insert(*app) {
                    tracing::warn!(app = name, "the report on a crash has not arrived (`--on-crash`): {why}");
                }
            }
        }
    }

    async fn send(self: &Rc<Self>, Report { crash, to }: &Report) -> Result<(), DeliveryError> {
        let json = serde_json::to_string(&**crash).map_err(io::Error::from)?;
        match &to.plan.app.on_crash {
            Some(OnCrash::Post { host, port, path }) => {
                let target = Target::Named(host.clone(), *port);
                post(&target, path, json).await.map_err(DeliveryError::NotPosted)
            }
            Some(OnCrash::Run { program, arguments }) => {
                let command = (program, arguments.as_slice());
                self.run_command(command, (crash, json.as_bytes()), to).await
            }
            None => Ok(()),
        }
    }

    async fn run_command(
        self: &Rc<Self>,
        (program, arguments): (&OsString, &[OsString]),
        (crash, json): (&CrashDetail, &[u8]),
        to: &Recipient,
    ) -> Result<(), DeliveryError> {
        let input = memory_file(c"pmr-crash", json)?;
        let environment: Vec<_> = to.environment.iter().cloned().chain(variables(crash)).collect();
        let command = &to.plan.app.command;
        let child = spawn(Order {
            program,
            arguments,
            environment: &environment,
            directory: command.directory.as_deref(),
            identity: command.identity.as_ref().map(identity),
            stdin: Stdin::Null,
            input: Some(input.as_fd()),
            output: Output::Pipes,
            extra: None,
            own_pid: &[],
            filter: None,
            oom_score_adj: None,
        })?;
        let (ended, end) = oneshot::channel();
        self.commands.borrow_mut().insert(child.pid, ended);
        let _running = Running { pid: child.pid, hooks: Rc::clone(self) };
        let name = format!("{}:on_crash", to.name);
        let source = Source { app: to.app, name: &name, instance: to.instance, pid: child.pid };
        let pipes =
            child.stdout.zip(child.stderr).map(|(out, err)| (WorkerPipe::alone(out), WorkerPipe::alone(err)));
        let logs = pipes.and_then(|(out, err)| to.outputs.attach(source, out, err).ok());
        // Who ends it without a word is the end of the loop.
        let Ok(reason) = end.await else { return Ok(()) };
        if let Some(logs) = logs {
            let _in_time = tokio::time::timeout(LAST_LINES_WITHIN, logs.drain()).await;
        }
        if reason.status() == 0 { Ok(()) } else { Err(DeliveryError::Ended(reason)) }
    }

    /// A child was reaped that is no worker. True if it was a command of ours.
    pub(super) fn on_ended(&self, pid: Pid, reason: ExitReason) -> bool {
        let waiting = self.commands.borrow_mut().remove(&pid);
        // It may have taken too long.
        waiting.map(|waiting| waiting.send(reason)).is_some()
    }

    /// The numbers of the crashes whose reports have not arrived yet.
    pub(super) fn outstanding(&self) -> Vec<u64> {
        self.deliveries.borrow().outstanding().map(|report| report.crash.crash.id).collect()
    }

    /// Another program takes over: it delivers anew, and is not to find these still running.
    pub(super) fn interrupt(&self) {
        for &group in self.commands.borrow().keys() {
            // It may be gone by itself.
            let _gone = signal_group(group, Signal::KILL);
        }
    }

    /// Delivers what is left, as far as `limit` allows. The loop is over, so the dead are collected here.
    pub(super) async fn finish(&self, limit: Duration) {
        self.deliveries.borrow_mut().hurry();
        self.offered.notify_one();
        let done = async {
            while !self.deliveries.borrow().is_idle() {
                tokio::time::sleep(LOOK_EVERY).await;
                while let Some(child) = reap::next() {
                    if let Child::Ended(ended) = child {
                        self.on_ended(ended.pid, ended.reason);
                    }
                }
            }
        };
        let _in_time = tokio::time::timeout(limit, done).await;
        drop(self.deliveries.take());
    }
}

/// Whether it goes to a server, which may be there again soon. What a command has done by half is not done twice.
fn is_posted(report: &Report) -> bool {
    matches!(report.to.plan.app.on_crash, Some(OnCrash::Post { .. }))
}

/// A command that runs. Dropping it ends the command.
struct Running {
    pid: Pid,
    hooks: Rc<Hooks>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was reaped may have left its number to somebody else.
        if self.hooks.commands.borrow().contains_key(&self.pid) {
            let _gone = signal_group(self.pid, Signal::KILL);
        }
    }
}

/// What a command need not take from the JSON.
fn variables(crash: &CrashDetail) -> [(OsString, OsString); 4] {
    let crash = &crash.crash;
    [
        ("PMR_CRASH_ID", crash.id.to_string()),
        ("PMR_CRASH_APP", crash.app.clone()),
        ("PMR_CRASH_CAUSE", crash.cause.as_str().to_owned()),
        ("PMR_CRASH_FINGERPRINT", crash.fingerprint.clone()),
    ]
    .map(|(name, value)| (name.into(), value.into()))
}

impl App {
    /// Who is told of a crash of this instance and generation, if anybody is.
    pub(super) fn recipient(&self, instance: InstanceId, generation: Generation) -> Option<Rc<Recipient>> {
        let plan = self.plan_of(generation);
        let environment = match plan.app.on_crash.as_ref()? {
            OnCrash::Post { .. } => Vec::new(),
            OnCrash::Run { .. } => {
                environment::of_worker(&plan.app.command.environment, &self.place(instance, generation), [])
            }
        };
        let outputs = Rc::clone(&self.outputs);
        Some(Rc::new(Recipient {
            app: self.id,
            name: self.name().to_owned(),
            instance,
            plan,
            environment,
            outputs,
        }))
    }
}
