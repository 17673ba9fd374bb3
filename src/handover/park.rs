//! The gate before a worker's `listen`: while it is shut, the worker is booted, but serves nobody. Pure.
//!
//! With interception the worker's thread waits in its own `listen`; over Node's cluster protocol the answer to its query is
//! withheld, and its event loop goes on. What is not the app's own port passes: an inspector's or a metrics page's must not
//! keep the app from booting to the end.

use serde::{Deserialize, Serialize};

use super::cluster::Wanted;
use crate::listener::Address;

/// Whether a worker may listen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    #[default]
    Open,
    /// It is held where it is about to listen on this TCP port; on any address where that is `None`.
    Shut { port: Option<u16> },
}

impl Gate {
    /// Whether a worker that is about to listen on `address` is held.
    #[must_use]
    pub fn holds_address(self, address: &Address) -> bool {
        match address {
            Address::Tcp { addr, .. } => self.holds_port(addr.port()),
            Address::Unix { .. } | Address::Abstract { .. } => matches!(self, Self::Shut { .. }),
            Address::Udp { .. } => false,
        }
    }

    /// Whether a worker that asks for this socket is held. One with port 0 is nobody's destination yet.
    #[must_use]
    pub fn holds(self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Tcp { port: 0, .. } | Wanted::Udp { .. } | Wanted::Fd(_) => false,
            Wanted::Tcp { port, .. } => self.holds_port(*port),
            Wanted::Unix { .. } => matches!(self, Self::Shut { .. }),
        }
    }

    fn holds_port(self, port: u16) -> bool {
        match self {
            Self::Open => false,
            Self::Shut { port: expected } => expected.is_none_or(|expected| expected == port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::OnlyV6;

    fn tcp(port: u16) -> Address {
        Address::Tcp { addr: ([0, 0, 0, 0], port).into(), only_v6: OnlyV6::No, index: 0 }
    }

    fn query(port: u16) -> Wanted {
        Wanted::Tcp { host: None, port, only_v6: false, index: 0, backlog: 511 }
    }

    #[test]
    fn an_open_gate_holds_nothing() {
        assert!(!Gate::Open.holds_address(&tcp(3000)));
        assert!(!Gate::Open.holds(&query(3000)));
        assert!(!Gate::Open.holds_address(&Address::Abstract { name: b"x".to_vec() }));
    }

    #[test]
    fn where_a_port_is_expected_others_pass() {
        let gate = Gate::Shut { port: Some(3000) };
        assert!(gate.holds_address(&tcp(3000)) && gate.holds(&query(3000)));
        assert!(!gate.holds_address(&tcp(9229)) && !gate.holds(&query(9229)));
        assert!(gate.holds_address(&Address::Unix { path: "/run/app.sock".into() }));
    }

    #[test]
    fn where_none_is_expected_any_is_held_but_one_that_the_kernel_chooses() {
        let gate = Gate::Shut { port: None };
        assert!(gate.holds_address(&tcp(9229)) && gate.holds(&query(9229)));
        assert!(!gate.holds(&query(0)));
        assert!(!gate.holds(&Wanted::Fd(4)));
    }
}
