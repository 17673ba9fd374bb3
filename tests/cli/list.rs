//! `pmr list` and what looks like it: the rows, their order, JSON.

use std::ffi::OsStr;

use serde_json::Value;

use super::home::{Home, SECRET};
use crate::support::tmux::Tmux;
use crate::support::wait;

/// Takes so many MB for itself, and with a second word as much of the CPU as half a second in each allows.
const EATER: &str = "\
import sys, time
kept = bytearray(b'x') * (int(sys.argv[1]) * 1000000)
while True:
    until = time.monotonic() + (0.05 if len(sys.argv) > 2 else 0)
    while time.monotonic() < until: pass
    time.sleep(0.05 if len(sys.argv) > 2 else 1000)
";

/// The numbers of the rows, from the top.
fn ids(table: &str) -> Vec<i64> {
    let first = |line: &str| line.strip_prefix('│')?.split('│').next()?.trim().parse().ok();
    table.lines().filter_map(first).collect()
}

/// The numbers of all instances, ordered by what `key` makes of app and instance.
fn sorted<K: PartialOrd>(apps: &Value, key: impl Fn(&Value, &Value) -> K) -> Vec<i64> {
    let mut all = Vec::new();
    for app in apps.as_array().unwrap() {
        for instance in app["instances"].as_array().unwrap() {
            all.push((key(app, instance), instance["id"].as_i64().unwrap()));
        }
    }
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn the_order_is_the_one_that_is_asked_for() {
    let home = Home::new();
    home.write("eater.py", EATER);
    // By number 0 is small, 1 large, 2 and 3 in between; 4 is stopped.
    home.pmr(0, &["start", "eater.py", "--name", "small", "--", "1", "busy"]);
    home.pmr(0, &["start", "eater.py", "--name", "large", "--", "90"]);
    home.pmr(0, &["start", "eater.py", "--name", "amid", "-i", "2", "--", "45"]);
    home.pmr(0, &["start", "eater.py", "--name", "none", "--", "1"]);
    home.pmr(0, &["stop", "none"]);
    home.pmr(0, &["signal", "KILL", "large"]);
    let large = |apps: &Value| apps[1]["instances"][0].clone();
    // Figures are as of the last look, and the CPU's are those between two.
    let apps = wait::until("figures that differ", || {
        let apps = home.json(&["list", "--json"]);
        let memory = large(&apps)["memory_bytes"].as_i64().unwrap_or(0) > 90_000_000;
        let busy = apps[0]["instances"][0]["cpu_percent"].as_f64().unwrap_or(0.0) > 5.0;
        (memory && busy && large(&apps)["status"] == "online").then_some(apps)
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    assert_eq!(ids(&home.pmr(0, &["list"])), [2, 3, 1, 4, 0], "by name");
    let expected = [
        ("name", sorted(&apps, |app, _| text(&app["name"]))),
        ("namespace", vec![0, 1, 2, 3, 4]),
        ("id", vec![0, 1, 2, 3, 4]),
        ("pid", sorted(&apps, |_, it| number(&it["pid"]))),
        ("memory", vec![4, 0, 2, 3, 1]),
        ("status", vec![0, 1, 2, 3, 4]),
        ("restarts", vec![0, 2, 3, 4, 1]),
    ];
    for (field, order) in expected {
        let sort = |direction: &str| ids(&home.pmr(0, &["list", "--sort", &format!("{field}{direction}")]));
        // The memory of two that are alike differs from moment to moment.
        let alike = |ids: Vec<i64>| {
            if field == "memory" { ids.into_iter().filter(|id| *id != 3).collect() } else { ids }
        };
        assert_eq!(alike(sort("")), alike(order.clone()), "{field}");
        assert_eq!(sort(":asc").len(), 5, "{field}");
        assert_eq!(alike(sort(":asc")), alike(order.clone()), "{field}:asc");
        // What is equal stays in the order of its numbers.
        let descending = match field {
            "namespace" => vec![0, 1, 2, 3, 4],
            "status" => vec![4, 0, 1, 2, 3],
            "restarts" => vec![1, 0, 2, 3, 4],
            "name" => vec![0, 4, 1, 2, 3],
            _ => order.into_iter().rev().collect(),
        };
        assert_eq!(alike(sort(":desc")), alike(descending), "{field}:desc");
    }
    assert_eq!(ids(&home.pmr(0, &["list", "--sort", "cpu:desc"]))[0], 0);
    assert_eq!(ids(&home.pmr(0, &["list", "--sort", "cpu"]))[4], 0);
    assert_eq!(ids(&home.pmr(0, &["list", "--sort", "uptime:desc"])), [0, 2, 3, 1, 4]);
    assert_eq!(ids(&home.pmr(0, &["list", "--sort", "uptime"]))[..2], [4, 1]);
    home.pmr(0, &["kill"]);
}

#[test]
fn every_alias_shows_the_same() {
    let home = Home::with_web(2);
    for verb in ["list", "ls", "l", "status", "ps"] {
        let list = home.pmr(0, &[verb]);
        assert_eq!(ids(&list), [0, 1], "{list}");
        for part in
            ["│ id │ name │ namespace │ version │ mode ", "│ cluster │", "│ online │", "1 app, 2 of 2"]
        {
            assert!(list.contains(part), "{verb}: {list}");
        }
        assert_eq!(home.json(&[verb, "--json"])[0]["name"], "web");
    }
    home.pmr(0, &["kill"]);
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// What is the same on every machine and in every run.
fn lasting(home: &Home, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let lasting = |(name, value): (&String, &Value)| match name.as_str() {
                "node_version" | "exec_interpreter" | "cpu_percent" | "cpu" | "memory_bytes" | "memory"
                | "node" | "user" | "username" => (name.clone(), "…".into()),
                _ => (name.clone(), lasting(home, value)),
            };
            fields.iter().map(lasting).collect()
        }
        Value::Array(values) => values.iter().map(|value| lasting(home, value)).collect(),
        Value::Number(number) if number.as_f64() > Some(9.0) => "N".into(),
        Value::String(text) => text.replace(home.path().to_str().unwrap(), "HOME").into(),
        other => other.clone(),
    }
}

#[test]
fn programs_get_all_in_our_shape_and_in_that_of_pm2() {
    let home = Home::with_web(1);
    home.write("package.json", r#"{"version":"1.4.2"}"#);
    home.pmr(0, &["start", "server.js", "--name", "old"]);
    home.pmr(0, &["stop", "old"]);
    let mut apps = home.json(&["list", "--json"]);
    for app in apps.as_array_mut().unwrap() {
        app["listeners"] = "…".into();
        app["interpreter"] = app["interpreter"]["program"].clone();
    }
    insta::assert_snapshot!("list", pretty(&lasting(&home, &apps)));
    let jlist = home.json(&["jlist"]);
    assert!(!jlist.to_string().contains(SECRET));
    insta::assert_snapshot!("jlist", pretty(&lasting(&home, &jlist)));
    let (dense, wide) = (home.pmr(0, &["jlist"]), home.pmr(0, &["prettylist"]));
    assert_eq!(dense.lines().count(), 1);
    assert!(wide.starts_with("[\n  {\n"), "{wide}");
    let parsed: Value = serde_json::from_str(&wide).unwrap();
    assert_eq!(parsed[1]["pm2_env"]["status"], "stopped");
    home.pmr(0, &["kill"]);
}

#[track_caller]
fn terminal(home: &Home, columns: u16, rows: u16) -> Tmux {
    let environment = home.environment();
    let environment: Vec<(&str, &OsStr)> =
        environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    Tmux::start(columns, rows, &environment)
}

#[test]
fn a_terminal_gets_as_much_as_fits() {
    let home = Home::with_web(1);
    for (columns, has, lacks) in
        [(200, "│ watching │", "…"), (80, "│ mode ", "│ pid"), (44, "│ status ", "│ mode")]
    {
        let tmux = terminal(&home, columns, 24);
        tmux.runs("pmr list");
        tmux.until_shows("1 app, 1 of 1 instance online");
        let screen = tmux.screen();
        assert!(screen.contains(has) && !screen.contains(lacks), "{columns}: {screen}");
        let longest = screen.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(usize::from(columns)), "{screen}");
    }
    home.pmr(0, &["kill"]);
}

#[test]
fn it_is_shown_again_while_it_is_watched() {
    let home = Home::with_web(1);
    let tmux = terminal(&home, 80, 24);
    tmux.runs("pmr list --watch; echo ended with $?");
    tmux.until_shows("1 of 1 instance online");
    home.pmr(0, &["scale", "web", "3"]);
    tmux.until_shows("3 of 3 instances online");
    let screen = tmux.screen();
    assert_eq!(screen.matches("│ id │").count(), 1, "drawn anew in its place:\n{screen}");
    home.pmr(0, &["scale", "web", "30"]);
    tmux.until_shows("more lines");
    tmux.press("C-c");
    tmux.until("the shell's prompt", |screen| screen.trim_end().ends_with('$').then_some(()));
    home.pmr(0, &["scale", "web", "1"]);
    tmux.runs("pmr ls -w; echo ended with $?");
    tmux.until_shows("1 of 1 instance online");
    home.pmr(0, &["kill"]);
    tmux.until_shows("ended with 1");
    home.pmr(1, &["ping"]);
}
