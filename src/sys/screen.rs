//! A terminal as a screen: its keyboard key by key instead of line by line, read without ever waiting.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};

/// What a terminal was set to before.
#[derive(Debug)]
pub struct Before(Termios);

/// Has the terminal send every key at once, unchanged and without showing it. Gives what to put back later.
///
/// # Errors
/// When standard input is no terminal.
pub fn make_raw() -> io::Result<Before> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    // At once: to wait until all output is taken would take for ever on a terminal that is held (Ctrl-S).
    retried(|| tcsetattr(&stdin, SetArg::TCSANOW, &raw))?;
    Ok(Before(before))
}

/// Puts back what [`make_raw`] has given. Keys that nobody has read are dropped: they were meant for the screen.
///
/// # Errors
/// When the terminal is gone.
pub fn restore(before: &Before) -> io::Result<()> {
    let stdin = io::stdin();
    retried(|| tcsetattr(&stdin, SetArg::TCSANOW, &before.0))?;
    Ok(tcflush(&stdin, FlushArg::TCIFLUSH)?)
}

/// Standard input, to be watched.
///
/// # Errors
/// When descriptors are used up.
pub fn keyboard() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}

/// Reads what is there, and no more. The terminal is shared with others, so it stays one that blocks.
///
/// # Errors
/// `WouldBlock` when nothing is there; otherwise when the terminal is gone.
pub fn read_ready(keyboard: &OwnedFd, bytes: &mut [u8]) -> io::Result<usize> {
    let mut watched = [PollFd::new(keyboard.as_fd(), PollFlags::POLLIN)];
    if retried(|| poll(&mut watched, PollTimeout::ZERO))? == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(retried(|| nix::unistd::read(keyboard, bytes))?)
}

fn retried<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            outcome => return outcome,
        }
    }
}
