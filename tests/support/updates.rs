//! Updates of the runtime in place, asked for over its control socket.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::http::{Connection, get_unix};
use super::runtime::Runtime;

/// Where a runtime that was started by `Launch` has its control socket.
pub(crate) fn socket(runtime: &Runtime) -> PathBuf {
    runtime.home().join(".pmr/pmr.sock")
}

/// The answer to a question over the control socket, once there is one.
#[track_caller]
pub(crate) fn asked(runtime: &Runtime, path: &str) -> Value {
    let text = runtime.until("an answer on the control socket", || get_unix(&socket(runtime), path).ok());
    serde_json::from_str(&text).unwrap()
}

/// Asks for something over the control socket, and gives the first verdict.
#[track_caller]
pub(crate) fn order(runtime: &Runtime, path: &str, body: &str) -> Value {
    let answer = Connection::open_unix(&socket(runtime)).and_then(|mut socket| socket.post(path, body));
    let answer = answer.unwrap_or_else(|error| runtime.fail(&format!("no answer to {path}: {error}")));
    let value: Value = serde_json::from_str(&answer.body).unwrap();
    match value["verdicts"].get(0) {
        Some(verdict) => verdict.clone(),
        None => runtime.fail(&format!("no verdict on {path}: {}", answer.body)),
    }
}

/// How often the runtime was updated.
#[track_caller]
pub(crate) fn count(runtime: &Runtime) -> u64 {
    asked(runtime, "/v1/runtime")["updates"].as_u64().unwrap()
}

/// Asks for an update to `executable`, or to the runtime's own, and gives the verdict.
#[track_caller]
pub(crate) fn ask(runtime: &Runtime, executable: Option<&Path>) -> Value {
    let body = serde_json::json!({ "executable": executable }).to_string();
    order(runtime, "/v1/runtime/update", &body)
}

/// Updates the runtime, and waits until the new program answers.
#[track_caller]
pub(crate) fn update(runtime: &Runtime) {
    let before = count(runtime);
    let verdict = ask(runtime, None);
    if verdict["ok"] != true {
        runtime.fail(&format!("the update was refused: {verdict}"));
    }
    runtime.until("the new program", || (count(runtime) == before + 1).then_some(()));
}
