//! What all apps of the runtime share.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::Clock;
use super::crashes::CrashBook;
use super::hear::Asked;
use super::oom::OomWatch;
use super::plan::{Plan, Surroundings};
use super::tell::{Events, Telling};
use super::watch_logs::Followers;
use crate::api::types::Mode;
use crate::changes::Own;
use crate::handover::cluster::FromWorker;
use crate::handover::notify::Said;
use crate::logs::{self, FileSettings, Format, Outputs, Prefix, StreamSettings};
use crate::process::Pid;
use crate::spec::{AppId, LogPlace, LogPolicy, LogReach, WorkerKey};
use crate::sys::guard::Guard;

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) surroundings: Surroundings,
    pub(super) clock: Clock,
    pub(super) outputs: Rc<Outputs>,
    pub(super) oom: RefCell<OomWatch>,
    pub(super) questions: mpsc::Sender<(WorkerKey, Asked)>,
    pub(super) channel: mpsc::Sender<(WorkerKey, FromWorker)>,
    pub(super) said: mpsc::Sender<(WorkerKey, Said)>,
    pub(super) arrived: mpsc::Sender<AppId>,
    /// What is to be told, in order. As many as the supervisors have decisions, and told within a fraction of a second.
    pub(super) tellings: mpsc::UnboundedSender<Telling>,
    pub(super) events: Rc<Events>,
    pub(super) crashes: Rc<CrashBook>,
    /// How many tasks have something that they are still to pass on to the loop: a worker's question, a queue's end.
    pub(super) asking: Rc<Cell<u32>>,
    /// Takes what workers have started along, should we be killed.
    pub(super) guard: RefCell<Option<Guard>>,
    /// Advice already given, so that each is given once.
    pub(super) advised: RefCell<Vec<String>>,
    /// The number of the next instance in the runtime.
    pub(super) next_id: Cell<u32>,
    /// Whether a Ctrl-Z waits for us to stop.
    pub(super) suspending: Cell<bool>,
    pub(super) followers: Followers,
    /// What we write for any app.
    pub(super) own_files: Own,
    /// Where our control socket lies, if it is a file.
    pub(super) socket_directory: RefCell<Option<PathBuf>>,
}

/// What leads into the loop, and to who tells of things.
pub(super) struct Senders {
    pub(super) questions: mpsc::Sender<(WorkerKey, Asked)>,
    pub(super) channel: mpsc::Sender<(WorkerKey, FromWorker)>,
    pub(super) said: mpsc::Sender<(WorkerKey, Said)>,
    pub(super) arrived: mpsc::Sender<AppId>,
    pub(super) tellings: mpsc::UnboundedSender<Telling>,
}

impl Surroundings {
    /// The log files that an app has without being told so; `None` where it writes to our own output instead.
    pub(super) fn usual_files(&self, plan: &Plan) -> Option<(Option<PathBuf>, Option<PathBuf>)> {
        let LogPolicy { output, error, reach, .. } = &plan.app.logs;
        if *reach == LogReach::Askers {
            return Some((None, None));
        }
        let Self { mode: Mode::Background, home: Some(home), .. } = self else {
            return None;
        };
        let logs = home.join("logs");
        // A name may hold anything but control characters.
        let name = plan.app.name.replace('/', "-");
        let file = |place: &LogPlace, stream| {
            (*place == LogPlace::Usual).then(|| logs.join(format!("{name}-{stream}.log")))
        };
        Some((file(output, "out"), file(error, "error")))
    }
}

/// How many different pieces of advice are given.
const MOST_ADVICE: usize = 32;

impl Shared {
    pub(super) fn new(
        surroundings: Surroundings,
        (clock, oom): (Clock, OomWatch),
        outputs: Rc<Outputs>,
        senders: Senders,
        (events, crashes): (Rc<Events>, Rc<CrashBook>),
    ) -> Self {
        let Senders { questions, channel, said, arrived, tellings } = senders;
        Self {
            surroundings,
            clock,
            outputs,
            oom: RefCell::new(oom),
            questions,
            channel,
            said,
            arrived,
            tellings,
            events,
            crashes,
            asking: Rc::default(),
            guard: RefCell::default(),
            advised: RefCell::default(),
            next_id: Cell::default(),
            suspending: Cell::default(),
            followers: Followers::default(),
            own_files: Own::default(),
            socket_directory: RefCell::default(),
        }
    }

    /// A number that no instance has had.
    pub(super) fn new_id(&self) -> u32 {
        let id = self.next_id.get();
        self.next_id.set(id.saturating_add(1));
        id
    }

    /// Has it told, after what was to be told before.
    pub(super) fn tell(&self, telling: Telling) {
        self.events.waiting.update(|waiting| waiting + 1);
        // The teller ends only after us.
        let _told = self.tellings.send(telling);
    }

    /// Says it once, however many workers do the same. An app that tries port after port need not be told of each.
    pub(super) fn advise(&self, text: String) {
        let mut advised = self.advised.borrow_mut();
        if advised.len() < MOST_ADVICE && !advised.contains(&text) {
            tracing::warn!("{text}");
            advised.push(text);
        }
    }

    pub(super) fn guard_group(&self, group: Pid) {
        if let Some(guard) = &mut *self.guard.borrow_mut() {
            guard.watch(group);
        }
    }

    pub(super) fn forget_group(&self, group: Pid) {
        if let Some(guard) = &mut *self.guard.borrow_mut() {
            guard.forget(group);
        }
    }

    /// Starts the guard, if one is wanted and there is none, and tells it of the groups that there are.
    pub(super) fn start_guard(&self, groups: &[Pid]) {
        if self.guard.borrow().is_some() {
            return;
        }
        match Guard::start() {
            Ok(guard) => *self.guard.borrow_mut() = Some(guard),
            Err(error) => {
                tracing::debug!(%error, "no guard: what workers start may outlive us if we are killed");
                return;
            }
        }
        groups.iter().for_each(|&group| self.guard_group(group));
    }

    /// Where reports on stalled workers go, best first.
    pub(super) fn report_directories(&self) -> Vec<PathBuf> {
        let homes = self.surroundings.home.iter().cloned().chain(self.socket_directory.borrow().clone());
        homes.map(|home| home.join("reports")).collect()
    }

    /// Lines of several apps or instances are told apart by a prefix.
    pub(super) fn arrange(&self, several: bool) {
        if self.surroundings.mode == Mode::Foreground {
            let prefixed = several || self.surroundings.always_prefix;
            let prefix = if prefixed { Prefix::AppAndInstance } else { Prefix::None };
            self.outputs.rearrange(!several, prefix, prefix);
        }
    }
}

/// Our own lines, in the background.
#[must_use]
pub fn own_log(home: &Path) -> FileSettings {
    rotated(home.join("logs").join("pmr.log"))
}

/// How lines look in a file: as the workers write them.
pub(super) fn plain() -> logs::Settings {
    let plain = StreamSettings { prefix: Prefix::None, colour: false };
    logs::Settings {
        format: Format::Raw,
        stdout: plain,
        stderr: plain,
        timestamps: false,
        line_times: false,
        sole_source: false,
    }
}

/// Files that cannot fill a disk: 10 MB each, and as many again four times; none is older than a week when it is left.
#[must_use]
pub(super) fn rotated(path: PathBuf) -> FileSettings {
    FileSettings {
        path,
        max_bytes: Some(10_000_000),
        max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
        keep: 4,
    }
}
