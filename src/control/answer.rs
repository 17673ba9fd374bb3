//! Answers: JSON with a status, or a stream of server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::attachment::Attachment;
use super::feed::{Feed, Next};
use super::query::problem;
use crate::api::types::{ErrorView, Problem};
use crate::driver::handle::Ended;

/// An answer, or what is wrong.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

pub(crate) type Answer = Response<AnswerBody>;

/// What is sent: the whole at once, or piece by piece as it comes.
pub(crate) enum AnswerBody {
    Whole(Option<Bytes>),
    Stream(Next),
    File(Attachment),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(Frame::data).map(Ok)),
            Self::Stream(next) => {
                let Some((bytes, feed)) = std::task::ready!(next.as_mut().poll(context)) else {
                    return Poll::Ready(None);
                };
                *next = feed.next();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::File(file) => file.poll_piece(context).map(|piece| piece.map(Frame::data).map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
            Self::File(file) => SizeHint::with_exact(file.left()),
        }
    }
}

/// `value` as JSON, with a line's end for whoever looks at it in a terminal.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    of_json(status, to_json(value))
}

/// What is JSON already, likewise.
pub(super) fn of_json(status: StatusCode, mut text: String) -> Answer {
    text.push('\n');
    with_header(status, "application/json", AnswerBody::Whole(Some(text.into())))
}

/// One line of JSON.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our types have nothing that JSON lacks")
}

pub(super) fn stream(feed: Feed) -> Answer {
    let mut answer = with_header(StatusCode::OK, "text/event-stream", AnswerBody::Stream(feed.next()));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The answer to a request that failed.
pub(crate) fn error(problem: Problem) -> Answer {
    let status = status_of(&problem.code);
    let mut answer = json(status, &ErrorView { error: problem });
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        // The rest of its body is not wanted.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// The answer to a method that a path has not.
pub(crate) fn not_allowed(allowed: &[&str]) -> Answer {
    let list = allowed.join(", ");
    let mut answer = error(problem("method_not_allowed", format!("accepted here: {list}"), None));
    let value = HeaderValue::from_str(&list).expect("methods are plain words");
    answer.headers_mut().insert(ALLOW, value);
    answer
}

fn status_of(code: &str) -> StatusCode {
    match code {
        "bad_request" => StatusCode::BAD_REQUEST,
        "unauthorized" => StatusCode::UNAUTHORIZED,
        "forbidden" => StatusCode::FORBIDDEN,
        "unknown_target" | "unknown_route" | "unknown_crash" | "no_history" => StatusCode::NOT_FOUND,
        "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
        "timeout" => StatusCode::REQUEST_TIMEOUT,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "failed" => StatusCode::INTERNAL_SERVER_ERROR,
        "busy" | "ending" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

/// Any answer.
pub(crate) fn with_header(status: StatusCode, content: &'static str, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    answer
}

impl From<Ended> for Problem {
    fn from(ended: Ended) -> Self {
        problem("ending", ended.to_string(), None)
    }
}
