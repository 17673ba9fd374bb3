//! The JSON Schema of configuration files, made from the table of keys. It is published as docs/pmr.schema.json.
//!
//! It says all that a schema can say in few words. What it leaves to us: that a key stands there under one name only, quotes
//! that stay open, cron patterns in detail, and the largest and smallest of what is written as text.

use serde_json::{Map, Value, json};

use super::key::{Check, Fate, Key, Shape, Slot, Span};
use super::keys::{KEYS, NAMED_ENV, TOP, TopKey, TopSlot};
use crate::spec::Until;

/// Where it is published.
const ID: &str = "https://raw.githubusercontent.com/pmr-runtime/pmr-runtime/main/docs/pmr.schema.json";

/// The whole schema.
#[must_use]
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Configuration file of pmr-runtime, or of pm2",
        "anyOf": [
            { "$ref": "#/$defs/apps" },
            { "$ref": "#/$defs/file" },
            { "$ref": "#/$defs/app" },
        ],
        "$defs": {
            "apps": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/app" } },
            "file": file(),
            "app": app(),
            "variables": variables(),
        },
    })
}

fn file() -> Value {
    let mut properties = Map::new();
    for key in TOP {
        for name in key.names() {
            properties.insert(name, described(top_type(key), key.about));
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "anyOf": [{ "required": ["apps"] }, { "required": ["pm2"] }],
    })
}

fn top_type(key: &TopKey) -> Vec<Value> {
    match key.slot {
        TopSlot::Apps => vec![json!({ "$ref": "#/$defs/apps" }), json!({ "$ref": "#/$defs/app" })],
        TopSlot::Option(check, _) => vec![checked(check), null()],
        TopSlot::Schema => vec![json!({})],
        TopSlot::NoEffect(_) => vec![json!({})],
        TopSlot::Refused(_) => vec![null()],
    }
}

fn app() -> Value {
    let mut properties = Map::new();
    let mut scripts = Vec::new();
    for key in KEYS {
        let mut names = key.names();
        let own = names.next().unwrap_or_default();
        let is_script = key.name == "script";
        let mut types = types(key.slot);
        if is_script {
            scripts.push(json!({ "required": [own] }));
        } else {
            types.push(null());
        }
        let reference = json!({ "$ref": format!("#/$defs/app/properties/{own}") });
        properties.insert(own, described(types, &about(key)));
        for name in names {
            if is_script {
                scripts.push(json!({ "required": [name] }));
            }
            properties.insert(name, reference.clone());
        }
    }
    let named = [json!({ "$ref": "#/$defs/variables" }), null()];
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { format!("^{NAMED_ENV}(?!file$).+$"): { "anyOf": named } },
        "additionalProperties": false,
        "anyOf": scripts,
    })
}

fn about(key: &Key) -> String {
    match key.fate {
        Fate::Option(_) | Fate::Resolved => key.about.to_owned(),
        Fate::NoEffect(why) => format!("no effect: {why}"),
    }
}

fn described(mut types: Vec<Value>, about: &str) -> Value {
    if types.len() == 1
        && let Some(Value::Object(mut only)) = types.pop()
    {
        only.insert("description".to_owned(), about.into());
        return Value::Object(only);
    }
    json!({ "description": about, "anyOf": types })
}

fn null() -> Value {
    json!({ "type": "null" })
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn whole(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn list_of(items: Vec<Value>) -> Value {
    json!({ "type": "array", "items": { "anyOf": items } })
}

fn checked(check: Check) -> Value {
    if check.choices.is_empty() { pattern(check.pattern) } else { json!({ "enum": check.choices }) }
}

/// Of each of these forms a value may be.
fn types(slot: Slot) -> Vec<Value> {
    match slot {
        Slot::Text(_) => vec![text()],
        Slot::Checked(check, _) => vec![checked(check)],
        Slot::YesNo(_) => yes_no(),
        Slot::Time(span, _) => time(span),
        Slot::Bytes(_) => {
            vec![whole(0, i64::MAX), pattern(r"^([0-9]{1,15}|[0-9]{1,15}(\.[0-9]{1,15})?[KkMmGg])$")]
        }
        Slot::Count(_) => vec![whole(1, u32::MAX.into()), pattern("^0*[1-9][0-9]{0,8}$")],
        Slot::Restarts(_) => vec![whole(0, u32::MAX.into()), pattern("^[0-9]{1,9}$")],
        Slot::Standby(_) => vec![whole(0, 1024), pattern("^[0-9]{1,3}$")],
        Slot::Port(_) => vec![whole(1, u16::MAX.into()), pattern("^0*[1-9][0-9]{0,4}$")],
        Slot::Instances(_) => {
            vec![
                whole(-1024, 1024),
                json!({ "enum": ["max", "auto"] }),
                pattern(r"^(0|-?[1-9][0-9]{0,3}|[1-9][0-9]{0,3}\.\.([1-9][0-9]{0,3}|max|auto))$"),
            ]
        }
        Slot::ExecMode(_) => vec![json!({ "enum": ["fork", "fork_mode", "cluster", "cluster_mode"] })],
        Slot::Signal(_) => vec![pattern("^([A-Za-z]+([0-9]|[+-][0-9]+)?|[0-9]+)$"), whole(1, 64)],
        Slot::Words(_) => {
            let word = vec![json!({ "type": ["string", "number", "boolean"] })];
            vec![json!({ "type": "string" }), list_of(word)]
        }
        Slot::Dependencies(_) => {
            let words: Vec<&str> = Until::ALL.iter().map(|until| until.as_str()).collect();
            let object = json!({ "type": "object", "additionalProperties": { "enum": words } });
            vec![text(), list_of(vec![text()]), object]
        }
        Slot::List(_) | Slot::Commands(_) => vec![text(), list_of(vec![text()])],
        Slot::ExitCodes(_) => {
            let code = vec![whole(0, 255), pattern("^0*[0-9]{1,3}$")];
            code.iter().cloned().chain([list_of(code.clone())]).collect()
        }
        Slot::Cron(_) => vec![json!({ "enum": [0, false] }), pattern(r"^(0?|@[a-z]+|\S+(\s+\S+){4,6})$")],
        Slot::Selection(_) | Slot::Filter(_) => {
            vec![json!({ "type": "boolean" }), text(), list_of(vec![text()])]
        }
        Slot::LogFile(_) => vec![json!({ "type": "boolean" }), text()],
        Slot::Identity(_) => vec![whole(0, u32::MAX.into()), text()],
        Slot::Variables(_) => vec![json!({ "$ref": "#/$defs/variables" })],
        Slot::Object(_) => vec![json!({ "type": "object" })],
        Slot::Unused(shape) => unused(shape),
    }
}

fn yes_no() -> Vec<Value> {
    vec![json!({ "type": "boolean" }), json!({ "enum": ["true", "false"] })]
}

fn time(span: Span) -> Vec<Value> {
    /// A year, in milliseconds.
    const LONGEST: i64 = 8760 * 3_600_000;
    let (least, text) = match span {
        Span::Any | Span::OrNone => (0, r"^([0-9]+|[0-9]+(\.[0-9]{1,12})?(ms|s|m|h))$"),
        Span::AboveZero => (1, r"^(?=.*[1-9])([0-9]+|[0-9]+(\.[0-9]{1,12})?(ms|s|m|h))$"),
        Span::Kept => {
            (100, r"^(0*[1-9][0-9]{2,}(\.[0-9]{1,12}ms|ms)?|(?=.*[1-9])[0-9]+(\.[0-9]{1,12})?(s|m|h))$")
        }
    };
    vec![whole(least, LONGEST), pattern(text)]
}

fn unused(shape: Shape) -> Vec<Value> {
    match shape {
        Shape::YesNo => yes_no(),
        Shape::Text => vec![text()],
        Shape::Milliseconds => time(Span::Any),
        Shape::List => vec![text(), list_of(vec![text()])],
        Shape::YesNoOrObject => yes_no().into_iter().chain([json!({ "type": "object" })]).collect(),
    }
}

fn variables() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[^=]+$" },
        "additionalProperties": { "type": ["string", "number", "boolean", "object", "array", "null"] },
    })
}
