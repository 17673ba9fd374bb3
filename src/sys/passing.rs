//! The way of a filter's listener from the child, before its exec, to us: SCM_RIGHTS over a socket pair.
//!
//! The child's half is written on bare system calls, because it may not allocate; ours uses nix.
#![expect(unsafe_code, reason = "the child may not allocate, so it fills the control message by hand")]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg, socketpair,
};

/// A pair of connected sockets, ours and the child's.
///
/// # Errors
/// When there are no descriptors left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Room for one descriptor in a control message, aligned as its header demands.
#[repr(C)]
union Control {
    header: libc::cmsghdr,
    bytes: [u8; 64],
}

/// Sends the listener, or the errno that stands in its stead. Async-signal-safe.
///
/// # Errors
/// The errno of sendmsg(2).
pub fn send(channel: RawFd, listener: Result<RawFd, Errno>) -> Result<(), Errno> {
    let mut word = listener.map_or_else(|errno| errno as i32, |_| 0).to_ne_bytes();
    let mut part = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: word.len() };
    let mut control = Control { bytes: [0; 64] };
    // SAFETY: an all-zero msghdr is valid: no name, no parts, no control message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Ok(fd) = listener {
        message.msg_control = (&raw mut control).cast();
        // SAFETY: CMSG_SPACE only computes; the header and the int behind it lie within `control`, which has room for
        // both and outlives the call.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        }
    }
    // SAFETY: everything the message points to outlives the call.
    Errno::result(unsafe { libc::sendmsg(channel, &raw const message, libc::MSG_NOSIGNAL) }).map(drop)
}

/// Takes what the child sent. To be called after its exec has succeeded, so it is there already.
///
/// # Errors
/// The errno for which the child has no filter.
pub fn receive(channel: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut word = [0; 4];
    let mut parts = [IoSliceMut::new(&mut word)];
    let mut room = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<UnixAddr>(channel.as_raw_fd(), &mut parts, Some(&mut room), flags)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control
            && let Some(&fd) = fds.first()
        {
            // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
    Err(Errno::from_raw(i32::from_ne_bytes(word)))
}
