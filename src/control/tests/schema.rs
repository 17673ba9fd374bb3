//! Holds answers against docs/openapi.json. Fields that the file does not know are mistakes here, though clients ignore them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::Reply;
use crate::api::routes;
use crate::control::router;

pub(super) fn file() -> Value {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
}

/// The answer's status, type and body must be listed for its route.
#[track_caller]
pub(super) fn check_reply(method: &str, path: &str, reply: &Reply) {
    let content = reply.headers.get("content-type").map(String::as_str).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let Ok(found) = router::find(method, path) else {
        assert_eq!(content, "application/json");
        return check("Error", &reply.json());
    };
    let file = file();
    let answers =
        &file["paths"][found.route.path][found.route.method.as_str().to_ascii_lowercase()]["responses"];
    let schema = &answers[reply.status.to_string()]["content"][content]["schema"];
    assert!(!schema.is_null(), "{method} {path}: {} {content} is not listed: {}", reply.status, reply.body);
    if content == "application/json" {
        check_against(schema, &reply.json());
    } else if content == "text/event-stream" {
        assert!(!reply.headers.contains_key("content-length"));
    }
}

#[track_caller]
pub(super) fn check_event(name: &str, data: &Value) {
    let schema = match name {
        "event" | "progress" => "Event",
        "line" => "Line",
        "lost" => "Lost",
        "verdict" => "Outcome",
        "error" => "Error",
        _ => panic!("events named `{name}` are not known"),
    };
    check(schema, data);
}

#[track_caller]
pub(super) fn check(name: &str, value: &Value) {
    check_against(&json!({ "$ref": format!("#/components/schemas/{name}") }), value);
}

#[track_caller]
fn check_against(schema: &Value, value: &Value) {
    let validator = validator(schema);
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(errors.is_empty(), "{}\n{value:#}", errors.join("\n"));
}

/// Made once for each schema, since that takes its time.
fn validator(schema: &Value) -> Rc<Validator> {
    thread_local! {
        static MADE: RefCell<HashMap<String, Rc<Validator>>> = RefCell::default();
    }
    let make = || {
        let mut whole = schema.clone();
        whole["components"] = file()["components"].clone();
        close(&mut whole);
        Rc::new(jsonschema::validator_for(&whole).unwrap())
    };
    MADE.with_borrow_mut(|made| made.entry(schema.to_string()).or_insert_with(make).clone())
}

/// Lets no object have fields that are not listed.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && fields.get("type") == Some(&json!("object")) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn the_check_sees_what_is_too_much_and_what_is_missing() {
    let wrong = |value: Value| std::panic::catch_unwind(|| check("Lost", &value)).is_err();
    assert!(!wrong(json!({ "lost": 1 })));
    assert!(wrong(json!({})) && wrong(json!({ "lost": 1, "more": 2 })) && wrong(json!({ "lost": "1" })));
    assert_eq!(router::find("GET", "/v1/ping").unwrap().route, routes::PING);
}
