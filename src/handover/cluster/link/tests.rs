//! Conversations, as far as they can be held without a worker.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::handover::cluster::codec::AddressType;
use crate::handover::cluster::wire::Carries;

struct Talk {
    link: Link,
    shared: SharedData,
    replies: Vec<Frame>,
}

impl Talk {
    fn new() -> Self {
        Self { link: Link::new(WorkerId(5)), shared: SharedData::default(), replies: Vec::new() }
    }

    fn hear(&mut self, message: &Value) -> Vec<FromWorker> {
        self.link.receive(format!("{message}\n").as_bytes(), &mut self.replies)
    }

    #[track_caller]
    fn ask(&mut self, seq: u64, address: Option<&str>, port: u16) -> Query {
        match &self.hear(&query(seq, address, port))[..] {
            [FromWorker::Wants { query, .. }] => (**query).clone(),
            other => panic!("no query: {other:?}, {:?}", self.replies),
        }
    }

    fn give(&mut self, query: &Query) -> Value {
        let frame = self.link.answer_listener(query, &mut self.shared).unwrap();
        assert_eq!(frame.carries, Carries::Descriptor);
        read(&frame)
    }

    fn reply(&mut self) -> Value {
        assert_eq!(self.replies.len(), 1, "{:?}", self.replies);
        read(&self.replies.remove(0))
    }
}

fn query(seq: u64, address: Option<&str>, port: u16) -> Value {
    json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "index": 0, "data": null, "address": address,
        "port": port, "addressType": 4, "seq": seq})
}

fn close(key: &Value) -> Value {
    json!({"cmd": "NODE_CLUSTER", "act": "close", "key": key, "seq": 99})
}

#[track_caller]
fn read(frame: &Frame) -> Value {
    let (end, line) = frame.line.split_last().unwrap();
    assert_eq!(*end, b'\n');
    assert!(!line.contains(&b'\n'));
    serde_json::from_slice(line).unwrap()
}

#[test]
fn a_socket_is_handed_over_in_nodes_words() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    assert_eq!(
        talk.give(&query),
        json!({"cmd": "NODE_HANDLE", "type": "net.Native", "nativeKind": "tcp", "socketType": 1,
            "msg": {"cmd": "NODE_CLUSTER", "errno": 0, "key": "null:80:4:0#5.1", "ack": 1, "data": null, "seq": 0}})
    );
}

#[test]
fn an_error_is_negative_and_frees_the_address() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    let frame = talk.link.answer_error(&query, Errno(13)).unwrap();
    assert_eq!(frame.carries, Carries::Nothing);
    assert_eq!(
        read(&frame),
        json!({"cmd": "NODE_CLUSTER", "errno": -13, "key": "null:80:4:0#5.1", "ack": 1, "data": null, "seq": 0})
    );
    assert!(talk.link.has_no_server());
    talk.ask(2, None, 80);
}

#[test]
fn a_query_is_answered_once() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    talk.give(&query);
    assert_eq!(talk.link.answer_listener(&query, &mut talk.shared), None);
    assert_eq!(talk.link.answer_error(&query, Errno(13)), None);
}

#[test]
fn an_address_that_the_worker_holds_is_in_use_until_it_is_closed() {
    let mut talk = Talk::new();
    let first = talk.ask(1, Some("0.0.0.0"), 80);
    let key = talk.give(&first)["msg"]["key"].clone();
    assert!(talk.hear(&query(2, Some("0.0.0.0"), 80)).is_empty());
    let refusal = talk.reply();
    assert_eq!((&refusal["errno"], &refusal["ack"]), (&json!(-98), &json!(2)));
    assert!(refusal["key"].is_string() && refusal["key"] != key);

    let heard = talk.hear(&close(&key));
    assert!(matches!(heard[..], [FromWorker::Closed { server: ServerId(1), left: ServersLeft::None }]));
    assert!(talk.link.has_no_server());
    let again = talk.ask(3, Some("0.0.0.0"), 80);
    assert_ne!(talk.give(&again)["msg"]["key"], key);
    assert!(!talk.link.has_no_server());
}

#[test]
fn the_free_ports_of_one_worker_are_different_servers() {
    let mut talk = Talk::new();
    let (first, second) = (talk.ask(1, None, 0), talk.ask(2, None, 0));
    assert_ne!(talk.give(&first)["msg"]["key"], talk.give(&second)["msg"]["key"]);
}

#[test]
fn addresses_conflict_as_they_do_in_the_kernel() {
    let tcp = |host: Option<&str>, only_v6| Wanted::Tcp {
        host: host.map(|host| host.parse().unwrap()),
        port: 80,
        only_v6,
        index: 0,
        backlog: 1,
    };
    for (one, other, conflict) in [
        (tcp(None, false), tcp(Some("127.0.0.1"), false), true),
        (tcp(Some("0.0.0.0"), false), tcp(Some("127.0.0.1"), false), true),
        (tcp(Some("127.0.0.2"), false), tcp(Some("127.0.0.1"), false), false),
        (tcp(Some("::"), false), tcp(Some("0.0.0.0"), false), true),
        (tcp(Some("::"), true), tcp(Some("0.0.0.0"), false), false),
        (tcp(Some("::1"), false), tcp(Some("127.0.0.1"), false), false),
        (tcp(Some("::1"), false), tcp(None, false), true),
    ] {
        assert_eq!(one.conflicts(&other), conflict, "{one:?} {other:?}");
        assert_eq!(other.conflicts(&one), conflict, "{other:?} {one:?}");
    }
}

#[test]
fn an_address_that_is_none_is_invalid() {
    for (address, port, kind) in [
        (json!("localhost"), json!(80), json!(4)),
        (json!(null), json!(65536), json!(4)),
        (json!(null), json!(-1), json!(4)),
        (json!(null), json!(-1), json!(-1)),
        (json!(null), json!(80), json!("udp5")),
    ] {
        let mut talk = Talk::new();
        let heard = talk
            .hear(&json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "address": address, "port": port,
            "addressType": kind, "seq": 1}));
        assert!(heard.is_empty());
        assert_eq!(talk.reply()["errno"], -22, "{address} {port} {kind}");
    }
}

#[test]
fn what_is_wanted_is_said_in_our_words() {
    let wanted = |fields: Value| {
        let mut message = json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "index": 2, "seq": 1});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        match &Talk::new().hear(&message)[..] {
            [FromWorker::Wants { wanted, .. }] => wanted.clone(),
            other => panic!("no query: {other:?}"),
        }
    };
    assert_eq!(
        wanted(json!({"address": "::", "port": 80, "addressType": 6, "flags": 1, "backlog": 7})),
        Wanted::Tcp { host: Some("::".parse().unwrap()), port: 80, only_v6: true, index: 2, backlog: 7 }
    );
    assert_eq!(
        wanted(json!({"address": "0.0.0.0", "port": 53, "addressType": "udp4", "fd": -1, "flags": 4})),
        Wanted::Udp {
            host: "0.0.0.0".parse().unwrap(),
            port: 53,
            only_v6: false,
            reuse_address: true,
            index: 2
        }
    );
    assert_eq!(
        wanted(json!({"address": "/run/a.sock", "port": -1, "addressType": -1, "readableAll": true})),
        Wanted::Unix { path: "/run/a.sock".into(), readable_all: true, writable_all: false, backlog: 511 }
    );
    assert_eq!(wanted(json!({"address": null, "port": null, "addressType": null, "fd": 7})), Wanted::Fd(7));
}

#[test]
fn workers_share_the_data_of_the_first_one() {
    let mut first = Talk::new();
    let ask = |keys: &str| {
        json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "data": {"ticketKeys": keys},
        "port": 443, "addressType": 4, "seq": 1})
    };
    let own =
        Query { data: serde_json::from_str(r#"{"ticketKeys":"aa"}"#).unwrap(), ..first.ask(1, None, 443) };
    first.give(&own);
    let mut second = Talk { shared: first.shared, ..Talk::new() };
    let heard = second.hear(&ask("bb"));
    let [FromWorker::Wants { query, .. }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(second.give(query)["msg"]["data"], json!({"ticketKeys": "aa"}));
}

#[test]
fn a_leaving_worker_is_acknowledged_and_gets_nothing_more() {
    let mut talk = Talk::new();
    let pending = talk.ask(1, None, 80);
    let heard = talk.hear(&json!({"cmd": "NODE_CLUSTER", "act": "exitedAfterDisconnect", "seq": 2}));
    assert!(matches!(heard[..], [FromWorker::Leaving]));
    assert_eq!(talk.reply(), json!({"cmd": "NODE_CLUSTER", "ack": 2, "seq": 0}));
    assert_eq!(talk.link.answer_listener(&pending, &mut talk.shared), None);
    assert_eq!(talk.link.answer_error(&pending, Errno(13)), None);
    assert!(talk.hear(&query(3, None, 81)).is_empty());
    assert_eq!(talk.link.disconnect(), None);
    assert_eq!(talk.replies, []);
}

#[test]
fn a_worker_is_asked_to_leave_once() {
    let mut talk = Talk::new();
    let frame = talk.link.disconnect().unwrap();
    assert_eq!(read(&frame), json!({"cmd": "NODE_CLUSTER", "act": "disconnect", "seq": 0}));
    assert_eq!(talk.link.disconnect(), None);
    assert!(talk.hear(&query(1, None, 80)).is_empty());
    assert_eq!(talk.replies, []);
}

#[test]
fn a_connection_goes_to_a_server_that_is_held() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    assert_eq!(talk.link.hand_connection(query.server()), None);
    let key = talk.give(&query)["msg"]["key"].clone();
    let (seq, frame) = talk.link.hand_connection(query.server()).unwrap();
    assert_eq!(
        read(&frame),
        json!({"cmd": "NODE_HANDLE", "type": "net.Native", "nativeKind": "tcp", "socketType": 0,
            "msg": {"cmd": "NODE_CLUSTER", "act": "newconn", "key": key, "seq": seq}})
    );
    let heard = talk.hear(&json!({"cmd": "NODE_CLUSTER", "ack": seq, "accepted": true, "seq": 7}));
    assert!(matches!(heard[..], [FromWorker::Connection { seq: found, taken: true }] if found == seq));
}

#[test]
fn a_socket_from_the_app_is_acknowledged_lest_it_falls_silent() {
    let mut talk = Talk::new();
    let heard = talk.hear(&json!({"cmd": "NODE_HANDLE", "type": "net.Socket", "msg": "here"}));
    assert!(matches!(&heard[..], [FromWorker::Said(json)] if json.get() == "\"here\""));
    assert_eq!(talk.reply(), json!({"cmd": "NODE_HANDLE_ACK"}));
}

#[test]
fn a_message_for_the_app_is_one_line_and_none_of_nodes_own() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let frame = Link::user(&raw("{\n \"a\": \"b\\n\"\n}")).unwrap();
    assert_eq!(read(&frame), json!({"a": "b\n"}));
    assert_eq!(Link::user(&raw(r#"{"cmd":"NODE_CLUSTER","act":"disconnect"}"#)), None);
}

#[test]
fn the_kind_of_a_handle_follows_the_address() {
    for (port, kind, handle, native) in [
        (json!(53), json!("udp4"), "dgram.Native", json!(null)),
        (json!(-1), json!(-1), "net.Native", json!("pipe")),
    ] {
        let mut talk = Talk::new();
        let address = if native.is_null() { "127.0.0.1" } else { "/run/a.sock" };
        let heard = talk
            .hear(&json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "address": address, "port": port,
            "addressType": kind, "seq": 1}));
        let [FromWorker::Wants { query, .. }] = &heard[..] else { panic!("{heard:?}") };
        assert_ne!(query.address_type, AddressType::Unknown);
        let answer = talk.give(query);
        assert_eq!((&answer["type"], &answer["nativeKind"]), (&json!(handle), &native));
    }
}

/// What a worker may say, in an order that no worker would.
fn line() -> impl Strategy<Value = String> {
    let seq = 0u64..3;
    let kind =
        prop_oneof![Just(json!(4)), Just(json!(6)), Just(json!("udp4")), Just(json!(-1)), Just(json!(null))];
    let address =
        prop_oneof![Just(json!(null)), Just(json!("127.0.0.1")), Just(json!("/a")), Just(json!("::"))];
    let query = (seq.clone(), kind, address, -1i32..2, 0u32..2, -4i32..2).prop_map(
        |(seq, kind, address, port, index, fd)| {
            json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "seq": seq, "addressType": kind,
            "address": address, "port": port, "index": index, "fd": fd})
        },
    );
    let close =
        (seq.clone(), 0u32..2).prop_map(|(seq, index)| close(&json!(format!("null:1:4:{index}#5.{seq}"))));
    let leave =
        seq.prop_map(|seq| json!({"cmd": "NODE_CLUSTER", "act": "exitedAfterDisconnect", "seq": seq}));
    prop_oneof![
        8 => query.prop_map(|message| message.to_string()),
        3 => close.prop_map(|message| message.to_string()),
        1 => leave.prop_map(|message| message.to_string()),
        1 => "[a-z{}\"]{0,20}",
    ]
}

proptest! {
    #[test]
    fn whatever_a_worker_says_no_two_of_its_servers_have_one_key(lines in proptest::collection::vec(line(), 0..40)) {
        let mut talk = Talk::new();
        for line in lines {
            let heard = talk.link.receive(format!("{line}\n").as_bytes(), &mut talk.replies);
            let mut answers = std::mem::take(&mut talk.replies);
            for event in heard {
                if let FromWorker::Wants { query, .. } = event {
                    answers.extend(talk.link.answer_listener(&query, &mut talk.shared));
                }
            }
            for answer in &answers {
                read(answer);
            }
            prop_assert!(answers.len() <= 1);
            let keys: BTreeSet<_> = talk.link.servers.iter().map(|server| &server.key).collect();
            prop_assert_eq!(keys.len(), talk.link.servers.len());
        }
    }
}

#[test]
fn an_event_loop_that_turns_is_told_from_a_descriptor_that_was_lost() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    talk.give(&query);
    let ping = talk.link.ping().unwrap();
    assert_eq!((read(&ping), ping.carries), (json!({"cmd": "NODE_HANDLE"}), Carries::Nothing));
    let nack = json!({"cmd": "NODE_HANDLE_NACK"});
    assert!(matches!(talk.hear(&nack)[..], [FromWorker::DescriptorLost]));
    assert!(matches!(talk.hear(&nack)[..], [FromWorker::Pulse]));
    assert!(matches!(talk.hear(&nack)[..], [FromWorker::DescriptorLost]));
}

#[test]
fn a_descriptor_that_has_arrived_leaves_the_ping_before_it_to_be_answered() {
    let mut talk = Talk::new();
    let query = talk.ask(1, None, 80);
    talk.give(&query);
    talk.link.ping().unwrap();
    assert!(talk.hear(&json!({"cmd": "NODE_HANDLE_ACK"})).is_empty());
    assert!(matches!(talk.hear(&json!({"cmd": "NODE_HANDLE_NACK"}))[..], [FromWorker::Pulse]));
    talk.link.disconnect();
    assert_eq!(talk.link.ping(), None);
}
