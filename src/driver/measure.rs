//! Measures the memory of an app's workers, where the supervisor asks for it.

use super::app::App;
use super::hear::Asked;
use crate::metrics::sampler::weigh;
use crate::metrics::usage::Key;
use crate::spec::WorkerId;
use crate::supervisor::Event;

impl App {
    /// Measures on another thread: a process that is busy with its memory holds up whoever asks for it. While that goes on,
    /// nothing more is begun.
    pub(super) fn measure(&mut self, workers: &[WorkerId]) {
        if std::mem::replace(&mut self.is_measuring, true) {
            return;
        }
        let limit = self.plan().app.health.max_memory.unwrap_or_default();
        let pid = |id: &WorkerId| self.workers.get(*id).map(|worker| (*id, worker.pid));
        let pids = workers.iter().filter_map(pid);
        let trees: Vec<_> = pids.map(|(worker, pid)| (Key { app: self.id, worker }, pid)).collect();
        // Of the whole app: no worker has this number.
        let (key, questions) = (self.key(WorkerId::default()), self.shared.questions.clone());
        drop(tokio::task::spawn_local(async move {
            let sizes = tokio::task::spawn_blocking(move || weigh(&trees, limit)).await;
            let sizes = sizes.unwrap_or_default().into_iter().map(|(key, bytes)| (key.worker, bytes));
            // With nobody to hear it, the loop has ended, and everything with it.
            let _loop_ended = questions.send((key, Asked::Measured { sizes: sizes.collect() })).await;
        }));
    }

    /// That has come to its end.
    pub(super) fn on_measured(&mut self, sizes: Vec<(WorkerId, u64)>) {
        self.is_measuring = false;
        self.feed(Event::Measured { sizes });
    }
}
