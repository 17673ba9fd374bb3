//! A datagram socket that tells who sent each message, for sd_notify(3). Every call is non-blocking.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt};

/// A message that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// Whose it is.
    pub sender: Sender,
}

/// Whether a message may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It came whole, from a process of our own user or of root.
    Trusted,
    /// It came from another user, with descriptors, or longer than the buffer.
    Untrusted,
}

/// A socket with the abstract name `name`, which needs no file and vanishes with the socket.
///
/// # Errors
/// `AddrInUse` where somebody in our network namespace has the name.
pub fn bind_abstract(name: &[u8]) -> io::Result<UnixDatagram> {
    prepare(UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?)
}

/// A socket at the file `path`, which must not exist.
///
/// # Errors
/// As for creating a file there; also if the path has more than 107 bytes.
pub fn bind_file(path: &Path) -> io::Result<UnixDatagram> {
    prepare(UnixDatagram::bind(path)?)
}

/// Takes one message into `buffer`. Root, our own user and `user` are trusted. Descriptors that come with it are closed by the kernel.
///
/// # Errors
/// `WouldBlock` where there is none.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], user: Option<u32>) -> io::Result<Received> {
    let mut control = cmsg_space!(UnixCredentials);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut parts = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            result => break result?,
        }
    };
    let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
    // There is room for the credentials alone, so descriptors would make this an error.
    let trusted =
        message.cmsgs().is_ok_and(|mut controls| controls.any(|control| is_trusted(&control, user)));
    let sender = if whole && trusted { Sender::Trusted } else { Sender::Untrusted };
    Ok(Received { length: message.bytes, sender })
}

fn is_trusted(control: &ControlMessageOwned, user: Option<u32>) -> bool {
    // The kernel vouches for the sender's real user.
    match control {
        ControlMessageOwned::ScmCredentials(sender) => {
            let own = nix::unistd::getuid().as_raw();
            sender.uid() == 0 || sender.uid() == own || Some(sender.uid()) == user
        }
        _ => false,
    }
}

fn prepare(socket: UnixDatagram) -> io::Result<UnixDatagram> {
    setsockopt(&socket, sockopt::PassCred, &true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::socket::{ControlMessage, UnixAddr, sendmsg};

    use super::*;

    fn bound(name: &str) -> (UnixDatagram, SocketAddr) {
        let name = format!("pmr-runtime-test/{}/{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        (bind_abstract(name.as_bytes()).unwrap(), address)
    }

    #[test]
    fn a_message_of_our_own_user_is_trusted() {
        let (socket, address) = bound("own");
        let mut buffer = [0; 16];
        let none = receive(socket.as_fd(), &mut buffer, None).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
        UnixDatagram::unbound().unwrap().send_to_addr(b"READY=1", &address).unwrap();
        let received = receive(socket.as_fd(), &mut buffer, None).unwrap();
        assert_eq!(received, Received { length: 7, sender: Sender::Trusted });
    }

    #[test]
    fn a_message_that_is_cut_off_is_not_trusted() {
        let (socket, address) = bound("long");
        UnixDatagram::unbound().unwrap().send_to_addr(b"READY=1\nSTATUS=long", &address).unwrap();
        let received = receive(socket.as_fd(), &mut [0; 7], None).unwrap();
        assert_eq!(received, Received { length: 7, sender: Sender::Untrusted });
    }

    #[test]
    fn a_message_with_a_descriptor_is_not_trusted_and_the_descriptor_is_closed() {
        let (socket, address) = bound("descriptor");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let to = UnixAddr::new_abstract(address.as_abstract_name().unwrap()).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        let rights = [writer.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&rights)];
        let parts = [std::io::IoSlice::new(b"FDSTORE=1")];
        sendmsg(sender.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&to)).unwrap();
        drop(writer);
        let received = receive(socket.as_fd(), &mut [0; 64], None).unwrap();
        assert_eq!(received.sender, Sender::Untrusted);
        assert_eq!(io::Read::read(&mut reader, &mut [0; 1]).unwrap(), 0);
    }
}
