//! Word that somebody connects, until we do not want to hear it.
//!
//! The sockets are in an epoll of their own, which the event loop watches in turn. A socket that was taken is not told of
//! until it is watched again; one from whose queue somebody else has accepted meanwhile cannot be taken, and goes on.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How many sockets are told of at once.
const AT_ONCE: usize = 64;

/// The sockets that are watched.
#[derive(Debug)]
pub struct Arrivals(Epoll);

impl Arrivals {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Tells once, under the name `token`, when a connection comes to `socket`, or waits there already.
    ///
    /// # Errors
    /// When the kernel has no room for it.
    pub fn watch(&self, socket: &impl AsFd, token: u64) -> Result<(), Errno> {
        let mut event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, token);
        match self.0.modify(socket, &mut event) {
            Err(Errno::ENOENT) => self.0.add(socket, event),
            result => result,
        }
    }

    /// Tells nothing of `socket` until it is watched again.
    ///
    /// # Errors
    /// When it was never watched.
    pub fn ignore(&self, socket: &impl AsFd) -> Result<(), Errno> {
        self.0.modify(socket, &mut EpollEvent::empty())
    }

    /// Those to whom connections have come, and that are not watched any more.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        let mut tokens = Vec::new();
        loop {
            let mut events = [EpollEvent::empty(); AT_ONCE];
            let count = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
            tokens.extend(events[..count].iter().map(EpollEvent::data));
            if count < AT_ONCE {
                return tokens;
            }
        }
    }

    /// A descriptor that is readable while there is something to take.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.0.try_clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_is_told_of_once_until_it_is_watched_again() {
        let (one, other) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let arrivals = Arrivals::new().unwrap();
        arrivals.watch(&one, 1).unwrap();
        arrivals.watch(&other, 2).unwrap();
        assert!(arrivals.take().is_empty());
        let connect = |to: &TcpListener| TcpStream::connect(to.local_addr().unwrap()).unwrap();
        let (_first, _second) = (connect(&other), connect(&other));
        assert_eq!(arrivals.take(), [2]);
        let _third = connect(&other);
        assert!(arrivals.take().is_empty());
        arrivals.watch(&other, 2).unwrap();
        assert_eq!(arrivals.take(), [2]);
    }

    #[test]
    fn a_socket_that_is_ignored_tells_nothing() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let arrivals = Arrivals::new().unwrap();
        arrivals.watch(&socket, 1).unwrap();
        arrivals.ignore(&socket).unwrap();
        let _client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        assert!(arrivals.take().is_empty());
    }
}
