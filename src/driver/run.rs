//! The driver itself: what it holds, and its loop.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::{Clock, seed};
use super::hear::Asked;
use super::oom::OomWatch;
use super::tell::{Teller, Telling};
use super::workers::Workers;
use crate::handover::agent::Agent;
use crate::handover::choose::Way;
use crate::handover::cluster::{FromWorker, SharedData};
use crate::handover::notify::Said;
use crate::listener::Listeners;
use crate::logs::{Closed, Outputs, Stream, WorkerLogs};
use crate::process::{Pid, Signal};
use crate::spec::{AppSpec, WorkerId};
use crate::supervisor::{Action, Event, Notice, Supervisor, Uptime};
use crate::sys::guard::Guard;
use crate::sys::signals::Signals;

/// How many messages of each kind may wait for the loop. While it is full, a worker that floods us waits.
const MESSAGES_WAITING: usize = 256;
/// How long a blocked output may hold up our end once all workers are gone. Platforms kill after 30 s.
const LAST_WORDS: Duration = Duration::from_secs(25);

/// Everything that was decided before the first worker starts.
#[derive(Debug)]
pub struct Plan {
    /// The app, its instances as they shall really run.
    pub app: AppSpec,
    pub way: Way,
    /// The port that the platform expects the app to listen on.
    pub port: Option<u16>,
    pub in_container: bool,
    /// Whether the command is `node` with a script.
    pub node_script: bool,
    /// What lets node workers drain, if they may be such.
    pub agent: Option<Agent>,
    /// Whether what workers start themselves must be told to a guard, lest it outlive us.
    pub needs_guard: bool,
    /// Whether workers write to our own standard output and error.
    pub inherit_output: bool,
    /// Where the cgroup counts OOM kills.
    pub oom_file: Option<PathBuf>,
    /// Whether a line carries the app's name even with a single instance.
    pub always_prefix: bool,
}

/// The driver.
#[derive(Debug)]
pub struct Driver {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    pub(super) supervisor: Supervisor,
    pub(super) workers: Workers,
    pub(super) listeners: Listeners,
    pub(super) tickets: SharedData,
    pub(super) outputs: Outputs,
    pub(super) oom: OomWatch,
    pub(super) todo: VecDeque<Action>,
    /// The logs of ended workers, until everything in their pipes has been read; those of the last one always.
    pub(super) ended_logs: Vec<Rc<WorkerLogs>>,
    pub(super) questions: mpsc::Sender<(WorkerId, Asked)>,
    pub(super) channel: mpsc::Sender<(WorkerId, FromWorker)>,
    pub(super) said: mpsc::Sender<(WorkerId, Said)>,
    /// Takes what workers have started along, should we be killed.
    pub(super) guard: Option<Guard>,
    /// Descriptor numbers kept free for workers.
    pub(super) _reserved: Vec<OwnedFd>,
    /// What is to be told, in order. As many as the supervisor has decisions, and told within a fraction of a second.
    pub(super) tellings: mpsc::UnboundedSender<Telling>,
    teller: (Teller, JoinHandle<()>),
    /// What is told when all output has been written.
    pub(super) last_notice: Option<Notice>,
    /// Advice already given, so that each is given once.
    pub(super) advised: Vec<String>,
    pub(super) status: Option<u8>,
    inboxes: Inboxes,
}

/// Where events come from.
#[derive(Debug)]
struct Inboxes {
    signals: Signals,
    closed: Closed,
    questions: mpsc::Receiver<(WorkerId, Asked)>,
    channel: mpsc::Receiver<(WorkerId, FromWorker)>,
    said: mpsc::Receiver<(WorkerId, Said)>,
}

/// One thing that happened.
enum Happened {
    Signals(Vec<Signal>),
    Closed(Stream),
    Asked(WorkerId, Asked),
    Said(WorkerId, Said),
    Channel(WorkerId, FromWorker),
    Deadline,
}

impl Driver {
    /// Makes the driver; nothing is started yet. To be called within a `LocalSet`.
    #[must_use]
    pub fn new(plan: Plan, signals: Signals, outputs: (Outputs, Closed), reserved: Vec<OwnedFd>) -> Self {
        let (supervisor, first) = Supervisor::new(&plan.app, seed());
        let (questions, questions_inbox) = mpsc::channel(MESSAGES_WAITING);
        let (channel, channel_inbox) = mpsc::channel(MESSAGES_WAITING);
        let (said, said_inbox) = mpsc::channel(MESSAGES_WAITING);
        let (outputs, closed) = outputs;
        let (tellings, told) = mpsc::unbounded_channel();
        let teller = Teller { app: plan.app.name.clone(), is_init: plan.app.is_init() };
        let telling = tokio::task::spawn_local(teller.clone().run(told));
        Self {
            listeners: Listeners::new(plan.app.instances.get()),
            oom: OomWatch::new(plan.oom_file.clone()),
            plan,
            clock: Clock::start(),
            supervisor,
            workers: Workers::default(),
            tickets: SharedData::default(),
            outputs,
            todo: first.into(),
            ended_logs: Vec::new(),
            questions,
            channel,
            said,
            guard: None,
            _reserved: reserved,
            tellings,
            teller: (teller, telling),
            last_notice: None,
            advised: Vec::new(),
            status: None,
            inboxes: Inboxes {
                signals,
                closed,
                questions: questions_inbox,
                channel: channel_inbox,
                said: said_inbox,
            },
        }
    }

    /// Runs until all is over, and returns the status to exit with. To be called within a `LocalSet`.
    ///
    /// # Errors
    /// Only when the event loop itself is broken.
    pub async fn run(mut self) -> io::Result<u8> {
        self.perform();
        self.start_guard();
        loop {
            if let Some(status) = self.status {
                return Ok(self.finish(status).await);
            }
            match self.inboxes.next(self.supervisor.next_deadline(), self.clock).await? {
                Happened::Signals(signals) => self.on_signals(&signals),
                Happened::Closed(Stream::Stdout) => self.feed(Event::OutputClosed),
                // Our own words are lost then, but the app's are not.
                Happened::Closed(Stream::Stderr) => {}
                Happened::Asked(worker, asked) => self.on_asked(worker, &asked),
                Happened::Said(worker, Said::Ready) => self.feed(Event::Ready { worker }),
                Happened::Said(worker, said) => tracing::debug!(worker = worker.0, ?said, "sd_notify"),
                Happened::Channel(worker, said) => self.on_channel(worker, said),
                Happened::Deadline => self.on_deadline(),
            }
        }
    }

    /// Only now, because no worker shall wait for it.
    fn start_guard(&mut self) {
        if self.plan.needs_guard {
            match Guard::start() {
                Ok(guard) => self.guard = Some(guard),
                Err(error) => {
                    tracing::debug!(%error, "no guard: what workers start may outlive us if we are killed")
                }
            }
        }
        for group in self.workers.groups() {
            self.guard_group(group);
        }
    }

    pub(super) fn guard_group(&mut self, group: Pid) {
        if let Some(guard) = &mut self.guard {
            guard.watch(group);
        }
    }

    /// Tells the supervisor, and does what it asks for.
    pub(super) fn feed(&mut self, event: Event) {
        let actions = self.supervisor.handle(self.clock.now(), event);
        self.todo.extend(actions);
        self.perform();
    }

    /// A platform that ends everything at once signals the workers too: our own signal comes before their deaths.
    fn on_signals(&mut self, signals: &[Signal]) {
        for &signal in signals.iter().filter(|signal| **signal != Signal::CHLD) {
            self.feed(Event::Signalled { signal });
        }
        if signals.contains(&Signal::CHLD) {
            self.reap();
        }
    }

    fn on_deadline(&mut self) {
        self.listeners.sweep();
        self.feed(Event::Deadline);
    }

    /// The last words: what the workers have written is written, then the verdict, then nothing.
    async fn finish(mut self, status: u8) -> u8 {
        drop(self.tellings);
        let (teller, telling) = self.teller;
        let drained = async {
            for logs in &self.ended_logs {
                logs.drain().await;
            }
            telling.await
        };
        // A reader that does not read is not waited for longer than the platform would wait for us.
        let _in_time = tokio::time::timeout(LAST_WORDS, drained).await;
        if let Some(notice) = &self.last_notice {
            teller.tell_verdict(notice, self.ended_logs.last().map(Rc::as_ref));
        }
        self.listeners.stop_listening();
        let _all_written = self.outputs.finish(LAST_WORDS).await;
        status
    }
}

impl Inboxes {
    /// The next thing that happens. Signals first, so that a flood of anything else cannot keep us from stopping.
    async fn next(&mut self, deadline: Option<Uptime>, clock: Clock) -> io::Result<Happened> {
        let wake = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(clock.at(deadline)).await,
                None => std::future::pending().await,
            }
        };
        // Every branch is cancel-safe: what is not taken stays where it is.
        tokio::select! {
            biased;
            signals = self.signals.next() => Ok(Happened::Signals(signals?)),
            Some((worker, asked)) = self.questions.recv() => Ok(Happened::Asked(worker, asked)),
            Some((worker, said)) = self.said.recv() => Ok(Happened::Said(worker, said)),
            Some((worker, message)) = self.channel.recv() => Ok(Happened::Channel(worker, message)),
            stream = self.closed.next() => Ok(Happened::Closed(stream)),
            () = wake => Ok(Happened::Deadline),
        }
    }
}
