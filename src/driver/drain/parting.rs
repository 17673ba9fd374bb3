//! The moment at which a worker that stands still, and has nothing left to answer, is to end by the signal that it was sent.
//!
//! When it goes on it does so with all its threads, and the signal goes to one of them. Until that one has got a CPU and has
//! ended the process, the others run, and may accept a connection that nobody will answer. So either each thread gets the
//! signal, or, where the program catches it only to end, the thread that accepts is detained meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use crate::process::{Pid, Signal};
use crate::supervisor::{Recipient, Uptime};
use crate::sys::detain::Detained;
use crate::sys::members;
use crate::sys::signals::signal_threads;

/// These have a thread of their own for signals, and the first one is the only one that accepts.
const ACCEPT_IN_THE_FIRST_THREAD: [&str; 1] = ["deno"];
/// How long such a thread is detained at most, where it cannot be told what the others do.
const DETAINED_FOR: Duration = Duration::from_secs(1);

/// The first thread of a process, detained until the others have ended the process or have shown that they do not.
#[derive(Debug)]
pub(super) struct Parting {
    pid: Pid,
    signal: Signal,
    until: Uptime,
    /// Whether nobody was at it at the last look.
    was_quiet: bool,
    _first: Detained,
}

impl Parting {
    /// Whether it is the process `pid` of which the first thread is detained.
    pub(super) fn is_of(&self, pid: Pid) -> bool {
        self.pid == pid
    }

    /// Whether there is nothing more to wait for: another thread has taken the signal, and all sleep, which two looks have shown, as
    /// one may be about to wake another. The program listens to the signal, then, and its first thread has to do what it wants
    /// done. Or it has ended.
    pub(super) fn is_over(&mut self, now: Uptime) -> bool {
        let was_quiet = self.was_quiet;
        self.was_quiet = !members::has_untaken(self.pid, self.signal) && members::others_sleep(self.pid);
        self.until <= now || was_quiet && self.was_quiet
    }
}

/// Sees to it for those of the process group to whom `signal` has been sent. They stand still, and may go on after this.
pub(super) fn part(group: Pid, signal: Signal, to: Recipient, now: Uptime) -> Vec<Parting> {
    let reached = match to {
        Recipient::Leader => vec![group],
        Recipient::Group => members::of_groups(&HashSet::from([group])).into_values().flatten().collect(),
    };
    reached.into_iter().filter_map(|pid| part_with(pid, signal, now)).collect()
}

fn part_with(pid: Pid, signal: Signal, now: Uptime) -> Option<Parting> {
    if !members::dispositions(pid)?.withstands(signal) {
        end_at_once(pid, signal);
        return None;
    }
    let program = members::program(pid)?;
    ACCEPT_IN_THE_FIRST_THREAD.iter().find(|known| program == **known)?;
    // It may be in a call that cannot be interrupted, and could not be let go then.
    if !members::is_stopped(pid) {
        return None;
    }
    match Detained::first_thread_of(pid) {
        Ok(_first) => Some(Parting { pid, signal, until: now.after(DETAINED_FOR), was_quiet: false, _first }),
        Err(error) => {
            tracing::debug!(pid = pid.as_raw(), %error, "cannot detain a thread");
            None
        }
    }
}

/// Not for one that catches the signal: it would be asked as many times as it has threads.
fn end_at_once(pid: Pid, signal: Signal) {
    if let Err(error) = signal_threads(pid, signal) {
        tracing::debug!(pid = pid.as_raw(), %error, "cannot signal the threads of a process");
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test's own child")]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};

    use crate::sys::signals::signal_process;

    const THREADS: &str = "import threading, time; \
        [threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(4)]; print(end='.', flush=True)";

    /// A process of several threads that stands still.
    fn standing(first: &str) -> (Child, Pid) {
        let mut command = Command::new("python3");
        let mut child =
            command.args(["-c", &format!("{first}{THREADS}")]).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let pid = Pid::new(i32::try_from(child.id()).unwrap());
        signal_process(pid, Signal::STOP).unwrap();
        while !members::is_stopped(pid) {
            std::thread::yield_now();
        }
        (child, pid)
    }

    /// How many of its threads have `signal` waiting for them, and how many do not.
    fn pending(pid: Pid, signal: Signal) -> (usize, usize) {
        let (with, without): (Vec<Pid>, Vec<Pid>) = members::threads(pid).partition(|thread| {
            let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap();
            let own = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap();
            u64::from_str_radix(own.trim(), 16).unwrap() & 1 << (signal.as_raw() - 1) != 0
        });
        (with.len(), without.len())
    }

    #[test]
    fn each_thread_of_one_that_stands_still_ends_before_it_runs_again() {
        let (mut child, pid) = standing("");
        assert!(part_with(pid, Signal::TERM, Uptime::default()).is_none());
        assert_eq!(pending(pid, Signal::TERM), (5, 0));
        signal_process(pid, Signal::CONT).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn one_that_fetches_the_signal_finds_it_once() {
        let block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); ";
        let (mut child, pid) = standing(block);
        assert!(part_with(pid, Signal::TERM, Uptime::default()).is_none());
        assert_eq!(pending(pid, Signal::TERM), (0, 5));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn one_that_catches_the_signal_is_not_asked_by_each_thread() {
        let (mut child, pid) = standing("import signal; signal.signal(signal.SIGTERM, print); ");
        assert!(part_with(pid, Signal::TERM, Uptime::default()).is_none());
        assert_eq!(pending(pid, Signal::TERM), (0, 5));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
