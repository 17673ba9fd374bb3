//! How a pump's bytes become what is queued: as they are, behind prefixes, or as JSON objects.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::super::StreamSettings;
use super::super::clock;
use super::super::date::DateFormat;
use super::super::format::{self, Format, JsonLine, Part, Prefix};
use super::super::lines::Due;
use super::super::queue::Kind;
use super::super::sink::Turn;
use super::Pump;

/// The form of a time among fields, as in pm2.
const FIELDS_TIME: &str = "YYYY-MM-DD-HH:mm:ssZZ";

/// Formatted bytes are handed on once there are so many of them.
const BATCH: usize = 32 * 1024;

impl Pump {
    /// Queues what is due in the form that is wanted.
    pub(super) async fn write(&self, due: Due<'_>, scratch: &mut Vec<u8>) {
        let Due { head, body } = due;
        if self.format() == Format::Json {
            self.write_objects(head, body, scratch).await;
        } else if let Some(prefix) = self.prefix() {
            self.write_prefixed(&prefix, &head, scratch).await;
            self.write_prefixed(&prefix, body, scratch).await;
        } else {
            self.sink.queue.push(self.source, Kind::Line, b"", &head).await;
            self.sink.queue.push(self.source, Kind::Line, b"", body).await;
        }
    }

    async fn write_prefixed(&self, prefix: &[u8], bytes: &[u8], scratch: &mut Vec<u8>) {
        let (mut lead, mut left) = (prefix, bytes);
        while !left.is_empty() {
            scratch.clear();
            left = format::prefix_lines(left, prefix, scratch, BATCH);
            self.sink.queue.push(self.source, Kind::Line, lead, scratch).await;
            lead = b"";
        }
    }

    async fn write_objects(&self, mut head: Vec<u8>, body: &[u8], scratch: &mut Vec<u8>) {
        if head.is_empty() && body.is_empty() {
            return;
        }
        let time = format::rfc3339(clock::now());
        let mut body = body;
        scratch.clear();
        if !head.is_empty() {
            let end = memchr(b'\n', body).map_or(body.len(), |at| at + 1);
            head.extend_from_slice(&body[..end]);
            body = &body[end..];
            self.write_object(&head, &time, scratch).await;
        }
        while !body.is_empty() {
            let end = memchr(b'\n', body).map_or(body.len(), |at| at + 1);
            self.write_object(&body[..end], &time, scratch).await;
            body = &body[end..];
        }
        self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
    }

    async fn write_object(&self, line: &[u8], time: &str, scratch: &mut Vec<u8>) {
        let part = if line.ends_with(b"\n") { Part::Last } else { Part::More };
        self.write_part(line, part, time, scratch).await;
    }

    async fn write_part(&self, line: &[u8], part: Part, time: &str, scratch: &mut Vec<u8>) {
        let mut object = JsonLine::begin(line, part, &self.label, time, scratch);
        while object.write_some(scratch) {
            if scratch.len() >= BATCH {
                self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
                scratch.clear();
            }
        }
        if scratch.len() >= BATCH {
            self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
            scratch.clear();
        }
    }

    /// Writes the start of a line whose end will not come. In raw it stays without one, until somebody else's
    /// bytes follow.
    pub(super) async fn end_line(&mut self, turn: &mut Turn) {
        self.track.end_line(&self.shared.recorder);
        let head = self.lines.take_rest();
        self.note_kept();
        let scratch = &mut turn.scratch;
        if self.format() == Format::Json {
            if !head.is_empty() {
                scratch.clear();
                self.write_part(&head, Part::Last, &format::rfc3339(clock::now()), scratch).await;
                self.sink.queue.push(self.source, Kind::Object, b"", scratch).await;
            }
            return;
        }
        self.write(Due { head, body: b"" }, scratch).await;
        if self.prefix().is_some() && self.sink.queue.is_open(self.source) {
            self.sink.queue.push(self.source, Kind::Line, b"", b"\n").await;
        }
        self.sink.queue.end_source(self.source);
    }

    /// What stands before each line, if anything does.
    fn prefix(&self) -> Option<Cow<'_, [u8]>> {
        let settings = self.shared.settings.get();
        if settings.format == Format::Fields {
            let time = DateFormat::new(FIELDS_TIME, TimeZone::system()).render(clock::now());
            return Some(Cow::Owned(format!("timestamp={time}{}", self.label.fields).into_bytes()));
        }
        let StreamSettings { prefix, .. } = settings.of(self.stream);
        let is_named = settings.format == Format::Text && prefix == Prefix::AppAndInstance;
        let name = is_named.then_some(&*self.label.prefix);
        let look = self.look();
        let date = look.as_ref().and_then(|look| look.date.as_ref());
        let time = match date {
            // As in pm2.
            Some(date) => format!("{}: ", date.render(clock::now())),
            None if settings.line_times => format!("{} ", format::rfc3339(clock::now())),
            None => return name.map(Cow::Borrowed),
        };
        Some(Cow::Owned([time.as_bytes(), name.unwrap_or_default()].concat()))
    }
}
