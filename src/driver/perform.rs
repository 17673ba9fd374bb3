//! Carries out what the supervisor asks for.

use std::rc::Rc;

use super::run::Driver;
use super::tell::Telling;
use super::workers::Stop;
use crate::logs::{Prefix, WorkerLogs};
use crate::process::Signal;
use crate::spec::WorkerId;
use crate::supervisor::{Action, CalledOff, Notice, Recipient};
use crate::sys::signals::{signal_group, signal_process};

impl Driver {
    /// Does all that is to be done, in order. A spawn is answered before anything else happens.
    pub(super) fn perform(&mut self) {
        while let Some(action) = self.todo.pop_front() {
            match action {
                Action::Spawn { worker, instance, generation } => {
                    let answer = self.spawn(worker, instance, generation);
                    let actions = self.supervisor.handle(self.clock.now(), answer);
                    self.todo.extend(actions);
                }
                Action::Stop { worker, signal } => self.stop(worker, signal),
                Action::Kill { worker } => self.kill(worker),
                Action::Forward { worker, signal, to } => self.forward(worker, signal, to),
                Action::Suspend => self.suspend(),
                Action::Serve { instances } => self.listeners.serve(&instances),
                Action::StopListening => self.listeners.stop_listening(),
                Action::Adopt { .. } | Action::Answer { .. } => {}
                Action::Notice(notice) => self.notice(notice),
                Action::Exit { status } => self.status = Some(status),
            }
        }
    }

    fn stop(&mut self, worker: WorkerId, signal: Signal) {
        self.signal(worker, signal, Recipient::Group);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.stop = Stop::Asked;
        }
        self.disconnect_if_done(worker);
    }

    /// Node ends by itself when nothing is left to do, but a cluster worker's channel keeps it: an app whose handler
    /// merely closes its server would never end. So once such a worker is asked to end and has no server left, the channel is
    /// given up in the protocol's own way.
    pub(super) fn disconnect_if_done(&self, worker: WorkerId) {
        if let Some(worker) = self.workers.get(worker)
            && worker.stop == Stop::Asked
            && let Some(link) = &worker.link
            && link.has_no_server()
        {
            link.disconnect();
        }
    }

    fn kill(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.stop = Stop::Killed;
        }
        self.signal(worker, Signal::KILL, Recipient::Group);
    }

    fn forward(&self, worker: WorkerId, signal: Signal, to: Recipient) {
        self.signal(worker, signal, to);
    }

    fn signal(&self, worker: WorkerId, signal: Signal, to: Recipient) {
        let Some(group) = self.workers.group(worker) else { return };
        let outcome = match to {
            Recipient::Leader => signal_process(group, signal),
            Recipient::Group => signal_group(group, signal),
        };
        if let Err(error) = outcome {
            tracing::warn!(pid = group.as_raw(), signal = %signal, %error, "cannot signal a worker");
        }
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::Ended { .. } = notice {
            self.last_notice = Some(notice);
            return;
        }
        if let Notice::Scaled { to, .. } = notice {
            self.rearrange(to);
        }
        let logs = self.logs_of(&notice);
        // The teller ends only after us.
        let _told = self.tellings.send(Telling { notice, logs });
    }

    /// The output of the worker that a notice is about, where its last lines matter. An ended worker's logs were put
    /// last just before the supervisor was told.
    fn logs_of(&self, notice: &Notice) -> Option<Rc<WorkerLogs>> {
        match notice {
            Notice::Exited { .. } | Notice::ReloadCalledOff { why: CalledOff::Exited(_), .. } => {
                self.ended_logs.last().cloned()
            }
            Notice::ReloadCalledOff { why: CalledOff::TimedOut(_), instance, .. } => {
                self.workers.newest_of(*instance).and_then(|worker| worker.logs.clone())
            }
            _ => None,
        }
    }

    /// The number of instances has changed: sockets and prefixes follow.
    fn rearrange(&mut self, instances: u32) {
        if let Err(error) = self.listeners.resize(instances) {
            tracing::warn!(%error, "cannot make a socket for the new instance");
        }
        let prefix =
            if instances > 1 || self.plan.always_prefix { Prefix::AppAndInstance } else { Prefix::None };
        self.outputs.rearrange(instances == 1, prefix, prefix);
    }
}
