//! The controlling terminal: who is in its foreground.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal, pthread_sigmask};
use nix::unistd::{Pid as RawPid, getpgrp, isatty, tcgetpgrp, tcsetpgrp};

use crate::process::Pid;

/// Whether standard input is a terminal in whose foreground we are, so that we may hand it on.
#[must_use]
pub fn is_ours() -> bool {
    let stdin = io::stdin();
    isatty(stdin.as_fd()).unwrap_or(false) && tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group == getpgrp())
}

/// Puts our own process group into the foreground again.
///
/// # Errors
/// When the terminal is gone.
pub fn take_back() -> io::Result<()> {
    foreground(io::stdin().as_fd(), getpgrp())
}

/// Puts the process group led by `leader` into the foreground.
///
/// # Errors
/// When the terminal or the group is gone.
pub fn give_to(leader: Pid) -> io::Result<()> {
    foreground(io::stdin().as_fd(), RawPid::from_raw(leader.as_raw()))
}

/// A process that changes the foreground from the background is stopped by SIGTTOU, unless it blocks it (tcsetpgrp(3)).
fn foreground(terminal: BorrowedFd<'_>, group: RawPid) -> io::Result<()> {
    let stopping = SigSet::from(NixSignal::SIGTTOU);
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stopping), Some(&mut before))?;
    let outcome = tcsetpgrp(terminal, group);
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    Ok(outcome?)
}
