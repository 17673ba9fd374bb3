//! All the ways in which a Node program listens, with us as the primary of its cluster protocol.

mod support;

use std::io::Read;
use std::process::Command;

use support::cluster::{answering_pids, http_pids, pid_in};
use support::fixtures::{certificate, fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{http, signals, words};

const VERSIONS: [&str; 4] = ["node18", "node20", "node22", "node24"];

/// Two workers that listen as `options`, a JSON list, says.
#[track_caller]
fn listening(version: &str, port: u16, options: &str) -> Runtime {
    let launch = Launch::new([tool(version), fixture("node/listen.js")]).port(port).workers(2);
    launch.env("APP_LISTEN", options).spawn()
}

/// Waits until standard output has `count` lines with `part`.
#[track_caller]
fn until_said(runtime: &Runtime, part: &str, count: usize) {
    runtime.until_stdout(&format!("{count} times `{part}`"), |text| {
        (text.matches(part).count() >= count).then_some(())
    });
}

#[test]
fn a_port_with_any_kind_of_host() {
    for version in VERSIONS {
        for host in [
            "",
            r#","host":"0.0.0.0""#,
            r#","host":"127.0.0.1""#,
            r#","host":"localhost""#,
            r#","host":"::""#,
        ] {
            let port = free_port();
            let mut runtime = listening(version, port, &format!(r#"[{{"port":{port}{host}}}]"#));
            until_said(&runtime, "server 0 listens", 2);
            if host.contains("localhost") {
                // May be ::1 only, which our client does not ask.
                assert!(!runtime.stdout.text().contains("failed"), "{}", runtime.tails());
            } else {
                http_pids(&runtime, 2, port);
            }
            runtime.stops();
        }
    }
}

#[test]
fn port_0_gives_a_free_port() {
    let mut runtime = listening("node20", free_port(), r#"[{"port":0,"host":"127.0.0.1"}]"#);
    until_said(&runtime, "server 0 listens: 127.0.0.1 ", 2);
    let text = runtime.stdout.text();
    for port in text.lines().filter_map(|line| line.rsplit(' ').next()) {
        http::get(port.parse().unwrap(), "/").unwrap();
    }
    runtime.stops();
}

#[test]
fn the_same_port_twice_in_one_worker_is_taken() {
    for version in VERSIONS {
        let port = free_port();
        let mut runtime = listening(version, port, &format!(r#"[{{"port":{port}}},{{"port":{port}}}]"#));
        until_said(&runtime, "server 1 failed: EADDRINUSE", 2);
        let pids = answering_pids(&runtime, 2, || http::get(port, "/"));
        assert_eq!(pids.len(), 2);
        runtime.stops();
    }
}

/// `exclusive` goes past the protocol: where `bind` is intercepted beneath it, such a server is shared all the same.
#[test]
fn exclusive_is_shared_by_interception() {
    let port = free_port();
    let mut runtime = listening("node20", port, &format!(r#"[{{"port":{port},"exclusive":true}}]"#));
    until_said(&runtime, "server 0 listens", 2);
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn exclusive_is_refused_to_the_second_worker_by_the_protocol_alone() {
    let port = free_port();
    let command = ["--share".into(), "cluster".into(), tool("node20"), fixture("node/listen.js")];
    let launch = Launch::new(command).port(port).workers(2);
    let options = format!(r#"[{{"port":{port},"exclusive":true}}]"#);
    let mut runtime = launch.env("APP_LISTEN", options).spawn();
    until_said(&runtime, "server 0 listens", 1);
    until_said(&runtime, "server 0 failed: EADDRINUSE", 1);
    http_pids(&runtime, 1, port);
    runtime.stops();
}

#[test]
fn reuse_port_shares_by_itself() {
    let port = free_port();
    let mut runtime = listening("node24", port, &format!(r#"[{{"port":{port},"reusePort":true}}]"#));
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn a_server_may_close_and_listen_again() {
    for version in VERSIONS {
        let port = free_port();
        let launch = Launch::new([tool(version), fixture("node/relisten.js")]).port(port).workers(2);
        let mut runtime = launch.spawn();
        http_pids(&runtime, 2, port);
        for round in 1..=3 {
            http::get(port, "/again").unwrap();
            until_said(&runtime, "again pid=", round);
        }
        http_pids(&runtime, 2, port);
        runtime.stops();
    }
}

/// A session begun with one worker is taken up by every other: all have the same ticket keys.
#[test]
fn tls_sessions_are_resumed_across_workers() {
    let port = free_port();
    let launch = Launch::new([tool("node20"), fixture("node/https.js")]).port(port).workers(4);
    let (certificate, key) = certificate(launch.home());
    let mut runtime = launch.env("APP_CERT", certificate).env("APP_KEY", key).spawn();
    let session = runtime.home().join("session.pem");
    let ask = |option: &str| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-tls1_2", "-connect", &format!("127.0.0.1:{port}")]);
        command.arg(option).arg(&session).stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    runtime.until("a first session", || ask("-sess_out"));
    for _ in 0..30 {
        let text = ask("-sess_in").unwrap_or_else(|| runtime.fail("a TLS connection failed"));
        assert!(text.contains("Reused, "), "a session was not resumed:\n{text}");
    }
    runtime.stops();
}

/// A web socket cannot be drained; it must not hold up the stop for longer than the kill timeout.
#[test]
fn an_upgraded_connection_does_not_outlast_the_kill_timeout() {
    let port = free_port();
    let options = ["--kill-timeout", "1s"].map(Into::into);
    let command = [tool("node20"), fixture("node/upgrade.js")];
    let mut runtime = Launch::new(options.into_iter().chain(command)).port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    let mut socket = http::connect(port).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n";
    std::io::Write::write_all(&mut socket, request).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    while pid_in(&String::from_utf8_lossy(&seen)).is_none() {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "hung up");
        seen.extend_from_slice(&buffer[..count]);
    }
    runtime.signal(signals::TERM);
    let status = runtime.wait();
    assert!([0, 137].contains(&status), "{status}\n{}", runtime.tails());
}

#[test]
fn with_wait_ready_a_worker_is_ready_when_it_says_so() {
    let port = free_port();
    let command = ["--wait-ready".into(), tool("node20"), fixture("node/messages.js")];
    let mut runtime = Launch::new(command).port(port).workers(2).env("APP_READY_MS", "700").spawn();
    until_said(&runtime, "listening", 2);
    runtime.until_ready(2);
    until_said(&runtime, "saying ready", 2);
    // It is said 700 ms after the start, so nobody can be ready earlier.
    let stderr = runtime.stderr.text();
    let early = |line: &&str| {
        let after = line.split("after=").nth(1).and_then(|rest| rest.strip_suffix("ms"));
        after.and_then(|millis| millis.parse::<u32>().ok()).is_some_and(|millis| millis < 700)
    };
    assert_eq!(stderr.lines().find(early), None, "ready before it was said");
    runtime.stops();
}

#[test]
fn a_message_of_a_megabyte_does_no_harm() {
    for version in VERSIONS {
        let port = free_port();
        let launch = Launch::new([tool(version), fixture("node/messages.js")]).port(port).workers(2);
        let mut runtime = launch.env("APP_MESSAGE_BYTES", "1000000").spawn();
        http_pids(&runtime, 2, port);
        let stderr = runtime.stderr.text();
        assert!(words::deaths(&stderr).is_empty(), "{stderr}");
        runtime.stops();
    }
}

#[test]
fn thousands_of_connections_in_a_row_are_all_answered() {
    let port = free_port();
    let mut runtime = Launch::new([tool("node20"), fixture("node/net.js")]).port(port).workers(2).spawn();
    let greeting = || {
        let mut text = String::new();
        http::connect(port)?.read_to_string(&mut text)?;
        std::io::Result::Ok(text)
    };
    answering_pids(&runtime, 2, greeting);
    for number in 0..3_000 {
        match greeting() {
            Ok(text) if pid_in(&text).is_some() => {}
            other => runtime.fail(&format!("connection {number}: {other:?}")),
        }
    }
    runtime.stops();
}
