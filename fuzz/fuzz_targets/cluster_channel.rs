//! What a Node worker writes to its channel, cut anywhere, while we answer, hand over connections, are updated, and say goodbye.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use pmr_runtime::handover::cluster::codec::{Decoder, Ignored, Incoming, Query, decode, internal_command};
use pmr_runtime::handover::cluster::link::Link;
use pmr_runtime::handover::cluster::outbox::Outbox;
use pmr_runtime::handover::cluster::wire::{Carries, Frame};
use pmr_runtime::handover::cluster::{Errno, FromWorker, ServerId, ServersLeft, SharedData, Taken, Wanted};
use pmr_runtime::metrics::node;
use pmr_runtime::spec::WorkerId;
use pmr_runtime_fuzz::{Script, with_script};
use serde::Deserialize;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let (said, script) = with_script(data);
    let script = Script::new(script);
    for limit in [40, 1 << 20] {
        lines_are_read_alike_however_they_are_cut(said, script.clone(), limit);
    }
    a_link_hears_the_same_however_it_is_cut(said, script.clone());
    Conversation::new(script).run(said);
});

fn lines_are_read_alike_however_they_are_cut(said: &[u8], mut script: Script<'_>, limit: usize) {
    let mut decoder = Decoder::with_limit(limit);
    let (mut rest, mut heard) = (said, Vec::new());
    while !rest.is_empty() {
        heard.extend(decoder.push(script.piece(&mut rest)));
    }
    let whole = said.iter().rposition(|&byte| byte == b'\n').map_or(&[][..], |end| &said[..end]);
    let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let expected: Vec<Incoming> = lines
        .map(|line| if line.len() > limit { Incoming::Ignored(Ignored::TooLong) } else { decode(line) })
        .collect();
    assert_eq!(format!("{heard:?}"), format!("{expected:?}"));
}

fn a_link_hears_the_same_however_it_is_cut(said: &[u8], mut script: Script<'_>) {
    let (mut one, mut replies) = (Link::new(WorkerId(1)), Vec::new());
    let heard = one.receive(said, &mut replies);
    let (mut other, mut replies2) = (Link::new(WorkerId(1)), Vec::new());
    let (mut rest, mut heard2) = (said, Vec::new());
    while !rest.is_empty() {
        heard2.extend(other.receive(script.piece(&mut rest), &mut replies2));
        other = handed_over(&other);
    }
    assert_eq!(format!("{heard:?}"), format!("{heard2:?}"));
    assert_eq!(replies, replies2);
}

/// As another program gets it in an update.
fn handed_over(link: &Link) -> Link {
    let state = serde_json::to_vec(link).expect("a link can be written");
    serde_json::from_slice(&state).expect("what was written can be read")
}

/// A link, what we know of it, and what it has to write.
struct Conversation<'a> {
    script: Script<'a>,
    link: Link,
    shared: SharedData,
    /// The servers that the worker should hold, and whether they were given their socket.
    held: BTreeMap<ServerId, Held>,
    /// Queries that are to be answered later.
    waiting: Vec<Query>,
    leaving: bool,
    next_seq: u64,
    outbox: Outbox<u8>,
    /// All that was queued to be written, and all that was.
    queued: Vec<u8>,
    written: Vec<u8>,
}

struct Held {
    wanted: Wanted,
    key: Option<String>,
}

/// The fields of what we say that matter here.
#[derive(Deserialize)]
struct Sent<'a> {
    cmd: String,
    act: Option<String>,
    key: Option<String>,
    ack: Option<u64>,
    errno: Option<i32>,
    seq: Option<u64>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
}

impl<'a> Conversation<'a> {
    fn new(script: Script<'a>) -> Self {
        Self {
            script,
            link: Link::new(WorkerId(1)),
            shared: SharedData::default(),
            held: BTreeMap::new(),
            waiting: Vec::new(),
            leaving: false,
            next_seq: 0,
            outbox: Outbox::default(),
            queued: Vec::new(),
            written: Vec::new(),
        }
    }

    fn run(mut self, mut said: &[u8]) {
        while !said.is_empty() {
            let piece = self.script.piece(&mut said);
            let mut replies = Vec::new();
            for event in self.link.receive(piece, &mut replies) {
                self.hear(event);
            }
            replies.into_iter().for_each(|reply| self.send(reply));
            self.act();
            assert_eq!(self.link.has_no_server(), self.held.is_empty());
        }
        while self.outbox.front().is_some() {
            self.write();
        }
        assert_eq!(self.queued, self.written);
    }

    fn hear(&mut self, event: FromWorker) {
        match event {
            FromWorker::Wants { query, wanted } => {
                assert!(!self.leaving, "a leaving worker is given no sockets");
                assert!(!self.held.values().any(|held| held.wanted.conflicts(&wanted)));
                let held = Held { wanted, key: None };
                assert!(self.held.insert(query.server(), held).is_none(), "a number was used twice");
                self.waiting.push(*query);
            }
            FromWorker::Closed { server, left } => {
                assert!(self.held.remove(&server).is_some());
                assert_eq!(left == ServersLeft::None, self.held.is_empty());
            }
            FromWorker::Leaving => self.leaving = true,
            FromWorker::Report(json) => {
                let _view = node::read(&json);
            }
            FromWorker::Said(json) => self.echo(&json),
            FromWorker::Online
            | FromWorker::Listening(_)
            | FromWorker::Connection { .. }
            | FromWorker::DescriptorLost
            | FromWorker::Pulse
            | FromWorker::Ignored(_)
            | FromWorker::Ended => {}
        }
    }

    /// Whatever an app says can be said to an app.
    fn echo(&mut self, json: &RawValue) {
        let Some(frame) = Link::user(json) else {
            assert!(internal_command(json).is_some());
            return;
        };
        assert_eq!(frame.carries, Carries::Nothing);
        let line = frame.line.clone();
        assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1));
        assert!(
            matches!(decode(&line[..line.len() - 1]), Incoming::User(again) if again.get() == json.get())
        );
        if self.outbox.push_message(frame) == Taken::Queued {
            self.queued.extend(line);
        }
    }

    /// Something that we do of our own accord.
    fn act(&mut self) {
        match self.script.below(8) {
            0 => {
                while !self.waiting.is_empty() {
                    self.answer(0);
                }
            }
            1 | 2 if !self.waiting.is_empty() => {
                let at = usize::from(self.script.choice()) % self.waiting.len();
                self.answer(at);
            }
            3 if !self.waiting.is_empty() => {
                let at = usize::from(self.script.choice()) % self.waiting.len();
                self.refuse(at);
            }
            4 => self.hand_connections(),
            5 => {
                let frame = self.link.disconnect();
                assert_eq!(frame.is_none(), self.leaving);
                self.leaving = true;
                self.send_all(frame);
            }
            6 => self.link = handed_over(&self.link),
            _ => self.write(),
        }
    }

    fn answer(&mut self, at: usize) {
        let query = self.waiting.swap_remove(at);
        let frame = self.link.answer_listener(&query, &mut self.shared);
        let waits = self.waits(&query);
        assert_eq!(
            frame.is_some(),
            waits && !self.leaving,
            "a server is given its socket if it waits for it"
        );
        let Some(frame) = frame else { return };
        assert_eq!(frame.carries, Carries::Descriptor);
        let key = self.sent(&frame).key.expect("an answer has a key");
        let keys: BTreeSet<_> = self.held.values().filter_map(|held| held.key.as_ref()).collect();
        assert!(!keys.contains(&key), "a key is unique among a worker's servers");
        self.held.get_mut(&query.server()).expect("it is held").key = Some(key);
        self.send(frame);
        assert!(self.link.answer_listener(&query, &mut self.shared).is_none(), "answered twice");
        assert!(self.link.answer_error(&query, Errno::EINVAL).is_none(), "answered, then refused");
    }

    fn refuse(&mut self, at: usize) {
        let query = self.waiting.swap_remove(at);
        let frame = self.link.answer_error(&query, Errno::EADDRINUSE);
        let waits = self.waits(&query);
        assert_eq!(frame.is_some(), waits && !self.leaving);
        if waits {
            self.held.remove(&query.server());
        }
        if let Some(frame) = &frame {
            let sent = self.sent(frame);
            assert_eq!((sent.errno, sent.ack), (Some(-Errno::EADDRINUSE.0), Some(query.seq)));
        }
        self.send_all(frame);
    }

    fn waits(&self, query: &Query) -> bool {
        self.held.get(&query.server()).is_some_and(|held| held.key.is_none())
    }

    fn hand_connections(&mut self) {
        let servers: Vec<ServerId> = self.held.keys().copied().collect();
        for server in servers {
            let handed = self.link.hand_connection(server);
            let held = &self.held[&server];
            let takes = held.key.is_some() && !matches!(held.wanted, Wanted::Udp { .. });
            // What the app's own descriptor is, the runtime cannot know.
            let unknown = matches!(held.wanted, Wanted::Fd(_));
            assert!(unknown || handed.is_some() == (takes && !self.leaving));
            if let Some((seq, frame)) = handed {
                let sent = self.sent(&frame);
                assert_eq!((sent.seq, sent.act.as_deref()), (Some(seq), Some("newconn")));
                assert_eq!(sent.key, self.held[&server].key);
                self.send(frame);
            }
        }
    }

    /// What a frame says, taken out of its wrapper.
    fn sent<'f>(&self, frame: &'f Frame) -> Sent<'f> {
        let sent: Sent<'_> = serde_json::from_slice(&frame.line).expect("a line of ours is JSON");
        match sent.msg {
            Some(inner) => {
                assert_eq!((sent.cmd.as_str(), frame.carries), ("NODE_HANDLE", Carries::Descriptor));
                serde_json::from_str(inner.get()).expect("what is wrapped is a message")
            }
            None => sent,
        }
    }

    fn send_all(&mut self, frame: Option<Frame>) {
        frame.into_iter().for_each(|frame| self.send(frame));
    }

    fn send(&mut self, frame: Frame) {
        assert_eq!(frame.line.iter().position(|&byte| byte == b'\n'), Some(frame.line.len() - 1));
        let sent = self.sent(&frame);
        if sent.cmd == "NODE_CLUSTER" {
            assert_eq!(sent.seq, Some(self.next_seq), "our messages are numbered without a gap");
            self.next_seq += 1;
        } else {
            assert_eq!(sent.cmd, "NODE_HANDLE_ACK");
        }
        self.queued.extend(&frame.line);
        let descriptor = (frame.carries == Carries::Descriptor).then_some(7);
        self.outbox.push(frame, descriptor);
    }

    /// The worker takes some of what waits.
    fn write(&mut self) {
        let wanted = usize::from(self.script.choice()) + 1;
        let Some((line, descriptor)) = self.outbox.front() else { return };
        let starts_a_line = self.written.last().is_none_or(|&byte| byte == b'\n');
        assert!(descriptor.is_none() || starts_a_line, "a descriptor goes with a line's first byte");
        let count = wanted.min(line.len());
        self.written.extend(&line[..count]);
        self.outbox.advance(count);
    }
}
