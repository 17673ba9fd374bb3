//! The sockets of one address: one for all instances, or one for each.
//!
//! A socket per instance has the instance's number as its index in the kernel's SO_REUSEPORT group. The kernel numbers
//! them in the order of `listen`, and moves the last into the place of one that is closed. So all are made to listen
//! in order and at once, more are added at the end, and only the last is ever closed.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use nix::errno::Errno;

use super::address::{Address, OnlyV6};
use super::socket::{Blocking, Reuse, Socket};
use super::steer;
use super::unix::{Presence, SocketFile};
use crate::spec::InstanceId;
use crate::sys::reuseport::attach_program;
use crate::sys::socket::listen;

/// How the instances come by their sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    Shared,
    PerInstance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Bound,
    Listening,
}

#[derive(Debug)]
pub(super) struct Group {
    /// What was asked for.
    key: Address,
    /// What the kernel made of it: the same, with the actual port.
    local: Address,
    spread: Spread,
    phase: Phase,
    /// At least one. With a socket per instance, those from `wanted` on are retired: steered away from, and kept
    /// until their queues are empty.
    sockets: Vec<Socket>,
    wanted: usize,
    file: Option<SocketFile>,
    /// The indexes that the program in the kernel names; `None` while the kernel's own hash decides.
    steered: Option<BTreeSet<u32>>,
}

/// What a new group needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) instances: u32,
    pub(super) blocking: Blocking,
    pub(super) umask: Option<u32>,
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
        let spread = spread(&key, terms.blocking);
        let (phase, sockets) = (Phase::Bound, vec![first]);
        let mut group = Self { key, local, spread, phase, sockets, wanted: 1, file, steered: None };
        if spread == Spread::PerInstance {
            // Only now: bound with SO_REUSEPORT, it would have joined a group of somebody else without a word.
            group.sockets[0].join_group()?;
            group.resize(terms.instances)?;
        }
        Ok(group)
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
        let position = match self.spread {
            Spread::Shared => 0,
            Spread::PerInstance => usize::try_from(instance.0).unwrap_or(usize::MAX),
        };
        let last = self.sockets.len() - 1;
        &mut self.sockets[position.min(last)]
    }

    /// Has as many sockets as `instances` wants. Those beyond it are retired; `steer` has to be called next.
    pub(super) fn resize(&mut self, instances: u32) -> Result<(), Errno> {
        let (Address::Tcp { only_v6, .. }, Spread::PerInstance) = (&self.local, self.spread) else {
            return Ok(());
        };
        let addr = self.local.socket_addr().ok_or(Errno::EAFNOSUPPORT)?;
        let (wanted, only_v6) = (usize::try_from(instances.max(1)).unwrap_or(usize::MAX), *only_v6);
        while self.sockets.len() < wanted {
            let socket = self.another(addr, only_v6)?;
            self.sockets.push(socket);
            self.wanted = self.sockets.len();
        }
        self.wanted = wanted;
        Ok(())
    }

    fn another(&self, addr: SocketAddr, only_v6: OnlyV6) -> Result<Socket, Errno> {
        let socket = Socket::tcp(addr, only_v6, Reuse::Group, Blocking::Yes)?;
        if self.phase == Phase::Listening {
            listen(&socket, backlog())?;
        }
        Ok(socket)
    }

    /// Really listens on the first call; later ones do nothing.
    pub(super) fn listen(&mut self) -> Result<(), Errno> {
        if self.phase == Phase::Bound {
            let backlog = backlog();
            self.sockets.iter().try_for_each(|socket| listen(socket, backlog))?;
            self.phase = Phase::Listening;
        }
        Ok(())
    }

    /// Steers new connections to the instances of `serving` (`None`: to all; and where none of them has a socket, to
    /// all as well, since a connection has to wait somewhere). Fails where the kernel offers no steering.
    pub(super) fn steer(&mut self, serving: Option<&BTreeSet<InstanceId>>) -> Result<(), Errno> {
        if self.spread == Spread::Shared || self.phase == Phase::Bound {
            return Ok(());
        }
        let everybody: BTreeSet<u32> = (0..).take(self.wanted).collect();
        let chosen =
            serving.map(|set| set.iter().map(|id| id.0).filter(|id| everybody.contains(id)).collect());
        let chosen = chosen.filter(|set: &BTreeSet<u32>| !set.is_empty()).unwrap_or(everybody);
        // The kernel's hash does as well as a program that names all.
        let all_by_hash = self.steered.is_none() && chosen.len() == self.sockets.len();
        if all_by_hash || self.steered.as_ref() == Some(&chosen) {
            return Ok(());
        }
        let program = steer::program(&chosen).ok_or(Errno::E2BIG)?;
        attach_program(&self.sockets[0], &program)?;
        self.steered = Some(chosen);
        Ok(())
    }

    /// Whether sockets are retired, but still open.
    pub(super) fn has_retired(&self) -> bool {
        self.sockets.len() > self.wanted
    }

    /// Closes retired sockets in whose queue nobody waits, from the last on.
    pub(super) fn close_retired(&mut self) {
        while self.has_retired() && self.sockets.last().is_some_and(is_drained) {
            if let Some(socket) = self.sockets.pop() {
                // A process that still has it open would keep its index taken, and shift that of the next one added.
                socket.leave_group();
            }
        }
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
        self.phase = Phase::Bound;
        Ok(())
    }

    /// Removes the file of a Unix-domain socket.
    pub(super) fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

fn spread(key: &Address, blocking: Blocking) -> Spread {
    match (key, blocking) {
        (Address::Tcp { .. }, Blocking::Yes) => Spread::PerInstance,
        (Address::Tcp { .. }, Blocking::No)
        | (Address::Udp { .. } | Address::Unix { .. } | Address::Abstract { .. }, _) => Spread::Shared,
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
