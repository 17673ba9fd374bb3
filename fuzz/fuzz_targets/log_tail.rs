//! The tail of what a worker wrote, against a model that keeps everything.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmr_runtime::logs::Stream;
use pmr_runtime::logs::ring::Ring;
use pmr_runtime_fuzz::{Script, with_script};

/// As the ring's documentation says.
const BYTES: usize = 8 * 1024;
const LINES: usize = 30;

fuzz_target!(|data: &[u8]| {
    let (mut bytes, script) = with_script(data);
    let mut script = Script::new(script);
    let (mut ring, mut all, mut last) = (Ring::default(), Vec::new(), None);
    while !bytes.is_empty() {
        let piece = script.piece(&mut bytes);
        let stream = if script.below(2) == 0 { Stream::Stdout } else { Stream::Stderr };
        // Small inputs are to fill it, too.
        let chunk = piece.repeat(1 << script.below(14).saturating_sub(4));
        let chunk = &chunk[..chunk.len().min(3 * BYTES)];
        if last != Some(stream) && all.last().is_some_and(|&byte| byte != b'\n') {
            all.push(b'\n');
        }
        all.extend(chunk);
        last = Some(stream);
        ring.add(stream, chunk);
    }
    assert_eq!(ring.lines(), tail(&all));
});

fn tail(all: &[u8]) -> Vec<String> {
    let kept = &all[all.len().saturating_sub(BYTES)..];
    if kept.is_empty() {
        return Vec::new();
    }
    let text = kept.strip_suffix(b"\n").unwrap_or(kept);
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let shown = |line: &&[u8]| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
    let mut tail: Vec<String> = lines[lines.len().saturating_sub(LINES)..].iter().map(shown).collect();
    if kept.len() < all.len() && lines.len() <= LINES {
        tail[0].insert(0, '…');
    }
    tail
}
