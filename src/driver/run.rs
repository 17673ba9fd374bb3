//! The driver itself: what it holds, and its loop.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::app::App;
use super::boot::Boot;
use super::clock::Clock;
use super::gate::Gate;
use super::halt::{Halt, How};
use super::handle::DriverEnd;
use super::inboxes::{Happened, Inboxes, Times};
use super::oom::OomWatch;
use super::order::in_one_line;
use super::otlp::Pushes;
use super::plan::{Plan, Surroundings};
use super::question::problem;
use super::shared::{Senders, Shared};
use super::shortage;
use super::tell::{Events, Teller};
use super::update::{Tried, Update};
use super::watch_logs;
use super::web::{WebOpener, WebSocket};
use crate::api::types::{Mode, Problem, StartRequest, Verdict};
use crate::logs::{Closed, Outputs, Stream, WorkerLogs};
use crate::process::{Pid, Signal};
use crate::spec::{AppId, OnHup, WorkerKey};
use crate::supervisor::{Event, Uptime};
use crate::sys::pages::give_back_code;
use crate::sys::signals::{Arrived, Signals};
use crate::telemetry::Telemetry;

/// How many messages of each kind may wait for the loop. While it is full, a worker that floods us waits.
const MESSAGES_WAITING: usize = 256;
/// Once nothing has happened for so long, what it took to come to this is given back. Tasks beside the loop, which tell of
/// what it did, are done by then.
const QUIET: Duration = Duration::from_secs(3);

/// The driver.
#[derive(Debug)]
pub struct Driver {
    pub(super) shared: Rc<Shared>,
    pub(super) apps: BTreeMap<AppId, App>,
    pub(super) next_app: AppId,
    /// Whether the runtime ends once all apps are over. In the foreground it does so, unless told otherwise.
    pub(super) ending: bool,
    /// The end of all apps, while it is under way.
    pub(super) halt: Option<Halt>,
    /// Those who have asked for the end, and when.
    pub(super) killers: Vec<(oneshot::Sender<Verdict>, Uptime)>,
    /// The statuses of apps that are over, in the order of their last ends.
    pub(super) statuses: Vec<(AppId, u8)>,
    /// How many apps and instances the outputs were arranged for.
    arranged: (usize, usize),
    /// The control socket, for those who ask.
    pub(super) socket: Option<String>,
    pub(super) teller: JoinHandle<Teller>,
    /// The logs of apps that were removed, until all was read.
    pub(super) retired: Vec<Rc<WorkerLogs>>,
    /// Their log files, until all was written.
    pub(super) retired_files: Vec<Rc<Outputs>>,
    /// How often the program was updated in place.
    pub(super) updates: u32,
    /// An update that is under way.
    pub(super) update: Option<Update>,
    pub(super) tries: mpsc::Sender<Tried>,
    /// The control socket itself, for the program after us.
    pub(super) control: Option<OwnedFd>,
    /// What is known of pushes by OTLP, likewise.
    pub(super) pushes: Option<Pushes>,
    /// The web server's socket, likewise.
    pub(super) web: Option<WebSocket>,
    pub(super) web_opener: Option<WebOpener>,
    /// Figures over time, likewise.
    pub(super) telemetry: Telemetry,
    /// Whether the platform still waits for a port.
    pub(super) boot: Option<Boot>,
    /// When we rest, unless something happens before.
    rest_at: Option<Uptime>,
    /// Whether there are apps whose number of instances follows the load.
    pub(super) has_ranges: watch::Sender<bool>,
    /// The memory that all workers share, where it has a limit.
    pub(super) memory: Option<shortage::Watch>,
    /// Descriptor numbers kept free for workers.
    _reserved: Vec<OwnedFd>,
    pub(super) inboxes: Inboxes,
}

/// What was before the driver was made.
pub(super) struct Past {
    pub(super) clock: Clock,
    pub(super) oom: OomWatch,
    /// The number of the last event.
    pub(super) last_event: u64,
}

impl Driver {
    /// Makes the driver of a runtime without apps. To be called within a `LocalSet`.
    #[must_use]
    pub fn new(
        surroundings: Surroundings,
        signals: Signals,
        outputs: (Outputs, Closed),
        reserved: Vec<OwnedFd>,
        end: DriverEnd,
    ) -> Self {
        let oom = OomWatch::new(surroundings.oom_file.clone());
        let past = Past { clock: Clock::start(), oom, last_event: 0 };
        let (outputs, closed) = outputs;
        Self::assemble(surroundings, signals, (Rc::new(outputs), closed), reserved, end, past)
    }

    pub(super) fn assemble(
        surroundings: Surroundings,
        signals: Signals,
        (outputs, closed): (Rc<Outputs>, Closed),
        reserved: Vec<OwnedFd>,
        end: DriverEnd,
        past: Past,
    ) -> Self {
        let (questions, asked) = mpsc::channel(MESSAGES_WAITING);
        let (channel, channel_inbox) = mpsc::channel(MESSAGES_WAITING);
        let (said, said_inbox) = mpsc::channel(MESSAGES_WAITING);
        let (tries, tried) = mpsc::channel(1);
        let (seen, memory_seen) = mpsc::channel(1);
        let memory = surroundings.memory.clone().map(|memory| shortage::Watch::new(memory, seen));
        let (arrived, arrived_inbox) = mpsc::channel(MESSAGES_WAITING);
        let events = Rc::new(Events::new(end.events, past.last_event));
        let (tellings, teller, crashes) = Teller::start(&events, past.clock);
        let senders = Senders { questions, channel, said, arrived, tellings };
        let boot = Boot::new(surroundings.boot_port, past.clock.now());
        let (since, books) = ((past.clock, past.oom), (events, crashes));
        let shared = Rc::new(Shared::new(surroundings, since, outputs, senders, books));
        Self {
            shared,
            apps: BTreeMap::new(),
            next_app: AppId(0),
            ending: false,
            halt: None,
            killers: Vec::new(),
            statuses: Vec::new(),
            arranged: (1, 1),
            socket: None,
            retired: Vec::new(),
            retired_files: Vec::new(),
            teller,
            updates: 0,
            update: None,
            tries,
            control: None,
            pushes: None,
            web: None,
            web_opener: None,
            telemetry: Telemetry::default(),
            boot,
            rest_at: None,
            has_ranges: watch::Sender::new(false),
            memory,
            _reserved: reserved,
            inboxes: Inboxes {
                signals,
                closed,
                asked,
                channel: channel_inbox,
                said: said_inbox,
                arrived: arrived_inbox,
                tried,
                memory_seen,
                questions: end.questions,
            },
        }
    }

    /// Adds an app and starts its first workers. Its guard comes last, because no worker shall wait for it. `reply`, if
    /// somebody waits for one, gets the verdict once all are ready.
    ///
    /// # Errors
    /// When its log files cannot be opened.
    pub fn add(
        &mut self,
        definition: StartRequest,
        plan: Plan,
        reply: Option<oneshot::Sender<Result<Verdict, Problem>>>,
    ) -> io::Result<()> {
        let id = self.next_app;
        let needs_guard = plan.needs_guard;
        let outputs = match self.shared.outputs_of(&plan) {
            Ok(outputs) => outputs,
            Err(error) => {
                let message = format!("cannot open the log files of `{}`: {error}", plan.app.name);
                // Who asked may have gone.
                let _heard = reply.map(|reply| reply.send(Err(problem("failed", &message, None))));
                return Err(error);
            }
        };
        self.next_app = AppId(id.0.saturating_add(1));
        let app = App::new(&self.shared, id, outputs, definition, plan);
        let app = self.apps.entry(id).or_insert(app);
        app.tell_first();
        match reply {
            Some(reply) => app.start_and_report(reply),
            None => app.perform(),
        }
        let plan = app.plan();
        app.arrange_watch(&plan);
        if needs_guard {
            let groups: Vec<_> = self.groups().collect();
            self.shared.start_guard(&groups);
        }
        self.arrange();
        watch_logs::renumber(self);
        Ok(())
    }

    /// Where the control socket is, for those who ask.
    pub fn set_socket(&mut self, socket: String) {
        let file = Some(Path::new(&socket)).filter(|_| !socket.starts_with('@'));
        self.shared.socket_directory.replace(file.and_then(Path::parent).map(Path::to_owned));
        self.socket = Some(socket);
    }

    /// Where the control socket is, once it is open.
    #[must_use]
    pub fn socket(&self) -> Option<&str> {
        self.socket.as_deref()
    }

    /// The control socket, which goes on over an update.
    pub fn keep_control(&mut self, socket: OwnedFd) {
        self.control = Some(socket);
    }

    /// Pushes by OTLP, which go on over an update.
    pub fn keep_pushes(&mut self, pushes: Pushes) {
        self.pushes = Some(pushes);
    }

    /// The web server's socket, which goes on over an update, with what belongs to it.
    pub fn keep_web(&mut self, web: WebSocket) {
        self.web = Some(web);
    }

    /// Figures over time, which go on over an update.
    pub fn keep_telemetry(&mut self, telemetry: Telemetry) {
        self.shared.crashes.telemetry.replace(telemetry.clone());
        self.telemetry = telemetry;
    }

    /// Runs until all is over, and returns the status to exit with. To be called within a `LocalSet`.
    ///
    /// # Errors
    /// Only when the event loop itself is broken, or no signal can be heard.
    pub async fn run(mut self) -> io::Result<u8> {
        self.inboxes.signals.listen()?;
        loop {
            if let Some(status) = self.settle() {
                return Ok(self.finish(status).await);
            }
            let happened = self.inboxes.next(self.times(), self.shared.clock).await?;
            let rest = self.rest_after(happened.as_ref());
            match happened {
                Some(happened) => self.on_happened(happened).await,
                None => self.hand_over().await,
            }
            self.rest_at = rest;
        }
    }

    /// When we rest after this. Looks at the memory come again and again; they make no unrest of their own.
    fn rest_after(&self, happened: Option<&Happened>) -> Option<Uptime> {
        match happened {
            Some(Happened::Quiet) => None,
            Some(Happened::MemoryDue | Happened::MemorySeen(_)) => self.rest_at,
            _ => Some(Uptime(self.shared.clock.now().0 + QUIET)),
        }
    }

    /// After a look at the memory: what it took is given back where we were at rest.
    fn rest_on(&self) {
        if self.rest_at.is_none() {
            give_back_code();
        }
    }

    fn times(&self) -> Times {
        let deadlines = self.apps.values().filter_map(App::next_deadline);
        Times {
            deadline: deadlines.chain(self.halt_deadline()).chain(self.boot.map(Boot::deadline)).min(),
            look_at: self.apps.values().filter_map(App::next_look).min(),
            leave_at: self.update.as_ref().and_then(Update::next_try),
            rest_at: self.rest_at,
            memory_at: self.next_memory_look(),
        }
    }

    /// Deals with one thing that happened.
    pub(super) async fn on_happened(&mut self, happened: Happened) {
        match happened {
            Happened::Signals(signals) => self.on_signals(&signals),
            Happened::Closed(Stream::Stdout) => {
                self.apps.values_mut().for_each(|app| app.stop_before_start(Signal::TERM));
                self.feed_all(&Event::OutputClosed);
            }
            // Our own words are lost then, but the app's are not.
            Happened::Closed(Stream::Stderr) => {}
            Happened::Asked(key, asked) => self.with(key, |app| app.on_asked(key.worker, &asked)),
            Happened::Said(key, said) => self.with(key, |app| app.on_said(key.worker, &said)),
            Happened::Channel(key, said) => self.with(key, |app| app.on_channel(key.worker, said)),
            Happened::Question(question) => self.on_question(question).await,
            Happened::Tried(tried) => self.on_tried(tried),
            Happened::Arrived(app) => self.apps.get_mut(&app).map_or((), App::on_arrival),
            Happened::MemoryDue => {
                self.look_at_memory();
                self.rest_on();
            }
            Happened::MemorySeen(look) => {
                self.on_memory_seen(look.as_ref());
                self.rest_on();
            }
            Happened::LookDue => self.apps.values_mut().for_each(App::look_if_due),
            Happened::Deadline => {
                self.apps.values_mut().for_each(App::on_deadline);
                self.look_at_port();
            }
            Happened::Quiet => give_back_code(),
        }
    }

    fn with(&mut self, key: WorkerKey, act: impl FnOnce(&mut App)) {
        if let Some(app) = self.apps.get_mut(&key.app) {
            act(app);
        }
    }

    pub(super) fn feed_all(&mut self, event: &Event) {
        for app in self.apps.values_mut() {
            app.feed(event.clone());
        }
    }

    /// The process groups of all workers that live.
    pub(super) fn groups(&self) -> impl Iterator<Item = Pid> {
        self.apps.values().flat_map(|app| app.workers.groups())
    }

    /// A platform that ends everything at once signals the workers too: our own signal comes before their deaths.
    fn on_signals(&mut self, arrived: &[Arrived]) {
        for &Arrived { signal, origin } in arrived.iter().filter(|arrived| arrived.signal != Signal::CHLD) {
            if self.is_for_terminal_owner(origin) {
                self.pass_to_terminal_owner(signal);
                continue;
            }
            if matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT) {
                self.begin_halt(How::Signal(signal));
                continue;
            }
            for app in self.apps.values_mut().filter(|app| app.prelude.gate == Gate::Open) {
                if signal != Signal::HUP || app.can_reload() {
                    app.feed(Event::Signalled { signal });
                }
            }
        }
        if self.shared.suspending.take() {
            self.suspend();
        }
        if arrived.iter().any(|arrived| arrived.signal == Signal::CHLD) {
            self.hear_out();
            self.reap();
        }
    }

    /// What the dead have said must be heard before nobody knows who they were.
    fn hear_out(&mut self) {
        while let Ok((key, said)) = self.inboxes.channel.try_recv() {
            self.with(key, |app| app.on_channel(key.worker, said));
        }
    }

    /// What may follow on anything: apps are over or gone, the outputs are arranged anew, or all is over.
    pub(super) fn settle(&mut self) -> Option<u8> {
        self.note_ends();
        while self.open_gates() {
            self.note_ends();
        }
        self.advance_halt();
        self.arrange();
        self.note_ranges();
        let surroundings = &self.shared.surroundings;
        let foreground = surroundings.mode == Mode::Foreground && surroundings.auto_exit;
        let is_over = self.is_over();
        if !is_over || !(self.ending || foreground) {
            self.tell_ends();
            return None;
        }
        let failed = self.statuses.iter().rev().find(|(_, status)| *status != 0);
        Some(failed.map_or(0, |&(_, status)| status))
    }

    /// Whether nothing is left to be done. One that only an order would start keeps nobody waiting whose apps have ended.
    fn is_over(&self) -> bool {
        let is_idle = |app: &App| app.prelude.gate == Gate::Closed && app.status.is_none();
        let mut apps = self.apps.values();
        apps.all(|app| is_idle(app) || !app.is_alive())
            && (self.apps.is_empty() || !self.apps.values().all(is_idle))
    }

    /// Several apps or instances are told apart by a prefix.
    pub(super) fn arrange(&mut self) {
        let counts = (self.apps.len(), self.apps.values().map(App::sources).sum());
        if counts != self.arranged && counts.0 > 0 {
            self.arranged = counts;
            let several = counts.1 > 1;
            self.shared.arrange(several);
            watch_logs::renumber(self);
        }
    }
}

impl App {
    /// Whether a SIGHUP may be passed on.
    fn can_reload(&mut self) -> bool {
        let plan = self.plan();
        if plan.app.on_hup == OnHup::Forward || self.whose.is_init {
            return true;
        }
        self.replan_for_reload()
    }

    /// Reads everything anew for a reload that nobody has ordered. What cannot run must not replace what does.
    pub(super) fn replan_for_reload(&mut self) -> bool {
        match self.replan(&self.definition) {
            Ok(plan) => {
                self.replanned = Some(plan);
                true
            }
            Err(problem) => {
                tracing::error!(app = self.name(), "reload refused: {}", in_one_line(&problem));
                false
            }
        }
    }
}
