//! Before an app's first start: waits for other apps, and runs the command that has to succeed before.
//!
//! What follows on what is in `gate`; here it is carried out.

use std::rc::Rc;
use std::time::Duration;

use super::app::App;
use super::gate::{Course, Gate, Outcome, Passage, Standing, passage};
use super::handle::Change;
use super::order::{Slot, in_one_line};
use super::plan::Plan;
use super::question::problem;
use super::run::Driver;
use super::spawn::identity;
use super::words::{Human, not_started, prepared, preparing, waiting};
use crate::api::types::{Operation, Problem, StartRequest, Status};
use crate::handover::environment;
use crate::listener::Listeners;
use crate::logs::WorkerLogs;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{Autostart, Dependency, Generation, InstanceId, PreStart, Until};
use crate::supervisor::{Command, Event, Scope, StateName, Supervisor, Ticket, Uptime};
use crate::sys::signals::{group_exists, signal_group};
use crate::sys::spawn::{Order, Output, SpawnError, Stdin, spawn};

/// The status of an app that is not started because another one has failed: that of the other one shall be ours.
const NOT_TO_BLAME: u8 = 0;
/// The status of an app whose command has taken too long, as of timeout(1).
const TIMED_OUT: u8 = 124;

/// What an app goes through before its first start.
#[derive(Debug, Default)]
pub(super) struct Prelude {
    pub(super) gate: Gate,
    command: Option<Running>,
    /// Why it is not started, if so.
    pub(super) why_not: Option<String>,
    /// Those who wait for its start.
    knocking: Vec<Slot>,
    /// Whether it was told whom it waits for.
    has_told: bool,
}

/// The command, the leader of its own process group.
#[derive(Debug)]
struct Running {
    pid: Pid,
    logs: Option<Rc<WorkerLogs>>,
    begun: Uptime,
}

impl Prelude {
    pub(super) fn at(gate: Gate) -> Self {
        Self { gate, ..Self::default() }
    }

    /// As it was left by the program before us. Its command has ended, else there would have been no update.
    pub(super) fn resume(gate: Gate, why_not: Option<String>) -> Self {
        Self { gate, why_not, ..Self::default() }
    }

    /// Whether something of it lives.
    pub(super) fn is_alive(&self) -> bool {
        self.command.is_some()
    }

    /// Whether somebody waits for an answer, or something lives that only our memory knows of.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_alive() || !self.knocking.is_empty()
    }

    /// What the app is for people, where its workers do not tell.
    pub(super) fn status(&self) -> Option<Status> {
        match self.gate {
            Gate::Open | Gate::Closed => None,
            Gate::Waits | Gate::Prepares(_) => Some(Status::Launching),
            Gate::Failed => Some(Status::Errored),
        }
    }
}

impl Driver {
    /// Lets those apps go on whose time has come. True if there were some.
    pub(super) fn open_gates(&mut self) -> bool {
        if self.ending {
            return false;
        }
        let waiting = self.apps.values().filter(|app| app.prelude.gate == Gate::Waits);
        let decided: Vec<_> = waiting
            .map(|app| (app.id, passage(&app.plan().app.start.after, |name| self.standing_of(name))))
            .collect();
        let mut any = false;
        for (id, passage) in decided {
            let Some(app) = self.apps.get_mut(&id) else { continue };
            any |= passage != Passage::Wait;
            match passage {
                Passage::Go => app.prepare(),
                Passage::Wait => app.tell_waiting(),
                Passage::Never { app: other, standing } => {
                    app.turn_away(NOT_TO_BLAME, &why_never(&other, standing));
                }
            }
        }
        any
    }

    fn standing_of(&self, name: &str) -> Standing {
        let app = self.apps.values().find(|app| app.name() == name && !app.removed);
        app.map_or(Standing::Absent, App::standing)
    }
}

fn why_never(other: &str, standing: Standing) -> String {
    match standing {
        Standing::Absent => format!("it depends on `{other}`, which is not there"),
        _ => format!("it depends on `{other}`, which has failed"),
    }
}

impl App {
    /// As others see it who need it.
    fn standing(&self) -> Standing {
        match (self.prelude.gate, self.status) {
            (Gate::Failed, _) => return Standing::Failed,
            (Gate::Open, Some(0)) => return Standing::Done,
            (Gate::Open, Some(_)) => return Standing::Failed,
            (Gate::Open, None) => {}
            (Gate::Closed | Gate::Waits | Gate::Prepares(_), _) => return Standing::Coming,
        }
        let snapshot = self.supervisor.snapshot(self.shared.clock.now());
        let is_ready = |state| matches!(state, StateName::Ready | StateName::Replacing);
        if snapshot.instances.iter().all(|view| is_ready(view.state)) {
            Standing::Ready
        } else if snapshot.instances.iter().any(|view| view.pid.is_some()) {
            Standing::Started
        } else {
            Standing::Coming
        }
    }

    fn tell_waiting(&mut self) {
        if !std::mem::replace(&mut self.prelude.has_told, true) {
            self.announce(&waiting(&self.waits_for()));
        }
    }

    /// Those it waits for, for people.
    fn waits_for(&self) -> String {
        let start = &self.plan().app.start;
        let word = |Dependency { app, until }: &Dependency| match until {
            Until::Ready => format!("`{app}`"),
            Until::Started => format!("`{app}` (started)"),
            Until::Exited => format!("the end of `{app}`"),
        };
        start.after.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    /// What there is before its first start, for people.
    pub(super) fn before_start(&self) -> Option<String> {
        let first = || self.plan().app.start.first.as_ref().map(PreStart::line).unwrap_or_default();
        match self.prelude.gate {
            Gate::Open => None,
            Gate::Closed => Some("waits for an order: `pmr start`".to_owned()),
            Gate::Waits => Some(format!("waits for {}", self.waits_for())),
            Gate::Prepares(_) => Some(format!("runs `{}`", first())),
            Gate::Failed => self.prelude.why_not.clone(),
        }
    }

    /// Runs the command, if there is one.
    fn prepare(&mut self) {
        let plan = self.plan();
        let Some(first) = &plan.app.start.first else { return self.open_gate() };
        match self.run_first(&plan, first) {
            Ok(running) => {
                let until = running.begun.after(first.timeout);
                self.announce(&preparing(&first.line(), running.pid));
                self.prelude.command = Some(running);
                self.prelude.gate = Gate::Prepares(Course::Runs { until });
            }
            Err(error) => {
                let why = format!("`{}` cannot be run: {}", first.line(), error.describe());
                self.turn_away(error.status(), &why);
            }
        }
    }

    fn run_first(&mut self, plan: &Plan, first: &PreStart) -> Result<Running, SpawnError> {
        let command = &plan.app.command;
        let place = self.place(InstanceId(0), self.supervisor.generation());
        let child = spawn(Order {
            program: &first.program,
            arguments: &first.arguments,
            environment: &environment::of_worker(&command.environment, &place, first.variables.clone()),
            directory: command.directory.as_deref(),
            identity: command.identity.as_ref().map(identity),
            stdin: Stdin::Null,
            input: None,
            output: Output::Pipes,
            extra: None,
            own_pid: &[],
            filter: None,
            oom_score_adj: None,
        })?;
        self.shared.guard_group(child.pid);
        let name = format!("{}:pre_start", self.name());
        let pipes = child.stdout.zip(child.stderr);
        let logs = pipes.and_then(|pipes| self.attach_as(&name, plan, (InstanceId(0), child.pid), pipes));
        Ok(Running { pid: child.pid, logs, begun: self.shared.clock.now() })
    }

    /// A child was reaped that is no worker. True if it was the command.
    pub(super) fn on_prepared(&mut self, pid: Pid, reason: ExitReason) -> bool {
        let Some(Running { logs, begun, .. }) = self.prelude.command.take_if(|running| running.pid == pid)
        else {
            return false;
        };
        self.shared.forget_group(pid);
        let outcome = self.prelude.gate.on_ended(reason);
        if outcome != Outcome::Passed && group_exists(pid) {
            // What it has started is of no use without it; it may end by itself just now.
            let _gone = signal_group(pid, Signal::KILL);
        }
        self.ended_logs.retain(|logs| !logs.is_finished());
        self.ended_logs.extend(logs);
        let plan = self.plan();
        let line = plan.app.start.first.as_ref().map(PreStart::line).unwrap_or_default();
        match outcome {
            Outcome::Passed => {
                self.announce(&prepared(&line, self.shared.clock.now().since(begun)));
                self.open_gate();
            }
            Outcome::Failed(reason) => {
                self.turn_away(reason.status(), &format!("`{line}` failed: {reason}"));
            }
            Outcome::TimedOut => {
                let limit = plan.app.start.first.as_ref().map_or(Duration::ZERO, |first| first.timeout);
                let why = format!("`{line}` did not end within {}", Human(limit));
                self.turn_away(TIMED_OUT, &why);
            }
            Outcome::Stopped => self.refuse_knocking("it was stopped before it was started"),
            Outcome::Killed => {
                self.refuse_knocking("it was stopped before it was started");
                // As of a worker that had to be killed.
                self.status.is_some().then(|| self.over(ExitReason::Signal(Signal::KILL).status()));
            }
        }
        true
    }

    /// All is there: the first workers start.
    fn open_gate(&mut self) {
        self.prelude.gate = Gate::Open;
        let knocking = std::mem::take(&mut self.prelude.knocking);
        if knocking.is_empty() {
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            self.feed(Event::Commanded { ticket, command: Command::Start(Scope::All) });
        }
        for slot in knocking {
            self.order(Operation::Start, Command::Start(Scope::All), slot);
        }
    }

    /// It is not started.
    fn turn_away(&mut self, status: u8, why: &str) {
        self.prelude.gate = Gate::Failed;
        self.prelude.why_not = Some(why.to_owned());
        self.announce(&not_started(why, status));
        self.refuse_knocking(why);
        self.over(status);
    }

    fn refuse_knocking(&mut self, why: &str) {
        let tail = self.ended_logs.last().map(|logs| logs.tail()).unwrap_or_default();
        for slot in std::mem::take(&mut self.prelude.knocking) {
            let said = Err(format!("not started: {why}"));
            let mut verdict = self.verdict(Operation::Start, Duration::ZERO, said);
            verdict.last_lines.clone_from(&tail);
            slot.fill(verdict);
        }
    }

    /// An order for an app that was never started.
    pub(super) fn change_before_start(&mut self, change: Change, slot: Slot) {
        match change {
            Change::Start => self.knock(slot),
            Change::Restart { anew } | Change::Reload { anew, .. } => {
                let definition = self.definition_with(anew);
                match self.redefine(definition) {
                    Ok(()) => self.knock(slot),
                    Err(problem) => {
                        let said = Err(in_one_line(&problem));
                        slot.fill(self.verdict(Operation::Start, Duration::ZERO, said));
                    }
                }
            }
            Change::Stop => {
                self.stop_before_start(Signal::TERM);
                self.order(Operation::Stop, Command::Stop(Scope::All), slot);
            }
            Change::Delete => {
                self.stop_before_start(Signal::TERM);
                self.order(Operation::Delete, Command::Remove, slot);
            }
            Change::Check { .. } => {
                let said = Err("it was not started yet; `pmr start` starts it".to_owned());
                slot.fill(self.verdict(change.operation(), Duration::ZERO, said));
            }
            Change::Scale(_)
            | Change::Follow { .. }
            | Change::Signal(_)
            | Change::Send { .. }
            | Change::Reset
            | Change::Flush => self.change_workers(None, change, slot),
        }
    }

    /// The verdict follows when it was started, or will not be.
    pub(super) fn knock(&mut self, slot: Slot) {
        self.prelude.knocking.push(slot);
        if matches!(self.prelude.gate, Gate::Closed | Gate::Failed) {
            self.prelude.gate = Gate::Waits;
            (self.prelude.why_not, self.prelude.has_told) = (None, false);
            self.status = None;
        }
    }

    /// Puts another app into its place, of which nothing was started yet either.
    fn redefine(&mut self, definition: StartRequest) -> Result<(), Problem> {
        let plan = self.replan(&definition)?;
        if self.prelude.is_alive() {
            let hint = Some("try again when it has ended, or stop the app first".to_owned());
            return Err(problem("busy", "the command before its first start runs", hint));
        }
        let instances = plan.app.instances.get();
        (self.supervisor, _) = Supervisor::new(&plan.app, super::clock::seed());
        self.listeners = Listeners::new(instances).balanced(plan.app.balance);
        let shared = &self.shared;
        self.ids.resize_with(usize::try_from(instances).unwrap_or(usize::MAX), || shared.new_id());
        self.plans = [(Generation(0), plan)].into();
        self.definition = definition;
        Ok(())
    }

    /// What is under way before the first start is not wanted any more.
    pub(super) fn stop_before_start(&mut self, signal: Signal) {
        let signal = self.prelude.gate.stop(signal, self.kill_command_at());
        self.signal_command(signal);
        if !self.prelude.is_alive() {
            self.refuse_knocking("it was stopped before it was started");
        }
    }

    /// The same, without patience.
    pub(super) fn hurry_before_start(&mut self) {
        let signal = self.prelude.gate.hurry();
        self.signal_command(signal);
    }

    /// The deadline may have passed.
    pub(super) fn on_deadline_before_start(&mut self) {
        let kill_at = self.kill_command_at();
        let signal = self.prelude.gate.on_deadline(self.shared.clock.now(), kill_at);
        self.signal_command(signal);
    }

    fn kill_command_at(&self) -> Uptime {
        self.shared.clock.now().after(self.plan().app.stop.timeout)
    }

    fn signal_command(&self, signal: Option<Signal>) {
        if let (Some(signal), Some(running)) = (signal, &self.prelude.command) {
            // It may be gone by itself.
            let _gone = signal_group(running.pid, signal);
        }
    }

    /// Says what keeps a new app from starting at once.
    pub(super) fn tell_first(&self) {
        if self.plan().app.start.when == Autostart::OnOrder {
            self.announce(&waiting("an order: `pmr start` starts it"));
        }
    }
}
