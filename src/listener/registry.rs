//! Every listening socket of the runtime, found by address or by inode.
//!
//! Owned by the driver and used by it alone. Nothing here waits.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use nix::errno::Errno;

use super::address::{Address, OnlyV6};
use super::error::ListenError;
use super::group::{Group, Terms};
use super::socket::Blocking;
use super::state::{GroupState, ListenersState};
use super::watch::Watch;
use crate::spec::{BalancePolicy, InstanceId};
use crate::sys::inherited::Kept;
use crate::sys::socket::tcp_queue;

/// How many addresses are shared.
pub(super) const MOST_ADDRESSES: usize = 64;

/// The sockets that the runtime owns, and who shall get new connections.
#[derive(Debug)]
pub struct Listeners {
    pub(super) groups: Vec<Group>,
    instances: u32,
    /// `None`: all of them.
    pub(super) serving: Option<BTreeSet<InstanceId>>,
    steering_available: bool,
    balance: BalancePolicy,
    pub(super) watch: Watch,
}

/// A socket to pass on to a worker.
#[derive(Debug, Clone)]
pub struct Handed {
    /// Ours; close-on-exec.
    pub socket: Rc<OwnedFd>,
    /// By which `listen` and `by_inode` know it.
    pub inode: u64,
    /// The address as it is bound: with port 0, the port that the kernel chose.
    pub address: Address,
}

/// A socket that was recognised as ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours<'a> {
    /// The address as it is bound.
    pub address: &'a Address,
    /// Whose it is; `None` where all instances share it.
    pub instance: Option<InstanceId>,
}

/// A socket that gets no new connections.
#[derive(Debug, Clone)]
pub struct Retired(Rc<OwnedFd>);

impl Retired {
    /// Whether all that had come before has been accepted.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        !matches!(tcp_queue(&self.0), Ok(Some(queue)) if queue.waiting > 0)
    }
}

/// How one socket stands, for logs and snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The address as it is bound.
    pub address: Address,
    /// Whose it is; `None` where all instances share it.
    pub instance: Option<InstanceId>,
    /// How many connections wait to be accepted; `None` where it does not listen, or is no TCP socket.
    pub waiting: Option<u32>,
}

impl Listeners {
    /// No sockets yet, for an app of so many instances.
    #[must_use]
    pub fn new(instances: u32) -> Self {
        Self {
            groups: Vec::new(),
            instances,
            serving: None,
            steering_available: true,
            balance: BalancePolicy::default(),
            watch: Watch::default(),
        }
    }

    /// The same, with connections spread as `balance` says. Holds for addresses that were not asked for yet.
    #[must_use]
    pub fn balanced(self, balance: BalancePolicy) -> Self {
        Self { balance, ..self }
    }

    /// How connections are spread.
    #[must_use]
    pub fn balance(&self) -> BalancePolicy {
        self.balance
    }

    /// The sockets as the program before us in this process left them. An address whose sockets are not there any more is
    /// left out, and told of.
    #[must_use]
    pub fn resume(state: ListenersState, problems: &mut Vec<String>) -> Self {
        let ListenersState { groups, instances, serving, steering_available, balance } = state;
        let resume = |group: GroupState| {
            let address = group.local.clone();
            Group::resume(group, balance).map_err(|error| format!("the socket of {address} is lost: {error}"))
        };
        let mut resumed = Vec::with_capacity(groups.len());
        for group in groups {
            match resume(group) {
                Ok(group) => resumed.push(group),
                Err(problem) => problems.push(problem),
            }
        }
        let watch = Watch::default();
        let mut listeners = Self { groups: resumed, instances, serving, steering_available, balance, watch };
        // A program that was not handed over is made anew.
        listeners.steer();
        listeners
    }

    /// All that another program must know to go on, which keeps the sockets open over an `execve`.
    ///
    /// # Errors
    /// When one cannot be kept.
    pub fn state(&self, kept: &mut Kept) -> io::Result<ListenersState> {
        Ok(ListenersState {
            groups: self.groups.iter().map(|group| group.state(kept)).collect::<io::Result<_>>()?,
            instances: self.instances,
            serving: self.serving.clone(),
            steering_available: self.steering_available,
            balance: self.balance,
        })
    }

    /// The socket by which `instance` shall serve `address`: the same one each time, bound at the first. It does not
    /// listen before `listen` is called. `blocking` is what the worker's own socket is; on the first call it decides
    /// the spread. `umask` is the worker's (`None`: ours) and counts for a socket file alone.
    ///
    /// An instance beyond the number known makes that number grow.
    pub fn obtain(
        &mut self,
        address: &Address,
        instance: InstanceId,
        blocking: Blocking,
        umask: Option<u32>,
    ) -> Result<Handed, ListenError> {
        self.tend(instance);
        self.instances = self.instances.max(instance.0.saturating_add(1));
        let terms = Terms { instances: self.instances, blocking, umask, balance: self.balance };
        self.try_obtain(address.key(), instance, terms)
            .map_err(|errno| ListenError::Refused { address: address.clone(), errno })
    }

    fn try_obtain(&mut self, key: Address, instance: InstanceId, terms: Terms) -> Result<Handed, Errno> {
        let position = match self.groups.iter().position(|group| *group.key() == key) {
            Some(position) => position,
            None => {
                self.groups.push(Group::open(key, terms)?);
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[position];
        group.ensure_file(terms)?;
        group.resize(self.instances)?;
        let address = group.local().clone();
        let socket = group.socket_of(instance);
        socket.set_blocking(terms.blocking)?;
        let handed = Handed { socket: Rc::clone(socket.fd()), inode: socket.inode(), address };
        self.steer();
        Ok(handed)
    }

    /// As `obtain`, for a worker that names a port but no address: all of the machine's, IPv6 and IPv4, or where there
    /// is no IPv6 those of IPv4. (Node's cluster protocol asks so.) `index` tells several with port 0 apart.
    pub fn obtain_any(
        &mut self,
        port: u16,
        index: u32,
        instance: InstanceId,
        blocking: Blocking,
    ) -> Result<Handed, ListenError> {
        let tcp = |addr| Address::Tcp { addr, only_v6: OnlyV6::No, index };
        let dual = tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        let v4 = tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        self.obtain_either([&dual, &v4], instance, blocking)
    }

    /// The second address where the machine does not have the first.
    pub(super) fn obtain_either(
        &mut self,
        [first, second]: [&Address; 2],
        instance: InstanceId,
        blocking: Blocking,
    ) -> Result<Handed, ListenError> {
        match self.obtain(first, instance, blocking, None) {
            Err(error)
                if matches!(error.errno(), Errno::EAFNOSUPPORT | Errno::EINVAL | Errno::EADDRNOTAVAIL) =>
            {
                self.obtain(second, instance, blocking, None)
            }
            result => result,
        }
    }

    /// The socket by which `instance` serves the address of the socket with this inode: the same where all share it.
    pub fn same_for(&mut self, inode: u64, instance: InstanceId) -> Option<Handed> {
        self.tend(instance);
        let (group, _) = self.find(inode)?;
        let group = &mut self.groups[group];
        let address = group.local().clone();
        let socket = group.socket_of(instance);
        Some(Handed { socket: Rc::clone(socket.fd()), inode: socket.inode(), address })
    }

    /// To be called when a worker calls `listen` on the socket with this inode, or has done so itself. The first call
    /// really listens, with the longest queue that the kernel accepts; later ones, by whichever instance, merely see to
    /// it that this still holds. Returns the address as it is bound.
    pub fn listen(&mut self, inode: u64) -> Result<Address, ListenError> {
        let Some((position, socket)) = self.find(inode) else {
            return Err(ListenError::NotOurs { inode });
        };
        let group = &mut self.groups[position];
        let address = group.local().clone();
        let socket = if group.merge(socket) { 0 } else { socket };
        // Whoever has just called `listen` will accept.
        let forgiven = group.owner(socket).is_some_and(|owner| group.forgive(owner));
        if group.is_listening() && !group.is_changed(socket) {
            if forgiven {
                self.steer();
            }
            return Ok(address);
        }
        match group.listen() {
            Ok(()) => {
                self.steer();
                Ok(address)
            }
            Err(errno) => Err(ListenError::Refused { address, errno }),
        }
    }

    /// What the socket with this inode is, if it is one of ours.
    #[must_use]
    pub fn by_inode(&self, inode: u64) -> Option<Ours<'_>> {
        let (group, socket) = self.find(inode)?;
        let group = &self.groups[group];
        Some(Ours { address: group.local(), instance: group.owner(socket) })
    }

    pub(super) fn find(&self, inode: u64) -> Option<(usize, usize)> {
        self.groups.iter().enumerate().find_map(|(group, candidate)| {
            let socket = candidate.sockets().iter().position(|socket| socket.inode() == inode)?;
            Some((group, socket))
        })
    }

    /// Steers new connections to these instances alone, where each has a socket of its own. With none of them (or none
    /// that exists) all get connections, which then wait. Holds until the next call, for later addresses too.
    pub fn serve(&mut self, instances: &[InstanceId]) {
        self.serving = Some(instances.iter().copied().collect());
        self.steer();
    }

    /// Scales to so many instances (at least 1). Upwards, call it before the new workers start. Downwards, call `serve`
    /// without the highest instances first, let their workers accept what waits, and call it when they have ended:
    /// their sockets leave the group as soon as nobody waits in them, see `sweep`.
    pub fn resize(&mut self, instances: u32) -> Result<(), ListenError> {
        self.sweep();
        self.instances = instances.max(1);
        let mut result = Ok(());
        for group in &mut self.groups {
            if let Err(errno) = group.resize(self.instances) {
                result = Err(ListenError::Refused { address: group.local().clone(), errno });
            }
        }
        self.steer();
        result
    }

    /// To be called when the last worker of `instance` has ended. If the instance was scaled away, the connections in its
    /// socket are reset: nobody would ever answer them.
    pub fn abandon(&mut self, instance: InstanceId) {
        for group in &mut self.groups {
            group.abandon(instance);
        }
        if self.pending_close() {
            self.sweep();
        }
    }

    /// Whether this kernel steers; false once it refused, and then every connection goes where its hash falls.
    #[must_use]
    pub fn steering_available(&self) -> bool {
        self.steering_available
    }

    /// Steers by what is known, which may be out of date by now.
    pub(super) fn steer(&mut self) {
        self.watch.outdate(self.groups.iter().any(Group::is_watched));
        self.steer_all();
    }

    pub(super) fn steer_all(&mut self) {
        if !self.steering_available {
            return;
        }
        for group in &mut self.groups {
            if group.steer(&self.serving).is_err() {
                self.steering_available = false;
            }
        }
    }

    /// Whether sockets of instances that were scaled away are still open, because connections wait in them.
    #[must_use]
    pub fn pending_close(&self) -> bool {
        self.groups.iter().any(Group::has_retired)
    }

    /// Whether `address` may be obtained without having more addresses than there should be: a program that binds new
    /// names all the time, such as a pool of helper processes, must not use up our descriptors.
    #[must_use]
    pub fn has_room_for(&self, address: &Address) -> bool {
        let key = address.key();
        self.groups.len() < MOST_ADDRESSES || self.groups.iter().any(|group| *group.key() == key)
    }

    /// The sockets of `instance`, which was scaled away, in which connections may wait that only its worker can accept.
    #[must_use]
    pub fn retired(&self, instance: InstanceId) -> Vec<Retired> {
        let sockets = self.groups.iter().filter_map(|group| group.retired(instance));
        sockets.map(|socket| Retired(Rc::clone(socket.fd()))).collect()
    }

    /// As `sweep`, when a worker of `instance` has ended or asks for a socket: looks at all sockets only if one of this
    /// instance was changed, so that a thousand instances do not cost a thousand times a thousand looks.
    pub fn tend(&mut self, instance: InstanceId) {
        let is_changed = |group: &Group| group.is_changed(group.position_of(instance));
        if self.pending_close() || self.groups.iter().any(is_changed) {
            self.sweep();
        }
    }

    /// The ports and inodes of the TCP sockets from which workers of `instance` accept.
    pub fn tcp_sockets_of(&self, instance: InstanceId) -> impl Iterator<Item = (u16, u64)> {
        let of_group = move |group: &Group| {
            let port = match group.local() {
                Address::Tcp { addr, .. } => Some(addr.port()),
                Address::Udp { .. } | Address::Unix { .. } | Address::Abstract { .. } => None,
            };
            let is_its = |at: usize| group.owner(at).is_none_or(|owner| owner == instance);
            let sockets = group.sockets().iter().enumerate().filter(|(at, _)| is_its(*at));
            let inodes: Vec<_> = sockets.map(|(_, socket)| socket.inode()).collect();
            inodes.into_iter().filter_map(move |inode| Some((port?, inode)))
        };
        self.groups.iter().flat_map(of_group)
    }

    /// Closes sockets of instances that were scaled away, once nobody waits in them, and mends what a worker did to ours
    /// when it ended: it may have stopped a socket by `shutdown`, or removed its file. Looks at every socket. To be called on
    /// ticks while `pending_close`; after a worker has ended, `tend` does.
    pub fn sweep(&mut self) {
        // Our copy would keep a client's connection open, and the next to bind the port would get it.
        self.groups.retain(|group| !group.is_spoilt());
        for group in &mut self.groups {
            group.close_retired();
            group.restore_file();
            if group.is_listening() {
                // What fails now is tried again at the next call, and told to the worker that calls `listen`.
                let _tried_again = group.listen();
            }
        }
        self.steer();
    }

    /// Closes our copies and removes the socket files that are ours. Workers keep serving what they were handed; what
    /// waits in a queue that no worker holds is reset.
    pub fn stop_listening(&mut self) {
        for group in self.groups.drain(..) {
            group.remove_file();
        }
    }

    /// How each socket stands, in the order in which they were first asked for.
    #[must_use]
    pub fn addresses(&self) -> Vec<Status> {
        self.groups.iter().flat_map(statuses).collect()
    }
}

fn statuses(group: &Group) -> impl Iterator<Item = Status> {
    group.sockets().iter().enumerate().map(|(position, socket)| Status {
        address: group.local().clone(),
        instance: group.owner(position),
        waiting: socket.queue().map(|queue| queue.waiting),
    })
}

#[cfg(test)]
mod tests;
