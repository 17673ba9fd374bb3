//! Outputs that come to rest and go on, in this program or in the next.

use super::*;
use crate::logs::{Destination, Filter, OutputsState, Resumed};

/// A world whose outputs are replaced by others that go on with their state.
struct Relay {
    settings: Settings,
    outputs: Outputs,
    /// What the outputs write to.
    ends: [PipeWriter; 2],
    stdout: PipeReader,
    stderr: PipeReader,
    _closed: Vec<Closed>,
}

impl Relay {
    fn new(settings: Settings) -> Self {
        let (stdout, out) = std::io::pipe().unwrap();
        let (stderr, err) = std::io::pipe().unwrap();
        let ends = [out, err];
        let [out, err] = ends.each_ref().map(|end| end.try_clone().unwrap().into());
        let (outputs, closed) = Outputs::start(settings, out, err).unwrap();
        Self { settings, outputs, ends, stdout, stderr, _closed: vec![closed] }
    }

    /// Stops, and goes on from the state as text.
    async fn hand_over(self, workers: &mut [Worker]) -> Self {
        let Self { settings, outputs, ends, stdout, stderr, mut _closed } = self;
        let state = outputs.suspend(LIMIT).await.unwrap().leave();
        drop(outputs);
        let text = serde_json::to_string(&state).unwrap();
        let read: OutputsState = serde_json::from_str(&text).unwrap();
        assert_eq!(read, state);
        let [out, err] = ends.each_ref().map(|end| end.try_clone().unwrap().into());
        let resumed = Outputs::resume(settings, Destination::Descriptors { stdout: out, stderr: err }, read);
        let Resumed { outputs, closed, workers: found, problems } = resumed.unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        for (whose, logs) in found {
            let number = usize::try_from(whose.instance.0).unwrap();
            workers[number].logs = logs;
        }
        _closed.push(closed);
        Self { settings, outputs, ends, stdout, stderr, _closed }
    }

    async fn written(self) -> (String, String) {
        let Self { outputs, ends, stdout, stderr, .. } = self;
        assert!(outputs.finish(LIMIT).await);
        drop(ends);
        (joined(std::thread::spawn(|| all(stdout))).await, joined(std::thread::spawn(|| all(stderr))).await)
    }
}

#[test]
fn a_line_that_was_begun_goes_on_in_the_next_program() {
    run(async {
        for (format, sole_source, wanted) in [
            (Format::Raw, true, "one\ntwo, and\nthree"),
            (Format::Raw, false, "one\ntwo, and\nthree"),
            (Format::Text, true, "web.0 | one\nweb.0 | two, and\nweb.0 | three\n"),
            (Format::Text, false, "web.0 | one\nweb.0 | two, and\nweb.0 | three\n"),
        ] {
            let mut relay = Relay::new(Settings { sole_source, ..settings(format) });
            let mut workers = [Worker::attach(&relay.outputs, 0)];
            for text in ["one\ntw", "o, ", "and", "\nthree"] {
                workers[0].stdout.write_all(text.as_bytes()).unwrap();
                let read = workers[0].logs.tail();
                until(|| workers[0].logs.tail() != read).await;
                relay = relay.hand_over(&mut workers).await;
            }
            assert_eq!(workers[0].logs.tail(), ["one", "two, and", "three"]);
            let [worker] = workers;
            worker.end().await;
            let history = relay.outputs.history(AppId(0), &Filter::default(), 9);
            let texts: Vec<&str> = history.iter().map(|line| &*line.text).collect();
            assert_eq!(texts, ["one", "two, and", "three"]);
            assert_eq!(relay.written().await.0, wanted);
        }
    });
}

#[test]
fn a_line_that_is_open_on_the_output_keeps_its_turn() {
    run(async {
        let mut relay = Relay::new(Settings { sole_source: true, ..settings(Format::Text) });
        let mut workers = [0, 1].map(|instance| Worker::attach(&relay.outputs, instance));
        workers[1].stdout.write_all(b"begun").unwrap();
        until(|| !workers[1].logs.tail().is_empty()).await;
        workers[0].stdout.write_all(b"other\n").unwrap();
        // By then the other one waits for the turn, which nothing shows. It must not get it from one that rests.
        tokio::time::sleep(Duration::from_millis(20)).await;
        relay = relay.hand_over(&mut workers).await;
        workers[1].stdout.write_all(b", ended\n").unwrap();
        for worker in workers {
            worker.end().await;
        }
        assert_eq!(relay.written().await.0, "web.1 | begun, ended\nweb.0 | other\n");
    });
}

#[test]
fn our_own_messages_that_wait_and_those_of_before_come_along() {
    run(async {
        let mut relay = Relay::new(Settings { sole_source: true, ..settings(Format::Raw) });
        let mut workers = [Worker::attach(&relay.outputs, 0)];
        workers[0].stderr.write_all(b"begun").unwrap();
        until(|| !workers[0].logs.tail().is_empty()).await;
        let subscriber = relay.outputs.subscriber(LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || tracing::info!("ours"));
        relay = relay.hand_over(&mut workers).await;
        workers[0].stderr.write_all(b", ended\n").unwrap();
        let [worker] = workers;
        worker.end().await;
        assert_eq!(relay.outputs.own_history(9)[0].text, "ours");
        assert_eq!(relay.written().await.1, "begun, ended\npmr: ours\n");
    });
}

#[test]
fn what_was_written_during_the_rest_is_not_lost_and_neither_is_the_end() {
    run(async {
        let relay = Relay::new(settings(Format::Raw));
        let Worker { mut stdout, stderr, logs } = Worker::attach(&relay.outputs, 0);
        let suspended = relay.outputs.suspend(LIMIT).await.unwrap();
        stdout.write_all(b"meanwhile\n").unwrap();
        drop((stdout, stderr));
        suspended.go_on();
        logs.drain().await;
        assert!(logs.is_finished());
        assert_eq!(relay.written().await.0, "meanwhile\n");
    });
}

/// Writes the pieces, and counts those that were taken.
fn counting(mut pipe: PipeWriter, pieces: Vec<Vec<u8>>, written: Arc<AtomicUsize>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for piece in pieces {
            pipe.write_all(&piece).unwrap();
            written.fetch_add(1, Ordering::Relaxed);
        }
    })
}

#[test]
fn with_a_blocked_output_everything_goes_on_as_before() {
    run(async {
        let relay = Relay::new(settings(Format::Raw));
        let worker = Worker::attach(&relay.outputs, 0);
        let mut quiet = Worker::attach(&relay.outputs, 1);
        let line = [vec![b'x'; 99], vec![b'\n']].concat();
        let written = Arc::new(AtomicUsize::new(0));
        let writer = counting(worker.stdout, vec![line.repeat(10); 1000], Arc::clone(&written));
        // 200 kB: more than the two pipes hold, so that some is with us and cannot be written; and less than they and our queue hold
        // together, so that it comes to that.
        until(|| written.load(Ordering::Relaxed) >= 200).await;
        assert!(relay.outputs.suspend(Duration::from_millis(20)).await.is_none());
        quiet.stderr.write_all(b"still here\n").unwrap();
        let Relay { outputs, ends, stdout, stderr, .. } = relay;
        drop(ends);
        let reader = reading(stdout);
        joined(writer).await;
        quiet.end().await;
        let text = reader.text(10_000, outputs).await;
        assert!(text.len() == 1_000_000 && text.lines().all(|line| line.len() == 99));
        assert_eq!(all(stderr), "still here\n");
    });
}

#[test]
fn a_pipe_that_is_not_there_any_more_is_told_of() {
    run(async {
        let relay = Relay::new(settings(Format::Raw));
        let _worker = Worker::attach(&relay.outputs, 0);
        let text =
            serde_json::to_string(&relay.outputs.suspend(LIMIT).await.unwrap().state().unwrap()).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
        for pump in state["workers"][0]["pumps"].as_array_mut().unwrap() {
            pump["descriptor"] = 999_999.into();
        }
        let [stdout, stderr] = relay.ends.map(Into::into);
        let state = serde_json::from_value(state).unwrap();
        let resumed =
            Outputs::resume(relay.settings, Destination::Descriptors { stdout, stderr }, state).unwrap();
        assert_eq!(resumed.problems.len(), 2);
        assert!(resumed.workers[0].1.is_finished());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn not_a_byte_of_a_sole_worker_is_lost_doubled_or_torn(
        pieces in prop::collection::vec(("[xy€\n]{0,9}", any::<bool>(), any::<bool>()), 0..24),
        format in prop::sample::select(vec![Format::Raw, Format::Text]),
        sole_source in any::<bool>(),
    ) {
        let mut look = Settings { sole_source, ..settings(format) };
        look.stdout.prefix = Prefix::None;
        let text = run(async {
            let mut relay = Relay::new(look);
            let mut workers = [Worker::attach(&relay.outputs, 0)];
            for (text, yields, hands_over) in &pieces {
                workers[0].stdout.write_all(text.as_bytes()).unwrap();
                if *yields {
                    tokio::time::sleep(Duration::from_micros(100)).await;
                }
                if *hands_over {
                    relay = relay.hand_over(&mut workers).await;
                }
            }
            let [worker] = workers;
            worker.end().await;
            relay.written().await.0
        });
        prop_assert_eq!(text, pieces.iter().map(|(text, ..)| &**text).collect::<String>());
    }

    #[test]
    fn several_workers_lines_stay_whole_and_in_order_over_many_programs(
        pieces in prop::collection::vec((0..3_usize, "[xy\n]{0,9}", any::<bool>()), 0..40),
        format in prop::sample::select(vec![Format::Text, Format::Json]),
    ) {
        let text = run(async {
            let mut relay = Relay::new(settings(format));
            let mut workers = [0, 1, 2].map(|instance| Worker::attach(&relay.outputs, instance));
            for (to, text, hands_over) in &pieces {
                workers[*to].stdout.write_all(text.as_bytes()).unwrap();
                tokio::task::yield_now().await;
                if *hands_over {
                    relay = relay.hand_over(&mut workers).await;
                }
            }
            for worker in workers {
                worker.end().await;
            }
            relay.written().await.0
        });
        for number in 0..3 {
            let input: String =
                pieces.iter().filter(|(to, ..)| *to == number).map(|(_, text, _)| &**text).collect();
            let lines: Vec<String> = text.lines().filter_map(|line| of_instance(line, number)).collect();
            prop_assert_eq!(lines, input.lines().collect::<Vec<_>>());
        }
    }
}

/// What the line says, if it is the instance's.
fn of_instance(line: &str, number: usize) -> Option<String> {
    let Ok(object) = serde_json::from_str::<serde_json::Value>(line) else {
        return line.strip_prefix(&format!("web.{number} | ")).map(str::to_owned);
    };
    (object["instance"] == number).then(|| object["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_line_in_a_log_file_goes_on_but_not_one_of_an_earlier_life() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        std::fs::write(&path, "torn").unwrap();
        let file =
            crate::logs::FileSettings { path: path.clone(), max_bytes: Some(8), max_age: None, keep: 2 };
        let look = Settings { sole_source: true, ..settings(Format::Raw) };
        let (outputs, _closed) = Outputs::to_files(look, Some(file.clone()), Some(file.clone())).unwrap();
        let mut worker = Worker::attach(&outputs, 0);
        worker.stdout.write_all(b"begun").unwrap();
        until(|| !worker.logs.tail().is_empty()).await;
        let state = outputs.suspend(LIMIT).await.unwrap().leave();
        drop(outputs);
        let resumed =
            Outputs::resume(look, Destination::Files { out: Some(file.clone()), err: Some(file) }, state)
                .unwrap();
        worker.stdout.write_all(b", ended\nnext\n").unwrap();
        drop((worker.stdout, worker.stderr));
        resumed.workers[0].1.drain().await;
        assert!(resumed.outputs.finish(LIMIT).await);
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let found = ["app.log.2", "app.log.1", "app.log"].map(read);
        assert_eq!(found, ["torn\n", "begun, ended\n", "next\n"]);
    });
}
