//! What apps say by `process.send`: kept to be shown, told to people and programs, passed on to other workers.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::app::App;
use super::crashes::Caught;
use super::insight::UnderWay;
use super::reports;
use super::trigger::Awaited;
use super::words::app_has_told;
use super::workers::{Stop, Worker};
use crate::api::messages::{MetricValue, MetricView};
use crate::handover::cluster::{ClusterLink, Taken};
use crate::handover::messages::{self, Adapter, Allowance, Figure, Number, Reported, Teller, Told, Word};
use crate::spec::WorkerId;
use crate::supervisor::{Event, InstanceView, Uptime};

/// What a worker says by `process.send`, and what it was asked.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) reported: Reported,
    pub(super) awaited: Awaited,
    /// Who waits for what its agent reports.
    pub(super) reports: reports::Awaited,
    /// What it was told to find out about itself.
    pub(super) insight: UnderWay,
    /// The exception that the agent has told of last.
    caught: Option<String>,
    /// The same, with all that it has told.
    pub(super) dying: Option<Caught>,
    /// For what is for people.
    told: Allowance,
    /// For what is for programs, so that much of it takes nothing from people.
    sent: Allowance,
}

impl Talk {
    /// With what was reported to the program before us.
    pub(super) fn resume(reported: Reported) -> Self {
        Self { reported, ..Self::default() }
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Metrics(metrics) => self.reported.take_metrics(metrics),
            Word::Action { name, kind } => self.reported.take_action(name, kind),
            Word::Reply { action, answer } => self.awaited.take_reply(&action, answer),
            Word::Part { uuid, part } => self.awaited.take_part(&uuid, part),
            Word::Ready | Word::Told(_) | Word::Adapter(_) | Word::Other => {}
        }
    }

    /// Whether the agent has told of it already: of an exception that nobody has caught, libraries of pm2's tell, too.
    fn has_told(&mut self, told: &Told, now: Uptime) -> bool {
        match told {
            Told::Exception { text, by: Teller::Agent, data } => {
                self.caught = Some(text.clone());
                let stack = data.as_ref().and_then(|data| data["stack"].as_str()).map(str::to_owned);
                self.dying = Some(Caught { at: now, text: text.clone(), stack });
                false
            }
            Told::Exception { text, by: Teller::App, .. } => {
                self.caught.take_if(|caught| *caught == *text).is_some()
            }
            Told::Event { .. } | Told::Message { .. } => false,
        }
    }

    /// Its metrics and actions, to be shown.
    pub(super) fn views(&self) -> (BTreeMap<String, MetricView>, Vec<String>) {
        let metrics = self.reported.metrics().iter();
        let metrics = metrics.map(|(name, figure)| (name.clone(), view(figure))).collect();
        (metrics, self.reported.actions().keys().cloned().collect())
    }
}

impl App {
    /// Hears what the app has said in `worker`.
    pub(super) fn on_message(&mut self, id: WorkerId, message: &RawValue) {
        match messages::read(message) {
            Word::Ready => self.feed(Event::Ready { worker: id }),
            Word::Adapter(adapter) => self.relay(id, &adapter, message),
            Word::Told(told) => self.tell_of(id, told),
            word => {
                if let Some(worker) = self.workers.get_mut(id) {
                    worker.talk.take(word);
                }
            }
        }
    }

    /// What a worker that has ended wrote last, such as the exception of which it died.
    pub(super) fn hear_last_words(&mut self, id: WorkerId) {
        let link = self.workers.get(id).and_then(|worker| worker.link.as_ref());
        let said = link.map(ClusterLink::last_words).unwrap_or_default();
        for message in said {
            self.on_message(id, &message);
        }
    }

    fn tell_of(&mut self, id: WorkerId, told: Told) {
        let now = self.shared.clock.now();
        let Some(worker) = self.workers.get_mut(id) else { return };
        if worker.talk.has_told(&told, now) {
            return;
        }
        let allowance = match told {
            Told::Exception { .. } | Told::Event { .. } => &mut worker.talk.told,
            Told::Message { .. } => &mut worker.talk.sent,
        };
        let Some(missed) = allowance.spend(now.0) else { return };
        let (instance, pid) = (worker.instance, worker.pid);
        let (said, data) = app_has_told(told, missed);
        let said = said.of(instance).pid(pid);
        self.shared.events.remark(&self.whose, self.id_of(instance), &said, data);
    }

    /// socket.io's cluster adapter has its primary pass messages on: to all other workers, an answer to the one that asked.
    fn relay(&mut self, from: WorkerId, adapter: &Adapter, message: &RawValue) {
        if let (Some(worker), Some(name)) = (self.workers.get_mut(from), &adapter.from) {
            worker.talk.reported.take_name(name);
        }
        let is_asker =
            |worker: &Worker| adapter.to.as_ref().is_some_and(|to| worker.talk.reported.is_called(to));
        let asker = self.workers.numbered().find(|(_, worker)| is_asker(worker)).map(|(id, _)| id);
        let mut lost = false;
        for (id, worker) in self.workers.numbered() {
            let is_meant = id != from && asker.is_none_or(|asker| asker == id) && worker.stop != Stop::Killed;
            if let Some(link) = worker.link.as_ref().filter(|link| is_meant && link.is_open()) {
                lost |= link.send(message) == Taken::Refused;
            }
        }
        if lost {
            self.shared.advise(format!(
                "messages between the workers of `{}` are lost: one does not read what socket.io's adapter has for it",
                self.name()
            ));
        }
    }

    /// The metrics and actions of all instances together.
    pub(super) fn reported(&self, instances: &[InstanceView]) -> (BTreeMap<String, MetricView>, Vec<String>) {
        let workers = instances.iter().filter_map(|view| self.workers.get(view.worker?));
        let all: Vec<&Reported> = workers.map(|worker| &worker.talk.reported).collect();
        let mut figures: BTreeMap<&String, Vec<&Figure>> = BTreeMap::new();
        for (name, figure) in all.iter().flat_map(|reported| reported.metrics()) {
            figures.entry(name).or_default().push(figure);
        }
        let together = |(name, figures)| Some((String::clone(name), view(&Figure::together(figures)?)));
        let metrics = figures.into_iter().filter_map(together).collect();
        let mut actions: Vec<String> =
            all.iter().flat_map(|reported| reported.actions().keys().cloned()).collect();
        actions.sort_unstable();
        actions.dedup();
        (metrics, actions)
    }
}

fn view(figure: &Figure) -> MetricView {
    let value = match &figure.value {
        Number::Of(number) => MetricValue::Number(*number),
        Number::Text(text) => MetricValue::Text(text.clone()),
    };
    MetricView { value, unit: figure.unit.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_of_which_the_agent_has_told_is_told_once() {
        let told = |text: &str, by| Told::Exception { text: text.to_owned(), data: None, by };
        let mut talk = Talk::default();
        assert!(!talk.has_told(&told("Error: a", Teller::App), Uptime::default()));
        assert!(!talk.has_told(&told("Error: a", Teller::Agent), Uptime::default()));
        assert!(!talk.has_told(&told("Error: b", Teller::App), Uptime::default()));
        assert!(talk.has_told(&told("Error: a", Teller::App), Uptime::default()));
        assert!(!talk.has_told(&told("Error: a", Teller::App), Uptime::default()));
    }
}
