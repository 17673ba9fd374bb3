//! Keeps the descriptors that workers are handed (3 and a few more) free of ours.
//!
//! A worker's descriptors are put in place before its exec, one after the other. If one of those numbers were in use by
//! us, what is yet to be put in place could be overwritten. So the numbers are taken at start, before anything else
//! can get them, and closed by the exec.
#![expect(unsafe_code, reason = "asks whether a bare descriptor number is open")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The first descriptor that a worker may be handed, by systemd's convention (sd_listen_fds(3)).
pub const FIRST: i32 = 3;
/// How many may be handed over.
pub const COUNT: i32 = 2;

/// Opens /dev/null on 0, 1 and 2 where the platform started us without them, so that no later file gets such a number.
///
/// # Errors
/// When /dev/null is needed and missing.
pub fn fill_standard_streams() -> io::Result<()> {
    for number in 0..FIRST {
        if is_open(number) {
            continue;
        }
        let null = File::options().read(true).write(true).open("/dev/null")?;
        // The lowest free number is what open(2) returns, so this is `number`; it stays open for ever.
        std::mem::forget(null);
    }
    Ok(())
}

/// Takes the numbers from [`FIRST`] on. The returned placeholders hold them until dropped. A number that was open when
/// we were started is the platform's and left alone.
///
/// # Errors
/// When there are no descriptors left.
pub fn reserve() -> io::Result<Vec<OwnedFd>> {
    let mut held = Vec::new();
    loop {
        // The root directory, since nothing else is sure to be there: a bare root has no /dev.
        let placeholder: OwnedFd = File::open("/")?.into();
        if placeholder.as_raw_fd() >= FIRST + COUNT {
            return Ok(held);
        }
        held.push(placeholder);
    }
}

fn is_open(number: i32) -> bool {
    // SAFETY: only asks for the flags of a number, and does not outlive this statement.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_GETFD).map(FdFlag::from_bits_truncate) != Err(Errno::EBADF)
}
