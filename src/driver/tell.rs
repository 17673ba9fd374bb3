//! Tells people and clients what has happened: a line of ours, and an event on the control socket.
//!
//! One task does, in the order of the notices, because a worker's last lines come before the word of its end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tracing::Level;

use super::clock::{self, Clock};
use super::collision;
use super::crashes::{CrashBook, Obituary};
use super::words::{Said, words};
use crate::api::types::EventView;
use crate::logs::WorkerLogs;
use crate::supervisor::{Killer, Notice, Verdict};

/// How long the last lines of a worker may take to be read: longer only where nobody reads our output.
pub(super) const LAST_LINES_WITHIN: Duration = Duration::from_millis(200);

/// Something to be told, with the output of the worker that it is about.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) app: Rc<Whose>,
    pub(super) notice: Notice,
    /// The number in the runtime of the instance that it is about.
    pub(super) id: Option<u32>,
    pub(super) logs: Option<Rc<WorkerLogs>>,
    /// What is to be written down after that.
    pub(super) obituary: Option<Box<Obituary>>,
}

/// Whose notices they are.
#[derive(Debug)]
pub(super) struct Whose {
    pub(super) name: String,
    /// A mere init speaks only of what its exit status cannot tell.
    pub(super) is_init: bool,
    /// What to do about a port that is taken, where that is of our making, until it is said.
    pub(super) collision: Cell<Option<&'static str>>,
}

impl Whose {
    fn explain(&self, logs: &WorkerLogs) {
        if let Some(remedy) = self.collision.get().filter(|_| collision::is_told_in(&logs.tail())) {
            self.collision.set(None);
            tracing::error!(app = self.name, "{remedy}");
        }
    }
}

/// Events, for those who listen.
#[derive(Debug)]
pub(super) struct Events {
    sender: broadcast::Sender<Arc<EventView>>,
    /// The number of the last one.
    pub(super) seq: Cell<u64>,
    /// How many notices wait to be told, and crashes to be written down.
    pub(super) waiting: Cell<u64>,
}

impl Events {
    /// For all who listen to `sender`. The number of the last event so far was `seq`.
    pub(super) fn new(sender: broadcast::Sender<Arc<EventView>>, seq: u64) -> Self {
        Self { sender, seq: Cell::new(seq), waiting: Cell::default() }
    }

    /// Tells something about the runtime itself.
    pub(super) fn announce(&self, said: &Said) {
        self.publish((None, None), said, None);
        emit("", said);
    }

    /// Tells something about an app.
    pub(super) fn announce_of(&self, app: &Whose, said: &Said) {
        self.publish((Some(app), None), said, None);
        emit(&app.name, said);
    }

    /// Tells what an app has said in one of its instances, and what it has sent along.
    pub(super) fn remark(&self, app: &Whose, id: Option<u32>, said: &Said, data: Option<Value>) {
        self.publish((Some(app), id), said, data);
        emit(&app.name, said);
    }

    /// Tells clients alone.
    pub(super) fn publish_of(&self, app: &Whose, id: Option<u32>, said: &Said, data: Value) {
        self.publish((Some(app), id), said, Some(data));
    }

    fn publish(&self, (app, id): (Option<&Whose>, Option<u32>), said: &Said, data: Option<Value>) {
        self.seq.update(|seq| seq + 1);
        // Nobody may listen.
        let _heard = self.sender.send(Arc::new(EventView {
            seq: self.seq.get(),
            at_ms: clock::epoch_ms(),
            level: said.level.to_string().to_ascii_lowercase(),
            kind: said.kind.to_owned(),
            app: app.map(|app| app.name.clone()),
            id,
            pid: said.pid.map(crate::process::Pid::as_raw),
            message: said.text.clone(),
            data,
        }));
    }
}

/// Who tells.
#[derive(Debug)]
pub(super) struct Teller(Rc<Events>);

impl Teller {
    /// Begins to tell, and has crashes written down by whom it gives last. To be called within a `LocalSet`.
    pub(super) fn start(
        events: &Rc<Events>,
        clock: Clock,
    ) -> (UnboundedSender<Telling>, JoinHandle<Self>, Rc<CrashBook>) {
        let (tellings, told) = mpsc::unbounded_channel();
        let (crashes, crashed) = CrashBook::start(Rc::clone(events), clock);
        (tellings, tokio::task::spawn_local(Self(Rc::clone(events)).run(told, crashed)), crashes)
    }

    /// Tells everything that comes until there is nobody left who could send more.
    async fn run(
        mut self,
        mut tellings: UnboundedReceiver<Telling>,
        crashes: UnboundedSender<Obituary>,
    ) -> Self {
        while let Some(mut telling) = tellings.recv().await {
            if let Some(logs) = &telling.logs {
                let _in_time = tokio::time::timeout(LAST_LINES_WITHIN, logs.drain()).await;
            }
            self.tell(&telling);
            if let Some(obituary) = telling.obituary.take() {
                self.0.waiting.update(|waiting| waiting + 1);
                // Who writes them down ends only after us.
                let _written = crashes.send(*obituary);
            }
            self.0.waiting.update(|waiting| waiting.saturating_sub(1));
        }
        self
    }

    /// Tells one thing, now.
    pub(super) fn tell(&mut self, telling: &Telling) {
        let Telling { app, notice, id, logs, .. } = telling;
        let Some(said) = words(notice) else { return };
        self.0.publish((Some(app), *id), &said, None);
        if app.is_init && is_the_inits_own(notice) {
            return;
        }
        emit(&app.name, &said);
        if wants_last_lines(notice)
            && let Some(logs) = logs
        {
            quote(logs);
        }
        if let (Notice::Exited { .. }, Some(logs)) = (notice, logs) {
            app.explain(logs);
        }
    }
}

/// What the exit status of a mere init tells as well.
fn is_the_inits_own(notice: &Notice) -> bool {
    match notice {
        Notice::Ready { .. } | Notice::Ended { verdict: Verdict::Completed, .. } => true,
        Notice::Exited { killer, .. } => *killer != Killer::OutOfMemory,
        _ => false,
    }
}

fn wants_last_lines(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::ReloadCalledOff { .. }
            | Notice::CheckFailed { .. }
            | Notice::Ended { verdict: Verdict::Failed, .. }
    )
}

fn quote(logs: &WorkerLogs) {
    let tail = logs.tail();
    if tail.is_empty() {
        return;
    }
    tracing::error!("its last lines were:");
    for line in tail {
        tracing::error!("  {line}");
    }
}

/// The fields in one order for all lines; those that a line has not are left out, as is the app of what is said of the
/// runtime itself.
fn emit(app: &str, said: &Said) {
    let app = Some(app).filter(|app| !app.is_empty());
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                app,
                instance = said.instance.map(|instance| instance.0),
                pid = said.pid.map(crate::process::Pid::as_raw),
                after = said.after.as_deref(),
                lived = said.lived.as_deref(),
                workers = said.workers,
                instances = said.instances,
                generation = said.generation.map(|generation| generation.0),
                took = said.took.as_deref(),
                from = said.from,
                to = said.to,
                status = said.status,
                "{}",
                said.text
            )
        };
    }
    match said.level {
        Level::ERROR => at!(error),
        Level::WARN => at!(warn),
        Level::INFO => at!(info),
        Level::DEBUG => at!(debug),
        Level::TRACE => at!(trace),
    }
}
