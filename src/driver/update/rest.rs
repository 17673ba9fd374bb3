//! How all comes to rest: what is under way is brought to its end, and nothing new is begun.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::driver::app::App;
use crate::driver::run::Driver;
use crate::handover::cluster::ClusterLink;
use crate::handover::notify::NotifyListener;
use crate::logs::Suspended;
use crate::spec::AppId;

/// How often the tasks that read and write get their turn before we give way to the rest of the loop.
const ROUNDS: u32 = 64;
/// How long an output may take to come to rest. The loop stands still meanwhile. It is a matter of microseconds, unless nobody
/// reads our output, or the machine is so busy that the thread that writes has to wait for its turn.
const OUTPUTS_WITHIN: Duration = Duration::from_secs(1);

/// Outputs at rest: the runtime's own, those of apps that have their own, and log files last, since what the others read is
/// written to their pipes.
pub(super) type AtRest<'a> = Vec<(Of, Suspended<'a>)>;

/// Whose outputs they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Of {
    Runtime,
    App(AppId),
    File(AppId, PathBuf),
}

impl Driver {
    /// Deals with all that waits, until nothing is under way. False where that does not come about now, or all is over.
    pub(super) async fn come_to_rest(&mut self) -> bool {
        for _ in 0..ROUNDS {
            while let Some(happened) = self.inboxes.take() {
                self.on_happened(happened).await;
            }
            if self.settle().is_some() {
                return false;
            }
            if self.is_at_rest() {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }

    /// Whether nothing is under way that only our memory knows of.
    pub(super) fn is_at_rest(&self) -> bool {
        let nothing_waits = self.shared.events.waiting.get() == 0 && self.shared.asking.get() == 0;
        nothing_waits && self.inboxes.are_empty() && self.apps.values().all(App::is_at_rest)
    }

    /// Brings the outputs to rest, does `then`, and lets them go on. `None`: one of them is blocked.
    pub(super) async fn with_outputs_at_rest<T>(
        &self,
        then: impl FnOnce(&Self, &AtRest<'_>) -> T,
    ) -> Option<T> {
        let own = (Of::Runtime, Rc::clone(&self.shared.outputs));
        let others = self.apps.values().filter(|app| !app.shares_outputs());
        let others = others.map(|app| (Of::App(app.id), Rc::clone(&app.outputs)));
        let files = self.apps.values().flat_map(|app| {
            let files = app.log_files.0.iter();
            files.map(|(path, outputs)| (Of::File(app.id, path.clone()), Rc::clone(outputs)))
        });
        let all: Vec<_> = std::iter::once(own).chain(others).chain(files).collect();
        let mut at_rest: AtRest<'_> = Vec::with_capacity(all.len());
        for (of, outputs) in &all {
            match outputs.suspend(OUTPUTS_WITHIN).await {
                Some(suspended) => at_rest.push((of.clone(), suspended)),
                None => break,
            }
        }
        let done = (at_rest.len() == all.len()).then(|| then(self, &at_rest));
        at_rest.into_iter().for_each(|(_, suspended)| suspended.go_on());
        done
    }

    /// Keeps workers from saying more over their channels.
    pub(super) fn rest_links(&self) {
        self.links().for_each(ClusterLink::rest);
    }

    pub(super) fn end_rest_of_links(&self) {
        self.links().for_each(ClusterLink::end_rest);
    }

    fn links(&self) -> impl Iterator<Item = &ClusterLink> {
        self.apps.values().flat_map(|app| app.workers.iter()).filter_map(|worker| worker.link.as_ref())
    }
}

impl App {
    /// Whether it writes to the runtime's own outputs.
    pub(in crate::driver) fn shares_outputs(&self) -> bool {
        Rc::ptr_eq(&self.outputs, &self.shared.outputs)
    }

    fn is_at_rest(&self) -> bool {
        let mut links = self.workers.iter().filter_map(|worker| worker.link.as_ref());
        let mut notifies = self.workers.iter().filter_map(|worker| worker.notify.as_ref());
        self.pending.is_empty()
            && !self.prelude.is_under_way()
            && self.drains.are_at_rest()
            && self.todo.is_empty()
            && self.unnoted_status.is_none()
            && self.last_notice.is_none()
            && links.all(ClusterLink::is_at_rest)
            && notifies.all(NotifyListener::is_at_rest)
    }
}
