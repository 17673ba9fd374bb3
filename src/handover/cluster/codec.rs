//! What a Node worker writes: bytes to lines to messages. Pure, and never panics, whatever the bytes.
//!
//! A message is one line of JSON, any value; it is Node's own business if it is an object whose `cmd` begins with
//! `NODE_`, and the app's otherwise. What each means for the worker's servers is `link`'s subject.

use std::fmt;

use memchr::memchr;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A longer line is skipped. Node has no limit; this one is far above what apps send and bounds a worker's share of
/// our memory.
pub const LINE_LIMIT: usize = 16 << 20;

/// Node's choice where the app names no backlog (`net.js`).
const DEFAULT_BACKLOG: u32 = 511;

/// A message from a worker.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// The worker's `cluster` module is loaded.
    Online,
    /// The worker's app wants a socket.
    Query(Query),
    /// A server of the worker listens.
    Listening(Listening),
    /// The worker has closed the server that we gave this key.
    Close { key: String },
    /// The worker is about to leave of its own accord, and waits for our acknowledgement of `seq`.
    ExitedAfterDisconnect { seq: u64 },
    /// The answer to our message `ack`; for a connection, whether it was taken.
    Reply { ack: u64, accepted: bool },
    /// The descriptor that we sent has arrived.
    HandleAck,
    /// The descriptor that we sent has not arrived: the worker has no room for it.
    HandleNack,
    /// The app sends a socket along with a message. Node sends nothing more until this is acknowledged.
    Handle { message: Option<Box<RawValue>> },
    /// The agent's report on the worker.
    Report(Box<RawValue>),
    /// `process.send` of the app.
    User(Box<RawValue>),
    /// Nothing for us.
    Ignored(Ignored),
}

/// Why a line is nothing for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Not JSON in UTF-8.
    NotJson,
    /// Longer than [`LINE_LIMIT`].
    TooLong,
    /// A message of Node's that we do not know, or with fields that we cannot read.
    Unknown,
}

/// A worker's wish for a socket, as it was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    /// The worker's number for this message; our answer repeats it.
    pub seq: u64,
    /// Tells the worker's servers with the same address apart.
    pub index: u32,
    /// What a server wants to share with its like in other workers (TLS ticket keys); JSON `null` for most.
    pub data: Box<RawValue>,
    /// An IP address, the path of a Unix socket, or nothing for any address.
    pub address: Option<String>,
    /// -1 for a Unix socket.
    pub port: Option<i32>,
    pub address_type: AddressType,
    /// libuv's flags for the bind; 0 where Node sends none.
    pub flags: u32,
    /// The length of the queue that the app wants, or Node's default.
    pub backlog: u32,
    /// Given by `listen({ fd })`: a descriptor of ours.
    pub fd: Option<i32>,
    /// Anybody may connect to (`readableAll`) or write to (`writableAll`) the Unix socket.
    pub readable_all: bool,
    pub writable_all: bool,
}

/// Where a server of a worker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    pub address: Option<String>,
    /// The port in fact, where 0 was asked for; -1 for a Unix socket.
    pub port: Option<i32>,
    pub address_type: AddressType,
}

/// Node's kinds of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AddressType {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
    Unix,
    /// Not said, as for `listen({ fd })`.
    Unsaid,
    /// None that we know.
    Unknown,
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp4 => "4",
            Self::Tcp6 => "6",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
            Self::Unix => "-1",
            Self::Unsaid => "null",
            Self::Unknown => "unknown",
        })
    }
}

/// Cuts a worker's bytes into messages. Holds memory only while a line is incomplete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decoder {
    partial: Vec<u8>,
    limit: usize,
    skipping: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(LINE_LIMIT)
    }
}

impl Decoder {
    /// A decoder that skips lines of more than `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { partial: Vec::new(), limit, skipping: false }
    }

    /// The messages that `bytes` complete, in order.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Incoming> {
        let mut messages = Vec::new();
        while let Some(end) = memchr(b'\n', bytes) {
            messages.extend(self.complete(&bytes[..end]));
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
        messages
    }

    #[cfg(test)]
    pub(super) fn is_at_line_start(&self) -> bool {
        self.partial.is_empty()
    }

    /// Decodes the line that ends with `rest`; nothing for an empty one.
    fn complete(&mut self, rest: &[u8]) -> Option<Incoming> {
        self.keep(rest);
        if std::mem::take(&mut self.skipping) {
            return Some(Incoming::Ignored(Ignored::TooLong));
        }
        // Taken, not cleared: one big message must not cost its memory for ever.
        let line = std::mem::take(&mut self.partial);
        (!line.is_empty()).then(|| decode(&line))
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.skipping || self.partial.len() + bytes.len() > self.limit {
            self.skipping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }
}

/// One line, without its end, as a message.
#[must_use]
pub fn decode(line: &[u8]) -> Incoming {
    let parsed = std::str::from_utf8(line).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let Some(json) = parsed else {
        return Incoming::Ignored(Ignored::NotJson);
    };
    match internal_command(json).as_deref() {
        None => Incoming::User(json.to_owned()),
        Some("NODE_CLUSTER") => cluster_message(json).unwrap_or(Incoming::Ignored(Ignored::Unknown)),
        Some("NODE_HANDLE_ACK") => Incoming::HandleAck,
        Some("NODE_HANDLE_NACK") => Incoming::HandleNack,
        Some("NODE_PMR") => Incoming::Report(json.to_owned()),
        Some("NODE_HANDLE") => Incoming::Handle { message: wrapped_message(json) },
        Some(_) => Incoming::Ignored(Ignored::Unknown),
    }
}

/// The `cmd` of a message that Node keeps to itself: a string longer than, and beginning with, `NODE_`.
#[must_use]
pub fn internal_command(json: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Probe<'a> {
        #[serde(borrow)]
        cmd: Option<&'a RawValue>,
    }
    // serde would read an array as the struct's fields in order.
    if !json.get().starts_with('{') {
        return None;
    }
    let probe: Probe<'_> = serde_json::from_str(json.get()).ok()?;
    let command: String = serde_json::from_str(probe.cmd?.get()).ok()?;
    (command.len() > "NODE_".len() && command.starts_with("NODE_")).then_some(command)
}

fn wrapped_message(json: &RawValue) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Wrapper {
        msg: Option<Box<RawValue>>,
    }
    serde_json::from_str::<Wrapper>(json.get()).ok()?.msg
}

/// The fields of all `NODE_CLUSTER` messages together; `undefined` ones are left out by Node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    act: Option<String>,
    seq: Option<u64>,
    ack: Option<u64>,
    accepted: Option<bool>,
    index: Option<u32>,
    data: Option<Box<RawValue>>,
    address: Option<String>,
    port: Option<i32>,
    address_type: Option<NumberOrText>,
    flags: Option<u32>,
    backlog: Option<NumberOrFlag>,
    fd: Option<i32>,
    readable_all: Option<bool>,
    writable_all: Option<bool>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

/// Node sends `false`, 0 or a number; JavaScript's numbers may have a fraction.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrFlag {
    Number(f64),
    Flag(#[expect(dead_code, reason = "any flag means the default")] bool),
}

fn cluster_message(json: &RawValue) -> Option<Incoming> {
    let fields: Fields = serde_json::from_str(json.get()).ok()?;
    if let Some(ack) = fields.ack {
        return Some(Incoming::Reply { ack, accepted: fields.accepted == Some(true) });
    }
    match fields.act.as_deref()? {
        "online" => Some(Incoming::Online),
        "queryServer" => fields.into_query().map(Incoming::Query),
        "listening" => Some(Incoming::Listening(fields.into_listening())),
        "close" => Some(Incoming::Close { key: fields.key? }),
        "exitedAfterDisconnect" => Some(Incoming::ExitedAfterDisconnect { seq: fields.seq? }),
        _ => None,
    }
}

impl Fields {
    fn into_query(self) -> Option<Query> {
        Some(Query {
            seq: self.seq?,
            index: self.index.unwrap_or(0),
            data: self.data.unwrap_or_else(|| RawValue::NULL.to_owned()),
            port: self.port,
            address_type: address_type(self.address_type),
            address: self.address,
            flags: self.flags.unwrap_or(0),
            backlog: backlog(self.backlog.as_ref()),
            fd: self.fd.filter(|&fd| fd >= 0),
            readable_all: self.readable_all == Some(true),
            writable_all: self.writable_all == Some(true),
        })
    }

    fn into_listening(self) -> Listening {
        Listening { address: self.address, port: self.port, address_type: address_type(self.address_type) }
    }
}

fn address_type(sent: Option<NumberOrText>) -> AddressType {
    match sent {
        None => AddressType::Unsaid,
        Some(NumberOrText::Number(4)) => AddressType::Tcp4,
        Some(NumberOrText::Number(6)) => AddressType::Tcp6,
        Some(NumberOrText::Number(-1)) => AddressType::Unix,
        Some(NumberOrText::Text(text)) if text == "udp4" => AddressType::Udp4,
        Some(NumberOrText::Text(text)) if text == "udp6" => AddressType::Udp6,
        Some(_) => AddressType::Unknown,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and only positive ones are cast"
)]
fn backlog(sent: Option<&NumberOrFlag>) -> u32 {
    match sent {
        Some(&NumberOrFlag::Number(number)) if number >= 1.0 => number as u32,
        _ => DEFAULT_BACKLOG,
    }
}

#[cfg(test)]
mod tests;
