//! docs/openapi.json and docs/control-api.md, held against the code.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::schema;
use crate::api::messages::{SendRequest, TriggerRequest};
use crate::api::routes::ALL;
use crate::api::text::Text;
use crate::api::types::{
    ReloadRequest, RestartRequest, ScaleRequest, SignalRequest, StartRequest, UpdateRequest,
};

const PAGE: &str = include_str!("../../../docs/control-api.md");

/// `GET /v1/apps`, of all routes.
fn of_code() -> BTreeSet<String> {
    ALL.iter().map(|route| format!("{} {}", route.method.as_str(), route.path)).collect()
}

#[test]
fn the_file_has_each_route_and_no_other() {
    let file = schema::file();
    let mut found = BTreeSet::new();
    for (path, methods) in file["paths"].as_object().unwrap() {
        let named = methods.as_object().unwrap().keys().filter(|name| *name != "parameters");
        found.extend(named.map(|method| format!("{} {path}", method.to_ascii_uppercase())));
    }
    assert_eq!(found, of_code());
}

#[test]
fn the_page_has_each_route_and_no_other() {
    let cells =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split('`').next());
    let named: BTreeSet<String> = cells.filter(|cell| cell.contains(" /v1/")).map(str::to_owned).collect();
    let paths: BTreeSet<String> =
        named.iter().map(|cell| cell.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(paths, of_code());
}

#[test]
fn requests_are_as_the_file_says() {
    let text = |text: &str| Text::Utf8(text.to_owned());
    let environment = Some(vec![(text("A"), text("b"))]);
    let value = |value: Result<Value, serde_json::Error>| value.unwrap();
    let start: StartRequest = serde_json::from_value(
        json!({ "words": ["a.js", [255]], "directory": "/", "environment": [["A", "b"]], "declared": {
            "file": "x.json", "app": "web", "settings": ["instances"], "variables": [["A", null], ["B", "c"]],
            "instance_var": "APP_ID",
        } }),
    )
    .unwrap();
    let trigger =
        TriggerRequest { action: "refresh".to_owned(), parameter: Some(json!(7)), timeout_ms: Some(5) };
    let send = SendRequest { data: json!({ "a": 1 }), topic: Some("log".to_owned()) };
    let reload = ReloadRequest {
        parallel: Some("all".to_owned()),
        strategy: Some("rolling".to_owned()),
        dry_run: true,
        environment: environment.clone(),
        definition: Some(Box::new(start.clone())),
    };
    let restart = RestartRequest { environment, definition: reload.definition.clone() };
    for (name, request) in [
        ("StartRequest", value(serde_json::to_value(start))),
        ("ReloadRequest", value(serde_json::to_value(reload))),
        ("RestartRequest", value(serde_json::to_value(restart))),
        ("ScaleRequest", value(serde_json::to_value(ScaleRequest { to: "+1".to_owned() }))),
        ("SignalRequest", value(serde_json::to_value(SignalRequest { signal: "HUP".to_owned() }))),
        ("TriggerRequest", value(serde_json::to_value(trigger))),
        ("SendRequest", value(serde_json::to_value(send))),
        ("UpdateRequest", value(serde_json::to_value(UpdateRequest { executable: None }))),
    ] {
        schema::check(name, &request);
    }
}
