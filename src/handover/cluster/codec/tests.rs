//! Captured lines, and any bytes in any chunks.

use proptest::prelude::*;

use super::*;

fn one(line: &str) -> Incoming {
    let mut messages = Decoder::default().push(format!("{line}\n").as_bytes());
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

fn query(line: &str) -> Query {
    match one(line) {
        Incoming::Query(query) => query,
        other => panic!("not a query: {other:?}"),
    }
}

#[test]
fn a_query_of_node_is_read_whole() {
    let query = query(
        r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":1,"data":{"ticketKeys":"ab"},"address":"::1","port":28456,"addressType":6,"flags":1,"backlog":100,"seq":3}"#,
    );
    assert_eq!((query.seq, query.index, query.flags, query.backlog), (3, 1, 1, 100));
    assert_eq!((query.address.as_deref(), query.port), (Some("::1"), Some(28456)));
    assert_eq!(query.address_type, AddressType::Tcp6);
    assert_eq!(query.data.get(), r#"{"ticketKeys":"ab"}"#);
}

#[test]
fn a_query_without_address_has_nodes_defaults() {
    for backlog in ["0", "false", "null", "-1"] {
        let query = query(&format!(
            r#"{{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":80,"addressType":4,"backlog":{backlog},"seq":1}}"#
        ));
        assert_eq!((query.address, query.backlog, query.data.get()), (None, 511, "null"));
    }
}

#[test]
fn the_kinds_of_address_are_told_apart() {
    for (sent, kind) in [
        ("4", AddressType::Tcp4),
        ("6", AddressType::Tcp6),
        ("-1", AddressType::Unix),
        ("\"udp4\"", AddressType::Udp4),
        ("\"udp6\"", AddressType::Udp6),
        ("null", AddressType::Unsaid),
        ("5", AddressType::Unknown),
        ("\"\"", AddressType::Unknown),
    ] {
        let line = format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer","addressType":{sent},"seq":1}}"#);
        assert_eq!(query(&line).address_type, kind, "{sent}");
    }
}

#[test]
fn udps_fd_of_minus_one_is_none() {
    assert_eq!(query(r#"{"cmd":"NODE_CLUSTER","act":"queryServer","fd":-1,"seq":1}"#).fd, None);
    assert_eq!(query(r#"{"cmd":"NODE_CLUSTER","act":"queryServer","fd":3,"seq":1}"#).fd, Some(3));
}

#[test]
fn the_other_messages_of_node_are_read() {
    assert!(matches!(one(r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#), Incoming::Online));
    assert!(
        matches!(one(r#"{"cmd":"NODE_CLUSTER","act":"close","key":"k","seq":4}"#), Incoming::Close { key } if key == "k")
    );
    assert!(matches!(
        one(r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":5}"#),
        Incoming::ExitedAfterDisconnect { seq: 5 }
    ));
    assert!(matches!(
        one(r#"{"cmd":"NODE_CLUSTER","ack":2,"accepted":true,"seq":6}"#),
        Incoming::Reply { ack: 2, accepted: true }
    ));
    assert!(matches!(one(r#"{"cmd":"NODE_HANDLE_ACK"}"#), Incoming::HandleAck));
    assert!(matches!(one(r#"{"cmd":"NODE_HANDLE_NACK"}"#), Incoming::HandleNack));
    let Incoming::Listening(listening) =
        one(r#"{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":80,"addressType":4,"seq":2}"#)
    else {
        panic!("not listening");
    };
    assert_eq!(listening.port, Some(80));
}

#[test]
fn any_json_value_is_a_message_of_the_app() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for line in [
        "\"ready\"",
        "1",
        "null",
        "[\"NODE_CLUSTER\"]",
        r#"{"cmd":"NODE_"}"#,
        r#"{"cmd":7}"#,
        r#"{"cmd":"node_cluster"}"#,
        r#""\ud800""#,
        &deep,
    ] {
        assert!(matches!(one(line), Incoming::User(json) if json.get() == line), "{line}");
    }
}

#[test]
fn what_is_not_ours_is_ignored() {
    for (line, why) in [
        ("nonsense", Ignored::NotJson),
        ("{} {}", Ignored::NotJson),
        ("\u{2}{\"act\":\"online\",\"seq\":0}", Ignored::NotJson),
        (r#"{"cmd":"NODE_DEBUG_ENABLED"}"#, Ignored::Unknown),
        (r#"{"cmd":"NODE_CLUSTER","act":"invented","seq":1}"#, Ignored::Unknown),
        (r#"{"cmd":"NODE_CLUSTER","act":"queryServer"}"#, Ignored::Unknown),
        (r#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":-1}"#, Ignored::Unknown),
    ] {
        assert!(matches!(one(line), Incoming::Ignored(found) if found == why), "{line}");
    }
}

#[test]
fn a_message_with_a_socket_brings_the_message() {
    let incoming = one(r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"take it"}"#);
    assert!(
        matches!(incoming, Incoming::Handle { message: Some(message) } if message.get() == "\"take it\"")
    );
}

#[test]
fn a_line_beyond_the_limit_is_reported_once_and_the_next_is_read() {
    let mut decoder = Decoder::with_limit(8);
    assert!(decoder.push(b"\"1234567").is_empty());
    assert!(decoder.push(b"8").is_empty());
    assert!(decoder.push(b"90").is_empty());
    let messages = decoder.push(b"\"\n\"123456\"\n");
    assert!(matches!(
        &messages[..],
        [Incoming::Ignored(Ignored::TooLong), Incoming::User(json)] if json.get() == "\"123456\""
    ));
}

#[test]
fn a_finished_message_leaves_no_memory_behind() {
    let mut decoder = Decoder::default();
    decoder.push(format!("\"{}\"\n", "x".repeat(1 << 20)).as_bytes());
    assert_eq!(decoder.partial.capacity(), 0);
}

/// Lines of a worker, good and bad, and bytes of no sense.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(br#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#.to_vec()),
        Just(br#"{"cmd":"NODE_CLUSTER","act":"queryServer","addressType":"udp4","seq":9}"#.to_vec()),
        Just(br#"{"cmd":"NODE_HANDLE_ACK"}"#.to_vec()),
        Just("\"\u{e9}\u{1f600}\"".as_bytes().to_vec()),
        "[\"{}:,a-z0-9\\\\]{0,40}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #[test]
    fn the_chunks_make_no_difference(bytes in stream(), sizes in proptest::collection::vec(1usize..20, 1..40)) {
        let whole = Decoder::with_limit(50).push(&bytes);
        let mut decoder = Decoder::with_limit(50);
        let mut parts = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*size).min(rest.len()));
            parts.extend(decoder.push(chunk));
            rest = tail;
        }
        prop_assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
    }

    #[test]
    fn every_complete_line_gives_one_message_unless_it_is_empty(bytes in stream()) {
        let ends = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
        let lines = bytes[..ends].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
        prop_assert_eq!(Decoder::default().push(&bytes).len(), lines);
    }
}
