//! An OTLP receiver that takes JSON, keeps what it is sent, and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

pub(crate) const TAKEN: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// It ends with the value.
pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Mutex<&'static str>,
    bodies: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// A value of a metric.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) start: String,
}

impl Receiver {
    /// Gives these bytes as its answer; none, and the connection stays open, where they are empty.
    pub(crate) fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            bodies: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    break;
                }
                // Who goes away meanwhile was not to be answered.
                unanswered.extend(stream.ok().and_then(|stream| of_thread.take(stream)));
            }
        });
        Self { port, shared, thread: Some(thread) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn answer_from_now_on(&self, answer: &'static str) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// All that was pushed.
    pub(crate) fn pushes(&self) -> Vec<String> {
        self.shared.bodies.lock().unwrap().clone()
    }

    /// The first point of a metric, in the last push that has it.
    pub(crate) fn last(&self, name: &str) -> Option<Point> {
        self.pushes().iter().rev().find_map(|push| {
            let push: Value = serde_json::from_str(push).unwrap();
            let metrics = push["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?.clone();
            let metric = metrics.into_iter().find(|metric| metric["name"] == name)?;
            let point = &metric["sum"]["dataPoints"][0];
            let start = point["startTimeUnixNano"].as_str()?.to_owned();
            Some(Point { value: point["asDouble"].as_f64()?, start })
        })
    }
}

impl Shared {
    /// Takes a push. Gives the connection back that is not answered.
    fn take(&self, stream: TcpStream) -> Option<TcpStream> {
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        self.bodies.lock().unwrap().push(String::from_utf8(body).unwrap());
        let answer = *self.answer.lock().unwrap();
        let mut stream = stream.into_inner();
        if answer.is_empty() {
            return Some(stream);
        }
        stream.write_all(answer.as_bytes()).ok()?;
        None
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes it up.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
