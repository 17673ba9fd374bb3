//! A worker's output, read in any pieces: lines stay whole, no byte is lost, and every object is JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmr_runtime::logs::format::{JsonLine, Label, Part, prefix_lines};
use pmr_runtime::logs::lines::{Due, Gather, Lines};
use pmr_runtime::logs::{Source, Stream};
use pmr_runtime::process::Pid;
use pmr_runtime::spec::{AppId, InstanceId};
use pmr_runtime_fuzz::{Script, with_script};
use serde::Deserialize;
use serde_json::value::RawValue;

const TIME: &str = "2026-11-24T02:11:43.123Z";

fuzz_target!(|data: &[u8]| {
    let (bytes, script) = with_script(data);
    let script = Script::new(script);
    text_is_what_it_was(bytes, script.clone());
    prefixes_stand_before_every_line(bytes, script.clone());
    objects_say_what_the_lines_said(bytes, script);
});

/// Feeds all of `bytes` in pieces; `write` gets what is due.
fn feed(
    mut bytes: &[u8],
    script: &mut Script<'_>,
    gather: impl Fn(u8) -> Gather,
    mut write: impl FnMut(Due<'_>, &Lines),
) -> Vec<u8> {
    let mut lines = Lines::default();
    while !bytes.is_empty() {
        let piece = script.piece(&mut bytes);
        let allowance = usize::from(script.below(64));
        let due = lines.feed(piece, gather(script.below(3)), allowance);
        assert!(!due.head.contains(&b'\n'), "what was kept back has no line end");
        write(due, &lines);
    }
    lines.take_rest()
}

fn text_is_what_it_was(bytes: &[u8], mut script: Script<'_>) {
    let mut out = Vec::new();
    let every = |choice| [Gather::Whole, Gather::Pass, Gather::Parts][usize::from(choice)];
    let rest = feed(bytes, &mut script, every, |due, _| out.extend([&due.head, due.body].concat()));
    out.extend(rest);
    assert_eq!(out, bytes);

    let mut out = Vec::new();
    let whole = |_| Gather::Whole;
    feed(bytes, &mut script, whole, |due, lines| {
        out.extend([&due.head, due.body].concat());
        assert_eq!(out.last().is_some_and(|&byte| byte != b'\n'), lines.is_mid_line(), "{out:?}");
    });
}

fn prefixes_stand_before_every_line(bytes: &[u8], mut script: Script<'_>) {
    let enough = usize::from(script.choice()) + 1;
    let (mut left, mut all) = (bytes, Vec::new());
    while !left.is_empty() {
        let mut out = Vec::new();
        left = prefix_lines(left, b"> ", &mut out, enough);
        all.extend(out);
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(all, lines.join(&b"> "[..]));
}

/// What matters of an object.
#[derive(Deserialize)]
struct Object<'a> {
    time: String,
    level: String,
    app: String,
    stream: String,
    #[serde(default)]
    partial: bool,
    #[serde(borrow)]
    message: &'a RawValue,
}

fn objects_say_what_the_lines_said(bytes: &[u8], mut script: Script<'_>) {
    let mut objects = Objects::new(script.below(2) == 0);
    // As `logs::pump` cuts it.
    let rest = feed(
        bytes,
        &mut script,
        |_| Gather::Parts,
        |Due { mut head, mut body }, _| {
            if !head.is_empty() {
                let end = body.iter().position(|&byte| byte == b'\n').map_or(body.len(), |at| at + 1);
                head.extend(&body[..end]);
                body = &body[end..];
                objects.add(&head);
            }
            body.split_inclusive(|&byte| byte == b'\n').for_each(|line| objects.add(line));
        },
    );
    if !rest.is_empty() {
        objects.write(&rest, Part::Last);
    }
    objects.compare(bytes);
}

struct Objects {
    label: Label,
    stream: &'static str,
    /// The messages, parts of one line put together.
    messages: Vec<String>,
    within: bool,
}

impl Objects {
    fn new(on_stdout: bool) -> Self {
        let source = Source { app: AppId(0), name: "we\"b", instance: InstanceId(0), pid: Pid::new(42) };
        let (stream, name) = if on_stdout { (Stream::Stdout, "stdout") } else { (Stream::Stderr, "stderr") };
        Self { label: Label::new(source, stream, false), stream: name, messages: Vec::new(), within: false }
    }

    fn add(&mut self, line: &[u8]) {
        self.write(line, if line.ends_with(b"\n") { Part::Last } else { Part::More });
    }

    fn write(&mut self, line: &[u8], part: Part) {
        let mut out = Vec::new();
        let mut object = JsonLine::begin(line, part, &self.label, TIME, &mut out);
        while object.write_some(&mut out) {}
        assert_eq!(out.iter().position(|&byte| byte == b'\n'), Some(out.len() - 1), "one line");
        let object: Object<'_> = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(
            (object.time.as_str(), object.app.as_str(), object.stream.as_str()),
            (TIME, "we\"b", self.stream)
        );
        assert!((1..=16).contains(&object.level.len()));
        assert_eq!(object.partial, part == Part::More);
        self.keep(object.message.get(), part);
    }

    fn keep(&mut self, message: &str, part: Part) {
        let text = match serde_json::from_str::<String>(message) {
            Ok(text) => text,
            // A line that is an object stands there as it is.
            Err(_) => message.to_owned(),
        };
        match self.messages.last_mut() {
            Some(last) if self.within => last.push_str(&text),
            _ => self.messages.push(text),
        }
        self.within = part == Part::More;
    }

    fn compare(&self, bytes: &[u8]) {
        // Where a line is no UTF-8, how many marks stand for a bad sequence depends on where it was cut.
        let Ok(text) = str::from_utf8(bytes) else { return };
        let lines = text.split_inclusive('\n').map(|line| {
            let line = line.strip_suffix('\n').unwrap_or(line);
            line.strip_suffix('\r').unwrap_or(line)
        });
        let said: Vec<String> = lines.map(compared).collect();
        let told: Vec<String> = self.messages.iter().map(|message| compared(message)).collect();
        assert_eq!(told, said);
    }
}

/// White space around an object is let go of, also where the object is but the last part of a long line.
fn compared(line: &str) -> String {
    if line.contains('{') { line.split_ascii_whitespace().collect() } else { line.to_owned() }
}
