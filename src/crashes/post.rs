//! The request that delivers a report on a crash: JSON by POST. A status from 200 to 299 says that it has arrived.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;

use crate::health::connect::{Target, connect};

const AGENT: &str = concat!("pmr-runtime/", env!("CARGO_PKG_VERSION"), " crash report");

/// Sends `json` to `path` at `target`. It has no deadline; drop it to give up.
///
/// # Errors
/// What is wrong, for people.
pub async fn post(target: &Target, path: &str, json: String) -> Result<(), String> {
    let stream =
        connect(target).await.map_err(|error| format!("cannot connect to {}: {error}", target.host()))?;
    let broken = |error: hyper::Error| format!("no answer from {}: {error}", target.host());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::post(path)
        .header(HOST, target.host())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::<Bytes>::from(json))
        .map_err(|error| format!("`{path}` cannot be asked for: {error}"))?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may be over because the answer is there.
        _over = &mut connection => answer.await,
    };
    let status = answer.map_err(broken)?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("status {} from {}", status.as_u16(), target.host()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Sends to a server that answers with these bytes, and gives what it was sent.
    fn send(answer: &'static str) -> (Result<(), String>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = Target::Known(vec![listener.local_addr().unwrap()]);
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut sent = Vec::new();
                while !sent.ends_with(b"}") {
                    let mut part = [0; 1024];
                    let count = stream.read(&mut part).await.unwrap();
                    sent.extend_from_slice(&part[..count]);
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                String::from_utf8(sent).unwrap()
            };
            tokio::join!(post(&target, "/crash?x=1", "{\"id\":7}".to_owned()), serve)
        })
    }

    #[test]
    fn a_report_is_sent_as_json() {
        let (result, sent) = send("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(result, Ok(()));
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /crash?x=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{head}");
        assert!(
            head.contains("content-type: application/json") && head.contains("content-length: 8"),
            "{head}"
        );
        assert_eq!(body, "{\"id\":7}");
    }

    #[test]
    fn another_status_or_none_is_a_failure() {
        for status in ["302 Found", "404 Not Found", "503 Service Unavailable"] {
            let (result, _) = send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").leak());
            assert!(
                result.unwrap_err().starts_with(&format!("status {} from 127.", &status[..3])),
                "{status}"
            );
        }
        assert!(send("").0.unwrap_err().starts_with("no answer from 127.0.0.1:"));
    }
}
