//! `pmr trigger` and `pmr send`.

use std::time::Duration;

use serde_json::Value;

use super::args::{Send, Trigger};
use super::change;
use super::error::VerbError;
use super::session::Session;
use crate::api::messages::{RepliesView, SendRequest, TriggerRequest};
use crate::api::routes;
use crate::cli::render::reply;
use crate::control::call::Call;
use crate::exit;

/// Some instance has not answered.
const NOT_DONE: u8 = 1;
/// What the runtime needs beyond the time that the apps have.
const MARGIN: Duration = Duration::from_secs(10);

pub(super) async fn trigger(session: &Session, trigger: Trigger) -> Result<u8, VerbError> {
    let Trigger { json, timeout, target, action, parameter } = trigger;
    let timeout_ms = u64::try_from(timeout.as_millis()).ok();
    // As under pm2, it is text: what it means is the app's business.
    let body = TriggerRequest { action, parameter: parameter.map(Value::String), timeout_ms };
    let client = session.client().await?.patient(timeout.saturating_add(MARGIN));
    let view: RepliesView = client.ask(&Call::to(routes::TRIGGER).target(&target).body(&body)).await?;
    if json.json {
        session.output.print_json(&view)?;
    } else {
        session.output.print(&reply::render(&view, session.output.colours))?;
    }
    Ok(if view.is_ok() { exit::OK } else { NOT_DONE })
}

pub(super) async fn send(session: &Session, send: Send) -> Result<u8, VerbError> {
    let Send { progress, topic, bare, target, data } = send;
    let topic = Some(topic).filter(|_| !bare);
    let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
    let call = Call::to(routes::SEND).target(&target).body(&SendRequest { data, topic });
    let client = session.client().await?;
    change::operate(session, &client, &[call], progress).await
}
