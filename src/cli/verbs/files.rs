//! Targets that are configuration files: they stand for their apps.

use std::path::{Path, PathBuf};

use super::args::{Change, OfFile, Operate};
use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::api::types::{AppView, StartRequest, Status};
use crate::cli::beginning;
use crate::cli::declared::{self, Apps};
use crate::config::interpreter;
use crate::config::sources::Sources;
use crate::control::call::Call;
use crate::ecosystem::declaration::select::{Choice, FileRequest};

/// What a target means.
pub(super) enum Meant {
    /// What the runtime finds.
    Target(String),
    /// An app of a file; and whether it is there for others alone, which need it.
    App { request: Box<StartRequest>, is_taken_along: bool },
}

/// Whether an app has something that could be reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    Yes,
    No,
}

/// What the targets mean, with every app of every file found fit to be run.
pub(super) fn meant(
    session: &Session,
    targets: &[String],
    of_file: &OfFile,
) -> Result<Vec<Meant>, VerbError> {
    let mut all = Vec::new();
    for target in targets {
        match apps(session, target, of_file)? {
            None => all.push(Meant::Target(target.clone())),
            Some(apps) => {
                let sources = Sources::of_this_process();
                for request in &apps.requests {
                    let error = |error| VerbError::App(Box::new(error));
                    beginning::settle(request, &sources).map_err(error)?;
                    let name = request.declared.as_ref().map(|declared| &declared.app);
                    let is_taken_along = name.is_some_and(|name| apps.taken_along.contains(name));
                    all.push(Meant::App { request: Box::new(request.clone()), is_taken_along });
                }
            }
        }
    }
    Ok(all)
}

/// The names in the place of files: those that need others before these.
pub(super) fn names(session: &Session, operate: Operate) -> Result<Change, VerbError> {
    let Operate { change: Change { progress, targets }, of_file } = operate;
    let mut names = Vec::new();
    for target in targets {
        match apps(session, &target, &of_file)? {
            None => names.push(target),
            Some(apps) => {
                let along = &apps.taken_along;
                let named = apps
                    .requests
                    .iter()
                    .rev()
                    .filter_map(|request| Some(request.declared.as_ref()?.app.clone()));
                names.extend(named.filter(|name| !along.contains(name)));
            }
        }
    }
    Ok(Change { progress, targets: names })
}

/// The apps of the file that `target` names, if it names one.
fn apps(session: &Session, target: &str, of_file: &OfFile) -> Result<Option<Apps>, VerbError> {
    let file = Path::new(target);
    if !interpreter::is_configuration(file) || !session.directory.join(file).is_file() {
        return Ok(None);
    }
    let OfFile { only, env, formation } = of_file.clone();
    let choice = Choice { only, environment: env, formation, ..Choice::default() };
    let request = FileRequest { file: PathBuf::from(file), choice, options: Vec::new(), remarks: Vec::new() };
    let apps = declared::apps(&request, &Sources::of_this_process(), &session.directory)?;
    for remark in &apps.remarks {
        session.output.tell(&format!("warning: {remark}\n"));
    }
    Ok(Some(apps))
}

/// What makes the app of a file what the file says: a change of the one that is there, or a new one. One that others need, and
/// that is there, may stay as it is.
pub(super) fn call(
    request: &StartRequest,
    is_taken_along: bool,
    known: &[AppView],
    anew: impl Fn(&str, Option<Box<StartRequest>>, Runs) -> Call,
) -> Option<Call> {
    let name = request.declared.as_ref().map(|declared| declared.app.as_str()).unwrap_or_default();
    match known.iter().find(|app| app.name == name) {
        Some(_) if is_taken_along => None,
        Some(app) => Some(anew(name, Some(Box::new(request.clone())), runs(app))),
        None => Some(Call::to(routes::ADD).body(request)),
    }
}

fn runs(app: &AppView) -> Runs {
    match app.status {
        Status::Stopped | Status::Errored => Runs::No,
        Status::Online
        | Status::Unhealthy
        | Status::Standby
        | Status::Launching
        | Status::WaitingRestart
        | Status::Stopping => Runs::Yes,
    }
}
