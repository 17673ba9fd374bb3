//! (state, input) → effects. Total: no input is left out, none panics.

use std::time::Duration;

use super::input::{Change, Effect, Input};
use super::model::{Connection, Fetch, MessageKind, State};
use crate::api::types::{AppView, Outcome, Verdict};

/// How often the apps are asked for.
const FETCH_EVERY: Duration = Duration::from_secs(1);

impl State {
    /// Takes in what happened.
    #[must_use]
    pub fn update(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = match input {
            Input::Key(key) => self.press(key),
            Input::Tick(now) => self.pass_time(now),
            other => {
                self.learn(other);
                Vec::new()
            }
        };
        effects.extend(self.follow_selection());
        effects
    }

    /// Inputs that ask for nothing.
    fn learn(&mut self, input: Input) {
        let followed = self.log.target.clone();
        match input {
            Input::Apps(apps) => self.take_apps(apps),
            Input::Runtime(runtime) => self.runtime = Some(*runtime),
            Input::Unreachable(why) => self.lose(why),
            Input::Lines { target, lines } if Some(&target) == followed.as_ref() => self.log.add(lines),
            Input::Missed { target, count } if Some(&target) == followed.as_ref() => {
                self.log.note(&format!(
                    "-- {count} lines were left out: they came faster than they could be sent --"
                ));
            }
            Input::LinesEnded { target } if Some(&target) == followed.as_ref() => self.refollow = true,
            Input::Done { change, result } => self.conclude(&change, result),
            Input::Resize(size) => self.size = size,
            // Late words of an app that is not followed any more; keys and ticks have been dealt with.
            Input::Lines { .. } | Input::Missed { .. } | Input::LinesEnded { .. } => {}
            Input::Key(_) | Input::Tick(_) => {}
        }
    }

    fn take_apps(&mut self, apps: Vec<AppView>) {
        self.fetch = Fetch::Answered { at: self.now };
        if matches!(self.connection, Connection::Down { .. }) {
            self.say(MessageKind::Success, "the runtime answers again");
        }
        self.connection = Connection::Up;
        self.history.record(&apps);
        self.apps = apps;
        self.list.settle(&self.apps);
    }

    fn lose(&mut self, why: String) {
        self.fetch = Fetch::Answered { at: self.now };
        let since = match self.connection {
            Connection::Down { since, .. } => since,
            Connection::Waiting | Connection::Up => self.now,
        };
        self.connection = Connection::Down { why, since };
    }

    fn conclude(&mut self, change: &Change, result: Result<Outcome, String>) {
        if let Some(place) = self.pending.iter().position(|pending| pending == change) {
            self.pending.remove(place);
        }
        match result {
            Ok(outcome) => self.tell(change, &outcome),
            Err(why) => {
                self.say(
                    MessageKind::Failure,
                    format!("cannot {} {}: {why}", change.operation, change.target),
                );
            }
        }
    }

    fn tell(&mut self, change: &Change, outcome: &Outcome) {
        let word = |verdict: &Verdict| match &verdict.app {
            Some(app) => format!("{app}: {}", verdict.message),
            None => verdict.message.clone(),
        };
        let failed = outcome.verdicts.iter().find(|verdict| !verdict.ok);
        match (failed, outcome.verdicts.as_slice()) {
            (Some(verdict), _) => {
                self.say(MessageKind::Failure, word(verdict));
                self.show_last_lines(verdict);
            }
            (None, []) => self.say(MessageKind::Note, "nothing to do: no app is meant"),
            (None, [verdict]) => self.say(MessageKind::Success, word(verdict)),
            (None, verdicts) => {
                let count = verdicts.len();
                self.say(
                    MessageKind::Success,
                    format!("{} {}: done ({count} apps)", change.operation, change.target),
                );
            }
        }
    }

    /// What the worker said that the operation failed on.
    fn show_last_lines(&mut self, verdict: &Verdict) {
        if verdict.app == self.log.target && !verdict.last_lines.is_empty() {
            self.log.note(&format!(
                "-- the last lines of the worker that the {} failed on: --",
                verdict.operation
            ));
            for line in &verdict.last_lines {
                self.log.note(line);
            }
        }
    }

    fn pass_time(&mut self, now: Duration) -> Vec<Effect> {
        self.now = self.now.max(now);
        if self.message.as_ref().is_some_and(|message| message.until <= self.now) {
            self.message = None;
        }
        let mut effects = Vec::new();
        if let Fetch::Answered { at } = self.fetch
            && self.now.saturating_sub(at) + FETCH_EVERY / 4 >= FETCH_EVERY
        {
            self.fetch = Fetch::Underway;
            effects.push(Effect::Fetch);
        }
        if self.refollow
            && self.connection == Connection::Up
            && let Some(target) = self.log.target.clone()
        {
            self.refollow = false;
            self.log.interrupt();
            effects.push(Effect::Follow(target));
        }
        effects
    }

    /// The log is that of the selected row. While the runtime is away, everything stays as it was.
    fn follow_selection(&mut self) -> Option<Effect> {
        let row = self.list.selected(&self.apps)?;
        let (app, instance) = (row.app.name.clone(), row.instance.map(|instance| instance.id));
        self.log.select(instance);
        if self.log.target.as_ref() == Some(&app) {
            return None;
        }
        self.refollow = false;
        self.log.follow(Some(app.clone()));
        Some(Effect::Follow(app))
    }
}
