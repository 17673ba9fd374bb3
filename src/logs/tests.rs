//! The whole way, through real pipes.

use std::future::Future;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use proptest::prelude::*;
use tracing_subscriber::filter::LevelFilter;

use super::*;
use crate::process::Pid;
use crate::spec::{AppId, InstanceId};

mod copies;
mod files;
mod suspending;
mod watching;

/// How long anything may take before a test fails.
const LIMIT: Duration = Duration::from_secs(30);

fn settings(format: Format) -> Settings {
    let stream = StreamSettings { prefix: Prefix::AppAndInstance, colour: false };
    Settings {
        format,
        stdout: stream,
        stderr: stream,
        timestamps: false,
        line_times: false,
        sole_source: false,
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { within(test).await })
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}

/// A worker as the test plays it.
struct Worker {
    stdout: PipeWriter,
    stderr: PipeWriter,
    logs: WorkerLogs,
}

impl Worker {
    fn attach(outputs: &Outputs, instance: u32) -> Self {
        let (out, stdout) = std::io::pipe().unwrap();
        let (err, stderr) = std::io::pipe().unwrap();
        let source = Source { app: AppId(0), name: "web", instance: InstanceId(instance), pid: Pid::new(42) };
        let logs =
            outputs.attach(source, WorkerPipe::alone(out.into()), WorkerPipe::alone(err.into())).unwrap();
        Self { stdout, stderr, logs }
    }

    /// Closes both pipes and waits until they have been read to the end.
    async fn end(self) {
        drop((self.stdout, self.stderr));
        self.logs.drain().await;
    }
}

struct World {
    outputs: Outputs,
    closed: Closed,
    stdout: PipeReader,
    stderr: PipeReader,
}

impl World {
    fn new(settings: Settings) -> Self {
        let (stdout, out) = std::io::pipe().unwrap();
        let (stderr, err) = std::io::pipe().unwrap();
        let (outputs, closed) = Outputs::start(settings, out.into(), err.into()).unwrap();
        Self { outputs, closed, stdout, stderr }
    }

    /// What is written after all workers have ended, if it fits into a pipe.
    async fn written(self) -> (String, String) {
        assert!(self.outputs.finish(LIMIT).await);
        (all(self.stdout), all(self.stderr))
    }
}

fn all(mut reader: PipeReader) -> String {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A reader of one of our outputs, on a thread of its own.
struct Reading {
    lines: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<u8>>,
}

/// Reads to the end, little at a time.
fn reading(mut reader: PipeReader) -> Reading {
    let lines = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lines);
    let thread = std::thread::spawn(move || {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 5000]);
        loop {
            let length = reader.read(&mut buffer).unwrap();
            if length == 0 {
                return bytes;
            }
            bytes.extend_from_slice(&buffer[..length]);
            count.fetch_add(memchr::memchr_iter(b'\n', &buffer[..length]).count(), Ordering::Relaxed);
            std::thread::yield_now();
        }
    });
    Reading { lines, thread }
}

impl Reading {
    /// Waits until so many lines have come.
    async fn reach(&self, lines: usize) {
        let has_come = || self.lines.load(Ordering::Relaxed) >= lines;
        within(until(has_come)).await;
    }

    /// Waits for so many lines, ends the outputs and gives all that they wrote.
    async fn text(self, lines: usize, outputs: Outputs) -> String {
        self.reach(lines).await;
        assert!(outputs.finish(LIMIT).await);
        String::from_utf8(joined(self.thread).await).unwrap()
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn writing(mut pipe: PipeWriter, pieces: Vec<Vec<u8>>) -> JoinHandle<()> {
    std::thread::spawn(move || pieces.iter().for_each(|piece| pipe.write_all(piece).unwrap()))
}

async fn joined<T: Send + 'static>(thread: JoinHandle<T>) -> T {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || tell.send(thread.join().unwrap()).is_ok());
    within(told).await.unwrap()
}

#[test]
fn raw_bytes_of_a_sole_worker_pass_as_they_are() {
    run(async {
        let world = World::new(Settings { sole_source: true, ..settings(Format::Raw) });
        let mut worker = Worker::attach(&world.outputs, 0);
        let bytes = "\n\r\u{1b}[1m€\0 a\n\nno end";
        worker.stdout.write_all(bytes.as_bytes()).unwrap();
        worker.stderr.write_all(b"oops").unwrap();
        worker.end().await;
        assert_eq!(world.written().await, (bytes.to_owned(), "oops".to_owned()));
    });
}

#[test]
fn a_prompt_is_seen_while_the_worker_waits() {
    run(async {
        let world = World::new(Settings { sole_source: true, ..settings(Format::Text) });
        let mut worker = Worker::attach(&world.outputs, 0);
        worker.stdout.write_all(b"name? ").unwrap();
        let mut stdout = world.stdout;
        let prompt = std::thread::spawn(move || {
            let mut bytes = [0; 14];
            stdout.read_exact(&mut bytes).unwrap();
            bytes
        });
        assert_eq!(joined(prompt).await, *b"web.0 | name? ");
    });
}

#[test]
fn text_lines_have_prefixes_and_blank_and_unfinished_ones_are_kept() {
    run(async {
        let world = World::new(settings(Format::Text));
        let mut worker = Worker::attach(&world.outputs, 3);
        worker.stdout.write_all(b"a\n\nb").unwrap();
        worker.end().await;
        assert_eq!(world.written().await.0, "web.3 | a\nweb.3 | \nweb.3 | b\n");
    });
}

#[test]
fn text_without_a_prefix_is_as_it_was() {
    run(async {
        let mut settings = settings(Format::Text);
        settings.stdout.prefix = Prefix::None;
        let world = World::new(settings);
        let mut worker = Worker::attach(&world.outputs, 3);
        worker.stdout.write_all(b"a\n\nb").unwrap();
        worker.end().await;
        assert_eq!(world.written().await.0, "a\n\nb");
    });
}

#[test]
fn fields_stand_before_each_line_and_say_when_who_and_where() {
    run(async {
        let world = World::new(Settings { sole_source: true, ..settings(Format::Fields) });
        let mut worker = Worker::attach(&world.outputs, 3);
        worker.stdout.write_all(b"a\n\nb").unwrap();
        worker.stderr.write_all(b"oops\n").unwrap();
        worker.end().await;
        let (out, err) = world.written().await;
        let lines: Vec<_> = out.lines().chain(err.lines()).collect();
        let without_time = |line: &&str| line.split_once(' ').unwrap().1.to_owned();
        assert_eq!(
            lines.iter().map(without_time).collect::<Vec<_>>(),
            [
                "app=web id=3 type=out message=a",
                "app=web id=3 type=out message=",
                "app=web id=3 type=out message=b",
                "app=web id=3 type=error message=oops",
            ]
        );
        // 2026-11-26-21:05:30+0000
        let time = lines[0].strip_prefix("timestamp=").unwrap().split(' ').next().unwrap();
        let shape: String = time.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        assert_eq!(shape.replace('+', "-"), "0000-00-00-00:00:00-0000");
    });
}

#[test]
fn json_has_one_object_a_line_for_everything() {
    run(async {
        let world = World::new(settings(Format::Json));
        let mut worker = Worker::attach(&world.outputs, 1);
        worker.stderr.write_all(b"{\"level\":50,\"msg\":\"x\"}\n\nlast").unwrap();
        worker.end().await;
        let subscriber = world.outputs.subscriber(LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || tracing::warn!(pid = 42, "worker exited"));
        let (_, text) = world.written().await;
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 4);
        assert_eq!(objects[0]["message"]["msg"], "x");
        assert_eq!((&objects[1]["message"], &objects[2]["message"]), (&"".into(), &"last".into()));
        assert_eq!((&objects[3]["source"], &objects[3]["pid"]), (&"pmr".into(), &42.into()));
    });
}

#[test]
fn a_very_long_line_is_several_objects_in_json() {
    run(async {
        let world = World::new(settings(Format::Json));
        let worker = Worker::attach(&world.outputs, 0);
        let reader = reading(world.stdout);
        let line = "€".repeat(1 << 20);
        let writer = writing(worker.stdout, vec![line.clone().into_bytes(), b"\nnext\n".to_vec()]);
        joined(writer).await;
        worker.logs.drain().await;
        reader.reach(4).await;
        assert!(world.outputs.finish(LIMIT).await);
        let text = String::from_utf8(joined(reader.thread).await).unwrap();
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (next, parts) = objects.split_last().unwrap();
        assert_eq!(next["message"], "next");
        assert!(parts.len() >= 3);
        assert!(parts.iter().rev().skip(1).all(|part| part["partial"] == true));
        assert!(parts.last().unwrap().get("partial").is_none());
        let whole: String = parts.iter().map(|part| part["message"].as_str().unwrap()).collect();
        assert!(whole == line, "the parts make the line");
    });
}

#[test]
fn long_lines_of_two_workers_stay_whole_before_a_slow_reader() {
    run(async {
        for format in [Format::Raw, Format::Text] {
            let world = World::new(settings(format));
            let workers = [Worker::attach(&world.outputs, 0), Worker::attach(&world.outputs, 1)];
            let reader = reading(world.stdout);
            for (letter, worker) in (b'a'..).zip(workers) {
                let line = [vec![letter; 200_000], vec![b'\n']].concat();
                writing(worker.stdout, vec![line; 40]);
            }
            let text = reader.text(80, world.outputs).await;
            let start = if format == Format::Text { "web.N | ".len() } else { 0 };
            for line in text.lines() {
                let line = &line.as_bytes()[start..];
                assert!(line.len() == 200_000 && line.iter().all(|byte| *byte == line[0]), "torn");
            }
        }
    });
}

#[test]
fn a_line_of_more_than_a_megabyte_keeps_others_out_until_it_ends() {
    run(async {
        let world = World::new(settings(Format::Raw));
        let (mut long, mut short) = (Worker::attach(&world.outputs, 0), Worker::attach(&world.outputs, 1));
        let reader = reading(world.stdout);
        let writer = std::thread::spawn(move || {
            long.stdout.write_all(&vec![b'a'; 3 << 20]).unwrap();
            short.stdout.write_all(b"b\n").unwrap();
            long.stdout.write_all(&vec![b'a'; 1 << 20]).unwrap();
            long.stdout.write_all(b"\n").unwrap();
        });
        joined(writer).await;
        let text = reader.text(2, world.outputs).await;
        let mut lengths: Vec<usize> = text.lines().map(str::len).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 4 << 20]);
    });
}

#[test]
fn lines_stay_whole_when_all_together_are_too_much_to_collect() {
    run(async {
        let world = World::new(settings(Format::Raw));
        let reader = reading(world.stdout);
        for letter in b'a'..b'm' {
            let worker = Worker::attach(&world.outputs, 0);
            writing(worker.stdout, vec![vec![letter; 450_000], vec![letter; 450_000], vec![b'\n']]);
        }
        let text = reader.text(12, world.outputs).await;
        for line in text.lines() {
            assert!(line.len() == 900_000 && line.bytes().all(|byte| byte == line.as_bytes()[0]), "torn");
        }
    });
}

#[test]
fn a_silent_line_gives_way_to_others() {
    run(async {
        let world = World::new(Settings { sole_source: true, ..settings(Format::Raw) });
        let (mut old, mut new) = (Worker::attach(&world.outputs, 0), Worker::attach(&world.outputs, 0));
        old.stdout.write_all(b"name? ").unwrap();
        old.logs.drain().await;
        old.stdout.write_all(b"again? ").unwrap();
        // Only once the old one has the turn is the order certain.
        until(|| old.logs.tail() == ["name? again? "]).await;
        new.stdout.write_all(b"hello\n").unwrap();
        new.end().await;
        assert_eq!(world.written().await.0, "name? again? \nhello\n");
    });
}

#[test]
fn with_one_file_for_both_outputs_lines_stay_whole() {
    run(async {
        let (stdout, out) = std::io::pipe().unwrap();
        let err = out.try_clone().unwrap();
        let (outputs, _closed) = Outputs::start(settings(Format::Raw), out.into(), err.into()).unwrap();
        let worker = Worker::attach(&outputs, 0);
        let reader = reading(stdout);
        for (letter, pipe) in [(b'o', worker.stdout), (b'e', worker.stderr)] {
            writing(pipe, vec![[vec![letter; 9_999], vec![b'\n']].concat(); 200]);
        }
        let text = reader.text(400, outputs).await;
        for line in text.lines() {
            assert!(line.len() == 9_999 && line.bytes().all(|byte| byte == line.as_bytes()[0]), "torn");
        }
    });
}

#[test]
fn an_output_that_somebody_made_non_blocking_loses_nothing() {
    run(async {
        let (stdout, out) = std::io::pipe().unwrap();
        fcntl(&out, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let err = std::fs::File::open("/dev/null").unwrap();
        let (outputs, _closed) = Outputs::start(settings(Format::Raw), out.into(), err.into()).unwrap();
        let worker = Worker::attach(&outputs, 0);
        let reader = reading(stdout);
        writing(worker.stdout, vec![[vec![b'x'; 99], vec![b'\n']].concat(); 20_000]);
        let text = reader.text(20_000, outputs).await;
        assert!(text.lines().all(|line| line.len() == 99), "torn");
    });
}

#[test]
fn a_blocked_stdout_does_not_hold_up_stderr_nor_the_loop() {
    run(async {
        let world = World::new(settings(Format::Raw));
        fcntl(&world.stdout, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let mut worker = Worker::attach(&world.outputs, 0);
        worker.stdout.write_all(&[vec![b'x'; 65_535], vec![b'\n']].concat()).unwrap();
        until(|| !worker.logs.tail().is_empty()).await;
        worker.stderr.write_all(b"alive\n").unwrap();
        let mut stderr = world.stderr;
        let line = std::thread::spawn(move || {
            let mut bytes = [0; 6];
            stderr.read_exact(&mut bytes).unwrap();
            bytes
        });
        assert_eq!(joined(line).await, *b"alive\n");
        assert!(!world.outputs.finish(Duration::from_millis(50)).await, "nobody reads stdout");
    });
}

#[test]
fn a_closed_output_is_told_once_and_holds_nobody_up() {
    run(async {
        let mut world = World::new(settings(Format::Raw));
        let worker = Worker::attach(&world.outputs, 0);
        drop(world.stdout);
        let writer = writing(worker.stdout, vec![[vec![b'x'; 99], vec![b'\n']].concat(); 20_000]);
        assert_eq!(within(world.closed.next()).await, Stream::Stdout);
        joined(writer).await;
        worker.logs.drain().await;
        let again = tokio::time::timeout(Duration::from_millis(20), world.closed.next()).await;
        assert!(again.is_err(), "told twice");
        assert!(world.outputs.finish(LIMIT).await);
    });
}

#[test]
fn draining_does_not_wait_for_a_descendant_that_holds_the_pipe() {
    run(async {
        let world = World::new(settings(Format::Text));
        let mut worker = Worker::attach(&world.outputs, 0);
        worker.stdout.write_all(b"one\nlast words").unwrap();
        worker.logs.drain().await;
        assert_eq!(worker.logs.tail(), ["one", "last words"]);
        let Worker { mut stdout, logs, .. } = worker;
        drop(logs);
        stdout.write_all(b"an orphan's\n").unwrap();
        drop(stdout);
        let reader = reading(world.stdout);
        let text = reader.text(3, world.outputs).await;
        assert_eq!(text, "web.0 | one\nweb.0 | last words\nweb.0 | an orphan's\n");
    });
}

#[test]
fn our_own_messages_never_wait_and_lost_ones_are_counted() {
    run(async {
        let world = World::new(settings(Format::Text));
        let subscriber = world.outputs.subscriber(LevelFilter::INFO);
        let logged = 20_000;
        let last = tracing::subscriber::with_default(subscriber, || {
            (0..logged).for_each(|number| tracing::info!(number, "still here"));
            tracing::debug!("not shown");
            let reader = reading(world.stderr);
            async move {
                reader.reach(1000).await;
                reader
            }
        });
        let reader = last.await;
        let subscriber = world.outputs.subscriber(LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || tracing::info!("last"));
        assert!(world.outputs.finish(LIMIT).await);
        let text = String::from_utf8(joined(reader.thread).await).unwrap();
        let shown = text.lines().filter(|line| line.starts_with("pmr: still here number=")).count();
        let rest: Vec<&str> = text.lines().skip(shown).collect();
        let lost =
            format!("pmr: warning: messages of ours were lost: stderr was not read lost={}", logged - shown);
        assert_eq!(rest, [&*lost, "pmr: last"]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_the_pieces_each_sources_lines_come_whole_and_in_order(
        pieces in prop::collection::vec((0..3_usize, "[xy\n]{0,9}"), 0..40),
    ) {
        let inputs = [0, 1, 2].map(|source| -> String {
            pieces.iter().filter(|(to, _)| *to == source).map(|(_, text)| &**text).collect()
        });
        let text = run(async {
            let world = World::new(settings(Format::Text));
            let mut workers = [0, 1, 2].map(|instance| Worker::attach(&world.outputs, instance));
            for (to, text) in &pieces {
                workers[*to].stdout.write_all(text.as_bytes()).unwrap();
                tokio::task::yield_now().await;
            }
            for worker in workers {
                worker.end().await;
            }
            world.written().await.0
        });
        for (number, input) in inputs.iter().enumerate() {
            let prefix = format!("web.{number} | ");
            let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&*prefix)).collect();
            prop_assert_eq!(lines, input.lines().collect::<Vec<_>>());
        }
        prop_assert_eq!(text.lines().count(), inputs.iter().map(|input| input.lines().count()).sum::<usize>());
    }
}
