//! `pmr jlist`: what `pm2 jlist` gives, for the scripts that read it. Pure. Without environments, which hold secrets.

use serde_json::{Map, Value, json};

use crate::api::messages::MetricView;
use crate::api::types::{AppView, ExecMode, InstanceView, RuntimeView, Status};

/// An element for each instance, by their numbers.
pub(in crate::cli) fn jlist(apps: &[AppView], runtime: &RuntimeView) -> Value {
    let now = runtime.started_at_ms.saturating_add(runtime.uptime_ms);
    let mut all: Vec<(&AppView, &InstanceView)> =
        apps.iter().flat_map(|app| app.instances.iter().map(move |instance| (app, instance))).collect();
    all.sort_by_key(|(_, instance)| instance.id);
    all.into_iter().map(|(app, instance)| element(app, instance, now)).collect()
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn an_element_has_pm2s_shape() {
        let list = jlist(&samples::apps()[..1], &samples::runtime());
        insta::assert_snapshot!(serde_json::to_string_pretty(&list[1]).unwrap(), @r#"
        {
          "monit": {
            "cpu": 100.0,
            "memory": 54525952
          },
          "name": "web",
          "pid": 4001,
          "pm2_env": {
            "NODE_APP_INSTANCE": 1,
            "axm_actions": [
              {
                "action_name": "heapdump"
              }
            ],
            "axm_monitor": {
              "event loop lag": {
                "unit": "ms",
                "value": 2.0
              }
            },
            "created_at": 1786186800000,
            "exec_interpreter": "node",
            "exec_mode": "cluster_mode",
            "exit_code": 3,
            "instances": 2,
            "name": "web",
            "namespace": "default",
            "node_version": "20.20.2",
            "pm_cwd": "/app",
            "pm_err_log_path": null,
            "pm_exec_path": "/app/server.js",
            "pm_id": 1,
            "pm_out_log_path": "/home/node/.pmr/logs/web-out.log",
            "pm_uptime": 1786276795000,
            "restart_time": 3,
            "status": "online",
            "unstable_restarts": 0,
            "username": "node",
            "version": "1.4.2",
            "versioning": {
              "branch": "main",
              "revision": "5fe83f6c0ffee",
              "type": "git",
              "url": "https://example.com/web.git"
            },
            "watch": false
          },
          "pm_id": 1
        }
        "#);
    }

    #[test]
    fn all_instances_are_there_by_their_numbers() {
        let list = jlist(&samples::apps(), &samples::runtime());
        let ids: Vec<_> = list.as_array().unwrap().iter().map(|it| it["pm_id"].as_u64().unwrap()).collect();
        assert_eq!(ids, [0, 1, 2, 10]);
        assert_eq!(list[2]["pid"], 0, "without a worker it is pm2's 0");
        assert_eq!(list[3]["pm2_env"]["node_version"], Value::Null);
    }
}
