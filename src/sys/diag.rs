//! What the kernel knows of the connections to our ports: who has them, and whether bytes wait on either side.
//!
//! It is asked over netlink (NETLINK_SOCK_DIAG), which any user may do, in a container too. It answers for its own
//! network namespace. gVisor has nothing of the kind, and some kernels come without the module `tcp_diag`: then
//! [`Diag::open`] or the first question fails, and whoever asks has to do without.

mod parse;
mod reading;
mod request;
mod unix;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

pub use parse::{Connection, Progress, SocketOptions, State, Traffic, parse};
pub use reading::{DOUBT, Order, Reading};
pub use unix::UnixSocket;

/// As much as the kernel puts into one piece of its answer.
const PIECE: usize = 32 * 1024;

/// The kernel's numbers of ESTABLISHED and CLOSE_WAIT, as bits.
const STATES: u32 = 1 << 1 | 1 << 8;

// The kernel's names of families have one byte here.
const FOUR: u8 = 2;
const SIX: u8 = 10;

/// Why there is nothing to be learnt of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such kind of socket.
    #[error("the kernel offers no socket diagnostics")]
    Unavailable(#[source] Errno),
    /// The kernel does not answer the question; ENOENT where it lacks `tcp_diag`.
    #[error("the kernel does not tell of connections")]
    Refused(#[source] Errno),
}

/// What a socket's own address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

/// Asks the kernel. Never waits for anything but the kernel's own walk over its table of connections.
#[derive(Debug)]
pub struct Diag {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Diag {
    /// Makes ready to ask.
    ///
    /// # Errors
    /// [`Error::Unavailable`]
    pub fn open() -> Result<Self, Error> {
        let socket = open_socket().map_err(Error::Unavailable)?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; PIECE] })
    }

    /// All established connections whose local port is one of `ports`, over IPv4 and IPv6, also those whose peer has
    /// said its last word, and those that nobody has accepted yet.
    ///
    /// # Errors
    /// [`Error::Refused`]. Where the kernel knows one family only, that is enough.
    pub fn connections(&mut self, ports: &BTreeSet<u16>) -> Result<Vec<Connection>, Error> {
        let ports: Vec<_> = ports.iter().copied().collect();
        let mut found = Vec::new();
        if !ports.is_empty() {
            self.of_both_families(|diag, family| {
                diag.ask(family, &ports, &mut |connection| found.push(connection))
            })?;
        }
        Ok(found)
    }

    /// All TCP sockets that listen: inode and address.
    ///
    /// # Errors
    /// As above.
    pub fn listening(&mut self) -> Result<Vec<(u64, SocketAddr)>, Error> {
        let mut found = Vec::new();
        self.of_both_families(|diag, family| {
            diag.answered(
                |sequence| request::listening(family, sequence),
                |piece, sequence| {
                    parse(piece, sequence, |socket| {
                        found.extend(socket.inode.map(|inode| (inode, socket.local)));
                    })
                },
            )
        })?;
        Ok(found)
    }

    /// All Unix-domain sockets with a name that listen.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn unix_listening(&mut self) -> Result<Vec<UnixSocket>, Error> {
        self.unix(request::Unix::Listening)
    }

    /// All Unix-domain sockets with a name that are connected: those that were accepted, or still wait for it.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn unix_accepted(&mut self) -> Result<Vec<UnixSocket>, Error> {
        self.unix(request::Unix::Connected)
    }

    fn unix(&mut self, which: request::Unix) -> Result<Vec<UnixSocket>, Error> {
        let mut found = Vec::new();
        let read =
            |piece: &[u8], sequence| parse::entries(piece, sequence, |body| found.extend(unix::socket(body)));
        self.answered(|sequence| request::unix(which, sequence), read).map_err(Error::Refused)?;
        Ok(found)
    }

    /// Where the kernel knows one family only, that is enough.
    fn of_both_families(
        &mut self,
        mut ask: impl FnMut(&mut Self, u8) -> Result<(), Errno>,
    ) -> Result<(), Error> {
        let four = ask(self, FOUR);
        let six = ask(self, SIX);
        four.or(six).map_err(Error::Refused)
    }

    /// The same, of sockets of one family. Whatever comes to a socket that is bound to an IPv6 address is of that family, also
    /// if it comes over IPv4. Half the work for the kernel, which goes through all connections of the machine.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn connections_of(
        &mut self,
        family: Family,
        ports: &BTreeSet<u16>,
    ) -> Result<Vec<Connection>, Error> {
        let mut found = Vec::new();
        self.each_connection_of(family, ports, |connection| found.push(connection))?;
        Ok(found)
    }

    /// The same, one after the other, so that nobody has to keep them all.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn each_connection_of(
        &mut self,
        family: Family,
        ports: &BTreeSet<u16>,
        mut found: impl FnMut(Connection),
    ) -> Result<(), Error> {
        let ports: Vec<_> = ports.iter().copied().collect();
        let family = match family {
            Family::V4 => FOUR,
            Family::V6 => SIX,
        };
        if ports.is_empty() { Ok(()) } else { self.ask(family, &ports, &mut found).map_err(Error::Refused) }
    }

    fn ask(&mut self, family: u8, ports: &[u16], found: &mut impl FnMut(Connection)) -> Result<(), Errno> {
        self.answered(
            |sequence| request::dump(family, STATES, ports, sequence),
            |piece, sequence| parse(piece, sequence, &mut *found),
        )
    }

    /// Puts the question with a number, and has all pieces of the answer read.
    fn answered(
        &mut self,
        question: impl FnOnce(u32) -> Vec<u8>,
        mut read: impl FnMut(&[u8], u32) -> Progress,
    ) -> Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = question(self.sequence);
        uninterrupted(|| send(self.socket.as_raw_fd(), &question, MsgFlags::empty()))?;
        loop {
            // The kernel prepares each piece before it lets us wait for it.
            let receive = || recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT);
            let length = uninterrupted(receive)?;
            match read(&self.buffer[..length], self.sequence) {
                Progress::Done => return Ok(()),
                Progress::Refused(errno) => return Err(Errno::from_raw(errno)),
                Progress::More if length == 0 => return Err(Errno::EPROTO),
                Progress::More => {}
            }
        }
    }
}

fn open_socket() -> Result<OwnedFd, Errno> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    // Connected to the kernel, it takes no message from anybody else.
    connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(socket)
}

fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Duration;

    use nix::sys::socket::{setsockopt, sockopt};

    use crate::process::Pid;
    use crate::sys::inspect::socket_inode;

    fn connections(ports: &[u16]) -> Vec<Connection> {
        Diag::open().unwrap().connections(&ports.iter().copied().collect()).unwrap()
    }

    fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn of<'a>(found: &'a [Connection], peer: &TcpStream) -> &'a Connection {
        let peer = peer.local_addr().unwrap();
        found.iter().find(|one| one.peer == peer).unwrap_or_else(|| panic!("{peer} is not in {found:?}"))
    }

    fn inode_of(socket: &impl AsRawFd) -> Option<u64> {
        socket_inode(Pid::new(i32::try_from(std::process::id()).unwrap()), socket.as_raw_fd())
    }

    #[test]
    fn connections_are_found_by_their_local_port_and_told_apart_by_their_inode() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0").unwrap());
        let ((four, four_server), (six, six_server)) = (pair(&one), pair(&other));
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let found = connections(&[port(&one), port(&other)]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(of(&found, &four).inode, inode_of(&four_server));
        assert_eq!(of(&found, &six).inode, inode_of(&six_server));
        assert_eq!(of(&found, &six).local, other.local_addr().unwrap());
        assert!(of(&found, &four).inode.is_some());
        let found = connections(&[port(&one)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(connections(&[]), []);
    }

    #[test]
    fn sockets_that_listen_are_found_with_their_addresses() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0").unwrap());
        let _connected = pair(&one);
        let found = Diag::open().unwrap().listening().unwrap();
        for listener in [one, other] {
            let address = listener.local_addr().unwrap();
            assert!(found.contains(&(inode_of(&listener).unwrap(), address)), "{address}: {found:?}");
        }
    }

    #[test]
    fn accepted_unix_sockets_have_the_name_of_their_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        let server = listener.accept().unwrap().0;
        let mut diag = Diag::open().unwrap();
        let is_ours = |socket: &UnixSocket| socket.name.starts_with(path.to_str().unwrap().as_bytes());
        let inodes = |found: Vec<UnixSocket>| -> Vec<u64> {
            found.into_iter().filter(is_ours).map(|socket| socket.inode).collect()
        };
        assert_eq!(inodes(diag.unix_listening().unwrap()), [inode_of(&listener).unwrap()]);
        assert_eq!(inodes(diag.unix_accepted().unwrap()), [inode_of(&server).unwrap()]);
    }

    #[test]
    fn one_that_nobody_has_accepted_has_no_inode_yet() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(of(&connections(&[waiting.peer_addr().unwrap().port()]), &waiting).inode, None);
    }

    #[test]
    fn bytes_are_counted_and_unread_ones_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, mut server) = pair(&listener);
        let look = || of(&connections(&[listener.local_addr().unwrap().port()]), &client).clone();
        let fresh = look();
        let traffic = fresh.traffic.unwrap();
        assert_eq!((traffic.received, traffic.sent), (0, Some(0)));
        assert!(traffic.since_received < Duration::from_secs(60), "{traffic:?}");

        (&client).write_all(b"question").unwrap();
        server.read_exact(&mut [0; 3]).unwrap();
        let asked = look();
        assert_eq!((asked.unread, asked.traffic.unwrap().received), (5, 8));

        server.read_exact(&mut [0; 5]).unwrap();
        server.write_all(b"an answer").unwrap();
        (&client).read_exact(&mut [0; 9]).unwrap();
        let answered = look();
        assert_eq!((answered.unread, answered.traffic.unwrap().sent), (0, Some(9)));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        assert_eq!((fresh.state, look().state), (State::Established, State::CloseWait));
    }

    #[test]
    fn bytes_that_the_peer_does_not_take_stay_in_the_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, mut server) = pair(&listener);
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 65536]).is_ok() {}
        let found = connections(&[listener.local_addr().unwrap().port()]);
        assert!(of(&found, &client).unacknowledged > 0, "{found:?}");
    }

    #[test]
    fn an_accepted_socket_shows_the_options_of_its_listener() {
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let marked = TcpListener::bind("127.0.0.1:0").unwrap();
        set_freebind(&marked);
        let (on_plain, on_marked) = (pair(&plain), pair(&marked));
        let ports = [plain.local_addr(), marked.local_addr()]
            .map(|address: std::io::Result<SocketAddr>| address.unwrap().port());
        let found = connections(&ports);
        let has = |client: &TcpStream| Some(of(&found, client).options?.has(SocketOptions::FREEBIND));
        // Kernels before 5.10 do not tell.
        if has(&on_plain.0).is_some() {
            assert_eq!((has(&on_plain.0), has(&on_marked.0)), (Some(false), Some(true)));
        }
    }

    fn set_freebind(socket: &impl AsFd) {
        setsockopt(socket, sockopt::IpFreebind, &true).unwrap();
    }

    #[test]
    fn many_connections_come_in_several_pieces() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pairs: Vec<_> = (0..300).map(|_| pair(&listener)).collect();
        let found = connections(&[listener.local_addr().unwrap().port()]);
        assert_eq!(found.len(), pairs.len());
    }
}
