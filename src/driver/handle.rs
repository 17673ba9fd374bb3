//! What others may ask the driver for while it runs: the control socket is such an other.
//!
//! A [`Handle`] is cheap to copy. Every question is answered by the one loop, between two events, so nobody ever sees
//! half a change; a change that takes its time is answered when it is done. Who asks and goes away is not waited for.

use std::ffi::OsString;
use std::fs::File;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::api::crash::{CrashDetail, CrashView};
use crate::api::node::NodeView;
use crate::api::types::{
    AppView, EventView, LogView, Operation, Problem, RuntimeView, StartRequest, Verdict,
};
use crate::handover::insight::Wanted;
use crate::logs::Stream;
use crate::process::{Pid, Signal};
use crate::spec::{AppId, InstanceId, ReloadStrategy};

/// How many questions may wait for the loop; who asks then waits too.
const QUESTIONS_WAITING: usize = 64;
/// How many events a listener may be behind before it loses some.
const EVENTS_KEPT: usize = 1024;

/// An app, or one of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub app: AppId,
    /// All of them where `None`.
    pub instance: Option<InstanceId>,
}

/// What an app is from now on, as far as that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anew {
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// All of it. Of whole apps only.
    pub definition: Option<Box<StartRequest>>,
}

/// What is to be done to an app, or to one of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Starts what was stopped or has failed.
    Start,
    /// Asks the workers to end, and starts none until asked.
    Stop,
    /// Stops, then starts; the sockets stay open meanwhile.
    Restart { anew: Anew },
    /// Replaces the workers without a gap.
    Reload {
        /// As the app is set where `None`.
        strategy: Option<ReloadStrategy>,
        parallel: Parallel,
        anew: Anew,
    },
    /// Boots one new worker beside the others, and discards it.
    Check { anew: Anew },
    /// Stops, and forgets the app. Of whole apps only.
    Delete,
    /// Of whole apps only.
    Scale(ScaleTo),
    /// Of whole apps only: as many instances as the load asks for.
    Follow { to: NonZeroU32, because: String },
    /// To the first process of each worker.
    Signal(Signal),
    /// Sets the counters to zero.
    Reset,
    /// Throws the kept lines away, and what is in the log files.
    Flush,
    /// Sends the app a message: data under a topic, or the data and no more.
    Send { topic: Option<String>, data: Value },
}

impl Change {
    /// The change's name in verdicts.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Start => Operation::Start,
            Self::Stop => Operation::Stop,
            Self::Restart { .. } => Operation::Restart,
            Self::Reload { .. } => Operation::Reload,
            Self::Check { .. } => Operation::Check,
            Self::Delete => Operation::Delete,
            Self::Scale(_) | Self::Follow { .. } => Operation::Scale,
            Self::Signal(_) => Operation::Signal,
            Self::Reset => Operation::Reset,
            Self::Flush => Operation::Flush,
            Self::Send { .. } => Operation::Send,
        }
    }
}

/// How many instances a reload replaces at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parallel {
    Number(NonZeroU32),
    All,
}

/// How many instances there shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleTo {
    Exactly(NonZeroU32),
    More(u32),
    Fewer(u32),
}

/// Which lines of the logs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// All apps, and the runtime's own lines too, where `None`.
    pub targets: Option<Vec<Target>>,
    /// Both where `None`.
    pub stream: Option<Stream>,
    /// How many of the last ones.
    pub lines: usize,
    /// Whether those to come are wanted, too.
    pub follow: bool,
}

/// Lines as they come.
#[derive(Debug)]
pub enum Live {
    Lines(Vec<LogView>),
    /// So many were lost, since the reader was too slow.
    Lost(u64),
}

/// What an action answers: as JSON, one or several; or why it does not. Dropped where its worker ends before.
pub type Waiting = oneshot::Receiver<Result<Vec<String>, String>>;

/// An instance in which an action was called, or could not be.
#[derive(Debug)]
pub struct Called {
    pub app: String,
    /// Its number in the runtime.
    pub id: u32,
    pub instance: u32,
    pub pid: Option<i32>,
    pub answer: Result<Waiting, String>,
}

/// A worker that was asked how it does. Its answer is dropped where it ends before.
#[derive(Debug)]
pub struct Report {
    pub pid: i32,
    pub answer: oneshot::Receiver<NodeView>,
}

/// A worker that was told to look into itself. The answers are dropped where it ends before.
#[derive(Debug)]
pub struct Insight {
    pub app: String,
    pub instance: u32,
    pub pid: Pid,
    /// When it was told.
    pub at_ms: u64,
    /// What it writes into.
    pub file: File,
    pub begun: oneshot::Receiver<()>,
    /// Why it failed, if it did.
    pub done: oneshot::Receiver<Result<(), String>>,
}

/// A question to the driver, with the way for its answer.
#[derive(Debug)]
pub enum Question {
    Runtime {
        reply: oneshot::Sender<RuntimeView>,
    },
    /// All apps as the driver knows them: without figures of processes (CPU, memory) and facts of the files.
    Apps {
        reply: oneshot::Sender<Vec<AppView>>,
    },
    Change {
        targets: Vec<Target>,
        change: Change,
        reply: oneshot::Sender<Vec<Verdict>>,
    },
    Add {
        request: Box<StartRequest>,
        reply: oneshot::Sender<Result<Verdict, Problem>>,
    },
    /// The environment of an instance's worker, or of its next one. `None` where there is no such instance.
    Environment {
        app: AppId,
        instance: InstanceId,
        reply: oneshot::Sender<Option<Vec<(OsString, OsString)>>>,
    },
    /// The kept lines, and the receiver of those to come if they are wanted.
    Logs {
        query: LogQuery,
        reply: oneshot::Sender<(Vec<LogView>, Option<mpsc::Receiver<Live>>)>,
    },
    /// Calls an action that the app has registered. Answered at once with whom was asked; each answers in its own time.
    Call {
        targets: Vec<Target>,
        action: String,
        parameter: Option<Value>,
        reply: oneshot::Sender<Vec<Called>>,
    },
    /// Asks Node workers how they do. Answered at once with whom was asked.
    Reports {
        targets: Vec<Target>,
        reply: oneshot::Sender<Vec<Report>>,
    },
    /// The crashes that are kept, newest first.
    Crashes {
        reply: oneshot::Sender<Vec<CrashView>>,
    },
    /// The one of this number, if it is kept.
    Crash {
        id: u64,
        reply: oneshot::Sender<Option<CrashDetail>>,
    },
    /// Has a Node worker look into itself. Answered at once with whom was told.
    Insight {
        target: Target,
        wanted: Wanted,
        reply: oneshot::Sender<Result<Insight, Problem>>,
    },
    /// Tells that worker once more; where nobody waits any more, that is forgotten.
    Urge {
        target: Target,
        pid: Pid,
        reply: oneshot::Sender<()>,
    },
    /// What was started, so that it can be started again elsewhere.
    Definitions {
        reply: oneshot::Sender<Vec<StartRequest>>,
    },
    /// Stops all apps and ends the runtime. Answered when all is over, just before the end.
    Kill {
        reply: oneshot::Sender<Verdict>,
    },
    /// Puts another executable into our place. Answered by the one that goes on.
    Update {
        executable: Option<PathBuf>,
        reply: oneshot::Sender<Verdict>,
    },
}

/// The driver has ended; there is nobody to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the runtime is ending")]
pub struct Ended;

/// Asks the driver.
#[derive(Debug, Clone)]
pub struct Handle {
    questions: mpsc::Sender<Question>,
    events: broadcast::Sender<Arc<EventView>>,
}

/// The driver's side of all handles.
#[derive(Debug)]
pub struct DriverEnd {
    pub questions: mpsc::Receiver<Question>,
    pub events: broadcast::Sender<Arc<EventView>>,
}

/// A handle, and the driver's side of it.
#[must_use]
pub fn handle() -> (Handle, DriverEnd) {
    let (questions, inbox) = mpsc::channel(QUESTIONS_WAITING);
    let (events, _) = broadcast::channel(EVENTS_KEPT);
    (Handle { questions, events: events.clone() }, DriverEnd { questions: inbox, events })
}

impl Handle {
    /// Asks, and waits for the answer. `question` makes the question out of the way for its answer.
    ///
    /// # Errors
    /// When the driver ends before it answers.
    pub async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(question(reply)).await.map_err(|_closed| Ended)?;
        answer.await.map_err(|_dropped| Ended)
    }

    /// Asks for a change of an app, and does not wait until it is done.
    ///
    /// # Errors
    /// When the driver has ended.
    pub async fn order(&self, app: AppId, change: Change) -> Result<(), Ended> {
        let (reply, _unheard) = oneshot::channel();
        let targets = vec![Target { app, instance: None }];
        self.questions.send(Question::Change { targets, change, reply }).await.map_err(|_closed| Ended)
    }

    /// Events from now on. Who is too slow is told how many were lost.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<EventView>> {
        self.events.subscribe()
    }
}
