//! How our own messages look: one line each, whatever they contain.
//!
//! Pure. `own` collects them from `tracing`.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::Level;

use super::format::Format;

/// The keys of a message's JSON object that a field cannot have.
const RESERVED: [&str; 4] = ["time", "level", "source", "message"];

/// One message of ours.
#[derive(Debug)]
pub struct Message {
    pub level: Level,
    pub text: String,
    /// Strings, numbers and booleans, in the order in which they were given.
    pub fields: Vec<(&'static str, Value)>,
}

/// How messages are to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub format: Format,
    pub colour: bool,
    /// Whether a text line begins with the time. A JSON object has it always.
    pub timestamps: bool,
}

impl Message {
    /// The message as one line, line end included. `time` is in its RFC 3339 form.
    #[must_use]
    pub fn render(&self, look: Look, time: &str) -> String {
        let mut line = match look.format {
            Format::Json => self.json(time),
            Format::Raw | Format::Text | Format::Fields => self.plain(look, time),
        };
        line.push('\n');
        line
    }

    /// The message alone, in one line without an end: neither its time nor its level.
    #[must_use]
    pub fn bare(&self) -> String {
        let mut line = String::new();
        self.add_facts(&mut line);
        line
    }

    fn plain(&self, look: Look, time: &str) -> String {
        let mut line = String::new();
        if look.timestamps {
            line.push_str(time);
            line.push(' ');
        }
        let (word, code) = level_word(self.level);
        paint(&mut line, "pmr:", "2", look.colour);
        line.push(' ');
        if !word.is_empty() {
            paint(&mut line, word, code, look.colour);
            line.push(' ');
        }
        self.add_facts(&mut line);
        line
    }

    fn add_facts(&self, line: &mut String) {
        escape(line, &self.text);
        for (name, value) in &self.fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value {
                Value::String(text) => quote(line, text),
                other => line.push_str(&other.to_string()),
            }
        }
    }

    fn json(&self, time: &str) -> String {
        let level = self.level.as_str().to_ascii_lowercase();
        let text = Value::from(self.text.as_str());
        let mut line = format!(r#"{{"time":"{time}","level":"{level}","source":"pmr","message":{text}"#);
        for (name, value) in &self.fields {
            let suffix = if RESERVED.contains(name) { "_" } else { "" };
            let key = Value::from(format!("{name}{suffix}"));
            // Writing to a string cannot fail.
            let _infallible = write!(line, ",{key}:{value}");
        }
        line.push('}');
        line
    }
}

/// The word for a level in a text line, and its colour. The usual level has none.
fn level_word(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error:", "31"),
        Level::WARN => ("warning:", "33"),
        Level::INFO => ("", ""),
        Level::DEBUG => ("debug:", "2"),
        Level::TRACE => ("trace:", "2"),
    }
}

fn paint(line: &mut String, word: &str, code: &str, colour: bool) {
    let _infallible = if colour { write!(line, "\x1b[{code}m{word}\x1b[0m") } else { write!(line, "{word}") };
}

/// Puts a field's value in quotation marks where it would not be one plain word without.
fn quote(line: &mut String, text: &str) {
    let is_plain = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | '='));
    if !text.is_empty() && text.chars().all(is_plain) {
        return line.push_str(text);
    }
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            _ => push_visible(line, c),
        }
    }
    line.push('"');
}

/// Keeps a message on its line, and an app's escape sequences from the reader's terminal.
fn escape(line: &mut String, text: &str) {
    text.chars().for_each(|c| push_visible(line, c));
}

fn push_visible(line: &mut String, c: char) {
    // The two separators are line ends to some readers.
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        line.extend(c.escape_default());
    } else {
        line.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-24T02:11:43.123Z";
    const TEXT: Look = Look { format: Format::Text, colour: false, timestamps: false };
    const JSON: Look = Look { format: Format::Json, colour: false, timestamps: false };

    fn message(level: Level) -> Message {
        let fields =
            vec![("app", Value::from("web")), ("pid", Value::from(42)), ("why", Value::from("it \"was\"\n"))];
        Message { level, text: "worker ready".into(), fields }
    }

    #[test]
    fn a_fact_is_one_line_with_its_fields() {
        let line = message(Level::INFO).render(TEXT, TIME);
        assert_eq!(line, "pmr: worker ready app=web pid=42 why=\"it \\\"was\\\"\\n\"\n");
    }

    #[test]
    fn the_level_and_the_time_are_said_where_they_matter() {
        let look = Look { timestamps: true, ..TEXT };
        let line = message(Level::WARN).render(look, TIME);
        assert!(line.starts_with("2026-11-24T02:11:43.123Z pmr: warning: worker ready app=web"), "{line}");
        assert!(message(Level::ERROR).render(TEXT, TIME).starts_with("pmr: error: worker"));
    }

    #[test]
    fn no_control_character_gets_through() {
        let text = "a\nb\x1b[31m\u{2028}".to_owned();
        let line = Message { level: Level::INFO, text, fields: Vec::new() }.render(TEXT, TIME);
        assert_eq!(line, "pmr: a\\nb\\u{1b}[31m\\u{2028}\n");
    }

    #[test]
    fn in_json_it_is_an_object_with_typed_fields() {
        let mut message = message(Level::WARN);
        message.fields.push(("level", Value::from(true)));
        let line = message.render(JSON, TIME);
        let object: Value = serde_json::from_str(&line).unwrap();
        let wanted = serde_json::json!({
            "time": TIME, "level": "warn", "source": "pmr", "message": "worker ready",
            "app": "web", "pid": 42, "why": "it \"was\"\n", "level_": true,
        });
        assert_eq!(object, wanted);
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn colours_are_closed_again() {
        let line = message(Level::ERROR).render(Look { colour: true, ..TEXT }, TIME);
        assert!(line.starts_with("\x1b[2mpmr:\x1b[0m \x1b[31merror:\x1b[0m worker ready"), "{line:?}");
    }
}
