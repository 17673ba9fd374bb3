//! Why an address could not be had, in words for people.

use nix::errno::Errno;

use super::address::Address;
use super::registry::MOST_ADDRESSES;

/// An address that could not be bound, or a socket that could not be made to listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The kernel refused.
    #[error("cannot listen on `{address}`: {}", reason(.address, *.errno))]
    Refused { address: Address, errno: Errno },
    /// We hold as many sockets as we share at most, since each costs a descriptor for good.
    #[error(
        "the app listens on more than {MOST_ADDRESSES} addresses: from now on, each worker has new ones for itself"
    )]
    TooMany,
    /// The socket that was named is none of ours.
    #[error("socket {inode} is not one that we handed out")]
    NotOurs { inode: u64 },
}

impl ListenError {
    /// The error number that the worker's own call would have had.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Refused { errno, .. } => *errno,
            Self::TooMany => Errno::EMFILE,
            Self::NotOurs { .. } => Errno::EBADF,
        }
    }
}

/// What the kernel's answer means, and the next step where there is one.
fn reason(address: &Address, errno: Errno) -> String {
    match address {
        Address::Tcp { addr, .. } | Address::Udp { addr, .. } => internet_reason(addr.port(), errno),
        Address::Unix { .. } => file_reason(errno),
        Address::Abstract { .. } => abstract_reason(errno),
    }
}

fn internet_reason(port: u16, errno: Errno) -> String {
    match errno {
        Errno::EACCES | Errno::EPERM => {
            "permission denied (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)".to_owned()
        }
        Errno::EADDRINUSE => {
            format!("port {port} is used by another process (end that one, or choose another port)")
        }
        Errno::EADDRNOTAVAIL => {
            "this machine does not have that address (`0.0.0.0` and `::` stand for all that it has)"
                .to_owned()
        }
        Errno::EAFNOSUPPORT => "this machine has no IPv6 (use an IPv4 address)".to_owned(),
        other => other.desc().to_lowercase(),
    }
}

fn file_reason(errno: Errno) -> String {
    match errno {
        Errno::EADDRINUSE => {
            "the file exists, and another process made it (remove it when no server uses it any more)"
                .to_owned()
        }
        Errno::EACCES | Errno::EPERM => "permission denied (its directory must be writable)".to_owned(),
        Errno::EROFS => "the file system is read-only (choose a directory that is writable)".to_owned(),
        Errno::ENOENT => "its directory does not exist".to_owned(),
        Errno::ENAMETOOLONG => "the path is longer than the 107 bytes that the kernel accepts".to_owned(),
        other => other.desc().to_lowercase(),
    }
}

fn abstract_reason(errno: Errno) -> String {
    match errno {
        Errno::EADDRINUSE => "another process uses that name".to_owned(),
        Errno::ENAMETOOLONG => "the name is longer than the 107 bytes that the kernel accepts".to_owned(),
        other => other.desc().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::OnlyV6;

    fn refused(address: Address, errno: Errno) -> String {
        ListenError::Refused { address, errno }.to_string()
    }

    #[test]
    fn a_refusal_says_what_was_found_and_what_to_do() {
        let port = |addr: &str| Address::Tcp { addr: addr.parse().unwrap(), only_v6: OnlyV6::No, index: 0 };
        assert_eq!(
            refused(port("0.0.0.0:80"), Errno::EACCES),
            "cannot listen on `0.0.0.0:80`: permission denied (ports below 1024 need root or the capability \
             CAP_NET_BIND_SERVICE)"
        );
        assert_eq!(
            refused(port("[::]:5000"), Errno::EADDRINUSE),
            "cannot listen on `[::]:5000`: port 5000 is used by another process (end that one, or choose another \
             port)"
        );
        assert_eq!(
            refused(Address::Unix { path: "/nowhere/app.sock".into() }, Errno::ENOENT),
            "cannot listen on `/nowhere/app.sock`: its directory does not exist"
        );
    }

    #[test]
    fn an_unforeseen_errno_is_told_in_the_kernels_words() {
        let address = Address::Abstract { name: b"app".to_vec() };
        assert_eq!(refused(address, Errno::EMFILE), "cannot listen on `@app`: too many open files");
    }
}
