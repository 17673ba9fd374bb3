//! `--shutdown-delay`: after SIGTERM the app serves on for a while, and is ready for nobody who asks.

mod support;

use std::fs;

use support::fixtures::{fixture, tool};
use support::http::{self, Connection};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, updates};

/// Two workers in Node, and the web server at `web`.
fn node(delay: &str, port: u16, web: u16) -> Launch {
    let words = ["--shutdown-delay".into(), delay.into(), tool("node20"), fixture("node/server.js")];
    Launch::new(words).port(port).workers(2).env("PMR_WEB", web.to_string())
}

fn status(web: u16, path: &str) -> Option<u16> {
    Connection::open(web).ok()?.get(path).ok().map(|response| response.status)
}

/// Waits for an answer of the web server.
#[track_caller]
fn until(runtime: &Runtime, web: u16, path: &str, expected: u16) {
    runtime.until(path, || (status(web, path) == Some(expected)).then_some(()));
}

#[test]
fn it_serves_on_is_not_ready_any_more_and_replaces_who_crashes() {
    let (port, web) = (free_port(), free_port());
    let mut runtime = node("1h", port, web).spawn();
    until(&runtime, web, "/readyz", 200);
    runtime.until_ready(2);
    runtime.signal(signals::TERM);
    runtime.stderr_line(&["SIGTERM received, serving on for 1h (`--shutdown-delay`)", "workers=2"]);
    until(&runtime, web, "/readyz", 503);
    for path in ["/livez", "/healthz"] {
        assert_eq!(status(web, path), Some(200), "{path}");
    }
    let victim = *runtime.workers().first().unwrap();
    processes::signal(victim, signals::KILL);
    runtime.until_ready(3);
    http::get(port, "/").unwrap();
    runtime.signal(signals::TERM);
    http::get(port, "/").unwrap();
    assert_eq!(status(web, "/readyz"), Some(503));
    runtime.signal(signals::INT);
    runtime.stderr_line(&["SIGINT received again, killing all workers"]);
    runtime.ends_with(137);
}

#[test]
fn no_request_is_lost_that_comes_within_the_delay() {
    let (port, web) = (free_port(), free_port());
    let mut runtime = node("1s", port, web).spawn();
    runtime.until_ready(2);
    let load = Load::begin(port, "/slow?ms=20", 4);
    runtime.until("some answers", || (load.answered() > 20).then_some(()));
    runtime.signal(signals::TERM);
    runtime.stderr_line(&["serving on for 1s"]);
    let before = load.answered();
    runtime.until("more answers", || (load.answered() > before + 20).then_some(()));
    // Whoever sends us connections has heard of it, and sends none any more.
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    runtime.ends_with(0);
}

#[test]
fn other_signals_and_orders_are_not_delayed() {
    for signal in [signals::INT, signals::QUIT] {
        let mut runtime = node("1h", free_port(), free_port()).spawn();
        runtime.until_ready(2);
        runtime.signal(signal);
        runtime.ends_with(0);
    }
    let mut runtime = node("1h", free_port(), free_port()).spawn();
    runtime.until_ready(2);
    runtime.signal(signals::TERM);
    runtime.stderr_line(&["serving on for 1h"]);
    let verdict = updates::order(&runtime, "/v1/runtime/kill", "{}");
    assert_eq!(verdict["ok"], true, "{verdict}");
    runtime.ends_with(0);
}

#[test]
fn one_that_the_app_needs_goes_on_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let (port, needed, web) = (free_port(), free_port(), free_port());
    let server = fixture("node/server.js");
    let file = directory.path().join("apps.json");
    let app = |name: &str, port: u16, rest: &str| {
        format!(
            r#"{{ "name": "{name}", "script": {server:?}, "interpreter": {:?}, "instances": 1, "env": {{ "PORT": "{port}" }}, {rest} }}"#,
            tool("node20")
        )
    };
    let apps = [
        app("web", port, r#""depends_on": { "api": "ready" }, "shutdown_delay": "1h""#),
        app("api", needed, r#""shutdown_delay": 0"#),
    ];
    fs::write(&file, format!("{{ \"apps\": [{}] }}", apps.join(", "))).unwrap();
    let launch = Launch::new(["start".into(), file]).env("PMR_WEB", web.to_string());
    let mut runtime = launch.spawn();
    until(&runtime, web, "/readyz", 200);
    runtime.signal(signals::TERM);
    runtime.stderr_line(&["serving on for 1h", "app=web"]);
    until(&runtime, web, "/readyz", 503);
    http::get(port, "/").unwrap();
    http::get(needed, "/").unwrap();
    runtime.signal(signals::INT);
    runtime.ends_with(137);
}
