//! What is known of the outputs between two programs of one process, in a form that can be handed over.
//!
//! Pure. It may be read by a later version than the one that wrote it: a field may be added with a default, but none may
//! change its meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chunks::{Chunks, Piece, Pipe};
use super::format::Stream;
use super::line::Origin;
use crate::process::Pid;
use crate::spec::{AppId, InstanceId};

/// The outputs, at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputsState {
    pub(super) next_pipe: u64,
    pub(super) workers: Vec<WorkerState>,
    pub(super) stdout: QueueState,
    pub(super) stderr: Option<QueueState>,
    /// The pipes that the histories speak of.
    pub(super) pipes: Vec<PipeState>,
    pub(super) histories: Vec<HistoryState>,
    pub(super) own_history: Vec<PieceState>,
}

/// A worker whose pipes are not both at their end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkerState {
    pub(super) tail: RingState,
    pub(super) pumps: Vec<PumpState>,
}

/// One pipe that is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PumpState {
    pub(super) descriptor: i32,
    pub(super) pipe: PipeState,
    /// So many bytes were read.
    pub(super) read: u64,
    pub(super) begins_line: bool,
    /// The start of a line that is kept back.
    pub(super) rest: Bytes,
    /// Whether the start of a line was passed on that is to go on.
    pub(super) mid_line: bool,
    pub(super) keeps_turn: bool,
    /// Where else its bytes go: the ends of pipes.
    #[serde(default)]
    pub(super) copies: Vec<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RingState {
    pub(super) bytes: Bytes,
    pub(super) last: Option<Stream>,
    pub(super) cut: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QueueState {
    /// The pipe whose line is open on the output.
    pub(super) open: Option<u64>,
    /// Whether that line will not go on.
    pub(super) ended: bool,
    /// Lines of ours that wait for its end.
    pub(super) own: Bytes,
    pub(super) lost: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PipeState {
    number: u64,
    app: u32,
    name: String,
    instance: u32,
    pid: i32,
    stream: Stream,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HistoryState {
    pub(super) app: u32,
    pub(super) pieces: Vec<PieceState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PieceState {
    pipe: u64,
    offset: u64,
    begins: bool,
    time: u64,
    bytes: Bytes,
}

/// Bytes as text: each is the character of its number, so that what is text stays readable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|&byte| char::from(byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        bytes.map(Self).map_err(|_| D::Error::custom("a character that stands for no byte"))
    }
}

impl PipeState {
    /// Of a worker's pipe; of none of ours.
    pub(super) fn of(pipe: &Pipe) -> Option<Self> {
        let Origin::App { app, name, instance, pid, stream } = &pipe.origin else { return None };
        let (name, stream) = (name.to_string(), *stream);
        Some(Self { number: pipe.number, app: app.0, name, instance: instance.0, pid: pid.as_raw(), stream })
    }

    /// `None`: no process has such an id.
    fn pipe(self) -> Option<Pipe> {
        let Self { number, app, name, instance, pid, stream } = self;
        let pid = (pid > 0).then(|| Pid::new(pid))?;
        let (app, name, instance) = (AppId(app), name.into(), InstanceId(instance));
        Some(Pipe { number, origin: Origin::App { app, name, instance, pid, stream } })
    }
}

impl PieceState {
    pub(super) fn all(chunks: &Chunks) -> Vec<Self> {
        let of = |piece: Piece<'_>| {
            let Piece { pipe, offset, begins, time, bytes } = piece;
            Self { pipe: pipe.number, offset, begins, time, bytes: Bytes(bytes.to_vec()) }
        };
        chunks.pieces().map(of).collect()
    }

    /// Adds it to `chunks`, if its pipe is known.
    pub(super) fn add_to(&self, chunks: &mut Chunks, pipes: &Pipes) {
        if let Some(pipe) = pipes.0.get(&self.pipe) {
            let Self { offset, begins, time, bytes, .. } = self;
            chunks.add(Piece { pipe, offset: *offset, begins: *begins, time: *time, bytes: &bytes.0 });
        }
    }
}

/// Pipes by their number.
#[derive(Debug, Default)]
pub(super) struct Pipes(BTreeMap<u64, Arc<Pipe>>);

impl Pipes {
    /// Notes the pipes of `chunks`.
    pub(super) fn add_all(&mut self, chunks: &Chunks) {
        chunks.pieces().for_each(|piece| self.add(piece.pipe));
    }

    pub(super) fn add(&mut self, pipe: &Arc<Pipe>) {
        self.0.entry(pipe.number).or_insert_with(|| Arc::clone(pipe));
    }

    /// The pipe of `state`, which is made where it is not known yet.
    pub(super) fn obtain(&mut self, state: PipeState) -> Option<Arc<Pipe>> {
        if let Some(known) = self.0.get(&state.number) {
            return Some(Arc::clone(known));
        }
        let pipe = Arc::new(state.pipe()?);
        self.add(&pipe);
        Some(pipe)
    }

    pub(super) fn states(&self) -> Vec<PipeState> {
        self.0.values().filter_map(|pipe| PipeState::of(pipe)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_text() {
        let bytes = Bytes((0..=255).collect());
        let text = serde_json::to_string(&bytes).unwrap();
        assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), bytes);
        assert_eq!(serde_json::to_string(&Bytes(b"plain".to_vec())).unwrap(), "\"plain\"");
        assert!(serde_json::from_str::<Bytes>("\"€\"").is_err());
    }
}
