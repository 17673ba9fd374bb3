//! What workers ask and say: by their `bind` and `listen`, and over Node's cluster channel. (By sd_notify: see `said`;
//! by `process.send`: `messages`.)

use std::net::{IpAddr, SocketAddr};

use super::advice::{self, Advice};
use super::app::App;
use crate::changes::Change;
use crate::handover::cluster::{Errno, FromWorker, Listening, Query, ServerId, ServersLeft, Wanted};
use crate::handover::intercept::Fact;
use crate::listener::{Address, Blocking, Handed, ListenError, OnlyV6};
use crate::spec::{InstanceId, WorkerId};
use crate::supervisor::{Beat, Event, Listen, Subject};
use crate::sys::notification::Notification;

/// What comes through the filter of a worker.
#[derive(Debug)]
pub(super) enum Asked {
    Question(Notification),
    /// The last process under the filter has ended, or nothing can be heard of them any more.
    Over,
    /// A health check over a connection has ended.
    Checked {
        subject: Subject,
        result: Result<(), String>,
    },
    /// Files of the app have changed.
    Changed(Change),
    /// The memory of the app's workers was measured.
    Measured {
        sizes: Vec<(WorkerId, u64)>,
    },
}

impl App {
    pub(super) fn on_asked(&mut self, worker: WorkerId, asked: &Asked) {
        match asked {
            Asked::Question(question) => self.on_question(worker, question),
            Asked::Over => self.workers.end_interception(worker),
            Asked::Changed(change) => self.on_changed(change.clone()),
            Asked::Measured { sizes } => self.on_measured(sizes.clone()),
            Asked::Checked { subject, result } => self.on_checked(*subject, result.clone()),
        }
    }

    /// Answers a `bind` or `listen` that is waiting for us.
    fn on_question(&mut self, worker: WorkerId, question: &Notification) {
        let Some(interception) = self.workers.interception(worker) else { return };
        match interception.answer(question, &mut self.listeners) {
            Some(Fact::Listening(address)) => self.on_listening(worker, &address),
            Some(Fact::Parked) => self.feed(Event::Parked { worker }),
            Some(Fact::Refused(error)) => self.shared.advise(error.to_string()),
            Some(Fact::Closed) => self.shared.advise(Advice::Closed.to_string()),
            None => {}
        }
    }

    pub(super) fn on_listening(&mut self, worker: WorkerId, address: &Address) {
        let plan = self.plan();
        if let Some(advice) = advice::on_listening(address, plan.in_container, plan.port) {
            self.shared.advise(advice.to_string());
        }
        let port = address.socket_addr().map(|address| address.port());
        self.feed(Event::Listening { worker, listen: Listen { port } });
    }

    /// Hears what a node worker says over its channel.
    pub(super) fn on_channel(&mut self, worker: WorkerId, said: FromWorker) {
        match said {
            FromWorker::Wants { query, wanted } if self.is_held(worker, &wanted) => {
                self.hold(worker, query, wanted);
            }
            FromWorker::Wants { query, wanted } => self.give(worker, &query, &wanted),
            FromWorker::Listening(listening) => self.on_cluster_listening(worker, &listening),
            FromWorker::Closed { server, left } => self.on_server_closed(worker, server, left),
            FromWorker::Connection { seq, taken } => self.on_connection_answered(worker, seq, taken),
            FromWorker::DescriptorLost => self.on_descriptor_lost(worker),
            FromWorker::Said(message) => self.on_message(worker, &message),
            FromWorker::Report(report) => self.on_report(worker, &report),
            FromWorker::Pulse => self.feed(Event::Pulse { worker, beat: Beat::Turned }),
            FromWorker::Ended => self.feed(Event::Pulse { worker, beat: Beat::Unheard }),
            FromWorker::Ignored(what) => tracing::debug!(worker = worker.0, ?what, "message ignored"),
            FromWorker::Online | FromWorker::Leaving => {}
        }
    }

    fn on_server_closed(&mut self, id: WorkerId, server: ServerId, left: ServersLeft) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.servers.retain(|(known, _)| *known != server);
        }
        if left == ServersLeft::None {
            self.disconnect_if_done(id);
        }
    }

    pub(super) fn give(&mut self, id: WorkerId, query: &Query, wanted: &Wanted) {
        let Some(instance) = self.workers.get(id).map(|worker| worker.instance) else { return };
        let outcome = self.obtain(self.socket_owner(instance), wanted);
        let is_taken = outcome.as_ref().is_ok_and(|handed| self.has_bound(id, wanted, handed.inode));
        let Some(worker) = self.workers.get_mut(id) else { return };
        let Some(link) = &worker.link else { return };
        match outcome {
            Ok(_) if is_taken => link.answer_error(query, Errno::EADDRINUSE),
            Ok(handed) => {
                // An app may close its server and listen again for as long as it lives.
                if !worker.handed.contains(&handed.inode) {
                    worker.handed.push(handed.inode);
                }
                worker.servers.push((query.server(), handed.inode));
                link.answer_listener(query, handed.socket, &mut self.tickets);
                let pid = worker.pid;
                if let Some(interception) = self.workers.interception(id) {
                    interception.note_holder(handed.inode, pid);
                }
            }
            Err(Refusal::Listen(error)) => {
                link.answer_error(query, Errno(error.errno() as i32));
                self.shared.advise(error.to_string());
            }
            Err(Refusal::NoSuchDescriptor) => link.answer_error(query, Errno(libc::EBADF)),
        }
    }

    /// Whether the worker has bound that socket itself: another server of its would take its connections.
    fn has_bound(&mut self, id: WorkerId, wanted: &Wanted, inode: u64) -> bool {
        let Some(pid) = self.workers.get(id).map(|worker| worker.pid) else { return false };
        let is_tcp = matches!(wanted, Wanted::Tcp { .. });
        is_tcp && self.workers.interception(id).is_some_and(|interception| interception.is_with(inode, pid))
    }

    /// Node needs non-blocking sockets: Node 18 accepts until there is nothing left, and would hang on a blocking one.
    fn obtain(&mut self, instance: InstanceId, wanted: &Wanted) -> Result<Handed, Refusal> {
        let address = match wanted {
            Wanted::Tcp { host: None, port, index, only_v6: false, .. } => {
                return Ok(self.listeners.obtain_any(*port, *index, instance, Blocking::No)?);
            }
            Wanted::Tcp { host, port, only_v6, index, .. } => {
                let host = host.unwrap_or(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED));
                Address::Tcp { addr: SocketAddr::new(host, *port), only_v6: v6(*only_v6), index: *index }
            }
            Wanted::Udp { host, port, only_v6, index, .. } => {
                Address::Udp { addr: SocketAddr::new(*host, *port), only_v6: v6(*only_v6), index: *index }
            }
            Wanted::Unix { path, .. } => Address::Unix { path: path.clone() },
            Wanted::Fd(_) => return Err(Refusal::NoSuchDescriptor),
        };
        Ok(self.listeners.obtain(&address, instance, Blocking::No, None)?)
    }

    /// Where the worker's `listen` is not intercepted, it has set a backlog of its own choice; ours is put back.
    fn on_cluster_listening(&mut self, id: WorkerId, listening: &Listening) {
        let handed = self.workers.get(id).map(|worker| worker.handed.clone()).unwrap_or_default();
        let port = listening.port.and_then(|port| u16::try_from(port).ok());
        for inode in handed {
            // A datagram socket cannot listen, and need not.
            if let Ok(address) = self.listeners.listen(inode)
                && address.socket_addr().map(|address| address.port()) == port
            {
                self.on_listening(id, &address);
                return;
            }
        }
        self.feed(Event::Listening { worker: id, listen: Listen { port } });
    }
}

/// Why a worker does not get a socket.
enum Refusal {
    Listen(ListenError),
    /// `listen({fd})` means a descriptor of ours, and we were given none.
    NoSuchDescriptor,
}

impl From<ListenError> for Refusal {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

fn v6(only: bool) -> OnlyV6 {
    if only { OnlyV6::Yes } else { OnlyV6::No }
}
