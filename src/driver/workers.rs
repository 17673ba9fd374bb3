//! The workers that live, and what belongs to each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::messages::Talk;
use super::rescue::Given;
use super::said::OfItself;
use crate::handover::cluster::{ClusterLink, Query, ServerId, Wanted};
use crate::handover::intercept::Interception;
use crate::handover::notify::NotifyListener;
use crate::handover::park::Gate;
use crate::logs::WorkerLogs;
use crate::process::Pid;
use crate::spec::{InstanceId, WorkerId};

/// A worker whose first process lives.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: Pid,
    pub(super) instance: InstanceId,
    /// Its standard output and error, unless they are ours.
    pub(super) logs: Option<Rc<WorkerLogs>>,
    pub(super) link: Option<ClusterLink>,
    /// Whether it was asked to end.
    pub(super) stop: Stop,
    /// Whether it is in the foreground of our terminal.
    pub(super) has_terminal: bool,
    /// The inodes of the sockets that it got over the cluster channel.
    pub(super) handed: Vec<u64>,
    /// Its servers that have such a socket, with the socket's inode.
    pub(super) servers: Vec<(ServerId, u64)>,
    /// The connections that it was handed.
    pub(super) given: Given,
    /// Whether it may listen, and what it has asked for over the channel meanwhile.
    pub(super) parking: Parking,
    /// Where it may say that it is ready; open while the worker lives.
    pub(super) notify: Option<NotifyListener>,
    /// What it has said of itself.
    pub(super) said: OfItself,
    /// Where its process id is noted.
    pub(super) pid_file: Option<PathBuf>,
    /// What it says by `process.send`.
    pub(super) talk: Talk,
}

/// Whether a worker may listen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Parking {
    pub(super) gate: Gate,
    /// What it asked for over its channel, and was not answered yet.
    pub(super) held: Vec<(Box<Query>, Wanted)>,
    /// The number that is in its environment, where that is no longer its instance.
    #[serde(default)]
    pub(super) number: Option<InstanceId>,
}

impl Worker {
    /// The number that is in its environment.
    pub(super) fn number(&self) -> InstanceId {
        self.parking.number.unwrap_or(self.instance)
    }
}

/// Whether a worker was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stop {
    NotAsked,
    Asked,
    Killed,
}

/// All of them, by id and by pid; and the groups that ended ones have left behind.
#[derive(Debug, Default)]
pub(super) struct Workers {
    alive: HashMap<WorkerId, Worker>,
    by_pid: HashMap<Pid, WorkerId>,
    /// Groups whose leader has ended. Their number cannot be given to others while a member lives.
    remains: HashMap<WorkerId, Remains>,
    /// By the worker that was given the filter. Kept until its last descendant has ended, in whatever group or session:
    /// each waits in `bind` until it is answered.
    interceptions: HashMap<WorkerId, Interception>,
}

/// The group that an ended worker has left.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Remains {
    pub(super) group: Pid,
    pub(super) instance: InstanceId,
}

impl Workers {
    pub(super) fn add(&mut self, id: WorkerId, worker: Worker) {
        self.by_pid.insert(worker.pid, id);
        self.alive.insert(id, worker);
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.alive.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.alive.get_mut(&id)
    }

    pub(super) fn by_pid(&self, pid: Pid) -> Option<WorkerId> {
        self.by_pid.get(&pid).copied()
    }

    /// All whose first process lives.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.alive.values()
    }

    /// Takes an ended worker out.
    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.alive.remove(&id)?;
        self.by_pid.remove(&worker.pid);
        Some(worker)
    }

    /// Notes that the group of an ended worker is not empty.
    pub(super) fn leave_remains(&mut self, id: WorkerId, remains: Remains) {
        self.remains.insert(id, remains);
    }

    /// The process group of a worker, whether its leader lives or not.
    pub(super) fn group(&self, id: WorkerId) -> Option<Pid> {
        let alive = self.alive.get(&id).map(|worker| worker.pid);
        alive.or_else(|| self.remains.get(&id).map(|remains| remains.group))
    }

    /// The process groups of the workers that live.
    pub(super) fn groups(&self) -> Vec<Pid> {
        self.by_pid.keys().copied().collect()
    }

    /// Notes who answers the questions of a worker and its descendants.
    pub(super) fn intercept(&mut self, id: WorkerId, interception: Interception) {
        self.interceptions.insert(id, interception);
    }

    /// All of them, by the worker that was given the filter.
    pub(super) fn interceptions(&self) -> impl Iterator<Item = (WorkerId, &Interception)> {
        self.interceptions.iter().map(|(&id, interception)| (id, interception))
    }

    /// All whose first process lives, with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.alive.iter().map(|(&id, worker)| (id, worker))
    }

    /// As [`Workers::numbered`], to be changed.
    pub(super) fn numbered_mut(&mut self) -> impl Iterator<Item = (WorkerId, &mut Worker)> {
        self.alive.iter_mut().map(|(&id, worker)| (id, worker))
    }

    /// What ended workers have left.
    pub(super) fn remains(&self) -> impl Iterator<Item = (WorkerId, Remains)> {
        self.remains.iter().map(|(&id, &remains)| (id, remains))
    }

    pub(super) fn interception(&mut self, id: WorkerId) -> Option<&mut Interception> {
        self.interceptions.get_mut(&id)
    }

    /// Nobody is left who could ask.
    pub(super) fn end_interception(&mut self, id: WorkerId) {
        self.interceptions.remove(&id);
    }

    /// Takes out the groups of which `exists` says that they are empty now.
    pub(super) fn forget_remains(&mut self, exists: impl Fn(Pid) -> bool) -> Vec<(WorkerId, Remains)> {
        self.remains.extract_if(|_, remains| !exists(remains.group)).collect()
    }

    /// Whether a worker of `instance` lives, or a part of one.
    pub(super) fn has_any_of(&self, instance: InstanceId) -> bool {
        self.alive.values().any(|worker| worker.instance == instance)
            || self.remains.values().any(|remains| remains.instance == instance)
    }

    /// The worker of `instance` that was started last.
    pub(super) fn newest_of(&self, instance: InstanceId) -> Option<&Worker> {
        let of_it = self.alive.iter().filter(|(_, worker)| worker.instance == instance);
        of_it.max_by_key(|(id, _)| **id).map(|(_, worker)| worker)
    }

    pub(super) fn terminal_owner(&self) -> Option<&Worker> {
        self.alive.values().find(|worker| worker.has_terminal)
    }
}
