//! Starts a worker: its environment, its descriptors, its way to a socket, and what listens to it afterwards.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use tokio::sync::mpsc::Sender;

use super::app::App;
use super::hear::Asked;
use super::messages::Talk;
use super::plan::Plan;
use super::rescue::Given;
use super::said::OfItself;
use super::workers::{Parking, Stop, Worker};
use crate::handover::agent::{Agent, Loader};
use crate::handover::choose::{Interception as Beneath, Way};
use crate::handover::cluster::ClusterLink;
use crate::handover::cluster::spawn::{self as channel_variables, Membership};
use crate::handover::environment::{self, Place};
use crate::handover::intercept::Interception;
use crate::handover::notify::{self, NotifyListener};
use crate::handover::park::Gate;
use crate::listener::{Blocking, ListenError};
use crate::process::{Pid, Signal};
use crate::spec::{
    self, Asking, Balance, Company, EventLoop, Generation, InstanceId, ReadySign, WorkerId, WorkerKey,
};
use crate::supervisor::{self, Event, SpawnFailure};
use crate::sys::channel;
use crate::sys::filter::Filter;
use crate::sys::inspect;
use crate::sys::notification::Listener;
use crate::sys::oom;
use crate::sys::signals::signal_process;
use crate::sys::spawn::{Child, Identity, Order, Output, SpawnError, Stdin, spawn};
use crate::sys::terminal;

/// The exit status that stands for a worker whose socket or channel could not be made: it could not be executed.
const NOT_STARTED: u8 = 126;

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("cannot listen on behalf of the app: {0}")]
    Listen(#[from] ListenError),
    #[error("cannot make the worker's channel: {0}")]
    Channel(#[source] io::Error),
}

impl From<StartError> for SpawnFailure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Spawn(error) => Self { status: error.status(), message: error.describe() },
            StartError::Listen(_) | StartError::Channel(_) => {
                Self { status: NOT_STARTED, message: error.to_string() }
            }
        }
    }
}

/// What a worker is given besides its command, and our ends of it.
#[derive(Debug, Default)]
struct Gifts {
    variables: Vec<(OsString, OsString)>,
    /// The worker's descriptor number 3.
    extra: Option<Rc<OwnedFd>>,
    /// Variables that name the worker's own pid.
    own_pid: Vec<&'static str>,
    channel: Option<UnixStream>,
    membership: Option<Membership>,
    notify: Option<NotifyListener>,
}

impl Gifts {
    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.push((OsString::from(name), value.into()));
    }
}

impl App {
    /// Starts the worker and says whether that worked.
    pub(super) fn spawn(
        &mut self,
        worker: WorkerId,
        instance: InstanceId,
        how: (Generation, supervisor::Parking),
    ) -> Event {
        match self.start(worker, instance, how) {
            Ok(event) => event,
            Err(error) => Event::SpawnFailed { worker, failure: error.into() },
        }
    }

    fn start(
        &mut self,
        id: WorkerId,
        instance: InstanceId,
        (generation, parking): (Generation, supervisor::Parking),
    ) -> Result<Event, StartError> {
        let plan = self.plan_of(generation);
        let stdin = if parking == supervisor::Parking::On { Stdin::Null } else { self.stdin(&plan) };
        let mut gifts = self.gifts(&plan, id, instance, parking)?;
        let mut child = self.launch(&plan, (instance, generation), &gifts, stdin)?;
        if gifts.membership == Some(Membership::Deferred) && inspect::is_closed_to_us(child.pid) {
            // We could not see what it binds. It has not begun to run the app.
            self.sees_no_calls = true;
            if signal_process(child.pid, Signal::KILL).is_ok() {
                gifts = self.gifts(&plan, id, instance, parking)?;
                child = self.launch(&plan, (instance, generation), &gifts, stdin)?;
            }
        }
        let pid = child.pid;
        let parking = Parking::of(parking, &plan);
        let has_terminal = stdin == Stdin::Terminal;
        let worker = self.adopt(id, (instance, parking, &plan), child, gifts, has_terminal);
        self.workers.add(id, worker);
        self.shared.guard_group(pid);
        Ok(Event::Spawned { worker: id, pid })
    }

    fn launch(
        &self,
        plan: &Plan,
        (instance, generation): (InstanceId, Generation),
        gifts: &Gifts,
        stdin: Stdin,
    ) -> Result<Child, SpawnError> {
        let command = &plan.app.command;
        let variables = gifts.variables.iter().cloned();
        let environment =
            environment::of_worker(&command.environment, &self.place(instance, generation), variables);
        spawn(Order {
            program: &command.program,
            arguments: &command.arguments,
            environment: &environment,
            directory: command.directory.as_deref(),
            identity: command.identity.as_ref().map(identity),
            stdin,
            input: None,
            output: if plan.inherit_output { Output::Inherit } else { Output::Pipes },
            extra: gifts.extra.as_ref().map(|fd| fd.as_fd()),
            own_pid: &gifts.own_pid,
            filter: plan.way.intercepts().then_some(Filter),
            oom_score_adj: oom::of_worker(self.shared.surroundings.memory_limit),
        })
    }

    /// What a worker is told of its place.
    pub(super) fn place(&self, instance: InstanceId, generation: Generation) -> Place<'_> {
        let id = self.id_of(instance).unwrap_or(instance.0);
        let plan = self.plan_of(generation);
        let several = self.instances() > 1 || plan.app.range.is_some();
        Place { app: self.name(), instance, id, generation, several, numbered: plan.numbered.clone() }
    }

    /// With one instance the app may read what we could read, from a terminal too. One that was added may not.
    fn stdin(&self, plan: &Plan) -> Stdin {
        if self.instances() > 1 || plan.app.may_have_several() || plan.app.company == Company::Others {
            Stdin::Null
        } else if self.workers.terminal_owner().is_none() && terminal::is_ours() {
            Stdin::Terminal
        } else {
            Stdin::Inherit
        }
    }

    fn gifts(
        &mut self,
        plan: &Plan,
        id: WorkerId,
        instance: InstanceId,
        parking: supervisor::Parking,
    ) -> Result<Gifts, StartError> {
        let mut gifts = Gifts::default();
        let (health, command) = (&plan.app.health, &plan.app.command);
        let waits = plan.app.readiness.sign != ReadySign::Listening;
        let agent = plan.agent.as_ref().and_then(|agent| Some((agent, agent.options()?)));
        let may_defer = parking == supervisor::Parking::Off && !self.sees_no_calls;
        match (plan.way, membership(plan, agent.as_ref().map(|(agent, _)| *agent), may_defer)) {
            (Way::Activation, _) => self.add_socket(plan, &mut gifts, instance)?,
            (_, Some(membership)) => add_channel(&mut gifts, id, membership)?,
            (_, None) => {}
        }
        if waits || health.watchdog.is_some() {
            let user = command.identity.as_ref().and_then(|identity| identity.user);
            let listener = self.listen_for_notifications(id, user).map_err(StartError::Channel)?;
            gifts.set(notify::VARIABLE, listener.address());
            gifts.notify = Some(listener);
        }
        if let Some(period) = health.watchdog {
            gifts.set("WATCHDOG_USEC", period.as_micros().to_string());
            gifts.own_pid.push("WATCHDOG_PID");
        }
        if let Some((agent, options)) = agent {
            gifts.set(agent.loader.variable(), options);
            if let Some(theirs) = gifts.extra.clone().filter(|_| gifts.channel.is_some()) {
                let inode = channel::inode(theirs.as_fd()).map_err(StartError::Channel)?;
                gifts.set(channel_variables::INODE, inode.to_string());
                gifts.own_pid.push(channel_variables::REPORTS);
                if gifts.membership != Some(Membership::Cluster) {
                    gifts.own_pid.push(channel_variables::OFFER);
                }
            }
        }
        Ok(gifts)
    }

    fn listen_for_notifications(&self, id: WorkerId, user: Option<u32>) -> io::Result<NotifyListener> {
        let me = Pid::new(i32::try_from(std::process::id()).expect("a pid is a positive int"));
        NotifyListener::start((self.key(id), user), me, Path::new("/tmp"), self.shared.said.clone())
    }

    /// systemd's convention (sd_listen_fds(3)); the sockets are blocking, as systemd's are.
    fn add_socket(&mut self, plan: &Plan, gifts: &mut Gifts, instance: InstanceId) -> Result<(), StartError> {
        let Some(port) = plan.port else { return Ok(()) };
        let handed = self.listeners.obtain_any(port, 0, instance, Blocking::Yes)?;
        self.listeners.listen(handed.inode)?;
        gifts.extra = Some(handed.socket);
        gifts.own_pid.push("LISTEN_PID");
        gifts.set("LISTEN_FDS", "1");
        gifts.set("LISTEN_FDNAMES", "PORT");
        Ok(())
    }

    /// Ties everything of a started worker to the loop.
    fn adopt(
        &mut self,
        id: WorkerId,
        (instance, parking, plan): (InstanceId, Parking, &Plan),
        child: Child,
        gifts: Gifts,
        has_terminal: bool,
    ) -> Worker {
        if let Some(listener) = child.listener {
            self.intercept(id, (instance, parking.gate), child.pid, listener);
        }
        let link = gifts.channel.and_then(|socket| self.link(id, socket));
        let pipes = child.stdout.zip(child.stderr);
        let logs = pipes.and_then(|pipes| self.attach(plan, (instance, child.pid), pipes));
        Worker {
            pid: child.pid,
            instance,
            logs,
            link,
            stop: Stop::NotAsked,
            has_terminal,
            handed: Vec::new(),
            servers: Vec::new(),
            given: Given::default(),
            parking,
            notify: gifts.notify,
            said: OfItself::default(),
            pid_file: self.note_pid(plan, instance, child.pid),
            talk: Talk::default(),
        }
    }

    fn intercept(
        &mut self,
        id: WorkerId,
        (instance, gate): (InstanceId, Gate),
        pid: Pid,
        listener: Result<OwnedFd, Errno>,
    ) {
        match listener.map_err(io::Error::from).and_then(Listener::new).map(Rc::new) {
            Ok(listener) => {
                self.hear_through(id, Interception::new(listener, self.socket_owner(instance), gate));
            }
            Err(error) => {
                tracing::warn!(%error, pid = pid.as_raw(), "this worker's `bind` cannot be intercepted");
            }
        }
    }

    /// Has the questions heard that come through a worker's filter.
    pub(super) fn hear_through(&mut self, id: WorkerId, interception: Interception) {
        let listener = Rc::clone(interception.listener());
        let (questions, asking) = (self.shared.questions.clone(), Rc::clone(&self.shared.asking));
        tokio::task::spawn_local(hear_questions(self.key(id), listener, questions, asking));
        self.workers.intercept(id, interception);
    }

    fn link(&self, id: WorkerId, socket: UnixStream) -> Option<ClusterLink> {
        ClusterLink::start(self.key(id), socket, self.shared.channel.clone())
            .inspect_err(|error| tracing::error!(%error, "cannot watch a worker's channel"))
            .ok()
    }
}

/// In the words of the system calls.
pub(super) fn identity(of: &spec::Identity) -> Identity<'_> {
    Identity { user: of.user, group: of.group, groups: &of.groups }
}

/// How much of Node's protocol a worker speaks; `None` where it cannot, or, a mere init, need not. What Node itself must
/// answer needs a channel that is open from the start, and so does a worker that is held or handed connections: so long it runs on.
/// Bun's is only ever written to.
fn membership(plan: &Plan, agent: Option<&Agent>, may_defer: bool) -> Option<Membership> {
    let (app, is_init) = (&plan.app, plan.app.is_init());
    let waits = app.readiness.sign != ReadySign::Listening;
    let listens = app.health.event_loop == EventLoop::Answers || app.stop.asking == Asking::Message;
    let defers = |agent: &Agent| agent.loader == Loader::Node && !agent.comes_late();
    if let Way::Cluster(beneath) = plan.way {
        let is_plain = beneath == Beneath::On && app.balance.way == Balance::Shared && !waits && !listens;
        let deferred = may_defer && is_plain && agent.is_some_and(defers);
        return Some(if deferred { Membership::Deferred } else { Membership::Cluster });
    }
    if agent.is_some_and(|agent| agent.loader == Loader::Bun) {
        return Some(Membership::Offered);
    }
    match plan.node_script {
        true if waits || listens || !(agent.is_some() || is_init) => Some(Membership::MessagesOnly),
        true if !is_init => Some(Membership::Offered),
        true | false => None,
    }
}

fn add_channel(gifts: &mut Gifts, id: WorkerId, membership: Membership) -> Result<(), StartError> {
    let (ours, theirs) = channel::pair().map_err(StartError::Channel)?;
    for (name, value) in channel_variables::environment(membership, id) {
        gifts.set(name, value);
    }
    gifts.extra = Some(Rc::new(theirs));
    gifts.channel = Some(ours);
    gifts.membership = Some(membership);
    Ok(())
}

/// Brings a worker's questions to the loop until the last process that could ask is gone.
async fn hear_questions(
    id: WorkerKey,
    listener: Rc<Listener>,
    questions: Sender<(WorkerKey, Asked)>,
    asking: Rc<Cell<u32>>,
) {
    while let Ok(Some(question)) = listener.next().await {
        asking.update(|count| count + 1);
        let sent = questions.send((id, Asked::Question(question))).await;
        asking.update(|count| count - 1);
        if sent.is_err() {
            return;
        }
    }
    // With nobody to hear it, the loop has ended, and everything with it.
    let _loop_ended = questions.send((id, Asked::Over)).await;
}
