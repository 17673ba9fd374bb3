//! Descriptors that go over an `execve` of ours to the next program of this process, which knows them by number.
#![expect(unsafe_code, reason = "makes an owned descriptor of a bare number")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

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

/// Descriptors that the next `execve` keeps open. When it is dropped, because that has failed, they are closed by the next one
/// as before.
#[derive(Debug, Default)]
pub struct Kept(Vec<RawFd>);

impl Kept {
    /// Keeps `descriptor`, and says its number. It must stay open for as long as this list lives, and nothing may be spawned.
    ///
    /// # Errors
    /// None is known of for an open descriptor.
    pub fn add(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<RawFd> {
        set_on_exec(descriptor, OnExec::Keep)?;
        self.0.push(descriptor.as_raw_fd());
        Ok(descriptor.as_raw_fd())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for &number in &self.0 {
            // SAFETY: only sets a flag of a number, which its owner has open still, and does not outlive this statement.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            // There is no error for an open descriptor; a worker that inherits one of these for once does no harm.
            let _set = set_on_exec(descriptor, OnExec::Close);
        }
    }
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
    use std::os::fd::IntoRawFd as _;

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
    fn what_was_kept_in_vain_is_closed_by_the_exec_after_that() {
        let descriptor = OwnedFd::from(File::open("/dev/null").unwrap());
        let mut kept = Kept::default();
        assert_eq!(kept.add(descriptor.as_fd()).unwrap(), descriptor.as_raw_fd());
        assert!(is_kept(&descriptor));
        drop(kept);
        assert!(!is_kept(&descriptor));
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        for number in [-1, RawFd::MAX] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(nix::libc::EBADF));
        }
    }
}
