//! What deploy/ holds for Kubernetes: rendered by kustomize and by Helm's own engine, checked against the published schemas, and
//! consistent with the runtime that it runs.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use pmr_runtime::config::values::bytes;
use pmr_runtime::config::{duration, setting};
use serde_json::{Value, json};

use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes};

/// What a pod's time to end has to have above the delay and the kill timeout: 3 s of last answers, 5 s for what was killed, and some.
const ABOVE: u64 = 10;

/// That of the web server.
const TOKEN: &str = "only-of-these-tests";

/// All objects, by what they come from.
type Objects = BTreeMap<String, Vec<Value>>;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Values for the chart, each with a name: nothing, and all there is.
fn values() -> Value {
    json!({
        "plain": {},
        "full": {
            "image": { "repository": "registry.example/shop", "digest": format!("sha256:{}", "a".repeat(64)), "pullSecrets": [{ "name": "pull" }] },
            "args": ["node", "server.js"], "port": 8080,
            "env": { "PMR_HEALTH": "/health", "LEVEL": 3, "LIMIT": 10_000_000, "SHARE": 0.25, "FAST": true }, "envFrom": [{ "configMapRef": { "name": "shop" } }],
            "shutdownDelaySeconds": 20, "killTimeoutSeconds": 60, "maxMemoryRestart": "",
            "web": { "tokenSecret": { "name": "shop-token", "key": "secret" } },
            "service": { "type": "LoadBalancer", "port": 443 },
            "podDisruptionBudget": { "maxUnavailable": "25%" },
            "autoscaling": { "enabled": true, "maxReplicas": 30, "requestsInFlight": 50, "cpuUtilization": 0 },
            "serviceMonitor": { "enabled": true, "labels": { "release": "prometheus" } },
            "podAnnotations": { "example.com/why": "a test" }, "podLabels": { "team": "shop" },
            // From the range that OpenShift gives a namespace.
            "userId": 1_000_700_000, "groupId": 1_000_700_000,
            "nodeSelector": { "kubernetes.io/arch": "arm64" },
            "tolerations": [{ "key": "spot", "operator": "Exists", "effect": "NoSchedule" }],
            "affinity": { "nodeAffinity": {} },
        },
        "without_budget": { "podDisruptionBudget": { "enabled": false } },
    })
}

/// Renders and checks it all, once. `None` where there is no engine for this machine.
fn objects() -> Option<&'static Objects> {
    static OBJECTS: OnceLock<Option<Objects>> = OnceLock::new();
    OBJECTS.get_or_init(|| cfg!(target_arch = "x86_64").then(render)).as_ref().or_else(|| {
        processes::say_not_shown("Helm's engine is published for x86-64 alone");
        None
    })
}

fn render() -> Objects {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("values.json");
    std::fs::write(&file, values().to_string()).unwrap();
    let script = fixture("../kubernetes/render.py");
    let python = tool("charts").join("bin/python");
    let output = Command::new(python).args([script, deploy(), file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The objects of a kind, with what they come from and what is beside them.
fn each<'a>(objects: &'a Objects, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value, &'a [Value])> {
    objects.iter().flat_map(move |(source, all)| {
        let those = all.iter().filter(move |it| it["kind"] == kind);
        those.map(move |it| (source.as_str(), it, all.as_slice()))
    })
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

/// The variables of the app's container that have a value.
fn environment(deployment: &Value) -> BTreeMap<&str, &str> {
    let all = container(deployment)["env"].as_array().unwrap();
    all.iter().filter_map(|it| Some((it["name"].as_str()?, it["value"].as_str()?))).collect()
}

/// Whether an object with these labels is meant by a selector.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn all_is_rendered_and_right_by_the_published_schemas() {
    let Some(objects) = objects() else { return };
    let kinds = |source: &str| -> BTreeSet<&str> {
        let all = objects.get(source).unwrap_or_else(|| panic!("nothing comes from {source}"));
        all.iter().filter_map(|it| it["kind"].as_str()).collect()
    };
    let plain = BTreeSet::from(["Deployment", "PodDisruptionBudget", "Service"]);
    let more = BTreeSet::from(["HorizontalPodAutoscaler", "ServiceMonitor"]);
    assert_eq!(kinds("chart plain"), plain);
    assert_eq!(kinds("chart full"), plain.union(&more).copied().collect());
    assert!(!kinds("chart without_budget").contains("PodDisruptionBudget"));
    if objects.contains_key("kustomize base") {
        assert_eq!(kinds("kustomize base"), plain);
        assert_eq!(kinds("kustomize example"), plain.union(&more).copied().collect());
    } else {
        processes::say_not_shown("there is no kubectl that would build the kustomization");
    }
}

#[test]
fn what_is_for_the_prometheus_operator_is_right_by_its_schema() {
    let Some(objects) = objects() else { return };
    let all: Vec<&Value> = each(objects, "ServiceMonitor").map(|(_, monitor, _)| monitor).collect();
    assert!(all.len() >= 2);
    let words = [fixture("../kubernetes/monitors.mjs"), tool("charts").join("node_modules")];
    let mut command = Command::new(tool("node22"));
    let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = command.spawn().unwrap();
    node.stdin.take().unwrap().write_all(json!(all).to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        told.trim(),
        format!("{} are right", all.len()),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_pod_has_time_for_the_delay_and_the_kill_timeout() {
    let Some(objects) = objects() else { return };
    for (source, deployment, _) in each(objects, "Deployment") {
        let variables = environment(deployment);
        let seconds = |name: &str| duration::parse(variables[name]).unwrap().as_secs();
        let needed = seconds("PMR_SHUTDOWN_DELAY") + seconds("PMR_KILL_TIMEOUT") + ABOVE;
        let given = &deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
        assert_eq!(given.as_u64(), Some(needed), "{source}");
    }
}

#[test]
fn a_pod_has_no_right_that_it_does_not_need() {
    let Some(objects) = objects() else { return };
    for (source, deployment, _) in each(objects, "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{source}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{source}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{source}");
        let expected = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] }
        });
        assert_eq!(container(deployment)["securityContext"], expected, "{source}");
        assert!(container(deployment)["resources"]["limits"]["memory"].is_string(), "{source}");
    }
}

#[test]
fn what_belongs_together_finds_each_other() {
    let Some(objects) = objects() else { return };
    for (source, deployment, all) in each(objects, "Deployment") {
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert!(selects(&deployment["spec"]["selector"]["matchLabels"], labels), "{source}");
        for other in all {
            let spec = &other["spec"];
            match other["kind"].as_str().unwrap() {
                "Service" => assert!(selects(&spec["selector"], labels), "{source}"),
                "PodDisruptionBudget" => {
                    assert!(selects(&spec["selector"]["matchLabels"], labels), "{source}")
                }
                "HorizontalPodAutoscaler" => {
                    assert_eq!(spec["scaleTargetRef"]["name"], deployment["metadata"]["name"], "{source}");
                    assert!(deployment["spec"]["replicas"].is_null(), "{source}: who says how many?");
                }
                "ServiceMonitor" => {
                    let selector = &spec["selector"]["matchLabels"];
                    let services = all.iter().filter(|it| it["kind"] == "Service");
                    let found: Vec<_> =
                        services.filter(|it| selects(selector, &it["metadata"]["labels"])).collect();
                    assert_eq!(found.len(), 1, "{source}");
                    assert_eq!(
                        found[0]["spec"]["ports"][0]["name"], spec["endpoints"][0]["port"],
                        "{source}"
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_large_number_is_written_out() {
    let Some(objects) = objects() else { return };
    let deployment = of_whole_chart(objects, "Deployment");
    let variables = environment(deployment);
    for (name, text) in [("LEVEL", "3"), ("LIMIT", "10000000"), ("SHARE", "0.25"), ("FAST", "true")] {
        assert_eq!(variables[name], text, "{name}");
    }
    let user = &deployment["spec"]["template"]["spec"]["securityContext"];
    for name in ["runAsUser", "runAsGroup"] {
        assert_eq!(user[name].as_u64(), Some(1_000_700_000), "{name}: {}", user[name]);
    }
}

#[test]
fn a_size_that_the_chart_takes_is_one_that_the_runtime_takes() {
    let schema = std::fs::read_to_string(deploy().join("helm/pmr-runtime/values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let pattern = schema["properties"]["maxMemoryRestart"]["pattern"].as_str().unwrap();
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    assert!(pattern.is_match(""), "no limit");
    for size in [
        "400M",
        "1.5G",
        "1.5g",
        "500k",
        "314572800",
        "0",
        "1.5.5",
        "1.5.5M",
        "1.5",
        ".5G",
        "5.G",
        ".",
        "M",
        "4 M",
    ] {
        assert_eq!(pattern.is_match(size), bytes(size).is_ok(), "{size}");
    }
}

/// The runtime with what a pod of the whole chart gives it, and ports of the test's own: the app's, and that of the web server.
fn as_in_a_pod(objects: &Objects) -> (Runtime, u16, u16) {
    let (port, web) = (free_port(), free_port());
    let mut launch = Launch::new([tool("node20"), fixture("node/server.js")]);
    let variables = environment(of_whole_chart(objects, "Deployment"));
    for (name, value) in &variables {
        launch = launch.env(name, value);
    }
    let (address, _) = variables["PMR_WEB"].rsplit_once(':').unwrap();
    let launch = launch.port(port).workers(1).env("PMR_WEB", format!("{address}:{web}"));
    (launch.env("PMR_WEB_TOKEN", TOKEN).spawn(), port, web)
}

fn of_whole_chart<'a>(objects: &'a Objects, kind: &'a str) -> &'a Value {
    each(objects, kind).find(|(source, ..)| *source == "chart full").unwrap().1
}

/// Each option is one that the runtime knows, and its probes are where the pod's ask.
#[test]
fn the_runtime_comes_up_with_what_a_pod_gives_it() {
    let Some(objects) = objects() else { return };
    let known: BTreeSet<&str> = setting::ALL.iter().map(|setting| setting.variable).collect();
    for (source, deployment, _) in each(objects, "Deployment") {
        let variables = environment(deployment);
        let ours = variables.keys().filter(|name| name.starts_with("PMR_"));
        assert!(ours.clone().all(|name| known.contains(name)), "{source}: {ours:?}");
    }
    let (mut runtime, port, web) = as_in_a_pod(objects);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probed = &container(of_whole_chart(objects, "Deployment"))[probe]["httpGet"];
        let path = probed["path"].as_str().unwrap();
        runtime.until(probe, || {
            let answer = Connection::open(web).ok()?.get(path).ok()?;
            (answer.status == 200).then_some(())
        });
    }
    http::get(port, "/").unwrap();
    assert!(!runtime.stderr.text().contains("is not known"), "{}", runtime.tails());
    runtime.signal(support::signals::INT);
    runtime.ends_with(0);
}

/// Our names in all that is for Kubernetes.
fn figures_named(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(figures_named(&path));
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            found.extend(words.filter(|word| word.starts_with("pmr_")).map(str::to_owned));
        }
    }
    found
}

/// As Prometheus reads them, by what a ServiceMonitor says.
fn scrape(web: u16, endpoint: &Value, token: &str) -> Option<http::Response> {
    let path = endpoint["path"].as_str().unwrap();
    let kind = endpoint["authorization"]["type"].as_str().unwrap();
    let mut connection = Connection::open(web).ok()?;
    connection.send_request("GET", path, &format!("Authorization: {kind} {token}\r\n"), "").ok()?;
    connection.receive().ok()
}

#[test]
fn the_autoscaler_counts_by_what_the_runtime_tells() {
    let Some(objects) = objects() else { return };
    let adapter = std::fs::read_to_string(deploy().join("kubernetes/prometheus-adapter.yaml")).unwrap();
    let made = adapter.lines().find_map(|line| line.trim().strip_prefix("as: ")).unwrap();
    let mut scalers = each(objects, "HorizontalPodAutoscaler").peekable();
    assert!(scalers.peek().is_some());
    for (source, scaler, _) in scalers {
        assert_eq!(scaler["spec"]["metrics"][0]["pods"]["metric"]["name"], made, "{source}");
    }
    let mut named = figures_named(&deploy().join("kubernetes"));
    named.extend(figures_named(&deploy().join("helm")));
    assert!(named.remove(made) && !named.is_empty(), "{named:?}");

    let (mut runtime, _, web) = as_in_a_pod(objects);
    let endpoint = &of_whole_chart(objects, "ServiceMonitor")["spec"]["endpoints"][0];
    runtime.until("the figures", || {
        let answer = scrape(web, endpoint, TOKEN).filter(|answer| answer.status == 200)?;
        let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
        let told: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
        named.iter().all(|name| told.contains(name.as_str())).then_some(())
    });
    assert_eq!(scrape(web, endpoint, "another").map(|answer| answer.status), Some(401));
    runtime.signal(support::signals::INT);
    runtime.ends_with(0);
}

/// What Kubernetes keeps of the log of a container that has failed, as its message: 80 lines or 2048 bytes, whichever is less.
fn message(log: &str) -> String {
    let bytes = &log.as_bytes()[log.len().saturating_sub(2048)..];
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

#[test]
fn the_end_of_the_log_says_why_a_container_ended() {
    let script = "for i in $(seq 200); do echo busy >&2; done; echo 'fatal: no database' >&2; exit 3";
    let cases: [(&[&str], u8, &[&str]); 4] = [
        (&["-i", "1", "--max-restarts", "3", "sh", "-c", script], 3, &["fatal: no database", "giving it up"]),
        (
            &["--no-autorestart", "-i", "2", "sh", "-c", script],
            3,
            &["fatal: no database", "exited with code 3"],
        ),
        (&["--kill-timeout", "soon", "node", "server.js"], 2, &["--kill-timeout", "found `soon`"]),
        (&["no-such-program"], 127, &["no-such-program"]),
    ];
    for (words, status, parts) in cases {
        let mut runtime = Launch::new(words).spawn();
        runtime.ends_with(status.into());
        let message = message(&runtime.stderr.text());
        assert!(parts.iter().all(|part| message.contains(part)), "{words:?}:\n{message}");
    }
    let Some(objects) = objects() else { return };
    for (source, deployment, _) in each(objects, "Deployment") {
        let policy = &container(deployment)["terminationMessagePolicy"];
        assert_eq!(policy, "FallbackToLogsOnError", "{source}");
    }
}
