//! One worker's link: what it asked for, what it holds, and what we say to it. Pure: bytes in, bytes out.
//!
//! ```text
//! Serving --(our disconnect, or its exitedAfterDisconnect)--> Leaving
//! ```
//! A leaving worker gets no sockets any more; Node would fail an assertion on them.

use serde::Serialize;
use serde_json::value::RawValue;

use super::codec::{AddressType, Decoder, Ignored, Incoming, Listening, Query, internal_command};
use super::shared_data::SharedData;
use super::wanted::{Errno, Wanted};
use crate::spec::WorkerId;

/// One server of a worker: the number of the query that asked for it. Unique in its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u64);

/// What a worker tells or asks, after the link has seen to the formalities.
#[derive(Debug, Clone)]
pub enum FromWorker {
    /// Its `cluster` module is loaded.
    Online,
    /// It wants a socket: bind one, or take the one bound before, and call `answer_listener` or `answer_error`.
    Wants { query: Box<Query>, wanted: Wanted },
    /// A server of it listens.
    Listening(Listening),
    /// It has closed a server that it held.
    Closed { server: ServerId, left: ServersLeft },
    /// It leaves of its own accord (`worker.disconnect()`, `worker.kill()`), once its servers are closed.
    Leaving,
    /// It took the connection that we sent as message `seq`, or cannot.
    Connection { seq: u64, taken: bool },
    /// The descriptor that we sent last and that was not yet spoken of has not arrived: it has no room for it.
    DescriptorLost,
    /// The app said this by `process.send`.
    Said(Box<RawValue>),
    /// It wrote a line that is no message: not JSON, too long, or unknown.
    Ignored(Ignored),
    /// The channel is at its end: the worker has disconnected, or has died.
    Ended,
}

/// Whether a worker has servers still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServersLeft {
    None,
    Some,
}

/// One message to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// A whole line, with its end.
    pub line: Vec<u8>,
    pub carries: Carries,
}

/// Whether a descriptor has to go with a frame, in the same `sendmsg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    Nothing,
    Descriptor,
}

/// A worker's link.
#[derive(Debug)]
pub struct Link {
    worker: WorkerId,
    decoder: Decoder,
    /// Our number for the next message.
    seq: u64,
    servers: Vec<Server>,
    has_served: bool,
    leaving: bool,
}

/// A server that the worker has asked for and not closed yet.
#[derive(Debug)]
struct Server {
    id: ServerId,
    key: String,
    wanted: Wanted,
    handle: HandleKind,
    answered: bool,
}

impl Link {
    /// A link to a worker that was just started.
    #[must_use]
    pub fn new(worker: WorkerId) -> Self {
        Self {
            worker,
            decoder: Decoder::default(),
            seq: 0,
            servers: Vec::new(),
            has_served: false,
            leaving: false,
        }
    }

    /// Takes in what the worker wrote. What can be answered here is put into `replies`; the rest is returned, in order.
    pub fn receive(&mut self, bytes: &[u8], replies: &mut Vec<Frame>) -> Vec<FromWorker> {
        let incoming = self.decoder.push(bytes);
        incoming.into_iter().filter_map(|message| self.take(message, replies)).collect()
    }

    /// The answer that gives the worker the socket it asked for. `None` if it does not want it any more.
    pub fn answer_listener(&mut self, query: &Query, shared: &mut SharedData) -> Option<Frame> {
        if self.leaving {
            return None;
        }
        let server = self.servers.iter_mut().find(|server| server.id.0 == query.seq && !server.answered)?;
        server.answered = true;
        self.has_served = true;
        let (handle, key) = (server.handle, server.key.clone());
        let data = shared.agree(&address_of(query), &query.data);
        let message = Message { data: Some(data), ..Message::answer(query.seq, &key, 0) };
        Some(self.handle(handle, SocketType::Listener, message))
    }

    /// The answer that the worker cannot have a socket; its server gets `errno` as an `error` event. `None` if it does
    /// not wait for an answer.
    pub fn answer_error(&mut self, query: &Query, errno: Errno) -> Option<Frame> {
        let waiting = |server: &Server| server.id.0 == query.seq && !server.answered;
        let index = self.servers.iter().position(waiting)?;
        self.servers.swap_remove(index);
        if self.leaving { None } else { Some(self.refusal(query, errno)) }
    }

    /// Hands the worker a connection for its server `server`, and says under which number it will answer
    /// ([`FromWorker::Connection`]). `None` if it does not have that server, or it is
    /// one for datagrams.
    pub fn hand_connection(&mut self, server: ServerId) -> Option<(u64, Frame)> {
        if self.leaving {
            return None;
        }
        let takes =
            |held: &&Server| held.id == server && held.answered && held.handle != HandleKind::Datagram;
        let server = self.servers.iter().find(takes)?;
        let (handle, key, seq) = (server.handle, server.key.clone(), self.seq);
        let message = Message { act: Some("newconn"), key: Some(&key), ..Message::default() };
        Some((seq, self.handle(handle, SocketType::Connection, message)))
    }

    /// Asks the worker to close its servers, finish what it answers, and exit. `None` if it is leaving already.
    pub fn disconnect(&mut self) -> Option<Frame> {
        if std::mem::replace(&mut self.leaving, true) {
            return None;
        }
        Some(self.message(Message { act: Some("disconnect"), ..Message::default() }))
    }

    /// A message for the app's `process.on('message')`. `None` if it looks like one of Node's own.
    #[must_use]
    pub fn user(json: &RawValue) -> Option<Frame> {
        if internal_command(json).is_some() {
            return None;
        }
        // A raw line end can only stand between JSON's words, where a space means the same.
        let text = json.get().bytes().map(|byte| if byte == b'\n' { b' ' } else { byte });
        Some(Frame { line: text.chain([b'\n']).collect(), carries: Carries::Nothing })
    }

    /// Whether the worker has had servers, and has closed them all.
    #[must_use]
    pub fn all_servers_closed(&self) -> bool {
        self.has_served && self.servers.is_empty()
    }

    fn take(&mut self, incoming: Incoming, replies: &mut Vec<Frame>) -> Option<FromWorker> {
        match incoming {
            Incoming::Online => Some(FromWorker::Online),
            Incoming::Query(query) => self.take_query(query, replies),
            Incoming::Listening(listening) => Some(FromWorker::Listening(listening)),
            Incoming::Close { key } => self.take_close(&key),
            Incoming::ExitedAfterDisconnect { seq } => {
                self.leaving = true;
                replies.push(self.message(Message { ack: Some(seq), ..Message::default() }));
                Some(FromWorker::Leaving)
            }
            Incoming::Reply { ack, accepted } => Some(FromWorker::Connection { seq: ack, taken: accepted }),
            Incoming::HandleAck => None,
            Incoming::HandleNack => Some(FromWorker::DescriptorLost),
            Incoming::Handle { message } => {
                replies.push(line_of(&HandleAck { cmd: "NODE_HANDLE_ACK" }, Carries::Nothing));
                message.map(FromWorker::Said)
            }
            Incoming::User(message) => Some(FromWorker::Said(message)),
            Incoming::Ignored(why) => Some(FromWorker::Ignored(why)),
        }
    }

    fn take_query(&mut self, query: Query, replies: &mut Vec<Frame>) -> Option<FromWorker> {
        // Node never uses a number twice; one that does would get two servers with one key.
        if self.leaving || self.servers.iter().any(|held| held.id == query.server()) {
            return None;
        }
        let wanted = match Wanted::of(&query) {
            Ok(wanted) => wanted,
            Err(errno) => {
                replies.push(self.refusal(&query, errno));
                return None;
            }
        };
        // The kernel would not notice: both would be given copies of one socket.
        if self.servers.iter().any(|held| held.wanted.conflicts(&wanted)) {
            replies.push(self.refusal(&query, Errno::EADDRINUSE));
            return None;
        }
        let server = Server {
            id: ServerId(query.seq),
            key: self.key_of(&query),
            wanted: wanted.clone(),
            handle: HandleKind::of(query.address_type),
            answered: false,
        };
        self.servers.push(server);
        Some(FromWorker::Wants { query: Box::new(query), wanted })
    }

    fn take_close(&mut self, key: &str) -> Option<FromWorker> {
        let index = self.servers.iter().position(|server| server.key == key)?;
        let server = self.servers.swap_remove(index).id;
        let left = if self.servers.is_empty() { ServersLeft::None } else { ServersLeft::Some };
        Some(FromWorker::Closed { server, left })
    }

    /// Node ends a worker that has two live servers with the same key, so every query gets a new one.
    fn key_of(&self, query: &Query) -> String {
        let Query { port, address_type, index, .. } = query;
        let address = query.address.as_deref().unwrap_or("null");
        let port = port.unwrap_or(-1);
        format!("{address}:{port}:{address_type}:{index}#{}.{}", self.worker, query.seq)
    }

    fn refusal(&mut self, query: &Query, errno: Errno) -> Frame {
        let key = self.key_of(query);
        let answer = Message::answer(query.seq, &key, -errno.0);
        self.message(Message { data: Some(&query.data), ..answer })
    }

    fn message(&mut self, message: Message<'_>) -> Frame {
        line_of(&self.numbered(message), Carries::Nothing)
    }

    fn handle(&mut self, kind: HandleKind, socket_type: SocketType, message: Message<'_>) -> Frame {
        let (kind, native_kind) = match kind {
            HandleKind::Tcp => ("net.Native", Some("tcp")),
            HandleKind::Pipe => ("net.Native", Some("pipe")),
            HandleKind::Datagram => ("dgram.Native", None),
        };
        let socket_type = native_kind.map(|_| socket_type as u8);
        let msg = self.numbered(message);
        line_of(&Handle { cmd: "NODE_HANDLE", kind, native_kind, socket_type, msg }, Carries::Descriptor)
    }

    fn numbered<'a>(&mut self, message: Message<'a>) -> Message<'a> {
        let seq = self.seq;
        self.seq += 1;
        Message { cmd: "NODE_CLUSTER", seq, ..message }
    }
}

impl Query {
    /// The server that this query asks for.
    #[must_use]
    pub fn server(&self) -> ServerId {
        ServerId(self.seq)
    }
}

/// A `NODE_CLUSTER` message of ours. Absent fields are left out, as Node leaves out `undefined`.
#[derive(Default, Serialize)]
struct Message<'a> {
    cmd: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    seq: u64,
}

impl<'a> Message<'a> {
    fn answer(ack: u64, key: &'a str, errno: i32) -> Self {
        Self { ack: Some(ack), key: Some(key), errno: Some(errno), ..Self::default() }
    }
}

/// The wrapper of a message that comes with a descriptor. Deno needs the second pair of fields, Node ignores it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Handle<'a> {
    cmd: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket_type: Option<u8>,
    msg: Message<'a>,
}

#[derive(Serialize)]
struct HandleAck {
    cmd: &'static str,
}

/// Node's `TCPConstants`.
#[derive(Clone, Copy)]
enum SocketType {
    Connection = 0,
    Listener = 1,
}

/// What the worker has to make of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HandleKind {
    Tcp,
    Pipe,
    Datagram,
}

impl HandleKind {
    /// What a descriptor of the app's own choice is, only the app knows; `net` finds out by itself.
    fn of(address_type: AddressType) -> Self {
        match address_type {
            AddressType::Udp4 | AddressType::Udp6 => Self::Datagram,
            AddressType::Unix => Self::Pipe,
            AddressType::Tcp4 | AddressType::Tcp6 | AddressType::Unsaid | AddressType::Unknown => Self::Tcp,
        }
    }
}

/// What two workers have in common when they want the same socket.
fn address_of(query: &Query) -> String {
    let Query { port, address_type, index, fd, .. } = query;
    let address = query.address.as_deref().unwrap_or("null");
    let index = if *port == Some(0) { *index } else { 0 };
    let (port, fd) = (port.unwrap_or(-1), fd.unwrap_or(-1));
    format!("{address}:{port}:{address_type}:{fd}:{index}")
}

fn line_of(message: &impl Serialize, carries: Carries) -> Frame {
    let mut line = serde_json::to_vec(message).expect("a struct of strings and numbers is always JSON");
    line.push(b'\n');
    Frame { line, carries }
}

#[cfg(test)]
mod tests;
