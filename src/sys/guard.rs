//! The guard: a tiny process that outlives us, should we be killed, just long enough to take the workers along.
//!
//! The kernel kills a worker's first process with us (PR_SET_PDEATHSIG), but not what that process has started: with
//! `sh -c "node server.js"` the server would stay and keep the port. A PID 1 needs no guard, because all processes of its
//! namespace end with it.
//!
//! It is this very executable under another name. It learns the workers' process groups through a pipe; when the pipe
//! ends, because we did, it kills those that are left. No signal but SIGKILL ends it before that.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::signals::{ignore_all, signal_group};
use crate::process::{Pid, Signal};

/// The name under which the executable is a guard.
pub const NAME: &str = "pmr-guard";

/// Our end of the pipe.
#[derive(Debug)]
pub struct Guard {
    pipe: ChildStdin,
}

impl Guard {
    /// Starts the guard. It is an ordinary child of ours, which the reaper collects like any orphan.
    ///
    /// # Errors
    /// When there is no /proc, or no process can be had.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0(NAME).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // A guard that does not read must not stop us.
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe })
    }

    /// The guard that the program before us in this process has started: its end of the pipe.
    #[must_use]
    pub fn resume(pipe: OwnedFd) -> Self {
        Self { pipe: pipe.into() }
    }

    /// From now on, the group led by `group` dies with us.
    pub fn watch(&mut self, group: Pid) {
        self.say(&format!("+{group}\n"));
    }

    /// The group is empty; its number may soon be somebody else's.
    pub fn forget(&mut self, group: Pid) {
        self.say(&format!("-{group}\n"));
    }

    /// A guard that is gone cannot be helped, and nothing else depends on it.
    fn say(&mut self, line: &str) {
        let _gone = self.pipe.write_all(line.as_bytes());
    }
}

impl AsFd for Guard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// The guard's own life. Returns when its work is done.
pub fn run() {
    ignore_all();
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        apply(&mut groups, &line);
    }
    for group in groups {
        // A group that cannot be signalled is gone.
        let _gone = signal_group(Pid::new(group), Signal::KILL);
    }
}

fn apply(groups: &mut BTreeSet<i32>, line: &str) {
    let number = |text: &str| text.parse().ok().filter(|group| *group > 1);
    if let Some(group) = line.strip_prefix('+').and_then(number) {
        groups.insert(group);
    } else if let Some(group) = line.strip_prefix('-').and_then(number) {
        groups.remove(&group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_and_go_and_nonsense_is_passed_over() {
        let mut groups = BTreeSet::new();
        for line in ["+12", "+13", "-12", "+0", "+-1", "+1", "x", ""] {
            apply(&mut groups, line);
        }
        assert_eq!(groups, BTreeSet::from([13]));
    }
}
