//! Has a Node worker look into itself where somebody wants to know, and tells how far it is. As with reports, the worker is asked
//! by a signal and answers over its channel.

use tokio::sync::oneshot;

use super::app::App;
use super::clock;
use super::handle::{Insight, Target};
use super::question::problem;
use super::run::Driver;
use super::workers::Stop;
use crate::api::insight::{BEGINS_WITHIN, DONE_WITHIN};
use crate::api::types::Problem;
use crate::handover::choose::Way;
use crate::handover::insight::{self, Names, News, Ordered, State, Wanted};
use crate::process::{Pid, Signal};
use crate::spec::{InstanceId, WorkerId};
use crate::supervisor::{InstanceView, StateName, Uptime};
use crate::sys::signals;

/// What a worker was told to do last, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Option<Look>);

#[derive(Debug)]
struct Look {
    id: String,
    /// Until it has begun.
    names: Option<Names>,
    begun: Option<oneshot::Sender<()>>,
    done: oneshot::Sender<Result<(), String>>,
    /// From then on it counts as given up.
    until: Uptime,
}

impl Look {
    /// It has not begun, and nobody waits for it any more.
    fn is_given_up(&self) -> bool {
        self.begun.is_some() && self.done.is_closed()
    }
}

impl UnderWay {
    /// Whether the worker can be told something new. What was given up is forgotten, and its names with it.
    fn make_free(&mut self, now: Uptime) -> bool {
        self.0.take_if(|look| look.is_given_up() || now > look.until);
        self.0.is_none()
    }

    fn begin(&mut self, ordered: (String, Names), until: Uptime) -> Waits {
        let ((id, names), (begun, has_begun), (done, is_done)) =
            (ordered, oneshot::channel(), oneshot::channel());
        self.0 = Some(Look { id, names: Some(names), begun: Some(begun), done, until });
        (has_begun, is_done)
    }

    /// Whether it was told and has not begun, and somebody waits for it. What was given up is forgotten.
    fn is_awaited(&mut self) -> bool {
        self.0.take_if(|look| look.is_given_up());
        self.0.as_ref().is_some_and(|look| look.begun.is_some())
    }

    /// Of something else than what was wanted last, nobody wants to hear.
    fn take(&mut self, News { id, state }: News) {
        let Some(mut look) = self.0.take_if(|look| look.id == id) else { return };
        // Who asked may have gone.
        let result = match state {
            State::Begun => {
                look.names = None;
                let _heard = look.begun.take().map(|begun| begun.send(()));
                self.0 = Some(look);
                return;
            }
            State::Done => Ok(()),
            State::Failed(why) => Err(why),
        };
        let _heard = look.done.send(result);
    }
}

/// That it has begun, and how it went.
type Waits = (oneshot::Receiver<()>, oneshot::Receiver<Result<(), String>>);

impl Driver {
    /// Tells one worker of those that are meant.
    pub(super) fn look_inside(&mut self, target: Target, wanted: Wanted) -> Result<Insight, Problem> {
        let Some(app) = self.apps.get_mut(&target.app) else {
            return Err(problem("unknown_target", "the app is gone", None));
        };
        app.look_inside(target, wanted)
    }

    /// Tells the worker once more, since it may not have heard yet when it was told; or forgets it where nobody waits any more.
    pub(super) fn urge(&mut self, target: Target, pid: Pid) {
        let Some(app) = self.apps.get_mut(&target.app) else { return };
        let id = app.workers.by_pid(pid);
        let worker = id.and_then(|id| app.workers.get_mut(id));
        if worker.is_some_and(|worker| worker.talk.insight.is_awaited()) {
            tell(pid);
        }
    }
}

impl App {
    fn look_inside(&mut self, target: Target, wanted: Wanted) -> Result<Insight, Problem> {
        let plan = self.plan();
        let name = self.name().to_owned();
        if !plan.node_script && !matches!(plan.way, Way::Cluster(_)) {
            let hint = "docs/node-tools.md says which workers can be looked into".to_owned();
            let said = format!(
                "the runtime does not start `{name}` as `node SCRIPT`, and can look into nothing else"
            );
            return Err(problem("not_node", &said, Some(hint)));
        }
        let Some(agent) = plan.agent.clone() else {
            let hint = "it is left out by `--no-agent`, and under `--experimental-permission`".to_owned();
            let said = format!("the runtime's script is not in the workers of `{name}`");
            return Err(problem("no_agent", &said, Some(hint)));
        };
        let (id, instance) = self.looked_into(target)?;
        let now = self.shared.clock.now();
        let worker = self.workers.get_mut(id).expect("it was found just now");
        if !worker.talk.insight.make_free(now) {
            let said = format!("worker {} of `{name}` is being looked into already", worker.pid);
            return Err(problem("under_way", &said, Some("try again when that is done".to_owned())));
        }
        let Ordered { id, file, names } = insight::order(&agent, worker.pid, wanted)
            .map_err(|error| problem("failed", &error.to_string(), Some(ANOTHER_PLACE.to_owned())))?;
        let until = Uptime(now.0 + BEGINS_WITHIN + wanted.lasts() + DONE_WITHIN);
        let (begun, done) = worker.talk.insight.begin((id, names), until);
        tell(worker.pid);
        let (pid, at_ms) = (worker.pid, clock::epoch_ms());
        Ok(Insight { app: name, instance: instance.0, pid, at_ms, file, begun, done })
    }

    /// The first of those that are meant and can be.
    fn looked_into(&self, target: Target) -> Result<(WorkerId, InstanceId), Problem> {
        let is_serving = |view: &InstanceView| matches!(view.state, StateName::Ready | StateName::Replacing);
        let serving: Vec<(WorkerId, InstanceId)> = self
            .meant(&target)
            .into_iter()
            .filter(is_serving)
            .filter_map(|view| Some((view.worker?, view.instance)))
            .collect();
        let hears = |id: WorkerId| {
            let link = self.workers.get(id).filter(|worker| worker.stop == Stop::NotAsked)?.link.as_ref();
            link.filter(|link| link.is_open())
        };
        let name = self.name();
        if serving.is_empty() {
            let said = format!("no worker of `{name}` that is meant serves at present");
            return Err(problem("not_serving", &said, None));
        }
        serving.into_iter().find(|(id, _)| hears(*id).is_some()).ok_or_else(|| {
            let hint = "docs/messages.md says which workers have one".to_owned();
            let said = format!("no worker of `{name}` that is meant has a channel to the runtime");
            problem("no_channel", &said, Some(hint))
        })
    }

    /// Hears how far `worker` is.
    pub(super) fn on_news(&mut self, id: WorkerId, news: News) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.talk.insight.take(news);
        }
    }
}

/// What to do where there is no room.
pub const ANOTHER_PLACE: &str = "TMPDIR names a directory with more room";

/// SIGURG: ignored by whoever does not handle it.
fn tell(worker: Pid) {
    // It may have ended just now; then there is no answer.
    let _delivered = signals::signal_process(worker, Signal::URG);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Uptime = Uptime(Duration::from_secs(1));
    const LATER: Uptime = Uptime(Duration::from_secs(2));

    fn begin(under_way: &mut UnderWay) -> Waits {
        under_way.begin(("7".to_owned(), Names::default()), SOON)
    }

    fn take(under_way: &mut UnderWay, id: &str, state: State) {
        under_way.take(News { id: id.to_owned(), state });
    }

    #[test]
    fn a_worker_does_one_thing_at_a_time_and_tells_how_it_went() {
        let mut under_way = UnderWay::default();
        let (mut begun, mut done) = begin(&mut under_way);
        assert!(!under_way.make_free(SOON) && under_way.is_awaited());
        take(&mut under_way, "7", State::Begun);
        assert_eq!(begun.try_recv(), Ok(()));
        assert!(!under_way.make_free(SOON) && !under_way.is_awaited());
        take(&mut under_way, "other", State::Done);
        assert!(!under_way.make_free(SOON));
        take(&mut under_way, "7", State::Failed("no room".to_owned()));
        assert_eq!(done.try_recv(), Ok(Err("no room".to_owned())));
        assert!(under_way.make_free(SOON));
    }

    #[test]
    fn what_has_begun_goes_on_without_who_asked_but_not_for_ever() {
        let mut under_way = UnderWay::default();
        drop(begin(&mut under_way));
        assert!(under_way.make_free(SOON), "it has not begun");
        drop(begin(&mut under_way));
        assert!(!under_way.is_awaited() && under_way.0.is_none());
        let waits = begin(&mut under_way);
        take(&mut under_way, "7", State::Begun);
        drop(waits);
        assert!(!under_way.make_free(SOON));
        assert!(under_way.make_free(LATER));
    }
}
