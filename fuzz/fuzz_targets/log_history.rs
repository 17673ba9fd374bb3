//! The lines that are kept for whoever asks for logs, against a model that knows every byte, when it came and from where.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::logs::assemble::Assembler;
use pmr_runtime::logs::chunks::{Chunks, Piece, Pipe};
use pmr_runtime::logs::history::History;
use pmr_runtime::logs::{Filter, LogLine, Origin, Stream};
use pmr_runtime::process::Pid;
use pmr_runtime::spec::{AppId, InstanceId};
use pmr_runtime_fuzz::{Script, with_script};

/// More than any piece costs besides its bytes.
const SMALLEST: usize = 64;

fuzz_target!(|data: &[u8]| {
    let (mut bytes, script) = with_script(data);
    let mut script = Script::new(script);
    let bound = SMALLEST + 16 * usize::from(script.choice());
    let pipes = [pipe(0, 0, Stream::Stdout), pipe(1, 0, Stream::Stderr), pipe(2, 1, Stream::Stdout)];
    let (mut history, mut chunks) = (History::new(bound), Chunks::new(bound));
    let mut model = Model::default();
    while !bytes.is_empty() {
        let bytes = script.piece(&mut bytes);
        let pipe = &pipes[usize::from(script.below(3))];
        model.time += u64::from(script.below(2));
        let (offset, begins) = model.add(pipe, bytes);
        let piece = Piece { pipe, offset, begins, time: model.time, bytes };
        history.add(piece);
        chunks.add(piece);
        assert!(chunks.size() <= bound);
    }
    let kept: usize = chunks.pieces().map(|piece| piece.bytes.len()).sum();
    assert!(kept > 0 || model.bytes.is_empty());
    let (filter, count) = (filter(&mut script), usize::from(script.choice()));
    let all = model.lines(&pipes, kept, &filter);
    let last = |lines: &[LogLine]| lines[lines.len().saturating_sub(count)..].to_vec();
    let (finished, unfinished) = all;
    let (lines, begun) = history.lines_to_go_on(&filter, count);
    assert_eq!(lines, last(&finished));
    let mut rest = Vec::new();
    begun.finish(&mut |line| rest.push(line));
    assert_eq!(rest, unfinished);
    let all = [finished, unfinished].concat();
    assert_eq!(history.lines(&filter, count), last(&all));
    assert_eq!(taken_in_portions(chunks, &filter, &mut script), all);
});

fn pipe(number: u64, instance: u32, stream: Stream) -> Arc<Pipe> {
    let (app, instance, pid) = (AppId(0), InstanceId(instance), Pid::new(42));
    Arc::new(Pipe { number, origin: Origin::App { app, name: "web".into(), instance, pid, stream } })
}

fn filter(script: &mut Script<'_>) -> Filter {
    let stream = [None, Some(Stream::Stdout), Some(Stream::Stderr)][usize::from(script.below(3))];
    let instances = match script.below(3) {
        0 => None,
        number => Some([InstanceId(u32::from(number) - 1)].into()),
    };
    Filter { instances, stream, ..Filter::default() }
}

/// As a tap does it.
fn taken_in_portions(mut chunks: Chunks, filter: &Filter, script: &mut Script<'_>) -> Vec<LogLine> {
    let (mut assembler, mut lines) = (Assembler::default(), Vec::new());
    while !chunks.is_empty() {
        let size = chunks.size();
        let most = usize::from(script.choice()).max(1);
        let taken = chunks.take_front(most, usize::from(script.below(4)) + 1);
        let (mut length, mut ends) = (0, 0);
        for piece in taken.pieces() {
            length += piece.bytes.len();
            ends += piece.bytes.iter().filter(|&&byte| byte == b'\n').count();
            if filter.wants(&piece.pipe.origin) {
                assembler.feed(piece, &mut |line| lines.push(line));
            }
        }
        assert!((1..=most).contains(&length) && ends <= 4 && chunks.size() < size);
    }
    assembler.finish(&mut |line| lines.push(line));
    lines
}

/// Every byte there was: from which pipe, when, what, and whether a line began with it.
#[derive(Default)]
struct Model {
    bytes: Vec<(usize, u64, u8, bool)>,
    /// How much each pipe gave, and its last byte.
    given: [(u64, Option<u8>); 3],
    time: u64,
}

impl Model {
    /// Adds what a pipe gave; with how much it gave before, and whether a line begins.
    fn add(&mut self, pipe: &Pipe, bytes: &[u8]) -> (u64, bool) {
        let number = usize::try_from(pipe.number).expect("a small number");
        let (given, last) = &mut self.given[number];
        let is_end = |byte: Option<u8>| byte.is_none_or(|byte| byte == b'\n');
        let before = (*given, is_end(*last));
        for &byte in bytes {
            self.bytes.push((number, self.time, byte, is_end(*last)));
            (*given, *last) = (*given + 1, Some(byte));
        }
        before
    }

    /// The lines of the last `kept` bytes, then those without an end.
    fn lines(&self, pipes: &[Arc<Pipe>], kept: usize, filter: &Filter) -> (Vec<LogLine>, Vec<LogLine>) {
        let start = self.bytes.len() - kept;
        let mut open: BTreeMap<usize, (u64, bool, Vec<u8>)> = BTreeMap::new();
        let mut finished = Vec::new();
        for &(number, time, byte, begins) in &self.bytes[start..] {
            if !filter.wants(&pipes[number].origin) {
                continue;
            }
            let (last, _, text) = open.entry(number).or_insert((time, !begins, Vec::new()));
            *last = time;
            if byte == b'\n' {
                let (time, is_cut, text) = open.remove(&number).expect("it was just there");
                finished.push(line(&pipes[number], time, is_cut, &text));
            } else {
                text.push(byte);
            }
        }
        let mut rest: Vec<_> = open.into_iter().collect();
        rest.sort_by_key(|(number, (time, ..))| (*time, *number));
        let rest =
            rest.into_iter().map(|(number, (time, is_cut, text))| line(&pipes[number], time, is_cut, &text));
        (finished, rest.collect())
    }
}

fn line(pipe: &Pipe, time: u64, is_cut: bool, text: &[u8]) -> LogLine {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let is_rest = |byte: &&u8| is_cut && (0x80..0xc0).contains(*byte);
    let rest = text.iter().take(3).take_while(is_rest).count();
    let mark = if is_cut { "…" } else { "" };
    let text = mark.to_owned() + &String::from_utf8_lossy(&text[rest..]);
    LogLine { time, origin: pipe.origin.clone(), text }
}
