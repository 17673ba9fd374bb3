//! A running runtime: signals, outputs, its end, and that it leaves nothing behind.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use tempfile::TempDir;

use super::capture::Capture;
use super::launch::Leftovers;
use super::wait::{self, DEADLINE};
use super::{processes, signals, words};

/// The most that an ended runtime's last workers may need to be gone from /proc.
const GONE: Duration = Duration::from_secs(10);

/// The name of the process that takes workers along should the runtime be killed.
const GUARD: &str = "pmr-guard";

/// A runtime and everything it started. Dropping it kills all of them; what outlived a runtime that had ended by
/// itself fails the test.
pub(crate) struct Runtime {
    child: Child,
    pid: i32,
    status: Option<i32>,
    pub(crate) stdout: Capture,
    pub(crate) stderr: Capture,
    home: TempDir,
    mark: String,
    leftovers: Leftovers,
}

impl Runtime {
    pub(super) fn new(
        child: Child,
        pid: i32,
        stdout: Capture,
        stderr: Capture,
        home: TempDir,
        mark: String,
        leftovers: Leftovers,
    ) -> Self {
        Self { child, pid, status: None, stdout, stderr, home, mark, leftovers }
    }

    /// The runtime's own process id, as seen from outside of any namespace.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its temporary directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The pipe to its standard input, if it was given one.
    #[track_caller]
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("started with stdin_piped")
    }

    /// The pipe from its standard output, if the test reads it itself.
    #[track_caller]
    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("started with stdout_for_test")
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, number: i32) {
        assert!(processes::signal(self.pid, number), "the runtime is gone already\n{}", self.tails());
    }

    /// All living processes that descend from this launch, the runtime (and its wrapper) included.
    pub(crate) fn processes(&self) -> BTreeSet<i32> {
        processes::marked(&self.mark)
    }

    /// The direct children of the runtime that are alive: its workers. Its guard, which is under its own name, is none.
    pub(crate) fn workers(&self) -> BTreeSet<i32> {
        let is_worker = |&pid: &i32| processes::is_alive(pid) && processes::first_word(pid) != GUARD;
        processes::children(self.pid).into_iter().filter(is_worker).collect()
    }

    /// Fails the test with `what` and the ends of both outputs.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        panic!("{what}\n{}", self.tails())
    }

    /// The ends of both outputs, for a failure's message.
    pub(crate) fn tails(&self) -> String {
        format!("--- stdout ---\n{}\n--- stderr ---\n{}\n---", self.stdout.tail(), self.stderr.tail())
    }

    /// Waits for a condition of the world; fails with `what` and the outputs.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        match wait::within(DEADLINE, probe) {
            Some(found) => found,
            None => self.fail(&format!("waited {DEADLINE:?} in vain for {what}")),
        }
    }

    /// Waits until standard error holds what `probe` looks for.
    #[track_caller]
    pub(crate) fn until_stderr<T>(&self, what: &str, probe: impl FnMut(&str) -> Option<T>) -> T {
        match self.stderr.wait(DEADLINE, probe) {
            Some(found) => found,
            None => self.fail(&format!("standard error never had {what}")),
        }
    }

    /// Waits until standard output holds what `probe` looks for.
    #[track_caller]
    pub(crate) fn until_stdout<T>(&self, what: &str, probe: impl FnMut(&str) -> Option<T>) -> T {
        match self.stdout.wait(DEADLINE, probe) {
            Some(found) => found,
            None => self.fail(&format!("standard output never had {what}")),
        }
    }

    /// Waits for a whole line of standard output that contains `part`, and gives it.
    #[track_caller]
    pub(crate) fn stdout_line(&self, part: &str) -> String {
        self.until_stdout(&format!("a line with `{part}`"), |text| words::line_with(text, &[part]))
    }

    /// Waits for a whole line of standard error that contains all of `parts`, and gives it.
    #[track_caller]
    pub(crate) fn stderr_line(&self, parts: &[&str]) -> String {
        self.until_stderr(&format!("a line with {parts:?}"), |text| words::line_with(text, parts))
    }

    /// Waits until `count` workers have been reported ready.
    #[track_caller]
    pub(crate) fn until_ready(&self, count: usize) {
        self.until_stderr(&format!("{count} ready workers"), |text| {
            (text.lines().filter(|line| words::is_ready(line)).count() >= count).then_some(())
        });
    }

    /// Its exit status if it has ended: the code, or 128 plus the number of the signal that killed it.
    pub(crate) fn try_status(&mut self) -> Option<i32> {
        if self.status.is_none() {
            let status = self.child.try_wait().unwrap()?;
            self.status = Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap()));
        }
        self.status
    }

    /// Waits for its end and gives the exit status.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        self.wait_for(DEADLINE)
    }

    /// Waits for its end, no longer than `deadline`, and gives the exit status.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, deadline: Duration) -> i32 {
        match wait::within(deadline, || self.try_status()) {
            Some(status) => {
                if self.leftovers == Leftovers::Forbidden {
                    // All that was written before the end is in the pipes now; take it in.
                    self.stdout.wait_closed(GONE);
                    self.stderr.wait_closed(GONE);
                }
                status
            }
            None => self.fail(&format!("the runtime did not end within {deadline:?}")),
        }
    }

    /// Waits for its end and requires this exit status.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, expected: i32) {
        let status = self.wait();
        assert_eq!(status, expected, "exit status\n{}", self.tails());
    }

    /// Sends SIGTERM, waits for the end and requires status 0.
    #[track_caller]
    pub(crate) fn stops(&mut self) {
        self.signal(signals::TERM);
        self.ends_with(0);
    }

    /// All of standard output once the runtime has ended.
    #[track_caller]
    pub(crate) fn final_stdout(&mut self) -> Vec<u8> {
        self.wait();
        assert!(self.stdout.wait_closed(DEADLINE), "standard output stays open\n{}", self.tails());
        self.stdout.bytes()
    }

    fn kill_everything(&mut self) {
        for pid in self.processes() {
            processes::signal(pid, signals::KILL);
        }
        // Also where the environment could not be read (another user's process in a namespace).
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let ended = self.try_status().is_some();
        let left = match (ended, self.leftovers) {
            (true, Leftovers::Forbidden) => {
                wait::within(GONE, || self.processes().is_empty().then_some(())).is_none()
            }
            _ => false,
        };
        let names: Vec<String> =
            if left { self.processes().iter().map(|&pid| describe(pid)).collect() } else { vec![] };
        self.kill_everything();
        let mark = self.mark.clone();
        let dead = wait::within(GONE, || processes::marked(&mark).is_empty().then_some(())).is_some();
        if std::thread::panicking() {
            return;
        }
        assert!(!left, "left behind by the runtime: {names:?}\n{}", self.tails());
        assert!(dead, "processes of the test cannot be killed");
    }
}

fn describe(pid: i32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
}
