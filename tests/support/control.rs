//! A client of the control socket: requests, answers and streams of events.

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::http::Connection;
use super::runtime::Runtime;

/// The way to a runtime's control socket.
#[derive(Clone)]
pub(crate) struct Control {
    socket: PathBuf,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) json: Value,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#}", self.status, self.json)
    }
}

impl Reply {
    /// The only verdict of an answer to a change.
    #[track_caller]
    pub(crate) fn verdict(&self) -> &Value {
        let verdicts = self.json["verdicts"].as_array().unwrap_or_else(|| panic!("no verdicts: {self:?}"));
        assert_eq!(verdicts.len(), 1, "{self:?}");
        &verdicts[0]
    }

    /// Requires that a change went well, for one app or several, and gives the answer.
    #[track_caller]
    pub(crate) fn went_well(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        let verdicts = self.json["verdicts"].as_array();
        assert!(verdicts.is_some_and(|all| all.iter().all(|one| one["ok"] == true)), "{self:?}");
        self
    }

    /// Requires that a change did not go well, and gives what is said of it.
    #[track_caller]
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.status, 409, "{self:?}");
        assert_eq!(self.verdict()["ok"], false, "{self:?}");
        text(&self.verdict()["message"])
    }

    /// The last lines of the worker that a change failed on.
    #[track_caller]
    pub(crate) fn last_lines(&self) -> String {
        let lines = self.verdict()["last_lines"].as_array().unwrap();
        lines.iter().map(|line| text(line).to_owned() + "\n").collect()
    }

    /// `code: message (hint)` of an error with this status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let error = &self.json["error"];
        let part = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
        format!("{}: {} ({})", part("code"), part("message"), part("hint"))
    }
}

/// A value that is a string.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

/// The pids of an app's view, those instances left out that have none.
#[track_caller]
pub(crate) fn pids(app: &Value) -> BTreeSet<i32> {
    let instances = app["instances"].as_array().unwrap_or_else(|| panic!("no instances: {app}"));
    instances
        .iter()
        .filter_map(|instance| instance["pid"].as_i64())
        .map(|pid| i32::try_from(pid).unwrap())
        .collect()
}

impl Runtime {
    /// Its control socket, once it answers.
    #[track_caller]
    pub(crate) fn control(&self) -> Control {
        let control = Control { socket: self.home().join(".pmr/pmr.sock") };
        self.until("the control socket", || control.try_ask("GET", "/v1/ping", None).ok());
        control
    }
}

impl Control {
    /// Where it is.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Connects, and says nothing.
    pub(crate) fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(&self.socket)
    }

    /// Asks over a connection of its own.
    pub(crate) fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Reply> {
        let mut connection = Connection::open_unix(&self.socket)?;
        let body = body.map_or_else(String::new, Value::to_string);
        connection.send_request(method, path, "Connection: close\r\n", &body)?;
        let response = connection.receive()?;
        let json = serde_json::from_str(&response.body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}: {response:?}"));
        Ok(Reply { status: response.status, json })
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str) -> Reply {
        self.ask("POST", path, None)
    }

    /// `POST` with a body.
    #[track_caller]
    pub(crate) fn order(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, Some(body))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path, None)
    }

    /// Adds an app with these words, in `directory`, with `environment` beside PATH.
    #[track_caller]
    pub(crate) fn add(&self, words: &[&str], directory: &Path, environment: &[(&str, &str)]) -> Reply {
        let path = super::fixtures::search_path();
        let mut variables = vec![json!(["PATH", path.to_str().unwrap()])];
        variables.extend(environment.iter().map(|(name, value)| json!([name, value])));
        let request = json!({ "words": words, "directory": directory, "environment": variables });
        self.order("/v1/apps", &request)
    }

    /// All apps.
    #[track_caller]
    pub(crate) fn apps(&self) -> Vec<Value> {
        let reply = self.get("/v1/apps");
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json.as_array().unwrap().clone()
    }

    /// The only app that a target means.
    #[track_caller]
    pub(crate) fn app(&self, target: &str) -> Value {
        let reply = self.get(&format!("/v1/apps/{target}"));
        assert_eq!(reply.status, 200, "{reply:?}");
        let apps = reply.json.as_array().unwrap();
        assert_eq!(apps.len(), 1, "{reply:?}");
        apps[0].clone()
    }

    /// Asks for a stream.
    #[track_caller]
    pub(crate) fn stream(&self, method: &str, path: &str, body: Option<&Value>) -> Stream {
        let mut connection = Connection::open_unix(&self.socket).unwrap();
        let body = body.map_or_else(String::new, Value::to_string);
        connection.send_request(method, path, "Accept: text/event-stream\r\n", &body).unwrap();
        let head = connection.receive_head().unwrap();
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"), "{head:?}");
        Stream { connection, buffer: Vec::new(), seen: Vec::new() }
    }
}

/// Server-sent events as they come.
pub(crate) struct Stream {
    connection: Connection<UnixStream>,
    buffer: Vec<u8>,
    /// All so far, for a failure's message.
    seen: Vec<(String, Value)>,
}

impl Stream {
    /// The next event: its name and its data. `None` at the end of the stream.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let Some(event) = parse(std::str::from_utf8(&block).unwrap()) else { continue };
                self.seen.push(event.clone());
                return Some(event);
            }
            match self.connection.chunk(&mut self.buffer) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => panic!("a stream ends with {error}, after {:?}", self.seen),
            }
        }
    }

    /// Reads until an event is as `probe` wants it, and gives it.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, probe: impl Fn(&str, &Value) -> bool) -> Value {
        while let Some((name, data)) = self.next() {
            if probe(&name, &data) {
                return data;
            }
        }
        panic!("the stream ended without {what}: {:?}", self.seen);
    }

    /// All that is left until the stream's end.
    #[track_caller]
    pub(crate) fn rest(mut self) -> Vec<(String, Value)> {
        while self.next().is_some() {}
        self.seen
    }
}

/// A comment is no event.
fn parse(block: &str) -> Option<(String, Value)> {
    let (name, data) = block.trim_end().strip_prefix("event: ")?.split_once("\ndata: ")?;
    Some((name.to_owned(), serde_json::from_str(data).unwrap()))
}
