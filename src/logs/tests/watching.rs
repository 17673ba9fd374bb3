//! What those who look on see of workers' output: histories and taps.

use super::*;
use crate::logs::{Filter, LogLine, Origin, TapItem};

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| &*line.text).collect()
}

#[test]
fn a_history_has_the_workers_own_text_whatever_the_format() {
    run(async {
        for format in [Format::Raw, Format::Text, Format::Json] {
            let world = World::new(settings(format));
            let mut worker = Worker::attach(&world.outputs, 3);
            worker.stderr.write_all(b"{\"level\":50}\n\nlast").unwrap();
            worker.end().await;
            let lines = world.outputs.history(AppId(0), &Filter::default(), 9);
            assert_eq!(texts(&lines), ["{\"level\":50}", "", "last"]);
            let (instance, pid, stream) = (InstanceId(3), Pid::new(42), Stream::Stderr);
            let origin = Origin::App { app: AppId(0), name: "web".into(), instance, pid, stream };
            assert!(lines.iter().all(|line| line.origin == origin && line.time > 0));
        }
    });
}

#[test]
fn an_orphans_words_do_not_go_on_with_the_dead_workers_line() {
    run(async {
        let world = World::new(settings(Format::Raw));
        let mut worker = Worker::attach(&world.outputs, 0);
        worker.stdout.write_all(b"last words").unwrap();
        worker.logs.drain().await;
        worker.stdout.write_all(b"an orphan's\n").unwrap();
        worker.end().await;
        let lines = world.outputs.history(AppId(0), &Filter::default(), 9);
        assert_eq!(texts(&lines), ["last words", "an orphan's"]);
    });
}

#[test]
fn a_tap_that_is_never_read_holds_nobody_up() {
    run(async {
        let world = World::new(settings(Format::Raw));
        let worker = Worker::attach(&world.outputs, 0);
        let mut tap = world.outputs.subscribe(Filter::default());
        let reader = reading(world.stdout);
        let writer = writing(worker.stdout, vec![[vec![b'x'; 99], vec![b'\n']].concat(); 40_000]);
        joined(writer).await;
        reader.text(40_000, world.outputs).await;
        let (mut taken, mut lost) = (0, 0);
        while let Some(item) = tap.next().await {
            match item {
                TapItem::Lines(lines) => {
                    assert!(lines.len() <= 64, "{} lines at a time", lines.len());
                    taken += lines.len() as u64;
                }
                TapItem::Lost(lines) => lost += lines,
            }
        }
        assert!(lost > 0);
        assert_eq!(taken + lost, 40_000);
    });
}

#[test]
fn a_tap_gives_lines_while_they_come_and_our_messages_among_them() {
    run(async {
        let world = World::new(settings(Format::Json));
        let mut worker = Worker::attach(&world.outputs, 0);
        let (history, mut tap) =
            world.outputs.history_and_subscribe(Filter { runtime: true, ..Filter::default() }, 9);
        assert!(history.is_empty());
        worker.stdout.write_all(b"hello\n").unwrap();
        let Some(TapItem::Lines(lines)) = tap.next().await else { panic!("nothing came") };
        assert_eq!(texts(&lines), ["hello"]);
        let subscriber = world.outputs.subscriber(LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || tracing::warn!(pid = 42, "worker exited"));
        let Some(TapItem::Lines(lines)) = tap.next().await else { panic!("nothing came") };
        assert_eq!(texts(&lines), ["worker exited pid=42"]);
        assert_eq!(world.outputs.own_history(9), lines);
        drop(world.outputs);
        assert_eq!(tap.next().await, None);
    });
}
