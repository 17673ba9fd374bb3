//! Workers' bytes to lines, and lines to our stdout and stderr; our own messages among them.
//!
//! ```text
//! worker's stdout --pump--> lines -> format --+--> queue (stdout) --writer thread--> our stdout
//! worker's stderr --pump--> lines -> format --|-+> queue (stderr) --writer thread--> our stderr
//!                    |\--> ring (tail)            ^
//!                    |                            |
//! tracing events --own--> message ----------------/
//!                    |
//!                    \---> recorder --> history of each app, and taps
//! ```
//!
//! - Never lost: a pump reads only when it may write, so a slow reader of ours holds the workers up.
//! - Never torn: bytes of another source, or a line of ours, follow only on a line's end.
//! - Never much memory: buffers belong to an output, not to a source; unfinished lines have a common budget.
//! - Our own messages never wait; where there is no room they are counted.
//! - Looking on costs nobody anything: histories are bounded, and a tap that is not emptied loses lines.
//!
//! `lines`, `format`, `date`, `message`, `ring`, `chunks`, `assemble`, `line`, `history` and `state` are pure; `clock` is the only reader of the time. docs/logs.md is
//! the user's view.

pub mod assemble;
pub mod chunks;
mod clock;
mod copy;
mod date;
mod file;
pub mod format;
pub mod history;
mod line;
pub mod lines;
mod look;
pub mod message;
mod outputs;
mod own;
mod pump;
mod queue;
mod recorder;
mod rest;
pub mod ring;
mod sink;
mod state;
mod suspend;
mod tap;
mod target;
mod track;

pub use date::DateFormat;
pub use file::FileSettings;
pub use format::{Format, Prefix, Source, Stream};
pub use line::{Filter, LogLine, Origin};
pub use look::AppLook;
pub use outputs::{Closed, Outputs, Settings, StreamSettings, WorkerLogs, WorkerPipe};
pub use state::OutputsState;
pub use suspend::{Destination, Resumed, ResumedWorker, Suspended};
pub use tap::{Tap, TapItem};

#[cfg(test)]
mod tests;
