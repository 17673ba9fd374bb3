//! Apps as a runtime shows them.

use pmr_runtime::api::types::{AppView, RuntimeView};
use serde_json::{Value, json};

/// An app with an instance for each of `ids`.
///
/// # Panics
/// Never, unless the view has got a field that must not be left out.
#[must_use]
pub fn app(app_id: u32, name: &str, namespace: &str, ids: &[u32]) -> AppView {
    let instances: Vec<Value> =
        (0..).zip(ids).map(|(instance, &id): (u32, _)| self::instance(id, instance)).collect();
    let view = json!({
        "app_id": app_id, "name": name, "namespace": namespace, "version": "1.2.3", "status": "online",
        "command": ["node", "server.js"], "script": "/app/server.js", "directory": "/app", "interpreter": null,
        "share": "cluster", "exec_mode": "cluster", "user": "app", "watching": false, "created_at_ms": 0,
        "generation": 1, "reloading": null, "instances": instances, "listeners": [],
        "logs": {"out": null, "error": null}, "git": null, "settings": [], "metrics": {}, "actions": [],
    });
    serde_json::from_value(view).expect("all fields are there")
}

fn instance(id: u32, instance: u32) -> Value {
    json!({
        "id": id, "instance": instance, "status": "online", "pid": null, "generation": 1, "uptime_ms": 5000,
        "restarts": 0, "unstable_starts": 0, "cpu_percent": 12.5, "memory_bytes": 1000, "processes": 1,
        "next_start_in_ms": null, "last_exit": null,
    })
}

/// The runtime itself.
///
/// # Panics
/// As [`app`].
#[must_use]
pub fn runtime() -> RuntimeView {
    let machine = json!({
        "host": "dyno", "kernel": "Linux", "architecture": "x86_64", "cpus": 2, "memory_limit_bytes": null,
        "memory_total_bytes": 1000, "memory_available_bytes": 500, "load": [0.5, 0.25, 0.125],
    });
    let view = json!({
        "version": "0.1.0", "pid": 1, "mode": "foreground", "home": null, "socket": "/run/pmr/pmr.sock", "user": "root",
        "command": ["pmr-runtime"], "directory": "/", "started_at_ms": 0, "uptime_ms": 1, "updates": 0,
        "memory_bytes": null, "machine": machine,
    });
    serde_json::from_value(view).expect("all fields are there")
}
