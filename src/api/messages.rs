//! What is said of messages from and to apps: the metrics that they report, actions that are called, data that is sent. Values
//! only.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A figure that an app reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricView {
    pub value: MetricValue,
    pub unit: String,
}

/// What a metric is at present: a number, or whatever the app says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricValue {
    Number(f64),
    Text(String),
}

impl fmt::Display for MetricView {
    /// With its unit: `12 ms`. Some libraries write the unit behind a value that is text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match &self.value {
            MetricValue::Number(number) if number.abs() >= 1e15 => format!("{number:e}"),
            MetricValue::Number(number) => {
                let text = format!("{number:.2}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            MetricValue::Text(text) => text.clone(),
        };
        if value.ends_with(&self.unit) { f.write_str(&value) } else { write!(f, "{value} {}", self.unit) }
    }
}

/// `POST /v1/apps/{target}/trigger`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerRequest {
    /// The name under which the app has registered it.
    pub action: String,
    /// What it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<Value>,
    /// How long its answer is waited for; ten seconds where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepliesView {
    pub replies: Vec<ReplyView>,
}

impl RepliesView {
    /// Whether all have answered, and somebody was asked.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        !self.replies.is_empty() && self.replies.iter().all(|reply| reply.ok)
    }
}

/// What the action has answered in one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyView {
    pub app: String,
    /// The instance's number in the runtime.
    pub id: u32,
    pub instance: u32,
    pub pid: Option<i32>,
    pub ok: bool,
    /// One, or as many as an action gives that answers bit by bit.
    pub answers: Vec<Value>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// `POST /v1/apps/{target}/send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Any JSON.
    pub data: Value,
    /// The app gets `{"type": "process:msg", "topic": …, "data": …}`; where absent, the data and no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_no_more_digits_than_it_needs() {
        let shown = |value, unit: &str| MetricView { value, unit: unit.to_owned() }.to_string();
        let number = |number| shown(MetricValue::Number(number), "ms");
        assert_eq!(
            [12.0, 0.534, 100.0, -0.5, 1e20].map(number),
            ["12 ms", "0.53 ms", "100 ms", "-0.5 ms", "1e20 ms"]
        );
        let text = |text: &str, unit| shown(MetricValue::Text(text.to_owned()), unit);
        assert_eq!([text("0.5req/s", "req/s"), text("on", ""), text("3", "s")], ["0.5req/s", "on", "3 s"]);
    }
}
