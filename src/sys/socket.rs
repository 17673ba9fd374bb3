//! `listen` with any backlog, the length of a listening socket's queue, and `accept` out of it.
#![expect(unsafe_code, reason = "nix caps the backlog at a compile-time constant and has no TCP_INFO")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, accept4, socket};

// States of the kernel's `include/net/tcp_states.h`.
const STATE_CLOSE: u8 = 7;
const STATE_LISTEN: u8 = 10;

/// The leading words of `struct tcp_info` that we ask for: the state is the first byte, and in a listening socket
/// `tcpi_unacked` (word 6) counts the connections that wait to be accepted, `tcpi_sacked` (word 7) being their limit. In a
/// connection, words 32 and 33 are `tcpi_bytes_received`.
const INFO_WORDS: usize = 34;

/// The queue of a listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpQueue {
    /// Connections that are established and wait to be accepted.
    pub waiting: u32,
    /// How many may wait (the backlog).
    pub limit: u32,
}

/// Makes `socket` listen with `backlog`, which the kernel cuts down to `net.core.somaxconn`. On a socket that listens
/// already only the backlog changes.
pub fn listen(socket: &impl AsFd, backlog: u32) -> Result<(), Errno> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: the descriptor is borrowed for the whole call, and listen(2) takes no pointer.
    let result = unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog) };
    Errno::result(result).map(drop)
}

/// The queue of `socket`, or `None` where it does not listen. Fails where it is no TCP socket.
pub fn tcp_queue(socket: &impl AsFd) -> Result<Option<TcpQueue>, Errno> {
    let info = tcp_info(socket)?;
    Ok((state(&info) == STATE_LISTEN).then_some(TcpQueue { waiting: info[6], limit: info[7] }))
}

/// Accepts a connection that waits at `socket`, which must not block, for a worker that does not block either.
pub fn accept(socket: &impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    if !flags.contains(OFlag::O_NONBLOCK) {
        // An app has taken the flag away: with the last one gone we would wait for the next.
        return Err(Errno::EINVAL);
    }
    let fd = accept4(socket.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    // SAFETY: accept4(2) has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether `socket` is, or was, one end of a connection. Fails where it is no TCP socket.
pub fn is_tcp_connection(socket: &impl AsFd) -> Result<bool, Errno> {
    Ok(![STATE_CLOSE, STATE_LISTEN].contains(&state(&tcp_info(socket)?)))
}

/// Whether nobody has read any of what came over this connection, so that another process may still serve it.
#[must_use]
pub fn is_unread(connection: &impl AsFd) -> bool {
    let Ok(info) = tcp_info(connection) else { return false };
    let [[a, b, c, d], [e, f, g, h]] = [info[32].to_ne_bytes(), info[33].to_ne_bytes()];
    unread(connection).is_ok_and(|unread| u64::from(unread) == u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
}

/// A TCP socket that is neither bound nor connected.
pub fn idle_socket() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// How many bytes wait to be read.
fn unread(connection: &impl AsFd) -> Result<u32, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, for which `count` is valid, and the descriptor is borrowed for the whole call.
    let result = unsafe { libc::ioctl(connection.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) };
    Errno::result(result)?;
    Ok(u32::try_from(count).unwrap_or(0))
}

fn state(info: &[u32; INFO_WORDS]) -> u8 {
    let [state, ..] = info[0].to_ne_bytes();
    state
}

fn tcp_info(socket: &impl AsFd) -> Result<[u32; INFO_WORDS], Errno> {
    let mut info = [0_u32; INFO_WORDS];
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).expect("32 fits in a socklen_t");
    // SAFETY: `info` is valid for writes of `length` bytes, which is all the kernel fills in, and any bytes are valid
    // as its words; `length` is a valid socklen_t, and the descriptor is borrowed for the whole call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(info)
}
