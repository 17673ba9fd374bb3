//! The time between SIGTERM and the stop: until whoever sends us connections has heard that none shall come any more.
//!
//! Everything goes on as before meanwhile, only that the app is shown as stopping, and so counts as ready for nobody who asks.
//!
//! ```text
//! the runtime is to end --> noted --SIGTERM--> put off --the time is over--> the stop
//!                             |                   |------- INT, QUIT -------> the stop, and all are killed
//!                             '-- the time is over, SIGTERM --> the stop
//! ```
//!
//! Where nobody serves when it begins, there is nothing to wait for. A mere init passes SIGTERM on once the time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Notice, StopReason};
use super::event::Uptime;
use super::instance::Instance;
use super::machine::{Phase, Role, Supervisor};
use crate::process::Signal;

/// A delay that has begun, once for all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delay {
    until: Uptime,
    stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Others are to end first, so SIGTERM is still to come.
    Noted,
    /// It has come, and is put off.
    PutOff,
    /// A mere init has passed it on.
    PassedOn,
}

impl Supervisor {
    /// The runtime is to end, and with it, sooner or later, this app.
    pub(super) fn handle_ending(&mut self, now: Uptime) {
        let has_begun = self.delay.is_some() || !matches!(self.phase, Phase::Running);
        if has_begun || self.policy.stop.delay.is_zero() {
            return;
        }
        let serves = self.instances.iter().any(Instance::is_ready);
        let span = if serves { self.policy.stop.delay } else { Duration::ZERO };
        self.delay = Some(Delay { until: now.after(span), stage: Stage::Noted });
        if serves {
            self.notice(Notice::StopDelayed { span, workers: self.alive() });
        }
    }

    /// SIGTERM came. Says whether its time has not come yet.
    pub(super) fn puts_off(&mut self, now: Uptime) -> bool {
        self.handle_ending(now);
        let Some(delay) = self.delay.as_mut().filter(|delay| now < delay.until) else { return false };
        delay.stage = Stage::PutOff;
        true
    }

    /// Whether a SIGTERM waits for its time.
    pub(super) fn has_put_off(&self) -> bool {
        self.delay.as_ref().is_some_and(|delay| delay.stage == Stage::PutOff)
    }

    /// When the SIGTERM that was put off is due.
    pub(super) fn delay_over_at(&self) -> Option<Uptime> {
        self.delay.as_ref().filter(|_| self.has_put_off()).map(|delay| delay.until)
    }

    /// Does what was put off, if its time has come. Says whether it has.
    pub(super) fn ends_delay(&mut self, now: Uptime) -> bool {
        let Some(delay) = self.delay.as_mut().filter(|delay| delay.until <= now) else { return false };
        match (delay.stage, self.policy.role) {
            (Stage::Noted | Stage::PassedOn, _) => return false,
            (Stage::PutOff, Role::Cluster) => self.begin_stop(now, StopReason::Signal(Signal::TERM)),
            (Stage::PutOff, Role::Init) => {
                delay.stage = Stage::PassedOn;
                self.forward(Signal::TERM, self.reached());
            }
        }
        true
    }

    /// Until when the app serves on, since the runtime ends; in the past where that is over.
    #[must_use]
    pub fn serves_until(&self) -> Option<Uptime> {
        self.delay.as_ref().map(|delay| delay.until)
    }
}
