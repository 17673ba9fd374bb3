//! The whole machine: its state, its entry points, and what follows on every event once the event itself was handled
//! (free start slots are given away, the serving set is told, the end is noticed).
//!
//! What single events do is in the other files of this module, as further `impl Supervisor` blocks.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Notice, Parking, Verdict};
use super::backoff::Jitter;
use super::cron::Timetable;
use super::delay::Delay;
use super::departure::Departures;
use super::event::{Event, Uptime};
use super::exit::Exit;
use super::health::Checks;
use super::instance::{Instance, Request, State};
use super::memory::Looks;
use super::operate::Awaited;
use super::reload::Reload;
use super::standby::Standbys;
use super::stop::Stop;
use super::watch::{Changes, Interest};
use crate::spec::{
    AfterExit, AppSpec, Generation, HealthPolicy, InstanceId, InstanceRange, OnHup, ReadinessPolicy,
    ReloadStrategy, RestartPolicy, StopPolicy, WorkerId,
};

/// Decides what happens to the app's workers. Made for one driver, which calls it from one place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Supervisor {
    pub(super) policy: Policy,
    pub(super) phase: Phase,
    /// Without gaps: the instance numbered n is at index n.
    pub(super) instances: Vec<Instance>,
    /// Exactly the instances that are [`State::Waiting`], first come, first served.
    pub(super) waiting: VecDeque<InstanceId>,
    pub(super) departures: Departures,
    /// Since the runtime was asked to end, where the stop is to come later.
    #[serde(default)]
    pub(super) delay: Option<Delay>,
    pub(super) output: Output,
    pub(super) reload: Option<Reload>,
    #[serde(default)]
    pub(super) standbys: Standbys,
    /// Orders that were begun and not answered yet.
    pub(super) awaited: Vec<Awaited>,
    /// That of new instances.
    pub(super) current: Generation,
    /// The greatest ever given to a reload, a check or a restart.
    pub(super) newest: Generation,
    pub(super) last_worker: WorkerId,
    /// Whether any spawn has ever succeeded.
    pub(super) any_spawned: bool,
    pub(super) ends: Ends,
    pub(super) jitter: Jitter,
    /// The health checks of the app as a whole, while there are any.
    #[serde(default)]
    pub(super) app_checks: Option<Checks>,
    /// At the memory of workers, where there is a limit.
    #[serde(default)]
    pub(super) looks: Option<Looks>,
    /// Where there is a pattern.
    #[serde(default)]
    pub(super) timetable: Option<Timetable>,
    /// Those of files that no reload has taken up yet.
    #[serde(default)]
    pub(super) changes: Option<Changes>,
    #[serde(default)]
    pub(super) interest: Interest,
    /// The instances last told of by [`Action::Serve`]; at first all of them.
    serving: Vec<InstanceId>,
    pub(super) out: Vec<Action>,
}

/// What of the app's specification matters here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) restart: RestartPolicy,
    pub(super) stop: StopPolicy,
    pub(super) readiness: ReadinessPolicy,
    #[serde(default)]
    pub(super) health: HealthPolicy,
    pub(super) on_hup: OnHup,
    pub(super) start_limit: usize,
    pub(super) role: Role,
    /// How many standbys there shall be.
    #[serde(default)]
    pub(super) standby: usize,
    /// Between how many instances there may be. Left out where that is open, so that a program that knows nothing of it can take
    /// over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<InstanceRange>,
    #[serde(default)]
    pub(super) strategy: ReloadStrategy,
    /// How long nothing must have changed, where files are watched.
    #[serde(default)]
    pub(super) watch: Option<Duration>,
}

/// How much of a supervisor is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Cluster,
    /// A mere init: see [`AppSpec::is_init`].
    Init,
}

/// Where in its life the app is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Phase {
    Running,
    Stopping(Stop),
    /// It has ended. Only an order brings it back.
    Over,
}

/// Whether anybody reads our standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Output {
    Open,
    Closed,
}

/// The statuses of workers that ended without being asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ends {
    last: u8,
    last_nonzero: Option<u8>,
}

impl Supervisor {
    /// The machine at [`Uptime`] zero, and the spawns to begin with. Equal seeds and histories give equal actions.
    #[must_use]
    pub fn new(spec: &AppSpec, seed: u64) -> (Self, Vec<Action>) {
        let now = Uptime::default();
        let first = Generation(1);
        let ids: Vec<_> = (0..spec.instances.get()).map(InstanceId).collect();
        let mut supervisor = Self {
            policy: Policy::new(spec),
            phase: Phase::Running,
            instances: ids.iter().map(|&id| Instance::new(now, id, first)).collect(),
            waiting: ids.iter().copied().collect(),
            departures: Departures::default(),
            delay: None,
            output: Output::Open,
            reload: None,
            standbys: Standbys::default(),
            awaited: Vec::new(),
            current: first,
            newest: first,
            last_worker: WorkerId(0),
            any_spawned: false,
            ends: Ends::default(),
            jitter: Jitter::new(seed),
            app_checks: None,
            looks: None,
            timetable: None,
            changes: None,
            interest: Interest::default(),
            serving: ids,
            out: Vec::new(),
        };
        if !spec.start.is_immediate() {
            // Whoever knows when it is time gives the order.
            supervisor.waiting.clear();
            for instance in &mut supervisor.instances {
                instance.enter(now, State::Held);
            }
        }
        supervisor.follow_up(now);
        let actions = std::mem::take(&mut supervisor.out);
        (supervisor, actions)
    }

    /// Takes in one fact and says what is to be done about it, in order. Total: events about unknown or long gone
    /// workers and events that come out of turn are ignored, and after [`Action::Exit`] nothing but an order has an
    /// effect.
    pub fn handle(&mut self, now: Uptime, event: Event) -> Vec<Action> {
        if matches!(self.phase, Phase::Over) && !matches!(event, Event::Commanded { .. }) {
            return Vec::new();
        }
        match event {
            Event::Spawned { worker, pid } => self.handle_spawned(now, worker, pid),
            Event::SpawnFailed { worker, failure } => self.handle_spawn_failed(now, worker, failure),
            Event::Listening { worker, listen } => self.handle_listening(now, worker, listen),
            Event::Parked { worker } => self.handle_parked(now, worker),
            Event::Ready { worker } => self.handle_ready(now, worker),
            Event::Notified { worker, word } => self.handle_notified(now, worker, word),
            Event::Pulse { worker, beat } => self.handle_pulse(now, worker, beat),
            Event::Checked { subject, result } => self.handle_checked(now, subject, result),
            Event::ChecksLost => self.handle_checks_lost(now),
            Event::Scheduled(scheduled) => self.handle_scheduled(now, scheduled),
            Event::Changed { path, files } => self.handle_changed(now, path, files),
            Event::Prepared { is_usable } => self.handle_prepared(now, is_usable),
            Event::Measured { sizes } => self.handle_measured(now, &sizes),
            Event::Strained { worker, strain, remedy } => self.handle_strained(now, worker, strain, remedy),
            Event::Exited { worker, reason, killer, survivors } => {
                self.handle_exited(now, worker, Exit { reason, killer, survivors });
            }
            Event::Drained { worker } => self.handle_drained(now, worker),
            Event::GroupGone { worker } => self.handle_group_gone(worker),
            Event::Ending => self.handle_ending(now),
            Event::Signalled { signal } => self.handle_signal(now, signal),
            Event::Commanded { ticket, command } => self.handle_command(now, ticket, command),
            Event::OutputClosed => self.handle_output_closed(now),
            Event::Deadline => self.handle_deadline(now),
        }
        self.follow_up(now);
        std::mem::take(&mut self.out)
    }

    /// That of new instances: of the last reload or restart that was done.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.current
    }

    /// The least that a worker may still be started in.
    #[must_use]
    pub fn oldest_generation(&self) -> Generation {
        let instances = self.instances.iter().map(|instance| instance.generation);
        instances.chain([self.current]).min().unwrap_or(self.current)
    }

    /// What may follow on any event.
    fn follow_up(&mut self, now: Uptime) {
        if matches!(self.phase, Phase::Running) {
            self.arrange_timetable();
            self.start_restarting(now);
            self.replace_stalled(now);
            self.offer_standbys(now);
            let free = self.start(now);
            self.tend_standbys(now, free);
        }
        self.arrange_app_checks(now);
        self.arrange_looks(now);
        let outcome = self.outcome();
        if outcome.is_some() {
            self.phase = Phase::Over;
        } else if matches!(self.phase, Phase::Running) {
            self.serve();
        }
        self.answer_awaited();
        if let Some((verdict, status)) = outcome {
            self.notice(Notice::Ended { verdict, status });
            self.out.push(Action::Exit { status });
        }
    }

    /// Gives the free start slots away: first to a reload, which may be the cure for those that wait. Says how many are left.
    fn start(&mut self, now: Uptime) -> usize {
        let held = self.instances.iter().filter(|instance| instance.holds_slot()).count();
        let newcomers = self.newcomers().filter(|newcomer| newcomer.holds_slot()).count();
        let held = held + newcomers + self.standbys.booting();
        let mut free = self.policy.start_limit.saturating_sub(held);
        self.advance_reload(now, &mut free);
        while free > 0
            && let Some(id) = self.waiting.pop_front()
        {
            free -= 1;
            self.fill(now, id);
        }
        free
    }

    /// Asks for a worker for an instance whose turn has come.
    fn fill(&mut self, now: Uptime, id: InstanceId) {
        let Some(index) = self.index(id) else { return };
        let request = self.request(id, self.instances[index].generation, Parking::Off);
        self.instances[index].enter(now, State::Spawning(request));
    }

    /// Asks the driver for a worker.
    pub(super) fn request(
        &mut self,
        instance: InstanceId,
        generation: Generation,
        parking: Parking,
    ) -> Request {
        self.last_worker = WorkerId(self.last_worker.0.wrapping_add(1));
        let worker = self.last_worker;
        self.out.push(Action::Spawn { worker, instance, generation, parking });
        Request { worker, generation }
    }

    /// Lets an instance wait for a start slot.
    pub(super) fn queue(&mut self, now: Uptime, id: InstanceId) {
        if let Some(index) = self.index(id) {
            self.instances[index].enter(now, State::Waiting);
            self.waiting.push_back(id);
        }
    }

    /// How it all ended, if it has.
    fn outcome(&self) -> Option<(Verdict, u8)> {
        let (awaits_its_time, awaits_changes) = (self.awaits_its_time(), self.awaits_changes());
        let comes_back = |state: &State| match state {
            State::Held => true,
            State::Stopped => awaits_its_time || awaits_changes,
            State::Failed => awaits_changes,
            State::Waiting
            | State::Spawning(_)
            | State::Starting(_)
            | State::Ready(_)
            | State::Backoff { .. }
            | State::Restarting => false,
        };
        let goes_on = |instance: &Instance| instance.is_active() || comes_back(instance.state());
        if !self.departures.is_empty() || self.reload.is_some() || self.instances.iter().any(goes_on) {
            return None;
        }
        if matches!(self.phase, Phase::Over) {
            return None;
        }
        let removed = matches!(&self.phase, Phase::Stopping(stop) if stop.is_removal());
        let all_failed = self.instances.iter().all(|instance| matches!(instance.state(), State::Failed));
        // Whoever removes an app that has failed knows of it.
        if all_failed && !removed {
            return Some((Verdict::Failed, if self.ends.last == 0 { 1 } else { self.ends.last }));
        }
        match &self.phase {
            Phase::Running => Some((Verdict::Completed, self.ends.last_nonzero.unwrap_or(0))),
            Phase::Stopping(stop) => Some(stop.outcome()),
            Phase::Over => None,
        }
    }

    /// Tells which instances serve, if that has changed. New connections are steered away before anyone is asked to
    /// end, so it goes before the first [`Action::Stop`].
    fn serve(&mut self) {
        let instances = self.choose_serving();
        if instances.is_empty() || instances == self.serving {
            return;
        }
        // Where an instance merely comes back, its old worker shall be asked to end before new connections come.
        let loses = self.serving.iter().any(|id| !instances.contains(id));
        self.serving.clone_from(&instances);
        let parts = |action: &Action| matches!(action, Action::Stop { .. } | Action::Drain { .. });
        let place = self.out.iter().position(parts).filter(|_| loses);
        self.out.insert(place.unwrap_or(self.out.len()), Action::Serve { instances });
    }

    /// Those with a ready worker, among them those whose old worker does not drain, for it may share its socket with
    /// the new one, and of these those that do their work. Else those that will be up first; else all that are not given up.
    fn choose_serving(&self) -> Vec<InstanceId> {
        let choose = |wanted: fn(&Instance) -> bool| -> Vec<InstanceId> {
            self.instances.iter().filter(|instance| wanted(instance)).map(|instance| instance.id).collect()
        };
        let ready = choose(Instance::is_ready);
        let free = ready.iter().copied().filter(|&id| !self.departures.is_draining(id));
        let free: Vec<_> = free.collect();
        let is_well = |id: &InstanceId| self.index(*id).is_some_and(|index| self.instances[index].is_well());
        let well: Vec<_> = free.iter().copied().filter(is_well).collect();
        if !well.is_empty() {
            return well;
        }
        if !free.is_empty() {
            return free;
        }
        if !ready.is_empty() {
            return ready;
        }
        let active = choose(Instance::is_active);
        if !active.is_empty() {
            return active;
        }
        choose(|instance| !matches!(instance.state(), State::Failed))
    }

    /// Where in `instances` this one is, if it still exists.
    pub(super) fn index(&self, id: InstanceId) -> Option<usize> {
        usize::try_from(id.0).ok().filter(|&index| index < self.instances.len())
    }

    /// Reports a fact.
    pub(super) fn notice(&mut self, notice: Notice) {
        self.out.push(Action::Notice(notice));
    }
}

impl Policy {
    pub(super) fn new(spec: &AppSpec) -> Self {
        Self {
            restart: spec.restart.clone(),
            stop: spec.stop.clone(),
            readiness: spec.readiness.clone(),
            // A mere init has no opinion of its child.
            health: if spec.is_init() { HealthPolicy::default() } else { spec.health.clone() },
            on_hup: spec.on_hup,
            start_limit: usize::try_from(spec.start_limit.get()).unwrap_or(usize::MAX),
            role: if spec.is_init() { Role::Init } else { Role::Cluster },
            range: spec.range,
            standby: match spec.restart.after_exit {
                AfterExit::Restart => usize::try_from(spec.standby).unwrap_or(usize::MAX),
                AfterExit::Stay => 0, // Nobody is ever replaced.
            },
            strategy: spec.reload_strategy,
            watch: spec.watch.as_ref().filter(|_| !spec.is_init()).map(|watch| watch.delay),
        }
    }
}

impl Ends {
    /// Takes note of a status.
    pub(super) fn note(&mut self, status: u8) {
        self.last = status;
        if status != 0 {
            self.last_nonzero = Some(status);
        }
    }
}
