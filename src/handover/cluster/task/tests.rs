//! The worker's end of the channel is played by the tests, well or badly behaved.

use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};

use super::*;
use crate::handover::cluster::outbox::MESSAGES;
use crate::spec::{AppId, WorkerId};

const WORKER: WorkerKey = WorkerKey { app: AppId(0), worker: WorkerId(1) };

const SERVERS: usize = 200;

struct Scene {
    link: ClusterLink,
    events: Receiver<(WorkerKey, FromWorker)>,
    data: SharedData,
    /// The worker's end; it does not block.
    end: StdUnixStream,
}

impl Scene {
    fn new() -> Self {
        let (ours, end) = channel::pair().unwrap();
        // The least that the kernel allows, so that lines are sent in parts.
        setsockopt(&ours, sockopt::SndBuf, &0).unwrap();
        let end = StdUnixStream::from(end);
        end.set_nonblocking(true).unwrap();
        let (sender, events) = mpsc::channel(1);
        let link = ClusterLink::start(WORKER, ours, sender).unwrap();
        Self { link, events, data: SharedData::default(), end }
    }

    async fn next(&mut self) -> FromWorker {
        let event = tokio::time::timeout(Duration::from_secs(10), self.events.recv()).await;
        event.expect("an event in time").unwrap().1
    }

    /// Writes `bytes` whenever there is room, until there is none however often the task gets its turn.
    async fn flood(&mut self, bytes: &[u8]) -> usize {
        let (mut taken, mut refused) = (0, 0);
        while refused < 100 && taken < 16 << 20 {
            match self.end.write(bytes) {
                Ok(count) => (taken, refused) = (taken + count, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
                Err(error) => panic!("{error}"),
            }
            turn().await;
        }
        taken
    }
}

/// Lets the link's task run, its I/O included; for loops that wait for a condition.
async fn turn() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn query(seq: u64) -> Vec<u8> {
    let message = json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "port": 0, "addressType": 4, "index": seq,
        "seq": seq});
    format!("{message}\n").into_bytes()
}

fn in_a_runtime<T: Future<Output = ()>>(test: impl Fn(Scene) -> T) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async { test(Scene::new()).await });
}

#[test]
fn what_a_dead_worker_has_said_last_can_be_had_before_the_task_has_its_turn() {
    in_a_runtime(|mut scene| async move {
        scene.end.write_all(b"\"first\"\n").unwrap();
        scene.end.write_all(&query(1)).unwrap();
        scene.end.write_all(b"\"last\"\n\"torn").unwrap();
        drop(scene.end);
        let said: Vec<String> = scene.link.last_words().iter().map(|said| said.get().to_owned()).collect();
        assert_eq!(said, ["\"first\"", "\"last\""]);
        assert!(scene.link.last_words().is_empty());
        scene.link.close();
    });
}

#[test]
fn a_flooding_worker_is_held_up_while_the_driver_takes_nothing() {
    in_a_runtime(|mut scene| async move {
        let line = b"\"a message of thirty-two bytes.\"\n";
        let taken = scene.flood(&line.repeat(1000)).await;
        assert!(taken < 1 << 20, "{taken} bytes were taken");
        // Nothing is lost: what was taken comes once the driver asks.
        for _ in 0..taken / line.len() {
            assert!(matches!(scene.next().await, FromWorker::Said(_)));
        }
    });
}

#[test]
fn a_worker_that_asks_but_does_not_read_is_not_listened_to_for_ever() {
    in_a_runtime(|mut scene| async move {
        // Each is refused at once, as invalid, which is an answer to be queued.
        let line = b"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":1}\n";
        let taken = scene.flood(&line.repeat(1000)).await;
        assert!(taken < 4 << 20, "{taken} bytes were taken");
        let queued = scene.link.shared.outbox.borrow();
        assert!(queued.is_full());
    });
}

#[test]
fn a_worker_that_does_not_read_costs_messages_but_no_answers() {
    in_a_runtime(|mut scene| async move {
        scene.end.write_all(&query(1)).unwrap();
        let FromWorker::Wants { query, .. } = scene.next().await else { panic!("no query") };
        let message = serde_json::value::to_raw_value(&"x".repeat(MESSAGES / 4)).unwrap();
        let mut queued = 0;
        while scene.link.send(&message) == Taken::Queued {
            queued += 1;
            turn().await;
        }
        assert_eq!(scene.link.refused(), 1);
        scene.link.answer_error(&query, Errno(13));
        scene.link.disconnect();

        let mut text = String::new();
        while text.lines().count() < queued + 2 || !text.ends_with('\n') {
            let mut chunk = [0; 1 << 16];
            match scene.end.read(&mut chunk) {
                Ok(count) => text.push_str(std::str::from_utf8(&chunk[..count]).unwrap()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            turn().await;
        }
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines[..queued].iter().all(Value::is_string));
        assert_eq!((&lines[queued]["errno"], &lines[queued + 1]["act"]), (&json!(-13), &json!("disconnect")));
    });
}

#[test]
fn every_descriptor_comes_with_its_own_line_even_if_there_is_no_room_at_first() {
    in_a_runtime(|mut scene| async move {
        for seq in 0..SERVERS {
            scene.end.write_all(&query(seq as u64)).unwrap();
            let FromWorker::Wants { query, .. } = scene.next().await else { panic!("no query") };
            let socket = Rc::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
            scene.link.answer_listener(&query, socket, &mut scene.data);
            let message = serde_json::value::to_raw_value("between").unwrap();
            assert_eq!(scene.link.send(&message), Taken::Queued);
        }
        let (mut text, mut descriptors) = (String::new(), 0);
        while text.lines().count() < 2 * SERVERS || !text.ends_with('\n') {
            if let Some((chunk, with)) = receive(&scene.end) {
                text.push_str(&chunk);
                if with > 0 {
                    descriptors += with;
                    let line = text.trim_end().lines().last().unwrap();
                    let ack = format!("\"ack\":{},", descriptors - 1);
                    assert!(line.starts_with("{\"cmd\":\"NODE_HANDLE\"") && line.contains(&ack), "{line}");
                }
            }
            turn().await;
        }
        assert_eq!(descriptors, SERVERS);
    });
}

/// Reads as Node does, and closes what comes along: the bytes, and how many descriptors there were.
fn receive(end: &StdUnixStream) -> Option<(String, usize)> {
    let mut buffer = [0; 1 << 16];
    let mut control = nix::cmsg_space!([i32; 8]);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let message = recvmsg::<()>(end.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()).ok()?;
    let mut descriptors = 0;
    for received in message.cmsgs().unwrap() {
        let ControlMessageOwned::ScmRights(raw) = received else { panic!("{received:?}") };
        descriptors += raw.len();
        raw.into_iter().for_each(|raw| nix::unistd::close(raw).unwrap());
    }
    let length = message.bytes;
    Some((String::from_utf8(buffer[..length].to_vec()).unwrap(), descriptors))
}

#[test]
fn what_a_worker_said_before_its_end_is_heard() {
    in_a_runtime(|mut scene| async move {
        scene.end.write_all(b"1\n2\n3\n").unwrap();
        let end = std::mem::replace(&mut scene.end, StdUnixStream::pair().unwrap().0);
        drop(end);
        // Writing fails before the last of it is read.
        scene.link.disconnect();
        for _ in 0..3 {
            turn().await;
            assert!(matches!(scene.next().await, FromWorker::Said(_)));
        }
        assert!(matches!(scene.next().await, FromWorker::Ended));
    });
}

#[test]
fn closing_the_handle_closes_the_channel() {
    in_a_runtime(|scene| async move {
        let Scene { link, mut end, .. } = scene;
        link.close();
        for _ in 0..10_000 {
            match end.read(&mut [0]) {
                Ok(count) => return assert_eq!(count, 0),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            turn().await;
        }
        panic!("the channel is still open");
    });
}

#[test]
fn dropping_the_handle_leaves_the_channel_open() {
    in_a_runtime(|scene| async move {
        let Scene { link, mut events, mut end, .. } = scene;
        drop(link);
        turn().await;
        end.write_all(b"1\n").unwrap();
        assert!(matches!(events.recv().await, Some((WORKER, FromWorker::Said(_)))));
    });
}

#[test]
fn a_channel_goes_on_in_the_next_program_in_the_middle_of_a_line() {
    in_a_runtime(|mut scene| async move {
        let lines = [query(1), query(2)].concat();
        let (first, second) = lines.split_at(lines.len() - 9);
        scene.end.write_all(first).unwrap();
        let FromWorker::Wants { query, .. } = scene.next().await else { panic!("no query") };
        while scene.link.shared.link.borrow().is_at_line_start() {
            turn().await;
        }
        assert!(scene.link.is_at_rest());
        let mut state = scene.link.state(&mut Kept::default()).unwrap().unwrap();
        let socket = scene.link.socket.upgrade().unwrap().as_fd().try_clone_to_owned().unwrap();
        state.descriptor = socket.into_raw_fd();
        let text = serde_json::to_string(&state).unwrap();
        scene.link.close();
        let (sender, events) = mpsc::channel(1);
        let next = ClusterLink::resume(WORKER, serde_json::from_str(&text).unwrap(), sender).unwrap();
        scene = Scene { link: next, events, ..scene };
        scene.end.write_all(second).unwrap();
        assert!(matches!(scene.next().await, FromWorker::Wants { .. }));
        // It knows the server that was asked for before.
        scene.link.answer_error(&query, Errno::EADDRINUSE);
        let mut answer = [0; 1024];
        let count = loop {
            match scene.end.read(&mut answer) {
                Ok(count) => break count,
                Err(_) => turn().await,
            }
        };
        let answer: Value = serde_json::from_slice(&answer[..count]).unwrap();
        assert_eq!((&answer["ack"], &answer["errno"]), (&json!(1), &json!(-98)));
    });
}

#[test]
fn a_worker_at_rest_says_nothing_more_until_the_rest_ends() {
    in_a_runtime(|mut scene| async move {
        // What it waits for already is read.
        turn().await;
        scene.link.rest();
        scene.end.write_all(b"1\n").unwrap();
        assert!(matches!(scene.next().await, FromWorker::Said(_)));
        scene.end.write_all(b"2\n").unwrap();
        for _ in 0..20 {
            turn().await;
        }
        assert!(scene.link.is_at_rest() && scene.events.is_empty());
        scene.link.end_rest();
        assert!(matches!(scene.next().await, FromWorker::Said(_)));
    });
}
