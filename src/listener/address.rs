//! What a worker wants to listen on, as a key: two requests for the same address get the same socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::bytes;

/// Whether an IPv6 socket leaves IPv4 alone (IPV6_V6ONLY). Means nothing for an IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OnlyV6 {
    Yes,
    /// Dual-stack: `[::]` takes IPv4 connections as well.
    No,
}

/// An address to listen on, or for UDP to receive at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Address {
    Tcp {
        addr: SocketAddr,
        only_v6: OnlyV6,
        /// Tells several sockets with port 0 apart, so that the n-th of each worker is the same. Where the port is
        /// given it means nothing.
        index: u32,
    },
    Udp {
        addr: SocketAddr,
        only_v6: OnlyV6,
        /// As for TCP.
        index: u32,
    },
    /// A Unix-domain stream socket with a file. The path should be absolute, as seen by us.
    Unix {
        #[serde(with = "bytes::one")]
        path: PathBuf,
    },
    /// A Unix-domain stream socket in the abstract namespace; the name is without its leading NUL.
    Abstract { name: Vec<u8> },
}

impl Address {
    /// The internet address, if it is one.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { addr, .. } | Self::Udp { addr, .. } => Some(*addr),
            Self::Unix { .. } | Self::Abstract { .. } => None,
        }
    }

    /// What identifies it: itself, without what means nothing in it.
    pub(super) fn key(&self) -> Self {
        let mut key = self.clone();
        if let Self::Tcp { addr, only_v6, index } | Self::Udp { addr, only_v6, index } = &mut key {
            if addr.port() != 0 {
                *index = 0;
            }
            if addr.is_ipv4() {
                *only_v6 = OnlyV6::No;
            }
        }
        key
    }

    /// The same, at the address that the kernel says the socket has.
    pub(super) fn at(&self, actual: SocketAddr) -> Self {
        let mut result = self.clone();
        if let Self::Tcp { addr, .. } | Self::Udp { addr, .. } = &mut result {
            *addr = actual;
        }
        result
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { addr, .. } => addr.fmt(f),
            Self::Udp { addr, .. } => write!(f, "udp {addr}"),
            Self::Unix { path } => path.display().fmt(f),
            Self::Abstract { name } => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(addr: &str, only_v6: OnlyV6, index: u32) -> Address {
        Address::Tcp { addr: addr.parse().unwrap(), only_v6, index }
    }

    #[test]
    fn an_address_is_shown_as_people_write_it() {
        let shown = |address: Address| address.to_string();
        assert_eq!(shown(tcp("0.0.0.0:5000", OnlyV6::No, 3)), "0.0.0.0:5000");
        assert_eq!(shown(tcp("[::]:5000", OnlyV6::No, 0)), "[::]:5000");
        assert_eq!(shown(Address::Unix { path: "/run/app.sock".into() }), "/run/app.sock");
        assert_eq!(shown(Address::Abstract { name: b"app\0x".to_vec() }), "@app\\x00x");
    }

    #[test]
    fn the_index_counts_with_port_0_only() {
        assert_eq!(tcp("0.0.0.0:5000", OnlyV6::No, 1).key(), tcp("0.0.0.0:5000", OnlyV6::No, 0).key());
        assert_ne!(tcp("0.0.0.0:0", OnlyV6::No, 1).key(), tcp("0.0.0.0:0", OnlyV6::No, 0).key());
    }

    #[test]
    fn only_v6_counts_with_an_ipv6_address_only() {
        assert_eq!(tcp("0.0.0.0:5000", OnlyV6::Yes, 0).key(), tcp("0.0.0.0:5000", OnlyV6::No, 0).key());
        assert_ne!(tcp("[::]:5000", OnlyV6::Yes, 0).key(), tcp("[::]:5000", OnlyV6::No, 0).key());
    }
}
