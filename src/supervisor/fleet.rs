//! A reload in one step: the whole new generation boots beside the old one, each worker held where it is about to listen.
//!
//! ```text
//!   Spawning --Spawned--> Starting --it wants to listen--> Parked --all of them are--> Starting --ready--> Ready
//!                            \--ready without listening--> Ready                     all are Ready: they take over
//! ```
//!
//! Up to the last step nobody of the old generation is touched, so one failure leaves everything as it was. An instance
//! whose old worker ends meanwhile gets another of the old generation.

use std::time::Duration;

use super::action::Action;
use super::event::Uptime;
use super::instance::{Released, Watched};
use super::machine::Supervisor;
use super::newcomer::{Newcomer, Stage, Step};
use super::reload::Reload;
use crate::spec::{Generation, InstanceId, ReloadStrategy, WorkerId};

impl Supervisor {
    /// Takes the next step once every newcomer waits for the others. Says whether there was one.
    pub(super) fn advance_fleet(&mut self, now: Uptime) -> bool {
        let Some(reload) = self.fleet() else { return false };
        if !reload.steps.iter().all(Step::waits_for_others) {
            return false;
        }
        if reload.steps.iter().any(|step| matches!(step.newcomer(), Some(Newcomer::Parked(_)))) {
            self.release_newcomers(now);
        } else {
            self.switch(now);
        }
        true
    }

    /// A newcomer is held where it is about to listen.
    pub(super) fn park_newcomer(&mut self, now: Uptime, id: WorkerId) {
        self.change_newcomer(id, |newcomer| match newcomer {
            Newcomer::Starting(mut watched) if watched.worker.released.is_none() => {
                watched.watch.park();
                Newcomer::Parked(watched)
            }
            other @ (Newcomer::Spawning(_)
            | Newcomer::Starting(_)
            | Newcomer::Parked(_)
            | Newcomer::Ready(_)) => other,
        });
        self.review_newcomer(now, id);
    }

    /// A newcomer is ready, and the others may not be.
    pub(super) fn newcomer_waits_for_others(&mut self, id: WorkerId) {
        self.change_newcomer(id, |newcomer| match newcomer {
            Newcomer::Starting(watched) => Newcomer::Ready(watched),
            other @ (Newcomer::Spawning(_) | Newcomer::Parked(_) | Newcomer::Ready(_)) => other,
        });
    }

    /// An instance that came during the reload gets a newcomer as well.
    pub(super) fn enlist(&mut self, id: InstanceId) {
        if let Some(reload) = self.reload.as_mut().filter(|reload| reload.strategy == ReloadStrategy::Fleet) {
            reload.rest.push_back(id);
        }
    }

    /// All are about to listen, and may do so now.
    fn release_newcomers(&mut self, now: Uptime) {
        let timeout = self.newcomers_policy().readiness.timeout;
        let Some(reload) = &mut self.reload else { return };
        let mut released = Vec::new();
        for Step { instance, stage } in &mut reload.steps {
            if let Stage::Beside(newcomer) = stage
                && let Newcomer::Parked(watched) = &mut **newcomer
            {
                watched.release(now, *instance, timeout);
                let watched = watched.clone();
                released.push((watched.worker.id, *instance));
                **newcomer = Newcomer::Starting(watched);
            }
        }
        for &(worker, instance) in &released {
            self.out.push(Action::Release { worker, instance });
        }
        for (worker, _) in released {
            self.review_newcomer(now, worker);
        }
    }

    /// All are ready: they take their instances.
    fn switch(&mut self, now: Uptime) {
        let Some(reload) = &self.reload else { return };
        let ready = |step: &Step| Some((step.instance, step.newcomer()?.watched()?.worker));
        let all: Vec<_> = reload.steps.iter().filter_map(ready).collect();
        for (instance, worker) in all {
            if worker.released.is_none() {
                self.out.push(Action::Release { worker: worker.id, instance });
            }
            self.install_newcomer(now, instance);
        }
    }

    fn fleet(&self) -> Option<&Reload> {
        self.reload.as_ref().filter(|reload| reload.strategy == ReloadStrategy::Fleet)
    }

    fn change_newcomer(&mut self, id: WorkerId, change: impl FnOnce(Newcomer) -> Newcomer) {
        if self.fleet().is_none() {
            return;
        }
        let steps = self.reload.iter_mut().flat_map(|reload| &mut reload.steps);
        let mut of_this_id = steps.filter(|step| step.newcomer().is_some_and(|newcomer| newcomer.id() == id));
        if let Some(step) = of_this_id.next()
            && let Stage::Beside(newcomer) = std::mem::replace(&mut step.stage, Stage::Pending)
        {
            step.stage = Stage::beside(change(*newcomer));
        }
    }
}

impl Reload {
    /// That of an instance which comes now; a fleet's takes over with all others.
    pub(super) fn of_new_instances(&self, current: Generation) -> Generation {
        match self.strategy {
            ReloadStrategy::Rolling => self.generation(),
            ReloadStrategy::Fleet => current,
        }
    }
}

impl Step {
    fn waits_for_others(&self) -> bool {
        matches!(self.newcomer(), Some(Newcomer::Parked(_) | Newcomer::Ready(_)))
    }
}

impl Watched {
    /// It is held no longer, and has so long to become ready; `number` is what it was started as.
    pub(super) fn release(&mut self, at: Uptime, number: InstanceId, timeout: Duration) {
        self.worker.released = Some(Released { at, number });
        self.watch.release(at, timeout);
        if self.watch.waits_for_check()
            && let Some(vitals) = &mut self.vitals
        {
            vitals.begin_checks(at);
        }
    }
}
