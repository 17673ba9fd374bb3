//! Standbys: workers beyond the instances that are booted and held where they are about to listen.
//!
//! ```text
//!   a start slot is free     Spawned            it wants to listen            an instance has no worker
//!   ----------------> Spawning ---> Booting --------------------------> Parked ------------------------> that instance's
//!                        \             \--- ready without listening: there is nothing to hold; no more of them
//!                         \-------------\--- ended, or late: the next one after a back-off, like an instance's
//! ```
//!
//! A standby has a number that no instance has, keeps it in its environment for life, and belongs to the current
//! generation; one of another is asked to end. Its end is no failure of the app. When one takes an instance that is in
//! its back-off, the wait is passed on to the next standby: a crash loop is as slow as without standbys.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Next, Notice, Parking};
use super::backoff::{History, Life, Sentence};
use super::departure::{Departure, Leader, Stage as Leaving};
use super::event::{SpawnFailure, Uptime};
use super::exit::Exit;
use super::instance::{Instance, Request, State, Watched};
use super::machine::Supervisor;
use super::newcomer::Newcomer;
use super::readiness::{Complaint, Expected};
use super::scale::MAX_INSTANCES;
use super::snapshot::{InstanceView, StateName};
use crate::process::{ExitReason, Pid};
use crate::spec::{Generation, InstanceId, ReadySign, WorkerId};

/// How long a standby may take to end. It serves nobody, and one that stands still in `listen` may be unable to.
const PATIENCE: Duration = Duration::from_millis(100);

/// All standbys, and the record of how they fare.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Standbys {
    /// In the order of their numbers.
    all: Vec<Standby>,
    history: History,
    /// No other is started before.
    not_before: Option<Uptime>,
    outlook: Outlook,
}

/// Whether it makes sense to start one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Outlook {
    #[default]
    Good,
    /// It was said that the app listens nowhere. It may yet.
    Silent,
    /// No more before a reload, or an order.
    GivenUp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Standby {
    number: InstanceId,
    stage: Stage,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Stage {
    Spawning(Request),
    Booting(Watched),
    Parked(Watched),
}

/// Whether this is the number of a standby.
pub(super) fn is_standby(number: InstanceId) -> bool {
    usize::try_from(number.0).is_ok_and(|number| number >= MAX_INSTANCES)
}

/// How long a worker may take to end, where `timeout` holds for instances.
pub(super) fn patience(number: InstanceId, timeout: Duration) -> Duration {
    if is_standby(number) { timeout.min(PATIENCE) } else { timeout }
}

impl Supervisor {
    /// Gives parked standbys to instances that have no worker and are to get one.
    pub(super) fn offer_standbys(&mut self, now: Uptime) {
        if !self.standbys.all.iter().any(Standby::is_parked) {
            return;
        }
        for index in 0..self.instances.len() {
            let instance = &self.instances[index];
            let due = match instance.state() {
                State::Waiting => now,
                State::Backoff { until } => *until,
                State::Spawning(_)
                | State::Starting(_)
                | State::Ready(_)
                | State::Stopped
                | State::Held
                | State::Restarting
                | State::Failed => continue,
            };
            if let Some((number, watched)) = self.standbys.take_parked(instance.generation) {
                self.standbys.postpone(due);
                self.take_over(now, index, number, watched);
            }
        }
    }

    fn take_over(&mut self, now: Uptime, index: usize, number: InstanceId, mut watched: Watched) {
        watched.release(now, number, self.policy.readiness.timeout);
        let (worker, pid) = (watched.worker.id, watched.worker.pid);
        let instance = &mut self.instances[index];
        let id = instance.id;
        if matches!(instance.enter(now, State::Starting(watched)), State::Backoff { .. }) {
            instance.restarts = instance.restarts.saturating_add(1);
        }
        self.waiting.retain(|&waiting| waiting != id);
        self.out.push(Action::Release { worker, instance: id });
        self.notice(Notice::TookOver { worker, instance: id, pid, number });
        self.review(now, index);
    }

    /// Gives the place beside a worker that has stalled to a parked standby of its generation, if there is one.
    pub(super) fn relieve(
        &mut self,
        now: Uptime,
        id: InstanceId,
        generation: Generation,
    ) -> Option<Newcomer> {
        let (number, mut watched) = self.standbys.take_parked(generation)?;
        watched.release(now, number, self.policy.readiness.timeout);
        let (worker, pid) = (watched.worker.id, watched.worker.pid);
        self.out.push(Action::Release { worker, instance: id });
        self.notice(Notice::TookOver { worker, instance: id, pid, number });
        Some(Newcomer::Starting(watched))
    }

    /// Asks those to end that are not wanted any more, and starts what is missing, as far as start slots are free.
    pub(super) fn tend_standbys(&mut self, now: Uptime, mut free: usize) {
        self.discard_standbys(now);
        self.standbys.not_before.take_if(|at| *at <= now);
        while free > 0 && self.lacks_standby() {
            free -= 1;
            self.start_standby();
        }
    }

    fn discard_standbys(&mut self, now: Uptime) {
        let wanted = if self.instances.iter().any(Instance::is_active) { self.policy.standby } else { 0 };
        let (mut kept, current) = (0, self.current);
        let unwanted = self.standbys.all.extract_if(.., |standby| {
            let keeps = kept < wanted && standby.generation() == current;
            kept += usize::from(keeps);
            !keeps
        });
        for standby in unwanted.collect::<Vec<_>>() {
            self.dismiss_standby(now, standby);
        }
    }

    /// Nobody is held in vain: a standby comes after the first instance that was seen to listen, and not during a reload,
    /// after which it would be of the wrong generation.
    fn lacks_standby(&mut self) -> bool {
        let Standbys { all, not_before, outlook, .. } = &self.standbys;
        let wanted = all.len() < self.policy.standby && *outlook != Outlook::GivenUp && not_before.is_none();
        let reloads = self.reload.as_ref().is_some_and(|reload| !reload.is_replacement());
        if !wanted || reloads || !self.instances.iter().any(Instance::is_ready) {
            return false;
        }
        let listens = |instance: &Instance| {
            instance.expected == Expected::Listen
                || instance.watched().is_some_and(|watched| watched.watch.was_seen_open())
        };
        if self.policy.readiness.sign == ReadySign::Said || self.instances.iter().any(listens) {
            return true;
        }
        if std::mem::replace(&mut self.standbys.outlook, Outlook::Silent) != Outlook::Silent {
            self.notice(Notice::NothingToPark);
        }
        false
    }

    fn start_standby(&mut self) {
        let number = self.free_number();
        let request = self.request(number, self.current, Parking::On);
        let all = &mut self.standbys.all;
        let place = all.partition_point(|standby| standby.number < number);
        all.insert(place, Standby { number, stage: Stage::Spawning(request) });
    }

    /// The least that neither a standby has nor a worker that was one.
    fn free_number(&self) -> InstanceId {
        let standbys = self.standbys.all.iter().map(|standby| standby.number);
        let residents = self.instances.iter().filter_map(Instance::watched);
        let residents = residents.chain(self.newcomers().filter_map(Newcomer::watched));
        let residents = residents.map(|watched| watched.worker);
        let leaving: Vec<_> = self.departures.iter().map(|(_, departure)| *departure).collect();
        let left = leaving.iter().map(|departure| departure.instance);
        let workers = residents.chain(leaving.iter().filter_map(Departure::worker));
        let released = workers.filter_map(|worker| worker.released).map(|released| released.number);
        let used: Vec<_> = standbys.chain(left).chain(released).collect();
        let first = u32::try_from(MAX_INSTANCES).unwrap_or(u32::MAX);
        (first..=u32::MAX).map(InstanceId).find(|number| !used.contains(number)).unwrap_or(InstanceId(first))
    }

    pub(super) fn standby_spawned(&mut self, now: Uptime, place: usize, pid: Pid) {
        let Standby { number, stage: Stage::Spawning(request) } = self.standbys.all[place] else { return };
        let mut watched = self.born(now, number, request, pid, Expected::Listen);
        if let Some(vitals) = &mut watched.vitals {
            vitals.spare();
        }
        self.standbys.all[place].stage = Stage::Booting(watched);
        self.review_standby(now, place);
    }

    pub(super) fn standby_spawn_failed(&mut self, now: Uptime, place: usize, failure: SpawnFailure) {
        let Stage::Spawning(request) = self.standbys.all[place].stage else { return };
        let Standby { number: instance, .. } = self.standbys.all.remove(place);
        let next = self.judge_standby(now, ExitReason::Code(failure.status), Life::None);
        self.tell_of_no_spawn(request.worker, (instance, request.generation), failure, next);
        self.tell_of_giving_up(next);
    }

    /// It is held where it is about to listen.
    pub(super) fn park_standby(&mut self, now: Uptime, place: usize) {
        let Standby { number: instance, stage } = &mut self.standbys.all[place];
        let Stage::Booting(watched) = stage else { return };
        watched.watch.park();
        let worker = watched.worker;
        *stage = Stage::Parked(watched.clone());
        let (instance, after) = (*instance, now.since(worker.spawned));
        self.notice(Notice::Parked { worker: worker.id, instance, pid: worker.pid, after });
    }

    pub(super) fn standby_says_ready(&mut self, now: Uptime, place: usize) {
        if let Some(watched) = self.standbys.all[place].watched_mut() {
            watched.watch.says_ready();
        }
        self.review_standby(now, place);
    }

    pub(super) fn standby_exited(&mut self, now: Uptime, place: usize, exit: Exit) {
        let Some(worker) = self.standbys.all[place].watched_mut().map(|watched| watched.worker) else {
            return;
        };
        let Standby { number, .. } = self.standbys.all.remove(place);
        let next = self.judge_standby(now, exit.reason, Life::Of(now.since(worker.spawned)));
        self.tell_of_exit(now, number, worker, exit, next);
        self.tell_of_giving_up(next);
        self.dismiss_remains(now, number, worker, exit);
    }

    /// Looks whether standbys take too long.
    pub(super) fn review_standbys(&mut self, now: Uptime) {
        for place in (0..self.standbys.all.len()).rev() {
            self.review_standby(now, place);
        }
    }

    fn review_standby(&mut self, now: Uptime, place: usize) {
        let number = self.standbys.all[place].number;
        let Stage::Booting(watched) = &mut self.standbys.all[place].stage else { return };
        if watched.watch.is_ready(now) {
            self.standbys.outlook = Outlook::GivenUp;
            self.notice(Notice::NothingToPark);
            let standby = self.standbys.all.remove(place);
            return self.dismiss_standby(now, standby);
        }
        let worker = watched.worker;
        while let Stage::Booting(watched) = &mut self.standbys.all[place].stage
            && let Some(complaint) = watched.watch.complaint(now)
        {
            // Where it listens is not its own concern yet.
            if complaint == Complaint::Late {
                self.complain(now, number, worker, complaint);
                let standby = self.standbys.all.remove(place);
                self.dismiss_standby(now, standby);
                let next = self.judge_standby(now, ExitReason::Code(1), Life::None);
                // The next one would take as long, and this one is still ending.
                self.standbys.postpone(now.after(PATIENCE));
                return self.tell_of_giving_up(next);
            }
        }
    }

    fn judge_standby(&mut self, now: Uptime, reason: ExitReason, life: Life) -> Next {
        let policy = &self.policy.restart;
        match self.standbys.history.judge(policy, reason, life, &mut self.jitter) {
            Sentence::GiveUp => {
                self.standbys.outlook = Outlook::GivenUp;
                Next::GiveUp
            }
            Sentence::Retry(delay) => {
                self.standbys.postpone(now.after(delay));
                let (unstable, max_unstable) = (self.standbys.history.unstable(), policy.max_unstable);
                Next::Restart { delay, unstable, max_unstable }
            }
        }
    }

    fn tell_of_giving_up(&mut self, next: Next) {
        if next == Next::GiveUp {
            self.notice(Notice::StandbyGivenUp { starts: self.standbys.history.unstable().max(1) });
        }
    }

    /// Asks all standbys to end.
    pub(super) fn dismiss_standbys(&mut self, now: Uptime) {
        for standby in std::mem::take(&mut self.standbys.all) {
            self.dismiss_standby(now, standby);
        }
        self.standbys.not_before = None;
    }

    fn dismiss_standby(&mut self, now: Uptime, standby: Standby) {
        let Standby { number: instance, stage } = standby;
        match stage {
            Stage::Spawning(Request { worker, generation }) => {
                let stage = Leaving::Unborn { generation };
                self.departures.add(worker, Departure { instance, stage });
            }
            Stage::Booting(watched) | Stage::Parked(watched) => {
                self.dismiss(now, instance, watched.worker, Leader::Alive);
            }
        }
    }
}

impl Standbys {
    /// Where the one with this worker is.
    pub(super) fn place_of(&self, id: WorkerId) -> Option<usize> {
        self.all.iter().position(|standby| standby.worker_id() == id)
    }

    /// The one at this place, if it was spawned.
    pub(super) fn watched_mut(&mut self, place: usize) -> Option<&mut Watched> {
        self.all[place].watched_mut()
    }

    /// The number of the one at this place.
    pub(super) fn number(&self, place: usize) -> InstanceId {
        self.all[place].number
    }

    /// Whether one could take an instance of this generation at once.
    pub(super) fn has_parked(&self, generation: Generation) -> bool {
        self.all.iter().any(|standby| standby.is_parked() && standby.generation() == generation)
    }

    /// How many take up a start slot.
    pub(super) fn booting(&self) -> usize {
        self.all.iter().filter(|standby| !standby.is_parked()).count()
    }

    /// How many have a process.
    pub(super) fn alive(&self) -> usize {
        self.all.iter().filter(|standby| !matches!(standby.stage, Stage::Spawning(_))).count()
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Uptime> {
        let booting = self.all.iter().filter_map(|standby| match &standby.stage {
            Stage::Booting(watched) => watched.deadline_to_ready(),
            Stage::Spawning(_) | Stage::Parked(_) => None,
        });
        booting.chain(self.not_before).min()
    }

    /// Forgets all that went wrong: the app is another from now on, or somebody has looked at it.
    pub(super) fn forgive(&mut self) {
        (self.history, self.not_before, self.outlook) = (History::default(), None, Outlook::Good);
    }

    /// What there is to show.
    pub(super) fn views(&self, current: Generation) -> Vec<InstanceView> {
        self.all.iter().map(|standby| standby.view(current)).collect()
    }

    fn take_parked(&mut self, generation: Generation) -> Option<(InstanceId, Watched)> {
        let fits = |standby: &Standby| standby.is_parked() && standby.generation() == generation;
        let place = self.all.iter().position(fits)?;
        match self.all.remove(place) {
            Standby { number, stage: Stage::Parked(watched) } => Some((number, watched)),
            Standby { stage: Stage::Spawning(_) | Stage::Booting(_), .. } => None,
        }
    }

    fn postpone(&mut self, until: Uptime) {
        self.not_before = self.not_before.max(Some(until));
    }
}

impl Standby {
    fn is_parked(&self) -> bool {
        matches!(self.stage, Stage::Parked(_))
    }

    fn generation(&self) -> Generation {
        match &self.stage {
            Stage::Spawning(request) => request.generation,
            Stage::Booting(watched) | Stage::Parked(watched) => watched.worker.generation,
        }
    }

    fn worker_id(&self) -> WorkerId {
        match &self.stage {
            Stage::Spawning(request) => request.worker,
            Stage::Booting(watched) | Stage::Parked(watched) => watched.worker.id,
        }
    }

    fn watched_mut(&mut self) -> Option<&mut Watched> {
        match &mut self.stage {
            Stage::Spawning(_) => None,
            Stage::Booting(watched) | Stage::Parked(watched) => Some(watched),
        }
    }

    fn view(&self, current: Generation) -> InstanceView {
        let (state, worker) = match &self.stage {
            Stage::Spawning(_) => (StateName::Starting, None),
            Stage::Booting(watched) => (StateName::Starting, Some(watched.worker)),
            Stage::Parked(watched) => (StateName::Standby, Some(watched.worker)),
        };
        InstanceView {
            instance: self.number,
            state,
            worker: Some(self.worker_id()),
            pid: worker.map(|worker| worker.pid),
            generation: worker.map_or(current, |worker| worker.generation),
            spawned: worker.map(|worker| worker.spawned),
            restarts: 0,
            unstable: 0,
            since: worker.map_or_else(Uptime::default, |worker| worker.spawned),
            last_exit: None,
            next_start: None,
            health: None,
        }
    }
}
