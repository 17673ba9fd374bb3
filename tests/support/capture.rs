//! Collects what a process writes, in a thread, and lets a test wait for it.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How much of an output is shown when a test fails.
const TAIL: usize = 6_000;

/// The bytes read so far from one output.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Shared>);

struct Shared {
    content: Mutex<Content>,
    changed: Condvar,
}

struct Content {
    bytes: Vec<u8>,
    closed: bool,
}

impl Capture {
    /// Reads `source` to its end in a thread.
    pub(crate) fn of(mut source: impl Read + Send + 'static) -> Self {
        let capture = Self::begin(false);
        let shared = Arc::clone(&capture.0);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                // A pseudo-terminal whose last user is gone answers EIO: an end like any other.
                let count = source.read(&mut buffer).unwrap_or(0);
                let mut content = shared.content.lock().unwrap();
                content.bytes.extend_from_slice(&buffer[..count]);
                content.closed = count == 0;
                shared.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        capture
    }

    /// Holds nothing, and nothing will come: for an output that the test reads itself.
    pub(crate) fn empty() -> Self {
        Self::begin(true)
    }

    fn begin(closed: bool) -> Self {
        let content = Content { bytes: Vec::new(), closed };
        Self(Arc::new(Shared { content: Mutex::new(content), changed: Condvar::new() }))
    }

    /// Everything read so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.content.lock().unwrap().bytes.clone()
    }

    /// Everything read so far, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.content.lock().unwrap().bytes).into_owned()
    }

    /// The end of what was read so far.
    pub(crate) fn tail(&self) -> String {
        let content = self.0.content.lock().unwrap();
        let start = content.bytes.len().saturating_sub(TAIL);
        String::from_utf8_lossy(&content.bytes[start..]).into_owned()
    }

    /// Waits until `probe` finds what it looks for in the text; `None` once the output is closed or the time is over.
    pub(crate) fn wait<T>(&self, deadline: Duration, mut probe: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + deadline;
        let mut content = self.0.content.lock().unwrap();
        loop {
            if let Some(found) = probe(&String::from_utf8_lossy(&content.bytes)) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if content.closed || left.is_zero() {
                return None;
            }
            content = self.0.changed.wait_timeout(content, left).unwrap().0;
        }
    }

    /// Waits until the other side has closed; answers whether it did.
    pub(crate) fn wait_closed(&self, deadline: Duration) -> bool {
        let content = self.0.content.lock().unwrap();
        let (content, _) =
            self.0.changed.wait_timeout_while(content, deadline, |content| !content.closed).unwrap();
        content.closed
    }
}
