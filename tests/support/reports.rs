//! What workers of Node and Bun report of themselves.

use serde_json::Value;

use super::cluster::http_pids;
use super::launch::Launch;
use super::runtime::Runtime;

/// Once so many workers answer.
#[track_caller]
pub(crate) fn serving(launch: Launch, workers: usize, port: u16) -> Runtime {
    let runtime = launch.spawn();
    http_pids(&runtime, workers, port);
    runtime
}

/// What each instance reports, once all do and `wanted` is so.
#[track_caller]
pub(crate) fn reports(runtime: &Runtime, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let control = runtime.control();
    runtime.until(what, || {
        let app = control.app("all");
        let instances = app["instances"].as_array().expect("instances");
        let nodes: Vec<Value> = instances.iter().map(|one| one["node"].clone()).collect();
        let measured = nodes.iter().all(|node| node["window_ms"].is_number());
        (measured && wanted(&nodes)).then_some(nodes)
    })
}
