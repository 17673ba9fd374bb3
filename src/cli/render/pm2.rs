//! `pmr jlist` with the samples of this folder, as it is printed.

use serde_json::Value;

use super::samples;
use crate::api::pm2::jlist;

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
