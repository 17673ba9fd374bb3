//! Rescues connections that wait behind a worker which is blocked or gone: we accept them and hand them to another, over
//! Node's cluster channel. Other programs have no way to be handed a connection.
//!
//! Once its queue is empty, a blocked worker cannot show there that it accepts again. So it is sent a connection that
//! leads nowhere, for a server that it does not have: as soon as it reads its channel, it refuses.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::app::App;
use super::workers::{Stop, Worker};
use crate::handover::cluster::ServerId;
use crate::listener::Stuck;
use crate::spec::{InstanceId, WorkerId};
use crate::sys::socket::{idle_socket, is_unread};

/// How many connections a worker may have been handed that it has not spoken of. So its channel's buffer never fills up, and few are
/// lost should it block in its turn.
const MOST_UNANSWERED: usize = 32;

/// What a worker was handed, and has not spoken of.
#[derive(Debug, Default)]
pub(super) struct Given {
    connections: BTreeMap<u64, Rescued>,
    /// What it answers when it reads its channel again.
    probe: Option<u64>,
}

/// A connection that we have accepted.
#[derive(Debug)]
pub(super) struct Rescued {
    connection: Rc<OwnedFd>,
    /// The listening socket that it came to.
    inode: u64,
    /// How many workers have refused it.
    refusals: usize,
}

/// A worker that can be handed connections.
#[derive(Debug, Clone, Copy)]
struct Taker {
    worker: WorkerId,
    instance: InstanceId,
    server: ServerId,
}

impl App {
    /// Hands what waits in these queues to workers that accept.
    pub(super) fn rescue(&mut self, stuck: &[Stuck]) {
        for queue in stuck {
            let mut rescued = 0;
            while rescued < queue.waiting
                && let Some(taker) = self.taker(queue.inode, queue.instance)
                && let Some(connection) = self.listeners.take_out(queue.inode, taker.instance)
            {
                rescued += 1;
                let connection = Rc::new(connection);
                self.hand(taker, Rescued { connection, inode: queue.inode, refusals: 0 });
            }
            if rescued > 0 {
                tracing::debug!(
                    app = self.name(),
                    instance = queue.instance.0,
                    rescued,
                    "connections rescued"
                );
                self.probe(queue.instance);
            }
        }
    }

    /// The worker that was handed least of those that accept connections which came to the socket `inode`.
    fn taker(&self, inode: u64, except: InstanceId) -> Option<Taker> {
        let takes = |(id, worker): (WorkerId, &Worker)| {
            let unanswered = worker.given.connections.len();
            let fits = worker.instance != except && worker.stop == Stop::NotAsked;
            if !fits || unanswered >= MOST_UNANSWERED || !self.listeners.is_fit(worker.instance) {
                return None;
            }
            let sibling = self.listeners.sibling(inode, worker.instance)?;
            let (server, _) = worker.servers.iter().find(|(_, inode)| *inode == sibling)?;
            let takes = worker.link.as_ref().is_some_and(|link| link.takes_connections(*server));
            takes.then_some((unanswered, Taker { worker: id, instance: worker.instance, server: *server }))
        };
        let takers = self.workers.numbered().filter_map(takes);
        takers.min_by_key(|(unanswered, taker)| (*unanswered, taker.instance)).map(|(_, taker)| taker)
    }

    fn hand(&mut self, taker: Taker, rescued: Rescued) {
        let Some(worker) = self.workers.get_mut(taker.worker) else { return };
        let Some(link) = &worker.link else { return };
        if let Some(number) = link.hand_connection(taker.server, Rc::clone(&rescued.connection)) {
            worker.given.connections.insert(number, rescued);
        }
    }

    /// Asks the workers of `instance` to say when they are free again.
    fn probe(&mut self, instance: InstanceId) {
        for (_, worker) in self.workers.numbered_mut().filter(|(_, worker)| worker.instance == instance) {
            if let (None, Some(link)) = (worker.given.probe, &worker.link)
                && let Ok(nowhere) = idle_socket()
            {
                worker.given.probe = link.probe(Rc::new(nowhere));
            }
        }
    }

    /// A worker says that it has taken the connection with this number, or cannot.
    pub(super) fn on_connection_answered(&mut self, id: WorkerId, number: u64, taken: bool) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        let instance = worker.instance;
        if worker.given.probe == Some(number) {
            worker.given.probe = None;
            self.listeners.forgive(instance);
        } else if let Some(rescued) = worker.given.connections.remove(&number)
            && !taken
        {
            self.hand_on(rescued, instance);
        }
    }

    /// The oldest connection that a worker has not spoken of has not arrived.
    pub(super) fn on_descriptor_lost(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        let instance = worker.instance;
        if let Some((_, rescued)) = worker.given.connections.pop_first() {
            self.hand_on(rescued, instance);
        }
    }

    /// A worker has ended. What it was handed and has not read from is served by others.
    pub(super) fn hand_on_all(&mut self, given: Given, instance: InstanceId) {
        for rescued in given.connections.into_values().filter(|rescued| is_unread(&rescued.connection)) {
            self.hand_on(rescued, instance);
        }
    }

    /// Hands it to another; closes it when as many have refused it as there are.
    fn hand_on(&mut self, rescued: Rescued, except: InstanceId) {
        let rescued = Rescued { refusals: rescued.refusals + 1, ..rescued };
        if rescued.refusals < self.instances()
            && let Some(taker) = self.taker(rescued.inode, except)
        {
            self.hand(taker, rescued);
        }
    }
}
