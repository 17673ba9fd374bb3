//! The client against a server that says what it is told to say.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::*;
use crate::api::types::Operation;

/// What the server does with a connection.
enum Act {
    /// Sends this, in pieces, and closes.
    Say(Vec<String>),
    /// Reads, and says nothing until the client has gone.
    Hang,
}

/// A server, which ends after the last act and gives what it was asked.
struct Server {
    directory: TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn new(acts: Vec<Act>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("pmr.sock")).unwrap();
        let thread = std::thread::spawn(move || {
            acts.into_iter().map(|act| play(&mut listener.accept().unwrap().0, act)).collect()
        });
        Self { directory, thread }
    }

    fn client(&self) -> Client {
        Client::new(Place::File(self.directory.path().join("pmr.sock")))
    }

    /// What it was asked. Meanwhile the client's connections go on, or end.
    async fn heard(self) -> Vec<String> {
        tokio::task::spawn_blocking(|| self.thread.join().unwrap()).await.unwrap()
    }
}

fn play(stream: &mut UnixStream, act: Act) -> String {
    let heard = request(stream);
    match act {
        Act::Say(pieces) => {
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
            }
        }
        Act::Hang => {
            // It ends by an error where the client has left with bytes unread.
            let _gone = stream.read_to_end(&mut Vec::new());
        }
    }
    heard
}

/// Head and body of a request.
fn request(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    let is_whole = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        (body.len() >= length.unwrap_or(0)).then_some(())
    };
    while is_whole(&text).is_none() {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the request ends early: {text}");
        text += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    text
}

fn json(status: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(vec![format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )])
}

fn events(pieces: &[&str]) -> Act {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    Act::Say(std::iter::once(head).chain(pieces.iter().copied()).map(str::to_owned).collect())
}

const REFUSAL: &str = r#"{"error":{"code":"unknown_target","message":"there is no app `wbe`","hint":"did you mean `web`?","details":[]}}"#;
const PROGRESS: &str = r#"{"seq":1,"at_ms":2,"level":"info","kind":"ready","app":"web","id":0,"pid":7,"message":"worker ready"}"#;
const VERDICT: &str = r#"{"verdicts":[{"app":"web","operation":"reload","ok":false,"message":"called off","took_ms":5,"generation":1,"instances":2,"last_lines":["boom"]}]}"#;

fn reload() -> Call {
    Call::to(routes::RELOAD).target("web").body(&crate::api::types::ReloadRequest::default())
}

#[tokio::test]
async fn a_question_is_answered_in_json() {
    let server = Server::new(vec![json("200 OK", "[]")]);
    assert_eq!(server.client().apps().await.unwrap(), []);
    let heard = server.heard().await;
    assert!(heard[0].starts_with("GET /v1/apps?node=false HTTP/1.1\r\n"), "{heard:?}");
    assert!(heard[0].contains("accept: application/json"), "{heard:?}");
}

#[tokio::test]
async fn a_refusal_is_told_as_the_runtime_words_it() {
    let server = Server::new(vec![json("404 Not Found", REFUSAL), json("404 Not Found", REFUSAL)]);
    let client = server.client();
    for error in
        [client.change(&reload(), |_| ()).await.unwrap_err(), client.stream(&reload()).await.unwrap_err()]
    {
        assert_eq!(error.to_string(), "there is no app `wbe`");
        let ClientError::Refused(problem) = error else { panic!("{error:?}") };
        assert_eq!(problem.hint.as_deref(), Some("did you mean `web`?"));
    }
    server.heard().await;
}

#[tokio::test]
async fn a_change_tells_what_happens_and_ends_with_its_verdict() {
    let first = format!("event: progress\ndata: {}", &PROGRESS[..20]);
    let second = format!("{}\n\n: still here\n\nevent: lost\ndata: {{\"lost\":3}}\n\n", &PROGRESS[20..]);
    let last = format!("event: verdict\ndata: {VERDICT}\n\n");
    let server = Server::new(vec![events(&[&first, &second, &last])]);
    let mut seen = Vec::new();
    let outcome = server.client().change(&reload(), |event| seen.push(event.message.clone())).await.unwrap();
    assert_eq!(seen, ["worker ready"]);
    assert_eq!((outcome.verdicts[0].operation, outcome.is_ok()), (Operation::Reload, false));
    let heard = server.heard().await;
    assert!(heard[0].starts_with("POST /v1/apps/web/reload HTTP/1.1\r\n"), "{heard:?}");
    assert!(heard[0].ends_with(r#"{"parallel":null,"dry_run":false,"environment":null}"#), "{heard:?}");
}

#[tokio::test]
async fn a_verdict_may_come_as_a_whole_and_with_a_status_of_its_own() {
    let server = Server::new(vec![json("409 Conflict", VERDICT)]);
    let outcome = server.client().change(&reload(), |_| ()).await.unwrap();
    assert_eq!(outcome.verdicts[0].last_lines, ["boom"]);
}

#[tokio::test]
async fn a_refusal_may_come_after_the_stream_has_begun() {
    let refusal = format!("event: error\ndata: {REFUSAL}\n\n");
    let server = Server::new(vec![events(&[&refusal])]);
    let error = server.client().change(&reload(), |_| ()).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_runtime_that_ends_before_its_verdict_is_no_success() {
    let server = Server::new(vec![events(&["event: progress\n"])]);
    let error = server.client().change(&reload(), |_| ()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unfinished { .. }), "{error:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_given_up() {
    let server = Server::new(vec![Act::Hang, Act::Hang]);
    let client = server.client().patient(Duration::from_millis(50));
    let error = client.apps().await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    let error = client.stream(&Call::to(routes::EVENTS)).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    server.heard().await;
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_called_so() {
    let server = Server::new(vec![
        json("200 OK", "{}"),
        json("500 Oops", "<html>"),
        Act::Say(vec!["SSH-2.0\r\n".into()]),
    ]);
    let client = server.client();
    let garbled = client.apps().await.unwrap_err();
    assert!(matches!(garbled, ClientError::Garbled { status: 200, .. }), "{garbled:?}");
    let garbled = client.apps().await.unwrap_err();
    assert!(matches!(garbled, ClientError::Garbled { status: 500, .. }), "{garbled:?}");
    let lost = client.apps().await.unwrap_err();
    assert!(matches!(lost, ClientError::Lost { .. }), "{lost:?}");
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pmr.sock");
    for left_behind in [false, true] {
        if left_behind {
            drop(UnixListener::bind(&path).unwrap());
        }
        let error = Client::new(Place::File(path.clone())).apps().await.unwrap_err();
        assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_in_the_abstract_namespace_is_reached() {
    let name = format!("pmr-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let thread = std::thread::spawn(move || play(&mut listener.accept().unwrap().0, json("200 OK", "[]")));
    let client = Client::new(Place::Abstract(name.clone()));
    assert_eq!((client.apps().await.unwrap(), client.socket()), (vec![], format!("@{name}")));
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
}
