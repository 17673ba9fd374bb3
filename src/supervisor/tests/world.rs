//! A fake kernel around the supervisor: it answers spawns at once, keeps the processes, jumps from deadline to
//! deadline, and checks after every single action what must hold at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use super::words::words;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{
    AfterExit, AppSpec, Asking, CommandSpec, Company, HealthPolicy, InstanceId, InstanceRange, LogPolicy,
    OnHup, Reach, ReadinessPolicy, ReadySign, ReloadStrategy, RestartDelay, RestartPolicy, Share,
    StartPolicy, StopPolicy, WorkerId,
};
use crate::supervisor::{
    Action, Beat, Command, Event, Health, InstanceView, Killer, Listen, Next, Notice, Parking, Remedy,
    Scheduled, SpawnFailure, StateName, Strain, Subject, Supervisor, Survivors, Ticket, Uptime, Word,
};

pub(super) const CRASH: ExitReason = ExitReason::Code(1);
pub(super) const CLEAN: ExitReason = ExitReason::Code(0);
/// Numbers from here on are those of standbys.
const FIRST_STANDBY: InstanceId = InstanceId(1024);

/// The defaults of a web app, with `instances` that all may start at once.
pub(super) fn spec(instances: u32) -> AppSpec {
    AppSpec {
        name: "web".to_owned(),
        command: CommandSpec {
            program: "server".into(),
            arguments: Vec::new(),
            directory: None,
            identity: None,
            environment: BTreeMap::new(),
        },
        instances: NonZeroU32::new(instances).unwrap(),
        range: None,
        start: StartPolicy::default(),
        start_limit: NonZeroU32::new(instances).unwrap(),
        restart: RestartPolicy {
            after_exit: AfterExit::Restart,
            delay: RestartDelay::Exponential {
                first: Duration::from_millis(100),
                cap: Duration::from_secs(15),
            },
            min_uptime: secs(1),
            max_unstable: 16,
            stop_codes: Vec::new(),
            cron: None,
        },
        stop: StopPolicy {
            delay: Duration::ZERO,
            signal: None,
            timeout: secs(25),
            drain: Duration::ZERO,
            reach: Reach::All,
            asking: Asking::Signal,
        },
        readiness: ReadinessPolicy { sign: ReadySign::Listening, timeout: secs(30), port: Some(5000) },
        health: HealthPolicy::default(),
        logs: LogPolicy::default(),
        watch: None,
        on_crash: None,
        on_hup: OnHup::Reload,
        balance: crate::spec::BalancePolicy::default(),
        standby: 0,
        reload_strategy: ReloadStrategy::Rolling,
        share: Share::Auto,
        company: Company::None,
    }
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A worker as the kernel has it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) instance: InstanceId,
    pub(super) leader: Life,
    pub(super) group: Life,
    pub(super) ready: bool,
    /// It no longer takes up a start slot though it is not ready.
    late: bool,
    pub(super) gate: Gate,
    /// It was to finish its answers: until then at the latest.
    pub(super) draining: Option<Drain>,
    pub(super) asked: bool,
    pub(super) killed: bool,
}

/// Whether a worker may listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    Shut,
    /// It waits before it.
    Parked,
    /// It has waited.
    Passed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// Until then at the latest.
    Lasts(Uptime),
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Over,
}

pub(super) struct World {
    pub(super) supervisor: Supervisor,
    pub(super) now: Uptime,
    pub(super) processes: BTreeMap<WorkerId, Process>,
    /// The statuses of spawns to fail, next first.
    pub(super) failing_spawns: VecDeque<u8>,
    pub(super) exits: Vec<u8>,
    start_limit: usize,
    /// How long a worker may drain.
    drain: Duration,
    standbys: usize,
    stopping: bool,
    count: u32,
    /// Between how many there may be.
    range: Option<InstanceRange>,
    told: Vec<Action>,
    orders: u64,
    open_orders: BTreeSet<Ticket>,
    /// Whether the last order was one that stops who serves.
    interrupting: bool,
    /// Checks that are under way.
    checks: BTreeSet<Subject>,
    /// Who gets new connections.
    serving: BTreeSet<InstanceId>,
    /// Who has said that it ends.
    ending: BTreeSet<WorkerId>,
    /// Who gives way for want of memory, before another comes.
    giving_way: BTreeSet<WorkerId>,
    /// Whether anything of the app's health is watched, which goes on for as long as it runs.
    pub(super) is_watched: bool,
    /// The supervisor waits for the time of day.
    asked_for_time: Option<Option<u64>>,
    /// It waits to hear whether the app can run as it is now.
    is_asked_to_prepare: bool,
    /// Whether it can.
    pub(super) is_usable: bool,
}

impl Process {
    /// Whether nobody has sent it away.
    fn stays_wanted(&self) -> bool {
        self.draining.is_none() && !self.asked
    }

    /// Whether it lives, and is not on its way out.
    fn stays(&self) -> bool {
        self.leader == Life::Alive && self.stays_wanted()
    }
}

impl World {
    /// Starts the app, and forgets what was said until all were spawned.
    pub(super) fn new(spec: &AppSpec) -> Self {
        let mut world = Self::silent(spec, &[]);
        world.told.clear();
        world
    }

    /// Starts the app; the first spawns fail with these statuses.
    pub(super) fn silent(spec: &AppSpec, failing_spawns: &[u8]) -> Self {
        let (supervisor, actions) = Supervisor::new(spec, 7);
        let mut world = Self {
            supervisor,
            now: Uptime::default(),
            processes: BTreeMap::new(),
            failing_spawns: failing_spawns.iter().copied().collect(),
            exits: Vec::new(),
            start_limit: usize::try_from(spec.start_limit.get()).unwrap(),
            drain: spec.stop.drain,
            standbys: usize::try_from(spec.standby).unwrap(),
            stopping: false,
            count: spec.instances.get(),
            range: spec.range,
            told: Vec::new(),
            orders: 0,
            open_orders: BTreeSet::new(),
            interrupting: false,
            checks: BTreeSet::new(),
            serving: (0..spec.instances.get()).map(InstanceId).collect(),
            ending: BTreeSet::new(),
            giving_way: BTreeSet::new(),
            is_watched: spec.health != HealthPolicy::default() || spec.restart.cron.is_some(),
            asked_for_time: None,
            is_asked_to_prepare: false,
            is_usable: true,
        };
        world.perform(actions);
        world
    }

    /// Starts the app; every instance is ready.
    pub(super) fn ready(spec: &AppSpec) -> Self {
        let mut world = Self::new(spec);
        for worker in 1..=spec.instances.get() {
            world.listen(worker, 5000);
        }
        world.told.clear();
        world
    }

    /// Gives an order; orders are numbered from 1. What was over may go on by it.
    pub(super) fn order(&mut self, command: Command) {
        self.orders += 1;
        let ticket = Ticket(self.orders);
        self.open_orders.insert(ticket);
        if !self.exits.is_empty() {
            self.exits.clear();
            self.stopping = false;
        }
        let rolling = ReloadStrategy::Rolling;
        if matches!(&command, Command::Reload { width, strategy, .. } if width.get() > 1 && *strategy == rolling)
        {
            self.start_limit = usize::MAX;
        }
        self.interrupting = matches!(command, Command::Stop(_) | Command::Restart { .. });
        let actions = self.supervisor.handle(self.now, Event::Commanded { ticket, command });
        self.perform(actions);
        self.interrupting = false;
    }

    /// Whether every order was answered.
    pub(super) fn all_answered(&self) -> bool {
        self.open_orders.is_empty()
    }

    /// Whether nobody serves, on order.
    fn is_held(&self) -> bool {
        let idle = |state| {
            matches!(state, StateName::Stopped | StateName::Stopping | StateName::Killing | StateName::Failed)
        };
        self.supervisor.snapshot(self.now).instances.iter().all(|view| idle(view.state))
    }

    /// Tells the supervisor, and carries out all that follows.
    pub(super) fn tell(&mut self, event: Event) {
        if let Event::Notified { worker, word: Word::Stopping } = event {
            self.ending.insert(worker);
        }
        let actions = self.supervisor.handle(self.now, event);
        assert!(self.exits.is_empty() || actions.is_empty(), "after the end: {actions:?}");
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            assert!(self.exits.is_empty(), "after the end: {action:?}");
            // What no order asked for is of no interest to it.
            if !matches!(action, Action::Adopt { ticket: None, .. }) {
                self.told.push(action.clone());
            }
            queue.extend(self.carry_out(action));
        }
        self.serves_the_well_alone();
        self.check_standbys();
        if let Some(mark) = self.asked_for_time.take() {
            self.schedule(mark);
        }
        if std::mem::take(&mut self.is_asked_to_prepare) {
            self.tell(Event::Prepared { is_usable: self.is_usable });
        }
    }

    /// What must hold once all is done that an event asks for: nobody waits while a standby could take the place.
    fn check_standbys(&self) {
        let snapshot = self.supervisor.snapshot(self.now);
        let parked = snapshot.standbys.iter().filter(|view| view.state == StateName::Standby);
        let generations: BTreeSet<_> = parked.map(|view| view.generation).collect();
        let waits = |state| matches!(state, StateName::Waiting | StateName::Backoff);
        let in_vain = |view: &&InstanceView| waits(view.state) && generations.contains(&view.generation);
        assert!(!snapshot.instances.iter().any(|view| in_vain(&view)), "{snapshot:?}");
    }

    fn carry_out(&mut self, action: Action) -> Vec<Action> {
        match action {
            Action::Spawn { worker, instance, parking, .. } => {
                return self.spawn(worker, instance, parking);
            }
            Action::Release { worker, instance } => self.release(worker, instance),
            Action::Drain { worker, .. } => self.drain(worker),
            Action::Stop { worker, .. } => self.stop(worker),
            Action::Kill { worker } => self.existing(worker).killed = true,
            Action::Forward { worker, .. } => {
                let process = self.existing(worker);
                let leaves = process.asked || process.draining.is_some() || process.leader != Life::Alive;
                assert!(!leaves, "w{worker} is leaving");
                assert_ne!(process.gate, Gate::Parked, "w{worker} is held");
            }
            Action::Serve { instances } => {
                assert!(!instances.is_empty() && instances.is_sorted());
                assert!(!self.stopping, "serving while all stops");
                self.serving = instances.into_iter().collect();
            }
            Action::Check { subject, .. } => {
                if let Subject::Worker(worker) = subject {
                    let process = self.existing(worker);
                    assert!(!process.asked && process.leader == Life::Alive, "w{worker} is leaving");
                }
                assert!(self.checks.insert(subject), "two checks of {subject:?}");
            }
            Action::EndCheck { subject } => {
                assert!(self.checks.remove(&subject), "no check of {subject:?} is under way");
            }
            Action::Ping { worker } | Action::Report { worker, .. } => {
                let process = self.existing(worker);
                assert!(process.ready && !process.asked, "w{worker} does not serve");
            }
            Action::Schedule { mark, .. } => self.asked_for_time = Some(mark),
            Action::Prepare => {
                assert!(!self.stopping, "a reload while all stops");
                self.is_asked_to_prepare = true;
            }
            Action::Measure { workers } => {
                assert!(!workers.is_empty());
                for worker in workers {
                    let process = self.existing(worker);
                    assert!(process.ready && !process.asked, "w{worker} does not serve");
                }
            }
            Action::Suspend => assert!(!self.stopping, "Ctrl-Z while all stops"),
            Action::StopListening => assert!(self.stopping || self.is_held()),
            Action::Adopt { .. } => {}
            Action::Answer { ticket, .. } => {
                assert!(self.open_orders.remove(&ticket), "{ticket:?} was answered before");
            }
            Action::Notice(notice) => self.note(&notice),
            Action::Exit { status } => self.exits.push(status),
        }
        Vec::new()
    }

    /// Who does not do its work gets connections only where nobody else could take them.
    fn serves_the_well_alone(&self) {
        if self.stopping || !self.is_watched {
            return;
        }
        let snapshot = self.supervisor.snapshot(self.now);
        let is_ready = |view: &&InstanceView| matches!(view.state, StateName::Ready | StateName::Replacing);
        let ails = |view: &InstanceView| {
            view.health.as_ref().is_some_and(|health| health.health == Health::Unhealthy)
        };
        let is_free = |view: &InstanceView| {
            let ends = view.worker.is_some_and(|worker| self.ending.contains(&worker));
            let parts = |process: &Process| process.instance == view.instance && !process.stays();
            !ails(view) && !ends && !self.processes.values().any(parts)
        };
        let ready: Vec<_> = snapshot.instances.iter().filter(is_ready).collect();
        if ready.iter().any(|view| ails(view) && self.serving.contains(&view.instance)) {
            assert!(!ready.iter().any(|view| is_free(view)), "{:?} serve: {ready:#?}", self.serving);
        }
    }

    /// Every pattern is that of every full minute.
    fn schedule(&mut self, mark: Option<u64>) {
        let minute = self.now.0.as_secs() / 60;
        let next = Some(Uptime(secs((minute + 1) * 60)));
        let is_due = mark.is_some_and(|mark| mark < minute);
        self.tell(Event::Scheduled(Scheduled { mark: minute, is_due, next }));
    }

    fn release(&mut self, worker: WorkerId, instance: InstanceId) {
        let process = self.existing(worker);
        assert!(!process.asked && process.leader == Life::Alive, "w{worker} is leaving");
        assert_ne!(process.gate, Gate::Open, "w{worker} was never held");
        assert_ne!(process.gate, Gate::Passed, "w{worker} was released before");
        process.gate = Gate::Passed;
        process.instance = instance;
    }

    fn spawn(&mut self, worker: WorkerId, instance: InstanceId, parking: Parking) -> Vec<Action> {
        assert!(!self.stopping, "a spawn while all stops");
        if let Some(status) = self.failing_spawns.pop_front() {
            let failure = SpawnFailure { status, message: "cannot execute".to_owned() };
            return self.supervisor.handle(self.now, Event::SpawnFailed { worker, failure });
        }
        let (leader, group) = (Life::Alive, Life::Alive);
        let gate = if parking == Parking::On { Gate::Shut } else { Gate::Open };
        let (ready, late, draining, asked, killed) = (false, false, None, false, false);
        let process = Process { instance, leader, group, ready, late, gate, draining, asked, killed };
        assert!(self.processes.insert(worker, process).is_none(), "w{worker} was used before");
        self.check();
        let pid = Pid::new(i32::try_from(worker.0).unwrap() + 100);
        self.supervisor.handle(self.now, Event::Spawned { worker, pid })
    }

    /// Who drains is asked to end when it has answered all, or its time is up.
    fn stop(&mut self, worker: WorkerId) {
        // The driver ends the check of a worker that leaves.
        self.checks.remove(&Subject::Worker(worker));
        let now = self.now;
        let process = self.existing(worker);
        assert!(!process.asked, "w{worker} was asked before");
        process.asked = true;
        match process.draining {
            Some(Drain::Lasts(until)) => {
                assert!(until <= now || process.leader == Life::Over, "w{worker} has not answered all");
            }
            Some(Drain::Over) => {}
            None => self.may_part_with(worker),
        }
    }

    fn drain(&mut self, worker: WorkerId) {
        let until = self.now.after(if self.stopping { self.drain.min(secs(3)) } else { self.drain });
        let process = self.existing(worker);
        // One of a fleet may serve before it is told of as ready.
        let serves = process.ready || process.gate != Gate::Open;
        assert!(serves && process.draining.is_none() && !process.asked, "w{worker} drains");
        process.draining = Some(Drain::Lasts(until));
        self.may_part_with(worker);
    }

    /// The driver has found that a worker has answered all.
    pub(super) fn drained(&mut self, worker: u32) {
        let id = WorkerId(worker);
        if let Some(process) = self.processes.get_mut(&id)
            && matches!(process.draining, Some(Drain::Lasts(_)))
        {
            process.draining = Some(Drain::Over);
        }
        self.tell(Event::Drained { worker: id });
    }

    /// Nobody who serves is sent away unless all stops, its instance is gone, or another has its place.
    fn may_part_with(&mut self, worker: WorkerId) {
        let process = self.existing(worker);
        let (instance, serves) = (process.instance, process.ready && process.leader == Life::Alive);
        let replaced = self.residents(instance).any(|process| process.ready);
        let scaled_away = instance.0 >= self.count;
        let gives_way = self.giving_way.contains(&worker);
        assert!(
            !serves || self.stopping || self.interrupting || scaled_away || replaced || gives_way,
            "w{worker} served #{instance} alone"
        );
    }

    fn note(&mut self, notice: &Notice) {
        if let Notice::Ready { worker, .. } = notice {
            let process = self.existing(*worker);
            assert!(matches!(process.gate, Gate::Open | Gate::Passed), "w{worker} serves and is held");
            process.ready = true;
        } else if let Notice::NotReady { worker, .. } = notice {
            self.existing(*worker).late = true;
        } else if let Notice::Stopping { .. } = notice {
            self.stopping = true;
            let latest = self.now.after(secs(3));
            for process in self.processes.values_mut() {
                if let Some(Drain::Lasts(until)) = &mut process.draining {
                    *until = latest.min(*until);
                }
            }
        } else if let Notice::Recycling { worker, remedy: Remedy::Instead, .. } = notice {
            self.giving_way.insert(*worker);
        } else if let Notice::Scaled { to, .. } = notice {
            self.count = *to;
            assert!(self.range.is_none_or(|range| range.has(*to)), "{to} instances of {:?}", self.range);
        } else if let Notice::Exited { worker, killer, next, .. } = notice {
            // By this an end on order is told from a crash.
            let is_asked = !self.processes[worker].stays_wanted() || *killer == Killer::Keyboard;
            assert_eq!(*next == Next::Nothing, is_asked, "w{worker} has ended: {next:?}");
        }
    }

    #[track_caller]
    fn existing(&mut self, worker: WorkerId) -> &mut Process {
        let process = self.processes.get_mut(&worker).expect("an action for a worker that was never spawned");
        assert!(process.group == Life::Alive, "an action for w{worker}, which is gone");
        process
    }

    fn residents(&self, instance: InstanceId) -> impl Iterator<Item = &Process> {
        self.processes.values().filter(move |process| process.instance == instance && process.stays())
    }

    /// What must hold at any time. Nothing but a spawn adds to what is counted here.
    fn check(&self) {
        let mut residents = BTreeMap::new();
        for process in self.processes.values().filter(|process| process.stays()) {
            let residents: &mut u32 = residents.entry(process.instance).or_default();
            *residents += 1;
            assert!(*residents <= 2, "{residents} workers in #{}", process.instance);
        }
        let standbys = residents.range(FIRST_STANDBY..).count();
        assert!(standbys <= self.standbys, "{standbys} standbys, {} may be", self.standbys);
        let starting = |process: &&Process| {
            // One of a fleet is told of as ready only when all are.
            let boots = match process.gate {
                Gate::Open => true,
                Gate::Shut => process.instance >= FIRST_STANDBY,
                Gate::Parked | Gate::Passed => false,
            };
            process.stays() && boots && !process.ready && !process.late
        };
        let starting = self.processes.values().filter(starting).count();
        assert!(starting <= self.start_limit, "{starting} workers starting, {} may", self.start_limit);
    }

    /// Lets time pass, with every deadline on the way.
    pub(super) fn pass(&mut self, span: Duration) {
        let until = self.now.after(span);
        while let Some(deadline) = self.supervisor.next_deadline().filter(|&at| at <= until) {
            self.now = self.now.max(deadline);
            self.deadline();
        }
        self.now = until;
    }

    /// Jumps to the next deadline. False when there is none.
    pub(super) fn jump(&mut self) -> bool {
        let Some(deadline) = self.supervisor.next_deadline() else { return false };
        self.now = self.now.max(deadline);
        self.deadline();
        true
    }

    fn deadline(&mut self) {
        self.tell(Event::Deadline);
        // A worker that the deadline itself started may be due at once, and a failed spawn again.
        let (mut turns, limit) = (0, 2 + self.failing_spawns.len());
        while self.supervisor.next_deadline().is_some_and(|at| at <= self.now) {
            turns += 1;
            assert!(turns <= limit, "busy at {:?}: {:?}", self.now, self.supervisor);
            self.tell(Event::Deadline);
        }
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.tell(Event::Signalled { signal });
    }

    pub(super) fn listen(&mut self, worker: u32, port: u16) {
        self.listen_on(WorkerId(worker), Some(port));
    }

    /// The worker calls `listen`, and is held there if it is to be.
    pub(super) fn listen_on(&mut self, worker: WorkerId, port: Option<u16>) {
        match self.processes.get_mut(&worker).map(|process| &mut process.gate) {
            Some(gate @ (Gate::Shut | Gate::Parked)) => {
                *gate = Gate::Parked;
                self.tell(Event::Parked { worker });
            }
            _ => self.tell(Event::Listening { worker, listen: Listen { port } }),
        }
    }

    pub(super) fn say_ready(&mut self, worker: u32) {
        self.tell(Event::Ready { worker: WorkerId(worker) });
    }

    pub(super) fn say(&mut self, worker: u32, word: Word) {
        self.tell(Event::Notified { worker: WorkerId(worker), word });
    }

    pub(super) fn beat(&mut self, worker: u32) {
        self.tell(Event::Pulse { worker: WorkerId(worker), beat: Beat::Turned });
    }

    /// The check of the worker, or where there is none of it, of the app, ends; `why` it fails if it does.
    pub(super) fn checked(&mut self, worker: u32, why: Option<&str>) {
        let subject = match Subject::Worker(WorkerId(worker)) {
            of_worker if self.checks.contains(&of_worker) => of_worker,
            _ => Subject::App,
        };
        if self.checks.remove(&subject) {
            self.tell(Event::Checked { subject, result: why.map_or(Ok(()), |why| Err(why.to_owned())) });
        }
    }

    /// A look at the memory has shown this of a worker.
    pub(super) fn measured(&mut self, worker: u32, bytes: u64) {
        self.tell(Event::Measured { sizes: vec![(WorkerId(worker), bytes)] });
    }

    /// The memory of all workers together runs short, and this is what comes of it.
    pub(super) fn strained(&mut self, worker: u32, remedy: Remedy) {
        let strain = Strain { used: 90, limit: 100, bytes: 50 };
        self.tell(Event::Strained { worker: WorkerId(worker), strain, remedy });
    }

    /// A file changes.
    pub(super) fn change(&mut self, path: &str) {
        self.tell(Event::Changed { path: path.to_owned(), files: 1 });
    }

    pub(super) fn lose_checks(&mut self) {
        self.checks.clear();
        self.tell(Event::ChecksLost);
    }

    pub(super) fn exit(&mut self, worker: u32, reason: ExitReason) {
        self.exit_leaving(worker, reason, Survivors::None);
    }

    /// The worker's first process ends.
    pub(super) fn exit_leaving(&mut self, worker: u32, reason: ExitReason, survivors: Survivors) {
        self.exit_by(worker, reason, (Killer::Unknown, survivors));
    }

    /// The worker's first process ends, and it is known whose wish that was.
    pub(super) fn exit_by(
        &mut self,
        worker: u32,
        reason: ExitReason,
        (killer, survivors): (Killer, Survivors),
    ) {
        let worker = WorkerId(worker);
        self.checks.remove(&Subject::Worker(worker));
        let process = self.processes.get_mut(&worker).unwrap();
        assert_eq!(process.leader, Life::Alive);
        process.leader = Life::Over;
        if survivors == Survivors::None {
            process.group = Life::Over;
        }
        self.tell(Event::Exited { worker, reason, killer, survivors });
    }

    /// The last of the group is gone, too.
    pub(super) fn group_gone(&mut self, worker: u32) {
        let worker = WorkerId(worker);
        let process = self.processes.get_mut(&worker).unwrap();
        assert_eq!((process.leader, process.group), (Life::Over, Life::Alive));
        process.group = Life::Over;
        self.tell(Event::GroupGone { worker });
    }

    /// The workers whose first process lives.
    pub(super) fn live(&self) -> Vec<WorkerId> {
        self.processes
            .iter()
            .filter(|(_, process)| process.leader == Life::Alive)
            .map(|(&id, _)| id)
            .collect()
    }

    /// Compares all that was asked and said since the last time.
    #[track_caller]
    pub(super) fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.told(), expected);
    }

    /// Takes all that was asked and said since the last time.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told).iter().map(words).collect()
    }
}
