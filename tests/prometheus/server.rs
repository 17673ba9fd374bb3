//! A real Prometheus, or a real VictoriaMetrics, with a directory of its own, on the loopback. Both answer the same questions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::fixtures::tool;
use crate::support::http::Connection;
use crate::support::ports::free_port;
use crate::support::wait;

/// It is ended when dropped.
pub(crate) struct Server {
    process: Child,
    directory: TempDir,
    pub(crate) port: u16,
}

/// A series: its labels, and its last value.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Server {
    /// A Prometheus that scrapes these ports every second, in each of the formats that `/metrics` has.
    pub(crate) fn scraping(ports: &[u16]) -> Self {
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let job = |name: &str, protocol: &str| {
            format!(
                "- job_name: {name}\n  scrape_protocols: [{protocol}]\n  static_configs: [{{ targets: {targets:?} }}]\n"
            )
        };
        let (text, open) = (job("text", "PrometheusText0.0.4"), job("open", "OpenMetricsText1.0.0"));
        let configuration = format!("global: {{ scrape_interval: 1s }}\nscrape_configs:\n{text}{open}");
        Self::start("prometheus", "/-/ready", |directory, address| {
            let file = directory.join("prometheus.yml");
            fs::write(&file, configuration).unwrap();
            vec![
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", directory.join("data").display()),
                format!("--web.listen-address={address}"),
            ]
        })
    }

    /// A VictoriaMetrics that takes what is pushed by OTLP, and keeps it under Prometheus' names.
    pub(crate) fn receiving() -> Self {
        Self::start("victoria-metrics", "/health", |directory, address| {
            vec![
                format!("-storageDataPath={}", directory.join("data").display()),
                format!("-httpListenAddr={address}"),
                "-opentelemetry.usePrometheusNaming".to_owned(),
                // So that what has just come is found.
                "-search.latencyOffset=0s".to_owned(),
            ]
        })
    }

    fn start(name: &str, ready: &str, arguments: impl FnOnce(&Path, &str) -> Vec<String>) -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-prometheus-").tempdir().unwrap();
        let port = free_port();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(tool(name))
            .args(arguments(directory.path(), &format!("127.0.0.1:{port}")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let it = Self { process, directory, port };
        it.until("readiness", || (it.get(ready)?.0 == 200).then_some(()));
        it
    }

    /// All series of this name.
    pub(crate) fn series(&self, name: &str) -> Vec<Series> {
        self.answers(name).unwrap_or_default()
    }

    /// What it answers to this expression; `None` where it does not understand it.
    pub(crate) fn answers(&self, expression: &str) -> Option<Vec<Series>> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let (status, answer) = self.get(&format!("/api/v1/query?query={encoded}"))?;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let found = answer["data"]["result"].as_array().filter(|_| status == 200)?;
        let series = |it: &Value| Series {
            labels: serde_json::from_value(it["metric"].clone()).unwrap(),
            value: it["value"][1].as_str().unwrap().parse().unwrap(),
        };
        Some(found.iter().map(series).collect())
    }

    /// The names of all series that it has, and may have had.
    pub(crate) fn names(&self) -> Vec<String> {
        let Some((200, answer)) = self.get("/api/v1/label/__name__/values") else { return Vec::new() };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        serde_json::from_value(answer["data"].clone()).unwrap()
    }

    /// Waits for something; shows its log if that does not come.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait::within(wait::DEADLINE, probe).unwrap_or_else(|| {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
            panic!("waited in vain for {what}; {:?}\nits log:\n{log}", self.names())
        })
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = Connection::open(self.port).ok()?.get(path).ok()?;
        Some((answer.status, answer.body))
    }
}

impl Drop for Server {
    #[expect(clippy::disallowed_methods, reason = "a test collects its own children")]
    fn drop(&mut self) {
        // It may have ended of itself; its directory goes in either case.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
