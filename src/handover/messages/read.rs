//! One message of an app, and what it means. Never panics, and keeps no more of it than is worth showing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::reported::{Figure, Kind};

/// What is shown in one line is cut after so many characters.
pub const LONGEST_TEXT: usize = 300;
/// Names of metrics, actions and events are no longer.
pub const LONGEST_NAME: usize = 128;
/// Content that takes more bytes of JSON is left out of events.
pub const MOST_DATA: usize = 2048;
/// Metrics that take more bytes of JSON are not read.
const MOST_METRICS_BYTES: usize = 64 << 10;
/// An answer that takes more bytes of JSON is not passed on.
pub const MOST_ANSWER: usize = 256 << 10;

/// What a message of an app means.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// It serves.
    Ready,
    /// `axm:monitor`, `pmr:metric`: its figures.
    Metrics(Vec<(String, Figure)>),
    /// `axm:action`: it can be told to do this.
    Action { name: String, kind: Kind },
    /// `axm:reply`: what an action has answered, as JSON; `None` where that is too long.
    Reply { action: String, answer: Option<String> },
    /// `axm:scoped_action:…`: a part of what an action answers bit by bit.
    Part { uuid: String, part: Part },
    /// Something for people, or for programs that listen to events.
    Told(Told),
    /// A message of socket.io's cluster adapter, for the app's other workers.
    Adapter(Adapter),
    /// Nothing for us.
    Other,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As JSON.
    More(String),
    /// The last one: it failed, with this as JSON.
    Failed(String),
    /// There is no more.
    End,
}

/// What an app tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// `process:exception`: an error, in a line.
    Exception { text: String, data: Option<Value>, by: Teller },
    /// `human:event`: something has happened.
    Event { name: String, data: Option<Value> },
    /// Any other `{type, data}`, as `process:msg`.
    Message { topic: String, data: Option<Value> },
}

/// Who tells of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Our script, which hears of every one that nobody has caught.
    Agent,
    /// The app, or a library of pm2's in it.
    App,
}

/// Whom a message of socket.io's cluster adapter is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Who says it: one of the names of the worker that it comes from.
    pub from: Option<String>,
    /// Who had asked, where it is an answer.
    pub to: Option<String>,
}

/// The fields that matter, whatever they hold.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    uid: Option<&'a RawValue>,
    #[serde(borrow, rename = "requesterUid")]
    requester: Option<&'a RawValue>,
}

/// Those of `data`.
#[derive(Default, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    action_name: Option<&'a RawValue>,
    #[serde(borrow)]
    action_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "return")]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "__name")]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    stack: Option<&'a RawValue>,
    #[serde(borrow)]
    origin: Option<&'a RawValue>,
}

/// Reads a message of an app.
#[must_use]
pub fn read(message: &RawValue) -> Word {
    if message.get() == "\"ready\"" {
        return Word::Ready;
    }
    let Some(fields) = object::<Fields<'_>>(message) else { return Word::Other };
    if fields.source.is_some_and(|source| source.get() == "\"_sio_adapter\"") {
        let name = |raw: Option<&RawValue>| raw.and_then(name);
        return Word::Adapter(Adapter { from: name(fields.uid), to: name(fields.requester) });
    }
    let Some(kind) = fields.kind.and_then(name) else { return Word::Other };
    let word = match (kind.as_str(), fields.data) {
        ("pmr:metric", _) => metric(message),
        (kind, Some(data)) => typed(kind, data),
        (_, None) => None,
    };
    word.unwrap_or(Word::Other)
}

/// Our own form of a metric, in one piece.
fn metric(message: &RawValue) -> Option<Word> {
    let metric: Value = small(message)?;
    let name = line(metric.get("name")?.as_str()?, LONGEST_NAME);
    let figure = Figure::read(&metric)?;
    (!name.is_empty()).then(|| Word::Metrics(vec![(name, figure)]))
}

fn typed(kind: &str, data: &RawValue) -> Option<Word> {
    let content = || object::<Content<'_>>(data).unwrap_or_default();
    match kind {
        "axm:monitor" => metrics(data),
        "axm:action" => {
            let Content { action_name, action_type, .. } = content();
            let is_scoped = action_type.is_some_and(|kind| kind.get() == "\"scoped\"");
            let kind = if is_scoped { Kind::Scoped } else { Kind::Plain };
            Some(Word::Action { name: name(action_name?)?, kind })
        }
        "axm:reply" => {
            let Content { action_name, answer, .. } = content();
            let answer = answer.map_or("null", RawValue::get);
            let answer = (answer.len() <= MOST_ANSWER).then(|| answer.to_owned());
            Some(Word::Reply { action: name(action_name?)?, answer })
        }
        "axm:scoped_action:stream" | "axm:scoped_action:error" | "axm:scoped_action:end" => {
            let Content { uuid, data, .. } = content();
            let data = data.map_or("null", RawValue::get);
            // What is too long is cut: it is shown, not read.
            let text = if data.len() <= MOST_ANSWER { data.to_owned() } else { "\"…\"".to_owned() };
            let part = match kind {
                "axm:scoped_action:stream" => Part::More(text),
                "axm:scoped_action:error" => Part::Failed(text),
                _ => Part::End,
            };
            Some(Word::Part { uuid: name(uuid?)?, part })
        }
        "process:exception" => Some(Word::Told(exception(data, &content()))),
        "human:event" => {
            let name = content().event.and_then(text)?;
            let mut data = small(data);
            if let Some(Value::Object(fields)) = &mut data {
                fields.remove("__name");
            }
            Some(Word::Told(Told::Event { name: line(&name, LONGEST_NAME), data }))
        }
        // Settings of pm2's modules: there are none here.
        "axm:option:configuration" | "axm:option:setPID" => None,
        topic => Some(Word::Told(Told::Message { topic: line(topic, LONGEST_NAME), data: small(data) })),
    }
}

fn metrics(data: &RawValue) -> Option<Word> {
    if data.get().len() > MOST_METRICS_BYTES {
        return None;
    }
    let given: BTreeMap<String, Figure> = object::<BTreeMap<String, Value>>(data)?
        .into_iter()
        .filter_map(|(name, metric)| Some((line(&name, LONGEST_NAME), Figure::read(&metric)?)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    Some(Word::Metrics(given.into_iter().collect()))
}

/// What was thrown may be anything.
fn exception(data: &RawValue, content: &Content<'_>) -> Told {
    let field = |raw: Option<&RawValue>| raw.and_then(text);
    let message = field(content.message).or_else(|| text(data)).unwrap_or_else(|| data.get().to_owned());
    let stack = field(content.stack);
    // A stack begins with the error's name and message.
    let first =
        stack.as_deref().and_then(|stack| stack.lines().next()).filter(|line| line.contains(&message));
    let said = match (first, field(content.name)) {
        (Some(first), _) => first.to_owned(),
        (None, Some(name)) => format!("{name}: {message}"),
        (None, None) => message,
    };
    let cut = |text: String| Value::String(text.chars().take(MOST_DATA).collect());
    let data = stack.map(|stack| Value::Object([("stack".to_owned(), cut(stack))].into_iter().collect()));
    let by = if content.origin.is_some() { Teller::Agent } else { Teller::App };
    Told::Exception { text: line(&said, LONGEST_TEXT), data, by }
}

/// An object; serde would read an array as its fields in order.
fn object<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    if !json.get().starts_with('{') {
        return None;
    }
    serde_json::from_str(json.get()).ok()
}

/// A string.
fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// A string that names something, whole or not at all.
fn name(json: &RawValue) -> Option<String> {
    // Six bytes of JSON at most for each byte.
    let fits = json.get().len() <= 2 + 6 * LONGEST_NAME;
    fits.then(|| text(json)).flatten().filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME)
}

/// Content that is small enough to be passed on.
fn small(json: &RawValue) -> Option<Value> {
    (json.get().len() <= MOST_DATA).then(|| serde_json::from_str(json.get()).ok()).flatten()
}

/// In one line, without what a terminal would obey.
#[must_use]
pub fn line(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let cut: String = text.chars().take(longest).map(clean).collect();
    cut.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::reported::{Aggregation, Number};
    use super::*;

    fn of(message: &Value) -> Word {
        read(&serde_json::value::to_raw_value(message).unwrap())
    }

    #[test]
    fn metrics_of_both_libraries_are_read() {
        let of_io = json!({ "Heap Size": { "historic": true, "unit": "MiB", "type": "v8/heap/total", "value": 9.5 } });
        let figure = |value, unit: &str, aggregation| Figure { value, unit: unit.to_owned(), aggregation };
        assert_eq!(
            of(&json!({ "type": "axm:monitor", "data": of_io })),
            Word::Metrics(vec![("Heap Size".to_owned(), figure(Number::Of(9.5), "MiB", Aggregation::Mean))])
        );
        let of_tx2 = json!({
            "jobs": { "value": 3, "agg_type": "sum", "unit": null },
            "rate": { "value": "0.5req/s", "unit": "req/s" },
            "gone": { "value": null },
            "": { "value": 1 },
        });
        assert_eq!(
            of(&json!({ "type": "axm:monitor", "data": of_tx2 })),
            Word::Metrics(vec![
                ("jobs".to_owned(), figure(Number::Of(3.0), "", Aggregation::Sum)),
                ("rate".to_owned(), figure(Number::Text("0.5req/s".to_owned()), "req/s", Aggregation::Mean)),
            ])
        );
    }

    #[test]
    fn a_metric_in_our_own_form_is_read() {
        let figure = |aggregation| Figure { value: Number::Of(12.0), unit: "jobs".to_owned(), aggregation };
        assert_eq!(
            of(&json!({ "type": "pmr:metric", "name": "queue", "value": 12, "unit": "jobs" })),
            Word::Metrics(vec![("queue".to_owned(), figure(Aggregation::Mean))])
        );
        let sum = json!({ "type": "pmr:metric", "name": "queue", "value": "12", "unit": "jobs", "agg_type": "sum", "data": 1 });
        assert_eq!(of(&sum), Word::Metrics(vec![("queue".to_owned(), figure(Aggregation::Sum))]));
        for (name, value) in [
            (json!(null), json!(1)),
            (json!(""), json!(1)),
            (json!("a"), json!(null)),
            (json!("a"), json!([1])),
            (json!("a"), json!("x".repeat(MOST_DATA))),
        ] {
            let message = json!({ "type": "pmr:metric", "name": name, "value": value });
            assert_eq!(of(&message), Word::Other, "{message}");
        }
    }

    #[test]
    fn actions_and_their_answers_are_read() {
        let action = json!({ "action_name": "refresh", "action_type": "custom", "arity": 1 });
        assert_eq!(
            of(&json!({ "type": "axm:action", "data": action })),
            Word::Action { name: "refresh".to_owned(), kind: Kind::Plain }
        );
        let answer = json!({ "action_name": "refresh", "return": { "done": true } });
        assert_eq!(
            of(&json!({ "type": "axm:reply", "data": answer })),
            Word::Reply { action: "refresh".to_owned(), answer: Some(r#"{"done":true}"#.to_owned()) }
        );
        let long = json!({ "action_name": "refresh", "return": "x".repeat(MOST_ANSWER) });
        assert_eq!(
            of(&json!({ "type": "axm:reply", "data": long })),
            Word::Reply { action: "refresh".to_owned(), answer: None }
        );
        let part = json!({ "action_name": "tail", "uuid": "7", "data": "a line" });
        assert_eq!(
            of(&json!({ "type": "axm:scoped_action:stream", "data": part })),
            Word::Part { uuid: "7".to_owned(), part: Part::More(r#""a line""#.to_owned()) }
        );
    }

    #[test]
    fn what_is_thrown_is_told_in_a_line() {
        let told = |data: Value| match of(&json!({ "type": "process:exception", "data": data })) {
            Word::Told(Told::Exception { text, data, by: Teller::App }) => (text, data.is_some()),
            other => panic!("{other:?}"),
        };
        let stack = "TypeError: no such\u{1b}[2J thing\n    at a.js:1";
        let error = json!({ "name": "Error", "message": "no such\u{1b}[2J thing", "stack": stack });
        assert_eq!(told(error), ("TypeError: no such [2J thing".to_owned(), true));
        assert_eq!(told(json!({ "message": "broken", "name": "E" })), ("E: broken".to_owned(), false));
        assert_eq!(told(json!("plain")), ("plain".to_owned(), false));
        assert_eq!(told(json!({ "message": { "a": 1 } })), (r#"{"message":{"a":1}}"#.to_owned(), false));
    }

    #[test]
    fn the_agent_is_known_by_the_origin_that_it_gives() {
        let data = json!({ "message": "odd", "stack": "Error: odd", "origin": "unhandledRejection" });
        let Word::Told(Told::Exception { text, by, .. }) =
            of(&json!({ "type": "process:exception", "data": data }))
        else {
            panic!("no exception")
        };
        assert_eq!((text.as_str(), by), ("Error: odd", Teller::Agent));
    }

    #[test]
    fn events_and_messages_keep_content_that_is_small() {
        let event = json!({ "__name": "user signed up", "plan": "big" });
        assert_eq!(
            of(&json!({ "type": "human:event", "data": event })),
            Word::Told(Told::Event {
                name: "user signed up".to_owned(),
                data: Some(json!({ "plan": "big" }))
            })
        );
        assert_eq!(
            of(&json!({ "type": "process:msg", "data": "x".repeat(MOST_DATA) })),
            Word::Told(Told::Message { topic: "process:msg".to_owned(), data: None })
        );
    }

    #[test]
    fn socket_ios_messages_say_from_whom_and_for_whom() {
        let message =
            json!({ "source": "_sio_adapter", "uid": "a", "type": 8, "requesterUid": "b", "data": {} });
        let adapter = Adapter { from: Some("a".to_owned()), to: Some("b".to_owned()) };
        assert_eq!(of(&message), Word::Adapter(adapter));
        let other =
            json!({ "source": "_sio_adapter", "uid": 7, "requesterUid": "x".repeat(LONGEST_NAME + 1) });
        assert_eq!(of(&other), Word::Adapter(Adapter { from: None, to: None }));
    }

    #[test]
    fn anything_else_is_nothing_for_us() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let deep: Box<RawValue> = RawValue::from_string(format!(r#"{{"type":"x","data":{deep}}}"#)).unwrap();
        assert_eq!(read(&deep), Word::Told(Told::Message { topic: "x".to_owned(), data: None }));
        for message in [
            json!(null),
            json!("shutdown"),
            json!(["axm:monitor", {}]),
            json!({ "type": "axm:monitor" }),
            json!({ "type": 7, "data": {} }),
            json!({ "type": "axm:action", "data": { "action_name": "" } }),
            json!({ "type": "axm:monitor", "data": [1] }),
            json!({ "type": "human:event", "data": { "a": 1 } }),
            json!({ "type": "axm:option:configuration", "data": { "name": "other" } }),
        ] {
            assert_eq!(of(&message), Word::Other, "{message}");
        }
    }
}
