//! The update of the runtime in place: nobody notices but those who ask for its version.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::{Launch, binary};
use support::load::Load;
use support::ports::free_port;
use support::release::{stripped, succeed};
use support::runtime::Runtime;
use support::{http, processes, signals, updates, words};

const NODE: &str = "node20";

fn node_server() -> [PathBuf; 2] {
    [tool(NODE), fixture("node/server.js")]
}

/// Clients that ask again and again over one connection each, which must stay open.
struct KeepAlive {
    stop: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<io::Result<usize>>>,
    answered: Arc<AtomicUsize>,
}

impl KeepAlive {
    fn begin(port: u16, clients: usize) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut connection = Connection::open(port)?;
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    connection.get("/")?;
                    answered.fetch_add(1, Ordering::Relaxed);
                    count += 1;
                }
                Ok(count)
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, clients, answered }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn end(self, runtime: &Runtime) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            if let Err(error) = client.join().unwrap() {
                runtime.fail(&format!("a kept connection was lost: {error}"));
            }
        }
    }
}

/// Five updates under load: no request is lost, the processes stay who they are, and the stop is as ever.
#[track_caller]
fn five_updates_lose_nothing(launch: Launch, count: usize, keeps_alive: bool) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(count).spawn();
    let before = http_pids(&runtime, count, port);
    let children = processes::children(runtime.pid());
    let load = Load::begin(port, "/", 4);
    let kept = KeepAlive::begin(port, if keeps_alive { 4 } else { 0 });
    for _ in 0..5 {
        let so_far = (load.answered(), kept.answered());
        runtime.until("load", || {
            let more = load.answered() > so_far.0 + 50;
            (more && (!keeps_alive || kept.answered() > so_far.1 + 50)).then_some(())
        });
        updates::update(&runtime);
    }
    let so_far = load.answered();
    runtime.until("load after the updates", || (load.answered() > so_far + 50).then_some(()));
    kept.end(&runtime);
    let errors = load.end();
    if let Some(first) = errors.first() {
        runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
    }
    assert_eq!(http_pids(&runtime, count, port), before);
    assert_eq!(processes::children(runtime.pid()), children, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn a_node_cluster_goes_on_over_updates() {
    five_updates_lose_nothing(Launch::new(node_server()), 2, true);
}

#[test]
fn a_node_cluster_with_a_socket_for_each_instance_goes_on_over_updates() {
    five_updates_lose_nothing(Launch::new(node_server()).env("PMR_BALANCE", "even"), 2, true);
}

#[test]
fn a_python_server_goes_on_over_updates() {
    let command = ["python3".into(), fixture("python/app.py")];
    five_updates_lose_nothing(Launch::new(command).env("APP_SIGTERM", "drain"), 2, false);
}

#[test]
fn a_server_behind_a_shell_goes_on_over_updates_and_its_guard_too() {
    let script = format!("{} {} & wait", tool(NODE).display(), fixture("node/server.js").display());
    five_updates_lose_nothing(Launch::new(["sh", "-c", &script]), 2, true);
}

#[test]
fn npm_start_goes_on_over_updates() {
    let launch = Launch::new(["--no-resolve", "npm", "start"])
        .directory(fixture("npm/package.json").parent().unwrap());
    five_updates_lose_nothing(launch, 2, true);
}

#[test]
fn process_one_stays_process_one() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(2).process_one().spawn();
    let before = http_pids(&runtime, 2, port);
    for _ in 0..3 {
        updates::update(&runtime);
    }
    assert_eq!(updates::asked(&runtime, "/v1/runtime")["pid"], 1);
    assert_eq!(http_pids(&runtime, 2, port), before);
    runtime.stops();
}

/// All of an app that a client sees and that must not change.
fn lasting(runtime: &Runtime) -> Vec<(u64, u64, u64)> {
    let apps = updates::asked(runtime, "/v1/apps");
    let instances = apps[0]["instances"].as_array().unwrap().clone();
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    instances
        .iter()
        .map(|one| (number(&one["pid"]), number(&one["restarts"]), number(&one["uptime_ms"])))
        .collect()
}

#[test]
fn times_and_counters_go_on_and_so_do_restarts_reloads_and_the_death_signal() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(2).may_leave_processes().spawn();
    http_pids(&runtime, 2, port);
    // One has restarted, so there is a counter.
    let first = lasting(&runtime)[0].0;
    processes::signal(i32::try_from(first).unwrap(), signals::KILL);
    runtime.until_ready(3);
    let before = lasting(&runtime);
    updates::update(&runtime);
    let after = lasting(&runtime);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.0, before.1), (after.0, after.1));
        assert!(after.2 >= before.2, "{before:?} {after:?}");
    }
    runtime.stderr_line(&["updated in place"]);
    // A worker of the program before is replaced like any other, and the way to a socket is open to the new one.
    processes::signal(i32::try_from(after[1].0).unwrap(), signals::KILL);
    runtime.until_ready(4);
    let verdict = updates::order(&runtime, "/v1/apps/all/reload", "");
    assert_eq!(verdict["ok"], true, "{verdict}\n{}", runtime.tails());
    runtime.until("the end of the old workers", || (runtime.workers().len() == 2).then_some(()));
    let workers = http_pids(&runtime, 2, port);
    updates::update(&runtime);
    runtime.signal(signals::KILL);
    runtime.ends_with(128 + signals::KILL);
    runtime.until("the end of the workers", || {
        workers.iter().all(|&pid| !processes::is_alive(pid)).then_some(())
    });
}

#[test]
fn not_a_byte_of_a_workers_output_is_lost_torn_or_doubled() {
    let script =
        "i=0; while [ $i -lt 20000 ]; do echo line $i; echo error $i >&2; i=$((i+1)); done; sleep 60";
    let mut runtime = Launch::new(["-i", "1", "--name", "counter", "sh", "-c", script]).spawn();
    for round in 1..=5 {
        let line = format!("line {}\n", round * 500);
        runtime.until_stdout(&line, |text| text.contains(&line).then_some(()));
        updates::update(&runtime);
    }
    runtime.stdout_line("line 19999");
    runtime.stderr_line(&["error 19999"]);
    runtime.stops();
    let numbered = |text: &str, word: &str| {
        let numbers = text.lines().filter_map(|line| line.strip_prefix(word)?.parse::<usize>().ok());
        numbers.eq(0..20_000)
    };
    assert!(numbered(&runtime.stdout.text(), "line "), "{}", runtime.tails());
    assert!(numbered(&runtime.stderr.text(), "error "), "{}", runtime.tails());
}

#[test]
fn a_worker_that_dies_during_the_update_is_noticed_and_replaced() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    for round in 1..=5 {
        let (victim, ..) = lasting(&runtime)[0];
        let verdict = updates::ask(&runtime, None);
        processes::signal(i32::try_from(victim).unwrap(), signals::KILL);
        assert_eq!(verdict["ok"], true, "{verdict}");
        runtime.until_ready(2 + round);
        runtime.until("the new program", || (updates::count(&runtime) == round as u64).then_some(()));
    }
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn a_signal_during_the_update_is_not_lost() {
    for _ in 0..5 {
        let port = free_port();
        let mut runtime = Launch::new(node_server()).port(port).workers(2).spawn();
        http_pids(&runtime, 2, port);
        updates::ask(&runtime, None);
        runtime.stops();
    }
}

/// As npm does it: the old folder goes under another name, and is removed once the new one is in its place.
#[test]
fn a_package_whose_folder_was_renamed_and_replaced_is_updated() {
    let directory = tempfile::tempdir().unwrap();
    let [package, aside] = ["package", ".package-aside"].map(|name| directory.path().join(name));
    let own = package.join("pmr-runtime");
    // By another process: who forks while we have it open for writing would keep it from being executed.
    let put = || {
        fs::create_dir(&package).unwrap();
        succeed(Command::new("cp").arg(stripped()).arg(&own));
    };
    put();
    let port = free_port();
    let mut runtime = Launch::new(node_server()).binary(&own).port(port).workers(2).spawn();
    let before = http_pids(&runtime, 2, port);
    let load = Load::begin(port, "/", 4);
    // The second time by what the first has handed over.
    for _ in 0..2 {
        fs::rename(&package, &aside).unwrap();
        put();
        fs::remove_dir_all(&aside).unwrap();
        updates::update(&runtime);
        let executed = fs::read_link(format!("/proc/{}/exe", runtime.pid())).unwrap();
        assert!(executed.ends_with("package/pmr-runtime"), "{}", executed.display());
        let so_far = load.answered();
        runtime.until("load after the update", || (load.answered() > so_far + 50).then_some(()));
    }
    fs::rename(&package, &aside).unwrap();
    let refused = updates::ask(&runtime, None);
    let why = format!("started from `{}`, where there is no file now", own.display());
    assert!(refused["ok"] == false && refused["message"].as_str().unwrap().contains(&why), "{refused}");
    let lost = load.end();
    assert!(lost.is_empty(), "requests were lost: {lost:?}");
    assert_eq!(http_pids(&runtime, 2, port), before);
    runtime.stops();
}

fn script(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("candidate");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_candidate_that_cannot_take_over_changes_nothing_and_says_why() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(2).spawn();
    let before = http_pids(&runtime, 2, port);
    let directory = tempfile::tempdir().unwrap();
    let truncated = directory.path().join("truncated");
    let whole = fs::read(binary()).unwrap();
    fs::File::create(&truncated).unwrap().write_all(&whole[..whole.len() / 20]).unwrap();
    fs::set_permissions(&truncated, fs::Permissions::from_mode(0o755)).unwrap();
    let older = "#!/bin/sh\nexec sed 's/^{\"format\":[0-9]*/{\"format\":0/' | \"$PMR\" --upgrade-check\n";
    let older = older.replace("exec sed", "sed").replace("\"$PMR\"", &binary().display().to_string());
    let unknown = "#!/bin/sh\nsed 's/\"updates\":/\"of_tomorrow\":1,&/' | ".to_owned();
    let unknown = unknown + &binary().display().to_string() + " --upgrade-check\n";
    let refused = |path: &Path, why: &str| {
        let verdict = updates::ask(&runtime, Some(path));
        let message = verdict["message"].as_str().unwrap().to_owned();
        assert!(verdict["ok"] == false && message.contains(why), "{verdict}, not {why}");
    };
    refused(Path::new("/bin/false"), "it gave no answer");
    refused(Path::new("/nonexistent"), "cannot be looked at");
    refused(Path::new("/etc/passwd"), "is not executable");
    refused(Path::new("/tmp"), "is no file");
    refused(&truncated, "cannot");
    refused(&script(directory.path(), "#!/bin/sh\necho no thanks >&2\n"), "it says: no thanks");
    refused(&script(directory.path(), "#!/bin/sh\nexec sleep 60\n"), "no answer within 5 s");
    refused(&script(directory.path(), &older), "format 0, and this is version");
    refused(&script(directory.path(), &unknown), "`of_tomorrow`");
    // One that only says that it can take over, and is gone by then.
    let passes = "#!/bin/sh\necho ok 9.9.9\nrm \"$0\"\n";
    let verdict = updates::ask(&runtime, Some(&script(directory.path(), passes)));
    assert_eq!(verdict["ok"], true, "{verdict}");
    runtime.stderr_line(&["not updated, the old program goes on", "candidate` cannot be looked at"]);
    assert_eq!(updates::count(&runtime), 0);
    assert_eq!(http_pids(&runtime, 2, port), before);
    // And it can still be updated.
    updates::update(&runtime);
    assert_eq!(http_pids(&runtime, 2, port), before);
    runtime.stops();
}

/// Descriptors of the runtime, and its memory in kilobytes.
fn held(runtime: &Runtime) -> (usize, u64) {
    let pid = runtime.pid();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    (descriptors, processes::status_kilobytes(pid, "VmRSS").unwrap())
}

#[test]
fn fifty_updates_leave_descriptors_memory_and_zombies_where_they_were() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    updates::update(&runtime);
    let (descriptors, memory) = held(&runtime);
    for _ in 0..50 {
        updates::update(&runtime);
    }
    runtime.until("as many descriptors as before", || (held(&runtime).0 <= descriptors).then_some(()));
    let after = held(&runtime).1;
    assert!(after < memory + memory / 4, "{memory} kB before, {after} kB after");
    runtime.until("the end of the candidates", || (processes::zombies(runtime.pid()) == 0).then_some(()));
    runtime.stops();
}

#[test]
fn the_workers_do_not_see_what_was_said_to_the_new_program() {
    let port = free_port();
    let runtime = Launch::new(node_server()).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    updates::update(&runtime);
    runtime.signal(signals::HUP);
    runtime.until_stderr("the end of the reload", |text| {
        words::ours(text).iter().any(|line| words::is_reload_done(line)).then_some(())
    });
    runtime.until("the end of the old workers", || (runtime.workers().len() == 2).then_some(()));
    for pid in http_pids(&runtime, 2, port) {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains("PMR_HANDOVER"));
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let state = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        assert!(!state.map(|link| link.display().to_string()).any(|link| link.contains("pmr-state")));
    }
    let _ = http::get(port, "/");
}

/// Adds an app to a runtime in the background, with this PORT.
#[track_caller]
fn add(runtime: &Runtime, name: &str, port: &str, command: &[&Path]) {
    let words = [Path::new("--name"), Path::new(name), Path::new("-i"), Path::new("2")];
    let path = support::fixtures::search_path().into_string().unwrap();
    let body = serde_json::json!({
        "words": words.iter().chain(command).collect::<Vec<_>>(),
        "directory": runtime.home(),
        "environment": [["PORT", port], ["PATH", path], ["APP_SIGTERM", "drain"]],
    });
    let verdict = updates::order(runtime, "/v1/apps", &body.to_string());
    assert_eq!(verdict["ok"], true, "{verdict}\n{}", runtime.tails());
}

#[test]
fn in_the_background_two_apps_and_their_log_files_go_on() {
    let mut runtime = Launch::new(["daemon", ".pmr"]).spawn();
    assert_eq!(updates::count(&runtime), 0);
    let (node, python) = (free_port(), free_port());
    add(&runtime, "one", &node.to_string(), &[&fixture("node/server.js")]);
    add(&runtime, "two", &python.to_string(), &[&fixture("python/app.py")]);
    let both = || [http_pids(&runtime, 2, node), http_pids(&runtime, 2, python)];
    let before = both();
    let loads = [Load::begin(node, "/", 2), Load::begin(python, "/", 2)];
    for round in 1..=3 {
        updates::update(&runtime);
        add(&runtime, &format!("later-{round}"), "", &["sleep", "--", "60"].map(Path::new));
    }
    for load in loads {
        assert!(load.answered() > 0);
        assert!(load.end().is_empty());
    }
    assert_eq!(both(), before);
    http::get(node, "/slow?ms=1").unwrap();
    let log = runtime.home().join(".pmr/logs/one-out.log");
    runtime.until("a line in the log file", || {
        fs::read_to_string(&log).ok()?.contains("begin pid=").then_some(())
    });
    assert_eq!(fs::read_to_string(&log).unwrap().matches("listening pid=").count(), 2);
    let own = fs::read_to_string(runtime.home().join(".pmr/logs/pmr.log")).unwrap();
    assert_eq!(own.matches("updated in place").count(), 3, "{own}");
    updates::order(&runtime, "/v1/runtime/kill", "");
    runtime.ends_with(0);
}

#[test]
fn a_second_update_and_one_amid_an_order_are_refused() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(1).env("APP_BOOT_MS", "2000").spawn();
    http_pids(&runtime, 1, port);
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| updates::order(&runtime, "/v1/apps/all/reload", ""));
        let refused = runtime.until("the refusal", || {
            let reloading = updates::asked(&runtime, "/v1/apps")[0]["reloading"].is_u64();
            reloading.then(|| updates::ask(&runtime, None))
        });
        let message = refused["message"].as_str().unwrap();
        assert!(refused["ok"] == false && message.contains("still under way"), "{refused}");
        assert_eq!(reload.join().unwrap()["ok"], true);
    });
    let directory = tempfile::tempdir().unwrap();
    let slow = script(directory.path(), "#!/bin/sh\nread wait < \"$0.go\"\necho no\n");
    let gate = directory.path().join("candidate.go");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| updates::ask(&runtime, Some(&slow)));
        // Opens once the candidate does.
        let mut gate = fs::File::options().write(true).open(&gate).unwrap();
        let second = updates::ask(&runtime, None);
        assert!(second["message"].as_str().unwrap().contains("another update is under way"), "{second}");
        gate.write_all(b"go\n").unwrap();
        assert_eq!(first.join().unwrap()["ok"], false);
    });
    updates::update(&runtime);
    runtime.stops();
}

#[test]
fn the_verb_waits_for_the_new_program_and_fails_where_there_is_none() {
    let port = free_port();
    let mut runtime = Launch::new(node_server()).port(port).workers(1).spawn();
    http_pids(&runtime, 1, port);
    let pmr = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.env_clear().env("PMR_HOME", runtime.home().join(".pmr")).arg("update").args(words);
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(told).unwrap())
    };
    let (status, told) = pmr(&[]);
    assert!(status == 0 && told.contains("updated in place from version"), "{status}: {told}");
    assert_eq!(updates::count(&runtime), 1);
    let (status, told) = pmr(&["--executable", "/bin/false"]);
    assert!(status == 1 && told.contains("`/bin/false` cannot take over"), "{status}: {told}");
    runtime.stops();
}
