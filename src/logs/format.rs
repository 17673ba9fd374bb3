//! How workers' lines look: bytes as they are, lines behind a prefix, or one JSON object a line.
//!
//! Pure. What is long is written in steps, so that the memory needed does not grow with the input.

use std::io::Write as _;
use std::time::SystemTime;

use memchr::memchr;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::process::Pid;
use crate::spec::{AppId, InstanceId};

/// One step of `JsonLine` turns at most so many bytes of a line into text.
const STEP: usize = 16 * 1024;
/// The foreground colours that instances take turns with; red is left for errors.
const COLOURS: [&str; 6] = ["36", "33", "32", "35", "34", "96"];

/// What lines look like, as asked for with `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Workers' bytes as they are.
    Raw,
    /// Lines for people, with a prefix where there is one.
    Text,
    /// Lines behind what pm2's `--format` puts there: time, app, instance and stream.
    Fields,
    /// One JSON object a line, ours included.
    Json,
}

/// One of the two streams, of a worker and of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What stands before a worker's line in `Format::Text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prefix {
    None,
    /// `web.0 | `
    AppAndInstance,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Source<'name> {
    pub app: AppId,
    /// The app's.
    pub name: &'name str,
    pub instance: InstanceId,
    pub pid: Pid,
}

/// A source's name as it is repeated on each of its lines, made once.
#[derive(Debug)]
pub struct Label {
    /// The prefix of a text line.
    pub prefix: Box<[u8]>,
    /// What stands between the time and the line, with fields.
    pub fields: Box<str>,
    json: Box<str>,
    stream: Stream,
}

impl Label {
    /// The label of one stream of `source`; the prefix is coloured where `colour` is true.
    #[must_use]
    pub fn new(source: Source<'_>, stream: Stream, colour: bool) -> Self {
        let Source { name, instance, pid, .. } = source;
        let stream_name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let prefix = if colour {
            let code = COLOURS[instance.0 as usize % COLOURS.len()];
            format!("\x1b[{code}m{name}.{instance} |\x1b[0m ")
        } else {
            format!("{name}.{instance} | ")
        };
        let kind = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "error",
        };
        let fields = format!(" app={name} id={instance} type={kind} message=");
        let app = serde_json::Value::from(name);
        let json = format!(r#""app":{app},"instance":{instance},"pid":{pid},"stream":"{stream_name}""#);
        Self { prefix: prefix.into_bytes().into(), fields: fields.into(), json: json.into(), stream }
    }
}

/// The RFC 3339 form in UTC, with milliseconds: `2026-11-24T02:11:43.123Z`. Years beyond 9999 are shown as 1970.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{time:.3}")
}

/// Writes lines to `out` with `prefix` after every line end that more bytes follow on, until `out` holds
/// `enough` bytes. The prefix of the first line is the caller's to write. Returns the bytes that are left;
/// `out` then ends where they go on.
pub fn prefix_lines<'bytes>(
    mut bytes: &'bytes [u8],
    prefix: &[u8],
    out: &mut Vec<u8>,
    enough: usize,
) -> &'bytes [u8] {
    while !bytes.is_empty() && out.len() < enough {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let (line, rest) = bytes.split_at(end);
        out.extend_from_slice(line);
        bytes = rest;
        if !bytes.is_empty() {
            out.extend_from_slice(prefix);
        }
    }
    bytes
}

/// Whether a line has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It has, or never will.
    Last,
    /// More of it follows in another object.
    More,
}

/// One worker's line, or a part of a very long one, being written as a JSON object.
#[derive(Debug)]
pub struct JsonLine<'line> {
    body: Body<'line>,
    level: Level,
    part: Part,
}

#[derive(Debug)]
enum Body<'line> {
    /// The line is a JSON object already.
    Object(&'line str),
    Text(&'line [u8]),
}

impl<'line> JsonLine<'line> {
    /// Begins the object for `line` (its line end may be there or not) by writing all that stands before the
    /// message to `out`.
    #[must_use]
    pub fn begin(line: &'line [u8], part: Part, label: &Label, time: &str, out: &mut Vec<u8>) -> Self {
        let line = match part {
            Part::Last => without_end(line),
            // A carriage return that does not end the line belongs to it.
            Part::More => line,
        };
        let by_stream = match label.stream {
            Stream::Stdout => Level::Known("info"),
            Stream::Stderr => Level::Known("error"),
        };
        let own = if part == Part::Last { object_with_level(line) } else { None };
        let (body, level) = match own {
            Some((object, level)) => (Body::Object(object), level.unwrap_or(by_stream)),
            None => (Body::Text(line), by_stream),
        };
        let this = Self { body, level, part };
        let head = [r#"{"time":""#, time, r#"","level":""#, this.level.name(), r#"","#, &label.json];
        head.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
        out.extend_from_slice(this.before_message());
        this
    }

    /// Writes the next piece, of at most 100 KiB; says whether more is to come. Only the last piece ends in a
    /// line end.
    pub fn write_some(&mut self, out: &mut Vec<u8>) -> bool {
        match &mut self.body {
            Body::Object(object) if object.len() > STEP => {
                let (now, later) = object.split_at(char_boundary(object, STEP));
                out.extend_from_slice(now.as_bytes());
                *object = later;
                true
            }
            Body::Object(object) => {
                out.extend_from_slice(object.as_bytes());
                out.extend_from_slice(b"}\n");
                false
            }
            Body::Text(text) if text.len() > STEP => {
                let (now, later) = text.split_at(text_boundary(text, STEP));
                escape(now, out);
                *text = later;
                true
            }
            Body::Text(text) => {
                escape(text, out);
                out.extend_from_slice(b"\"}\n");
                false
            }
        }
    }

    fn before_message(&self) -> &'static [u8] {
        match (&self.body, self.part) {
            (Body::Object(_), _) => br#","message":"#,
            (Body::Text(_), Part::Last) => br#","message":""#,
            (Body::Text(_), Part::More) => br#","partial":true,"message":""#,
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Writes `bytes` as the inside of a JSON string. What is not UTF-8 becomes U+FFFD.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        let start = out.len();
        serde_json::to_writer(&mut *out, chunk.valid()).expect("a string can be written to memory");
        // The library writes the quotation marks too.
        out.pop();
        out.remove(start);
        if !chunk.invalid().is_empty() {
            let _infallible = out.write_all("\u{fffd}".as_bytes());
        }
    }
}

/// The greatest place not beyond `at` where `text` may be cut.
fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0)
}

/// As `char_boundary`, for bytes that may be no UTF-8: the place stays within three bytes of `at`.
fn text_boundary(bytes: &[u8], at: usize) -> usize {
    let is_boundary = |place: &usize| !matches!(bytes.get(*place), Some(0x80..=0xbf));
    (at - 3..=at).rev().find(is_boundary).unwrap_or(at)
}

/// A level in the words of our own lines, or in the worker's.
#[derive(Debug)]
enum Level {
    Known(&'static str),
    Said(String),
}

impl Level {
    fn name(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Said(name) => name,
        }
    }

    /// A name is taken over in lower case where it is a plain word.
    fn from_name(name: &str) -> Option<Self> {
        let is_word = (1..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_word.then(|| Self::Said(name.to_ascii_lowercase()))
    }

    /// The numbers of pino and bunyan.
    fn from_number(number: u64) -> Self {
        Self::Known(match number {
            0..20 => "trace",
            20..30 => "debug",
            30..40 => "info",
            40..50 => "warn",
            50..60 => "error",
            60.. => "fatal",
        })
    }
}

/// `line` as the one JSON object that it is, and the level that it states.
fn object_with_level(line: &[u8]) -> Option<(&str, Option<Level>)> {
    let line = line.trim_ascii();
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let StatedLevel(level) = serde_json::from_str(text).ok()?;
    Some((text, level))
}

/// Reads any JSON object for its `level`; of several the last counts.
struct StatedLevel(Option<Level>);

impl<'de> Deserialize<'de> for StatedLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = StatedLevel;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StatedLevel, A::Error> {
        let mut level = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "level" {
                level = level_of(&map.next_value::<serde_json::Value>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(StatedLevel(level))
    }
}

fn level_of(value: &serde_json::Value) -> Option<Level> {
    match value {
        serde_json::Value::String(name) => Level::from_name(name),
        serde_json::Value::Number(number) => number.as_u64().map(Level::from_number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
