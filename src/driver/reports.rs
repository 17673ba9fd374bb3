//! Asks the agents in Node workers how they do, where somebody wants to know.
//!
//! The question is a signal, so that nothing has to be open, or read, in a worker that nobody asks; the answer comes over
//! the worker's channel. Only workers that serve are asked: a signal would interrupt one that is held in its `listen`.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::app::App;
use super::handle::{Report, Target};
use super::run::Driver;
use super::workers::{Stop, Worker};
use crate::api::node::NodeView;
use crate::handover::cluster::ClusterLink;
use crate::handover::insight;
use crate::metrics::node;
use crate::process::Signal;
use crate::spec::WorkerId;
use crate::supervisor::{StateName, Uptime};
use crate::sys::signals;

/// After so long without an answer the question is put again: one that came before the agent listened is lost.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many may wait for one answer of a worker.
const MOST_WAITING: usize = 64;

/// Who waits for a worker's report.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    waiting: Vec<oneshot::Sender<NodeView>>,
    /// When the question was put last.
    put: Option<Uptime>,
}

impl Awaited {
    /// A way for the answer, and whether the question is still to be put; `None` where too many wait.
    fn expect(&mut self, now: Uptime) -> Option<(oneshot::Receiver<NodeView>, Put)> {
        // Whose patience was at its end waits no more. With nobody left the answer is taken for lost.
        self.waiting.retain(|waiting| !waiting.is_closed());
        if self.waiting.len() >= MOST_WAITING {
            return None;
        }
        let is_recent = self.put.is_some_and(|put| now.since(put) < AGAIN_AFTER);
        let put = if !self.waiting.is_empty() && is_recent { Put::Already } else { Put::Now };
        if put == Put::Now {
            self.put = Some(now);
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        Some((receiver, put))
    }

    fn take(&mut self, view: NodeView) {
        for waiting in self.waiting.drain(..) {
            // Who asked may have gone.
            let _heard = waiting.send(view);
        }
    }
}

/// Whether a question is to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    Now,
    Already,
}

impl Driver {
    /// Asks the workers of the instances that are meant.
    pub(super) fn ask_for_reports(&mut self, targets: &[Target]) -> Vec<Report> {
        let mut asked = Vec::new();
        for target in targets {
            if let Some(app) = self.apps.get_mut(&target.app) {
                asked.extend(app.ask_for_reports(target));
            }
        }
        asked
    }
}

impl App {
    fn ask_for_reports(&mut self, target: &Target) -> Vec<Report> {
        if self.plan().agent.is_none() {
            return Vec::new();
        }
        let views = self.meant(target).into_iter();
        let serving: Vec<WorkerId> = views
            .filter(|view| matches!(view.state, StateName::Ready | StateName::Replacing))
            .filter_map(|view| view.worker)
            .collect();
        let now = self.shared.clock.now();
        serving.into_iter().filter_map(|id| ask(self.workers.get_mut(id)?, now)).collect()
    }

    /// Hears what the agent in `worker` reports, or how far it is with something else.
    pub(super) fn on_report(&mut self, id: WorkerId, message: &RawValue) {
        if let Some(news) = insight::read(message) {
            self.on_news(id, news);
        } else if let (Some(worker), Some(view)) = (self.workers.get_mut(id), node::read(message)) {
            worker.talk.reports.take(view);
        }
    }
}

fn ask(worker: &mut Worker, now: Uptime) -> Option<Report> {
    let hears = worker.stop == Stop::NotAsked && worker.link.as_ref().is_some_and(ClusterLink::is_open);
    let (answer, put) = hears.then(|| worker.talk.reports.expect(now))??;
    if put == Put::Now {
        // It may have ended just now; then there is no answer.
        let _delivered = signals::signal_process(worker.pid, QUESTION);
    }
    Some(Report { pid: worker.pid.as_raw(), answer })
}

/// SIGURG: ignored by whoever does not handle it.
const QUESTION: Signal = Signal::URG;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::node::sample;

    const NOW: Uptime = Uptime(Duration::from_secs(60));

    #[test]
    fn one_answer_is_for_all_who_wait_and_the_question_is_put_once() {
        let mut awaited = Awaited::default();
        let (mut first, put) = awaited.expect(NOW).unwrap();
        assert_eq!(put, Put::Now);
        let (mut second, put) = awaited.expect(NOW).unwrap();
        assert_eq!(put, Put::Already);
        awaited.take(sample());
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(sample()), Ok(sample())));
        assert_eq!(awaited.expect(NOW).unwrap().1, Put::Now);
    }

    #[test]
    fn who_waits_in_vain_neither_piles_up_nor_keeps_others_from_asking() {
        let mut awaited = Awaited::default();
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| awaited.expect(NOW).unwrap()).collect();
        assert!(awaited.expect(NOW).is_none());
        drop(waiting);
        assert_eq!(awaited.expect(NOW).unwrap().1, Put::Now);
        awaited.take(sample());
        awaited.take(sample());
    }

    #[test]
    fn a_question_that_is_not_answered_is_put_again_whoever_still_waits() {
        let mut awaited = Awaited::default();
        let _patient = awaited.expect(NOW).unwrap();
        assert_eq!(awaited.expect(NOW.after(Duration::from_secs(4))).unwrap().1, Put::Already);
        assert_eq!(awaited.expect(NOW.after(Duration::from_secs(5))).unwrap().1, Put::Now);
        assert_eq!(awaited.expect(NOW.after(Duration::from_secs(9))).unwrap().1, Put::Already);
    }
}
