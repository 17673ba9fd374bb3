//! From a request to its answer: finds the route and calls what answers it.

use std::path::PathBuf;
use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::watch;

use super::answer::{self, Answer, Result};
use super::figures::Figures;
use super::history::History;
use super::query::Query;
use super::reports::Reports;
use super::router::{self, Found, Missed};
use super::{changing, insight, messages, order, reading, request, save};
use crate::api::routes;
use crate::api::types::{AppView, RuntimeView};
use crate::driver::handle::{Ended, Handle, Question, Target};
use crate::telemetry::Telemetry;

/// What answering takes.
pub(crate) struct Context {
    pub(crate) handle: Handle,
    pub(crate) history: History,
    pub(crate) figures: Figures,
    pub(crate) telemetry: Telemetry,
    pub(crate) home: PathBuf,
    /// Where the control socket is, in words.
    pub(crate) place: String,
    /// Turns true when the runtime ends.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Context {
    /// All apps, as the driver knows them.
    pub(crate) async fn apps(&self) -> std::result::Result<Vec<AppView>, Ended> {
        self.handle.ask(|reply| Question::Apps { reply }).await
    }

    /// The runtime itself, with what it uses.
    pub(crate) async fn runtime(&self) -> std::result::Result<RuntimeView, Ended> {
        let mut view = self.handle.ask(|reply| Question::Runtime { reply }).await?;
        self.figures.fill_runtime(&mut view).await;
        view.socket.clone_from(&self.place);
        Ok(view)
    }

    /// Fills in what workers use, and what Node workers report, by the collector's last look. False where it does not run.
    pub(crate) async fn fill_by_last_look(&self, apps: &mut [AppView]) -> bool {
        let Some(latest) = self.telemetry.latest() else { return false };
        if !latest.fill(apps) {
            // Somebody is new since.
            self.figures.fill_apps(apps).await;
            let _known_by_now = latest.fill(apps);
        }
        true
    }

    /// What `text` means, with all apps.
    pub(super) async fn resolve(&self, text: &str) -> Result<(Vec<Target>, Vec<AppView>)> {
        let apps = self.apps().await?;
        Ok((super::target::resolve(text, &apps)?, apps))
    }
}

/// Answers a request.
pub(crate) async fn answer(context: Rc<Context>, request: Request<Incoming>) -> Answer {
    match router::find(request.method().as_str(), request.uri().path()) {
        Ok(found) => dispatch(context, found, request).await.unwrap_or_else(answer::error),
        Err(Missed::Method { allowed }) => answer::not_allowed(&allowed),
        Err(Missed::Path(problem)) => answer::error(problem),
    }
}

async fn dispatch(context: Rc<Context>, found: Found, request: Request<Incoming>) -> Result<Answer> {
    let as_stream = request::wants_stream(&request);
    let mut query = Query::parse(request.uri().query());
    let Found { route, target } = found;
    let context = context.as_ref();
    match route {
        routes::LOGS => return reading::logs(context, query, as_stream).await,
        routes::EVENTS => return reading::events(context, query, as_stream).await,
        routes::HISTORY => return reading::history(context, query).await,
        routes::ENVIRONMENT => {
            let reveal = query.flag("reveal").unwrap_or(false);
            query.finish()?;
            return reading::environment(context, &target, reveal).await;
        }
        routes::APPS | routes::SHOW => {
            let reports = if query.flag("node") == Some(false) { Reports::Unwanted } else { Reports::Wanted };
            query.finish()?;
            let target = if route == routes::APPS { "all" } else { &target };
            return reading::apps(context, target, reports).await;
        }
        routes::SNAPSHOT | routes::PROFILE | routes::REPORT => {
            let wanted = insight::wanted(route, query)?;
            order::nothing(&request::body(request.into_body()).await?)?;
            return insight::look_inside(context, &target, wanted).await;
        }
        _ => query.finish()?,
    }
    match route {
        routes::PING => Ok(reading::ping()),
        routes::RUNTIME => reading::runtime(context).await,
        routes::CRASHES => reading::crashes(context).await,
        routes::CRASH => reading::crash(context, &target).await,
        routes::SAVE => save::save(context).await,
        _ => {
            let body = request::body(request.into_body()).await?;
            if route == routes::TRIGGER {
                return messages::trigger(context, &target, &body).await;
            }
            change(context, Found { route, target }, &body, as_stream).await
        }
    }
}

async fn change(context: &Context, found: Found, body: &[u8], as_stream: bool) -> Result<Answer> {
    let work = match found.route {
        routes::KILL => changing::kill(context, body)?,
        routes::UPDATE => changing::update(context, body)?,
        routes::ADD => changing::add(context, body).await?,
        route => changing::change(context, route, &found.target, body).await?,
    };
    if as_stream { Ok(work.stream()) } else { work.answer().await }
}
