//! Values of keys, good and bad, each bad one with its message.

use serde_json::{Map, Value};

use super::super::app::AppDeclaration;
use super::super::read::read;

/// A key with values, good and bad.
const CASES: &[(&str, &str)] = &[
    ("script", r#"["server.js", "npm run start", "", 5, [], "a\u0000b"]"#),
    ("args", r#"["--port 3 'a b'", ["--port", 3, true], [], "", "'open", 5, [null], [["a"]]]"#),
    ("interpreter", r#"["none", "python3", "", 3]"#),
    ("node_args", r#"["--inspect -r x", ["--inspect"], false]"#),
    ("cwd", r#"["/srv", "", 1]"#),
    ("name", r#"["web", "my api", " ", "a\nb", 5]"#),
    ("namespace", r#"["shop", 1]"#),
    ("append_env_to_name", r#"[true, "true", "yes", 1]"#),
    (
        "instances",
        r#"[1, 1024, 0, -1, "max", "auto", "4", 1025, 1.5, "many", true, "+4", "2..8", "1..max", "8..2"]"#,
    ),
    ("exec_mode", r#"["fork", "cluster", "fork_mode", "cluster_mode", "clusters", 1]"#),
    ("instance_var", r#"["APP_ID", ""]"#),
    ("increment_var", r#"["PORT", 1]"#),
    ("port", r#"[3000, "3000", 0, 65536, -1, "http", 80.5]"#),
    ("share", r#"["none", "reuseport", "magic"]"#),
    (
        "env",
        r#"[{"A": "1", "B": 2, "C": {"d": 1}, "E": null}, "A=1", ["A"], {"A=B": "1"}, {"": "1"}, {"A": "x\u0000y"}]"#,
    ),
    ("env_production", r#"[{}, {"A": true}, 5]"#),
    ("env_file", r#"[".env", [".env", ".env.local"], true, [1], ""]"#),
    ("filter_env", r#"[true, false, "SECRET", ["AWS_", "KEY"], 1, [1]]"#),
    ("autostart", r#"[false, 0]"#),
    ("pre_start", r#"["npm run migrate", ["a", "b && c"], "", [], [1], true]"#),
    ("pre_start_timeout", r#"["10m", 0]"#),
    (
        "depends_on",
        r#"["db", ["db", "cache"], {"db": "ready", "m": "exited", "x": "started"}, {"db": "healthy"}, [""], 1]"#,
    ),
    ("autorestart", r#"[true, false, "no", 1]"#),
    ("stop_exit_codes", r#"[0, [0, 42], "42", [256], -1, "none", [1.5]]"#),
    ("restart_delay", r#"[0, 1600, "5s", "1.5m", -1, 1.5, "5 s", "9000h", "soon", true]"#),
    ("exp_backoff_restart_delay", r#"[0, 100, "100ms", "fast"]"#),
    ("min_uptime", r#"["1h", 1000, "5 parsecs", [5]]"#),
    ("max_restarts", r#"[1, 16, "10", 0, -1, "none", 1.5, 4294967296]"#),
    ("cron_restart", r#"["0 3 * * *", "*/5 * * * * *", 0, "0", false, "* * *", "often", 5, true]"#),
    ("max_memory_restart", r#"[314572800, "300M", "1.5G", "500k", 0, -1, "300MB", "lots", 1.5, true]"#),
    ("memory_guard", r#"[false, 0]"#),
    ("watch", r#"[true, false, "src", ["src", "lib"], 1, [1], ""]"#),
    ("ignore_watch", r#"["node_modules", ["logs", "*.tmp"], true, 1]"#),
    ("watch_delay", r#"[1000, "1s", "a while"]"#),
    ("watch_options", r#"[{"followSymlinks": false}, true, []]"#),
    ("drain_timeout", r#"["10s", "long"]"#),
    ("kill_timeout", r#"[1600, "25s", "1600ms", 0, -1, "25 seconds", null, {}]"#),
    ("shutdown_delay", r#"["5s", 5000, "a while"]"#),
    ("kill_signal", r#"["SIGINT", "TERM", 15, "15", "SIGNONE", 0, true]"#),
    ("treekill", r#"[true, "off"]"#),
    ("resolve", r#"[false, "no"]"#),
    ("agent", r#"[false, "no"]"#),
    ("shutdown_with_message", r#"[true, "true", "please"]"#),
    ("wait_ready", r#"[true, "false", 1, "1"]"#),
    ("listen_timeout", r#"[8000, "8s", 0, "0s"]"#),
    ("balance", r#"["sticky", "fair"]"#),
    ("stall_after", r#"["250ms", 0]"#),
    ("standby", r#"[0, 2, "1", -1, 1025, true]"#),
    ("reload_strategy", r#"["fleet", "rolling", "big-bang"]"#),
    ("on_crash", r#"["http://hooks:8080/x", "./report --now", "https://a/", "http://", "", 1]"#),
    ("on_hup", r#"["reload", "forward", "restart"]"#),
    ("watchdog", r#"["10s", 99, "50ms"]"#),
    ("health", r#"["/health", "http://:8080/x", "tcp", "cmd:test -f ok", "https://a/", "health", ""]"#),
    ("health_interval", r#"["10s", 50]"#),
    ("health_retries", r#"[3, 0]"#),
    ("out_file", r#"["logs/out.log", "NULL", "/dev/null", true, false, 1, ""]"#),
    ("error_file", r#"["logs/err.log", []]"#),
    ("log_file", r#"[true, "all.log", 2]"#),
    ("pid_file", r#"["x.pid", true]"#),
    ("disable_logs", r#"[true, 1]"#),
    ("log_type", r#"["json", "raw", "xml", true]"#),
    ("log_date_format", r#"["YYYY-MM-DD", true]"#),
    ("time", r#"[true, "now"]"#),
    ("uid", r#"[1000, "1000", "www-data", 0, -1, 1.5, "", true]"#),
    ("gid", r#"["www-data", [1]]"#),
    ("source_map_support", r#"[true, 1]"#),
    ("kill_retry_time", r#"[100, "soon"]"#),
    ("pmx", r#"[false, true, {"http": true}, "x"]"#),
    ("vizion", r#"[false, "git"]"#),
    ("post_update", r#"["npm ci", ["npm ci"], {}]"#),
    ("instnces", "[1]"),
    ("kill-timeout", "[1]"),
    ("xyzzy", "[1]"),
];

fn outcome(key: &str, value: &Value) -> String {
    let mut app = Map::new();
    if key != "script" {
        app.insert("script".to_owned(), "x".into());
    }
    app.insert(key.to_owned(), value.clone());
    match read("f", &Value::Object(app)) {
        Ok(document) => {
            let remarks: Vec<String> = document.remarks.iter().map(ToString::to_string).collect();
            if remarks.is_empty() { "taken".to_owned() } else { format!("taken; {}", remarks.join("; ")) }
        }
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        }
    }
}

#[test]
fn every_value_is_taken_or_told_what_would_be() {
    let (mut table, mut count) = (String::new(), 0);
    for (key, values) in CASES {
        let values: Vec<Value> = serde_json::from_str(values).unwrap();
        for value in values {
            count += 1;
            table.push_str(&format!("{key}: {value}\n    {}\n", outcome(key, &value)));
        }
    }
    assert!(count >= 200, "{count}");
    insta::assert_snapshot!(table);
}

fn app(text: &str) -> AppDeclaration {
    let document = serde_json::from_str(text).unwrap();
    read("f", &document).unwrap().apps.remove(0)
}

#[test]
fn an_alias_says_the_same_as_its_key() {
    let plain = app(
        r#"{"script": "a.js", "kill_timeout": 5, "interpreter_args": ["-x"], "out_file": "a", "cron_restart": "* * * * *"}"#,
    );
    let aliases =
        app(r#"{"exec": "a.js", "killTimeout": 5, "nodeArgs": "-x", "out": "a", "cron": "* * * * *"}"#);
    assert_eq!(plain, aliases);
}

#[test]
fn zero_and_false_are_values_like_any_other() {
    let app = app(
        r#"{"script": "a.js", "kill_timeout": 0, "autorestart": false, "restart_delay": 0, "cron_restart": 0}"#,
    );
    assert_eq!(app.kill_timeout, Some(std::time::Duration::ZERO));
    assert_eq!(app.autorestart, Some(false));
    assert_eq!(app.restart_delay, Some(std::time::Duration::ZERO));
    assert_eq!(app.cron_restart, Some(None));
}
