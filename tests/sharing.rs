//! Unmodified servers of many kinds run as a cluster of workers on one port.

mod support;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::cluster::{answering_pids, http_pids, pid_in};
use support::fixtures::{certificate, compiled, fixture, tool};
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, processes, signals, words};

/// Four workers of `command`, the port in PORT; four processes answer over HTTP; SIGTERM ends them with status 0.
#[track_caller]
fn four_answer<S: AsRef<std::ffi::OsStr>>(command: impl IntoIterator<Item = S>) {
    let port = free_port();
    let mut runtime = Launch::new(command).port(port).workers(4).spawn();
    http_pids(&runtime, 4, port);
    runtime.stops();
}

/// A command as words.
fn words(program: impl Into<PathBuf>, rest: &[&str]) -> Vec<PathBuf> {
    std::iter::once(program.into()).chain(rest.iter().map(PathBuf::from)).collect()
}

fn node(version: &str, script: &str) -> Vec<PathBuf> {
    vec![tool(version), fixture(script)]
}

#[test]
fn node_18_with_a_commonjs_server() {
    four_answer(node("node18", "node/server.js"));
}

#[test]
fn node_20_with_a_commonjs_server() {
    four_answer(node("node20", "node/server.js"));
}

#[test]
fn node_22_with_a_commonjs_server() {
    four_answer(node("node22", "node/server.js"));
}

#[test]
fn node_24_with_a_commonjs_server() {
    four_answer(node("node24", "node/server.js"));
}

#[test]
fn node_18_with_a_module() {
    four_answer(node("node18", "node/server.mjs"));
}

#[test]
fn node_20_with_a_module() {
    four_answer(node("node20", "node/server.mjs"));
}

#[test]
fn node_22_with_a_module() {
    four_answer(node("node22", "node/server.mjs"));
}

#[test]
fn node_24_with_a_module() {
    four_answer(node("node24", "node/server.mjs"));
}

#[test]
fn bun() {
    four_answer(words(tool("bun"), &[fixture("bun/server.js").to_str().unwrap()]));
}

#[test]
fn deno() {
    let script = fixture("deno/server.js");
    four_answer(words(tool("deno"), &["run", "--allow-net", "--allow-env", script.to_str().unwrap()]));
}

#[test]
fn pythons_http_server() {
    four_answer([Path::new("python3"), &fixture("python/app.py")]);
}

#[test]
fn uvicorn() {
    let port = free_port();
    let app = fixture("python/asgi.py");
    let mut command = words(tool("uvicorn"), &["--host", "0.0.0.0", "--port", &port.to_string(), "asgi:app"]);
    command.extend(["--app-dir".into(), app.parent().unwrap().to_owned()]);
    let mut runtime = Launch::new(command).port(port).workers(4).spawn();
    http_pids(&runtime, 4, port);
    runtime.stops();
}

/// Each worker is a master with children of its own; WEB_CONCURRENCY=1 keeps it to one child.
#[test]
fn gunicorn_with_its_own_master() {
    let port = free_port();
    let app = fixture("python/wsgi.py");
    let mut command = words(tool("gunicorn"), &["--bind", &format!("0.0.0.0:{port}"), "wsgi:app"]);
    command.extend(["--chdir".into(), app.parent().unwrap().to_owned()]);
    let mut runtime = Launch::new(command).port(port).workers(4).spawn();
    let answering = http_pids(&runtime, 4, port);
    assert!(answering.is_disjoint(&runtime.workers()), "gunicorn's children are to answer, not its masters");
    runtime.stops();
}

#[test]
fn npm_start() {
    let port = free_port();
    let directory = fixture("npm/package.json").parent().unwrap().to_owned();
    let launch = Launch::new(["--no-resolve", "npm", "start"]).port(port).workers(4).directory(directory);
    let mut runtime = launch.spawn();
    http_pids(&runtime, 4, port);
    runtime.stops();
}

#[test]
fn a_shell_that_starts_node() {
    let script = format!("node {}; true", fixture("node/server.js").display());
    four_answer(["sh", "-c", &script]);
}

#[test]
fn a_static_binary_with_a_blocking_listener() {
    four_answer([compiled("blocking")]);
}

#[test]
fn a_static_binary_with_a_nonblocking_listener() {
    four_answer([compiled("epoll")]);
}

/// Asks by the Node client; gives one answer a line.
fn node_client(kind: &str, port: u16, count: usize) -> io::Result<String> {
    let mut command = Command::new(tool("node20"));
    command.arg(fixture("node/client.mjs")).args([kind, &port.to_string(), &count.to_string()]);
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Four processes answer the Node client.
#[track_caller]
fn node_client_sees_four(runtime: &Runtime, kind: &str, port: u16) {
    runtime.until("a first answer", || node_client(kind, port, 1).ok());
    let seen: BTreeSet<i32> = runtime.until("answers of four", || {
        let answers = node_client(kind, port, 40).unwrap_or_else(|error| runtime.fail(&error.to_string()));
        let seen: BTreeSet<i32> = answers.lines().filter_map(pid_in).collect();
        (seen.len() >= 4).then_some(seen)
    });
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn https() {
    let port = free_port();
    let launch = Launch::new(node("node20", "node/https.js")).port(port).workers(4);
    let (certificate, key) = certificate(launch.home());
    let mut runtime = launch.env("APP_CERT", certificate).env("APP_KEY", key).spawn();
    node_client_sees_four(&runtime, "https", port);
    runtime.stops();
}

#[test]
fn http2() {
    let port = free_port();
    let mut runtime = Launch::new(node("node20", "node/http2.js")).port(port).workers(4).spawn();
    node_client_sees_four(&runtime, "http2", port);
    runtime.stops();
}

fn greeting(port: u16) -> io::Result<String> {
    let mut text = String::new();
    http::connect(port)?.read_to_string(&mut text)?;
    if text.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(text) }
}

#[test]
fn plain_tcp() {
    let port = free_port();
    let mut runtime = Launch::new(node("node20", "node/net.js")).port(port).workers(4).spawn();
    answering_pids(&runtime, 4, || greeting(port));
    runtime.stops();
}

/// Sends a datagram from a new socket, again if no answer comes: datagrams may be lost.
fn datagram(port: u16) -> io::Result<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut buffer = [0; 256];
    let mut last = io::Error::other("never asked");
    for _ in 0..5 {
        match socket.send(b"?").and_then(|_| socket.recv(&mut buffer)) {
            Ok(count) => return Ok(String::from_utf8_lossy(&buffer[..count]).into_owned()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[test]
fn udp() {
    let port = free_port();
    let mut runtime = Launch::new(node("node20", "node/udp.js")).port(port).workers(4).spawn();
    answering_pids(&runtime, 4, || datagram(port));
    runtime.stops();
}

#[test]
fn workers_see_a_web_concurrency_of_one_where_there_are_several() {
    let port = free_port();
    let mut runtime = Launch::new(node("node20", "node/server.js")).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let answer = http::get(port, "/").unwrap();
    assert!(answer.contains("concurrency=1\n"), "{answer}");
    runtime.stops();
}

#[test]
fn node_is_a_cluster_worker_by_default_and_when_forced() {
    for forced in [&[][..], &["--share", "cluster"]] {
        let port = free_port();
        let words: Vec<_> =
            forced.iter().map(PathBuf::from).chain(node("node20", "node/server.js")).collect();
        let mut runtime = Launch::new(words).port(port).workers(2).spawn();
        http_pids(&runtime, 2, port);
        let answer = http::get(port, "/").unwrap();
        assert!(answer.contains("worker=true"), "{forced:?}: {answer}");
        runtime.stops();
    }
}

#[test]
fn interception_serves_every_node_version_too() {
    for version in ["node18", "node20", "node22", "node24"] {
        let port = free_port();
        let mut words = words("--share", &["intercept"]);
        words.extend(node(version, "node/server.js"));
        let mut runtime = Launch::new(words).port(port).workers(3).spawn();
        http_pids(&runtime, 3, port);
        let answer = http::get(port, "/").unwrap();
        assert!(answer.contains("worker=false"), "{version}: {answer}");
        runtime.stops();
    }
}

#[test]
fn activation_gives_the_socket_from_descriptor_3_on() {
    let port = free_port();
    let mut words = words("--share", &["activation", "python3"]);
    words.push(fixture("python/activation.py"));
    let mut runtime = Launch::new(words).port(port).workers(3).spawn();
    http_pids(&runtime, 3, port);
    runtime.stops();
}

#[test]
fn a_program_that_shares_by_itself_is_left_alone() {
    let port = free_port();
    let mut words = words("--share", &["reuseport", "python3"]);
    words.push(fixture("python/reuseport.py"));
    let mut runtime = Launch::new(words).port(port).workers(3).spawn();
    http_pids(&runtime, 3, port);
    runtime.stops();
}

#[test]
fn without_sharing_the_second_worker_finds_the_port_taken() {
    let port = free_port();
    let mut words = words("--share", &["none", "--restart-delay", "200ms"]);
    words.extend(node("node20", "node/server.js"));
    let runtime = Launch::new(words).port(port).workers(2).spawn();
    runtime.stderr_line(&["EADDRINUSE"]);
    http_pids(&runtime, 1, port);
    runtime.until_stderr("an own line about the end of a worker", |text| words::deaths(text).pop().map(drop));
}

#[test]
fn a_port_taken_by_a_stranger_is_told_and_ends_in_failure() {
    let stranger = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = stranger.local_addr().unwrap().port();
    for forced in ["cluster", "intercept"] {
        let mut words = words("--share", &[forced, "--max-restarts", "2", "--restart-delay", "100ms"]);
        words.extend(node("node20", "node/server.js"));
        let mut runtime = Launch::new(words).port(port).workers(2).spawn();
        let status = runtime.wait();
        assert_ne!(status, 0, "{forced}\n{}", runtime.tails());
        let stderr = runtime.stderr.text();
        let told = words::ours(&stderr).iter().any(|line| words::is_port_taken(line, port));
        assert!(told, "{forced}: nothing about the taken port {port}\n{}", runtime.tails());
    }
}

#[test]
fn a_worker_may_listen_on_two_ports() {
    for forced in ["cluster", "intercept"] {
        let (first, second) = (free_port(), free_port());
        let mut words = words("--share", &[forced]);
        words.extend(node("node20", "node/two-ports.js"));
        let launch = Launch::new(words).port(first).workers(3).env("APP_SECOND_PORT", second.to_string());
        let mut runtime = launch.spawn();
        let on_first = answering_pids(&runtime, 3, || expect_start(http::get(first, "/")?, "first"));
        let on_second = answering_pids(&runtime, 3, || expect_start(http::get(second, "/")?, "second"));
        assert_eq!(on_first, on_second, "{forced}");
        runtime.stops();
    }
}

fn expect_start(answer: String, start: &str) -> io::Result<String> {
    if answer.starts_with(start) { Ok(answer) } else { Err(io::Error::other(answer)) }
}

#[test]
fn a_unix_domain_socket_is_shared() {
    let node_server = node("node20", "node/unix.js");
    let python_server = words("python3", &[fixture("python/unix.py").to_str().unwrap()]);
    for command in [node_server, python_server] {
        let launch = Launch::new(command).workers(2);
        let socket = launch.home().join("app.sock");
        let mut runtime = launch.env("APP_SOCKET", &socket).spawn();
        answering_pids(&runtime, 2, || http::get_unix(&socket, "/"));
        runtime.stops();
    }
}

#[test]
fn udp_and_port_0_pass_through_interception() {
    let port = free_port();
    let mut words = words("--share", &["intercept", "-i", "1", "python3"]);
    words.push(fixture("python/udp.py"));
    let mut runtime = Launch::new(words).port(port).spawn();
    answering_pids(&runtime, 1, || datagram(port));
    runtime.stops();
}

/// A worker that does not accept is killed with -9 while connections wait in its queue: all are answered, save the one
/// that it was answering itself.
#[test]
fn connections_in_a_killed_workers_queue_are_answered() {
    for forced in ["cluster", "intercept"] {
        let port = free_port();
        let mut words = words("--share", &[forced, "--restart-delay", "300ms"]);
        words.extend(node("node20", "node/server.js"));
        let mut runtime = Launch::new(words).port(port).workers(2).spawn();
        http_pids(&runtime, 2, port);
        let mut blocking = http::Connection::open(port).unwrap();
        blocking.send("/block?ms=120000", "close").unwrap();
        let blocked = pid_in(&runtime.stdout_line("blocked pid=")).unwrap();
        let waiting: Vec<_> = (0..40)
            .map(|_| {
                let mut connection = http::Connection::open(port).unwrap();
                connection.send("/", "close").unwrap();
                connection
            })
            .collect();
        assert!(processes::signal(blocked, signals::KILL));
        for (number, mut connection) in waiting.into_iter().enumerate() {
            if let Err(error) = connection.receive() {
                runtime.fail(&format!("{forced}: waiting connection {number} of 40 got {error}"));
            }
        }
        runtime.stops();
    }
}

#[test]
fn a_killed_worker_under_load_costs_no_more_than_what_it_was_answering() {
    const CLIENTS: usize = 6;
    for forced in ["cluster", "intercept"] {
        let port = free_port();
        let mut words = words("--share", &[forced]);
        words.extend(node("node20", "node/server.js"));
        let mut runtime = Launch::new(words).port(port).workers(3).spawn();
        let victim = *http_pids(&runtime, 3, port).first().unwrap();
        let load = Load::begin(port, "/", CLIENTS);
        runtime.until("some load", || (load.answered() > 200).then_some(()));
        assert!(processes::signal(victim, signals::KILL));
        runtime.until_ready(4);
        let so_far = load.answered();
        runtime.until("load after the restart", || (load.answered() > so_far + 200).then_some(()));
        let errors = load.end();
        let refused = errors.iter().find(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        assert!(refused.is_none(), "{forced}: a connection was refused\n{}", runtime.tails());
        assert!(errors.len() <= CLIENTS, "{forced}: {} errors, like {:?}", errors.len(), errors.first());
        runtime.stops();
    }
}

/// The only worker dies and comes back after a second: who connects meanwhile waits and is answered.
#[test]
fn a_socket_outlives_its_worker() {
    let servers = [
        node("node20", "node/server.js"),
        words("python3", &[fixture("python/app.py").to_str().unwrap()]),
        vec![compiled("blocking")],
    ];
    for server in servers {
        let port = free_port();
        let mut words = words("-i", &["1", "--restart-delay", "1s"]);
        words.extend(server.clone());
        let mut runtime = Launch::new(words).port(port).spawn();
        let only = *http_pids(&runtime, 1, port).first().unwrap();
        assert!(processes::signal(only, signals::KILL));
        runtime.until("the worker's end", || (!processes::is_alive(only)).then_some(()));
        match http::get(port, "/") {
            Ok(answer) => assert_ne!(pid_in(&answer), Some(only)),
            Err(error) => runtime.fail(&format!("{server:?}: {error}")),
        }
        runtime.stops();
    }
}

/// It is in no group of ours, but it has the worker's filter: nobody else could answer its `bind`.
#[test]
fn a_daemon_that_a_worker_has_left_in_another_session_may_bind() {
    let (port, other) = (free_port(), free_port());
    let mut words = words("--share", &["intercept", "--restart-delay", "1h"]);
    words.extend(["python3".into(), fixture("python/daemon.py")]);
    let launch = Launch::new(words).port(port).workers(1).env("APP_DAEMON_PORT", other.to_string());
    let go = launch.home().join("go");
    let mut runtime = launch.env("APP_GO", &go).spawn();
    runtime.stdout_line("daemon pid=");
    runtime.until_stderr("an own line about the end of a worker", |text| words::deaths(text).pop().map(drop));
    std::fs::write(go, "").unwrap();
    runtime.stdout_line("daemon listens");
    runtime.signal(signals::TERM);
    runtime.wait();
}

/// It gets our socket like a server; when it has made a connection of it, the next one gets another.
#[test]
fn a_client_that_binds_its_own_port_can_connect_whenever_it_is_started_again() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = server.local_addr().unwrap().port().to_string();
    let accepting = std::thread::spawn(move || {
        for _ in 0..2 {
            drop(server.accept().unwrap());
        }
    });
    let mut words = words("--share", &["intercept", "--restart-delay", "100ms"]);
    words.extend(["python3".into(), fixture("python/client.py")]);
    let launch = Launch::new(words).port(free_port()).workers(1).env("APP_TARGET", target);
    let mut runtime = launch.env("APP_OWN_PORT", free_port().to_string()).spawn();
    runtime.until_stdout("two connections", |text| {
        assert!(!text.contains("failed"), "{text}");
        (text.matches("connected").count() == 2).then_some(())
    });
    accepting.join().unwrap();
    runtime.signal(signals::TERM);
    runtime.wait();
}

/// A sandbox of the app's own, such as a headless browser's: our socket would be a way out of it.
#[test]
fn a_process_in_a_network_of_its_own_is_left_alone() {
    let port = free_port();
    let flags = if processes::is_root() { "-n" } else { "-Urn" };
    let mut words = words("--share", &["intercept"]);
    words.extend(["unshare", flags, "python3"].map(Into::into));
    words.push(fixture("python/app.py"));
    let mut runtime = Launch::new(words).port(port).workers(2).spawn();
    runtime.until_stdout("two servers", |text| (text.matches("listening pid=").count() == 2).then_some(()));
    assert!(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok(), "the port is taken outside");
    runtime.stops();
}

/// As without us: else each would get a part of the connections that are meant for the other.
#[test]
fn two_programs_of_one_worker_cannot_take_the_same_port() {
    let port = free_port();
    let mut words = words("--share", &["intercept", "python3"]);
    words.push(fixture("python/rival.py"));
    let mut runtime = Launch::new(words).port(port).workers(2).spawn();
    runtime.until_stdout("what became of the rivals", |text| {
        let count = |part| text.matches(part).count();
        // Refused while the first has the port, served when it has closed it; in each worker.
        (count("rival refused: [Errno 98]") == 2 && count("rival listens") == 2).then_some(())
    });
    runtime.stops();
}
