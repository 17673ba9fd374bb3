//! Snapshots, profiles and reports of Node workers that serve.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use support::cluster::http_pids;
use support::control::pids;
use support::fixtures::{fixture, tool};
use support::http::{self, Connection};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::reports::serving;
use support::runtime::Runtime;
use support::updates::update;
use support::{processes, signals};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];
/// What `node/inside.js` has in it.
const CLASS: &str = "KeptForTheTest";
const FUNCTION: &str = "spendTheTestsTime";

fn launch(version: &str, workers: usize, port: u16) -> Launch {
    let words = ["--name".into(), "web".into(), tool(version), fixture("node/inside.js")];
    Launch::new(words).port(port).workers(workers)
}

/// What the answer to `POST /v1/apps/{path}` has in it, which is JSON whatever it is.
#[track_caller]
fn look(runtime: &Runtime, path: &str) -> Value {
    let reply = runtime.control().post(&format!("/v1/apps/{path}"));
    assert_eq!(reply.status, 200, "{path}: {:.500}", reply.json.to_string());
    reply.json
}

#[track_caller]
fn refused(runtime: &Runtime, path: &str, status: u16) -> String {
    runtime.control().post(&format!("/v1/apps/{path}")).error(status)
}

/// Begins to look, and says so once the worker has begun. Who asks waits on.
fn begin(runtime: &Runtime, path: &str) -> Connection<std::os::unix::net::UnixStream> {
    let mut connection = Connection::open_unix(runtime.control().socket()).expect("a connection");
    connection.send_request("POST", &format!("/v1/apps/{path}"), "", "").expect("sent");
    // One worker does one thing at a time.
    runtime.until("something under way", || {
        let reply = runtime.control().post("/v1/apps/web/report");
        (reply.json["error"]["code"] == "under_way").then_some(())
    });
    connection
}

/// Files of ours that lie in a directory.
fn ours(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    names.filter(|name| name.starts_with(".pmr-") || name.starts_with("pmr-order-")).collect()
}

/// What the worker `pid` finds beside its script, if it looks.
fn orders(pid: i32) -> Vec<String> {
    let order = format!("-{pid}.json");
    ours(Path::new("/dev/shm")).into_iter().filter(|name| name.ends_with(&order)).collect()
}

#[test]
fn a_worker_is_looked_into_whatever_node_it_is_and_however_many_there_are() {
    for version in VERSIONS {
        for workers in [1, 2] {
            let port = free_port();
            let mut runtime = serving(launch(version, workers, port), workers, port);
            let snapshot = look(&runtime, "web/snapshot");
            let strings = snapshot["strings"].as_array().expect("strings");
            assert!(strings.contains(&json!(CLASS)) && snapshot["nodes"].is_array(), "{version}");
            let profile = look(&runtime, "web/profile?seconds=1");
            let called = |node: &Value| node["callFrame"]["functionName"] == FUNCTION;
            assert!(profile["nodes"].as_array().expect("nodes").iter().any(called), "{version}: {profile}");
            let memory = look(&runtime, "web/profile?seconds=1&heap=true");
            assert!(memory["head"].is_object() && memory["samples"].is_array(), "{version}: {memory}");
            let report = look(&runtime, "web/report");
            assert!(
                report["header"]["nodejsVersion"].as_str().is_some_and(|it| it.starts_with('v')),
                "{report}"
            );
            assert_eq!(report["environmentVariables"], Value::Null, "{version}");
            runtime.stops();
        }
    }
}

#[test]
fn nothing_is_left_of_it_and_the_app_sees_nothing() {
    let scratch = tempfile::tempdir().expect("a directory");
    for version in VERSIONS {
        let port = free_port();
        let launch = launch(version, 1, port).env("TMPDIR", scratch.path());
        let mut runtime = serving(launch, 1, port);
        let pid = *pids(&runtime.control().app("web")).first().expect("a pid");
        let before = http::get(port, "/opened").expect("an answer");
        look(&runtime, "web/report");
        look(&runtime, "web/snapshot");
        assert_eq!(http::get(port, "/opened").expect("an answer"), before, "{version}");
        assert_eq!(ours(scratch.path()), [""; 0], "{version}");
        assert_eq!(orders(pid), [""; 0], "{version}");
        runtime.stops();
    }
}

#[test]
fn a_large_snapshot_does_not_pass_through_our_memory() {
    let port = free_port();
    let launch = launch("node22", 1, port).env("APP_KEEP_BYTES", "60000000");
    let mut runtime = serving(launch, 1, port);
    let most = || processes::status_kilobytes(runtime.pid(), "VmHWM").expect("a number");
    // Once before, so that what is needed anyhow is there.
    look(&runtime, "web/report");
    let before = most();
    let kept = tempfile::tempdir().expect("a directory");
    let file = kept.path().join("heap");
    let output = pmr(&runtime, &["snapshot", "web", "-o", file.to_str().expect("text")]);
    assert!(output.status.success(), "{output:?}");
    assert!(fs::metadata(&file).expect("a file").len() > 50_000_000);
    assert!(most() < before + 4096, "{before} kB before, {} kB after", most());
    runtime.stops();
}

#[test]
fn a_worker_from_before_an_update_is_looked_into() {
    for workers in [1, 2] {
        let port = free_port();
        let mut runtime = serving(launch("node22", workers, port), workers, port);
        update(&runtime);
        look(&runtime, "web/report");
        runtime.stops();
    }
}

#[test]
fn a_worker_of_another_user_is_looked_into() {
    if !processes::is_root() {
        processes::say_not_shown("only root can become another user");
        return;
    }
    let port = free_port();
    let words = ["--uid", "65432", "--gid", "65433", "--name", "web"].map(Into::into);
    let words = words.into_iter().chain([tool("node20"), fixture("node/inside.js")]);
    let launch = Launch::new(words).directory("/").port(port).workers(2);
    let mut runtime = serving(launch, 2, port);
    look(&runtime, "web/snapshot");
    look(&runtime, "1/report");
    runtime.stops();
}

#[test]
fn a_worker_does_one_thing_at_a_time_and_may_end_meanwhile() {
    let port = free_port();
    let mut runtime = serving(launch("node22", 1, port), 1, port);
    let pid = *pids(&runtime.control().app("web")).first().expect("a pid");
    let mut waiting = begin(&runtime, "web/profile?seconds=300");
    let said = refused(&runtime, "web/snapshot", 409);
    assert_eq!(
        said,
        format!(
            "under_way: worker {pid} of `web` is being looked into already (try again when that is done)"
        )
    );
    processes::signal(pid, signals::KILL);
    let response = waiting.receive().expect("an answer");
    let ended = format!("worker {pid} (`web`, instance 0) has ended before it was done");
    assert!(response.status == 409 && response.body.contains(&ended), "{response:?}");
    http_pids(&runtime, 1, port);
    look(&runtime, "web/report");
    runtime.stops();
}

#[test]
fn a_worker_that_does_not_hear_is_told_of() {
    let port = free_port();
    let mut runtime = serving(launch("node22", 1, port), 1, port);
    let pid = *pids(&runtime.control().app("web")).first().expect("a pid");
    processes::signal(pid, signals::STOP);
    let said = refused(&runtime, "web/report", 409);
    assert_eq!(orders(pid), [""; 0]);
    processes::signal(pid, signals::CONT);
    assert!(
        said.starts_with(&format!("no_answer: worker {pid} (`web`, instance 0) has not answered within 5 s")),
        "{said}"
    );
    runtime.until("the next one", || {
        (runtime.control().post("/v1/apps/web/report").status == 200).then_some(())
    });
    runtime.stops();
}

#[test]
fn who_cannot_be_looked_into_is_told_why() {
    let port = free_port();
    let launch = launch("node22", 2, port).env("PMR_AGENT", "false");
    let mut runtime = serving(launch, 2, port);
    let said = refused(&runtime, "web/snapshot", 409);
    assert!(said.starts_with("no_agent: the runtime's script is not in the workers of `web`"), "{said}");
    let control = runtime.control();
    let sleeper = control.add(&["sleep", "--name", "idle", "--", "1000"], runtime.home(), &[]).went_well();
    drop(sleeper);
    let said = refused(&runtime, "idle/profile", 409);
    assert!(said.starts_with("not_node: the runtime does not start `idle` as `node SCRIPT`"), "{said}");
    let said = refused(&runtime, "all/report", 409);
    assert_eq!(
        said,
        "refused: `all` means 2 apps, and one worker can be looked into at a time (name one, or an instance by its number)"
    );
    assert!(refused(&runtime, "wbe/report", 404).starts_with("unknown_target"));
    assert!(refused(&runtime, "web/profile?seconds=301", 400).starts_with("bad_request"));
    runtime.stops();
}

#[test]
fn a_stopped_app_is_not_looked_into() {
    let port = free_port();
    let mut runtime = serving(launch("node22", 1, port), 1, port);
    runtime.control().post("/v1/apps/web/stop").went_well();
    let said = refused(&runtime, "web/report", 409);
    assert_eq!(said, "not_serving: no worker of `web` that is meant serves at present (-)");
    runtime.stops();
}

/// What each of the files comes to where nothing can be written.
#[test]
fn a_full_disk_is_told_of_and_the_worker_lives_on() {
    let insight = concat!(env!("CARGO_MANIFEST_DIR"), "/src/handover/insight.cjs");
    let full = |what: &str| format!("{what} failed there is no space left for the file");
    for version in VERSIONS {
        let mut command = Command::new(tool(version));
        let command = command.arg(fixture("node/insight.js")).env("APP_INSIGHT", insight);
        let output = command.output().expect("it can be run");
        let said: Vec<String> =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{version}: {output:?}"));
        let missing = "report failed ENOENT: no such file or directory, open '/missing/file'";
        let expected = [
            "snapshot begun",
            &full("snapshot"),
            "second it is being looked into already",
            "cpu begun",
            &full("cpu"),
            "heap begun",
            &full("heap"),
            "report begun",
            &full("report"),
            missing,
        ];
        assert_eq!(said, expected, "{version}");
    }
}

fn pmr(runtime: &Runtime, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let home = runtime.home();
    let command = command.args(words).env_clear().env("PMR_HOME", home.join(".pmr")).current_dir(home);
    command.output().expect("it can be run")
}

#[test]
fn the_command_line_writes_files_and_overwrites_none() {
    let port = free_port();
    let mut runtime = serving(launch("node22", 2, port), 2, port);
    let output = pmr(&runtime, &["profile", "1", "--seconds", "1"]);
    let said = String::from_utf8(output.stdout).expect("text");
    let path = Path::new(said.trim_end());
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("web-1-2") && name.ends_with(".cpuprofile"), "{name}: {:?}", output.stderr);
    let profile: Value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
    assert!(profile["nodes"].is_array());
    assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600);
    let output = pmr(&runtime, &["report", "web", "-o", name]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && said.contains("it is never overwritten"), "{said}");
    let output = pmr(&runtime, &["report", "web", "-o", "-"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report["header"].is_object());
    let output = pmr(&runtime, &["snapshot", "wbe"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(1) && said.contains("did you mean `web`?"), "{said}");
    runtime.stops();
}
