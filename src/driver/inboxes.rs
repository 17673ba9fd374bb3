//! Where the loop's events come from.

use std::io;

use tokio::sync::mpsc;

use super::clock::Clock;
use super::handle::Question;
use super::hear::Asked;
use super::update::Tried;
use crate::handover::cluster::FromWorker;
use crate::handover::notify::Said;
use crate::logs::{Closed, Stream};
use crate::memory::Look;
use crate::spec::{AppId, WorkerKey};
use crate::supervisor::Uptime;
use crate::sys::signals::{Arrived, Signals};

/// Where events come from.
#[derive(Debug)]
pub(super) struct Inboxes {
    pub(super) signals: Signals,
    pub(super) closed: Closed,
    pub(super) asked: mpsc::Receiver<(WorkerKey, Asked)>,
    pub(super) channel: mpsc::Receiver<(WorkerKey, FromWorker)>,
    pub(super) said: mpsc::Receiver<(WorkerKey, Said)>,
    /// Apps to which somebody has connected.
    pub(super) arrived: mpsc::Receiver<AppId>,
    pub(super) tried: mpsc::Receiver<Tried>,
    /// Looks at the memory that all workers share.
    pub(super) memory_seen: mpsc::Receiver<Option<Look>>,
    pub(super) questions: mpsc::Receiver<Question>,
}

/// What is to happen at the latest when.
pub(super) struct Times {
    /// Of supervisors.
    pub(super) deadline: Option<Uptime>,
    /// Of looks at queues.
    pub(super) look_at: Option<Uptime>,
    /// Of an update.
    pub(super) leave_at: Option<Uptime>,
    /// Of a rest, if nothing else happens before.
    pub(super) rest_at: Option<Uptime>,
    /// Of a look at the memory that all workers share.
    pub(super) memory_at: Option<Uptime>,
}

/// One thing that happened.
pub(super) enum Happened {
    Signals(Vec<Arrived>),
    Closed(Stream),
    Asked(WorkerKey, Asked),
    Said(WorkerKey, Said),
    Channel(WorkerKey, FromWorker),
    Question(Question),
    Tried(Tried),
    Arrived(AppId),
    Deadline,
    LookDue,
    Quiet,
    MemoryDue,
    MemorySeen(Option<Look>),
}

impl Inboxes {
    /// The next thing that happens; `None` when it is time to leave for an update. Signals first, so that a flood of anything
    /// else cannot keep us from stopping.
    pub(super) async fn next(
        &mut self,
        Times { deadline, look_at, leave_at, rest_at, memory_at }: Times,
        clock: Clock,
    ) -> io::Result<Option<Happened>> {
        let until = async |time: Option<Uptime>| match time {
            Some(time) => tokio::time::sleep_until(clock.at(time)).await,
            None => std::future::pending().await,
        };
        // Every branch is cancel-safe: what is not taken stays where it is.
        tokio::select! {
            biased;
            signals = self.signals.next() => Ok(Some(Happened::Signals(signals?))),
            // What else happens is dealt with there.
            () = until(leave_at) => Ok(None),
            Some((worker, asked)) = self.asked.recv() => Ok(Some(Happened::Asked(worker, asked))),
            Some((worker, said)) = self.said.recv() => Ok(Some(Happened::Said(worker, said))),
            Some((worker, message)) = self.channel.recv() => Ok(Some(Happened::Channel(worker, message))),
            stream = self.closed.next() => Ok(Some(Happened::Closed(stream))),
            Some(app) = self.arrived.recv() => Ok(Some(Happened::Arrived(app))),
            Some(look) = self.memory_seen.recv() => Ok(Some(Happened::MemorySeen(look))),
            () = until(memory_at) => Ok(Some(Happened::MemoryDue)),
            () = until(look_at) => Ok(Some(Happened::LookDue)),
            () = until(deadline) => Ok(Some(Happened::Deadline)),
            Some(tried) = self.tried.recv() => Ok(Some(Happened::Tried(tried))),
            // Last, so that whoever asks without end never keeps a worker waiting.
            Some(question) = self.questions.recv() => Ok(Some(Happened::Question(question))),
            () = until(rest_at) => Ok(Some(Happened::Quiet)),
        }
    }

    /// What has happened already, in the same order.
    pub(super) fn take(&mut self) -> Option<Happened> {
        let signals = self.signals.take();
        if !signals.is_empty() {
            return Some(Happened::Signals(signals));
        }
        if let Ok((worker, asked)) = self.asked.try_recv() {
            return Some(Happened::Asked(worker, asked));
        }
        if let Ok((worker, said)) = self.said.try_recv() {
            return Some(Happened::Said(worker, said));
        }
        if let Ok((worker, message)) = self.channel.try_recv() {
            return Some(Happened::Channel(worker, message));
        }
        self.questions.try_recv().ok().map(Happened::Question)
    }

    /// Whether nothing waits.
    pub(super) fn are_empty(&self) -> bool {
        let of_workers = self.asked.is_empty() && self.channel.is_empty() && self.said.is_empty();
        of_workers && self.questions.is_empty() && self.closed.is_empty()
    }
}
