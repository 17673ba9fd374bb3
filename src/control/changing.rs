//! Answers to requests that change something: at once when all is over, or as a stream while it goes on.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use hyper::StatusCode;
use tokio::sync::broadcast;

use super::answer::{self, Answer, Result};
use super::feed::{Feed, Filter, Progress};
use super::query::problem;
use super::routes::Context;
use super::{order, target};
use crate::api::routes::Route;
use crate::api::types::{AppView, EventView, Outcome, Problem, UpdateRequest, Verdict};
use crate::driver::handle::{Change, Handle, Question, Target};

/// Something that the driver is about to be asked for.
pub(super) struct Work {
    events: broadcast::Receiver<Arc<EventView>>,
    /// Which events belong to it.
    filter: Filter,
    outcome: Pin<Box<dyn Future<Output = Result<Outcome>>>>,
}

impl Work {
    fn new(
        context: &Context,
        filter: Filter,
        outcome: impl Future<Output = Result<Outcome>> + 'static,
    ) -> Self {
        Self { events: context.handle.events(), filter, outcome: Box::pin(outcome) }
    }

    /// Does it, and tells the verdict.
    pub(super) async fn answer(self) -> Result<Answer> {
        drop(self.events);
        Ok(verdict(&self.outcome.await?))
    }

    /// Does it as the stream is read.
    pub(super) fn stream(self) -> Answer {
        answer::stream(Feed::Progress(Progress {
            events: self.events,
            filter: self.filter,
            outcome: self.outcome,
        }))
    }
}

/// The answer where nobody wants to see how it goes.
pub(super) fn verdict(outcome: &Outcome) -> Answer {
    answer::json(if outcome.is_ok() { StatusCode::OK } else { StatusCode::CONFLICT }, outcome)
}

pub(super) async fn change(context: &Context, route: Route, text: &str, body: &[u8]) -> Result<Work> {
    let change = order::change(route, body)?;
    let (targets, apps) = context.resolve(text).await?;
    if order::needs_whole_app(&change)
        && let Some(wanted) = targets.iter().find(|target| target.instance.is_some())
    {
        return Err(part_of_app(&change, wanted, &apps));
    }
    let filter = Filter { apps: Some(target::names(&targets, &apps)), ..Filter::default() };
    let handle = context.handle.clone();
    Ok(Work::new(context, filter, async move {
        let verdicts = handle.ask(|reply| Question::Change { targets, change, reply }).await?;
        Ok(Outcome { verdicts })
    }))
}

fn part_of_app(change: &Change, wanted: &Target, apps: &[AppView]) -> Problem {
    let name = apps.iter().find(|app| app.app_id == wanted.app.0).map_or("", |app| &app.name);
    let message = format!(
        "this is one of several instances of `{name}`; {} takes whole apps",
        order::operation(change)
    );
    problem("refused", message, Some(format!("name the app: `{name}`")))
}

pub(super) async fn add(context: &Context, body: &[u8]) -> Result<Work> {
    let request = Box::new(order::start(body)?);
    // The new one's name is not known yet, but those of the others are.
    let without = context.apps().await?.into_iter().map(|app| app.name).collect();
    let handle = context.handle.clone();
    Ok(Work::new(context, Filter { without, ..Filter::default() }, async move {
        let verdict = handle.ask(|reply| Question::Add { request, reply }).await??;
        Ok(Outcome { verdicts: vec![verdict] })
    }))
}

pub(super) fn kill(context: &Context, body: &[u8]) -> Result<Work> {
    order::nothing(body)?;
    Ok(of_runtime(context, async |handle| handle.ask(|reply| Question::Kill { reply }).await))
}

pub(super) fn update(context: &Context, body: &[u8]) -> Result<Work> {
    let request: UpdateRequest = order::or_default(body)?;
    let executable = request.executable.map(|path| PathBuf::from(std::ffi::OsString::from(path)));
    Ok(of_runtime(context, async |handle| handle.ask(|reply| Question::Update { executable, reply }).await))
}

/// All events belong to it.
fn of_runtime(
    context: &Context,
    ask: impl AsyncFnOnce(Handle) -> std::result::Result<Verdict, crate::driver::handle::Ended> + 'static,
) -> Work {
    let handle = context.handle.clone();
    Work::new(context, Filter::default(), async move { Ok(Outcome { verdicts: vec![ask(handle).await?] }) })
}
