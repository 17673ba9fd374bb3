//! What a worker has said of itself that stays: figures, actions, and its names among socket.io's adapters. Bounded.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read::line;

/// A worker has no more metrics, or actions. pm2's library has some twenty of its own.
pub const MOST: usize = 100;
/// A worker has a name for each namespace of socket.io; of more than so many the oldest are forgotten.
pub const MOST_NAMES: usize = 256;
/// Units and values that are text are cut after so many characters.
const LONGEST_VALUE: usize = 64;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    metrics: BTreeMap<String, Figure>,
    actions: BTreeMap<String, Kind>,
    names: VecDeque<String>,
}

/// A figure, as the app last told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub value: Number,
    pub unit: String,
    pub aggregation: Aggregation,
}

/// What a metric is at present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// Finite.
    Of(f64),
    Text(String),
}

/// What the figures of several workers make together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregation {
    Mean,
    Sum,
    Least,
    Most,
}

/// How an action answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Plain,
    /// Bit by bit, under a number that the question has.
    Scoped,
}

impl Figure {
    /// From what the app says of a metric; `None` where it has no value.
    #[must_use]
    pub fn read(metric: &Value) -> Option<Self> {
        let short = |text: &str| line(text, LONGEST_VALUE);
        let value = match metric.get("value")? {
            Value::Number(number) => Number::Of(number.as_f64().filter(|number| number.is_finite())?),
            // pm2's library writes some figures as text.
            Value::String(text) => match text.parse() {
                Ok(number) if f64::is_finite(number) => Number::Of(number),
                _ => Number::Text(short(text)),
            },
            Value::Bool(flag) => Number::Text(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let word = |name: &str| metric.get(name).and_then(Value::as_str).unwrap_or_default();
        let aggregation = match word("agg_type") {
            "sum" => Aggregation::Sum,
            "min" => Aggregation::Least,
            "max" => Aggregation::Most,
            _ => Aggregation::Mean,
        };
        Some(Self { value, unit: short(word("unit")), aggregation })
    }

    /// What the same metric of several workers is together; a text cannot be reckoned with, so the first one stands for all.
    #[must_use]
    pub fn together<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let all: Vec<&Self> = all.into_iter().collect();
        let first = *all.first()?;
        let number = |figure: &&Self| match figure.value {
            Number::Of(number) => Some(number),
            Number::Text(_) => None,
        };
        let Some(numbers) = all.iter().map(number).collect::<Option<Vec<f64>>>() else {
            return Some(first.clone());
        };
        let sum: f64 = numbers.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "there are not so many workers")]
        let count = numbers.len() as f64;
        let value = match first.aggregation {
            Aggregation::Mean => sum / count,
            Aggregation::Sum => sum,
            Aggregation::Least => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Aggregation::Most => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        };
        // The sum of finite numbers need not be one.
        Some(Self { value: Number::Of(if value.is_finite() { value } else { numbers[0] }), ..first.clone() })
    }
}

impl Reported {
    /// The app tells figures; those that it does not name stay as they are.
    pub fn take_metrics(&mut self, metrics: Vec<(String, Figure)>) {
        for (name, figure) in metrics {
            if self.metrics.len() < MOST || self.metrics.contains_key(&name) {
                self.metrics.insert(name, figure);
            }
        }
    }

    /// The app can be told to do `name`.
    pub fn take_action(&mut self, name: String, kind: Kind) {
        if self.actions.len() < MOST || self.actions.contains_key(&name) {
            self.actions.insert(name, kind);
        }
    }

    /// The app calls itself `name` in messages of socket.io's adapter.
    pub fn take_name(&mut self, name: &str) {
        // The one that spoke last is likely to speak next.
        if self.names.iter().rev().any(|known| known == name) {
            return;
        }
        if self.names.len() >= MOST_NAMES {
            self.names.pop_front();
        }
        self.names.push_back(name.to_owned());
    }

    /// Whether it calls itself so.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// By name.
    #[must_use]
    pub fn metrics(&self) -> &BTreeMap<String, Figure> {
        &self.metrics
    }

    /// By name.
    #[must_use]
    pub fn actions(&self) -> &BTreeMap<String, Kind> {
        &self.actions
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figure(value: f64, aggregation: Aggregation) -> Figure {
        Figure { value: Number::Of(value), unit: "ms".to_owned(), aggregation }
    }

    #[test]
    fn several_workers_make_one_figure_as_the_app_wants_it() {
        for (aggregation, expected) in [
            (Aggregation::Mean, 2.0),
            (Aggregation::Sum, 4.0),
            (Aggregation::Least, 1.0),
            (Aggregation::Most, 3.0),
        ] {
            let both = [figure(1.0, aggregation), figure(3.0, aggregation)];
            assert_eq!(Figure::together(&both), Some(figure(expected, aggregation)));
        }
        let huge = [figure(f64::MAX, Aggregation::Sum), figure(f64::MAX, Aggregation::Sum)];
        assert_eq!(Figure::together(&huge), Some(figure(f64::MAX, Aggregation::Sum)));
        assert_eq!(Figure::together([]), None);
    }

    #[test]
    fn a_text_stands_for_all() {
        let text = Figure { value: Number::Text("on".to_owned()), ..figure(0.0, Aggregation::Sum) };
        assert_eq!(Figure::together([&text, &figure(1.0, Aggregation::Sum)]), Some(text.clone()));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut reported = Reported::default();
        for number in 0..10_000 {
            let figure = figure(1.0, Aggregation::Mean);
            reported.take_metrics(vec![(format!("m{number}"), figure)]);
            reported.take_action(format!("a{number}"), Kind::Plain);
            reported.take_name(&format!("n{number}"));
        }
        assert_eq!(
            (reported.metrics.len(), reported.actions.len(), reported.names.len()),
            (MOST, MOST, MOST_NAMES)
        );
        reported.take_metrics(vec![("m0".to_owned(), figure(2.0, Aggregation::Mean))]);
        assert_eq!(reported.metrics()["m0"].value, Number::Of(2.0));
        assert!(reported.is_called("n9999") && !reported.is_called("n0"));
    }

    #[test]
    fn a_value_may_be_a_text_or_a_flag_but_nothing_else() {
        let value = |metric: Value| Figure::read(&metric).map(|figure| figure.value);
        assert_eq!(value(json!({ "value": true })), Some(Number::Text("true".to_owned())));
        assert_eq!(value(json!({ "value": "x".repeat(999) })), Some(Number::Text("x".repeat(LONGEST_VALUE))));
        assert_eq!(value(json!({ "value": "7.00" })), Some(Number::Of(7.0)));
        assert_eq!(value(json!({ "value": "inf" })), Some(Number::Text("inf".to_owned())));
        assert_eq!(value(json!({ "value": {} })), None);
        assert_eq!(value(json!(7)), None);
    }
}
