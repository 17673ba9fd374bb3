//! `--balance`: who gets a new connection, and what becomes of those that wait behind a worker that does not accept.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use support::cluster::{http_pids, pid_in};
use support::control::Control;
use support::fixtures::{fixture, tool};
use support::http::Connection;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals, words};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];
/// Longer than any test waits.
const FOR_EVER: &str = "/block?ms=1000000000";

fn node(version: &str, balance: &str) -> Launch {
    Launch::new([tool(version), fixture("node/server.js")]).env("PMR_BALANCE", balance)
}

fn python(balance: &str) -> Launch {
    Launch::new(["python3".into(), fixture("python/app.py")]).env("PMR_BALANCE", balance)
}

/// The number of the instance that a worker fills.
fn instance_of(pid: i32) -> u32 {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let variables = environment.split(|&byte| byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    let mut numbers = variables.filter_map(|entry| entry.strip_prefix("PMR_INSTANCE="));
    numbers.next().unwrap().parse().unwrap()
}

/// How many of eight connections, opened one after another and kept, each worker has. Each question over the control socket
/// is answered after what has happened before.
fn spread(control: &Control, port: u16) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    let mut kept = Vec::new();
    for _ in 0..8 {
        let mut connection = Connection::open(port).unwrap();
        let pid = pid_in(&connection.get("/").unwrap().body).unwrap();
        *counts.entry(pid).or_insert(0) += 1;
        kept.push(connection);
        control.apps();
    }
    counts.into_values().collect()
}

#[test]
fn eight_connections_that_are_kept_are_even_over_four_instances() {
    for version in ["node18", "node24"] {
        let port = free_port();
        let mut runtime = node(version, "even").port(port).workers(4).spawn();
        http_pids(&runtime, 4, port);
        let control = runtime.control();
        // A machine whose other programs keep many connections looks less often.
        runtime.until("an even spread", || (spread(&control, port) == [2, 2, 2, 2]).then_some(()));
        assert_eq!(control.app("server")["balance"], "even");
        runtime.stops();
    }
}

/// Asks from another address of the loopback, and gives the answering process.
fn ask_from(number: u8, port: u16) -> Option<i32> {
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 0, 7, number), 0);
    bind(client.as_raw_fd(), &SockaddrIn::from(from)).unwrap();
    connect(client.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))).ok()?;
    let mut client = TcpStream::from(client);
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).ok()?;
    pid_in(&answer)
}

#[track_caller]
fn homes(runtime: &Runtime, port: u16) -> Vec<u32> {
    let home = |number| match ask_from(number, port) {
        Some(pid) => instance_of(pid),
        None => runtime.fail(&format!("client {number} was not answered")),
    };
    (1..=16).map(home).collect()
}

#[track_caller]
fn sticks(launch: Launch) {
    let port = free_port();
    let mut runtime = launch.port(port).workers(3).spawn();
    runtime.until_ready(3);
    let before = homes(&runtime, port);
    assert_eq!(homes(&runtime, port), before);
    assert!(before.iter().collect::<BTreeSet<_>>().len() > 1, "{before:?}");
    runtime.signal(signals::HUP);
    runtime.until_stderr("the end of the reload", |text| {
        words::ours(text).iter().any(|line| words::is_reload_done(line)).then_some(())
    });
    runtime.until("three workers", || (runtime.workers().len() == 3).then_some(()));
    assert_eq!(homes(&runtime, port), before);
    runtime.stops();
}

#[test]
fn a_sticky_client_keeps_its_instance_over_a_reload() {
    sticks(node("node20", "sticky"));
    sticks(python("sticky"));
}

/// Has one worker blocked for ever, and gives its process and the connection that it owes an answer to.
#[track_caller]
fn blocked(runtime: &Runtime, port: u16) -> (i32, TcpStream) {
    let mut blocked = http::connect(port).unwrap();
    blocked.write_all(format!("GET {FOR_EVER} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let line = runtime.stdout_line("blocked pid=");
    (pid_in(&line).unwrap(), blocked)
}

/// Opens so many connections at once, each with a question.
fn crowd(port: u16) -> Vec<Connection<TcpStream>> {
    let mut crowd: Vec<_> = (0..40).map(|_| Connection::open(port).unwrap()).collect();
    for connection in &mut crowd {
        connection.send("/", "close").unwrap();
    }
    crowd
}

#[track_caller]
fn all_answered(runtime: &Runtime, crowd: Vec<Connection<TcpStream>>, except: i32) {
    for mut connection in crowd {
        match connection.receive() {
            Ok(response) => assert_ne!(pid_in(&response.body), Some(except)),
            Err(error) => runtime.fail(&format!("a connection was not answered: {error}")),
        }
    }
}

/// A blocked worker ends by SIGKILL only.
fn kill_blocked(runtime: &mut Runtime, pid: i32, blocked: &TcpStream) {
    blocked.shutdown(Shutdown::Both).unwrap();
    processes::signal(pid, signals::KILL);
    runtime.stops();
}

#[test]
fn who_waits_behind_a_blocked_node_worker_is_served_by_others() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = node(version, "even").port(port).workers(3).spawn();
        http_pids(&runtime, 3, port);
        let (pid, blocked) = blocked(&runtime, port);
        let control = runtime.control();
        let avoided = || {
            let app = control.app("server");
            let away = app["instances"].as_array().unwrap().iter().find(|one| one["steered_away"] == true);
            away.map(|one| one["pid"].clone())
        };
        let found = runtime.until("a blocked worker that is avoided", || {
            all_answered(&runtime, crowd(port), pid);
            avoided()
        });
        assert_eq!(found, pid);
        kill_blocked(&mut runtime, pid, &blocked);
    }
}

#[test]
fn a_node_worker_that_is_free_again_gets_connections_again() {
    let port = free_port();
    let mut runtime = node("node22", "even").port(port).workers(2).spawn();
    let pids = http_pids(&runtime, 2, port);
    let mut asking = Connection::open(port).unwrap();
    asking.send("/block?ms=1000", "close").unwrap();
    let pid = pid_in(&runtime.stdout_line("blocked pid=")).unwrap();
    // Whether they are served meanwhile or afterwards: everybody is.
    for mut connection in crowd(port) {
        connection.receive().unwrap();
    }
    asking.receive().unwrap();
    runtime.until("an answer of the worker that was blocked", || {
        (pid_in(&http::get(port, "/").unwrap()) == Some(pid)).then_some(())
    });
    assert_eq!(http_pids(&runtime, 2, port), pids);
    runtime.stops();
}

/// It is no stall that they are rescued from: there is not one within this test.
#[test]
fn who_waits_behind_a_node_worker_that_dies_is_served_by_others() {
    let port = free_port();
    let launch = node("node20", "even").env("PMR_STALL_AFTER", "1h").env("PMR_RESTART_DELAY", "1h");
    let mut runtime = launch.port(port).workers(3).spawn();
    http_pids(&runtime, 3, port);
    let (pid, _blocked) = blocked(&runtime, port);
    let control = runtime.control();
    let waiting = || -> u64 {
        let app = control.app("server");
        app["listeners"].as_array().unwrap().iter().filter_map(|one| one["waiting"].as_u64()).sum()
    };
    let mut all = Vec::new();
    runtime.until("connections behind the blocked worker", || {
        all.extend(crowd(port));
        (waiting() > 0).then_some(())
    });
    processes::signal(pid, signals::KILL);
    all_answered(&runtime, all, pid);
    runtime.stops();
}

/// Its socket blocks when it binds it, and does not when it listens: so all share one queue.
#[test]
fn nobody_waits_behind_a_uvicorn_worker_that_does_not_accept() {
    let port = free_port();
    let app = fixture("python/asgi.py");
    let mut command = vec![tool("uvicorn"), "--port".into(), port.to_string().into(), "--app-dir".into()];
    command.extend([app.parent().unwrap().to_owned(), "asgi:app".into()]);
    let mut runtime = Launch::new(command).port(port).workers(3).spawn();
    let pids = http_pids(&runtime, 3, port);
    let &frozen = pids.first().unwrap();
    processes::signal(frozen, signals::STOP);
    all_answered(&runtime, crowd(port), frozen);
    processes::signal(frozen, signals::CONT);
    runtime.stops();
}

/// Where no connection can be handed on, new ones go elsewhere at least.
#[test]
fn a_blocked_worker_of_another_kind_gets_no_new_connections() {
    let port = free_port();
    let launch = python("shared").env("APP_SIGTERM", "drain").env("PMR_KILL_TIMEOUT", "1s");
    let mut runtime = launch.port(port).workers(2).spawn();
    let pids = http_pids(&runtime, 2, port);
    let &frozen = pids.first().unwrap();
    processes::signal(frozen, signals::STOP);
    let control = runtime.control();
    let mut kept = Vec::new();
    runtime.until("a stopped worker that is avoided", || {
        kept.extend((0..8).map(|_| http::connect(port).unwrap()));
        let app = control.app("app");
        let instances = app["instances"].as_array().unwrap();
        instances.iter().any(|one| one["pid"] == frozen && one["steered_away"] == true).then_some(())
    });
    for _ in 0..20 {
        assert_ne!(pid_in(&http::get(port, "/").unwrap()), Some(frozen));
    }
    drop(kept);
    processes::signal(frozen, signals::CONT);
    runtime.until("an answer of the worker that was stopped", || {
        (pid_in(&http::get(port, "/").unwrap()) == Some(frozen)).then_some(())
    });
    runtime.stops();
}

/// It accepts as before, so its queue does not show that anything is amiss.
#[test]
fn a_worker_whose_health_check_fails_gets_no_new_connections_until_it_is_well_again() {
    let port = free_port();
    let launch = python("shared").env("PMR_HEALTH", "cmd:test ! -e \"$APP_FLAG$PMR_INSTANCE\"");
    let flag = launch.home().join("ill");
    let launch = launch.env("APP_FLAG", &flag).env("PMR_HEALTH_INTERVAL", "100ms");
    let mut runtime = launch.env("PMR_HEALTH_RETRIES", "1").port(port).workers(2).spawn();
    let pids = http_pids(&runtime, 2, port);
    let &ill = pids.first().unwrap();
    let mark = format!("{}{}", flag.display(), instance_of(ill));
    fs::write(&mark, "").unwrap();
    let control = runtime.control();
    runtime.until("an unhealthy worker that is avoided", || {
        let app = control.app("app");
        let instances = app["instances"].as_array().unwrap();
        instances.iter().any(|one| one["pid"] == ill && one["steered_away"] == true).then_some(())
    });
    for _ in 0..20 {
        assert_ne!(pid_in(&http::get(port, "/").unwrap()), Some(ill));
    }
    fs::remove_file(mark).unwrap();
    runtime.until("an answer of the worker that was unhealthy", || {
        (pid_in(&http::get(port, "/").unwrap()) == Some(ill)).then_some(())
    });
    runtime.stops();
}
