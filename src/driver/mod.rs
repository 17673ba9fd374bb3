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
mod app;
mod balance;
mod boot;
pub(crate) mod clock;
mod collision;
mod crash_hooks;
mod crashes;
mod death;
mod drain;
mod end;
mod gate;
mod halt;
pub mod handle;
mod health;
mod hear;
mod inboxes;
pub mod insight;
mod log_files;
mod measure;
mod messages;
mod oom;
mod order;
pub mod otlp;
mod park;
mod perform;
pub mod plan;
mod prepare;
mod question;
mod reports;
mod rescue;
mod run;
mod said;
pub mod scaling;
mod schedule;
mod shared;
mod shortage;
mod size;
mod spawn;
mod tell;
mod terminal;
mod trigger;
mod update;
mod view;
mod watch;
mod watch_logs;
pub mod web;
mod words;
mod workers;

pub use plan::{Plan, Planner, Surroundings};
pub use run::Driver;
pub use shared::own_log;
pub use shortage::SharedMemory;
pub use update::{CheckError, Inherited, OpenOutputs, check, handed_on};
pub use words::KINDS;
