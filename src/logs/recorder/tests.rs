//! Tests of histories and taps together.

use proptest::prelude::*;

use super::*;
use crate::logs::format::Stream;
use crate::logs::tap::TapItem;
use crate::process::Pid;
use crate::spec::InstanceId;

/// A pipe as the test writes to it.
struct Writing {
    pipe: Arc<Pipe>,
    offset: u64,
    begins: bool,
}

impl Writing {
    fn of(app: u32, number: u64) -> Self {
        let (instance, pid, stream) = (InstanceId(0), Pid::new(42), Stream::Stdout);
        let origin = Origin::App { app: AppId(app), name: "web".into(), instance, pid, stream };
        Self { pipe: Arc::new(Pipe { number: FIRST_PIPE + number, origin }), offset: 0, begins: true }
    }

    fn write(&mut self, recorder: &Recorder, bytes: &[u8]) {
        let Self { pipe, offset, begins } = &*self;
        recorder.add(Piece { pipe, offset: *offset, begins: *begins, time: *offset, bytes });
        self.offset += bytes.len() as u64;
        self.begins = bytes.last().is_none_or(|&byte| byte == b'\n');
    }
}

fn recorder() -> Recorder {
    let recorder = Recorder::new();
    recorder.know(AppId(0));
    recorder.know(AppId(1));
    recorder
}

fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| line.text.clone()).collect()
}

/// Everything that a tap gives until its end: texts, and `lost N`.
fn all(mut tap: Tap) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut found = Vec::new();
        while let Some(item) = tap.next().await {
            match item {
                TapItem::Lines(lines) => found.extend(texts(&lines)),
                TapItem::Lost(lines) => found.push(format!("lost {lines}")),
            }
        }
        found
    })
}

#[test]
fn a_history_is_its_apps_own_and_can_be_cleared_and_forgotten() {
    let recorder = recorder();
    let (mut one, mut two) = (Writing::of(0, 0), Writing::of(1, 1));
    one.write(&recorder, b"one\n");
    two.write(&recorder, b"two\n");
    let lines = |app| texts(&recorder.history(AppId(app), &Filter::default(), 9));
    assert_eq!((lines(0), lines(1)), (vec!["one".to_owned()], vec!["two".to_owned()]));
    recorder.clear(AppId(0));
    one.write(&recorder, b"again\n");
    assert_eq!(lines(0), ["again"]);
    recorder.forget(AppId(0));
    one.write(&recorder, b"an orphan's\n");
    assert!(lines(0).is_empty() && lines(9).is_empty());
}

#[test]
fn our_own_messages_are_kept_with_their_level() {
    let recorder = recorder();
    recorder.add_own(Level::WARN, UNIX_EPOCH, "worker exited");
    let origin = Origin::Runtime { level: Level::WARN };
    assert_eq!(recorder.own_history(9), [LogLine { time: 0, origin, text: "worker exited".into() }]);
    let tap = recorder.subscribe(Filter { runtime: true, ..Filter::default() });
    let without = recorder.subscribe(Filter::default());
    recorder.add_own(Level::INFO, UNIX_EPOCH, "worker ready");
    recorder.close();
    assert_eq!((all(tap), all(without)), (vec!["worker ready".to_owned()], vec![]));
}

#[test]
fn a_tap_that_is_not_emptied_loses_lines_and_counts_them() {
    let recorder = recorder();
    let (mut writing, tap) = (Writing::of(0, 0), recorder.subscribe(Filter::default()));
    let block = b"some line\n".repeat(6000);
    (0..10).for_each(|_| writing.write(&recorder, &block));
    recorder.close();
    let found = all(tap);
    let (lost, kept) = found.split_last().unwrap();
    assert!(kept.iter().all(|text| text == "some line"));
    assert_eq!(*lost, format!("lost {}", 60_000 - kept.len()));
    assert!(kept.len() >= 12_000);
}

#[test]
fn after_a_loss_lines_go_on_whole() {
    let recorder = recorder();
    let (mut writing, mut tap) = (Writing::of(0, 0), recorder.subscribe(Filter::default()));
    writing.write(&recorder, &[&b"x\n".repeat(65_000)[..], b"begun"].concat());
    writing.write(&recorder, &b"and lost\n".repeat(1000));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut whole = 0;
    let lost = loop {
        match runtime.block_on(tap.next()) {
            Some(TapItem::Lines(lines)) => whole += lines.len(),
            other => break other,
        }
    };
    assert_eq!((whole, lost), (65_000, Some(TapItem::Lost(1000))));
    writing.write(&recorder, b"back\n");
    recorder.close();
    assert_eq!(all(tap), ["back"]);
}

#[test]
fn a_dropped_tap_is_forgotten() {
    let recorder = recorder();
    drop(recorder.subscribe(Filter::default()));
    Writing::of(0, 0).write(&recorder, b"x\n");
    assert!(recorder.lock().taps.is_empty());
}

proptest! {
    #[test]
    fn between_history_and_tap_nothing_is_missing_or_double(
        pieces in prop::collection::vec((0..3_usize, "[a-z\n]{1,8}"), 0..40),
        at in 0..40_usize,
    ) {
        let recorder = recorder();
        let mut pipes = [Writing::of(0, 0), Writing::of(0, 1), Writing::of(1, 2)];
        let at = at.min(pieces.len());
        let mut write = |pieces: &[(usize, String)]| {
            pieces.iter().for_each(|(to, text)| pipes[*to].write(&recorder, text.as_bytes()));
        };
        write(&pieces[..at]);
        let (history, tap) = recorder.history_and_tap(Filter::default(), usize::MAX);
        write(&pieces[at..]);
        recorder.close();
        let mut found = texts(&history);
        found.extend(all(tap));
        let mut wanted: Vec<String> = (0..3_usize)
            .flat_map(|pipe| {
                let text: String = pieces.iter().filter(|(to, _)| *to == pipe).map(|(_, text)| &**text).collect();
                let whole = text.rfind('\n').map_or(0, |at| at + 1);
                text[..whole].lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }
}
