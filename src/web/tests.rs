//! The server with a made-up driver behind it: who is answered what.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::{Options, Server, Token};
use crate::control::sample;
use crate::driver::handle::{self, DriverEnd, Question};
use crate::telemetry::Telemetry;

const TOKEN: &str = "0123456789abcdef";
const BEARER: &str = "Authorization: Bearer 0123456789abcdef\r\n";
/// After that a test has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// Knows one app, `web`, and no change.
async fn answer_questions(mut end: DriverEnd) {
    while let Some(question) = end.questions.recv().await {
        match question {
            Question::Apps { reply } => drop(reply.send(vec![sample(0, "web", 2)])),
            Question::Change { reply, .. } => drop(reply.send(Vec::new())),
            Question::Environment { reply, .. } => drop(reply.send(Some(Vec::new()))),
            Question::Reports { reply, .. } => drop(reply.send(Vec::new())),
            // Nobody hears of it.
            _ => {}
        }
    }
}

/// Runs a test against a server at `address`.
fn run(address: &str, token: Option<&str>, read_only: bool, test: impl AsyncFnOnce(SocketAddr)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (handle, end) = handle::handle();
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = Options {
            home: "/nowhere".into(),
            place: String::new(),
            events: handle.events(),
            telemetry: Telemetry::default(),
            token: token.map(|token| Token::new(token).unwrap()),
            read_only,
        };
        let _server = Server::start(listener, handle, options).unwrap();
        let driver = tokio::task::spawn_local(answer_questions(end));
        let test = test(SocketAddr::from(([127, 0, 0, 1], port)));
        tokio::time::timeout(LIMIT, test).await.expect("the test ends in time");
        driver.abort();
    });
}

/// Status, head and body of an answer.
async fn ask(address: SocketAddr, line: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{host}{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

async fn status(address: SocketAddr, line: &str, headers: &str) -> u16 {
    ask(address, line, headers).await.0
}

#[test]
fn on_the_loopback_everybody_may_look_on_and_nobody_changes_anything() {
    run("127.0.0.1:0", None, false, async |address| {
        assert_eq!(ask(address, "GET /readyz", "").await.2, "ok\n");
        assert_eq!(status(address, "HEAD /livez", "").await, 200);
        assert_eq!(status(address, "GET /v1/apps", "").await, 200);
        assert_eq!(status(address, "POST /v1/apps/web/stop", "").await, 403);
        assert_eq!(status(address, "DELETE /v1/apps/web", "").await, 403);
        assert_eq!(status(address, "GET /v1/apps/web/env", "").await, 403);
        assert_eq!(status(address, "GET /v1/apps/web/%65nv", "").await, 404);
        assert_eq!(status(address, "GET /nothing", "").await, 404);
    });
}

#[test]
fn with_the_token_all_can_be_asked_for() {
    run("127.0.0.1:0", Some(TOKEN), false, async |address| {
        assert_eq!(status(address, "POST /v1/apps/web/stop", "").await, 401);
        assert_eq!(status(address, "POST /v1/apps/web/stop", BEARER).await, 200);
        assert_eq!(status(address, "GET /v1/apps/web/env", BEARER).await, 200);
        assert_eq!(status(address, "POST /metrics", BEARER).await, 405);
        let twice = format!("{BEARER}{BEARER}");
        assert_eq!(status(address, "POST /v1/apps/web/stop", &twice).await, 401);
    });
}

#[test]
fn on_another_address_all_but_the_probes_take_the_token() {
    run("0.0.0.0:0", Some(TOKEN), false, async |address| {
        assert_eq!(status(address, "GET /livez", "").await, 200);
        for path in ["/", "/metrics", "/v1/apps", "/nothing"] {
            let (status, head, body) = ask(address, &format!("GET {path}"), "").await;
            assert_eq!(status, 401, "{path}");
            assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{head}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["error"]["code"], "unauthorized");
        }
        assert_eq!(status(address, "GET /v1/apps", BEARER).await, 200);
    });
}

#[test]
fn read_only_changes_nothing_whoever_asks() {
    run("0.0.0.0:0", Some(TOKEN), true, async |address| {
        assert_eq!(status(address, "POST /v1/apps/web/stop", BEARER).await, 403);
        assert_eq!(status(address, "GET /v1/apps", BEARER).await, 200);
    });
}

#[test]
fn other_sites_and_names_are_refused() {
    run("127.0.0.1:0", Some(TOKEN), false, async |address| {
        assert_eq!(status(address, "GET /v1/apps", "Host: evil.example\r\n").await, 403);
        assert_eq!(status(address, "GET /v1/apps", "Origin: http://evil.example\r\n").await, 403);
        assert_eq!(status(address, "GET /v1/apps", "Sec-Fetch-Site: cross-site\r\n").await, 403);
        assert_eq!(status(address, "GET /readyz", "Host: evil.example\r\n").await, 200);
    });
}

#[test]
fn a_browser_gets_a_page_that_nobody_may_frame_or_read() {
    run("127.0.0.1:0", None, false, async |address| {
        let (status, head, body) = ask(address, "GET /", "Accept: text/html,*/*;q=0.8\r\n").await;
        assert_eq!(status, 200);
        assert!(body.starts_with("<!doctype html>"), "{body}");
        for header in ["frame-ancestors 'none'", "nosniff", "no-cache", "same-origin"] {
            assert!(head.contains(header), "{head}");
        }
        assert!(!head.to_ascii_lowercase().contains("access-control"), "{head}");
        let (_, head, _) = ask(address, "GET /v1/apps", "").await;
        assert!(head.contains("no-store"), "{head}");
    });
}

#[test]
fn the_page_and_its_files_are_for_everybody_and_what_they_show_is_not() {
    run("0.0.0.0:0", Some(TOKEN), false, async |address| {
        let page = "Accept: text/html\r\nHost: box.example\r\nSec-Fetch-Site: none\r\n";
        assert_eq!(status(address, "GET /", page).await, 200);
        let (code, head, _) = ask(address, "GET /assets/main.js", "Host: box.example\r\n").await;
        assert_eq!(code, 200);
        assert!(head.contains("text/javascript"), "{head}");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let known = format!("If-None-Match: {tag}\r\n");
        let (code, _, body) = ask(address, "GET /assets/main.js", &known).await;
        assert_eq!((code, body.as_str()), (304, ""));
        assert_eq!(status(address, "GET /assets/nothing.js", "").await, 404);
        assert_eq!(status(address, "GET /assets/../v1/apps", "").await, 404);
        assert_eq!(status(address, "POST /assets/main.js", "").await, 401);
        assert_eq!(status(address, "GET /", "").await, 401);
        assert_eq!(status(address, "GET /v1/apps", "Accept: text/html\r\n").await, 401);
    });
}

#[test]
fn a_page_is_told_what_it_may_do() {
    run("0.0.0.0:0", Some(TOKEN), false, async |address| {
        let access = async |headers: &str| {
            let (_, _, body) = ask(address, "GET /access", headers).await;
            serde_json::from_str::<Value>(&body).unwrap()
        };
        assert_eq!(access("").await, serde_json::json!({"look": "no_token", "change": "no_token"}));
        assert_eq!(access(BEARER).await, serde_json::json!({"look": "ok", "change": "ok"}));
    });
}

#[test]
fn a_crowd_that_hangs_turns_others_away_and_is_forgotten() {
    run("127.0.0.1:0", None, false, async |address| {
        let mut crowd = Vec::new();
        while status_or_none(address).await == Some(200) {
            for _ in 0..16 {
                crowd.push(TcpStream::connect(address).await.unwrap());
            }
        }
        assert!(crowd.len() >= 64, "{}", crowd.len());
        drop(crowd);
        // Their places are free as soon as the server has seen that they are gone.
        while status_or_none(address).await != Some(200) {}
    });
}

/// `None` where the connection was cut before the answer was read.
async fn status_or_none(address: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let _cut = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let mut text = Vec::new();
    let _cut = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).split(' ').nth(1)?.parse().ok()
}
