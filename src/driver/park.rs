//! Workers that are held where they are about to listen, and their release.

use super::app::App;
use super::plan::Plan;
use super::workers::Parking;
use crate::handover::cluster::{Query, Wanted};
use crate::handover::intercept::Fact;
use crate::handover::park::Gate;
use crate::listener::Address;
use crate::spec::{InstanceId, WorkerId};
use crate::supervisor::{self, Event};

impl Parking {
    /// For a worker that is to be run by `plan`.
    pub(super) fn of(parking: supervisor::Parking, plan: &Plan) -> Self {
        let gate = match parking {
            supervisor::Parking::Off => Gate::Open,
            supervisor::Parking::On => Gate::Shut { port: plan.app.readiness.port },
        };
        Self { gate, ..Self::default() }
    }
}

impl App {
    /// Whose sockets a worker gets: a standby that listens where it is not held has no instance of its own yet.
    pub(super) fn socket_owner(&self, instance: InstanceId) -> InstanceId {
        if self.id_of(instance).is_some() { instance } else { InstanceId(0) }
    }

    /// Whether the worker is not to get this socket yet.
    pub(super) fn is_held(&self, worker: WorkerId, wanted: &Wanted) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.parking.gate.holds(wanted))
    }

    /// Node asks by a message and goes on with its event loop: it is not answered for now.
    pub(super) fn hold(&mut self, id: WorkerId, query: Box<Query>, wanted: Wanted) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.parking.held.push((query, wanted));
            self.feed(Event::Parked { worker: id });
        }
    }

    /// The worker is that of `instance` from now on, and may listen. Gives the addresses on which it does so at once, of which
    /// the supervisor is to be told when it is done with what it has asked for.
    pub(super) fn release(&mut self, id: WorkerId, instance: InstanceId) -> Vec<(WorkerId, Address)> {
        let Some(worker) = self.workers.get_mut(id) else { return Vec::new() };
        let number = Some(worker.number()).filter(|number| *number != instance);
        worker.instance = instance;
        let released = Parking { number, ..Parking::default() };
        let Parking { held, .. } = std::mem::replace(&mut worker.parking, released);
        let listeners = &mut self.listeners;
        let interception = self.workers.interception(id);
        let facts = interception.map(|asked| asked.release(instance, listeners)).unwrap_or_default();
        for (query, wanted) in held {
            self.give(id, &query, &wanted);
        }
        let listening = |fact| match fact {
            Fact::Listening(address) => Some((id, address)),
            Fact::Parked | Fact::Refused(_) | Fact::Closed => None,
        };
        facts.into_iter().filter_map(listening).collect()
    }
}
