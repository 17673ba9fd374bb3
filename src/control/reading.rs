//! Answers that change nothing.

use std::collections::VecDeque;
use std::ffi::OsString;

use hyper::StatusCode;

use super::answer::{self, Answer, Result};
use super::feed::{Events, Feed, Filter, Lines};
use super::history::KEPT;
use super::query::{Query, bad_request, problem};
use super::reports::Reports;
use super::routes::Context;
use super::{reports, secrets, target};
use crate::api::types::{AppView, EnvironmentView, EventView, PongView};
use crate::driver::handle::{LogQuery, Question};
use crate::logs::Stream;
use crate::spec::{AppId, InstanceId};
use crate::telemetry::Step;

/// How many lines are sent where no number is said: pm2's.
const LINES: usize = 15;
/// More than the driver keeps of a usual app, and an answer of bearable size.
const MOST_LINES: usize = 10_000;
/// A time so late (in the year 2286) that none comes after it.
const LATEST_MS: usize = 9_999_999_999_999;
/// How many past events are sent where no number is said and none are waited for.
const PAST_EVENTS: usize = 100;

pub(super) fn ping() -> Answer {
    let pid = std::process::id().cast_signed();
    answer::json(StatusCode::OK, &PongView { version: env!("CARGO_PKG_VERSION").to_owned(), pid })
}

pub(super) async fn runtime(context: &Context) -> Result<Answer> {
    Ok(answer::json(StatusCode::OK, &context.runtime().await?))
}

pub(super) async fn apps(context: &Context, text: &str, reports: Reports) -> Result<Answer> {
    let (targets, apps) = context.resolve(text).await?;
    let mut meant = target::select(&targets, apps);
    if !context.fill_by_last_look(&mut meant).await {
        match reports {
            Reports::Wanted => {
                reports::fill((&context.handle, &context.figures), &targets, &mut meant).await?;
            }
            Reports::Unwanted => context.figures.fill_apps(&mut meant).await,
        }
    }
    let mut paths = Vec::new();
    for app in &meant {
        paths.push(path(context, app).await?);
    }
    context.figures.fill_facts(&mut meant, paths).await;
    Ok(answer::json(StatusCode::OK, &meant))
}

pub(super) async fn crashes(context: &Context) -> Result<Answer> {
    let crashes = context.handle.ask(|reply| Question::Crashes { reply }).await?;
    Ok(answer::json(StatusCode::OK, &crashes))
}

pub(super) async fn crash(context: &Context, text: &str) -> Result<Answer> {
    let id = text
        .parse()
        .map_err(|_no_number| bad_request(format!("found `{text}`, accepted: the number of a crash")))?;
    let found = context.handle.ask(|reply| Question::Crash { id, reply }).await?;
    let hint = || Some("`pmr crashes` shows those that are kept".to_owned());
    let found = found.ok_or_else(|| problem("unknown_crash", format!("there is no crash {id}"), hint()))?;
    Ok(answer::json(StatusCode::OK, &found))
}

/// The PATH of an app's environment.
async fn path(context: &Context, app: &AppView) -> Result<Option<OsString>> {
    let Some(instance) = app.instances.first().map(|view| InstanceId(view.instance)) else { return Ok(None) };
    let question = |reply| Question::Environment { app: AppId(app.app_id), instance, reply };
    let variables = context.handle.ask(question).await?.unwrap_or_default();
    Ok(variables.into_iter().find(|(name, _)| name == "PATH").map(|(_, value)| value))
}

/// One environment an app: those of its instances differ in little more than their numbers.
pub(super) async fn environment(context: &Context, text: &str, reveal: bool) -> Result<Answer> {
    let (targets, apps) = context.resolve(text).await?;
    let mut found = Vec::new();
    for wanted in &targets {
        let app = apps.iter().find(|app| app.app_id == wanted.app.0);
        let Some((app, view)) = app.and_then(|app| Some((app, target::first_instance(wanted, app)?))) else {
            continue;
        };
        let (app_id, instance) = (AppId(app.app_id), InstanceId(view.instance));
        let question = |reply| Question::Environment { app: app_id, instance, reply };
        // It may be gone since.
        if let Some(variables) = context.handle.ask(question).await? {
            let variables = secrets::shown(variables, reveal);
            found.push(EnvironmentView { app: app.name.clone(), id: view.id, variables });
        }
    }
    Ok(answer::json(StatusCode::OK, &found))
}

pub(super) async fn logs(context: &Context, mut query: Query, as_stream: bool) -> Result<Answer> {
    let wanted = query.text("target");
    let lines = query.number("lines", MOST_LINES).unwrap_or(LINES);
    let stream = query.word("stream", &[("out", Stream::Stdout), ("err", Stream::Stderr)]);
    let follow = query.flag("follow");
    query.finish()?;
    let targets = match wanted.as_deref() {
        None => None,
        Some(text) => Some(context.resolve(text).await?.0),
    };
    let as_stream = as_stream || follow == Some(true);
    let follow = follow.unwrap_or(as_stream);
    let question = |reply| Question::Logs { query: LogQuery { targets, stream, lines, follow }, reply };
    let (past, to_come) = context.handle.ask(question).await?;
    if !as_stream {
        return Ok(answer::json(StatusCode::OK, &past));
    }
    let to_come = to_come.filter(|_| follow);
    Ok(answer::stream(Feed::Lines(Lines { past: past.into(), to_come, closing: context.closing.clone() })))
}

pub(super) async fn history(context: &Context, mut query: Query) -> Result<Answer> {
    let wanted = query.text("target");
    let step = query.word("step", &[("1", Step::Second), ("60", Step::Minute)]).unwrap_or(Step::Second);
    let since = query.number("since", LATEST_MS).and_then(|since| u64::try_from(since).ok());
    query.finish()?;
    let (targets, _) = context.resolve(wanted.as_deref().unwrap_or("all")).await?;
    let kept = context.telemetry.history(step, since, |app, view| {
        let is_it = |instance: InstanceId| instance.0 == view.instance;
        targets.iter().any(|target| target.app.0 == app.app_id && target.instance.is_none_or(is_it))
    });
    let hint = || Some("start the runtime with `--history` or `--web`".to_owned());
    let kept = kept.ok_or_else(|| problem("no_history", "no figures are kept over time", hint()))?;
    let text = tokio::task::spawn_blocking(move || answer::to_json(&kept.view())).await;
    let text = text.map_err(|_panicked| problem("failed", "the answer cannot be made", None))?;
    Ok(answer::of_json(StatusCode::OK, text))
}

pub(super) async fn events(context: &Context, mut query: Query, as_stream: bool) -> Result<Answer> {
    let wanted = query.text("target");
    let follow = query.flag("follow").unwrap_or(as_stream);
    let last = query.number("last", KEPT).unwrap_or(if follow { 0 } else { PAST_EVENTS });
    query.finish()?;
    let apps = match wanted.as_deref() {
        None => None,
        Some(text) => {
            let (targets, apps) = context.resolve(text).await?;
            Some(target::names(&targets, &apps))
        }
    };
    // First, so that none falls between the past ones and those to come; what is in both is left out of these.
    let to_come = context.handle.events();
    let filter = Filter { apps, after: context.history.newest(), without: Vec::new() };
    let past: VecDeque<_> =
        context.history.last(last, |event| Filter { after: None, ..filter.clone() }.wants(event));
    if !follow {
        let past: Vec<&EventView> = past.iter().map(AsRef::as_ref).collect();
        return Ok(answer::json(StatusCode::OK, &past));
    }
    Ok(answer::stream(Feed::Events(Events { past, to_come, filter, closing: context.closing.clone() })))
}
