//! Job control: a worker in the terminal's foreground, and we behind it.

use super::run::Driver;
use crate::process::{Pid, Signal};
use crate::sys::signals::{signal_group, signal_process};
use crate::sys::terminal;

impl Driver {
    /// The next Ctrl-C is ours again.
    pub(super) fn take_terminal_back(&self) {
        if let Err(error) = terminal::take_back() {
            tracing::debug!(%error, "the terminal is gone");
        }
    }

    /// Ctrl-Z has stopped the worker that has the terminal. Stop as well, so that the shell gets its prompt; when the
    /// shell continues us, give the terminal back and continue the worker. A PID 1 cannot be stopped and has no shell.
    pub(super) fn on_stopped(&self, pid: Pid) {
        let Some(worker) = self.workers.terminal_owner().filter(|worker| worker.pid == pid) else { return };
        let me = std::process::id();
        if me == 1 {
            return;
        }
        self.take_terminal_back();
        let stopped = signal_process(Pid::new(me as i32), Signal::STOP);
        // Here we stand still until SIGCONT.
        let resumed = stopped.and_then(|_| terminal::give_to(worker.pid));
        if let Err(error) = resumed.and_then(|()| signal_group(worker.pid, Signal::CONT)) {
            tracing::warn!(%error, "cannot continue the stopped worker");
        }
    }
}
