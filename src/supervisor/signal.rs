//! What each signal that the runtime receives asks for, and the passing on of the rest.

use super::action::{Action, Notice, Recipient, StopReason};
use super::event::Uptime;
use super::instance::Instance;
use super::machine::{Output, Phase, Role, Supervisor};
use super::newcomer::Newcomer;
use super::reload::Order;
use crate::process::Signal;
use crate::spec::{OnHup, Reach};

impl Supervisor {
    /// The runtime received a signal.
    pub(super) fn handle_signal(&mut self, now: Uptime, signal: Signal) {
        match (self.policy.role, signal) {
            (_, Signal::CHLD) => {}
            (_, Signal::TERM) if self.puts_off(now) => {}
            (Role::Init, Signal::TERM | Signal::INT | Signal::QUIT | Signal::HUP) => {
                self.forward(signal, self.reached());
            }
            (Role::Init, _) => self.forward(signal, Recipient::Leader),
            (Role::Cluster, Signal::TERM | Signal::INT | Signal::QUIT) => {
                self.handle_stop_signal(now, signal)
            }
            (Role::Cluster, _) if !matches!(self.phase, Phase::Running) => {}
            (Role::Cluster, Signal::HUP) => match self.policy.on_hup {
                OnHup::Reload => self.begin_reload(now, Order::plain(self.policy.strategy)),
                OnHup::Forward => self.forward(signal, Recipient::Group),
            },
            (Role::Cluster, Signal::TTIN) => self.scale_up(now),
            (Role::Cluster, Signal::TTOU) => self.scale_down(now),
            (Role::Cluster, Signal::TSTP) => {
                self.forward(signal, Recipient::Group);
                self.out.push(Action::Suspend);
            }
            (Role::Cluster, _) => self.forward(signal, Recipient::Leader),
        }
    }

    /// Nobody hears our workers any more: that is a stop. A mere init passes it on as SIGTERM.
    pub(super) fn handle_output_closed(&mut self, now: Uptime) {
        if std::mem::replace(&mut self.output, Output::Closed) == Output::Closed {
            return;
        }
        match self.policy.role {
            Role::Cluster => self.begin_stop(now, StopReason::OutputClosed),
            Role::Init => {
                self.notice(Notice::Stopping { reason: StopReason::OutputClosed, workers: self.alive() });
                self.forward(Signal::TERM, self.reached());
            }
        }
    }

    /// Whom of a worker a request to end is for.
    pub(super) fn reached(&self) -> Recipient {
        match self.policy.stop.reach {
            Reach::All => Recipient::Group,
            Reach::First => Recipient::Leader,
        }
    }

    /// Passes a signal on to every worker that is not leaving.
    pub(super) fn forward(&mut self, signal: Signal, to: Recipient) {
        let residents = self.instances.iter().filter_map(Instance::watched);
        // One that is held is not disturbed: few programs expect that a `listen` is interrupted.
        let newcomers = self.newcomers().filter_map(Newcomer::free);
        let workers: Vec<_> = residents.chain(newcomers).map(|watched| watched.worker.id).collect();
        self.out.extend(workers.into_iter().map(|worker| Action::Forward { worker, signal, to }));
    }

    /// How many workers have a process.
    pub(super) fn alive(&self) -> usize {
        let residents = self.instances.iter().filter_map(Instance::watched).count();
        residents
            + self.newcomers().filter_map(Newcomer::watched).count()
            + self.departures.alive()
            + self.standbys.alive()
    }
}
