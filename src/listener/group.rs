//! The sockets of one address: one for all instances, or one for each.
//!
//! With a socket per instance, the steering program names sockets by their index in the kernel's SO_REUSEPORT group.
//! The kernel appends a socket when it listens, and moves the last one into the place of one that stops to listen:
//! `order` repeats that. It holds as long as nobody else makes our sockets listen, and as `listen` is called after each
//! end of a worker, which may have stopped its socket: some servers call `shutdown` on it, and that stops it for every
//! process. (Had several done so, we cannot know in which order; the survivors may then be steered by the wrong number.)

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::socket::{Blocking, Reuse, Socket};
use super::state::{GroupState, SocketState};
use super::steering::Steering;
use super::unix::{Presence, SocketFile};
use crate::spec::{Balance, BalancePolicy, InstanceId};
use crate::sys::inherited::{self, Kept};
use crate::sys::socket::listen;

/// How the instances come by their sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Spread {
    Shared,
    PerInstance,
}

#[derive(Debug)]
pub(super) struct Group {
    /// What was asked for.
    key: Address,
    /// What the kernel made of it: the same, with the actual port.
    pub(super) local: Address,
    pub(super) spread: Spread,
    /// At least one. With a socket per instance the position is the instance's number, and those from `wanted` on are
    /// retired: steered away from, and kept until their queues are empty.
    pub(super) sockets: Vec<Socket>,
    pub(super) wanted: usize,
    /// The positions of retired sockets that no worker accepts from any more.
    abandoned: BTreeSet<usize>,
    file: Option<SocketFile>,
    /// Whether a worker has called `listen`.
    listening: bool,
    /// The sockets that listen, by position, in the kernel's order.
    pub(super) order: Vec<usize>,
    pub(super) steering: Steering,
    /// Of one queue that was made of several: the inodes of the sockets given up, which workers may still have.
    pub(super) former: Option<BTreeSet<u64>>,
}

/// What a new group needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) instances: u32,
    pub(super) blocking: Blocking,
    pub(super) umask: Option<u32>,
    pub(super) balance: BalancePolicy,
}

impl Group {
    /// Binds the address; nothing listens yet.
    pub(super) fn open(key: Address, terms: Terms) -> Result<Self, Errno> {
        let mut file = None;
        let first = match &key {
            Address::Tcp { addr, only_v6, .. } => {
                Socket::tcp(*addr, *only_v6, Reuse::Nobody, terms.blocking)?
            }
            Address::Udp { addr, only_v6, .. } => Socket::udp(*addr, *only_v6, terms.blocking)?,
            Address::Abstract { name } => Socket::abstract_name(name, terms.blocking)?,
            Address::Unix { path } => {
                let socket = Socket::unix(terms.blocking)?;
                file = Some(SocketFile::bind(&socket, path, terms.umask)?);
                socket
            }
        };
        let local = if key.socket_addr().is_some() { key.at(first.local_addr()?) } else { key.clone() };
        let spread = spread(&key, terms);
        let mut group = Self {
            key,
            local,
            spread,
            sockets: vec![first],
            wanted: 1,
            abandoned: BTreeSet::new(),
            file,
            listening: false,
            order: Vec::new(),
            steering: Steering::new(terms.balance),
            former: None,
        };
        if spread == Spread::PerInstance {
            // Only now: bound with SO_REUSEPORT, it would have joined a group of somebody else without a word.
            group.sockets[0].join_group()?;
            group.mark(0);
            group.resize(terms.instances)?;
        }
        Ok(group)
    }

    /// The group as the program before us in this process left it.
    pub(super) fn resume(state: GroupState, balance: BalancePolicy) -> io::Result<Self> {
        let GroupState {
            key, local, spread, wanted, abandoned, file, listening, order, steered, former, ..
        } = state;
        let take = |socket: SocketState| {
            let fd = inherited::take(socket.descriptor)?;
            Ok(Socket::resume(fd, socket.blocking)?)
        };
        let sockets: Vec<_> = state.sockets.into_iter().map(take).collect::<io::Result<_>>()?;
        if sockets.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let steering = Steering::resume(balance, steered);
        Ok(Self { key, local, spread, sockets, wanted, abandoned, file, listening, order, steering, former })
    }

    /// All that another program must know to go on, which keeps the sockets open over an `execve`.
    pub(super) fn state(&self, kept: &mut Kept) -> io::Result<GroupState> {
        let state = |socket: &Socket| {
            Ok(SocketState { descriptor: kept.add(socket.as_fd())?, blocking: socket.blocking() })
        };
        let sockets = self.sockets.iter().map(state).collect::<io::Result<_>>()?;
        Ok(GroupState {
            key: self.key.clone(),
            local: self.local.clone(),
            spread: self.spread,
            sockets,
            wanted: self.wanted,
            abandoned: self.abandoned.clone(),
            file: self.file.clone(),
            listening: self.listening,
            order: self.order.clone(),
            steered: self.steering.indexes(),
            former: self.former.clone(),
        })
    }

    pub(super) fn key(&self) -> &Address {
        &self.key
    }

    pub(super) fn local(&self) -> &Address {
        &self.local
    }

    pub(super) fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// The instance that owns the socket at `position`, if the sockets have owners.
    pub(super) fn owner(&self, position: usize) -> Option<InstanceId> {
        match self.spread {
            Spread::Shared => None,
            Spread::PerInstance => u32::try_from(position).ok().map(InstanceId),
        }
    }

    /// The socket for `instance`, which must be below the number of instances.
    pub(super) fn socket_of(&mut self, instance: InstanceId) -> &mut Socket {
        let position = self.position_of(instance);
        &mut self.sockets[position]
    }

    /// Where that one is.
    pub(super) fn position_of(&self, instance: InstanceId) -> usize {
        let position = match self.spread {
            Spread::Shared => 0,
            Spread::PerInstance => usize::try_from(instance.0).unwrap_or(usize::MAX),
        };
        position.min(self.sockets.len() - 1)
    }

    /// Whether a worker may have done something to the socket at `position` that `sweep` mends. What has never listened may be
    /// a client's connection by now, and a file may be gone; these are always looked at.
    pub(super) fn is_changed(&self, position: usize) -> bool {
        let listens_on = |socket: &Socket| socket.queue().is_some_and(|queue| queue.limit >= backlog());
        !self.listening || self.file.is_some() || !self.sockets.get(position).is_some_and(listens_on)
    }

    /// Has as many sockets as `instances` wants. Those beyond it are retired; `steer` has to be called next.
    pub(super) fn resize(&mut self, instances: u32) -> Result<(), Errno> {
        let (Address::Tcp { addr, only_v6, .. }, Spread::PerInstance) = (&self.local, self.spread) else {
            return Ok(());
        };
        let wanted = usize::try_from(instances.max(1)).unwrap_or(usize::MAX);
        let grows = self.sockets.len() < wanted;
        while self.sockets.len() < wanted {
            self.sockets.push(Socket::tcp(*addr, *only_v6, Reuse::Group, Blocking::Yes)?);
            self.wanted = self.sockets.len();
            self.mark(self.wanted - 1);
        }
        self.wanted = wanted;
        self.abandoned.retain(|&position| position >= wanted);
        if self.listening && grows { self.listen() } else { Ok(()) }
    }

    fn mark(&self, position: usize) {
        if self.steering.policy().way == Balance::Even {
            self.sockets[position].mark(position);
        }
    }

    /// Whether a worker has called `listen`.
    pub(super) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Whether a worker has connected one of the sockets instead of listening on it.
    pub(super) fn is_spoilt(&self) -> bool {
        self.sockets.iter().any(Socket::is_connection)
    }

    /// Really listens, with the longest queue that the kernel accepts. Later calls mend what a worker may have done
    /// to the sockets: shortened the queue by a `listen` of its own, or stopped one by `shutdown`.
    pub(super) fn listen(&mut self) -> Result<(), Errno> {
        let backlog = backlog();
        let limits: Vec<_> =
            self.sockets.iter().map(|socket| socket.queue().map(|queue| queue.limit)).collect();
        for (position, _) in limits.iter().enumerate().filter(|(_, limit)| limit.is_none()) {
            self.forget(position);
        }
        // A list would be searched as often as there are sockets.
        let known: BTreeSet<_> = self.order.iter().copied().collect();
        for (position, limit) in limits.into_iter().enumerate() {
            let known = known.contains(&position);
            if !known || limit.is_none_or(|limit| limit < backlog) {
                self.listen_at(position, backlog)?;
            }
            if !known {
                self.order.push(position);
                // If none was left that listened, then the kernel has made a new group, without a program.
                self.steering.forget_program();
            }
        }
        self.listening = true;
        Ok(())
    }

    fn listen_at(&self, position: usize, backlog: u32) -> Result<(), Errno> {
        let socket = &self.sockets[position];
        if let Address::Tcp { addr, .. } = &self.local {
            socket.keep_port(*addr)?;
        }
        listen(socket, backlog)
    }

    /// Repeats what the kernel does when the socket at `position` stops to listen.
    fn forget(&mut self, position: usize) {
        if let Some(index) = self.order.iter().position(|&listening| listening == position) {
            self.order.swap_remove(index);
        }
    }

    /// The socket of `instance`, if it is retired and still open.
    pub(super) fn retired(&self, instance: InstanceId) -> Option<&Socket> {
        let position = usize::try_from(instance.0).unwrap_or(usize::MAX);
        self.sockets.get(position).filter(|_| position >= self.wanted)
    }

    /// Whether sockets are retired, but still open.
    pub(super) fn has_retired(&self) -> bool {
        self.sockets.len() > self.wanted
    }

    /// The last worker of `instance` has ended. If that is retired, nobody will take what waits in its socket.
    pub(super) fn abandon(&mut self, instance: InstanceId) {
        let position = usize::try_from(instance.0).unwrap_or(usize::MAX);
        if (self.wanted..self.sockets.len()).contains(&position) {
            self.abandoned.insert(position);
        }
    }

    /// Closes retired sockets in whose queue nobody waits, or waits in vain, from the last on.
    pub(super) fn close_retired(&mut self) {
        while self.has_retired() && self.is_last_done_with() {
            if let Some(socket) = self.sockets.pop() {
                // A process that still has it open would keep it in the group, unknown to us.
                socket.leave_group();
            }
            self.abandoned.remove(&self.sockets.len());
            self.forget(self.sockets.len());
        }
    }

    fn is_last_done_with(&self) -> bool {
        let is_abandoned = self.abandoned.contains(&(self.sockets.len() - 1));
        is_abandoned || self.sockets.last().is_some_and(is_drained)
    }

    /// Makes a socket file that is gone appear again, by its second name.
    pub(super) fn restore_file(&self) {
        if let Some(file) = self.file.as_ref().filter(|file| file.presence() == Presence::Gone) {
            // What cannot be restored is bound anew when a worker asks for it the next time.
            let _bound_anew_later = file.restore();
        }
    }

    /// Sees to it that the path of a Unix-domain socket leads to ours, if need be to a new one.
    pub(super) fn ensure_file(&mut self, terms: Terms) -> Result<(), Errno> {
        let (Address::Unix { path }, Some(file)) = (&self.key, &mut self.file) else {
            return Ok(());
        };
        match file.presence() {
            Presence::Ours => return Ok(()),
            Presence::Foreign => return Err(Errno::EADDRINUSE),
            Presence::Gone if file.restore().is_ok() => return Ok(()),
            Presence::Gone => {}
        }
        let socket = Socket::unix(terms.blocking)?;
        let anew = SocketFile::bind(&socket, path, terms.umask)?;
        file.remove_hidden();
        *file = anew;
        self.sockets = vec![socket];
        self.order.clear();
        self.listening = false;
        Ok(())
    }

    /// Removes the file of a Unix-domain socket.
    pub(super) fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

fn spread(key: &Address, terms: Terms) -> Spread {
    match (key, terms.blocking, terms.balance.way) {
        (Address::Tcp { .. }, Blocking::Yes, _)
        | (Address::Tcp { .. }, _, Balance::Even | Balance::Sticky) => Spread::PerInstance,
        (Address::Tcp { .. }, Blocking::No, Balance::Shared)
        | (Address::Udp { .. } | Address::Unix { .. } | Address::Abstract { .. }, ..) => Spread::Shared,
    }
}

fn is_drained(socket: &Socket) -> bool {
    socket.queue().is_none_or(|queue| queue.waiting == 0)
}

/// The longest queue that the kernel accepts: an app's own backlog (5, in Python's http.server) makes clients wait
/// for a retry of their SYN, a second later.
fn backlog() -> u32 {
    /// The default since Linux 5.4.
    const FALLBACK: u32 = 4096;
    let read = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    read.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(FALLBACK)
}
