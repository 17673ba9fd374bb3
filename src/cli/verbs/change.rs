//! The verbs that change something: each is a request, what happens meanwhile, and a verdict.

use super::args::{Change, Flush, OfFile, Operate, Progress, Reload, Restart, Scale, Signal};
use super::background::{self, Since};
use super::error::VerbError;
use super::files::{self, Meant, Runs};
use super::session::Session;
use crate::api::routes::{self, Route};
use crate::api::types::{
    EventView, Outcome, ReloadRequest, RestartRequest, ScaleRequest, SignalRequest, StartRequest, Verdict,
};
use crate::cli::render::{colour::Colours, verdict};
use crate::control::call::Call;
use crate::control::client::{Client, ClientError};
use crate::exit;

/// The verdict is not that all is well.
const NOT_DONE: u8 = 1;

pub(super) async fn stop(session: &Session, stop: Operate) -> Result<u8, VerbError> {
    for_each(session, files::names(session, stop)?, routes::STOP, |call| call).await
}

pub(super) async fn delete(session: &Session, delete: Operate) -> Result<u8, VerbError> {
    for_each(session, files::names(session, delete)?, routes::DELETE, |call| call).await
}

pub(super) async fn reset(session: &Session, change: Change) -> Result<u8, VerbError> {
    for_each(session, change, routes::RESET, |call| call).await
}

pub(super) async fn restart(session: &Session, restart: Restart) -> Result<u8, VerbError> {
    let environment = restart.update_env.then(|| session.environment());
    let Restart { change: Change { progress, targets }, of_file, .. } = restart;
    let body = |definition| RestartRequest { environment: environment.clone(), definition };
    let anew = |target: &str, definition, _| Call::to(routes::RESTART).target(target).body(&body(definition));
    renew(session, progress, &targets, &of_file, anew).await
}

pub(super) async fn reload(session: &Session, reload: Reload) -> Result<u8, VerbError> {
    let environment = reload.update_env.then(|| session.environment());
    let Reload { change: Change { progress, targets }, of_file, strategy, parallel, dry_run, .. } = reload;
    let anew = |target: &str, definition: Option<Box<StartRequest>>, runs| match runs {
        // Of an app of a file that does not run there is nothing to reload.
        Runs::No if definition.is_some() && !dry_run => {
            let body = RestartRequest { environment: environment.clone(), definition };
            Call::to(routes::RESTART).target(target).body(&body)
        }
        Runs::Yes | Runs::No => {
            let (parallel, strategy) = (parallel.clone(), strategy.clone());
            let environment = environment.clone();
            let body = ReloadRequest { parallel, strategy, dry_run, environment, definition };
            Call::to(routes::RELOAD).target(target).body(&body)
        }
    };
    renew(session, progress, &targets, &of_file, anew).await
}

/// Changes what is there, and adds what a file has besides. All files are read first: nothing is done where one has a problem.
async fn renew(
    session: &Session,
    progress: Progress,
    targets: &[String],
    of_file: &OfFile,
    anew: impl Fn(&str, Option<Box<StartRequest>>, Runs) -> Call,
) -> Result<u8, VerbError> {
    let meant = files::meant(session, targets, of_file)?;
    let (client, since) = match meant.iter().any(|meant| matches!(meant, Meant::App { .. })) {
        true => background::find_or_begin(session).await?,
        false => (session.client().await?, Since::Before),
    };
    let known = client.apps().await?;
    let call = |meant: &Meant| match meant {
        Meant::Target(target) => Some(anew(target, None, Runs::Yes)),
        Meant::App { request, is_taken_along } => files::call(request, *is_taken_along, &known, &anew),
    };
    let calls: Vec<Call> = meant.iter().filter_map(call).collect();
    let outcome = operate(session, &client, &calls, progress).await;
    if since == Since::Now && outcome.is_err() {
        background::end_idle(session, &client).await;
    }
    outcome
}

pub(super) async fn scale(session: &Session, scale: Scale) -> Result<u8, VerbError> {
    let call = Call::to(routes::SCALE).target(&scale.app).body(&ScaleRequest { to: scale.to });
    alone(session, scale.progress, call).await
}

pub(super) async fn signal(session: &Session, signal: Signal) -> Result<u8, VerbError> {
    let body = SignalRequest { signal: signal.signal };
    let change = Change { progress: signal.progress, targets: signal.targets };
    for_each(session, change, routes::SIGNAL, |call| call.body(&body)).await
}

pub(super) async fn flush(session: &Session, flush: Flush) -> Result<u8, VerbError> {
    let targets = if flush.targets.is_empty() { vec!["all".to_owned()] } else { flush.targets };
    let change = Change { progress: flush.progress, targets };
    for_each(session, change, routes::FLUSH, |call| call).await
}

pub(super) async fn kill(session: &Session, progress: Progress) -> Result<u8, VerbError> {
    alone(session, progress, Call::to(routes::KILL)).await
}

pub(super) async fn save(session: &Session, progress: Progress) -> Result<u8, VerbError> {
    alone(session, progress, Call::to(routes::SAVE)).await
}

async fn alone(session: &Session, progress: Progress, call: Call) -> Result<u8, VerbError> {
    let client = session.client().await?;
    operate(session, &client, &[call], progress).await
}

async fn for_each(
    session: &Session,
    change: Change,
    route: Route,
    finish: impl Fn(Call) -> Call,
) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let calls: Vec<Call> =
        change.targets.iter().map(|target| finish(Call::to(route).target(target))).collect();
    operate(session, &client, &calls, change.progress).await
}

/// Sends the requests, one after the other, tells what happens, and gives the status. What is refused of several is told,
/// and the rest is done.
pub(super) async fn operate(
    session: &Session,
    client: &Client,
    calls: &[Call],
    progress: Progress,
) -> Result<u8, VerbError> {
    let (mut verdicts, mut refused) = (Vec::new(), None);
    for call in calls {
        let outcome = match client.change(call, |event| tell(session, progress, event)).await {
            // The others are done all the same: a boot must not end at the first app whose file is gone.
            Err(error @ ClientError::Refused(_)) if calls.len() > 1 => {
                let error = VerbError::from(error);
                session.output.tell(&error.render());
                refused = refused.or(Some(error.status()));
                continue;
            }
            outcome => outcome?,
        };
        if !progress.json {
            print(session, &outcome)?;
        }
        verdicts.extend(outcome.verdicts);
    }
    let outcome = Outcome { verdicts };
    if progress.json {
        session.output.print_json(&outcome)?;
    }
    Ok(refused.unwrap_or(status(&outcome)))
}

/// Tells what happens, to those who look on.
pub(super) fn tell(session: &Session, progress: Progress, event: &EventView) {
    let output = &session.output;
    if progress.verbose || output.told_on_terminal {
        output.tell(&verdict::progress(event, output.colours_of_told()));
    }
}

/// The verdicts, for people.
pub(super) fn print(session: &Session, outcome: &Outcome) -> Result<(), VerbError> {
    Ok(session.output.print(&words(&outcome.verdicts, session.output.colours))?)
}

/// The status to exit with.
pub(super) fn status(outcome: &Outcome) -> u8 {
    if outcome.is_ok() { exit::OK } else { NOT_DONE }
}

fn words(verdicts: &[Verdict], colours: Colours) -> String {
    if verdicts.is_empty() {
        return "nothing to do: there is no app\n".to_owned();
    }
    verdicts.iter().map(|it| verdict::render(it, colours)).collect()
}
