//! Clients that hang, lie or do not read, while a worker floods: neither output nor reload suffers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::small;
use crate::support::cluster::http_pids;
use crate::support::control::{Control, pids};
use crate::support::fixtures::compiled;
use crate::support::http::Connection;
use crate::support::ports::free_port;
use crate::support::processes::{MARK, status_kilobytes};

const CROWD: usize = 100;
const LINES: usize = 1_000_000;
const LENGTH: usize = 100;
/// What the runtime's memory may grow by at most, in kB: the last lines of each app, and what is on its way to clients.
const GROWTH: u64 = 8 * 1024;

/// A crowd that does its worst, each in one of four ways.
fn crowd(control: &Control) -> Vec<UnixStream> {
    let requests: [&[u8]; 4] = [
        b"",
        b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n{\"words\": [",
        b"GET /v1/logs?follow HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    let begin = |number: usize| {
        let mut client = control.connect().ok()?;
        // There is no place for some.
        let _refused = client.write_all(requests[number % requests.len()]);
        Some(client)
    };
    (0..CROWD).filter_map(begin).collect()
}

/// Counts what is read from `source` in a thread.
fn counted(mut source: impl Read + Send + 'static) -> Arc<AtomicUsize> {
    let total = Arc::new(AtomicUsize::new(0));
    let sum = Arc::clone(&total);
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = source.read(&mut buffer) {
            sum.fetch_add(count, Ordering::Relaxed);
        }
    });
    total
}

#[test]
fn a_hostile_crowd_costs_neither_lines_nor_reloads() {
    let port = free_port();
    let mut runtime = small(port).stdout_for_test().spawn();
    let written = counted(runtime.take_stdout());
    let serving = http_pids(&runtime, 2, port);
    let control = runtime.control();
    let before = status_kilobytes(runtime.pid(), "VmHWM").unwrap();

    // Our own place among them.
    let mut ours = Connection::open_unix(control.socket()).unwrap();
    let worker = compiled("worker");
    let environment = std::fs::read(format!("/proc/{}/environ", runtime.pid())).unwrap();
    let wanted = format!("{MARK}=");
    let mark = environment.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(wanted.as_bytes()));
    let mark = String::from_utf8_lossy(mark.unwrap()).into_owned();
    let request = serde_json::json!({
        "words": [worker, "--name", "flood", "--", "flood-and-sleep", LINES.to_string(), LENGTH.to_string()],
        "directory": runtime.home(),
        "environment": [["WEB_CONCURRENCY", "1"], [MARK, mark]],
    });
    ours.send_request("POST", "/v1/apps", "", &request.to_string()).unwrap();
    let crowd = crowd(&control);
    let added = ours.receive().unwrap();
    assert_eq!(added.status, 200, "{added:?}");
    let mut ask = |method: &str, path: &str| {
        ours.send_request(method, path, "", "").unwrap();
        ours.receive().unwrap()
    };
    for _ in 0..10 {
        let response = ask("POST", "/v1/apps/fixture-epoll/reload");
        assert_eq!(response.status, 200, "{response:?}");
    }
    runtime
        .until("all that was written", || (written.load(Ordering::Relaxed) >= LINES * LENGTH).then_some(()));
    let response = ask("GET", "/v1/apps");
    let apps: Value = serde_json::from_str(&response.body).unwrap();
    let now = pids(&apps[0]);
    assert!(now.len() == 2 && now.is_disjoint(&serving), "{apps:#}");
    assert_eq!(apps[1]["instances"][0]["status"], "online", "{apps:#}");
    let after = status_kilobytes(runtime.pid(), "VmHWM").unwrap();
    assert!(after - before <= GROWTH, "{before} kB before, {after} kB after");
    crate::say(&format!("VmHWM {before} kB before a crowd, {after} kB after"));
    drop(crowd);
    runtime.until("a place for others", || (control.get("/v1/ping").status == 200).then_some(()));
    runtime.stops();
    assert_eq!(written.load(Ordering::Relaxed), LINES * LENGTH, "not a byte more or less");
}
