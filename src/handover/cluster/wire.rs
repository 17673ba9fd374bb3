//! What we write to a Node worker, in Node's words. Pure; when to say what is `link`'s subject.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::codec::AddressType;

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

/// A `NODE_CLUSTER` message of ours. Absent fields are left out, as Node leaves out `undefined`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "cmd", rename = "NODE_CLUSTER")]
pub struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    pub seq: u64,
}

impl<'a> Message<'a> {
    /// The answer to the worker's message `ack`; `errno` is negative, or 0.
    #[must_use]
    pub fn answer(ack: u64, key: &'a str, errno: i32) -> Self {
        Self { ack: Some(ack), key: Some(key), errno: Some(errno), ..Self::default() }
    }
}

/// The wrapper of a message that comes with a descriptor. Deno needs the second pair of fields, Node ignores it.
#[derive(Serialize)]
#[serde(tag = "cmd", rename = "NODE_HANDLE", rename_all = "camelCase")]
struct Handle<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket_type: Option<u8>,
    msg: Message<'a>,
}

/// Node's `TCPConstants`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketType {
    Connection = 0,
    Listener = 1,
}

/// What the worker has to make of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandleKind {
    Tcp,
    Pipe,
    Datagram,
}

impl HandleKind {
    /// The kind for a query's address. What a descriptor of the app's own choice is, only the app knows; Node finds out
    /// by itself.
    #[must_use]
    pub fn of(address_type: AddressType) -> Self {
        match address_type {
            AddressType::Udp4 | AddressType::Udp6 => Self::Datagram,
            AddressType::Unix => Self::Pipe,
            AddressType::Tcp4 | AddressType::Tcp6 | AddressType::Unsaid | AddressType::Unknown => Self::Tcp,
        }
    }
}

/// A message without a descriptor.
#[must_use]
pub fn message_frame(message: &Message<'_>) -> Frame {
    line_of(message, Carries::Nothing)
}

/// A message with a descriptor that is a `kind`.
#[must_use]
pub fn handle_frame(kind: HandleKind, socket_type: SocketType, msg: Message<'_>) -> Frame {
    let (kind, native_kind) = match kind {
        HandleKind::Tcp => ("net.Native", Some("tcp")),
        HandleKind::Pipe => ("net.Native", Some("pipe")),
        HandleKind::Datagram => ("dgram.Native", None),
    };
    let socket_type = native_kind.map(|_| socket_type as u8);
    line_of(&Handle { kind, native_kind, socket_type, msg }, Carries::Descriptor)
}

/// What Node waits for after it has sent a descriptor, before it says anything more.
#[must_use]
pub fn acknowledgement() -> Frame {
    Frame { line: b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n".to_vec(), carries: Carries::Nothing }
}

/// A message that should come with a descriptor, without one. Node answers that it has got none (NODE_HANDLE_NACK).
#[must_use]
pub fn empty_handle() -> Frame {
    Frame { line: b"{\"cmd\":\"NODE_HANDLE\"}\n".to_vec(), carries: Carries::Nothing }
}

/// A message for the app.
#[must_use]
pub fn user_frame(json: &RawValue) -> Frame {
    // A raw line end can only stand between JSON's words, where a space means the same.
    let text = json.get().bytes().map(|byte| if byte == b'\n' { b' ' } else { byte });
    Frame { line: text.chain([b'\n']).collect(), carries: Carries::Nothing }
}

fn line_of(message: &impl Serialize, carries: Carries) -> Frame {
    let mut line = serde_json::to_vec(message).expect("a struct of strings and numbers is always JSON");
    line.push(b'\n');
    Frame { line, carries }
}
