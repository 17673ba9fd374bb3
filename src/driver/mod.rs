//! The one loop: turns what happens in the world into events, carries out what the supervisor asks for.
//!
//! ```text
//!  signals ──┐                                   ┌── spawn ── sys::spawn, handover
//!  deaths  ──┤                                   ├── stop, kill, forward ── sys::signals, the cluster channel
//!  channels ─┼─▶ Event ─▶ supervisor ─▶ Action ──┼── serve, stop listening ── listener
//!  questions ┤   (pure)                          ├── notice ── tracing
//!  deadline ─┘                                   └── exit
//! ```
//!
//! No policy lives here. Nothing in the loop waits for anything but the next event: questions of workers are answered,
//! and children spawned, within one turn.

mod advice;
mod clock;
mod death;
pub mod handle;
mod hear;
mod oom;
mod perform;
mod run;
mod spawn;
mod tell;
mod terminal;
mod workers;

pub use run::{Driver, Plan};
