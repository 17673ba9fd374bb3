//! Keeping the first thread of a process from running on while its others do (ptrace(2)).
//!
//! Any program may do so with its own children, unless they have become another user or the machine forbids it
//! (`kernel.yama.ptrace_scope` above 1).

use std::io;

use nix::sys::ptrace;

use crate::process::Pid;

/// The first thread of a process that stood still. When the process goes on, this thread does not before this is dropped.
/// If we end before, the kernel lets it go.
#[derive(Debug)]
pub struct Detained(nix::unistd::Pid);

impl Detained {
    /// Detains it; `pid` stands still.
    ///
    /// # Errors
    /// EPERM, when it is not ours to hold; ESRCH, when it has ended.
    pub fn first_thread_of(pid: Pid) -> io::Result<Self> {
        let thread = nix::unistd::Pid::from_raw(pid.as_raw());
        ptrace::seize(thread, ptrace::Options::empty())?;
        Ok(Self(thread))
    }
}

impl Drop for Detained {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = ptrace::detach(self.0, None);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test's own child")]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use crate::process::Signal;
    use crate::sys::members::is_stopped;
    use crate::sys::signals::signal_process;

    /// Each thread writes a line with its name, again and again.
    const WRITERS: &str = "import os, threading, time
def write(name):
    while True:
        os.write(1, name + b'\\n')
        time.sleep(0.001)
threading.Thread(target=write, args=(b'other',)).start()
write(b'first')";

    #[test]
    fn the_others_run_on_without_it_until_it_is_let_go() {
        let mut command = Command::new("python3");
        let mut child = command.args(["-c", WRITERS]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let pid = Pid::new(i32::try_from(child.id()).unwrap());
        assert!(lines.any(|line| line == "first"));
        signal_process(pid, Signal::STOP).unwrap();
        while !is_stopped(pid) {
            std::thread::yield_now();
        }
        let detained = Detained::first_thread_of(pid).unwrap();
        signal_process(pid, Signal::CONT).unwrap();
        // What was written before is over with the first few of these.
        let written: Vec<_> = lines.by_ref().take(300).collect();
        drop(detained);
        assert!(written.ends_with(&vec!["other".to_owned(); 100]), "{written:?}");
        assert!(lines.any(|line| line == "first"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
