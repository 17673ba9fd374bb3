//! Tests of how lines look.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TIME: &str = "2026-11-24T02:11:43.123Z";

fn label(stream: Stream) -> Label {
    let source = Source { app: AppId(0), name: "web", instance: InstanceId(0), pid: Pid::new(42) };
    Label::new(source, stream, false)
}

fn object(line: &[u8], part: Part) -> String {
    let mut out = Vec::new();
    let mut object = JsonLine::begin(line, part, &label(Stream::Stdout), TIME, &mut out);
    while object.write_some(&mut out) {}
    String::from_utf8(out).unwrap()
}

fn parsed(line: &[u8]) -> Value {
    serde_json::from_str(&object(line, Part::Last)).unwrap()
}

fn prefixed(bytes: &[u8], enough: usize) -> Vec<u8> {
    let (mut left, mut all) = (bytes, Vec::new());
    while !left.is_empty() {
        let mut out = Vec::new();
        left = prefix_lines(left, b"> ", &mut out, enough);
        all.extend(out);
    }
    all
}

#[test]
fn times_are_utc_with_milliseconds() {
    for (millis, wanted) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_486_303_123, "2026-11-24T02:11:43.123Z"),
        (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
    ] {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), wanted);
    }
}

#[test]
fn a_part_of_a_line_keeps_a_carriage_return_at_its_end() {
    let part: Value = serde_json::from_str(&object(b"50%\r", Part::More)).unwrap();
    assert_eq!(part["message"], "50%\r");
    assert_eq!(parsed(b"100%\r\n")["message"], "100%");
}

#[test]
fn a_line_becomes_an_object() {
    assert_eq!(
        object(b"said \"hi\"\t\\\r\n", Part::Last),
        "{\"time\":\"2026-11-24T02:11:43.123Z\",\"level\":\"info\",\"app\":\"web\",\"instance\":0,\"pid\":42,\
         \"stream\":\"stdout\",\"message\":\"said \\\"hi\\\"\\t\\\\\"}\n"
    );
    assert_eq!(parsed(b"\n")["message"], "");
    assert_eq!(parsed(b"no end")["message"], "no end");
    assert_eq!(parsed(b"bad \xff\xe2\x82 byte\n")["message"], "bad \u{fffd}\u{fffd} byte");
}

#[test]
fn lines_of_stderr_are_errors() {
    let mut out = Vec::new();
    let _object = JsonLine::begin(b"x", Part::Last, &label(Stream::Stderr), TIME, &mut out);
    let head = String::from_utf8(out).unwrap();
    assert!(head.contains(r#""level":"error""#) && head.contains(r#""stream":"stderr""#), "{head}");
}

#[test]
fn an_object_is_embedded_with_its_level() {
    let line = br#"{"level":40,"msg":"slow","n":1.0e400,"deep":{"level":"x"}}"#;
    let text = object(line, Part::Last);
    assert!(text.contains(r#""level":"warn","app""#), "{text}");
    assert!(text.ends_with(&format!(",\"message\":{}}}\n", std::str::from_utf8(line).unwrap())), "{text}");
    for (line, level) in [
        (r#" {"level":"INFO"} "#, "info"),
        (r#"{"level":"error","level":"debug"}"#, "debug"),
        (r#"{"level":60}"#, "fatal"),
        (r#"{"level":35}"#, "info"),
        (r#"{"level":"no, \"word\""}"#, "info"),
        (r#"{"level":null}"#, "info"),
        (r"{}", "info"),
    ] {
        let value = parsed(line.as_bytes());
        assert_eq!(value["level"], level, "{line}");
        assert!(value["message"].is_object(), "{line}");
    }
}

#[test]
fn what_only_looks_like_an_object_is_quoted() {
    for line in ["{", "{}{}", "{\"a\":1} {\"b\":2}", "{a}", "[1]", "\"x\"", "7", "{\"a\":\"\u{1}\"}"] {
        assert_eq!(parsed(line.as_bytes())["message"], json!(line), "{line}");
    }
    assert_eq!(parsed(b"{\"a\":\"\xff\"}")["message"], "{\"a\":\"\u{fffd}\"}");
}

#[test]
fn a_part_says_so() {
    let text = object(b"{}", Part::More);
    assert!(text.ends_with("\"partial\":true,\"message\":\"{}\"}\n"), "{text}");
}

#[test]
fn colours_take_turns_and_are_closed() {
    let name = |number| Source { app: AppId(0), name: "a", instance: InstanceId(number), pid: Pid::new(1) };
    let first = Label::new(name(0), Stream::Stdout, true).prefix;
    assert_eq!(&*first, b"\x1b[36ma.0 |\x1b[0m ");
    assert_ne!(first[..5], Label::new(name(1), Stream::Stdout, true).prefix[..5]);
}

#[test]
fn prefixes_stand_before_every_line_but_the_callers() {
    assert_eq!(prefixed(b"a\n\nb", 1000), b"a\n> \n> b");
    assert_eq!(prefixed(b"a\nb\n", 1000), b"a\n> b\n");
}

proptest! {
    #[test]
    fn prefixing_in_steps_is_prefixing_at_once(
        bytes in prop::collection::vec(prop::sample::select(b"\nab".to_vec()), 0..40), enough in 1..10_usize,
    ) {
        prop_assert_eq!(prefixed(&bytes, enough), prefixed(&bytes, usize::MAX));
    }

    #[test]
    fn any_bytes_become_one_valid_object(bytes in prop::collection::vec(any::<u8>(), 0..200), times in 1..300_usize) {
        let line: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\n').collect::<Vec<_>>().repeat(times);
        let text = object(&line, Part::More);
        let value: Value = serde_json::from_str(&text).unwrap();
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        prop_assert_eq!(text.matches('\n').count(), 1);
        if let Ok(line) = std::str::from_utf8(line) {
            prop_assert_eq!(value["message"].as_str().unwrap(), line);
        }
    }

    #[test]
    fn long_text_keeps_its_characters(text in "[a€😀]{1,50}", times in 200..2000_usize) {
        let line = text.repeat(times);
        let value = parsed(line.as_bytes());
        prop_assert_eq!(value["message"].as_str().unwrap(), line);
    }
}
