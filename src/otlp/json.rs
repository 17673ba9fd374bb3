//! A push in JSON, as OTLP maps its messages to it: 64-bit integers as text, enumerations as numbers. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::export::{Export, Metric, Point};
use super::{SCOPE, VERSION};
use crate::metrics::families::Kind;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// `ExportMetricsServiceRequest`.
#[must_use]
pub(super) fn encode(export: &Export<'_>) -> Vec<u8> {
    let metrics: Vec<Value> = export.metrics.iter().map(metric).collect();
    let resource = attributes(export.resource.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let request = json!({ "resourceMetrics": [{
        "resource": { "attributes": resource },
        "scopeMetrics": [{ "scope": { "name": SCOPE, "version": VERSION }, "metrics": metrics }],
    }] });
    request.to_string().into_bytes()
}

fn metric(metric: &Metric<'_>) -> Value {
    let points: Vec<Value> = metric.points.iter().map(point).collect();
    let (field, data) = match metric.kind {
        Kind::Gauge => ("gauge", json!({ "dataPoints": points })),
        Kind::Counter => {
            let sum =
                json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true });
            ("sum", sum)
        }
    };
    json!({ "name": metric.name, "description": metric.description, "unit": metric.unit, field: data })
}

fn point(point: &Point<'_>) -> Value {
    let mut value = json!({
        "attributes": attributes(point.attributes.iter().map(|(key, value)| (*key, value.as_ref()))),
        "timeUnixNano": point.time.to_string(),
        "asDouble": point.value,
    });
    if let Some(start) = point.start {
        value["startTimeUnixNano"] = start.to_string().into();
    }
    value
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Value> {
    pairs.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    partial_success: Option<Partial>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partial {
    /// A text, as all 64-bit integers; some write a number.
    #[serde(default)]
    rejected_data_points: Value,
    #[serde(default)]
    error_message: String,
}

/// How many points were refused, and why. What cannot be read says nothing.
#[must_use]
pub(super) fn rejected(answer: &[u8]) -> Option<(u64, String)> {
    let partial = serde_json::from_slice::<Answer>(answer).ok()?.partial_success?;
    let count = match &partial.rejected_data_points {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    (count > 0).then_some((count, partial.error_message))
}

#[cfg(test)]
mod tests;
