//! What pm2 tells in JSON, for the programs that read it: `pm2 jlist`, and its HTTP interface. Without environments, which
//! hold secrets.

use serde_json::{Map, Value, json};

use super::messages::MetricView;
use super::types::{AppView, ExecMode, InstanceView, RuntimeView, Status};

/// An element for each instance, by their numbers.
#[must_use]
pub fn jlist(apps: &[AppView], runtime: &RuntimeView) -> Value {
    let now = runtime.started_at_ms.saturating_add(runtime.uptime_ms);
    let mut all: Vec<(&AppView, &InstanceView)> =
        apps.iter().flat_map(|app| app.instances.iter().map(move |instance| (app, instance))).collect();
    all.sort_by_key(|(_, instance)| instance.id);
    all.into_iter().map(|(app, instance)| element(app, instance, now)).collect()
}

/// What pm2's HTTP interface answers: the machine, and the list. Network interfaces, which it names, are not told.
#[must_use]
pub fn interface(apps: &[AppView], runtime: &RuntimeView) -> Value {
    let machine = &runtime.machine;
    // Readers count them.
    let cpu: Vec<Value> = (0..machine.cpus).map(|_| json!({ "model": machine.architecture })).collect();
    json!({
        "system_info": { "hostname": machine.host, "uptime": runtime.uptime_ms / 1000 },
        "monit": {
            "loadavg": machine.load.unwrap_or_default(),
            "total_mem": machine.memory_total_bytes,
            "free_mem": machine.memory_available_bytes,
            "cpu": cpu,
            "interfaces": {},
        },
        "processes": jlist(apps, runtime),
    })
}

fn element(app: &AppView, instance: &InstanceView, now: u64) -> Value {
    json!({
        "pid": instance.pid.unwrap_or(0),
        "name": app.name,
        "pm2_env": environment(app, instance, now),
        "pm_id": instance.id,
        "monit": {
            "memory": instance.memory_bytes.unwrap_or(0),
            "cpu": instance.cpu_percent.unwrap_or(0.0),
        },
    })
}

/// Those who read pm2's list know no other word for one that serves.
fn status(status: Status) -> &'static str {
    if status == Status::Unhealthy { Status::Online.as_str() } else { status.as_str() }
}

/// pm2's record of a process, by pm2's names.
fn environment(app: &AppView, instance: &InstanceView, now: u64) -> Value {
    let interpreter = app.interpreter.as_ref();
    let node_version = interpreter
        .filter(|it| it.program.rsplit('/').next().is_some_and(|name| name == "node" || name == "nodejs"))
        .and_then(|it| it.version.as_deref())
        .map(|version| version.trim_start_matches('v'));
    json!({
        "name": app.name,
        "namespace": app.namespace,
        "status": status(instance.status),
        "pm_id": instance.id,
        "NODE_APP_INSTANCE": instance.instance,
        "exec_mode": match app.exec_mode {
            ExecMode::Cluster => "cluster_mode",
            ExecMode::Fork => "fork_mode",
        },
        "instances": app.instances.len(),
        "pm_uptime": instance.uptime_ms.map(|uptime| now.saturating_sub(uptime)),
        "created_at": app.created_at_ms,
        "restart_time": instance.restarts,
        "unstable_restarts": instance.unstable_starts,
        "exit_code": instance.last_exit.as_ref().map(|exit| exit.status),
        "version": app.version,
        "node_version": node_version,
        "pm_cwd": app.directory,
        "pm_exec_path": app.script.as_ref().or(app.command.first()),
        "exec_interpreter": interpreter.map_or("none", |it| it.program.as_str()),
        "username": app.user,
        "watch": app.watching,
        "pm_out_log_path": app.logs.out,
        "pm_err_log_path": app.logs.error,
        "versioning": app.git.as_ref().map(|git| json!({
            "type": "git",
            "branch": git.branch,
            "revision": git.revision,
            "url": git.remote,
        })),
        "axm_monitor": monitor(instance),
        "axm_actions": instance.actions.iter().map(|name| json!({"action_name": name})).collect::<Vec<_>>(),
    })
}

fn monitor(instance: &InstanceView) -> Map<String, Value> {
    let metric = |(name, metric): (&String, &MetricView)| {
        (name.clone(), json!({"value": metric.value, "unit": metric.unit}))
    };
    instance.metrics.iter().map(metric).collect()
}
