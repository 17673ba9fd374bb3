//! Who is at the other end of a connection, by the word of the kernel, and whether we talk to them.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Another process on a Unix socket, as it was when it connected (or began to listen).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    /// 0 where it is of a pid namespace that we do not see into: another container.
    pub pid: i32,
}

impl Peer {
    /// The one at the other end of `stream`.
    ///
    /// # Errors
    /// When `stream` is no connected Unix socket.
    pub fn of(stream: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(stream, PeerCredentials)?;
        Ok(Self { uid: credentials.uid(), pid: credentials.pid() })
    }

    /// Whether a runtime that runs as `own` answers it: root, and the same user.
    #[must_use]
    pub fn may_command(self, own: u32) -> bool {
        self.uid == 0 || self.uid == own
    }

    /// Whether a client that runs as `own` believes it to be a runtime of this machine or container. Root may look at
    /// everybody's, but must not send them its environment.
    #[must_use]
    pub fn may_be_runtime(self, own: u32) -> bool {
        self.pid != 0 && (own == 0 || self.may_command(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn root_and_the_same_user_may_command_and_nobody_else() {
        for (uid, own, may) in
            [(0, 0, true), (0, 1000, true), (1000, 1000, true), (1000, 0, false), (7, 1000, false)]
        {
            assert_eq!(Peer { uid, pid: 1 }.may_command(own), may, "{uid} {own}");
        }
    }

    #[test]
    fn a_client_believes_root_and_its_own_user_but_nobody_from_another_container() {
        assert!(Peer { uid: 0, pid: 1 }.may_be_runtime(1000));
        assert!(Peer { uid: 1000, pid: 9 }.may_be_runtime(0));
        assert!(!Peer { uid: 1001, pid: 9 }.may_be_runtime(1000));
        assert!(!Peer { uid: 1000, pid: 0 }.may_be_runtime(1000));
    }

    #[test]
    fn the_kernel_tells_who_is_at_the_other_end() {
        let (one, _other) = UnixStream::pair().unwrap();
        let me = Peer { uid: nix::unistd::geteuid().as_raw(), pid: std::process::id() as i32 };
        assert_eq!(Peer::of(&one).unwrap(), me);
    }
}
