//! What is heard of how workers do: by sd_notify, by their event loops and by checks; and what is asked of them.

use super::action::{Action, Notice};
use super::event::{Beat, Uptime, Word};
use super::health::{Change, Checks, Due, Health, Season, Subject};
use super::instance::{Instance, Intent, Watched};
use super::machine::{Policy, Supervisor};
use super::newcomer::Newcomer;
use super::vitals::{Sign, Stall, Vitals};
use super::worker::Seat;
use crate::process::Pid;
use crate::spec::{Generation, InstanceId, Probe, WorkerId};

/// Why a check has failed that did not end in time.
const TIMED_OUT: &str = "no answer in time";

/// More than can be due of one worker at a time. At the end of time everything is due for ever.
const MOST_SIGNS: usize = 8;

impl Supervisor {
    /// A worker said something by sd_notify.
    pub(super) fn handle_notified(&mut self, now: Uptime, id: WorkerId, word: Word) {
        if let (Some(Seat::Leaving), Word::Extend(by)) = (self.seat(id), word) {
            return self.departures.extend(id, now.after(by));
        }
        let Some((watched, season)) = self.watched_mut(id) else { return };
        if let Word::Extend(by) = word {
            return watched.watch.extend(now.after(by));
        }
        if word == Word::Stopping {
            watched.intent = Intent::Ends;
        }
        let Some(vitals) = &mut watched.vitals else { return };
        match word {
            Word::Alive => {
                vitals.watchdog.feed(now);
                vitals.recover(Stall::Watchdog);
            }
            Word::Trigger if season == Season::Serving && vitals.heeds_trigger() => {
                vitals.stall(now, Stall::Trigger, now)
            }
            Word::Trigger | Word::Extend(_) => {}
            Word::Period(period) => vitals.watchdog.set_period(now, period),
            Word::Stopping => {
                let asked = vitals.checks.as_ref().and_then(Checks::asked);
                watched.vitals = None;
                if asked.is_some() {
                    self.out.push(Action::EndCheck { subject: Subject::Worker(id) });
                }
            }
        }
    }

    /// The event loop of a worker has turned, or cannot be asked any more.
    pub(super) fn handle_pulse(&mut self, now: Uptime, id: WorkerId, beat: Beat) {
        let Some((Watched { vitals: Some(vitals), .. }, Season::Serving)) = self.watched_mut(id) else {
            return;
        };
        match beat {
            Beat::Turned => {
                if vitals.pulse.beat(now) {
                    vitals.recover(Stall::EventLoop);
                }
            }
            Beat::Unheard => vitals.pulse.stop(),
        }
    }

    /// A check has ended.
    pub(super) fn handle_checked(&mut self, now: Uptime, subject: Subject, result: Result<(), String>) {
        match subject {
            Subject::App => self.app_checked(now, result),
            Subject::Worker(id) => self.worker_checked(now, id, result),
        }
    }

    fn worker_checked(&mut self, now: Uptime, id: WorkerId, result: Result<(), String>) {
        let is_well = result.is_ok();
        let Some((watched, season)) = self.watched_mut(id) else { return };
        let worker = watched.worker;
        let Some(vitals) = &mut watched.vitals else { return };
        let Some(checks) = vitals.checks.as_mut().filter(|checks| checks.asked().is_some()) else { return };
        let change = checks.take(now, result, season);
        let (failures, why) = (checks.failures(), checks.last_failure().unwrap_or_default().to_owned());
        match change {
            Change::Fell(since) => vitals.stall(now, Stall::Check, since),
            Change::Recovered => vitals.recover(Stall::Check),
            Change::None => {}
        }
        let whose = self.instance_of(id).map(|instance| (instance, worker.pid));
        self.tell_of_change(change, whose, failures, why);
        if is_well && season == Season::Starting {
            self.handle_ready(now, id);
        }
    }

    fn app_checked(&mut self, now: Uptime, result: Result<(), String>) {
        let is_well = result.is_ok();
        let season = self.season();
        let Some(checks) = &mut self.app_checks else { return };
        let Some(asked) = checks.asked() else { return };
        let change = checks.take(now, result, season);
        let (failures, why) = (checks.failures(), checks.last_failure().unwrap_or_default().to_owned());
        self.tell_of_change(change, None, failures, why);
        match change {
            Change::Fell(since) => self.stall_the_only_one(now, since),
            Change::Recovered => self.residents().for_each(|vitals| vitals.recover(Stall::Check)),
            Change::None => {}
        }
        let open: Vec<_> = self
            .starting()
            .filter(|watched| is_well && watched.watch.was_open(asked))
            .map(|watched| watched.worker.id)
            .collect();
        open.into_iter().for_each(|id| self.handle_ready(now, id));
        self.hasten_app_checks(now);
    }

    /// With a single worker it was this one that was asked.
    fn stall_the_only_one(&mut self, now: Uptime, since: Uptime) {
        if let [instance] = &mut self.instances[..]
            && instance.is_ready()
            && let Some(Watched { vitals: Some(vitals), .. }) = instance.watched_mut()
        {
            vitals.stall(now, Stall::Check, since);
        }
    }

    /// What is known of the health of the instances' workers.
    fn residents(&mut self) -> impl Iterator<Item = &mut Vitals> {
        let watched = self.instances.iter_mut().filter_map(Instance::watched_mut);
        watched.filter_map(|watched| watched.vitals.as_deref_mut())
    }

    /// Somebody becomes ready by the next check.
    fn hasten_app_checks(&mut self, now: Uptime) {
        let somebody_waits = self.starting().any(|watched| watched.watch.waits_for_check());
        if somebody_waits && let Some(checks) = &mut self.app_checks {
            checks.hasten(now, Season::Starting);
        }
    }

    /// A worker that becomes ready by a check of the app listens now.
    pub(super) fn check_soon(&mut self, now: Uptime) {
        if self.starting().any(|watched| watched.watch.was_open(now))
            && let Some(checks) = &mut self.app_checks
        {
            checks.hasten(now, Season::Serving);
        }
    }

    fn tell_of_change(
        &mut self,
        change: Change,
        whose: Option<(InstanceId, Pid)>,
        failures: u32,
        why: String,
    ) {
        match change {
            Change::None => {}
            Change::Fell(_) => self.notice(Notice::Unhealthy { whose, failures, why }),
            Change::Recovered => self.notice(Notice::Healthy { whose }),
        }
    }

    /// What was asked before will not be answered.
    pub(super) fn handle_checks_lost(&mut self, now: Uptime) {
        self.app_checks.iter_mut().for_each(|checks| checks.ask_again(now));
        let residents = self.residents().filter_map(|vitals| vitals.checks.as_mut());
        residents.for_each(|checks| checks.ask_again(now));
        let newcomers = self.newcomers_mut().filter_map(|(_, watched)| watched.vitals.as_mut());
        newcomers.filter_map(|vitals| vitals.checks.as_mut()).for_each(|checks| checks.ask_again(now));
    }

    /// Looks whether time has brought something about for the workers and for the app.
    pub(super) fn review_health(&mut self, now: Uptime) {
        let residents =
            self.instances.iter().filter_map(|instance| Some((instance.watched()?, instance.season())));
        let newcomers =
            self.newcomers().filter_map(Newcomer::free).map(|watched| (watched, Season::Starting));
        let is_due = |(watched, season): &(&Watched, Season)| {
            watched.vitals.as_ref().and_then(|vitals| vitals.due(*season)).is_some_and(|due| due <= now)
        };
        let due = residents.chain(newcomers).filter(is_due).map(|(watched, _)| watched.worker.id);
        let due: Vec<_> = due.collect();
        due.into_iter().for_each(|id| self.review_vitals(now, id));
        self.review_app_checks(now);
    }

    fn review_vitals(&mut self, now: Uptime, id: WorkerId) {
        for _ in 0..MOST_SIGNS {
            let Some((watched, season)) = self.watched_mut(id) else { return };
            let generation = watched.worker.generation;
            let Some(sign) = watched.vitals.as_mut().and_then(|vitals| vitals.next_sign(now, season)) else {
                return;
            };
            match sign {
                Sign::Ping => self.out.push(Action::Ping { worker: id }),
                Sign::Stalled(cause, since) => {
                    if let Some(vitals) = &mut watched.vitals {
                        vitals.stall(now, cause, since);
                    }
                }
                Sign::Ask => self.ask_worker(id, generation),
                Sign::TimedOut => {
                    let subject = Subject::Worker(id);
                    self.out.push(Action::EndCheck { subject });
                    self.worker_checked(now, id, Err(TIMED_OUT.to_owned()));
                }
            }
        }
    }

    fn ask_worker(&mut self, id: WorkerId, generation: Generation) {
        let policy = self.policy_in(generation);
        let probe =
            policy.health.check.as_ref().map(|check| check.probe.clone()).filter(Probe::is_per_worker);
        match probe {
            Some(probe) => self.out.push(Action::Check { subject: Subject::Worker(id), generation, probe }),
            // The app is not checked any more.
            None => {
                if let Some((Watched { vitals: Some(vitals), .. }, _)) = self.watched_mut(id) {
                    vitals.checks = None;
                    vitals.recover(Stall::Check);
                }
            }
        }
    }

    fn review_app_checks(&mut self, now: Uptime) {
        let Some(due) = self.app_checks.as_mut().and_then(|checks| checks.pass(now)) else { return };
        let subject = Subject::App;
        match (due, self.app_probe()) {
            (Due::Ask, Some(probe)) => {
                let generation = self.current;
                self.out.push(Action::Check { subject, generation, probe });
            }
            (Due::TimedOut, _) => {
                self.out.push(Action::EndCheck { subject });
                self.app_checked(now, Err(TIMED_OUT.to_owned()));
            }
            (Due::Ask, None) => {}
        }
    }

    /// Begins or ends the checks of the app as a whole: there are some while anybody serves, or becomes ready by them.
    pub(super) fn arrange_app_checks(&mut self, now: Uptime) {
        let pace =
            self.checked_policy().and_then(|policy| policy.health.check.as_ref()).map(|check| check.pace);
        let wanted = pace.filter(|_| {
            let waits = |watched: &Watched| watched.watch.waits_for_check();
            self.instances.iter().any(Instance::is_ready) || self.starting().any(waits)
        });
        if self.app_checks.as_ref().map(Checks::pace) == wanted {
            return;
        }
        if self.app_checks.as_ref().and_then(Checks::asked).is_some() {
            self.out.push(Action::EndCheck { subject: Subject::App });
        }
        let season = self.season();
        self.app_checks = wanted.map(|pace| Checks::begin(now, pace, season));
    }

    /// A worker has become ready. What was found out about the only one before it does not hold for it.
    pub(super) fn forget_unhealthy_predecessor(&mut self) {
        let fell = |checks: &mut Checks| checks.health() == Health::Unhealthy;
        if self.instances.len() == 1
            && self.app_checks.take_if(fell).and_then(|checks| checks.asked()).is_some()
        {
            self.out.push(Action::EndCheck { subject: Subject::App });
        }
    }

    /// What is asked of the app as a whole: what newcomers wait for comes first.
    fn checked_policy(&self) -> Option<&Policy> {
        let asks =
            |policy: &&Policy| policy.health.check.as_ref().is_some_and(|check| !check.probe.is_per_worker());
        [self.newcomers_policy(), &self.policy].into_iter().find(asks)
    }

    fn app_probe(&self) -> Option<Probe> {
        self.checked_policy()?.health.check.as_ref().map(|check| check.probe.clone())
    }

    fn season(&self) -> Season {
        if self.instances.iter().any(Instance::is_ready) { Season::Serving } else { Season::Starting }
    }

    /// All workers that are not ready yet, save those that are held.
    fn starting(&self) -> impl Iterator<Item = &Watched> {
        let residents = self.instances.iter().filter(|instance| !instance.is_ready());
        residents.filter_map(Instance::watched).chain(self.newcomers().filter_map(Newcomer::free))
    }

    /// A worker that is not leaving.
    fn watched_mut(&mut self, id: WorkerId) -> Option<(&mut Watched, Season)> {
        match self.seat(id)? {
            Seat::Instance(index) => {
                let season = self.instances[index].season();
                self.instances[index].watched_mut().map(|watched| (watched, season))
            }
            Seat::Newcomer => self.newcomer_mut(id).map(|(_, watched)| (watched, Season::Starting)),
            Seat::Standby(place) => {
                self.standbys.watched_mut(place).map(|watched| (watched, Season::Starting))
            }
            Seat::Leaving => None,
        }
    }

    fn instance_of(&self, id: WorkerId) -> Option<InstanceId> {
        match self.seat(id)? {
            Seat::Instance(index) => Some(self.instances[index].id),
            Seat::Newcomer => self.newcomer(id).map(|(instance, _)| instance),
            Seat::Standby(place) => Some(self.standbys.number(place)),
            Seat::Leaving => None,
        }
    }
}

impl Instance {
    fn season(&self) -> Season {
        if self.is_ready() { Season::Serving } else { Season::Starting }
    }

    /// Whether its worker does its work, as far as is known, and goes on to.
    pub(super) fn is_well(&self) -> bool {
        let fails = |checks: &Checks| checks.health() == Health::Unhealthy;
        let ails = |vitals: &Vitals| vitals.fails() || vitals.checks.as_ref().is_some_and(fails);
        self.watched().is_some_and(|watched| {
            watched.intent == Intent::Stays && !watched.vitals.as_deref().is_some_and(ails)
        })
    }

    /// When something of its worker's health is due.
    pub(super) fn health_due(&self) -> Option<Uptime> {
        let due = |vitals: &Vitals| vitals.due(self.season());
        self.watched().and_then(|watched| watched.vitals.as_deref()).and_then(due)
    }
}
