//! Our own log lines: one line each, whatever an app gives them to say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmr_runtime::logs::Format;
use pmr_runtime::logs::message::{Look, Message};
use pmr_runtime_fuzz::{Script, with_script};
use serde_json::Value;
use tracing::Level;

const TIME: &str = "2026-11-24T02:11:43.123Z";
const NAMES: [&str; 6] = ["app", "pid", "level", "message", "source", "time"];

fuzz_target!(|data: &[u8]| {
    let (text, script) = with_script(data);
    let mut script = Script::new(script);
    let mut parts = text.split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let text = parts.next().unwrap_or_default();
    let fields = NAMES.into_iter().zip(parts).map(|(name, part)| (name, value(part, &mut script))).collect();
    let level =
        [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE][usize::from(script.below(5))];
    let message = Message { level, text, fields };
    let look = |format| Look { format, colour: false, timestamps: true };
    reads_back(&message, &message.render(look(Format::Json), TIME));
    for format in [Format::Raw, Format::Text] {
        is_plain(&message.render(look(format), TIME));
    }
});

fn value(text: String, script: &mut Script<'_>) -> Value {
    match script.below(3) {
        0 => Value::from(text),
        1 => Value::from(text.len()),
        _ => Value::from(text.is_empty()),
    }
}

fn reads_back(message: &Message, line: &str) {
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let object: Value = serde_json::from_str(line).expect("it is JSON");
    assert_eq!(object["message"], message.text.as_str());
    for (name, value) in &message.fields {
        let reserved = ["time", "level", "source", "message"].contains(name);
        let key = if reserved { format!("{name}_") } else { (*name).to_owned() };
        assert_eq!(object[&key], *value);
    }
    assert_eq!(object.as_object().map(serde_json::Map::len), Some(4 + message.fields.len()));
}

fn is_plain(line: &str) {
    let (line, end) = line.split_at(line.len() - 1);
    assert_eq!(end, "\n");
    assert!(line.starts_with(TIME));
    assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}'), "{line:?}");
}
