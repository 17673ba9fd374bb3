//! What a worker's query asks for, in our own words. Pure: who binds it is `listener`'s business.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::codec::{AddressType, Query};
use crate::spec::bytes;

/// libuv's UV_TCP_IPV6ONLY, which has the value of UV_UDP_IPV6ONLY.
const IPV6_ONLY: u32 = 1;
/// libuv's UV_UDP_REUSEADDR.
const UDP_REUSE_ADDRESS: u32 = 4;

/// An error number of the kernel, positive as in errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The address cannot be read.
    pub const EINVAL: Self = Self(22);
    /// The address is taken.
    pub const EADDRINUSE: Self = Self(98);
}

/// The socket that a worker wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// A listening TCP socket.
    Tcp {
        /// `None`: any address, `::` for both families first and 0.0.0.0 where there is no IPv6.
        host: Option<IpAddr>,
        /// 0: any free one, the same for every worker with the same `index`.
        port: u16,
        /// Whether `::` shall not take IPv4 connections.
        only_v6: bool,
        /// Tells the sockets of one worker with port 0 apart.
        index: u32,
        /// The length of its queue.
        backlog: u32,
    },
    /// A bound UDP socket; every worker gets the same.
    Udp {
        host: IpAddr,
        port: u16,
        only_v6: bool,
        /// Whether others may bind the address too (`reuseAddr`).
        reuse_address: bool,
        index: u32,
    },
    /// A listening Unix stream socket.
    Unix {
        /// Absolute, as resolved by the worker.
        #[serde(with = "bytes::one")]
        path: PathBuf,
        /// Whether all users may read from, and write to, the file.
        readable_all: bool,
        writable_all: bool,
        backlog: u32,
    },
    /// The socket that is descriptor number so-and-so of ours. Any number may be asked for: give only what was passed
    /// to us for the app.
    Fd(i32),
}

impl Wanted {
    /// Reads a query.
    ///
    /// # Errors
    /// `EINVAL` where it names no address that there could be.
    pub fn of(query: &Query) -> Result<Self, Errno> {
        if let Some(fd) = query.fd {
            return Ok(Self::Fd(fd));
        }
        match query.address_type {
            AddressType::Tcp4 | AddressType::Tcp6 => Ok(Self::Tcp {
                host: query.host()?,
                port: query.port()?,
                only_v6: query.flags & IPV6_ONLY != 0,
                index: query.index,
                backlog: query.backlog,
            }),
            AddressType::Udp4 | AddressType::Udp6 => Ok(Self::Udp {
                host: query.host()?.unwrap_or(query.any_udp()),
                port: query.port()?,
                only_v6: query.flags & IPV6_ONLY != 0,
                reuse_address: query.flags & UDP_REUSE_ADDRESS != 0,
                index: query.index,
            }),
            AddressType::Unix => Ok(Self::Unix {
                path: query.path()?,
                readable_all: query.readable_all,
                writable_all: query.writable_all,
                backlog: query.backlog,
            }),
            AddressType::Unsaid | AddressType::Unknown => Err(Errno::EINVAL),
        }
    }

    /// Whether one process could not have both: the same port at addresses that overlap, or the same file.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Tcp { host, port, only_v6, .. },
                Self::Tcp { host: host2, port: port2, only_v6: only2, .. },
            ) => port == port2 && *port != 0 && overlap((*host, *only_v6), (*host2, *only2)),
            (
                Self::Udp { host, port, only_v6, reuse_address, .. },
                Self::Udp { host: host2, port: port2, only_v6: only2, reuse_address: reuse2, .. },
            ) => {
                let shared = *reuse_address && *reuse2;
                port == port2
                    && *port != 0
                    && !shared
                    && overlap((Some(*host), *only_v6), (Some(*host2), *only2))
            }
            (Self::Unix { path, .. }, Self::Unix { path: path2, .. }) => path == path2,
            (Self::Fd(fd), Self::Fd(fd2)) => fd == fd2,
            _ => false,
        }
    }
}

/// Whether two hosts share an address, as the kernel sees it: `::` without IPV6_V6ONLY takes IPv4 too.
fn overlap((a, a_only_v6): (Option<IpAddr>, bool), (b, b_only_v6): (Option<IpAddr>, bool)) -> bool {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match (a.unwrap_or(any), b.unwrap_or(any)) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V6(a), IpAddr::V6(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V6(six), IpAddr::V4(_)) => six.is_unspecified() && !a_only_v6,
        (IpAddr::V4(_), IpAddr::V6(six)) => six.is_unspecified() && !b_only_v6,
    }
}

impl Query {
    fn host(&self) -> Result<Option<IpAddr>, Errno> {
        match self.address.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| Errno::EINVAL),
        }
    }

    fn any_udp(&self) -> IpAddr {
        match self.address_type {
            AddressType::Udp6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    fn port(&self) -> Result<u16, Errno> {
        u16::try_from(self.port.unwrap_or(0)).map_err(|_| Errno::EINVAL)
    }

    fn path(&self) -> Result<PathBuf, Errno> {
        match self.address.as_deref() {
            None | Some("") => Err(Errno::EINVAL),
            Some(path) => Ok(PathBuf::from(path)),
        }
    }
}
