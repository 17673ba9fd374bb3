//! One socket of ours: made and bound, with what is remembered of it.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage,
    UnixAddr, bind, getsockname, setsockopt, shutdown, socket, sockopt,
};
use nix::sys::stat::fstat;
use serde::{Deserialize, Serialize};

use super::address::OnlyV6;
use crate::sys::mark;
use crate::sys::socket::{TcpQueue, is_tcp_connection, tcp_queue};

/// Whether calls on a socket wait (O_NONBLOCK is not set) or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocking {
    Yes,
    No,
}

/// Who else may bind the address of a TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// Nobody while it listens, so that a port that somebody has taken is seen as taken (EADDRINUSE).
    Nobody,
    /// The other sockets of its SO_REUSEPORT group.
    Group,
}

#[derive(Debug)]
pub(super) struct Socket {
    fd: Rc<OwnedFd>,
    inode: u64,
    /// What we made of O_NONBLOCK. The app may have changed it since, as the flag belongs to the open file.
    blocking: Blocking,
}

impl Socket {
    pub(super) fn tcp(addr: SocketAddr, only_v6: OnlyV6, reuse: Reuse, how: Blocking) -> Result<Self, Errno> {
        let made = Self::open_internet(addr, SockType::Stream, only_v6, how)?;
        setsockopt(&made, sockopt::ReuseAddr, &true)?;
        if reuse == Reuse::Group {
            made.join_group()?;
        }
        made.bind_internet(addr)?;
        Ok(made)
    }

    /// UDP takes no SO_REUSEADDR: there it would let any process of the machine take our datagrams.
    pub(super) fn udp(addr: SocketAddr, only_v6: OnlyV6, how: Blocking) -> Result<Self, Errno> {
        let made = Self::open_internet(addr, SockType::Datagram, only_v6, how)?;
        made.bind_internet(addr)?;
        Ok(made)
    }

    /// Not bound yet; see `unix::SocketFile`.
    pub(super) fn unix(how: Blocking) -> Result<Self, Errno> {
        Self::open(AddressFamily::Unix, SockType::Stream, how)
    }

    pub(super) fn abstract_name(name: &[u8], how: Blocking) -> Result<Self, Errno> {
        let made = Self::unix(how)?;
        made.bind(&UnixAddr::new_abstract(name)?)?;
        Ok(made)
    }

    fn open_internet(
        addr: SocketAddr,
        kind: SockType,
        only_v6: OnlyV6,
        how: Blocking,
    ) -> Result<Self, Errno> {
        let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let made = Self::open(family, kind, how)?;
        if addr.is_ipv6() {
            // Always said, for `net.ipv6.bindv6only` decides otherwise.
            setsockopt(&made, sockopt::Ipv6V6Only, &(only_v6 == OnlyV6::Yes))?;
        }
        Ok(made)
    }

    fn open(family: AddressFamily, kind: SockType, how: Blocking) -> Result<Self, Errno> {
        let mut flags = SockFlag::SOCK_CLOEXEC;
        if how == Blocking::No {
            flags |= SockFlag::SOCK_NONBLOCK;
        }
        let fd = socket(family, kind, flags, None)?;
        let inode = fstat(&fd)?.st_ino;
        Ok(Self { fd: Rc::new(fd), inode, blocking: how })
    }

    /// The socket `fd`, which the program before us in this process has made.
    pub(super) fn resume(fd: OwnedFd, blocking: Blocking) -> Result<Self, Errno> {
        let inode = fstat(&fd)?.st_ino;
        Ok(Self { fd: Rc::new(fd), inode, blocking })
    }

    /// What was made of O_NONBLOCK.
    pub(super) fn blocking(&self) -> Blocking {
        self.blocking
    }

    fn bind_internet(&self, addr: SocketAddr) -> Result<(), Errno> {
        match addr {
            SocketAddr::V4(addr) => self.bind(&SockaddrIn::from(addr)),
            SocketAddr::V6(addr) => self.bind(&SockaddrIn6::from(addr)),
        }
    }

    /// Binds it to `addr` again, its own address, if need be: when a socket is shut down it gives up a port that the
    /// kernel chose (though its name still shows it).
    pub(super) fn keep_port(&self, addr: SocketAddr) -> Result<(), Errno> {
        match self.bind_internet(addr) {
            // It is bound still.
            Err(Errno::EINVAL) => Ok(()),
            result => result,
        }
    }

    pub(super) fn bind_path(&self, path: &Path) -> Result<(), Errno> {
        self.bind(&UnixAddr::new(path)?)
    }

    fn bind(&self, address: &dyn SockaddrLike) -> Result<(), Errno> {
        bind(self.fd.as_raw_fd(), address)
    }

    /// Lets other sockets that say the same bind the same address; to be said before it listens.
    pub(super) fn join_group(&self) -> Result<(), Errno> {
        setsockopt(self, sockopt::ReusePort, &true)
    }

    /// Lets accepted connections be told apart by the position of their listening socket. Where the kernel does not know
    /// how, they are not.
    pub(super) fn mark(&self, position: usize) {
        let _unmarked = mark::mark(self, mark_of(position));
    }

    /// Takes a listening socket out of its group at once, whoever else has it open.
    pub(super) fn leave_group(&self) {
        // Fails only where it does not listen, and is thus in no group.
        let _not_listening = shutdown(self.fd.as_raw_fd(), Shutdown::Read);
    }

    pub(super) fn local_addr(&self) -> Result<SocketAddr, Errno> {
        let name: SockaddrStorage = getsockname(self.fd.as_raw_fd())?;
        let v4 = name.as_sockaddr_in().map(|&addr| SocketAddr::V4(SocketAddrV4::from(addr)));
        let v6 = || name.as_sockaddr_in6().map(|&addr| SocketAddr::V6(SocketAddrV6::from(addr)));
        v4.or_else(v6).ok_or(Errno::EAFNOSUPPORT)
    }

    /// Makes it what the worker's own socket was. Where the app changed the flag after its bind, as Python's asyncio
    /// does, the next worker's blocking bind leaves that alone: the worker before it may still be in its event loop,
    /// and would hang in `accept`.
    pub(super) fn set_blocking(&mut self, wanted: Blocking) -> Result<(), Errno> {
        if wanted == Blocking::No || self.blocking == Blocking::No {
            let mut flags = OFlag::from_bits_retain(fcntl(&*self, FcntlArg::F_GETFL)?);
            flags.set(OFlag::O_NONBLOCK, wanted == Blocking::No);
            fcntl(&*self, FcntlArg::F_SETFL(flags))?;
        }
        self.blocking = wanted;
        Ok(())
    }

    /// Whether calls on it do not wait, as the app has it at present.
    pub(super) fn is_non_blocking(&self) -> bool {
        let flags = fcntl(self, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        flags.is_ok_and(|flags| flags.contains(OFlag::O_NONBLOCK))
    }

    pub(super) fn fd(&self) -> &Rc<OwnedFd> {
        &self.fd
    }

    pub(super) fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether a worker has made a connection of it, as a client that binds its own port does.
    pub(super) fn is_connection(&self) -> bool {
        is_tcp_connection(self).unwrap_or(false)
    }

    /// Its queue; `None` where it does not listen, or is no TCP socket.
    pub(super) fn queue(&self) -> Option<TcpQueue> {
        tcp_queue(self).ok().flatten()
    }
}

/// There are fewer marks than there may be sockets.
pub(super) fn mark_of(position: usize) -> u8 {
    u8::try_from(position % usize::from(mark::NUMBERS)).expect("less than the marks")
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
