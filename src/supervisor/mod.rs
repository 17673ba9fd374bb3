//! The supervisor: decides what happens next. Pure: no I/O, no clock, no system call, no logging.
//!
//! The driver tells it facts ([`Event`]) with the time at which they became known, carries out what it asks for
//! ([`Action`]), and wakes it at [`Supervisor::next_deadline`].

mod action;
mod event;

pub use action::{Action, CalledOff, Next, Notice, Recipient, StopReason, Verdict};
pub use event::{Event, Killer, Listen, SpawnFailure, Survivors, Uptime};
