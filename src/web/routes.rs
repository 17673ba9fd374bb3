//! From a request to its answer. What begins with `/v1/` is answered as on the control socket.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HOST, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, ORIGIN, REFERRER_POLICY, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, StatusCode};
use tokio::sync::Mutex;

use super::accept;
use super::guard::{Asker, Reach, Refusal, Rules};
use super::page::{self, Asset};
use super::probes::Probe;
use crate::api::{pm2, routes as api};
use crate::control::answer::{self, Answer, AnswerBody, Result};
use crate::control::query::problem;
use crate::control::router;
use crate::control::routes::{self as control, Context};
use crate::metrics::families::Figures;
use crate::metrics::render::{Format, render};
use crate::telemetry::{Latest, Looker};

/// The page names nothing that lies elsewhere, and nobody may put it into a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// Where a browser learns what it may do.
const ACCESS: &str = "/access";
/// On every answer: read by no other site, taken for nothing else.
const HARDENED: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What answering takes.
pub(super) struct Web {
    context: Rc<Context>,
    rules: Rules,
    /// For who wants figures where no collector looks for them.
    looker: Mutex<Looker>,
}

impl Web {
    pub(super) fn new(context: Rc<Context>, rules: Rules) -> Self {
        let looker = Mutex::new(Looker::new(context.handle.clone()));
        Self { context, rules, looker }
    }

    /// The last look at all workers, or one that is made for this.
    async fn latest(&self) -> Result<Rc<Latest>> {
        match self.context.telemetry.latest() {
            Some(latest) => Ok(latest),
            None => Ok(Rc::new(self.context.telemetry.count(self.looker.lock().await.look().await?))),
        }
    }
}

/// Answers a request.
pub(super) async fn answer(web: &Web, request: Request<Incoming>) -> Answer {
    let mut answer = respond(web, request).await;
    let headers = answer.headers_mut();
    for (name, value) in HARDENED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What holds data is kept by nobody.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

async fn respond(web: &Web, request: Request<Incoming>) -> Answer {
    let asker = asker(request.headers());
    let path = request.uri().path();
    if let Err(refusal) = web.rules.judge(&asker, reach(&request)) {
        return refused(refusal);
    }
    if path.starts_with("/v1/") {
        return control::answer(Rc::clone(&web.context), request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer::not_allowed(&["GET", "HEAD"]);
    }
    let known = header(request.headers(), IF_NONE_MATCH);
    let outcome = match (path, Probe::of(path)) {
        (_, Some(asked)) => probe(web, asked, &asker).await,
        ("/", None) if wants_page(&request) => Ok(file(&page::PAGE, known)),
        ("/", None) => of_pm2(web).await,
        ("/metrics", None) => metrics(web, header(request.headers(), ACCEPT)).await,
        (ACCESS, None) => Ok(answer::json(StatusCode::OK, &web.rules.access(&asker))),
        _ => page::find(path).map(|asset| file(asset, known)).ok_or_else(|| {
            let hint = Some("docs/web.md lists what there is".to_owned());
            problem("unknown_route", "there is nothing of this name", hint)
        }),
    };
    outcome.unwrap_or_else(answer::error)
}

/// What a request is after.
fn reach(request: &Request<Incoming>) -> Reach {
    let path = request.uri().path();
    let is_page = || page::is_asset(path) || path == ACCESS || path == "/" && wants_page(request);
    let found = router::find(request.method().as_str(), path);
    let is_environment = found.is_ok_and(|found| found.route == api::ENVIRONMENT);
    match *request.method() {
        Method::GET | Method::HEAD if Probe::of(path).is_some() => Reach::Probe,
        Method::GET | Method::HEAD if is_page() => Reach::Page,
        Method::GET | Method::HEAD if is_environment => Reach::Secrets,
        Method::GET | Method::HEAD => Reach::Look,
        _ => Reach::Change,
    }
}

/// pm2's JSON is for programs, the page for people.
fn wants_page(request: &Request<Incoming>) -> bool {
    accept::choose(header(request.headers(), ACCEPT), &["application/json", "text/html"]) == 1
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn asker(headers: &HeaderMap) -> Asker<'_> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?;
        // Nobody who means well says it twice.
        Some(first.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default())
    };
    Asker {
        host: only(HOST),
        origin: only(ORIGIN),
        site: only(HeaderName::from_static("sec-fetch-site")),
        mode: only(HeaderName::from_static("sec-fetch-mode")),
        authorization: only(AUTHORIZATION),
    }
}

fn refused(refusal: Refusal) -> Answer {
    let (code, hint) = match refusal {
        Refusal::NoToken | Refusal::WrongToken => ("unauthorized", None),
        Refusal::Tokenless => ("forbidden", Some("set PMR_WEB_TOKEN, or use the control socket")),
        Refusal::OtherSite | Refusal::ForeignName | Refusal::ReadOnly => ("forbidden", None),
    };
    let mut answer = answer::error(problem(code, refusal.to_string(), hint.map(str::to_owned)));
    if code == "unauthorized" {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// Names of apps are for those alone who may look on.
async fn probe(web: &Web, asked: Probe, asker: &Asker<'_>) -> Result<Answer> {
    let objections = asked.objections(&web.context.apps().await?);
    let (status, word) = if objections.is_empty() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok\n")
    };
    let may_look = web.rules.judge(asker, Reach::Look).is_ok();
    let told = objections.iter().filter(|_| may_look).map(|objection| format!("{objection}\n"));
    Ok(text(status, "text/plain; charset=utf-8", std::iter::once(word.to_owned()).chain(told).collect()))
}

/// A file of the dashboard, or that the browser has it. It asks each time, since an update may bring another.
fn file(asset: &'static Asset, known: Option<&str>) -> Answer {
    let mut answer = if known.is_some_and(|known| asset.is_among(known)) {
        answer::with_header(StatusCode::NOT_MODIFIED, asset.content_type, AnswerBody::Whole(None))
    } else {
        let body = AnswerBody::Whole(Some(asset.content.into()));
        answer::with_header(StatusCode::OK, asset.content_type, body)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag()) {
        headers.insert(ETAG, tag);
    }
    answer
}

async fn of_pm2(web: &Web) -> Result<Answer> {
    let mut apps = web.context.apps().await?;
    if !web.context.fill_by_last_look(&mut apps).await {
        web.context.figures.fill_apps(&mut apps).await;
    }
    let runtime = web.context.runtime().await?;
    Ok(answer::json(StatusCode::OK, &pm2::interface(&apps, &runtime)))
}

async fn metrics(web: &Web, wanted: Option<&str>) -> Result<Answer> {
    let formats = [Format::Text, Format::OpenMetrics];
    let format = formats[accept::choose(wanted, &["text/plain", "application/openmetrics-text"])];
    let latest = web.latest().await?;
    let runtime = web.context.runtime().await?;
    // How they stand now.
    let mut apps = web.context.apps().await?;
    let mut usages = latest.usages.clone();
    if !latest.fill(&mut apps) {
        // Somebody is new since.
        usages.extend(web.context.figures.usages(&apps).await);
    }
    let figures = Figures { runtime: &runtime, apps: &apps, usages: &usages, totals: &latest.totals };
    Ok(text(StatusCode::OK, format.content_type(), render(&figures, format)))
}

fn text(status: StatusCode, content: &'static str, body: String) -> Answer {
    answer::with_header(status, content, AnswerBody::Whole(Some(body.into())))
}
