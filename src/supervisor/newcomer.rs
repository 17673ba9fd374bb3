//! Workers that are to take an instance, and the turns of a reload in which they do: who they are, and how they are found.

use serde::{Deserialize, Serialize};

use super::instance::{Request, State, Watched};
use super::machine::Supervisor;
use super::reload::Kind;
use crate::spec::{InstanceId, ReloadStrategy, WorkerId};

/// One instance's turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) instance: InstanceId,
    pub(super) stage: Stage,
}

/// How far the reload of one instance has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It waits for a start slot.
    Pending,
    /// The new worker starts beside the old one.
    Beside(Box<Newcomer>),
    /// The new worker starts as the instance's only one.
    Alone(WorkerId),
    /// The new worker serves, and the old one drains. The next turn waits for it: the fewer drain at a time, the more
    /// are left to take new connections.
    Parting,
}

/// A worker that is to take an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Newcomer {
    Spawning(Request),
    Starting(Watched),
    /// Of a fleet: it is held where it is about to listen.
    Parked(Watched),
    /// Of a fleet: it is ready, and the others are not.
    Ready(Watched),
}

impl Supervisor {
    /// Takes out a newcomer that has ended or was never there.
    pub(super) fn remove_newcomer(&mut self, id: WorkerId) -> Option<(InstanceId, Newcomer)> {
        let reload = self.reload.as_mut()?;
        let step = reload
            .steps
            .iter_mut()
            .find(|step| step.newcomer().is_some_and(|newcomer| newcomer.id() == id))?;
        match std::mem::replace(&mut step.stage, Stage::Alone(id)) {
            Stage::Beside(newcomer) => Some((step.instance, *newcomer)),
            Stage::Pending | Stage::Alone(_) | Stage::Parting => None,
        }
    }

    /// Takes the newcomer out, to be the only worker of this instance, if it is meant to go on alone.
    pub(super) fn take_heir_of(&mut self, id: InstanceId) -> Option<Newcomer> {
        self.reload.as_ref().filter(|reload| reload.strategy == ReloadStrategy::Rolling)?;
        self.take_newcomer_of(id)
    }

    /// Takes the newcomer out, to be the worker of this instance, if it is meant for it.
    pub(super) fn take_newcomer_of(&mut self, id: InstanceId) -> Option<Newcomer> {
        let reload = self.reload.as_ref().filter(|reload| reload.kind != Kind::Check)?;
        let step = reload.steps.iter().find(|step| step.instance == id)?;
        let newcomer = step.newcomer()?.id();
        self.remove_newcomer(newcomer).map(|(_, newcomer)| newcomer)
    }

    /// The newcomer that was asked for under this id and is not there yet.
    pub(super) fn newcomer_request(&self, id: WorkerId) -> Option<(InstanceId, Request)> {
        let (instance, newcomer) = self.newcomer(id)?;
        match newcomer {
            Newcomer::Spawning(request) => Some((instance, *request)),
            Newcomer::Starting(_) | Newcomer::Parked(_) | Newcomer::Ready(_) => None,
        }
    }

    /// The newcomer of this id.
    pub(super) fn newcomer(&self, id: WorkerId) -> Option<(InstanceId, &Newcomer)> {
        let newcomers = self.reload.iter().flat_map(|reload| &reload.steps);
        newcomers
            .filter_map(|step| Some((step.instance, step.newcomer()?)))
            .find(|(_, newcomer)| newcomer.id() == id)
    }

    /// The newcomer of this id, if it was spawned.
    pub(super) fn newcomer_mut(&mut self, id: WorkerId) -> Option<(InstanceId, &mut Watched)> {
        self.newcomers_mut().find(|(_, watched)| watched.worker.id == id)
    }

    /// The newcomer was spawned.
    pub(super) fn seat_newcomer(&mut self, watched: Watched) {
        let id = watched.worker.id;
        let steps = self.reload.iter_mut().flat_map(|reload| &mut reload.steps);
        let mut steps = steps.filter(|step| step.newcomer().is_some_and(|newcomer| newcomer.id() == id));
        if let Some(step) = steps.next() {
            step.stage = Stage::beside(Newcomer::Starting(watched));
        }
    }

    /// All workers that start beside their instance's.
    pub(super) fn newcomers(&self) -> impl Iterator<Item = &Newcomer> {
        self.reload.iter().flat_map(|reload| &reload.steps).filter_map(Step::newcomer)
    }

    /// As [`Supervisor::newcomers`], to be changed, where they are there.
    pub(super) fn newcomers_mut(&mut self) -> impl Iterator<Item = (InstanceId, &mut Watched)> {
        let steps = self.reload.iter_mut().flat_map(|reload| &mut reload.steps);
        steps.filter_map(|step| match &mut step.stage {
            Stage::Beside(newcomer) => newcomer.watched_mut().map(|watched| (step.instance, watched)),
            Stage::Pending | Stage::Alone(_) | Stage::Parting => None,
        })
    }
}

impl Stage {
    /// With this worker.
    pub(super) fn beside(newcomer: Newcomer) -> Self {
        Self::Beside(Box::new(newcomer))
    }
}

impl Step {
    /// Whether its turn has not begun.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Pending)
    }

    /// The worker that starts beside the old one.
    pub(super) fn newcomer(&self) -> Option<&Newcomer> {
        match &self.stage {
            Stage::Beside(newcomer) => Some(newcomer),
            Stage::Pending | Stage::Alone(_) | Stage::Parting => None,
        }
    }

    /// Whether it is this worker, its instance's only one, that is waited for.
    pub(super) fn waits_for(&self, id: WorkerId) -> bool {
        matches!(self.stage, Stage::Alone(worker) if worker == id)
    }
}

impl Newcomer {
    /// Its id, known before it is there.
    pub(super) fn id(&self) -> WorkerId {
        match self {
            Self::Spawning(request) => request.worker,
            Self::Starting(watched) | Self::Parked(watched) | Self::Ready(watched) => watched.worker.id,
        }
    }

    /// The process, where there is one yet.
    pub(super) fn watched(&self) -> Option<&Watched> {
        match self {
            Self::Spawning(_) => None,
            Self::Starting(watched) | Self::Parked(watched) | Self::Ready(watched) => Some(watched),
        }
    }

    /// As [`Newcomer::watched`], to be changed.
    pub(super) fn watched_mut(&mut self) -> Option<&mut Watched> {
        match self {
            Self::Spawning(_) => None,
            Self::Starting(watched) | Self::Parked(watched) | Self::Ready(watched) => Some(watched),
        }
    }

    /// The process, where there is one yet that is not held and waits for nobody.
    pub(super) fn free(&self) -> Option<&Watched> {
        match self {
            Self::Starting(watched) => Some(watched),
            Self::Spawning(_) | Self::Parked(_) | Self::Ready(_) => None,
        }
    }

    /// Whether it takes up a start slot.
    pub(super) fn holds_slot(&self) -> bool {
        matches!(self, Self::Spawning(_) | Self::Starting(_))
    }

    /// As [`Newcomer::watched`], for good.
    pub(super) fn into_watched(self) -> Option<Watched> {
        match self {
            Self::Spawning(_) => None,
            Self::Starting(watched) | Self::Parked(watched) | Self::Ready(watched) => Some(watched),
        }
    }
}

impl From<Newcomer> for State {
    fn from(newcomer: Newcomer) -> Self {
        match newcomer {
            Newcomer::Spawning(request) => Self::Spawning(request),
            Newcomer::Starting(watched) | Newcomer::Parked(watched) => Self::Starting(watched),
            // It may serve already.
            Newcomer::Ready(watched) => Self::Ready(watched),
        }
    }
}
