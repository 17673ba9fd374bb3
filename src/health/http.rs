//! The request of a health check: a status from 200 to 399 is a healthy answer, as for Kubernetes' probes.

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;

use super::connect::{Target, connect};

/// By which an app's log tells these requests from others.
const AGENT: &str = concat!("pmr-runtime/", env!("CARGO_PKG_VERSION"), " health check");

/// Asks for `path`. It has no deadline; drop it to give up.
///
/// # Errors
/// What is wrong, for people.
pub async fn check(target: &Target, path: &str) -> Result<(), String> {
    let stream =
        connect(target).await.map_err(|error| format!("cannot connect to {}: {error}", target.host()))?;
    let broken = |error: hyper::Error| format!("no answer from {}: {error}", target.host());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::get(path)
        .header(HOST, target.host())
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
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
    if (200..400).contains(&status.as_u16()) { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Asks a server that answers with these bytes, and gives what it was asked.
    fn ask(answer: &'static str) -> (Result<(), String>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = Target::Known(vec![listener.local_addr().unwrap()]);
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 4096];
                let count = stream.read(&mut asked).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                asked.truncate(count);
                String::from_utf8(asked).unwrap()
            };
            tokio::join!(check(&target, "/health?x=1"), serve)
        })
    }

    #[test]
    fn statuses_up_to_399_are_healthy() {
        for status in ["200 OK", "204 No Content", "302 Found"] {
            let (result, asked) = ask(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").leak());
            assert_eq!(result, Ok(()), "{status}");
            assert!(asked.starts_with("GET /health?x=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
        }
        for status in ["404 Not Found", "503 Service Unavailable"] {
            let (result, _) = ask(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").leak());
            assert_eq!(result, Err(format!("status {}", &status[..3])));
        }
    }

    #[test]
    fn what_is_no_http_or_nothing_is_no_answer() {
        for answer in ["", "hello\r\n"] {
            let (result, _) = ask(answer);
            assert!(result.unwrap_err().starts_with("no answer from 127.0.0.1:"), "{answer}");
        }
    }

    #[test]
    fn a_body_that_never_ends_is_not_waited_for() {
        let (result, _) = ask("HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\nx");
        assert_eq!(result, Ok(()));
    }
}
