//! One worker's link: what it asked for, what it holds, and what we say to it. Pure: bytes in, bytes out.
//!
//! ```text
//! Serving --(our disconnect, or its exitedAfterDisconnect)--> Leaving
//! ```
//! A leaving worker gets no sockets any more; Node would fail an assertion on them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::codec::{Decoder, Ignored, Incoming, Listening, Query, internal_command};
use super::shared_data::SharedData;
use super::wanted::{Errno, Wanted};
use super::wire::{
    Frame, HandleKind, Message, SocketType, acknowledgement, empty_handle, handle_frame, message_frame,
    user_frame,
};
use crate::spec::WorkerId;

/// More than any worker is sent between two turns of its event loop.
const MOST_UNACKNOWLEDGED: usize = 1024;

/// One server of a worker: the number of the query that asked for it. Unique in its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// The answer to [`Link::ping`]: the worker's event loop has turned.
    Pulse,
    /// Its agent reports how it does.
    Report(Box<RawValue>),
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

/// A worker's link.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    worker: WorkerId,
    decoder: Decoder,
    /// Our number for the next message.
    seq: u64,
    servers: Vec<Server>,
    leaving: bool,
    /// What we sent that Node acknowledges and has not yet: it does so in order.
    #[serde(default)]
    unacknowledged: VecDeque<Sent>,
}

/// A message that Node acknowledges by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Sent {
    Descriptor,
    /// It promises a descriptor that does not come: Node says that it has got none, as soon as its event loop turns.
    Ping,
}

/// A server that the worker has asked for and not closed yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
            leaving: false,
            unacknowledged: VecDeque::new(),
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

    /// Whether it would be handed connections for its server `server`.
    #[must_use]
    pub fn takes_connections(&self, server: ServerId) -> bool {
        let takes = |held: &Server| held.id == server && held.answered && held.handle != HandleKind::Datagram;
        !self.leaving && self.servers.iter().any(takes)
    }

    /// A connection for a server that it does not have. It refuses that as soon as it reads its channel, under this
    /// number ([`FromWorker::Connection`]).
    pub fn probe(&mut self) -> (u64, Frame) {
        let seq = self.seq;
        let message = Message { act: Some("newconn"), key: Some("pmr-probe"), ..Message::default() };
        (seq, self.handle(HandleKind::Tcp, SocketType::Connection, message))
    }

    /// Asks the worker to close its servers, finish what it answers, and exit. `None` if it is leaving already.
    pub fn disconnect(&mut self) -> Option<Frame> {
        if std::mem::replace(&mut self.leaving, true) {
            return None;
        }
        Some(self.message(Message { act: Some("disconnect"), ..Message::default() }))
    }

    /// Asks the worker's event loop for a sign of life ([`FromWorker::Pulse`]), which Node gives without the app's knowing.
    /// `None` if it is leaving.
    pub fn ping(&mut self) -> Option<Frame> {
        if self.leaving {
            return None;
        }
        self.note(Sent::Ping);
        Some(empty_handle())
    }

    /// A message for the app's `process.on('message')`. `None` if it looks like one of Node's own.
    #[must_use]
    pub fn user(json: &RawValue) -> Option<Frame> {
        if internal_command(json).is_some() {
            return None;
        }
        Some(user_frame(json))
    }

    /// Whether the worker holds no server: it has asked for none yet, or has closed them all.
    #[must_use]
    pub fn has_no_server(&self) -> bool {
        self.servers.is_empty()
    }

    #[cfg(test)]
    pub(super) fn is_at_line_start(&self) -> bool {
        self.decoder.is_at_line_start()
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
            Incoming::HandleAck => {
                if self.unacknowledged.front() == Some(&Sent::Descriptor) {
                    self.unacknowledged.pop_front();
                }
                None
            }
            Incoming::HandleNack => match self.unacknowledged.pop_front() {
                Some(Sent::Ping) => Some(FromWorker::Pulse),
                Some(Sent::Descriptor) | None => Some(FromWorker::DescriptorLost),
            },
            Incoming::Handle { message } => {
                replies.push(acknowledgement());
                message.map(FromWorker::Said)
            }
            Incoming::Report(report) => Some(FromWorker::Report(report)),
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
        message_frame(&self.numbered(message))
    }

    fn handle(&mut self, kind: HandleKind, socket_type: SocketType, message: Message<'_>) -> Frame {
        self.note(Sent::Descriptor);
        handle_frame(kind, socket_type, self.numbered(message))
    }

    fn note(&mut self, sent: Sent) {
        // Node acknowledges everything; who does not is no Node.
        if self.unacknowledged.len() < MOST_UNACKNOWLEDGED {
            self.unacknowledged.push_back(sent);
        }
    }

    fn numbered<'a>(&mut self, message: Message<'a>) -> Message<'a> {
        let seq = self.seq;
        self.seq += 1;
        Message { seq, ..message }
    }
}

impl Query {
    /// The server that this query asks for.
    #[must_use]
    pub fn server(&self) -> ServerId {
        ServerId(self.seq)
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

#[cfg(test)]
mod tests;
