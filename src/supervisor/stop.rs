//! Stopping: every worker is asked to end, once; those that do not in time are killed; and then all is over.

use serde::{Deserialize, Serialize};

use super::action::{Action, CalledOff, Notice, StopReason, Verdict};
use super::event::Uptime;
use super::instance::State;
use super::machine::{Phase, Supervisor};
use crate::process::{ExitReason, Signal};

/// A stop under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stop {
    reason: StopReason,
    force: Force,
}

/// Whether anyone had to be killed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Force {
    None,
    /// By the stop timeout.
    TimedOut,
    /// By a second signal.
    Hurried,
}

impl Supervisor {
    /// TERM, INT or QUIT: the first begins the stop, a second INT or QUIT hurries it. A TERM that was put off is a first one.
    pub(super) fn handle_stop_signal(&mut self, now: Uptime, signal: Signal) {
        if self.has_put_off() {
            self.begin_stop(now, StopReason::Signal(Signal::TERM));
        }
        let Phase::Stopping(stop) = &mut self.phase else {
            return self.begin_stop(now, StopReason::Signal(signal));
        };
        match (stop.reason, stop.force) {
            // A Ctrl-C ends what reads our output, too, and we may hear of that first: it is no second signal.
            (StopReason::OutputClosed | StopReason::Removed, _) => stop.reason = StopReason::Signal(signal),
            (StopReason::Signal(_), Force::None | Force::TimedOut) if signal != Signal::TERM => {
                stop.force = Force::Hurried;
                self.notice(Notice::StoppingNow { signal });
                self.departures.kill_all(now, &mut self.out);
            }
            (StopReason::Signal(_), _) => {}
        }
    }

    /// Asks every worker to end, and gives up what has none.
    pub(super) fn begin_stop(&mut self, now: Uptime, reason: StopReason) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.phase = Phase::Stopping(Stop { reason, force: Force::None });
        self.delay = None;
        self.notice(Notice::Stopping { reason, workers: self.alive() });
        self.waiting.clear();
        for index in 0..self.instances.len() {
            if !matches!(self.instances[index].state(), State::Failed) {
                let id = self.instances[index].id;
                let old = self.instances[index].enter(now, State::Stopped);
                self.dismiss_from(now, id, &old);
            }
        }
        self.dismiss_newcomers(now);
        self.dismiss_standbys(now);
        self.hasten_drains(now);
        self.out.push(Action::StopListening);
        self.overtake_reload(now, CalledOff::Stopping);
        self.fail_all_awaited();
    }
}

impl Stop {
    /// What the workers are asked with where the policy names no signal.
    pub(super) fn signal(&self) -> Signal {
        match self.reason {
            StopReason::Signal(signal) => signal,
            StopReason::OutputClosed | StopReason::Removed => Signal::TERM,
        }
    }

    /// Whether workers are killed at once.
    pub(super) fn is_hurried(&self) -> bool {
        matches!(self.force, Force::Hurried)
    }

    /// Whether the app was asked to be taken out of the runtime.
    pub(super) fn is_removal(&self) -> bool {
        self.reason == StopReason::Removed
    }

    /// A worker did not end in time.
    pub(super) fn note_timeout(&mut self) {
        self.force = match self.force {
            Force::None | Force::TimedOut => Force::TimedOut,
            hurried @ Force::Hurried => hurried,
        };
    }

    /// How it ends once everyone is gone.
    pub(super) fn outcome(&self) -> (Verdict, u8) {
        match self.force {
            Force::None => (Verdict::Drained, 0),
            Force::TimedOut | Force::Hurried => (Verdict::Killed, ExitReason::Signal(Signal::KILL).status()),
        }
    }
}
