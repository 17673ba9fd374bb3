//! Workers that die abnormally: what is written down of it, and what counts as such.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;

use serde_json::{Value, json};

use support::cgroup::Cgroup;
use support::cluster::http_pids;
use support::control::text;
use support::fixtures::{compiled, fixture, tool};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::update;
use support::wait::DEADLINE;
use support::{http, processes, signals};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

fn node(version: &str, script: &str, workers: usize, port: u16) -> Launch {
    Launch::new([tool(version), fixture(script)]).port(port).workers(workers)
}

#[track_caller]
fn serving(launch: Launch, workers: usize, port: u16) -> Runtime {
    let runtime = launch.spawn();
    http_pids(&runtime, workers, port);
    runtime
}

fn crashes(runtime: &Runtime) -> Vec<Value> {
    let all = runtime.control().get("/v1/crashes");
    all.json.as_array().unwrap_or_else(|| panic!("{all:?}")).clone()
}

/// The newest crash, once it is as `wanted`, with all that was kept.
#[track_caller]
fn crash(runtime: &Runtime, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = runtime.until(what, || crashes(runtime).into_iter().next().filter(&wanted));
    runtime.control().get(&format!("/v1/crashes/{}", found["id"])).json
}

/// The record in the last line of JSON that tells of a crash.
#[track_caller]
fn told(stderr: &str) -> Value {
    let mut lines = stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.rfind(|line| line["event"] == "crash");
    line.unwrap_or_else(|| panic!("no crash in {stderr}"))["record"].clone()
}

/// Whether that worker is gone for good, with another in its place.
#[track_caller]
fn replaced(runtime: &Runtime, pid: i32, workers: usize, port: u16) {
    runtime.until("another worker", || (!runtime.workers().contains(&pid)).then_some(()));
    http_pids(runtime, workers, port);
}

#[test]
fn an_exit_is_written_down_with_the_last_lines_of_its_worker_and_counted() {
    let script = "echo starting; echo 'fatal: no database 17' >&2; exit 3";
    let words = ["-i", "1", "--restart-delay", "10ms", "--max-restarts", "1000", "sh", "-c", script];
    let mut runtime = Launch::new(words).spawn();
    let crash = crash(&runtime, "three crashes", |crash| crash["count"].as_u64() >= Some(3));
    assert_eq!((&crash["cause"], &crash["reason"]), (&json!("exit"), &json!("exit code 3")), "{crash:#}");
    assert_eq!(crash["summary"], "fatal: no database 17");
    let lines: Vec<&str> =
        crash["logs"].as_array().expect("lines").iter().map(|it| text(&it["text"])).collect();
    assert_eq!(lines, ["starting", "fatal: no database 17"]);
    assert_eq!((&crash["logs"][1]["stream"], &crash["logs"][1]["pid"]), (&json!("err"), &crash["pid"]));
    assert_eq!((&crash["command"][0], &crash["generation"]), (&json!("sh"), &json!(1)));
    assert!(crash["first_at_ms"].as_u64() < crash["at_ms"].as_u64(), "{crash:#}");
    let all = crashes(&runtime);
    assert!(all.iter().all(|one| one["fingerprint"] == crash["fingerprint"]), "{all:#?}");
    let last = runtime.control().app("all")["last_crash"].clone();
    assert_eq!((&last["cause"], &last["summary"]), (&crash["cause"], &crash["summary"]));
    runtime.stops();
}

#[test]
fn a_signal_is_written_down() {
    let script = "kill -SEGV $$";
    let mut runtime = Launch::new(["-i", "1", "--max-restarts", "1000", "sh", "-c", script]).spawn();
    let crash = crash(&runtime, "a crash", |_| true);
    assert_eq!((&crash["cause"], &crash["reason"]), (&json!("signal"), &json!("SIGSEGV")), "{crash:#}");
    runtime.stops();
}

#[test]
fn an_exception_is_written_down_with_its_stack() {
    for version in VERSIONS {
        for (script, workers) in [("node/crash.js", 1), ("node/crash.js", 2), ("node/crash.mjs", 1)] {
            let port = free_port();
            let mut runtime = serving(node(version, script, workers, port), workers, port);
            drop(http::get(port, "/throw"));
            let crash = crash(&runtime, "a crash", |_| true);
            assert_eq!(
                (&crash["cause"], &crash["reason"]),
                (&json!("exception"), &json!("exit code 1")),
                "{crash:#}"
            );
            assert_eq!(crash["exception"]["name"], "TypeError");
            let (summary, pid) = (text(&crash["summary"]), &crash["pid"]);
            assert_eq!(summary, format!("TypeError: no user {pid}"));
            let stack = text(&crash["exception"]["stack"]);
            assert!(stack.contains("explode (") && stack.contains(script), "{version}: {stack}");
            // Of another worker it is the same thing.
            http_pids(&runtime, workers, port);
            drop(http::get(port, "/throw"));
            let again = self::crash(&runtime, "another", |one| one["id"] == 2);
            assert_ne!(again["pid"], *pid);
            assert_eq!(
                (&again["fingerprint"], &again["count"]),
                (&crash["fingerprint"], &json!(2)),
                "{again:#}"
            );
            runtime.stops();
        }
    }
}

#[test]
fn what_was_rejected_or_is_no_error_is_an_exception_as_well() {
    for version in VERSIONS {
        for (path, name, message) in
            [("/reject", "RangeError", "a rejected thing"), ("/string", "Uncaught", "just words")]
        {
            let port = free_port();
            let mut runtime = serving(node(version, "node/crash.js", 1, port), 1, port);
            drop(http::get(port, path));
            let crash = crash(&runtime, "a crash", |_| true);
            let exception = &crash["exception"];
            assert_eq!(
                (&exception["name"], &exception["message"]),
                (&json!(name), &json!(message)),
                "{version}"
            );
            runtime.stops();
        }
    }
}

#[test]
fn without_our_script_the_last_error_says_most() {
    let port = free_port();
    let launch = node("node22", "node/crash.js", 1, port).env("PMR_AGENT", "false");
    let mut runtime = serving(launch, 1, port);
    drop(http::get(port, "/exit"));
    let crash = crash(&runtime, "a crash", |_| true);
    assert_eq!((&crash["cause"], &crash["summary"]), (&json!("exit"), &json!("fatal: no database")));
    assert!(crash["exception"].is_null(), "{crash:#}");
    runtime.signal(signals::TERM);
    runtime.wait();
}

#[test]
fn a_worker_that_stalls_is_written_down_once_and_not_for_its_end() {
    let port = free_port();
    let words = ["--kill-stalled".into(), "1s".into(), tool("node22"), fixture("node/block.js")];
    let mut runtime = serving(Launch::new(words).port(port).workers(1), 1, port);
    drop(http::get(port, "/block"));
    let crash = crash(&runtime, "a crash", |_| true);
    assert_eq!(
        (&crash["cause"], &crash["reason"]),
        (&json!("watchdog"), &json!("its event loop does not turn")),
        "{crash:#}"
    );
    let blocked = crash["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a pid");
    replaced(&runtime, blocked, 1, port);
    runtime.stderr_line(&["worker ended by SIGKILL", &format!("pid={blocked}")]);
    assert_eq!(crashes(&runtime).len(), 1);
    runtime.stops();
}

#[test]
fn the_kernels_kill_is_written_down_as_such() {
    let Some(group) = Cgroup::with_limit(64 << 20) else {
        processes::say_not_shown("no memory cgroup can be made here");
        return;
    };
    let words = ["-i", "1", "--max-restarts", "1", "--log-format", "json"].map(Into::into);
    let words = words.into_iter().chain([compiled("worker"), "memory".into()]);
    let mut runtime = Launch::new(words).through(group.enter()).spawn();
    runtime.ends_with(137);
    let record = told(&runtime.stderr.text());
    assert_eq!(
        (&record["cause"], &record["reason"]),
        (&json!("oom"), &json!("killed by the kernel: out of memory"))
    );
}

#[test]
fn what_cannot_be_started_is_told_of_as_json_before_the_end() {
    let mut runtime = Launch::new(["-i", "1", "--log-format", "json", "./nowhere"]).spawn();
    runtime.ends_with(127);
    let record = told(&runtime.stderr.text());
    assert_eq!((&record["cause"], &record["pid"]), (&json!("spawn"), &json!(null)), "{record:#}");
    assert!(text(&record["summary"]).contains("./nowhere"), "{record:#}");
}

#[test]
fn the_lines_for_people_say_it_once() {
    let words = ["-i", "1", "--max-restarts", "1", "sh", "-c", "echo 'no such thing' >&2; exit 3"];
    let mut runtime = Launch::new(words).spawn();
    runtime.ends_with(3);
    let stderr = runtime.stderr.text();
    assert!(!stderr.contains("crash 1"), "{stderr}");
    assert_eq!(stderr.matches("exited with code 3").count(), 1, "{stderr}");
}

#[test]
fn an_end_on_order_is_no_crash() {
    let port = free_port();
    let mut runtime = serving(node("node22", "node/crash.js", 2, port), 2, port);
    let control = runtime.control();
    for (path, body) in [
        ("reload", json!({})),
        ("reload", json!({ "strategy": "fleet" })),
        ("restart", json!({})),
        ("scale", json!({ "to": "1" })),
        ("stop", json!({})),
        ("start", json!({})),
    ] {
        let reply = control.order(&format!("/v1/apps/all/{path}"), &body);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
    }
    // A platform may signal every process.
    let worker = http_pids(&runtime, 1, port).into_iter().next().expect("a worker");
    processes::signal(worker, signals::TERM);
    replaced(&runtime, worker, 1, port);
    assert_eq!(crashes(&runtime), [] as [Value; 0], "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn an_update_keeps_what_was_written_down() {
    let port = free_port();
    let mut runtime = serving(node("node22", "node/crash.js", 1, port), 1, port);
    drop(http::get(port, "/throw"));
    let before = crash(&runtime, "a crash", |_| true);
    http_pids(&runtime, 1, port);
    update(&runtime);
    assert_eq!(runtime.control().get("/v1/crashes/1").json, before);
    drop(http::get(port, "/throw"));
    let after = crash(&runtime, "another crash", |one| one["id"] == 2);
    assert_eq!((&after["count"], &after["first_at_ms"]), (&json!(2), &before["at_ms"]), "{after:#}");
    runtime.stops();
}

/// What the command prints.
#[track_caller]
fn pmr(runtime: &Runtime, status: i32, words: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.args(words).env_clear().env("PMR_HOME", runtime.home().join(".pmr"));
    let output = command.output().expect("it can be run");
    assert_eq!(output.status.code(), Some(status), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text") + &String::from_utf8(output.stderr).expect("text")
}

#[test]
fn the_command_line_shows_them() {
    let port = free_port();
    let mut runtime = serving(node("node22", "node/crash.js", 1, port), 1, port);
    assert_eq!(pmr(&runtime, 0, &["crashes"]), "No worker has crashed.\n");
    drop(http::get(port, "/reject"));
    crash(&runtime, "a crash", |_| true);
    let list = pmr(&runtime, 0, &["crashes"]);
    assert!(list.contains("│ exception │ RangeError: a rejected thing │   1× │"), "{list}");
    let detail = pmr(&runtime, 0, &["crashes", "1"]);
    assert!(detail.contains("\n  summary      RangeError: a rejected thing\n"), "{detail}");
    assert!(detail.contains("\nException\n  RangeError: a rejected thing\n      at "), "{detail}");
    let json: Value = serde_json::from_str(&pmr(&runtime, 0, &["crashes", "1", "--json"])).expect("JSON");
    assert_eq!(json["id"], 1);
    assert!(pmr(&runtime, 1, &["crashes", "2"]).contains("there is no crash 2"));
    let show = pmr(&runtime, 0, &["show", "all"]);
    assert!(show.contains("ago in instance 0: RangeError: a rejected thing (`pmr crashes 1`)"), "{show}");
    runtime.stops();
}

/// A server that takes reports: each by its body, as JSON.
struct Hook {
    url: String,
    reports: mpsc::Receiver<Value>,
}

impl Hook {
    #[track_caller]
    fn open(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/crashes", listener.local_addr().expect("an address"));
        let (sender, reports) = mpsc::channel();
        // It ends with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(report) = stream.ok().and_then(|stream| take(stream, status)) else { continue };
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Self { url, reports }
    }

    #[track_caller]
    fn next(&self, runtime: &Runtime) -> Value {
        self.reports.recv_timeout(DEADLINE).unwrap_or_else(|_| runtime.fail("no report came"))
    }
}

/// The body of a POST to `/crashes`, which is answered with `status`.
fn take(mut stream: TcpStream, status: &str) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut line, mut length, mut is_post) = (String::new(), 0, false);
    while reader.read_line(&mut line).ok()? > 2 {
        let lower = line.to_ascii_lowercase();
        is_post |= lower.starts_with("post /crashes http/1.1");
        if let Some(number) = lower.strip_prefix("content-length:") {
            length = number.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    is_post.then(|| serde_json::from_slice(&body).ok())?
}

#[test]
fn a_server_is_told_once_and_of_the_repeats_at_the_end() {
    let hook = Hook::open("204 No Content");
    let script = "echo 'fatal: no database' >&2; exit 3";
    let options = ["-i", "1", "--restart-delay", "10ms", "--max-restarts", "5", "--on-crash"];
    let words = options.into_iter().chain([hook.url.as_str(), "sh", "-c", script]);
    let mut runtime = Launch::new(words).spawn();
    let first = hook.next(&runtime);
    assert_eq!((&first["id"], &first["count"], &first["cause"]), (&json!(1), &json!(1), &json!("exit")));
    assert_eq!(first["logs"][0]["text"], "fatal: no database");
    // The runtime ends with its only app, and tells of the last crash before.
    let last = hook.next(&runtime);
    assert_eq!((&last["count"], &last["fingerprint"]), (&json!(5), &first["fingerprint"]));
    runtime.ends_with(3);
    assert!(hook.reports.try_recv().is_err(), "there were more");
}

#[test]
fn a_command_gets_the_report_on_its_input() {
    let port = free_port();
    let command = r#"printf '%s %s %s ' "$PMR_CRASH_ID" "$PMR_CRASH_APP" "$PMR_CRASH_CAUSE"; cat; echo"#;
    let launch = node("node22", "node/crash.js", 1, port).env("PMR_ON_CRASH", command);
    let mut runtime = serving(launch, 1, port);
    drop(http::get(port, "/reject"));
    let line = runtime.stdout_line("1 crash exception {");
    let (_, json) = line.split_once("exception ").expect("the report");
    let report: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(report["summary"], "RangeError: a rejected thing");
    assert_eq!(report, runtime.control().get("/v1/crashes/1").json);
    runtime.stops();
}

#[test]
fn a_report_that_does_not_arrive_is_sent_again_told_of_once_and_holds_nothing_up() {
    let hook = Hook::open("503 Service Unavailable");
    let port = free_port();
    let launch = node("node22", "node/crash.js", 1, port).env("PMR_ON_CRASH", &hook.url);
    let mut runtime = serving(launch, 1, port);
    for (number, path) in [(1, "/reject"), (2, "/string")] {
        drop(http::get(port, path));
        // One that came before may come again meanwhile.
        while hook.next(&runtime)["id"] != number {}
        http_pids(&runtime, 1, port);
    }
    let again = hook.next(&runtime);
    assert!(again["id"] == 1 || again["id"] == 2, "{again:#}");
    let line = runtime.stderr_line(&["the report on a crash has not arrived (`--on-crash`): status 503"]);
    runtime.stops();
    assert_eq!(runtime.stderr.text().matches("has not arrived").count(), 1, "{line}");
}

#[test]
fn an_update_delivers_anew_what_was_under_way() {
    let port = free_port();
    // The first one hangs; it is ended with the program that has begun it.
    let command =
        "cat > /dev/null; echo begun $PMR_CRASH_ID; test -e begun || { touch begun; exec sleep 1000; }";
    let launch = node("node22", "node/crash.js", 1, port).env("PMR_ON_CRASH", command);
    let mut runtime = serving(launch, 1, port);
    drop(http::get(port, "/reject"));
    runtime.stdout_line("begun 1");
    http_pids(&runtime, 1, port);
    update(&runtime);
    runtime.until_stdout("the report again", |text| (text.matches("begun 1").count() == 2).then_some(()));
    runtime.stops();
}

#[test]
fn a_server_that_wants_tls_is_refused_with_the_way_to_it() {
    let mut runtime = Launch::new(["--on-crash", "https://example.com/", "sh", "-c", "exit 0"]).spawn();
    runtime.ends_with(2);
    let stderr = runtime.stderr.text();
    assert!(stderr.contains("--on-crash") && stderr.contains("curl -sS --json @- https://"), "{stderr}");
}

#[test]
fn the_figures_of_the_minute_before_are_kept_where_somebody_is_told() {
    let hook = Hook::open("200 OK");
    let port = free_port();
    let launch = node("node22", "node/crash.js", 1, port).env("PMR_ON_CRASH", &hook.url);
    let mut runtime = serving(launch, 1, port);
    let control = runtime.control();
    let has_memory = |columns: &Value| {
        columns["memory_bytes"].as_array().is_some_and(|values| values.iter().any(Value::is_number))
    };
    runtime.until("a figure", || has_memory(&control.get("/v1/history").json["series"][0]).then_some(()));
    drop(http::get(port, "/reject"));
    let report = hook.next(&runtime);
    assert!(has_memory(&report["figures"]), "{report:#}");
    assert_eq!(report["figures"]["step_ms"], 1000);
    update(&runtime);
    assert_eq!(control.get("/v1/crashes/1").json["figures"], report["figures"]);
    runtime.stops();
}
