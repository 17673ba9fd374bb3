//! The figures of real runtimes, as the real `promtool` and the real Prometheus take them, and as a real VictoriaMetrics gets them
//! by OTLP.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "prometheus/server.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use server::{Series, Server};
use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, updates};

/// A server of two workers in Node.
fn node() -> Launch {
    let words = ["--web".into(), "0".into(), tool("node20"), fixture("node/server.js")];
    Launch::new(words).port(free_port()).workers(2)
}

/// The port of the web server, which the runtime tells.
#[track_caller]
fn port(runtime: &Runtime) -> u16 {
    let line = runtime.stderr_line(&["web server at http://"]);
    line.rsplit(':').next().unwrap().trim().parse().unwrap()
}

/// The series of each of these instances, in their order.
fn of_instances(series: &[Series], label: &str, wanted: &[&str]) -> Option<Vec<f64>> {
    let of = |number: &&str| series.iter().find(|it| it.labels.get(label).is_some_and(|it| it == number));
    wanted.iter().map(|number| Some(of(number)?.value)).collect()
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let mut runtime = node().spawn();
    let port = port(&runtime);
    runtime.until_ready(2);
    let has_all = |page: &String| {
        [
            "pmr_instance_memory_pss_bytes",
            "nodejs_eventloop_lag_p99_seconds",
            "pmr_http_request_duration_seconds_sum",
        ]
        .iter()
        .all(|name| page.contains(name))
    };
    let page = || Connection::open(port).unwrap().get("/metrics").ok().map(|answer| answer.body);
    let page = runtime.until("all figures", || page().filter(has_all));
    let mut promtool = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{page}");
    runtime.stops();
}

#[test]
fn prometheus_scrapes_all_workers_as_one_target_and_counters_survive_a_crash() {
    let mut runtime = node().spawn();
    runtime.until_ready(2);
    let prometheus = Server::scraping(&[port(&runtime)]);
    for job in ["text", "open"] {
        let series = |name: &str| {
            let mut found = prometheus.series(name);
            found.retain(|it| it.labels["job"] == job);
            found
        };
        let up = prometheus.until("a scrape", || series("up").pop().filter(|up| up.value > 0.5));
        assert!(up.labels["instance"].starts_with("127.0.0.1:"), "{up:?}");
        // Its own label of that name is the target.
        let both = ["0", "1"];
        prometheus.until("both instances", || {
            let found = of_instances(&series("pmr_instance_up"), "exported_instance", &both)?;
            found.iter().all(|value| *value > 0.5).then_some(())
        });
        let cpu = |name| of_instances(&series(name), "exported_instance", &both);
        let before = prometheus.until("CPU time", || cpu("pmr_instance_cpu_seconds_total"));
        let sum = |name| series(name).iter().map(|it| it.value).sum::<f64>();
        let restarts = sum("pmr_instance_restarts_total");
        processes::signal(*runtime.workers().iter().next().unwrap(), signals::KILL);
        prometheus.until("a restart", || (sum("pmr_instance_restarts_total") > restarts).then_some(()));
        let after = cpu("pmr_instance_cpu_seconds_total").unwrap();
        assert!(after.iter().zip(&before).all(|(after, before)| after >= before), "{before:?} {after:?}");
    }
    runtime.stops();
}

/// A server of two workers that pushes every 200 ms.
fn pushing(receiver: &Server) -> Launch {
    let launch = node()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}/opentelemetry", receiver.port));
    launch.env("OTEL_METRIC_EXPORT_INTERVAL", "200").env("OTEL_SERVICE_NAME", "shop")
}

#[test]
fn what_is_pushed_by_otlp_has_the_names_of_metrics() {
    let receiver = Server::receiving();
    let mut runtime = pushing(&receiver).spawn();
    runtime.stderr_line(&["figures are pushed to http://127.0.0.1", "every 200ms"]);
    runtime.until_ready(2);
    receiver.until("both instances", || {
        let found = of_instances(&receiver.series("pmr_instance_up"), "pmr_instance", &["0", "1"])?;
        found.iter().all(|value| *value > 0.5).then_some(())
    });
    let cpu = receiver.series("pmr_instance_cpu_seconds_total");
    let labels = ["service_name", "pmr_app"].map(|label| cpu[0].labels.get(label).map(String::as_str));
    assert_eq!(labels, [Some("shop"), Some("server")], "{cpu:?}");
    let page = Connection::open(port(&runtime)).unwrap().get("/metrics").unwrap().body;
    // The parts of a summary are counters of their own, and two gauges of prom-client's are named like counters.
    let of_ours = |line: &&str| !line.ends_with("summary") && !line.ends_with("untyped");
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter(of_ours);
    let scraped: BTreeSet<_> = types.filter_map(|line| line.split(' ').next()).collect();
    let pushed = receiver.names();
    let missing: Vec<_> = scraped.iter().filter(|name| !pushed.iter().any(|it| it == *name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {pushed:?}");
    runtime.stops();
}

#[test]
fn pushes_go_on_over_an_update() {
    let receiver = Server::receiving();
    let mut runtime = pushing(&receiver).spawn();
    runtime.until_ready(2);
    let updates = || receiver.series("pmr_updates_total").pop().map(|it| it.value);
    receiver.until("a push", updates);
    updates::update(&runtime);
    receiver.until("a push of the next program", || updates().filter(|updates| *updates > 0.5));
    let shown = updates::asked(&runtime, "/v1/runtime");
    assert!(shown["otlp"].as_str().is_some_and(|it| it.ends_with("/opentelemetry/v1/metrics")), "{shown}");
    assert_eq!(runtime.stderr.text().matches("figures are pushed to").count(), 1, "{}", runtime.tails());
    runtime.stops();
}

/// All expressions of the board for Grafana, for everything it can show.
fn expressions() -> Vec<String> {
    const BOARD: &str = include_str!("../deploy/grafana/pmr-runtime.json");
    let board: Value = serde_json::from_str(BOARD).unwrap();
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let variables =
        [("$__rate_interval", "1m"), ("$job", ".*"), ("$runtime", ".*"), ("$app", ".*"), ("$instance", ".*")];
    let filled =
        |text: &str| variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    targets.map(|target| filled(target["expr"].as_str().unwrap())).collect()
}

#[test]
fn the_board_for_grafana_asks_what_prometheus_can_answer() {
    let mut runtime = node().spawn();
    runtime.until_ready(2);
    let prometheus = Server::scraping(&[port(&runtime)]);
    prometheus.until("a scrape", || (prometheus.series("pmr_instance_up").len() == 4).then_some(()));
    let unknown: Vec<_> = expressions().into_iter().filter(|it| prometheus.answers(it).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    // Two scrapes make a rate.
    let cpu = expressions().into_iter().find(|it| it.starts_with("rate(pmr_instance_cpu")).unwrap();
    prometheus.until("CPU of both instances", || {
        prometheus.answers(&cpu).filter(|series| series.len() == 4).map(drop)
    });
    runtime.stops();
}
