//! Advice on where an app listens. Pure.

use std::fmt;
use std::net::SocketAddr;

use crate::listener::Address;

/// Something that the people of an app that binds an address should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Advice {
    /// In a container, nobody outside reaches the loopback interface.
    Loopback { found: SocketAddr },
    /// It runs as another user than we do, where root has no CAP_SYS_PTRACE, as in Docker.
    Closed,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { found } => write!(
                f,
                "the app listens on {found}, which nobody outside this container can reach: let it listen on 0.0.0.0 \
                 or [::], port {}",
                found.port()
            ),
            Self::Closed => f.write_str(
                "a worker binds an address as another user than ours, and cannot be given a shared socket, because \
                 looking into it needs CAP_SYS_PTRACE: change the user before pmr-runtime starts, not after \
                 (`setpriv … pmr-runtime COMMAND`, or USER in the Dockerfile)",
            ),
        }
    }
}

/// What to say of an app that listens on `address`.
pub(super) fn on_listening(address: &Address, in_container: bool, port: Option<u16>) -> Option<Advice> {
    let Address::Tcp { addr, .. } = address else { return None };
    let is_the_servers = port.is_none_or(|port| port == addr.port());
    (in_container && addr.ip().is_loopback() && is_the_servers).then_some(Advice::Loopback { found: *addr })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::OnlyV6;

    fn tcp(addr: &str) -> Address {
        Address::Tcp { addr: addr.parse().unwrap(), only_v6: OnlyV6::No, index: 0 }
    }

    #[test]
    fn the_loopback_address_is_told_in_a_container_only() {
        let advice = on_listening(&tcp("127.0.0.1:5000"), true, Some(5000)).unwrap();
        assert!(advice.to_string().contains("127.0.0.1:5000"), "{advice}");
        assert_eq!(on_listening(&tcp("127.0.0.1:5000"), false, Some(5000)), None);
        assert_eq!(on_listening(&tcp("0.0.0.0:5000"), true, Some(5000)), None);
    }

    #[test]
    fn a_change_of_user_is_told_with_its_remedy() {
        assert!(Advice::Closed.to_string().contains("change the user before pmr-runtime starts"));
    }

    #[test]
    fn an_inspector_on_the_loopback_is_no_mistake() {
        assert_eq!(on_listening(&tcp("127.0.0.1:9229"), true, Some(5000)), None);
    }
}
