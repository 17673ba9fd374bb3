//! `listen` with any backlog, and the length of a listening socket's queue.
#![expect(unsafe_code, reason = "nix caps the backlog at a compile-time constant and has no TCP_INFO")]

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

// States of the kernel's `include/net/tcp_states.h`.
const STATE_CLOSE: u8 = 7;
const STATE_LISTEN: u8 = 10;

/// The leading words of `struct tcp_info` that we ask for: the state is the first byte, and in a listening socket
/// `tcpi_unacked` (word 6) counts the connections that wait to be accepted, `tcpi_sacked` (word 7) being their limit.
const INFO_WORDS: usize = 8;

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

/// Whether `socket` is, or was, one end of a connection. Fails where it is no TCP socket.
pub fn is_tcp_connection(socket: &impl AsFd) -> Result<bool, Errno> {
    Ok(![STATE_CLOSE, STATE_LISTEN].contains(&state(&tcp_info(socket)?)))
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
