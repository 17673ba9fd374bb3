//! How far a worker's pipe has been read, for the recorder.

use std::sync::Arc;

use super::chunks::{Piece, Pipe};
use super::clock;
use super::recorder::{Recorder, millis};

/// See the module.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) pipe: Arc<Pipe>,
    /// So many bytes were read.
    pub(super) read: u64,
    /// Whether what comes next begins a line.
    pub(super) begins: bool,
}

impl Track {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe, read: 0, begins: true }
    }

    /// Tells `recorder` of what was just read.
    pub(super) fn add(&mut self, bytes: &[u8], recorder: &Recorder) {
        let Self { pipe, read: offset, begins } = &*self;
        recorder.add(Piece { pipe, offset: *offset, begins: *begins, time: millis(clock::now()), bytes });
        self.read += bytes.len() as u64;
        self.begins = bytes.last().is_none_or(|&byte| byte == b'\n');
    }

    /// The line that is begun, if one is, will not go on.
    pub(super) fn end_line(&mut self, recorder: &Recorder) {
        if !self.begins {
            self.add(b"\n", recorder);
        }
    }
}
