//! Workers' bytes to lines, and lines to our stdout and stderr; our own messages among them.
//!
//! ```text
//! worker's stdout --pump--> lines -> format --+--> queue (stdout) --writer thread--> our stdout
//! worker's stderr --pump--> lines -> format --|-+> queue (stderr) --writer thread--> our stderr
//!                     \--> ring (tail)            ^
//! tracing events --own--> message ----------------/
//! ```
//!
//! - Never lost: a pump reads only when it may write, so a slow reader of ours holds the workers up.
//! - Never torn: bytes of another source, or a line of ours, follow only on a line's end.
//! - Never much memory: buffers belong to an output, not to a source; unfinished lines have a common budget.
//! - Our own messages never wait; where there is no room they are counted.
//!
//! `lines`, `format`, `message` and `ring` are pure; `clock` is the only reader of the time. docs/logs.md is
//! the user's view.

mod clock;
pub mod format;
pub mod lines;
pub mod message;
mod outputs;
mod own;
mod pump;
mod queue;
pub mod ring;
mod sink;

pub use format::{Format, Prefix, Source, Stream};
pub use outputs::{Closed, Outputs, Settings, StreamSettings, WorkerLogs};

#[cfg(test)]
mod tests;
