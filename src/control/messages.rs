//! Has actions of apps called, and waits for what they answer.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use super::answer::{self, Answer, Result};
use super::order;
use super::query::bad_request;
use super::routes::Context;
use crate::api::messages::{RepliesView, ReplyView, TriggerRequest};
use crate::driver::handle::{Called, Question};
use crate::handover::messages::read::LONGEST_NAME;

/// How long an answer is waited for where nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// At most.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);

pub(super) async fn trigger(context: &Context, text: &str, body: &[u8]) -> Result<Answer> {
    let TriggerRequest { action, parameter, timeout_ms } = order::read(body)?;
    if action.is_empty() || action.len() > LONGEST_NAME {
        return Err(bad_request(format!("`action`: accepted: a name of at most {LONGEST_NAME} bytes")));
    }
    let limit = timeout_ms.map_or(PATIENCE, Duration::from_millis).min(MOST_PATIENCE);
    let (targets, _) = context.resolve(text).await?;
    let question = |reply| Question::Call { targets, action, parameter, reply };
    let called = context.handle.ask(question).await?;
    // Their time runs from here on, for all together.
    let waits: Vec<_> = called.into_iter().map(|called| wait(called, limit)).collect();
    let mut replies = Vec::new();
    for wait in waits {
        replies.push(wait.await);
    }
    let view = RepliesView { replies };
    let status = if view.is_ok() { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok(answer::json(status, &view))
}

fn wait(called: Called, limit: Duration) -> impl Future<Output = ReplyView> {
    let Called { app, id, instance, pid, answer } = called;
    // Made here, so that its time has begun.
    let answer = answer.map(|waiting| tokio::time::timeout(limit, waiting));
    async move {
        let outcome = match answer {
            Ok(waiting) => match waiting.await {
                Ok(Ok(outcome)) => outcome.map_err(|why| words(&why)),
                Ok(Err(_dropped)) => Err("its worker has ended before it answered".to_owned()),
                Err(_elapsed) => Err(format!("no answer within {} ms", limit.as_millis())),
            },
            Err(why) => Err(why),
        };
        let (answers, error) = match outcome {
            Ok(answers) => (answers.iter().map(|answer| value(answer)).collect(), None),
            Err(why) => (Vec::new(), Some(why)),
        };
        ReplyView { app, id, instance, pid, ok: error.is_none(), answers, error }
    }
}

/// What is nested too deeply to be read is passed on as text.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}

/// An app says what is wrong in JSON, most likely a string.
fn words(why: &str) -> String {
    serde_json::from_str::<String>(why).unwrap_or_else(|_| why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_says_is_passed_on_whatever_it_is() {
        assert_eq!(value(r#"{"a":1}"#), serde_json::json!({ "a": 1 }));
        let deep = "[".repeat(500) + &"]".repeat(500);
        assert_eq!(value(&deep), Value::String(deep.clone()));
        assert_eq!((words("\"no\"").as_str(), words("{}").as_str()), ("no", "{}"));
    }
}
