//! Changes that somebody asked for: an order to the supervisor for each app, and a verdict for each when it is done.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::app::App;
use super::gate::Gate;
use super::handle::{Anew, Change, Parallel, ScaleTo, Target};
use super::plan::Plan;
use super::tell::LAST_LINES_WITHIN;
use super::words::{Human, why_called_off};
use crate::api::text::Text;
use crate::api::types::{Operation, Problem, StartRequest, Verdict};
use crate::handover::choose::Way;
use crate::handover::park::Gate as ListenGate;
use crate::logs::WorkerLogs;
use crate::process::Signal;
use crate::spec::{Generation, InstanceId, ReloadStrategy};
use crate::supervisor::{Answer, CalledOff, Command, Event, Refusal, Scope, StateName, Ticket, Uptime};
use crate::sys::signals::{Delivery, signal_process};

/// A disk may be slow.
const EMPTIED_WITHIN: Duration = Duration::from_secs(5);

/// The verdicts on several apps, which are reported together.
#[derive(Debug)]
pub(super) struct Batch {
    verdicts: Vec<Option<Verdict>>,
    reply: Option<oneshot::Sender<Vec<Verdict>>>,
}

/// Where one verdict is to be put.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    batch: Rc<RefCell<Batch>>,
    position: usize,
}

/// An order that is not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    operation: Operation,
    begun: Uptime,
    slot: Slot,
    /// What workers of the order's generation run, until that is known.
    plan: Option<Rc<Plan>>,
    /// What the app is from now on, if all goes well.
    definition: Option<StartRequest>,
    /// How many instances there shall be once it is done.
    resize: Option<NonZeroU32>,
    /// What is done already, for the verdict.
    done: Option<String>,
}

/// What an instance does after an order that failed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Its worker is ready.
    Serves,
    /// It is started again.
    Tries,
    /// It is not.
    GivenUp,
}

impl After {
    fn of(state: Option<StateName>) -> Self {
        match state {
            Some(StateName::Ready | StateName::Replacing) => Self::Serves,
            Some(StateName::Failed | StateName::Stopped) | None => Self::GivenUp,
            Some(_) => Self::Tries,
        }
    }
}

impl Batch {
    /// Room for so many verdicts, and where they go once all are there.
    pub(super) fn slots(count: usize, reply: oneshot::Sender<Vec<Verdict>>) -> Vec<Slot> {
        let batch = Rc::new(RefCell::new(Self { verdicts: vec![None; count], reply: Some(reply) }));
        (0..count).map(|position| Slot { batch: Rc::clone(&batch), position }).collect()
    }
}

impl Slot {
    /// Puts the verdict in; the last one sends all.
    pub(super) fn fill(self, verdict: Verdict) {
        let mut batch = self.batch.borrow_mut();
        batch.verdicts[self.position] = Some(verdict);
        if batch.verdicts.iter().all(Option::is_some)
            && let Some(reply) = batch.reply.take()
        {
            // Who asked may have gone.
            let _heard = reply.send(batch.verdicts.drain(..).flatten().collect());
        }
    }
}

impl App {
    /// Begins a change; its verdict goes to `slot`, now or later.
    pub(super) fn change(&mut self, instance: Option<InstanceId>, change: Change, slot: Slot) {
        match self.prelude.gate {
            Gate::Open => self.change_workers(instance, change, slot),
            Gate::Closed | Gate::Waits | Gate::Prepares(_) | Gate::Failed => {
                self.change_before_start(change, slot);
            }
        }
    }

    /// The same, of an app that was started before.
    pub(super) fn change_workers(&mut self, instance: Option<InstanceId>, change: Change, slot: Slot) {
        let scope = instance.map_or(Scope::All, Scope::One);
        match change {
            Change::Start if self.runs(instance) => {
                let instances = self.instances();
                let said = format!("runs already, {instances} instance{}", plural(instances));
                slot.fill(self.verdict(Operation::Start, Duration::ZERO, Ok(said)));
            }
            Change::Start => self.order(Operation::Start, Command::Start(scope), slot),
            Change::Stop => self.order(Operation::Stop, Command::Stop(scope), slot),
            Change::Reset => self.order(Operation::Reset, Command::Reset(scope), slot),
            Change::Restart { anew } => {
                self.replan_and_order(Operation::Restart, anew, slot, |plan| Command::Restart {
                    scope,
                    spec: Some(Box::new(plan.app.clone())),
                });
            }
            Change::Reload { strategy, .. }
                if strategy == Some(ReloadStrategy::Fleet) && !self.plan().way.hears_listening() =>
            {
                slot.fill(self.verdict(Operation::Reload, Duration::ZERO, Err(no_fleet(self.plan().way))));
            }
            Change::Reload { strategy, parallel, anew } => {
                let width = self.width(parallel);
                self.replan_and_order(Operation::Reload, anew, slot, |plan| Command::Reload {
                    scope,
                    strategy: strategy.unwrap_or(plan.app.reload_strategy),
                    width,
                    spec: Some(Box::new(plan.app.clone())),
                });
            }
            Change::Check { anew } => {
                self.replan_and_order(Operation::Check, anew, slot, |plan| Command::Check {
                    spec: Some(Box::new(plan.app.clone())),
                });
            }
            Change::Delete => self.delete(instance, slot),
            Change::Scale(to) => self.scale(instance, to, slot),
            Change::Follow { to, because } => self.follow(to, because, slot),
            Change::Signal(signal) => {
                let verdict = self.signal_all(instance, signal);
                slot.fill(verdict);
            }
            Change::Flush => self.flush(slot),
            Change::Send { topic, data } => {
                let said = self.send_data(&Target { app: self.id, instance }, topic.as_deref(), &data);
                slot.fill(self.verdict(Operation::Send, Duration::ZERO, said));
            }
        }
    }

    /// Starts the first workers; the verdict follows when all are ready, or one has failed.
    pub(super) fn start_and_report(&mut self, reply: oneshot::Sender<Result<Verdict, Problem>>) {
        let (sender, verdicts) = oneshot::channel();
        if let Some(slot) = Batch::slots(1, sender).pop() {
            match self.prelude.gate {
                Gate::Open => self.order(Operation::Start, Command::Start(Scope::All), slot),
                Gate::Closed => {
                    let said = format!("added, and not started; `pmr start {}` starts it", self.name());
                    slot.fill(self.verdict(Operation::Start, Duration::ZERO, Ok(said)));
                }
                Gate::Waits | Gate::Prepares(_) | Gate::Failed => self.knock(slot),
            }
        }
        drop(tokio::task::spawn_local(async move {
            if let Ok(Some(verdict)) = verdicts.await.map(|mut verdicts: Vec<Verdict>| verdicts.pop()) {
                // Who asked may have gone.
                let _heard = reply.send(Ok(verdict));
            }
        }));
    }

    /// Whether all that is meant is ready.
    fn runs(&self, instance: Option<InstanceId>) -> bool {
        let snapshot = self.supervisor.snapshot(self.now());
        let mut meant =
            snapshot.instances.iter().filter(|view| instance.is_none_or(|one| one == view.instance));
        meant.all(|view| matches!(view.state, StateName::Ready | StateName::Replacing))
    }

    fn width(&self, parallel: Parallel) -> NonZeroU32 {
        let all = u32::try_from(self.instances()).ok().and_then(NonZeroU32::new);
        match parallel {
            Parallel::Number(number) => number,
            Parallel::All => all.unwrap_or(NonZeroU32::MIN),
        }
    }

    pub(super) fn order(&mut self, operation: Operation, command: Command, slot: Slot) {
        self.order_with(
            Pending {
                operation,
                begun: self.now(),
                slot,
                plan: None,
                definition: None,
                resize: None,
                done: None,
            },
            command,
        );
    }

    fn order_with(&mut self, pending: Pending, command: Command) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.pending.insert(ticket, pending);
        // What was over may go on; if not, it says so again.
        self.status = None;
        self.feed(Event::Commanded { ticket, command });
    }

    /// Reads everything anew first: what cannot run must not replace what does.
    fn replan_and_order(
        &mut self,
        operation: Operation,
        anew: Anew,
        slot: Slot,
        command: impl FnOnce(&Plan) -> Command,
    ) {
        // Who defines it anew says how many instances there are, whatever it was scaled to.
        let is_sized = anew.definition.is_some() && operation != Operation::Check;
        let definition = self.definition_with(anew);
        match self.replan(&definition) {
            Ok(plan) => {
                let command = command(&plan);
                let size = || match plan.app.range {
                    // As many as the load asks for, not as many as at a start.
                    Some(range) => range.nearest(u32::try_from(self.instances()).unwrap_or(u32::MAX)),
                    None => plan.app.instances,
                };
                let resize = is_sized.then(size);
                let (plan, definition) = (Some(plan), Some(definition));
                let begun = self.now();
                let pending = Pending { operation, begun, slot, plan, definition, resize, done: None };
                self.order_with(pending, command);
            }
            Err(problem) => {
                slot.fill(self.verdict(operation, Duration::ZERO, Err(in_one_line(&problem))));
            }
        }
    }

    /// What was asked for, or what it shall be now.
    pub(super) fn definition_with(&self, anew: Anew) -> StartRequest {
        let mut definition =
            anew.definition.map_or_else(|| self.definition.clone(), |definition| *definition);
        if let Some(environment) = anew.environment {
            definition.environment = environment
                .iter()
                .map(|(name, value)| (Text::from(name.as_os_str()), Text::from(value.as_os_str())))
                .collect();
        }
        definition
    }

    /// Plans the app anew; it keeps its name and its size.
    pub(super) fn replan(&self, definition: &StartRequest) -> Result<Rc<Plan>, Problem> {
        let company = self.plan().app.company;
        let mut plan = (self.shared.surroundings.planner)(definition, company)?;
        plan.app.name = self.name().to_owned();
        Ok(Rc::new(plan))
    }

    fn delete(&mut self, instance: Option<InstanceId>, slot: Slot) {
        if instance.is_some() && self.instances() > 1 {
            let hint = format!("an instance is taken away with `pmr scale {} -1`", self.name());
            return slot.fill(self.verdict(Operation::Delete, Duration::ZERO, Err(hint)));
        }
        self.order(Operation::Delete, Command::Remove, slot);
    }

    fn scale(&mut self, instance: Option<InstanceId>, to: ScaleTo, slot: Slot) {
        let now = u32::try_from(self.instances()).unwrap_or(u32::MAX);
        let wanted = match to {
            ScaleTo::Exactly(number) => number.get(),
            ScaleTo::More(number) => now.saturating_add(number),
            ScaleTo::Fewer(number) => now.saturating_sub(number),
        };
        let refuse = |text: &str| self.verdict(Operation::Scale, Duration::ZERO, Err(text.to_owned()));
        match (instance, NonZeroU32::new(wanted)) {
            (Some(_), _) if now > 1 => slot.fill(refuse("a whole app is scaled, not one of its instances")),
            (_, None) => slot.fill(refuse("an app has at least one instance; `pmr stop` stops it")),
            (_, Some(to)) => self.order(Operation::Scale, Command::Scale { to }, slot),
        }
    }

    fn signal_all(&self, instance: Option<InstanceId>, signal: Signal) -> Verdict {
        // A worker that is held expects no signal in its `listen`.
        let free = self.workers.iter().filter(|worker| worker.parking.gate == ListenGate::Open);
        let workers = free.filter(|worker| instance.is_none_or(|one| one == worker.instance));
        let (mut sent, mut failed) = (0, None);
        for worker in workers {
            match signal_process(worker.pid, signal) {
                Ok(Delivery::Sent) => sent += 1,
                Ok(Delivery::Gone) => {}
                Err(error) => failed = Some(error),
            }
        }
        let said = match failed {
            Some(error) => Err(format!("{signal} could not be sent: {error}")),
            None if sent == 0 => Err("it has no worker".to_owned()),
            None => Ok(format!("sent {signal} to {sent} worker{}", plural(sent))),
        };
        self.verdict(Operation::Signal, Duration::ZERO, said)
    }

    /// What is kept is forgotten at once; the files of the app, if it has any, are emptied by who writes them.
    fn flush(&self, slot: Slot) {
        self.outputs.clear(self.id);
        let verdict = |said| self.verdict(Operation::Flush, Duration::ZERO, said);
        let done = verdict(Ok("flushed its logs".to_owned()));
        let own = (!self.shares_outputs()).then_some(&self.outputs);
        let files: Vec<_> = own.into_iter().chain(self.log_files.all()).cloned().collect();
        if files.is_empty() {
            return slot.fill(done);
        }
        let emptied = async move {
            let mut result = Ok(());
            for outputs in files {
                result = result.and(outputs.truncate_files().await);
            }
            result
        };
        let failed = verdict(Err("its log files could not be emptied".to_owned()));
        drop(tokio::task::spawn_local(async move {
            let why = match tokio::time::timeout(EMPTIED_WITHIN, emptied).await {
                Ok(Ok(())) => return slot.fill(done),
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => format!("the disk did not answer within {}", Human(EMPTIED_WITHIN)),
            };
            slot.fill(Verdict { message: format!("{}: {why}", failed.message), ..failed });
        }));
    }

    /// The supervisor has begun: workers of this generation are run as was planned.
    pub(super) fn begin_generation(&mut self, ticket: Option<Ticket>, generation: Generation) {
        let plan = match ticket {
            Some(ticket) => self.pending.get_mut(&ticket).and_then(|pending| pending.plan.take()),
            None => self.replanned.take(),
        };
        if let Some(plan) = plan {
            self.arrange_look(&plan);
            self.arrange_watch(&plan);
            self.adopt_plan(generation, plan);
        }
        if let Some(pending) = ticket.and_then(|ticket| self.pending.get_mut(&ticket))
            && pending.operation == Operation::Restart
            && let Some(definition) = pending.definition.take()
        {
            self.definition = definition;
        }
    }

    /// The supervisor is done with an order.
    pub(super) fn answered(&mut self, ticket: Ticket, answer: Answer) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        let Pending { operation, begun, slot, definition, resize, done, .. } = pending;
        if answer == Answer::Done
            && operation == Operation::Reload
            && let Some(definition) = definition
        {
            self.definition = definition;
        }
        self.removed |= answer == Answer::Done && operation == Operation::Delete;
        self.prune_plans();
        let took = self.now().since(begun);
        let said = self.done(operation, took);
        let said = done.map_or_else(|| said.clone(), |first| format!("{first}, then {said}"));
        match answer {
            Answer::Done
                if resize.is_some_and(|to| {
                    self.instances() != usize::try_from(to.get()).unwrap_or(usize::MAX)
                }) =>
            {
                let (operation, begun, plan) = (Operation::Scale, self.now(), None);
                let (definition, done) = (None, Some(said));
                let pending = Pending { operation, begun, slot, plan, definition, resize: None, done };
                self.order_with(pending, Command::Scale { to: resize.unwrap_or(NonZeroU32::MIN) });
            }
            Answer::Done => slot.fill(self.verdict(operation, took, Ok(said))),
            Answer::Refused(refusal) => slot.fill(self.verdict(operation, took, Err(why_refused(refusal)))),
            Answer::Failed { instance, why } => {
                let verdict = self.verdict(operation, took, Err(self.failed(operation, instance, &why)));
                match self.logs_of_failed(instance, &why) {
                    Some(logs) => drop(tokio::task::spawn_local(fill_with_tail(slot, verdict, logs))),
                    None => slot.fill(verdict),
                }
            }
        }
    }

    fn failed(&self, operation: Operation, instance: InstanceId, why: &CalledOff) -> String {
        let snapshot = self.supervisor.snapshot(self.now());
        let state = snapshot.instances.iter().find(|view| view.instance == instance).map(|view| view.state);
        failed(operation, After::of(state), &why_called_off(why))
    }

    fn done(&self, operation: Operation, took: Duration) -> String {
        let instances = self.instances();
        let of = format!("{instances} instance{}", plural(instances));
        let took = Human(took);
        match operation {
            Operation::Start => format!("started, {of} in {took}"),
            Operation::Stop => format!("stopped in {took}"),
            Operation::Restart => format!("restarted, {of} in {took}"),
            Operation::Reload => {
                format!("reloaded, {of}, generation {} in {took}", self.supervisor.generation())
            }
            Operation::Check => format!("a new worker was ready in {took}, and is discarded"),
            Operation::Delete => format!("stopped and removed in {took}"),
            Operation::Scale => format!("scaled to {of} in {took}"),
            Operation::Reset => "its counters are zero".to_owned(),
            Operation::Signal
            | Operation::Flush
            | Operation::Send
            | Operation::Kill
            | Operation::Save
            | Operation::Update => "done".to_owned(),
        }
    }

    /// A verdict on this app as it is now.
    pub(super) fn verdict(
        &self,
        operation: Operation,
        took: Duration,
        said: Result<String, String>,
    ) -> Verdict {
        let ok = said.is_ok();
        Verdict {
            app: Some(self.name().to_owned()),
            operation,
            ok,
            message: said.unwrap_or_else(|message| message),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            generation: Some(self.supervisor.generation().0),
            instances: u32::try_from(self.instances()).ok(),
            last_lines: Vec::new(),
        }
    }

    fn now(&self) -> Uptime {
        self.shared.clock.now()
    }
}

/// What a dead worker wrote last may still be in its pipe.
async fn fill_with_tail(slot: Slot, mut verdict: Verdict, logs: Rc<WorkerLogs>) {
    let _in_time = tokio::time::timeout(LAST_LINES_WITHIN, logs.drain()).await;
    verdict.last_lines = logs.tail();
    slot.fill(verdict);
}

fn failed(operation: Operation, after: After, why: &str) -> String {
    match (operation, after) {
        (Operation::Reload, After::Serves) => format!("reload called off, the old workers go on: {why}"),
        (Operation::Reload, After::Tries | After::GivenUp) => format!("reload called off: {why}"),
        (Operation::Check, _) => format!("check failed, nothing was changed: {why}"),
        (_, After::GivenUp) => format!("{operation} failed, and is not tried again: {why}"),
        (_, After::Serves | After::Tries) => {
            format!("{operation} failed, and is tried again by the restart policy: {why}")
        }
    }
}

fn why_refused(refusal: Refusal) -> String {
    match refusal {
        Refusal::ReloadUnderWay => {
            "another reload or check is under way; try again when it is done".to_owned()
        }
        Refusal::NothingToReload => "there is no worker to replace; `pmr start` starts it".to_owned(),
        Refusal::NoSuchInstance => "there is no such instance any more".to_owned(),
        Refusal::TooMany { most } => format!("an app has at most {most} instances"),
        Refusal::OutOfRange { least, most } => {
            format!("it has {least} to {most} instances, as the load asks (`--instances {least}..{most}`)")
        }
        Refusal::Stopping => "the app is being stopped".to_owned(),
        Refusal::Init => {
            "the runtime is a mere init for it (one instance, `--no-autorestart`) and takes no orders"
                .to_owned()
        }
    }
}

fn no_fleet(way: Way) -> String {
    format!("nothing was changed: with `--share {way}` no worker can be held where it is about to listen")
}

/// A problem as a verdict tells it.
pub(super) fn in_one_line(problem: &Problem) -> String {
    let details = problem.details.iter().fold(String::new(), |all, detail| all + "; " + detail.trim());
    let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
    format!("nothing was changed: {}{details}{hint}", problem.message)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Puts targets that name an app several times together: the whole app, or each instance once.
pub(super) fn distinct(targets: Vec<Target>) -> Vec<Target> {
    let whole: Vec<_> = targets.iter().filter(|one| one.instance.is_none()).map(|one| one.app).collect();
    let mut kept: Vec<_> =
        targets.into_iter().filter(|one| one.instance.is_none() || !whole.contains(&one.app)).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_goes_on() {
        let says = |operation, state| failed(operation, After::of(state), "why");
        let (ready, backoff, given_up) =
            (Some(StateName::Ready), Some(StateName::Backoff), Some(StateName::Failed));
        assert_eq!(says(Operation::Reload, ready), "reload called off, the old workers go on: why");
        assert_eq!(says(Operation::Reload, given_up), "reload called off: why");
        assert_eq!(says(Operation::Check, ready), "check failed, nothing was changed: why");
        let tries = "start failed, and is tried again by the restart policy: why";
        assert_eq!(says(Operation::Start, backoff), tries);
        assert_eq!(says(Operation::Start, given_up), "start failed, and is not tried again: why");
        assert_eq!(says(Operation::Scale, None), "scale failed, and is not tried again: why");
    }
}
