//! The app's output: byte for byte, line by line, never lost.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::process::ChildStdout;

use support::fixtures::compiled;
use support::launch::Launch;
use support::{processes, signals, wait, words};

/// The most memory the runtime may ever have used, in kB, beside that of its own file, which grows with the program and is
/// many times larger in a debug build.
const MOST_MEMORY: u64 = 4 * 1024;

fn worker(options: &[&str], rest: &[&str]) -> Launch {
    let mut words: Vec<OsString> = options.iter().map(OsString::from).collect();
    words.push(compiled("worker").into());
    words.extend(rest.iter().map(OsString::from));
    Launch::new(words)
}

#[test]
fn raw_is_byte_exact_on_both_outputs() {
    let stdout = "one\n\n\r\n\x1b[31mred\x1b[0m \ttab\n\n\nlast without newline";
    let stderr = "error one\n\nerror without newline";
    let options = ["--log-format", "raw", "--no-autorestart"];
    let mut runtime = worker(&options, &["say", stdout, stderr]).spawn();
    assert_eq!(String::from_utf8_lossy(&runtime.final_stdout()), stdout);
    runtime.ends_with(0);
    let text = runtime.stderr.text();
    assert!(text.contains(stderr), "{text:?}");
}

#[test]
fn raw_lines_of_several_instances_stay_as_they_are() {
    let stdout = "one\n\n  indented\n";
    let mut runtime =
        worker(&["--no-autorestart", "-i", "2", "--log-format", "raw"], &["say", stdout]).spawn();
    let text = String::from_utf8(runtime.final_stdout()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["", "", "  indented", "  indented", "one", "one"]);
}

#[test]
fn a_last_line_without_newline_is_not_glued_to_another_workers_line() {
    let mut runtime =
        worker(&["--no-autorestart", "-i", "4", "--log-format", "raw"], &["say", "first\nlast"]).spawn();
    let text = String::from_utf8(runtime.final_stdout()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["first", "first", "first", "first", "last", "last", "last", "last"], "{text:?}");
}

#[test]
fn bytes_that_are_no_text_pass() {
    let script = r"printf 'a\377\376\000b\n'";
    let mut runtime = Launch::new(["--no-autorestart", "sh", "-c", script]).spawn();
    assert_eq!(runtime.final_stdout(), b"a\xff\xfe\x00b\n");
}

/// Checks every line of two workers' flood, slowly: `w0 NUMBER aaaa...`, in order for each.
fn check_flood(stdout: ChildStdout, lines: u64, length: usize) {
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    let mut line = Vec::new();
    let mut bytes = 0_usize;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        check_line(&line, length, &mut next);
        // A pause now and then, so that the runtime has to hold its workers back.
        let before = bytes >> 22;
        bytes += line.len();
        if bytes >> 22 != before {
            wait::vary(std::time::Duration::from_millis(5));
        }
    }
    let expected = BTreeMap::from([("w0".to_owned(), lines), ("w1".to_owned(), lines)]);
    assert_eq!(next, expected, "lines were lost");
}

fn check_line(line: &[u8], length: usize, next: &mut BTreeMap<String, u64>) {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    assert_eq!(line.len(), length, "a torn or mixed line: {}", shown());
    let text = std::str::from_utf8(line).unwrap();
    let mut parts = text.trim_end_matches('\n').splitn(3, ' ');
    let (tag, number, filling) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("a torn or mixed line: {}", shown()));
    let expected = next.entry(tag.to_owned()).or_default();
    assert_eq!(number, *expected, "out of order: {}", shown());
    *expected += 1;
    let letter = b'a' + u8::try_from(number % 26).unwrap();
    assert!(filling.bytes().all(|byte| byte == letter), "a torn or mixed line: {}", shown());
}

/// Two workers write `lines` lines each to a slow reader; nothing is torn or lost, and memory stays bounded.
#[track_caller]
fn floods(lines: u64, length: usize) {
    let options = ["-i", "2", "--no-autorestart", "--log-format", "raw"];
    let rest = ["flood-as-instance", &lines.to_string(), &length.to_string()];
    let mut runtime = worker(&options, &rest).stdout_for_test().spawn();
    let stdout = runtime.take_stdout();
    let pid = runtime.pid();
    let (most, checked) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| check_flood(stdout, lines, length));
        let mut most = 0;
        // Not its high-water mark, which counts pages of the executable that it has given back since.
        let ended = wait::within(wait::DEADLINE * 4, || {
            most = most.max(processes::status_kilobytes(pid, "RssAnon").unwrap_or(0));
            (!processes::is_alive(pid) || reader.is_finished()).then_some(())
        });
        assert!(ended.is_some(), "the flood does not end");
        (most, reader.join())
    });
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
    runtime.ends_with(0);
    assert!(most > 0 && most < MOST_MEMORY, "the runtime used up to {most} kB");
}

#[test]
fn a_million_lines_of_two_workers_are_neither_torn_nor_lost() {
    floods(500_000, 100);
}

#[test]
fn lines_of_200_kilobytes_are_neither_torn_nor_lost() {
    floods(1_000, 200_000);
}

#[test]
fn a_reader_that_stops_for_a_while_loses_nothing() {
    let options = ["-i", "2", "--no-autorestart", "--log-format", "raw"];
    let mut runtime = worker(&options, &["flood-as-instance", "20000", "100"]).stdout_for_test().spawn();
    let stdout = runtime.take_stdout();
    // Not read until the workers have been stopped by full pipes: all are asleep.
    runtime.until("workers that wait", || {
        let workers = runtime.workers();
        (workers.len() == 2 && workers.iter().all(|&pid| processes::state(pid) == Some('S'))).then_some(())
    });
    check_flood(stdout, 20_000, 100);
    runtime.ends_with(0);
}

fn objects(text: &str) -> Vec<serde_json::Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
    text.lines().map(parse).collect()
}

#[test]
fn json_is_one_object_a_line() {
    let stdout = "plain \"text\" \\ \u{1b}[31m\n\n{\"level\":\"warn\",\"n\":1}\n{not json}\nlast";
    let options = ["--log-format", "json", "--name", "shop", "--no-autorestart"];
    let mut runtime = worker(&options, &["say", stdout, "oops\n"]).spawn();
    let out = objects(&String::from_utf8(runtime.final_stdout()).unwrap());
    runtime.ends_with(0);
    assert_eq!(out.len(), 5, "{out:?}");
    for object in &out {
        assert_eq!(object["app"], "shop", "{object}");
        assert_eq!(object["instance"], 0, "{object}");
        assert!(object["pid"].as_u64().is_some(), "{object}");
        assert_eq!(object["stream"], "stdout", "{object}");
        let time = object["time"].as_str().unwrap_or_default();
        assert!(time.contains('T') && (time.ends_with('Z') || time.contains('+')), "{object}");
    }
    assert_eq!(out[0]["message"], "plain \"text\" \\ \u{1b}[31m");
    assert_eq!(out[1]["message"], "");
    // Embedded, not quoted: wherever it lies, it is an object.
    let embedded = out[2].as_object().unwrap().values().any(|value| value["n"] == 1) || out[2]["n"] == 1;
    assert!(embedded, "{}", out[2]);
    assert_eq!(out[3]["message"], "{not json}");
    assert_eq!(out[4]["message"], "last");
    let err = objects(&runtime.stderr.text());
    assert!(err.iter().any(|object| object["message"] == "oops" && object["stream"] == "stderr"), "{err:?}");
}

#[test]
fn our_own_messages_are_objects_too() {
    let mut runtime = worker(&["-i", "2", "--log-format", "json", "--name", "shop"], &["sleep"]).spawn();
    runtime.until_stdout("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    runtime.stops();
    let own = objects(&runtime.stderr.text());
    let messages: Vec<&str> = own.iter().map(|object| object["message"].as_str().unwrap()).collect();
    assert!(messages.iter().any(|message| message.contains("stopping")), "{messages:?}");
    for object in &own {
        assert_eq!(object["app"], "shop", "{object}");
        assert!(object["time"].is_string() && object["level"].is_string(), "{object}");
    }
}

/// Whether a line begins with a date or a time of day.
fn is_stamped(line: &str) -> bool {
    let shape: String = line.chars().take(40).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.contains("0000-00-00") || shape.contains("00:00:00")
}

#[test]
fn there_is_no_time_stamp_of_ours_on_a_dyno() {
    let mut runtime = worker(&["-i", "2", "--log-format", "text"], &["sleep"]).env("DYNO", "web.1").spawn();
    runtime.until_stdout("two workers", |text| (text.matches("ready pid=").count() == 2).then_some(()));
    runtime.stops();
    let both = runtime.stdout.text() + &runtime.stderr.text();
    for line in both.lines() {
        assert!(!is_stamped(line), "{line}");
    }
}

#[test]
fn text_has_a_prefix_for_each_instance() {
    let mut runtime = worker(&["-i", "2", "--log-format", "text", "--name", "web"], &["sleep"])
        .env("DYNO", "web.1")
        .spawn();
    for instance in ["web.0", "web.1"] {
        let line = runtime.stdout_line(instance);
        assert!(line.contains("ready pid="), "{line}");
    }
    runtime.stops();
}

#[test]
fn a_closed_output_ends_us_cleanly() {
    let mut runtime = worker(&["-i", "2"], &["flood-and-sleep", "1000000", "100"]).stdout_for_test().spawn();
    let mut stdout = runtime.take_stdout();
    let mut some = [0; 4096];
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let status = runtime.wait();
    assert!(status < 128, "status {status}\n{}", runtime.tails());
    assert!(!runtime.stderr.text().contains("panicked"), "{}", runtime.tails());
}

#[test]
fn what_a_worker_wrote_before_its_death_is_shown() {
    let script = "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; printf tail; kill -9 $$";
    let mut runtime = Launch::new(["--no-autorestart", "-i", "1", "sh", "-c", script]).spawn();
    let text = String::from_utf8(runtime.final_stdout()).unwrap();
    assert!(text.ends_with("line 9\ntail") || text.ends_with("line 9\ntail\n"), "{text:?}");
    runtime.ends_with(128 + signals::KILL);
    assert!(words::ours(&text).is_empty(), "our messages belong on standard error: {text}");
}
