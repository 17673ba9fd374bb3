//! The figures of real runtimes, as the real `promtool` and the real Prometheus take them.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "prometheus/server.rs"]
mod server;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use server::{Prometheus, Series};
use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals};

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
    let prometheus = Prometheus::scraping(&[port(&runtime)]);
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
