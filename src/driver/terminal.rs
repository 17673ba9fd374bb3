//! Job control. A single worker is in the terminal's foreground, and we behind it; in front of several we are ourselves.

use super::run::Driver;
use super::workers::Worker;
use crate::process::{Pid, Signal};
use crate::sys::signals::{Origin, Suspended, signal_group, suspend};
use crate::sys::terminal;

/// The next Ctrl-C is ours again.
pub(super) fn take_terminal_back() {
    if let Err(error) = terminal::take_back() {
        tracing::debug!(%error, "the terminal is gone");
    }
}

impl Driver {
    /// Ctrl-Z has stopped the worker that has the terminal. Stop as well, so that the shell gets its prompt; when the
    /// shell continues us, give the terminal back and continue the worker. Where there is no such shell, that is at once.
    /// Whoever runs us (npm, a script) has not seen the Ctrl-Z, and has to stop as well.
    pub(super) fn on_stopped(&self, pid: Pid) {
        let Some(worker) = self.terminal_owner().filter(|worker| worker.pid == pid) else { return };
        take_terminal_back();
        // Here we stand still until SIGCONT.
        let resumed = suspend(Suspended::Group).and_then(|()| terminal::give_to(worker.pid));
        if let Err(error) = resumed.and_then(|()| signal_group(worker.pid, Signal::CONT)) {
            tracing::warn!(%error, "cannot continue the stopped worker");
        }
    }

    /// What is typed goes to the worker that has the terminal. It reaches us in the moments in which we have it on the worker's
    /// behalf: before it has started, and around a Ctrl-Z.
    pub(super) fn is_for_terminal_owner(&self, origin: Origin) -> bool {
        origin == Origin::Keyboard && self.terminal_owner().is_some()
    }

    pub(super) fn pass_to_terminal_owner(&self, signal: Signal) {
        let Some(worker) = self.terminal_owner() else { return };
        if let Err(error) = signal_group(worker.pid, signal) {
            tracing::warn!(pid = worker.pid.as_raw(), %signal, %error, "cannot pass on what was typed");
        }
    }

    fn terminal_owner(&self) -> Option<&Worker> {
        self.apps.values().find_map(|app| app.workers.terminal_owner())
    }

    /// Ctrl-Z has reached us, and the workers have been told. They are continued before anything else happens: a stopped
    /// worker does not hear that it is to end.
    pub(super) fn suspend(&self) {
        // Here we stand still until SIGCONT.
        if let Err(error) = suspend(Suspended::Process) {
            tracing::warn!(%error, "cannot stop on SIGTSTP");
        }
        for group in self.groups() {
            if let Err(error) = signal_group(group, Signal::CONT) {
                tracing::warn!(pid = group.as_raw(), %error, "cannot continue a stopped worker");
            }
        }
    }
}
