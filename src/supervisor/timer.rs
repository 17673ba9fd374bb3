//! Deadlines: when the next one is, and what is due when it has passed.

use super::event::Uptime;
use super::health::{Checks, Season};
use super::instance::{Instance, State, Watched};
use super::machine::{Phase, Supervisor};
use super::newcomer::Newcomer;

impl Supervisor {
    /// When to send [`super::Event::Deadline`]; `None` while there is nothing to wait for but events.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Uptime> {
        if matches!(self.phase, Phase::Over) {
            return None;
        }
        let instances = self.instances.iter().filter_map(Instance::deadline);
        let newcomers = self.newcomers().filter_map(Newcomer::free).filter_map(Watched::deadline_to_ready);
        let replacements = self.instances.iter().filter_map(|instance| self.replacement_at(instance));
        let checks = self.app_checks.as_ref().map(Checks::due);
        let of_workers = instances.chain(newcomers).chain(replacements).chain(self.standbys.deadline());
        of_workers
            .chain(checks)
            .chain(self.look_at())
            .chain(self.time_at())
            .chain(self.changes_at())
            .chain(self.delay_over_at())
            .chain(self.departures.next_deadline())
            .min()
    }

    /// Does what is due. A stop that was put off is an event of its own: it finds all as a signal would, and what else is due comes
    /// after it. Departures come last, so that one which begins here with no time at all ends here, too.
    pub(super) fn handle_deadline(&mut self, now: Uptime) {
        if self.ends_delay(now) {
            return;
        }
        for index in 0..self.instances.len() {
            match self.instances[index].state() {
                State::Backoff { until } if *until <= now => {
                    self.instances[index].restarts = self.instances[index].restarts.saturating_add(1);
                    self.queue(now, self.instances[index].id);
                }
                State::Starting(_) | State::Ready(_) => self.review(now, index),
                State::Waiting
                | State::Spawning(_)
                | State::Backoff { .. }
                | State::Stopped
                | State::Held
                | State::Restarting
                | State::Failed => {}
            }
        }
        self.review_newcomers(now);
        self.review_standbys(now);
        self.review_health(now);
        self.review_memory(now);
        self.review_timetable(now);
        self.review_changes(now);
        self.end_drains(now);
        let killed = self.departures.pass_deadlines(now, &mut self.out);
        if let Phase::Stopping(stop) = &mut self.phase
            && killed > 0
        {
            stop.note_timeout();
        }
    }
}

impl Instance {
    fn deadline(&self) -> Option<Uptime> {
        match self.state() {
            State::Backoff { until } => Some(*until),
            State::Starting(watched) => watched.deadline_to_ready(),
            State::Ready(watched) => {
                [watched.watch.complaint_at(), self.health_due()].into_iter().flatten().min()
            }
            State::Waiting
            | State::Spawning(_)
            | State::Stopped
            | State::Held
            | State::Restarting
            | State::Failed => None,
        }
    }
}

impl Watched {
    /// When a worker that is not ready yet may become so or be complained about.
    pub(super) fn deadline_to_ready(&self) -> Option<Uptime> {
        let check = self.vitals.as_ref().and_then(|vitals| vitals.due(Season::Starting));
        [self.watch.ready_at(), self.watch.complaint_at(), check].into_iter().flatten().min()
    }
}
