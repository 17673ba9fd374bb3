//! The tables of docs/configuration-file.md, made from the table of keys.

use std::fmt::Write as _;

use super::key::{Fate, Key, Shape, Slot, Span};
use super::keys::{KEYS, TOP, TopKey};

/// The table of an app's keys.
#[must_use]
pub fn keys() -> String {
    let mut text =
        "| key | also | value | default | meaning | becomes |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for key in KEYS.iter().filter(|key| !matches!(key.fate, Fate::NoEffect(_))) {
        let aliases = code(key.aliases);
        let becomes = match key.fate {
            Fate::Option(setting) => format!("`{}`", setting.flag),
            Fate::Resolved => "command and environment".to_owned(),
            Fate::NoEffect(_) => String::new(),
        };
        let Key { name, default, about, .. } = key;
        let value = type_words(key.slot);
        let _infallible =
            writeln!(text, "| `{name}` | {aliases} | {value} | {default} | {about} | {becomes} |");
    }
    text
}

/// The table of keys that are accepted and do nothing.
#[must_use]
pub fn unused() -> String {
    let mut text = "| key | value | why it has no effect |\n| --- | --- | --- |\n".to_owned();
    for key in KEYS {
        if let Fate::NoEffect(why) = key.fate {
            let _infallible = writeln!(text, "| `{}` | {} | {why} |", key.name, type_words(key.slot));
        }
    }
    text
}

/// The table of keys at the top of a file.
#[must_use]
pub fn top() -> String {
    let mut text = "| key | also | meaning |\n| --- | --- | --- |\n".to_owned();
    for TopKey { name, aliases, about, .. } in TOP {
        let _infallible = writeln!(text, "| `{name}` | {} | {about} |", code(aliases));
    }
    text
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn type_words(slot: Slot) -> &'static str {
    match slot {
        Slot::Text(_) | Slot::Checked(..) => "text",
        Slot::YesNo(_) => "true or false",
        Slot::Time(Span::Any, _) => "time",
        Slot::Time(Span::AboveZero, _) => "time above zero",
        Slot::Time(Span::Kept, _) => "time, `100ms` or more",
        Slot::Time(Span::OrNone, _) => "time, 0 for none",
        Slot::Bytes(_) => "bytes",
        Slot::Count(_) => "number from 1 up",
        Slot::Restarts(_) | Slot::Standby(_) => "number from 0 up",
        Slot::Port(_) => "port",
        Slot::Instances(_) => "number, range, `max` or `auto`",
        Slot::ExecMode(_) => "`fork` or `cluster`",
        Slot::Signal(_) => "signal",
        Slot::Words(_) => "text or list of words",
        Slot::List(_) | Slot::Commands(_) => "text or list",
        Slot::Dependencies(_) => "name, list or object",
        Slot::ExitCodes(_) => "number or list",
        Slot::Cron(_) => "cron pattern or 0",
        Slot::Selection(_) => "true, false, path or list",
        Slot::Filter(_) => "true, false, name or list",
        Slot::LogFile(_) => "path, true or false",
        Slot::Identity(_) => "number or name",
        Slot::Variables(_) | Slot::Object(_) => "object",
        Slot::Unused(Shape::YesNo) => "true or false",
        Slot::Unused(Shape::Text) => "text",
        Slot::Unused(Shape::Milliseconds) => "time",
        Slot::Unused(Shape::List) => "text or list",
        Slot::Unused(Shape::YesNoOrObject) => "true, false or object",
    }
}
