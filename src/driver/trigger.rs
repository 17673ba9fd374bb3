//! Actions of apps that somebody calls, and who waits for their answers.

use std::collections::VecDeque;

use serde_json::Value;
use tokio::sync::oneshot;

use super::app::App;
use super::handle::{Called, Target, Waiting};
use super::run::Driver;
use crate::handover::cluster::Taken;
use crate::handover::messages::read::MOST_ANSWER;
use crate::handover::messages::{Kind, Part, tell};
use crate::spec::WorkerId;
use crate::supervisor::InstanceView;

/// How many answers of one worker may be waited for.
const MOST_WAITING: usize = 64;

/// Answers that a worker owes, in the order of the questions.
#[derive(Debug, Default)]
pub(super) struct Awaited(VecDeque<Asked>);

#[derive(Debug)]
struct Asked {
    action: String,
    /// Of a scoped action.
    uuid: Option<String>,
    parts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<String>, String>>,
}

impl Awaited {
    /// A way for the answer to a question; `None` where too many are open.
    fn expect(&mut self, action: &str, uuid: Option<String>) -> Option<Waiting> {
        // Whose patience was at its end is not waited for any more.
        self.0.retain(|asked| !asked.answer.is_closed());
        if self.0.len() >= MOST_WAITING {
            return None;
        }
        let (answer, waiting) = oneshot::channel();
        self.0.push_back(Asked { action: action.to_owned(), uuid, parts: Vec::new(), answer });
        Some(waiting)
    }

    /// The question was not put after all.
    fn forget_last(&mut self) {
        self.0.pop_back();
    }

    /// An action has answered; who has asked first gets it.
    pub(super) fn take_reply(&mut self, action: &str, answer: Option<String>) {
        let at = self.0.iter().position(|asked| asked.uuid.is_none() && asked.action == action);
        if let Some(asked) = at.and_then(|at| self.0.remove(at)) {
            asked.close(answer.map(|answer| vec![answer]).ok_or_else(too_long));
        }
    }

    /// An action that answers bit by bit has.
    pub(super) fn take_part(&mut self, uuid: &str, part: Part) {
        let Some(at) = self.0.iter().position(|asked| asked.uuid.as_deref() == Some(uuid)) else { return };
        let end = match part {
            Part::More(text) => {
                let asked = &mut self.0[at];
                asked.parts.push(text);
                // An empty part takes memory, too.
                let size: usize = asked.parts.iter().map(|part| part.len() + size_of::<String>()).sum();
                if size <= MOST_ANSWER {
                    return;
                }
                Err(too_long())
            }
            Part::Failed(why) => Err(why),
            Part::End => Ok(()),
        };
        if let Some(mut asked) = self.0.remove(at) {
            let parts = std::mem::take(&mut asked.parts);
            asked.close(end.map(|()| parts));
        }
    }
}

impl Asked {
    fn close(self, answer: Result<Vec<String>, String>) {
        // Who asked may have gone.
        let _heard = self.answer.send(answer);
    }
}

fn too_long() -> String {
    format!("its answer has more than {} KiB", MOST_ANSWER >> 10)
}

impl Driver {
    /// Calls an action of each instance that is meant. Where some apps have the action, those that lack it are not meant.
    pub(super) fn call(
        &mut self,
        targets: &[Target],
        action: &str,
        parameter: Option<&Value>,
    ) -> Vec<Called> {
        let knows =
            |target: &&Target| self.apps.get(&target.app).is_some_and(|app| app.knows(target, action));
        let knowing: Vec<Target> = targets.iter().filter(knows).copied().collect();
        let meant = if knowing.is_empty() { targets } else { &knowing };
        let mut called = Vec::new();
        for target in meant {
            if let Some(app) = self.apps.get_mut(&target.app) {
                called.extend(app.call(target, action, parameter));
            }
        }
        called
    }
}

impl App {
    /// The instances that are meant, with their workers.
    pub(super) fn meant(&self, target: &Target) -> Vec<InstanceView> {
        let all = self.supervisor.snapshot(self.shared.clock.now()).instances;
        all.into_iter().filter(|view| target.instance.is_none_or(|one| one == view.instance)).collect()
    }

    fn knows(&self, target: &Target, action: &str) -> bool {
        let workers = self.meant(target).into_iter().filter_map(|view| self.workers.get(view.worker?));
        workers.map(|worker| worker.talk.reported.actions()).any(|actions| actions.contains_key(action))
    }

    fn call(&mut self, target: &Target, action: &str, parameter: Option<&Value>) -> Vec<Called> {
        let mut called = Vec::new();
        for view in self.meant(target) {
            let id = self.id_of(view.instance).unwrap_or(view.instance.0);
            let answer = match view.worker {
                Some(worker) => self.ask(worker, action, parameter, id),
                None => Err("it has no worker".to_owned()),
            };
            called.push(Called {
                app: self.name().to_owned(),
                id,
                instance: view.instance.0,
                pid: view.pid.map(crate::process::Pid::as_raw),
                answer,
            });
        }
        called
    }

    fn ask(
        &mut self,
        id: WorkerId,
        action: &str,
        parameter: Option<&Value>,
        number: u32,
    ) -> Result<Waiting, String> {
        self.last_ticket += 1;
        let uuid = format!("pmr-{}", self.last_ticket);
        let worker = self.workers.get_mut(id).ok_or("it has no worker")?;
        let link = worker.link.as_ref().filter(|link| link.is_open()).ok_or(NO_CHANNEL)?;
        let Some(&kind) = worker.talk.reported.actions().get(action) else {
            let known: Vec<_> =
                worker.talk.reported.actions().keys().map(|name| format!("`{name}`")).collect();
            return Err(match known.as_slice() {
                [] => "its app has registered no action (docs/messages.md)".to_owned(),
                _ => format!("it has no action `{action}`, but {}", known.join(", ")),
            });
        };
        let of_scoped = (kind == Kind::Scoped).then(|| uuid.clone());
        let waiting = worker.talk.awaited.expect(action, of_scoped).ok_or(BUSY)?;
        match link.send(&tell::action(action, kind, &uuid, parameter, number)) {
            Taken::Queued => Ok(waiting),
            Taken::Refused => {
                worker.talk.awaited.forget_last();
                Err(DEAF.to_owned())
            }
        }
    }

    /// Sends data to the app in each worker that is meant, and says how that went.
    pub(super) fn send_data(
        &self,
        target: &Target,
        topic: Option<&str>,
        data: &Value,
    ) -> Result<String, String> {
        let (mut sent, mut why) = (0_usize, "it has no worker");
        for view in self.meant(target) {
            let Some(worker) = view.worker.and_then(|worker| self.workers.get(worker)) else { continue };
            let Some(link) = worker.link.as_ref().filter(|link| link.is_open()) else {
                why = NO_CHANNEL;
                continue;
            };
            let id = self.id_of(view.instance).unwrap_or(view.instance.0);
            let message = match topic {
                Some(topic) => tell::data(topic, data, id),
                None => tell::bare(data),
            };
            match link.send(&message) {
                Taken::Queued => sent += 1,
                Taken::Refused => why = DEAF,
            }
        }
        match sent {
            0 => Err(format!("not sent: {why}")),
            1 => Ok("sent to 1 worker".to_owned()),
            _ => Ok(format!("sent to {sent} workers")),
        }
    }
}

const NO_CHANNEL: &str = "its worker has no channel: messages are for apps that `node SCRIPT` runs";
const DEAF: &str = "its worker does not read its messages, or this one is Node's own (`cmd: \"NODE_…\"`)";
const BUSY: &str = "too many answers of its worker are waited for";

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(waiting: &mut Waiting) -> Option<Result<Vec<String>, String>> {
        waiting.try_recv().ok()
    }

    #[test]
    fn answers_go_to_those_who_asked_in_their_order() {
        let mut awaited = Awaited::default();
        let mut first = awaited.expect("a", None).unwrap();
        let mut other = awaited.expect("b", None).unwrap();
        let mut second = awaited.expect("a", None).unwrap();
        awaited.take_reply("a", Some("1".to_owned()));
        assert_eq!(answer(&mut first), Some(Ok(vec!["1".to_owned()])));
        assert_eq!(answer(&mut second), None);
        awaited.take_reply("a", None);
        assert!(answer(&mut second).unwrap().unwrap_err().contains("256 KiB"));
        awaited.take_reply("c", Some("3".to_owned()));
        assert_eq!(answer(&mut other), None);
        assert_eq!(awaited.0.len(), 1);
    }

    #[test]
    fn an_answer_bit_by_bit_is_whole_at_its_end() {
        let mut awaited = Awaited::default();
        let mut waiting = awaited.expect("tail", Some("7".to_owned())).unwrap();
        awaited.take_reply("tail", Some("0".to_owned()));
        for part in ["1", "2"] {
            awaited.take_part("7", Part::More(part.to_owned()));
        }
        awaited.take_part("8", Part::End);
        assert_eq!(answer(&mut waiting), None);
        awaited.take_part("7", Part::End);
        assert_eq!(answer(&mut waiting), Some(Ok(vec!["1".to_owned(), "2".to_owned()])));
        let mut failing = awaited.expect("tail", Some("9".to_owned())).unwrap();
        awaited.take_part("9", Part::Failed("\"no\"".to_owned()));
        assert_eq!(answer(&mut failing), Some(Err("\"no\"".to_owned())));
    }

    #[test]
    fn neither_questions_nor_parts_pile_up() {
        let mut awaited = Awaited::default();
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| awaited.expect("a", None).unwrap()).collect();
        assert!(awaited.expect("a", None).is_none());
        drop(waiting);
        let mut endless = awaited.expect("a", Some("1".to_owned())).unwrap();
        assert_eq!(awaited.0.len(), 1);
        (0..MOST_ANSWER).for_each(|_| awaited.take_part("1", Part::More(String::new())));
        assert!(answer(&mut endless).unwrap().is_err());
        assert!(awaited.0.is_empty());
    }
}
