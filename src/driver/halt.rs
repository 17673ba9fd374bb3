//! The end of all apps, in order: those that others depend on end after these.

use std::collections::BTreeSet;
use std::time::Duration;

use super::app::App;
use super::gate::Gate;
use super::run::Driver;
use crate::process::Signal;
use crate::spec::AppId;
use crate::supervisor::{Command, Event, Ticket, Uptime};

/// How long an app that others depend on is spared while these end. Platforms kill everything after 30 s, and it takes some of
/// that itself.
const SPARED: Duration = Duration::from_secs(10);

/// An end that is under way.
#[derive(Debug)]
pub(super) struct Halt {
    how: How,
    /// When everybody is asked, whoever still lives.
    until: Uptime,
    asked: BTreeSet<AppId>,
}

/// How apps are asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A signal that we were sent.
    Signal(Signal),
    /// An order.
    Removal,
}

impl Driver {
    /// Asks all apps to end, each as soon as nobody depends on it any more.
    pub(super) fn begin_halt(&mut self, how: How) {
        self.ending = true;
        match (&mut self.halt, how) {
            (None, _) => {
                let until = self.begin_delays(how).after(SPARED);
                self.halt = Some(Halt { how, until, asked: BTreeSet::new() });
            }
            (Some(halt), How::Signal(signal)) => {
                // They hear of it once more: a second one of some kinds ends all at once.
                let asked = std::mem::take(&mut halt.asked);
                let in_a_hurry = signal != Signal::TERM;
                (halt.how, halt.asked) = (how, BTreeSet::new());
                if in_a_hurry {
                    halt.until = Uptime::default();
                }
                asked.into_iter().for_each(|id| self.ask(id, how));
                self.apps.values_mut().filter(|_| in_a_hurry).for_each(App::hurry_before_start);
            }
            (Some(halt), How::Removal) => {
                // Those that serve on after a SIGTERM are to end now; of the others it is not news.
                halt.how = how;
                halt.asked.clear();
            }
        }
        self.advance_halt();
    }

    /// On a SIGTERM, all apps serve on for as long as they are to, counted from now, whoever's turn it is. Says when the last of
    /// these times is over.
    fn begin_delays(&mut self, how: How) -> Uptime {
        let now = self.shared.clock.now();
        if how != How::Signal(Signal::TERM) {
            return now;
        }
        self.apps.values_mut().for_each(|app| app.feed(Event::Ending));
        self.apps.values().filter_map(|app| app.supervisor.serves_until()).fold(now, Uptime::max)
    }

    /// When to call [`Driver::advance_halt`] though nothing has happened.
    pub(super) fn halt_deadline(&self) -> Option<Uptime> {
        let halt = self.halt.as_ref().filter(|halt| halt.until > Uptime::default())?;
        self.apps.keys().any(|id| !halt.asked.contains(id)).then_some(halt.until)
    }

    /// Asks those on whom nobody depends any more.
    pub(super) fn advance_halt(&mut self) {
        while let Some((how, next)) = self.next_to_halt() {
            next.into_iter().for_each(|id| self.ask(id, how));
        }
    }

    fn next_to_halt(&self) -> Option<(How, Vec<AppId>)> {
        let halt = self.halt.as_ref()?;
        let is_late = halt.until <= self.shared.clock.now();
        let living = self.apps.values().filter(|app| app.is_alive());
        let needed: BTreeSet<String> = living
            .flat_map(|app| {
                app.plan().app.start.after.iter().map(|other| other.app.clone()).collect::<Vec<_>>()
            })
            .collect();
        let is_next = |app: &&App| !halt.asked.contains(&app.id) && (is_late || !needed.contains(app.name()));
        let next: Vec<_> = self.apps.values().filter(is_next).map(|app| app.id).collect();
        (!next.is_empty()).then_some((halt.how, next))
    }

    fn ask(&mut self, id: AppId, how: How) {
        if let Some(halt) = &mut self.halt {
            halt.asked.insert(id);
        }
        let Some(app) = self.apps.get_mut(&id) else { return };
        match how {
            // That it was not started shall be told by our status.
            How::Signal(_) if app.prelude.gate == Gate::Failed => {}
            How::Signal(signal) => {
                app.stop_before_start(signal);
                app.feed(Event::Signalled { signal });
            }
            How::Removal => {
                app.stop_before_start(Signal::TERM);
                app.last_ticket += 1;
                let ticket = Ticket(app.last_ticket);
                app.feed(Event::Commanded { ticket, command: Command::Remove });
            }
        }
    }
}

impl App {
    /// Whether something of it may still live.
    pub(super) fn is_alive(&self) -> bool {
        self.status.is_none() || self.prelude.is_alive()
    }
}
