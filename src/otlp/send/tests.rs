//! Receivers that answer this and that.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::otlp::config::Identity;

/// Pushes to a receiver that answers with these bytes, and gives what it was sent.
fn push(encoding: &str, answer: &'static [u8]) -> (Outcome, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = config(listener.local_addr().unwrap().port(), encoding);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut sent = vec![0; 4096];
            let count = stream.read(&mut sent).await.unwrap();
            stream.write_all(answer).await.unwrap();
            sent.truncate(count);
            String::from_utf8(sent).unwrap()
        };
        tokio::join!(send(&config, Bytes::from_static(b"figures")), serve)
    })
}

fn config(port: u16, encoding: &str) -> Config {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}/in")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", encoding.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=7,content-type=text/plain".to_owned()),
    ];
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, it)| it.clone());
    Config::read(lookup, || Identity { host: None, pid: 1 }).config.unwrap()
}

#[test]
fn a_push_is_a_post_that_says_what_it_is() {
    let (outcome, sent) = push("http/protobuf", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(outcome, Outcome::Taken { rejected: None });
    assert!(sent.starts_with("POST /in/v1/metrics HTTP/1.1\r\nhost: 127.0.0.1:"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nfigures"), "{sent}");
    for header in ["content-type: application/x-protobuf\r\n", "x-key: 7\r\n", "content-length: 7\r\n"] {
        assert_eq!(sent.matches(header).count(), 1, "{header}: {sent}");
    }
    assert_eq!(sent.matches("content-type").count(), 1, "{sent}");
}

#[test]
fn what_was_refused_is_read_in_the_encoding_that_was_sent() {
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-length: 43\r\n\r\n{\"partialSuccess\":{\"rejectedDataPoints\":3}}";
    let (outcome, sent) = push("http/json", answer);
    assert!(sent.contains("content-type: application/json\r\n"), "{sent}");
    assert_eq!(outcome, Outcome::Taken { rejected: Some((3, String::new())) });
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n\x0a\x04\x08\x03\x12\x00";
    assert_eq!(push("http/protobuf", answer).0, Outcome::Taken { rejected: Some((3, String::new())) });
}

#[test]
fn a_receiver_that_is_busy_may_say_for_how_long() {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(push("http/protobuf", answer).0, Outcome::Status { status: 503, retry_after });
    let answer = b"HTTP/1.1 429 x\r\nretry-after: Fri, 27 Nov 2026 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(push("http/protobuf", answer).0, Outcome::Status { status: 429, retry_after: None });
}

#[test]
fn what_is_no_http_is_no_answer() {
    let (outcome, _) = push("http/protobuf", b"hello\r\n");
    assert!(matches!(&outcome, Outcome::NoAnswer(why) if why.starts_with("no answer: ")), "{outcome:?}");
}
