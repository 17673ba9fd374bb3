//! The one reaper: nothing else in the program waits for children.
//!
//! Straight on waitpid(2): nix has no name for real-time signals and fails on a child that one of them ended, after
//! the kernel has forgotten the child.
#![expect(unsafe_code, reason = "waitpid(2) with statuses that nix cannot express")]

use nix::errno::Errno;

use crate::process::{ExitReason, Pid, Signal};

/// An ended child, now collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    pub pid: Pid,
    pub reason: ExitReason,
}

/// What there was to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    Ended(Reaped),
    /// Stopped by job control (SIGTSTP, SIGSTOP, SIGTTIN, SIGTTOU); it lives.
    Stopped(Pid),
}

/// Collects one piece of news of a child, worker or orphan; `None` when there is none. Never blocks.
#[must_use]
pub fn next() -> Option<Child> {
    let mut status = 0;
    loop {
        // SAFETY: waitpid(2) writes one int, to a place that outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::WUNTRACED) };
        match pid {
            0 => return None,
            1.. if libc::WIFSTOPPED(status) => return Some(Child::Stopped(Pid::new(pid))),
            1.. => return Some(Child::Ended(Reaped { pid: Pid::new(pid), reason: reason(status) })),
            _ if Errno::last() == Errno::EINTR => {}
            // ECHILD: no children at all.
            _ => return None,
        }
    }
}

fn reason(status: i32) -> ExitReason {
    if libc::WIFSIGNALED(status) {
        let signal = Signal::from_raw(libc::WTERMSIG(status)).unwrap_or(Signal::KILL);
        return ExitReason::Signal(signal);
    }
    // The kernel keeps the low eight bits of what was passed to exit(2).
    ExitReason::Code((libc::WEXITSTATUS(status) & 0xff) as u8)
}
