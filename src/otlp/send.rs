//! One try to push.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::config::{Config, Encoding};
use super::retry::Outcome;
use super::{json, protobuf};
use crate::health::connect::{Target, connect};

/// What is read of an answer; more says nothing that matters.
const ANSWER: usize = 64 * 1024;
const AGENT: &str = concat!("pmr-runtime/", env!("CARGO_PKG_VERSION"), " OTLP");

/// Sends what is encoded, and says how it went, within the time that a try may take.
pub(super) async fn send(config: &Config, body: Bytes) -> Outcome {
    match timeout(config.timeout, attempt(config, body)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(why)) => Outcome::NoAnswer(why),
        Err(_elapsed) => Outcome::NoAnswer(format!("no answer within {} ms", config.timeout.as_millis())),
    }
}

async fn attempt(config: &Config, body: Bytes) -> Result<Outcome, String> {
    let target = Target::Named(config.endpoint.host.clone(), config.endpoint.port);
    let stream = connect(&target).await.map_err(|error| format!("cannot connect: {error}"))?;
    let broken = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request =
        request(config, &target, body).map_err(|error| format!("no request can be made: {error}"))?;
    let answer = async { Ok(judge(config, sender.send_request(request).await.map_err(broken)?).await) };
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        outcome = &mut answer => outcome,
        // It may be over because the answer is there.
        _over = &mut connection => answer.await,
    }
}

fn request(
    config: &Config,
    target: &Target,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let content = match config.encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut request = Request::post(&config.endpoint.path)
        .header(HOST, target.host())
        .header(USER_AGENT, AGENT)
        .body(Full::new(body))?;
    let headers = request.headers_mut();
    headers.extend(config.headers.iter().cloned());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn judge(config: &Config, answer: Response<Incoming>) -> Outcome {
    let status = answer.status();
    if !status.is_success() {
        return Outcome::Status { status: status.as_u16(), retry_after: retry_after(&answer) };
    }
    let body = Limited::new(answer.into_body(), ANSWER).collect().await;
    // It was taken, whatever becomes of the words about it.
    let body = body.map(|it| it.to_bytes()).unwrap_or_default();
    let rejected = match config.encoding {
        Encoding::Protobuf => protobuf::rejected(&body),
        Encoding::Json => json::rejected(&body),
    };
    Outcome::Taken { rejected }
}

/// In seconds; the other form, a date, is not read.
fn retry_after(answer: &Response<Incoming>) -> Option<Duration> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
