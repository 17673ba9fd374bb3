//! Collects the state that is handed over, and keeps open what it names.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::rest::{AtRest, Of};
use super::state::{AppState, ControlState, LogFileState, OutputsOf, RuntimeState, WebState, WorkerState};
use crate::driver::app::App;
use crate::driver::run::Driver;
use crate::driver::web::WebSocket;
use crate::driver::workers::Worker;
use crate::logs::{Outputs, Suspended};
use crate::spec::WorkerId;
use crate::sys::inherited::Kept;

/// Why the state cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectError {
    #[error("a descriptor cannot be kept open: {0}")]
    NotKept(#[from] io::Error),
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
}

impl Driver {
    /// All of it, as it is handed over. What it names is closed again by the `execve` after `kept` was dropped.
    pub(super) fn write_state(&self, at_rest: &AtRest<'_>, kept: &mut Kept) -> Result<Vec<u8>, CollectError> {
        Ok(self.state(at_rest, kept)?.write()?)
    }

    fn state(&self, at_rest: &AtRest<'_>, kept: &mut Kept) -> io::Result<RuntimeState> {
        let shared = &self.shared;
        let guard = shared.guard.borrow().as_ref().map(|guard| kept.add(guard.as_fd())).transpose()?;
        let control = self.control.as_ref().map(|control| kept.add(control.as_fd())).transpose()?;
        let web = self.web.as_ref().map(|web| web_state(web, kept)).transpose()?;
        let has_history = self.telemetry.is_kept() || self.web.is_some();
        let place = self.socket.clone().unwrap_or_default();
        let apps = self.apps.values().map(|app| app.to_state(at_rest, kept));
        Ok(RuntimeState {
            started: shared.clock.started(),
            updates: self.updates,
            seq: shared.events.seq.get(),
            next_app: self.next_app,
            next_id: shared.next_id.get(),
            statuses: self.statuses.clone(),
            advised: shared.advised.borrow().clone(),
            oom_kills_seen: shared.oom.borrow().seen(),
            log_level: shared.surroundings.log_level.clone(),
            auto_exit: shared.surroundings.auto_exit,
            outputs: outputs_state(at_rest, &Of::Runtime, &shared.outputs)?.ok_or(io::ErrorKind::NotFound)?,
            guard,
            control: control.map(|descriptor| ControlState { descriptor, place }),
            web,
            history: has_history.then(|| self.telemetry.state()),
            memory: self.memory.as_ref().map(|watch| watch.guard.clone()),
            crashes: shared.crashes.kept.borrow().clone(),
            crashes_to_report: shared.crashes.hooks.outstanding(),
            pushes: self.pushes.as_ref().map(|pushes| pushes.starts.borrow().clone()),
            executable: self.next_executable().map(Path::to_owned),
            apps: apps.collect::<io::Result<_>>()?,
        })
    }
}

fn web_state(web: &WebSocket, kept: &mut Kept) -> io::Result<WebState> {
    let (token, read_only) = (web.token.clone(), web.read_only);
    Ok(WebState { descriptor: kept.add(web.socket.as_fd())?, address: web.address, token, read_only })
}

fn outputs_state(at_rest: &AtRest<'_>, whose: &Of, outputs: &Outputs) -> io::Result<Option<OutputsOf>> {
    let found = at_rest.iter().find(|(of, _)| of == whose);
    let state = |(_, suspended): &(Of, Suspended<'_>)| {
        Ok(OutputsOf { look: outputs.settings(), state: suspended.state()? })
    };
    found.map(state).transpose()
}

impl App {
    fn to_state(&self, at_rest: &AtRest<'_>, kept: &mut Kept) -> io::Result<AppState> {
        let workers = self.workers.numbered().map(|(id, worker)| worker_state(id, worker, kept));
        let workers = workers.collect::<io::Result<_>>()?;
        let asked = self.workers.interceptions().map(|(id, asked)| Ok((id, asked.state(kept)?)));
        let interceptions = asked.collect::<io::Result<_>>()?;
        Ok(AppState {
            id: self.id,
            definition: self.definition.clone(),
            created_at_ms: self.created_at_ms,
            plans: self.plans.iter().map(|(&generation, plan)| (generation, (**plan).clone())).collect(),
            supervisor: self.supervisor.clone(),
            workers,
            remains: self.workers.remains().collect(),
            interceptions,
            listeners: self.listeners.state(kept)?,
            tickets: self.tickets.clone(),
            ids: self.ids.clone(),
            last_ticket: self.last_ticket,
            exits: self.exits.clone(),
            status: self.status,
            gate: self.prelude.gate,
            why_not: self.prelude.why_not.clone(),
            explains_collision: self.whose.collision.get().is_some(),
            outputs: outputs_state(at_rest, &Of::App(self.id), &self.outputs)?,
            log_files: self.log_file_states(at_rest)?,
            last_scaled: self.last_scaled.clone(),
        })
    }

    fn log_file_states(&self, at_rest: &AtRest<'_>) -> io::Result<Vec<LogFileState>> {
        let state = |(path, outputs): (&PathBuf, &Rc<Outputs>)| {
            let state = outputs_state(at_rest, &Of::File(self.id, path.clone()), outputs).transpose()?;
            Some(state.map(|outputs| LogFileState { path: path.clone(), outputs }))
        };
        self.log_files.0.iter().filter_map(state).collect()
    }
}

fn worker_state(id: WorkerId, worker: &Worker, kept: &mut Kept) -> io::Result<WorkerState> {
    let link = worker.link.as_ref().map(|link| link.state(kept)).transpose()?.flatten();
    let notify = worker.notify.as_ref().map(|notify| notify.state(kept)).transpose()?;
    Ok(WorkerState {
        id,
        pid: worker.pid,
        instance: worker.instance,
        stop: worker.stop,
        has_terminal: worker.has_terminal,
        handed: worker.handed.clone(),
        servers: worker.servers.clone(),
        parking: worker.parking.clone(),
        link,
        notify,
        said: worker.said.clone(),
        pid_file: worker.pid_file.clone(),
        reported: worker.talk.reported.clone(),
    })
}
