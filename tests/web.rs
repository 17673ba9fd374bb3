//! The web server of real runtimes: probes, figures, the API, and an update.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;

use serde_json::Value;

use support::fixtures::{fixture, tool};
use support::http::{Connection, Response};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, updates};

/// A server of two workers in Node, with a web server at `address`.
fn node(address: &str) -> Launch {
    let words = ["--web".into(), address.into(), tool("node20"), fixture("node/server.js")];
    Launch::new(words).port(free_port()).workers(2)
}

/// The port of the web server, which the runtime tells.
#[track_caller]
fn port(runtime: &Runtime) -> u16 {
    let line = runtime.stderr_line(&["web server at http://"]);
    let rest = line.split("http://").nth(1).unwrap();
    let address = rest.split([',', ' ']).next().unwrap();
    address.rsplit(':').next().unwrap().trim().parse().unwrap()
}

#[track_caller]
fn ask(port: u16, method: &str, path: &str, headers: &str) -> Response {
    let mut connection = Connection::open(port).unwrap();
    connection.send_request(method, path, &format!("Connection: close\r\n{headers}"), "").unwrap();
    connection.receive().unwrap()
}

#[track_caller]
fn get(port: u16, path: &str) -> Response {
    ask(port, "GET", path, "")
}

/// The value of a sample of `/metrics`.
fn sample(port: u16, name: &str) -> Option<f64> {
    let page = get(port, "/metrics").body;
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn probes_and_figures_tell_of_the_workers() {
    let mut runtime = node("0").spawn();
    let port = port(&runtime);
    runtime.until("readiness", || (get(port, "/readyz").status == 200).then_some(()));
    runtime.until_ready(2);
    for path in ["/livez", "/healthz"] {
        assert_eq!((get(port, path).status, get(port, path).body.as_str()), (200, "ok\n"), "{path}");
    }
    let page = get(port, "/metrics");
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for number in [0, 1] {
        let labels = format!("{{app=\"server\",instance=\"{number}\"}}");
        assert_eq!(sample(port, &format!("pmr_instance_up{labels}")), Some(1.0), "{}", page.body);
        for name in ["memory_rss_bytes", "threads", "open_descriptors", "start_time_seconds"] {
            let value = sample(port, &format!("pmr_instance_{name}{labels}"));
            assert!(value.is_some_and(|value| value > 0.0), "{name}: {}", page.body);
        }
    }
    let open = ask(port, "GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    runtime.stops();
}

#[test]
fn counters_go_on_when_a_worker_is_replaced() {
    let mut runtime = node("0").spawn();
    let port = port(&runtime);
    runtime.until_ready(2);
    let cpu = |number: u32| {
        let name = format!("pmr_instance_cpu_seconds_total{{app=\"server\",instance=\"{number}\"}}");
        runtime.until("CPU time", || sample(port, &name))
    };
    let before = [cpu(0), cpu(1)];
    let victim = *runtime.workers().iter().next().unwrap();
    processes::signal(victim, signals::KILL);
    let restarts = |number: u32| {
        sample(port, &format!("pmr_instance_restarts_total{{app=\"server\",instance=\"{number}\"}}"))
    };
    runtime.until("a restart", || (restarts(0)? + restarts(1)? > 0.5).then_some(()));
    runtime.until_ready(3);
    for number in [0, 1] {
        assert!(cpu(number) >= before[number as usize], "{number}: {before:?}");
    }
    runtime.stops();
}

#[test]
fn programs_that_read_pm2s_json_find_it() {
    let mut runtime = node("0").spawn();
    let port = port(&runtime);
    runtime.until_ready(2);
    let json: Value = serde_json::from_str(&get(port, "/").body).unwrap();
    assert_eq!(json["processes"].as_array().map(Vec::len), Some(2), "{json}");
    assert_eq!(json["processes"][0]["pm2_env"]["status"], "online", "{json}");
    assert!(json["system_info"]["hostname"].is_string(), "{json}");
    assert!(json["monit"]["cpu"].as_array().is_some_and(|cpus| !cpus.is_empty()), "{json}");
    runtime.stops();
}

#[test]
fn an_update_keeps_the_socket_and_the_token() {
    const TOKEN: &str = "0123456789abcdef";
    let mut runtime = node("0").env("PMR_WEB_TOKEN", TOKEN).spawn();
    let port = port(&runtime);
    runtime.until_ready(2);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    updates::update(&runtime);
    assert_eq!(get(port, "/readyz").status, 200);
    assert_eq!(ask(port, "POST", "/v1/apps/server/reset", "").status, 401);
    assert_eq!(ask(port, "POST", "/v1/apps/server/reset", &bearer).status, 200);
    let shown = updates::asked(&runtime, "/v1/runtime");
    assert_eq!(shown["web"], format!("127.0.0.1:{port}"), "{shown}");
    let environment = ask(port, "GET", "/v1/apps/server/env?reveal=true", &bearer);
    assert!(environment.body.contains("PMR_APP") && !environment.body.contains(TOKEN), "{environment:?}");
    for pid in runtime.workers() {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains(TOKEN), "worker {pid}");
    }
    assert_eq!(runtime.stderr.text().matches("web server at").count(), 1, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn looking_into_a_worker_takes_the_token() {
    const TOKEN: &str = "0123456789abcdef";
    let mut runtime = node("0").env("PMR_WEB_TOKEN", TOKEN).spawn();
    let port = port(&runtime);
    runtime.until_ready(2);
    assert_eq!(ask(port, "POST", "/v1/apps/server/report", "").status, 401);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = ask(port, "POST", "/v1/apps/server/report", &bearer);
    let report: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(answer.status == 200 && report["header"].is_object(), "{answer:?}");
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"server-0-"), "{disposition}");
    runtime.stops();
}

#[test]
fn for_others_a_token_is_made_up_and_told() {
    let mut runtime = node("0.0.0.0:0").spawn();
    let port = port(&runtime);
    let line = runtime.stderr_line(&["who have the token "]);
    let token = line.rsplit(' ').next().unwrap();
    assert_eq!(get(port, "/metrics").status, 401);
    assert_eq!(ask(port, "GET", "/metrics", &format!("Authorization: Bearer {token}\r\n")).status, 200);
    runtime.until("readiness", || (get(port, "/readyz").status == 200).then_some(()));
    runtime.stops();
}

#[test]
fn a_port_that_is_taken_costs_no_more_than_the_web_server() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut runtime = node(&address).spawn();
    runtime.stderr_line(&["error", "no web server: cannot listen at", &address]);
    runtime.until_ready(2);
    runtime.stops();
}

#[test]
fn an_app_that_fails_is_not_ready_and_says_why() {
    let words = ["--web", "0", "--no-auto-exit", "--max-restarts", "2", "-n", "broken", "sh", "-c", "exit 3"];
    let mut runtime = Launch::new(words).spawn();
    let port = port(&runtime);
    let answer = runtime.until("the end of hope", || {
        let answer = get(port, "/livez");
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.body.starts_with("not ok\nbroken: errored (0 of 1 instances serve)"), "{answer:?}");
    assert_eq!((get(port, "/healthz").status, get(port, "/readyz").status), (503, 503));
    runtime.signal(signals::TERM);
    runtime.wait();
}

#[test]
fn an_app_whose_first_command_fails_is_neither_well_nor_ready() {
    let words = ["--web", "0", "--no-auto-exit", "--pre-start", "exit 3", "-n", "web", "sleep", "1000"];
    let mut runtime = Launch::new(words).spawn();
    let port = port(&runtime);
    let answer = runtime.until("the end of hope", || {
        let answer = get(port, "/healthz");
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.body.starts_with("not ok\nweb: "), "{answer:?}");
    assert_eq!((get(port, "/livez").status, get(port, "/readyz").status), (503, 503));
    runtime.signal(signals::TERM);
    runtime.wait();
}
