//! Collects the dead: workers, whose end the supervisor is told, and orphans, who only had to be collected.

use super::app::App;
use super::log_files::forget_pid;
use super::run::Driver;
use super::terminal::take_terminal_back;
use super::workers::{Remains, Stop, Worker};
use crate::process::{ExitReason, Signal};
use crate::spec::{InstanceId, WorkerId};
use crate::supervisor::{Event, Killer, Subject, Survivors};
use crate::sys::reap::{self, Child, Reaped};
use crate::sys::signals::group_exists;

impl Driver {
    /// Collects every ended child, and tells of each worker's end in the same turn.
    pub(super) fn reap(&mut self) {
        while let Some(child) = reap::next() {
            match child {
                Child::Stopped(pid) => self.on_stopped(pid),
                Child::Ended(reaped) => self.on_ended(reaped),
            }
        }
        self.apps.values_mut().for_each(App::bury_remains);
    }

    fn on_ended(&mut self, Reaped { pid, reason }: Reaped) {
        for app in self.apps.values_mut() {
            if let Some(worker) = app.workers.by_pid(pid) {
                return app.on_ended(worker, reason);
            }
            if app.on_check_ended(pid, reason) || app.on_prepared(pid, reason) {
                return;
            }
        }
        if let Some(update) = &mut self.update {
            update.forget(pid);
        }
        if self.shared.crashes.hooks.on_ended(pid, reason) {
            return;
        }
        tracing::debug!(pid = pid.as_raw(), %reason, "orphan reaped");
    }
}

impl App {
    fn bury_remains(&mut self) {
        for (worker, remains) in self.workers.forget_remains(group_exists) {
            self.shared.forget_group(remains.group);
            self.abandon(remains.instance);
            self.feed(Event::GroupGone { worker });
        }
    }

    fn on_ended(&mut self, id: WorkerId, reason: ExitReason) {
        self.hear_last_words(id);
        self.note_last_words(id);
        let Some(mut worker) = self.workers.remove(id) else { return };
        let given = std::mem::take(&mut worker.given);
        let killer = self.killer(&worker, reason);
        let (instance, pid) = (worker.instance, worker.pid);
        let survivors = self.bury(id, worker);
        self.listeners.tend(self.socket_owner(instance));
        self.abandon(instance);
        self.feed(Event::Exited { worker: id, reason, killer, survivors });
        self.end_parting(id, pid);
        self.hand_on_all(given, instance);
    }

    fn killer(&mut self, worker: &Worker, reason: ExitReason) -> Killer {
        if worker.has_terminal {
            take_terminal_back();
        }
        // A shell reports its child's SIGKILL as its own exit code 137.
        if worker.stop != Stop::Killed && reason.status() == ExitReason::Signal(Signal::KILL).status() {
            return if self.shared.oom.borrow_mut().has_struck(self.shared.clock.now()) {
                Killer::OutOfMemory
            } else {
                Killer::Unknown
            };
        }
        if worker.has_terminal && is_a_persons_wish(reason) { Killer::Keyboard } else { Killer::Unknown }
    }

    /// Gives up what belonged to the worker, but for what its descendants still need.
    fn bury(&mut self, id: WorkerId, worker: Worker) -> Survivors {
        let Worker { pid, instance, logs, link, notify, pid_file, .. } = worker;
        drop(notify);
        if let Some(path) = pid_file {
            forget_pid(&path, pid);
        }
        self.end_check(Subject::Worker(id));
        if let Some(logs) = logs {
            self.ended_logs.retain(|logs| !logs.is_finished());
            self.ended_logs.push(logs);
        }
        if let Some(link) = link {
            link.close();
        }
        if group_exists(pid) {
            self.workers.leave_remains(id, Remains { group: pid, instance });
            return Survivors::Some;
        }
        self.shared.forget_group(pid);
        Survivors::None
    }

    fn abandon(&mut self, instance: InstanceId) {
        if !self.workers.has_any_of(instance) {
            self.listeners.abandon(instance);
        }
    }
}

/// Ctrl-C and Ctrl-\ reach a worker in the terminal's foreground, not us. Its end by them, or an orderly end of a
/// program that somebody sits in front of, is the end that this person wanted.
fn is_a_persons_wish(reason: ExitReason) -> bool {
    match reason {
        ExitReason::Code(code) => matches!(code, 0 | 130 | 131),
        ExitReason::Signal(signal) => signal == Signal::INT || signal == Signal::QUIT,
    }
}
