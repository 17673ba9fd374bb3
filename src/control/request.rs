//! Reads the body of a request, within limits of size and time.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::ACCEPT;

use super::answer::Result;
use super::query::{bad_request, problem};

/// An environment of 128 KiB and a long command line fit well.
const MOST_BYTES: usize = 1024 * 1024;
/// From the end of the head to the end of the body.
const PATIENCE: Duration = Duration::from_secs(10);

/// The whole body.
pub(super) async fn body(body: Incoming) -> Result<Bytes> {
    let too_large = || problem("too_large", format!("a body has at most {MOST_BYTES} bytes"), None);
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(bad_request("the body ended too early")),
        Err(_) => {
            Err(problem("timeout", format!("the body took longer than {} s", PATIENCE.as_secs()), None))
        }
    }
}

/// Whether the client wants a stream of server-sent events.
pub(super) fn wants_stream<B>(request: &Request<B>) -> bool {
    let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
