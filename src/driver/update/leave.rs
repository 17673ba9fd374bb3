//! From the question for an update to the `execve`, or to the word that we go on as before.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot;

use super::candidate::{self, Candidate, CandidateError};
use super::collect::CollectError;
use super::rest::AtRest;
use crate::api::types::{Operation, Verdict};
use crate::driver::run::Driver;
use crate::driver::words::update_failed;
use crate::process::{Pid, Signal};
use crate::supervisor::Uptime;
use crate::sys::inherited::{self, Kept, OnExec};
use crate::sys::replace;
use crate::sys::signals::{self, Blocked, signal_group};

/// How long everything may take to come to rest.
const REST_WITHIN: Duration = Duration::from_secs(5);
/// When it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long others have, to pass our answer on, before the connection with it goes. They need some microseconds.
const TIME_FOR_THE_ANSWER: Duration = Duration::from_millis(10);

/// What a candidate has answered: its version, or why it cannot take over.
pub(in crate::driver) type Tried = Result<String, String>;

/// An update that was asked for.
#[derive(Debug)]
pub(in crate::driver) struct Update {
    candidate: Candidate,
    /// Until it is used.
    reply: Option<oneshot::Sender<Verdict>>,
    begun: Uptime,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The candidate is being tried, by this process of it, if that was not reaped yet.
    Trying(Option<Pid>),
    /// All has to come to rest: when that is tried next, and until when.
    Leaving { version: String, next: Uptime, until: Uptime },
}

/// Why the old program goes on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("an output is blocked, because nobody reads it")]
    Blocked,
    #[error("the workers, or what was asked of them, did not come to rest in time")]
    NotAtRest,
    #[error("the runtime is ending")]
    Ending,
    #[error("its state cannot be written: {0}")]
    Unwritable(#[from] CollectError),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    #[error("`{}` cannot be executed: {source}", path.display())]
    NotExecuted { path: PathBuf, source: io::Error },
}

/// Why there was no `execve`.
enum Stayed {
    /// It may be tried again.
    ForNow(Failure),
    Failed(Failure),
}

impl From<Failure> for Stayed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Update {
    /// When to try to leave.
    pub(in crate::driver) fn next_try(&self) -> Option<Uptime> {
        match self.stage {
            Stage::Trying(_) => None,
            Stage::Leaving { next, .. } => Some(next),
        }
    }

    /// `pid` was reaped, and may soon be somebody else's.
    pub(in crate::driver) fn forget(&mut self, pid: Pid) {
        if let Stage::Trying(trial) = &mut self.stage {
            trial.take_if(|trial| *trial == pid);
        }
    }
}

impl Driver {
    /// Somebody asks for an update. The verdict comes when the new program is about to take over, or cannot.
    pub(in crate::driver) async fn begin_update(
        &mut self,
        executable: Option<PathBuf>,
        reply: oneshot::Sender<Verdict>,
    ) {
        if let Err(why) = self.may_update() {
            drop(reply.send(verdict(Err(why), Duration::ZERO)));
            return;
        }
        let begun = self.shared.clock.now();
        match self.try_candidate(executable).await {
            Ok((candidate, trial)) => {
                let stage = Stage::Trying(Some(trial));
                self.update = Some(Update { candidate, reply: Some(reply), begun, stage });
            }
            Err(failure) => self.tell_failed(Some(reply), begun, &failure.to_string()),
        }
    }

    /// The file that goes on in our place; that which we were started from as long as there is no other.
    pub(super) fn next_executable(&self) -> Option<&Path> {
        let own = self.shared.surroundings.executable.as_deref();
        self.update.as_ref().map(|update| update.candidate.path()).or(own)
    }

    fn may_update(&self) -> Result<(), String> {
        if self.update.is_some() {
            return Err("another update is under way".to_owned());
        }
        if self.ending {
            return Err("the runtime is ending".to_owned());
        }
        match self.apps.values().find(|app| !app.pending.is_empty() || app.prelude.is_under_way()) {
            Some(app) => Err(format!(
                "something that was asked of `{}` is still under way; try again when it is done",
                app.name()
            )),
            None => Ok(()),
        }
    }

    async fn try_candidate(&mut self, executable: Option<PathBuf>) -> Result<(Candidate, Pid), Failure> {
        let candidate = Candidate::find(executable, self.shared.surroundings.executable.as_deref())?;
        // The descriptors in this state are of no use to it, and closed again before anything is spawned.
        let state = self.with_outputs_at_rest(|driver, at_rest| {
            let mut kept = Kept::default();
            driver.write_state(at_rest, &mut kept)
        });
        let state = state.await.ok_or(Failure::Blocked)??;
        let file = replace::state_file(&state)
            .map_err(|source| Failure::System { what: "no memory for the state", source })?;
        let (trial, output) = candidate
            .try_out(file)
            .map_err(|source| Failure::NotExecuted { path: candidate.path().to_owned(), source })?;
        let tried = self.tries.clone();
        drop(tokio::task::spawn_local(async move {
            let outcome = candidate::hear(output).await;
            // Without a loop nobody wants to know.
            let _ended = tried.send(outcome).await;
        }));
        Ok((candidate, trial))
    }

    /// A candidate has answered, or has not.
    pub(in crate::driver) fn on_tried(&mut self, tried: Tried) {
        let Some(update) = &mut self.update else { return };
        if let Stage::Trying(Some(trial)) = update.stage {
            // It has answered, or is given up.
            let _gone = signal_group(trial, Signal::KILL);
        }
        match tried {
            Ok(version) => {
                let now = self.shared.clock.now();
                update.stage = Stage::Leaving { version, next: now, until: now.after(REST_WITHIN) };
            }
            Err(why) => {
                let path = update.candidate.path().display().to_string();
                self.give_up(&format!("`{path}` cannot take over; {why}"));
            }
        }
    }

    /// Leaves, if all comes to rest; else tries again a little later, until it has taken too long.
    pub(in crate::driver) async fn hand_over(&mut self) {
        self.rest_links();
        let stayed = self.try_to_leave().await;
        self.end_rest_of_links();
        let now = self.shared.clock.now();
        match (stayed, self.update.as_mut().map(|update| &mut update.stage)) {
            (Stayed::Failed(failure), _) => self.give_up(&failure.to_string()),
            (Stayed::ForNow(failure), Some(Stage::Leaving { next, until, .. })) => {
                *next = now.after(AGAIN_AFTER);
                if *until <= now {
                    self.give_up(&failure.to_string());
                }
            }
            (Stayed::ForNow(_), _) => {}
        }
    }

    async fn try_to_leave(&mut self) -> Stayed {
        if !self.come_to_rest().await {
            return self.stays();
        }
        self.answer_update();
        tokio::time::sleep(TIME_FOR_THE_ANSWER).await;
        if !self.come_to_rest().await || self.ending {
            return self.stays();
        }
        let left = self.with_outputs_at_rest(Self::leave).await;
        left.unwrap_or(Stayed::ForNow(Failure::Blocked))
    }

    fn stays(&self) -> Stayed {
        if self.ending { Failure::Ending.into() } else { Stayed::ForNow(Failure::NotAtRest) }
    }

    /// Everything is at rest, or this does nothing. Returns only if we stay; then nothing has changed.
    fn leave(&self, at_rest: &AtRest<'_>) -> Stayed {
        let Some(Update { candidate, .. }) = &self.update else {
            return Stayed::ForNow(Failure::NotAtRest);
        };
        let blocked = match Blocked::all() {
            Ok(blocked) => blocked,
            Err(source) => return Failure::System { what: "signals cannot be blocked", source }.into(),
        };
        // What has come before they were blocked only our memory knows.
        if signals::have_come() || !self.is_at_rest() {
            return Stayed::ForNow(Failure::NotAtRest);
        }
        let failure = match self.execute(candidate, at_rest) {
            Ok(source) => Failure::NotExecuted { path: candidate.path().to_owned(), source },
            Err(failure) => failure,
        };
        drop(blocked);
        failure.into()
    }

    /// Gives the error of the `execve`.
    fn execute(&self, candidate: &Candidate, at_rest: &AtRest<'_>) -> Result<io::Error, Failure> {
        candidate.ensure_unchanged()?;
        let mut kept = Kept::default();
        let state = self.write_state(at_rest, &mut kept)?;
        let file = replace::state_file(&state)
            .map_err(|source| Failure::System { what: "no memory for the state", source })?;
        let number = inherited::set_on_exec(file.as_fd(), OnExec::Keep).map(|()| file.as_raw_fd());
        let number = number.map_err(|source| Failure::System { what: "the state cannot be kept", source })?;
        self.apps.values().for_each(|app| app.checks.interrupt());
        self.shared.crashes.hooks.interrupt();
        Ok(replace::execute(candidate.path(), number))
    }

    /// The connection that carries the answer ends with us, so it is given before we know whether the last step succeeds.
    fn answer_update(&mut self) {
        let now = self.shared.clock.now();
        let Some(update) = &mut self.update else { return };
        let (Stage::Leaving { version, .. }, Some(reply)) = (&update.stage, update.reply.take()) else {
            return;
        };
        let message = format!("handing over to version {version} (`{}`)", update.candidate.path().display());
        // Who asked may have gone.
        let _heard = reply.send(verdict(Ok(message), now.since(update.begun)));
    }

    fn give_up(&mut self, why: &str) {
        if let Some(update) = self.update.take() {
            self.tell_failed(update.reply, update.begun, why);
        }
    }

    fn tell_failed(&self, reply: Option<oneshot::Sender<Verdict>>, begun: Uptime, why: &str) {
        let said = update_failed(why);
        self.shared.events.announce(&said);
        if let Some(reply) = reply {
            let took = self.shared.clock.now().since(begun);
            drop(reply.send(verdict(Err(said.text), took)));
        }
    }
}

fn verdict(said: Result<String, String>, took: Duration) -> Verdict {
    Verdict {
        app: None,
        operation: Operation::Update,
        ok: said.is_ok(),
        message: said.unwrap_or_else(|why| why),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        generation: None,
        instances: None,
        last_lines: Vec::new(),
    }
}
