//! A client, as plain as `curl`.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream as StdStream;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::schema;
use crate::control::place::Place;

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// `code: message (hint)`.
    pub(super) fn error(&self) -> String {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {} ({})", self.status, text("code"), text("message"), text("hint"))
    }

    /// The server-sent events: name and data.
    pub(super) fn events(&self) -> Vec<(String, Value)> {
        events(&self.body)
    }
}

/// The events in a text; comments are left out, and so is what is not whole.
pub(super) fn events(text: &str) -> Vec<(String, Value)> {
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
        let data: Value = serde_json::from_str(data).unwrap();
        schema::check_event(name, &data);
        Some((name.to_owned(), data))
    };
    whole.split("\n\n").filter_map(event).collect()
}

pub(super) fn connect_std(place: &Place) -> std::io::Result<StdStream> {
    match place {
        Place::File(path) => StdStream::connect(path),
        Place::Abstract(name) => {
            use std::os::linux::net::SocketAddrExt;
            StdStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
        }
    }
}

pub(super) fn connect(place: &Place) -> UnixStream {
    let stream = connect_std(place).unwrap();
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

pub(super) async fn get(place: &Place, path: &str) -> Reply {
    ask(place, "GET", path, "", "").await
}

pub(super) async fn post(place: &Place, path: &str, body: &str) -> Reply {
    ask(place, "POST", path, "", body).await
}

/// With the wish for a stream.
pub(super) async fn stream(place: &Place, method: &str, path: &str, body: &str) -> Reply {
    ask(place, method, path, "Accept: text/event-stream\r\n", body).await
}

/// Asks, and reads the answer to its end. It must be as docs/openapi.json says.
pub(super) async fn ask(place: &Place, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{length}{headers}\r\n{body}");
    let reply = raw(place, request.as_bytes()).await;
    schema::check_reply(method, path, &reply);
    reply
}

/// Sends bytes, and reads whatever comes until the other end closes.
pub(super) async fn raw(place: &Place, request: &[u8]) -> Reply {
    let mut stream = connect(place);
    // The server may have said no before it has read all.
    let _early = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    parse(&bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: `{text}`"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    Reply { status, headers, body: if chunked { unchunk(body) } else { body.to_owned() } }
}

/// What is whole of a body in chunks.
pub(super) fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let Some(chunk) = after.get(..size) else { break };
        body.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    body
}
