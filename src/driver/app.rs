//! One app of the runtime: its supervisor, its workers and its sockets.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::balance::ArrivalTask;
use super::clock;
use super::collision;
use super::crashes::Caught;
use super::drain::Drains;
use super::gate::Gate;
use super::health::Checks;
use super::log_files::{self, LogFiles};
use super::order::Pending;
use super::plan::Plan;
use super::prepare::Prelude;
use super::shared::Shared;
use super::tell::{Telling, Whose};
use super::watch::Watch;
use super::words::Said;
use super::workers::Workers;
use crate::api::types::{ScaledView, StartRequest};
use crate::handover::cluster::SharedData;
use crate::listener::Listeners;
use crate::logs::{Outputs, WorkerLogs};
use crate::spec::{AppId, Generation, InstanceId, WorkerId, WorkerKey};
use crate::supervisor::{Action, Event, Notice, Supervisor, Ticket, Uptime};

/// See the module.
#[derive(Debug)]
pub(super) struct App {
    pub(super) id: AppId,
    pub(super) whose: Rc<Whose>,
    pub(super) shared: Rc<Shared>,
    /// Where its workers write.
    pub(super) outputs: Rc<Outputs>,
    /// Where else, if the app's options say so.
    pub(super) log_files: LogFiles,
    /// Its files.
    pub(super) watch: Watch,
    /// What was asked for, so that it can be planned anew.
    pub(super) definition: StartRequest,
    pub(super) created_at_ms: u64,
    /// How workers of a generation are run: the plan of the greatest number that is not greater.
    pub(super) plans: BTreeMap<Generation, Rc<Plan>>,
    /// What a reload by a signal shall run, made before the signal was passed on.
    pub(super) replanned: Option<Rc<Plan>>,
    /// What comes before its first start.
    pub(super) prelude: Prelude,
    pub(super) supervisor: Supervisor,
    pub(super) workers: Workers,
    pub(super) listeners: Listeners,
    pub(super) drains: Drains,
    /// Once its sockets are watched.
    pub(super) arrival_task: Option<ArrivalTask>,
    pub(super) tickets: SharedData,
    /// Whether the memory of its workers is being measured.
    pub(super) is_measuring: bool,
    /// Health checks that are under way.
    pub(super) checks: Checks,
    pub(super) todo: VecDeque<Action>,
    /// The logs of ended workers, until everything in their pipes has been read; those of the last one always.
    pub(super) ended_logs: Vec<Rc<WorkerLogs>>,
    /// By instance: its number in the whole runtime.
    pub(super) ids: Vec<u32>,
    /// Orders that are not answered yet.
    pub(super) pending: BTreeMap<Ticket, Pending>,
    pub(super) last_ticket: u64,
    /// Of each instance: when its last worker ended.
    pub(super) exits: BTreeMap<InstanceId, u64>,
    /// The exception of which the worker may have died that has ended just now.
    pub(super) last_words: Option<Caught>,
    /// What is told when all output has been written.
    pub(super) last_notice: Option<Notice>,
    /// Set while the app is over.
    pub(super) status: Option<u8>,
    /// The same, until the driver has taken note.
    pub(super) unnoted_status: Option<u8>,
    /// Whether it was taken out of the runtime.
    pub(super) removed: bool,
    /// How its number of instances followed the load last.
    pub(super) last_scaled: Option<ScaledView>,
    /// Whether the kernel does not let us see what its workers bind, as where they run under another user.
    pub(super) sees_no_calls: bool,
}

impl App {
    /// The app, with its first workers still to be started by [`App::perform`].
    pub(super) fn new(
        shared: &Rc<Shared>,
        id: AppId,
        outputs: Rc<Outputs>,
        definition: StartRequest,
        plan: Plan,
    ) -> Self {
        let (supervisor, first) = Supervisor::new(&plan.app, clock::seed());
        let instances = plan.app.instances.get();
        outputs.set_look(id, log_files::look(&plan.app.logs));
        let whose = Rc::new(Whose {
            name: plan.app.name.clone(),
            is_init: plan.app.is_init(),
            collision: Cell::new(collision::remedy(plan.way, plan.app.most_instances().get())),
        });
        Self {
            id,
            whose,
            shared: Rc::clone(shared),
            outputs,
            log_files: LogFiles::default(),
            watch: Watch::default(),
            definition,
            created_at_ms: clock::epoch_ms(),
            listeners: Listeners::new(instances).balanced(plan.app.balance),
            drains: Drains::default(),
            arrival_task: None,
            prelude: Prelude::at(Gate::before(&plan.app.start)),
            plans: BTreeMap::from([(Generation(0), Rc::new(plan))]),
            replanned: None,
            supervisor,
            workers: Workers::default(),
            tickets: SharedData::default(),
            is_measuring: false,
            checks: Checks::default(),
            todo: first.into(),
            ended_logs: Vec::new(),
            ids: (0..instances).map(|_| shared.new_id()).collect(),
            pending: BTreeMap::new(),
            last_ticket: 0,
            exits: BTreeMap::new(),
            last_words: None,
            last_notice: None,
            status: None,
            unnoted_status: None,
            removed: false,
            last_scaled: None,
            sees_no_calls: false,
        }
    }

    /// The name in logs and tables.
    pub(super) fn name(&self) -> &str {
        &self.whose.name
    }

    /// How many instances there are now.
    pub(super) fn instances(&self) -> usize {
        self.ids.len()
    }

    /// How many workers may write lines.
    pub(super) fn sources(&self) -> usize {
        let app = &self.plan().app;
        let spare = usize::try_from(app.standby).unwrap_or(usize::MAX);
        let most = app.range.map_or(0, |range| usize::try_from(range.most.get()).unwrap_or(usize::MAX));
        self.instances().max(most).saturating_add(spare)
    }

    /// The number of an instance in the whole runtime.
    pub(super) fn id_of(&self, instance: InstanceId) -> Option<u32> {
        self.ids.get(usize::try_from(instance.0).ok()?).copied()
    }

    pub(super) fn key(&self, worker: WorkerId) -> WorkerKey {
        WorkerKey { app: self.id, worker }
    }

    /// How workers of `generation` are run.
    pub(super) fn plan_of(&self, generation: Generation) -> Rc<Plan> {
        let (_, plan) =
            self.plans.range(..=generation).next_back().expect("the first plan is of generation 0");
        Rc::clone(plan)
    }

    /// How workers are run that are started from now on, unless a reload comes in between.
    pub(super) fn plan(&self) -> Rc<Plan> {
        self.plan_of(self.supervisor.generation())
    }

    /// From `generation` on, workers are run by this plan.
    pub(super) fn adopt_plan(&mut self, generation: Generation, plan: Rc<Plan>) {
        self.plans.insert(generation, plan);
    }

    /// Forgets the plans of generations that will not be started any more.
    pub(super) fn prune_plans(&mut self) {
        let oldest = self.supervisor.oldest_generation();
        if let Some((&needed, _)) = self.plans.range(..=oldest).next_back() {
            let first = self.plans.remove(&needed);
            self.plans.retain(|&generation, _| generation > needed);
            if let Some(first) = first {
                self.plans.insert(Generation(0), first);
            }
        }
    }

    /// Whether it is over for good.
    pub(super) fn is_removed(&self) -> bool {
        self.removed && !self.is_alive()
    }

    /// When to call [`App::on_deadline`].
    pub(super) fn next_deadline(&self) -> Option<Uptime> {
        [self.supervisor.next_deadline(), self.drains.next_look(), self.prelude.gate.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells the supervisor, and does what it asks for.
    pub(super) fn feed(&mut self, event: Event) {
        let actions = self.supervisor.handle(self.shared.clock.now(), event);
        self.todo.extend(actions);
        self.perform();
    }

    /// The deadline may have passed.
    pub(super) fn on_deadline(&mut self) {
        self.listeners.sweep();
        self.look_at_drains();
        self.on_deadline_before_start();
        self.feed(Event::Deadline);
    }

    /// Tells something of it that is no notice.
    pub(super) fn announce(&self, said: &Said) {
        self.shared.events.announce_of(&self.whose, said);
    }

    pub(super) fn telling(&self, notice: Notice, logs: Option<Rc<WorkerLogs>>) -> Telling {
        let id = notice.instance().and_then(|instance| self.id_of(instance));
        Telling { app: Rc::clone(&self.whose), notice, id, logs, obituary: None }
    }
}
