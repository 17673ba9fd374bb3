//! Takes our own messages from `tracing` to our stderr and to the recorder, without ever waiting.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::clock;
use super::format::{Format, rfc3339};
use super::message::{Look, Message};
use super::queue::Queue;
use super::recorder::Recorder;

/// The layer that writes events. Which events there are is the filter's business.
#[derive(Debug)]
pub(super) struct OwnMessages {
    queue: Arc<Queue>,
    recorder: Arc<Recorder>,
    look: Look,
}

impl OwnMessages {
    pub(super) fn new(queue: Arc<Queue>, recorder: Arc<Recorder>, look: Look) -> Self {
        Self { queue, recorder, look }
    }
}

impl<S: Subscriber> Layer<S> for OwnMessages {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut collected = Collected::default();
        event.record(&mut collected);
        // What only programs can read is for them alone.
        if collected.record.is_some() && self.look.format != Format::Json {
            return;
        }
        let mut message =
            Message { level: *event.metadata().level(), text: collected.text, fields: collected.fields };
        let now = clock::now();
        self.recorder.add_own(message.level, now, &message.bare());
        let time = rfc3339(now);
        message.fields.extend(collected.record.map(|record| ("record", record)));
        let line = message.render(self.look, &time);
        self.queue.push_own(line.as_bytes(), |lost| lost_note(lost).render(self.look, &time).into_bytes());
    }
}

fn lost_note(lost: u64) -> Message {
    let text = "messages of ours were lost: stderr was not read".to_owned();
    Message { level: Level::WARN, text, fields: vec![("lost", Value::from(lost))] }
}

#[derive(Default)]
struct Collected {
    text: String,
    fields: Vec<(&'static str, Value)>,
    /// A whole value, which no field can be: it was given as JSON, under the name `record`.
    record: Option<Value>,
}

impl Collected {
    fn add(&mut self, field: &Field, value: Value) {
        match value {
            Value::String(text) if field.name() == "message" => self.text = text,
            Value::String(json) if field.name() == "record" => self.record = serde_json::from_str(&json).ok(),
            value => self.fields.push((field.name(), value)),
        }
    }
}

impl Visit for Collected {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::from(format!("{value:?}")));
    }
}
