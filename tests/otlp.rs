//! Pushes of real runtimes to receivers that do their worst. What a real one makes of them is shown in prometheus.rs.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "otlp/receiver.rs"]
mod receiver;
mod support;

use receiver::Receiver;
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::{processes, signals, updates};

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A server in Node that pushes in JSON.
fn node(endpoint: &str) -> Launch {
    Launch::new([tool("node20"), fixture("node/server.js")])
        .port(free_port())
        .workers(1)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
}

#[test]
fn a_failure_is_told_once_and_so_is_its_end() {
    let receiver = Receiver::start(BUSY);
    let mut runtime = node(&receiver.endpoint()).env("OTEL_METRIC_EXPORT_INTERVAL", "100").spawn();
    runtime.stderr_line(&["warning:", "figures cannot be pushed to", &receiver.endpoint(), "status 503"]);
    runtime.until("more pushes", || (receiver.pushes().len() > 3).then_some(()));
    receiver.answer_from_now_on(receiver::TAKEN);
    runtime.stderr_line(&["figures are pushed to", "again"]);
    assert_eq!(runtime.stderr.text().matches("cannot be pushed").count(), 1, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn what_there_is_to_tell_is_pushed_before_the_end() {
    let receiver = Receiver::start(receiver::TAKEN);
    let mut runtime = node(&receiver.endpoint()).spawn();
    runtime.until_ready(1);
    assert_eq!(receiver.pushes().len(), 0, "the first is due in a minute");
    runtime.stops();
    let pushes = receiver.pushes();
    assert!(pushes.last().is_some_and(|push| push.contains("pmr.instance.cpu")), "{pushes:?}");
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_up_the_end() {
    let receiver = Receiver::start("");
    let launch = node(&receiver.endpoint()).env("OTEL_METRIC_EXPORT_INTERVAL", "100");
    let mut runtime = launch.env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000").spawn();
    runtime.until_ready(1);
    runtime.until("a push", || (!receiver.pushes().is_empty()).then_some(()));
    runtime.stops();
}

#[test]
fn it_can_be_turned_off_and_workers_see_the_variables_all_the_same() {
    let receiver = Receiver::start(receiver::TAKEN);
    let launch = node(&receiver.endpoint()).env("OTEL_METRIC_EXPORT_INTERVAL", "50");
    let mut runtime = launch.env("PMR_OTLP", "false").spawn();
    runtime.until_ready(1);
    updates::update(&runtime);
    let shown = updates::asked(&runtime, "/v1/runtime");
    assert!(shown["otlp"].is_null(), "{shown}");
    let worker = *runtime.workers().iter().next().unwrap();
    let environment = std::fs::read(format!("/proc/{worker}/environ")).unwrap();
    let endpoint = format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", receiver.endpoint());
    assert!(String::from_utf8_lossy(&environment).contains(&endpoint), "worker {worker}");
    runtime.stops();
    assert_eq!(receiver.pushes(), Vec::<String>::new());
    assert!(!runtime.stderr.text().contains("figures"), "{}", runtime.tails());
}

#[test]
fn what_is_not_spoken_is_told_and_the_app_runs() {
    let mut runtime = node("https://vendor.example").spawn();
    runtime.stderr_line(&[
        "warning:",
        "no figures are pushed: `OTEL_EXPORTER_OTLP_ENDPOINT` begins with `https://`",
    ]);
    runtime.until_ready(1);
    runtime.stops();
    let mut runtime =
        node("http://localhost:4317").env("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc").spawn();
    runtime
        .stderr_line(&["warning:", "no figures are pushed: `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL` is `grpc`"]);
    runtime.until_ready(1);
    runtime.stops();
}

#[test]
fn totals_of_a_worker_that_was_replaced_go_on() {
    let receiver = Receiver::start(receiver::TAKEN);
    let mut runtime = node(&receiver.endpoint()).env("OTEL_METRIC_EXPORT_INTERVAL", "50").spawn();
    runtime.until_ready(1);
    let restarts = || receiver.last("pmr.instance.restarts");
    let before = runtime.until("a push", || receiver.last("pmr.instance.cpu"));
    processes::signal(*runtime.workers().iter().next().unwrap(), signals::KILL);
    let after = runtime.until("a restart", || restarts().filter(|it| it.value > 0.5));
    assert_eq!(after.start, before.start, "since the runtime was started");
    let cpu = receiver.last("pmr.instance.cpu").unwrap();
    assert!(cpu.value >= before.value && cpu.start == before.start, "{before:?} {cpu:?}");
    runtime.stops();
}
