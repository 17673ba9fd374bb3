//! Carries out what the supervisor asks for.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::app::App;
use super::clock;
use super::tell::Telling;
use super::workers::Stop;
use crate::handover::cluster::Taken;
use crate::logs::WorkerLogs;
use crate::process::Signal;
use crate::spec::{Asking, InstanceId, Reach, WorkerId};
use crate::supervisor::{Action, CalledOff, Notice, Recipient, Subject};
use crate::sys::signals::{signal_group, signal_process};

/// The message, as JSON.
const SHUTDOWN: &str = "\"shutdown\"";

impl App {
    /// Does all that is to be done, in order. A spawn is answered before anything else happens.
    pub(super) fn perform(&mut self) {
        let (mut listening, mut schedule, mut is_to_prepare) = (Vec::new(), None, false);
        while let Some(action) = self.todo.pop_front() {
            match action {
                Action::Spawn { worker, instance, generation, parking } => {
                    let answer = self.spawn(worker, instance, (generation, parking));
                    let actions = self.supervisor.handle(self.shared.clock.now(), answer);
                    self.todo.extend(actions);
                }
                Action::Release { worker, instance } => listening.extend(self.release(worker, instance)),
                Action::Drain { worker, signal } => self.begin_drain(worker, signal),
                Action::Stop { worker, signal } => self.stop(worker, signal),
                Action::Kill { worker } => self.kill(worker),
                Action::Forward { worker, signal, to } => self.forward(worker, signal, to),
                Action::Suspend => self.shared.suspending.set(true),
                Action::Serve { instances } => self.listeners.serve(&instances),
                Action::StopListening => self.listeners.stop_listening(),
                Action::Adopt { ticket, generation } => self.begin_generation(ticket, generation),
                Action::Check { subject, generation, probe } => self.begin_check(subject, generation, probe),
                Action::EndCheck { subject } => self.end_check(subject),
                Action::Ping { worker } => self.ping(worker),
                Action::Prepare => is_to_prepare = true,
                Action::Schedule { pattern, mark } => schedule = Some((pattern, mark)),
                Action::Measure { workers } => self.measure(&workers),
                Action::Report { worker, cause } => self.report(worker, cause),
                Action::Answer { ticket, answer } => self.answered(ticket, answer),
                Action::Notice(notice) => self.notice(notice),
                Action::Exit { status } => self.over(status),
            }
        }
        for (worker, address) in listening {
            self.on_listening(worker, &address);
        }
        if let Some((pattern, mark)) = schedule {
            let answer = self.schedule(&pattern, mark);
            self.feed(answer);
        }
        if is_to_prepare {
            let answer = self.plan_for_changes();
            self.feed(answer);
        }
    }

    /// Asks a worker to end. If it stands still, it goes on only after that.
    fn stop(&mut self, worker: WorkerId, signal: Signal) {
        self.end_check(Subject::Worker(worker));
        self.ask_to_end(worker, signal);
        self.end_drain(worker);
    }

    fn ask_to_end(&mut self, worker: WorkerId, signal: Signal) {
        if !self.say_shutdown(worker) {
            let to = self.reached();
            self.signal(worker, signal, to);
            self.part_with_held(worker, signal, to);
        }
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.stop = Stop::Asked;
        }
        self.disconnect_if_done(worker);
    }

    /// Asks by a message, if that is wanted and there is a channel that takes it.
    fn say_shutdown(&self, worker: WorkerId) -> bool {
        let link = self.workers.get(worker).and_then(|worker| worker.link.as_ref());
        let is_wanted = self.plan().app.stop.asking == Asking::Message;
        let Some(link) = link.filter(|_| is_wanted) else { return false };
        let message = RawValue::from_string(SHUTDOWN.to_owned());
        message.is_ok_and(|message| link.send(&message) == Taken::Queued)
    }

    /// Whom of a worker a stop is for.
    fn reached(&self) -> Recipient {
        match self.plan().app.stop.reach {
            Reach::All => Recipient::Group,
            Reach::First => Recipient::Leader,
        }
    }

    /// Node ends by itself when nothing is left to do, but a cluster worker's channel keeps it: an app whose handler
    /// merely closes its server would never end. So once such a worker is asked to end and has no server left, the channel is
    /// given up in the protocol's own way. One that is held has none yet.
    pub(super) fn disconnect_if_done(&self, worker: WorkerId) {
        if let Some(worker) = self.workers.get(worker)
            && worker.stop == Stop::Asked
            && let Some(link) = &worker.link
            && (link.has_no_server() || !worker.parking.held.is_empty())
        {
            link.disconnect();
        }
    }

    fn kill(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.stop = Stop::Killed;
        }
        self.signal(worker, Signal::KILL, self.reached());
        self.end_drain(worker);
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
        match &notice {
            Notice::Scaled { to, .. } => self.resize(*to),
            Notice::Exited { instance, .. } => {
                self.exits.insert(*instance, clock::epoch_ms());
            }
            _ => {}
        }
        let (obituary, logs) = (self.obituary(&notice), self.logs_of(&notice));
        self.shared.tell(Telling { obituary, ..self.telling(notice, logs) });
    }

    /// The output of the worker that a notice is about, where its last lines matter. An ended worker's logs were put
    /// last just before the supervisor was told.
    fn logs_of(&self, notice: &Notice) -> Option<Rc<WorkerLogs>> {
        match notice {
            Notice::Exited { .. } => self.ended_logs.last().cloned(),
            Notice::ReloadCalledOff { why, instance, .. } | Notice::CheckFailed { why, instance } => {
                self.logs_of_failed(*instance, why)
            }
            _ => None,
        }
    }

    /// The output of the worker on which an order came to nothing.
    pub(super) fn logs_of_failed(&self, instance: InstanceId, why: &CalledOff) -> Option<Rc<WorkerLogs>> {
        match why {
            CalledOff::Exited(_) => self.ended_logs.last().cloned(),
            CalledOff::TimedOut(_) => self.workers.newest_of(instance).and_then(|worker| worker.logs.clone()),
            CalledOff::SpawnFailed(_) | CalledOff::Stopping | CalledOff::Overtaken => None,
        }
    }

    /// The number of instances has changed: sockets and numbers follow.
    fn resize(&mut self, instances: u32) {
        if let Err(error) = self.listeners.resize(instances) {
            tracing::warn!(%error, "cannot make a socket for the new instance");
        }
        let wanted = usize::try_from(instances).unwrap_or(usize::MAX);
        let shared = &self.shared;
        self.ids.resize_with(wanted, || shared.new_id());
    }
}
