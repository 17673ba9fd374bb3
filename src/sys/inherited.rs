//! Descriptors that go over an `execve` of ours to the next program of this process, which knows them by number.
#![expect(unsafe_code, reason = "makes an owned descriptor of a bare number")]

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Whether an `execve` closes a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExec {
    Close,
    Keep,
}

/// Says what an `execve` is to do to `descriptor`. Nothing may be spawned while one is to be kept: it would inherit it.
///
/// # Errors
/// None is known of for an open descriptor.
pub fn set_on_exec(descriptor: BorrowedFd<'_>, what: OnExec) -> io::Result<()> {
    let flags = match what {
        OnExec::Close => FdFlag::FD_CLOEXEC,
        OnExec::Keep => FdFlag::empty(),
    };
    fcntl(descriptor, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

/// Takes over descriptor `number`, which an `execve` has kept for us; another one would close it. To be called once for each
/// number, and only with one that the program before us has named.
///
/// # Errors
/// When it is not open.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(nix::libc::EBADF));
    }
    // SAFETY: only asks for the flags of a number, and does not outlive this statement.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD)?;
    // SAFETY: it is open, as was just seen. The program before us owned it and has ended with the exec; nothing in this
    // one knows of it, since it was opened by neither std nor us. So we are its only owner.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    set_on_exec(descriptor.as_fd(), OnExec::Close)?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsRawFd as _, IntoRawFd as _};

    use super::*;

    fn is_kept(descriptor: &OwnedFd) -> bool {
        fcntl(descriptor, FcntlArg::F_GETFD).unwrap() == 0
    }

    #[test]
    fn a_descriptor_is_taken_over_by_its_number_and_closed_by_the_next_exec() {
        let descriptor = OwnedFd::from(File::open("/dev/null").unwrap());
        set_on_exec(descriptor.as_fd(), OnExec::Keep).unwrap();
        assert!(is_kept(&descriptor));
        let number = descriptor.into_raw_fd();
        let taken = take(number).unwrap();
        assert_eq!(taken.as_raw_fd(), number);
        assert!(!is_kept(&taken));
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        for number in [-1, RawFd::MAX] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(nix::libc::EBADF));
        }
    }
}
