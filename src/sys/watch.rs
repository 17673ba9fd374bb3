//! Putting a descriptor under the event loop's watch.
#![expect(
    unsafe_code,
    reason = "tokio asks for a promise that a descriptor stays open, which `OwnedFd` keeps"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches `fd` for being readable or writable, as `interest` says. To be called within the event loop.
///
/// # Errors
/// When epoll refuses the descriptor (regular files) or its watches are used up.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open until it is dropped, always gives the same number, and is moved into the watch,
    // which hands out shared references only.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
