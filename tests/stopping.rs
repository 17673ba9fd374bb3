//! Stopping: every request that is being answered is answered; then we end, and soon.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::ffi::OsString;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use support::cluster::{http_pids, pid_in};
use support::fixtures::{compiled, fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals, words};

type Answer = std::io::Result<String>;

/// Asks for an answer that takes 2 s until each of `count` workers is at work on one; gives the clients.
#[track_caller]
fn keep_busy(runtime: &Runtime, port: u16, count: usize) -> Vec<JoinHandle<Answer>> {
    let mut clients = Vec::new();
    runtime.until("every worker at work", || {
        clients.push(std::thread::spawn(move || http::get(port, "/slow?ms=2000")));
        let text = runtime.stdout.text();
        let busy: std::collections::BTreeSet<_> =
            text.lines().filter(|line| line.contains("begin pid=")).filter_map(pid_in).collect();
        (busy.len() >= count).then_some(())
    });
    // All have connected and been taken on before the stop, else a late one would be refused, and rightly.
    runtime.until("all clients being served", || {
        (runtime.stdout.text().matches("begin pid=").count() == clients.len()).then_some(())
    });
    clients
}

#[track_caller]
fn all_answered(runtime: &Runtime, clients: Vec<JoinHandle<Answer>>) {
    for client in clients {
        if let Err(error) = client.join().unwrap() {
            runtime.fail(&format!("a request was lost: {error}"));
        }
    }
}

/// Four workers of `launch`'s command, each at work; SIGTERM; all answers come, and the end is good.
#[track_caller]
fn drains(launch: Launch) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(4).spawn();
    http_pids(&runtime, 4, port);
    let clients = keep_busy(&runtime, port, 4);
    runtime.signal(signals::TERM);
    all_answered(&runtime, clients);
    runtime.ends_with(0);
}

fn node_server() -> Launch {
    Launch::new([tool("node20"), fixture("node/server.js")])
}

#[test]
fn node_without_a_handler_finishes_its_answers() {
    drains(node_server());
}

#[test]
fn every_node_version_without_a_handler_finishes_its_answers() {
    for version in ["node18", "node22", "node24"] {
        drains(Launch::new([tool(version), fixture("node/server.js")]));
    }
}

#[test]
fn node_whose_handler_only_closes_its_server_finishes_and_ends() {
    drains(node_server().env("APP_SIGTERM", "close"));
}

#[test]
fn node_whose_handler_exits_in_the_end_finishes() {
    drains(node_server().env("APP_SIGTERM", "exit"));
}

#[test]
fn node_whose_handler_leaves_the_cluster_finishes() {
    drains(node_server().env("APP_SIGTERM", "disconnect"));
}

#[test]
fn python_with_a_handler_finishes_its_answers() {
    let command: [PathBuf; 2] = ["python3".into(), fixture("python/app.py")];
    drains(Launch::new(command).env("APP_SIGTERM", "drain"));
}

#[test]
fn node_behind_a_shell_finishes_its_answers() {
    let script = format!("node {}; true", fixture("node/server.js").display());
    drains(Launch::new(["sh", "-c", &script]).env("APP_SIGTERM", "close"));
}

#[test]
fn node_started_by_npm_finishes_its_answers() {
    let directory = fixture("npm/package.json").parent().unwrap().to_owned();
    drains(Launch::new(["--no-resolve", "npm", "start"]).directory(directory).env("APP_SIGTERM", "close"));
}

/// Bare Node ends when its last timer is cleared. The cluster channel must not keep it.
#[test]
fn a_node_job_that_never_served_ends_when_its_work_is_done() {
    let launch = Launch::new([tool("node20"), fixture("node/job.js")]).port(free_port());
    let mut runtime = launch.spawn();
    runtime.until_stdout("a job at work", |text| text.contains("working").then_some(()));
    runtime.stops();
    let stderr = runtime.stderr.text();
    assert!(words::deaths(&stderr).iter().any(|line| line.contains("exited with code 0")), "{stderr}");
}

/// The protocol's farewell has two sides, and both may begin it: a worker must not stumble over that.
#[test]
fn stopped_node_workers_end_well() {
    for version in ["node18", "node20", "node22", "node24"] {
        for handler in ["", "close", "exit", "disconnect"] {
            for _ in 0..4 {
                let port = free_port();
                let launch =
                    Launch::new([tool(version), fixture("node/server.js")]).env("APP_SIGTERM", handler);
                let mut runtime = launch.port(port).workers(2).spawn();
                runtime.until_ready(2);
                runtime.stops();
                let stderr = runtime.stderr.text();
                let well =
                    words::deaths(&stderr).iter().filter(|line| line.contains("exited with code 0")).count();
                assert_eq!(well, 2, "{version}, handler `{handler}`\n{}", runtime.tails());
            }
        }
    }
}

#[test]
fn it_ends_soon_after_the_last_answer() {
    // A client that keeps its idle connection open for long must not hold anything up.
    let port = free_port();
    let mut runtime = node_server().port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let mut idle: Vec<_> = (0..10).map(|_| http::Connection::open(port).unwrap()).collect();
    for connection in &mut idle {
        assert_eq!(connection.get("/").unwrap().status, 200);
    }
    let clients = keep_busy(&runtime, port, 2);
    runtime.signal(signals::TERM);
    all_answered(&runtime, clients);
    // Far less than Node's own 5 s for idle connections, and far more than what is needed.
    let status = runtime.wait_for(Duration::from_secs(3));
    assert_eq!(status, 0, "{}", runtime.tails());
}

fn worker(options: &[&str], rest: &[&str]) -> Launch {
    let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
    words.push(compiled("worker").into());
    words.extend(rest.iter().map(OsString::from));
    Launch::new(words)
}

#[track_caller]
fn until_running(runtime: &Runtime, count: usize) {
    let what = format!("{count} running workers");
    runtime.until_stdout(&what, |text| (text.matches("ready pid=").count() >= count).then_some(()));
}

#[test]
fn a_worker_that_ignores_sigterm_is_killed_after_the_timeout() {
    let mut runtime = worker(&["-i", "2", "--kill-timeout", "300ms"], &["stubborn"]).spawn();
    until_running(&runtime, 2);
    runtime.signal(signals::TERM);
    runtime.ends_with(137);
    let stderr = runtime.stderr.text();
    assert!(words::ours(&stderr).iter().any(|line| line.contains("kill")), "{stderr}");
}

#[test]
fn a_second_int_or_quit_ends_it_at_once() {
    for number in [signals::INT, signals::QUIT] {
        let mut runtime = worker(&["-i", "2", "--kill-timeout", "10m"], &["stubborn"]).spawn();
        until_running(&runtime, 2);
        runtime.signal(number);
        runtime.until_stderr("the stop", |text| words::is_stopping(text).then_some(()));
        runtime.signal(number);
        runtime.ends_with(137);
    }
}

#[test]
fn a_repeated_sigterm_changes_nothing() {
    let port = free_port();
    let mut runtime = node_server().env("APP_SIGTERM", "close").port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let clients = keep_busy(&runtime, port, 2);
    for _ in 0..5 {
        runtime.signal(signals::TERM);
        runtime.until_stderr("the stop", |text| words::is_stopping(text).then_some(()));
    }
    all_answered(&runtime, clients);
    runtime.ends_with(0);
}

#[test]
fn the_signal_that_we_got_is_the_one_that_is_passed_on() {
    for number in [signals::TERM, signals::INT, signals::QUIT] {
        let mut runtime = worker(&["-i", "2"], &["signals-quit"]).spawn();
        until_running(&runtime, 2);
        runtime.signal(number);
        runtime.ends_with(0);
        let text = runtime.stdout.text();
        assert_eq!(text.matches(&format!("got {number} count=1 ")).count(), 2, "{text}");
        assert_eq!(text.matches("got ").count(), 2, "{text}");
    }
}

#[test]
fn kill_signal_names_the_signal_to_ask_with() {
    let mut runtime = worker(&["-i", "2", "--kill-signal", "SIGINT"], &["signals-quit"]).spawn();
    until_running(&runtime, 2);
    runtime.signal(signals::TERM);
    runtime.ends_with(0);
    let text = runtime.stdout.text();
    assert_eq!(text.matches(&format!("got {} count=1 ", signals::INT)).count(), 2, "{text}");
}

#[test]
fn it_can_be_stopped_while_workers_start() {
    let port = free_port();
    let mut runtime = node_server().env("APP_BOOT_MS", "600000").port(port).workers(2).spawn();
    runtime.until("both workers' start", || (runtime.workers().len() == 2).then_some(()));
    runtime.stops();
}

#[test]
fn it_can_be_stopped_while_it_waits_to_restart() {
    let mut runtime = worker(&["-i", "2", "--restart-delay", "10m"], &["exit", "3"]).spawn();
    runtime.until_stderr("two deaths", |text| (words::deaths(text).len() >= 2).then_some(()));
    runtime.stops();
}

/// Heroku's stop: SIGTERM to every process of the dyno, more than once.
#[test]
fn signalling_every_process_at_once_is_no_crash() {
    let script = format!("node {}", fixture("node/server.js").display());
    let launches = [
        node_server(),
        node_server().env("APP_SIGTERM", "close"),
        Launch::new(["sh", "-c", &script]),
        Launch::new([compiled("blocking")]),
    ];
    for launch in launches {
        let port = free_port();
        let mut runtime = launch.port(port).workers(3).env("DYNO", "web.1").spawn();
        http_pids(&runtime, 3, port);
        for _ in 0..2 {
            // Workers first: the worst order for a supervisor that takes their end for a crash.
            for pid in runtime.processes().into_iter().rev() {
                processes::signal(pid, signals::TERM);
            }
        }
        runtime.ends_with(0);
        let stderr = runtime.stderr.text();
        let restarted = words::ours(&stderr).iter().any(|line| words::is_restart(line));
        assert!(!restarted, "taken for a crash:\n{stderr}");
    }
}

/// Node's answers are finished even when the platform signals the workers too.
#[test]
fn a_broadcast_sigterm_loses_no_answer_of_node() {
    let port = free_port();
    let mut runtime = node_server().env("DYNO", "web.1").port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let clients = keep_busy(&runtime, port, 2);
    for pid in runtime.processes() {
        processes::signal(pid, signals::TERM);
    }
    all_answered(&runtime, clients);
    runtime.ends_with(0);
}

#[test]
fn what_a_stopped_worker_leaves_in_its_group_is_ended_too() {
    let script =
        format!("{} stubborn & {} sleep & wait", compiled("worker").display(), compiled("worker").display());
    let mut runtime = Launch::new(["-i", "1", "--kill-timeout", "500ms", "sh", "-c", &script]).spawn();
    until_running(&runtime, 2);
    runtime.signal(signals::TERM);
    let status = runtime.wait();
    assert!([0, 137].contains(&status), "{status}\n{}", runtime.tails());
    // Dropping the runtime requires that nobody is left.
}

#[test]
fn a_node_worker_is_told_by_a_message_where_that_is_wanted() {
    let script = "process.on('SIGTERM', () => console.log('signalled'));
        process.on('message', (message) => { console.log(`told ${message}`); process.exit(0); });
        require('http').createServer((_, response) => response.end(`pid=${process.pid}\\n`)).listen(process.env.PORT);";
    for workers in [1, 2] {
        let port = free_port();
        let words = ["--shutdown-with-message".into(), tool("node20").into(), OsString::from("told.js")];
        let launch = Launch::new(words).port(port).workers(workers);
        std::fs::write(launch.home().join("told.js"), script).unwrap();
        let mut runtime = launch.spawn();
        runtime.until_ready(workers);
        runtime.signal(signals::TERM);
        runtime.ends_with(0);
        let said = runtime.stdout.text();
        assert_eq!(
            (said.matches("told shutdown").count(), said.matches("signalled").count()),
            (workers, 0),
            "{said}"
        );
    }
}

#[test]
fn without_treekill_the_first_process_alone_is_signalled() {
    let script = "trap 'echo first; exit 0' TERM; \"$0\" signals & wait";
    let words = ["-i", "1", "--no-treekill", "sh", "-c", script].map(OsString::from);
    let mut runtime = Launch::new(words.into_iter().chain([compiled("worker").into()])).spawn();
    runtime.until_ready(1);
    let child = runtime.until("the child", || {
        processes::children(runtime.workers().iter().next().copied()?).first().copied()
    });
    runtime.signal(signals::TERM);
    runtime.ends_with(0);
    let said = runtime.stdout.text();
    assert!(said.contains("first") && !said.contains("got 15"), "{said}");
    assert!(processes::is_alive(child), "{said}");
    processes::signal(child, signals::KILL);
}
