//! `pmr start`: a new app, or one that was stopped; and a runtime for it, where there is none.

use std::ffi::OsString;
use std::path::Path;

use super::args::Start;
use super::background::{self, Since};
use super::change;
use super::error::VerbError;
use super::files::{self, Runs};
use super::session::{Session, text};
use crate::api::routes;
use crate::api::types::{AppView, Grammar, ReloadRequest, RestartRequest, StartRequest};
use crate::cli::args::{self, Request};
use crate::cli::declared::{self, Apps};
use crate::config::setting;
use crate::config::sources::{Sources, look};
use crate::control::call::Call;
use crate::control::client::Client;

/// The option with its value in one word.
const WEB_EQUALS: &str = "--web=";

pub(super) async fn start(session: &Session, start: Start) -> Result<u8, VerbError> {
    // Read first: a runtime without anything to run is of no use.
    let declared = declared_apps(session, &start.words)?;
    let asks_for_web = asks_for_web(session, &start.words);
    let (client, since) = background::find_or_begin(session).await?;
    let web = match since {
        Since::Before if asks_for_web => client.runtime().await?.web,
        Since::Before | Since::Now => None,
    };
    let outcome = match declared {
        Some(apps) => {
            let calls = calls(&apps, &client.apps().await?);
            change::operate(session, &client, &calls, start.progress).await
        }
        None => start_by(session, &client, start).await,
    };
    if since == Since::Now && outcome.is_err() {
        background::end_idle(session, &client).await;
    } else if outcome.is_ok() && asks_for_web {
        session.output.tell(&told_of_web(web.as_deref(), client.runtime().await?.web.as_deref()));
    }
    outcome
}

/// Whether a web server is asked for, by the words or by the variable.
fn asks_for_web(session: &Session, words: &[OsString]) -> bool {
    let is_option = |word: &OsString| {
        word.to_str().is_some_and(|word| word == setting::WEB.flag || word.starts_with(WEB_EQUALS))
    };
    let mut words = words.iter().take_while(|word| *word != "--");
    words.any(is_option) || session.variable(setting::WEB.variable).is_some()
}

/// What became of the wish.
fn told_of_web(before: Option<&str>, now: Option<&str>) -> String {
    match (before, now) {
        (None, Some(now)) => format!("web server at http://{now}\n"),
        (Some(_), Some(now)) => format!("web server at http://{now}, as before\n"),
        (_, None) => "there is no web server: `pmr logs` says why\n".to_owned(),
    }
}

/// A request for each app: one that is there already becomes what the file says, with no gap where it runs.
fn calls(apps: &Apps, known: &[AppView]) -> Vec<Call> {
    let anew = |name: &str, definition: Option<Box<StartRequest>>, runs| match runs {
        Runs::Yes => {
            let body = ReloadRequest { definition, ..ReloadRequest::default() };
            Call::to(routes::RELOAD).target(name).body(&body)
        }
        Runs::No => {
            let body = RestartRequest { environment: None, definition };
            Call::to(routes::RESTART).target(name).body(&body)
        }
    };
    let is_along = |request: &StartRequest| {
        request.declared.as_ref().is_some_and(|declared| apps.taken_along.contains(&declared.app))
    };
    let call = |request: &StartRequest| files::call(request, is_along(request), known, anew);
    apps.requests.iter().filter_map(call).collect()
}

/// The apps of a configuration file, if the words name one.
fn declared_apps(session: &Session, words: &[OsString]) -> Result<Option<Apps>, VerbError> {
    let look = |cwd: Option<&Path>, file: &Path| {
        look(&session.directory.join(cwd.unwrap_or(Path::new(""))).join(file))
    };
    let argv = ["pmr-runtime", "start"].into_iter().map(OsString::from).chain(words.iter().cloned());
    // What is wrong with other words is for the runtime to say.
    let Ok(Request::Configuration(request)) = args::parse(argv, &look) else { return Ok(None) };
    let apps = declared::apps(&request, &Sources::of_this_process(), &session.directory)?;
    for remark in &apps.remarks {
        session.output.tell(&format!("warning: {remark}\n"));
    }
    Ok(Some(apps))
}

async fn start_by(session: &Session, client: &Client, start: Start) -> Result<u8, VerbError> {
    let known = match start.words.as_slice() {
        [word] => word.to_str().filter(|word| !word.starts_with('-')),
        _ => None,
    };
    let known = match known {
        Some(word) if is_known(word, &client.apps().await?) => Some(word),
        _ => None,
    };
    let call = match known {
        Some(target) => Call::to(routes::START).target(target),
        None => Call::to(routes::ADD).body(&request(session, &start.words)),
    };
    change::operate(session, client, &[call], start.progress).await
}

fn request(session: &Session, words: &[OsString]) -> StartRequest {
    StartRequest {
        words: words.iter().map(|word| text(word)).collect(),
        grammar: Grammar::Start,
        name: None,
        instances: None,
        directory: text(session.directory.as_os_str()),
        environment: session.environment(),
        declared: None,
    }
}

/// Whether `word` is somebody who is there already, rather than a program.
fn is_known(word: &str, apps: &[AppView]) -> bool {
    let number: Option<u32> = word.parse().ok();
    let is_meant = |app: &AppView| {
        let has_number = app.instances.iter().any(|instance| Some(instance.id) == number);
        app.name == word || app.namespace == word || has_number
    };
    word == "all" || apps.iter().any(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::samples;

    #[test]
    fn what_became_of_a_wish_for_a_web_server_is_told() {
        let here = Some("127.0.0.1:9615");
        assert_eq!(told_of_web(None, here), "web server at http://127.0.0.1:9615\n");
        assert_eq!(told_of_web(here, here), "web server at http://127.0.0.1:9615, as before\n");
        assert_eq!(told_of_web(None, None), "there is no web server: `pmr logs` says why\n");
    }

    #[test]
    fn a_word_is_somebody_where_a_target_of_that_name_is_there() {
        let apps = samples::apps();
        for word in ["web", "background", "10", "all"] {
            assert!(is_known(word, &apps), "{word}");
        }
        for word in ["server.js", "3", "we", ""] {
            assert!(!is_known(word, &apps), "{word}");
        }
    }
}
