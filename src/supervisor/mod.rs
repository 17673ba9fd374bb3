//! The supervisor: decides what happens next. Pure: no I/O, no clock, no system call, no logging.
//!
//! The driver tells it facts ([`Event`]) with the time at which they became known, carries out what it asks for
//! ([`Action`]), and wakes it at [`Supervisor::next_deadline`].
//!
//! | file | subject |
//! | --- | --- |
//! | `event`, `command`, `action` | the contract with the driver |
//! | `machine` | the whole state, the entry points, what follows on every event |
//! | `instance` | the states of one instance (diagram), its workers |
//! | `worker`, `exit` | what a worker's own events do: spawned, listening, ready; exited |
//! | `readiness` | when a worker is ready, and what to say when it is not |
//! | `backoff` | whether and when an ended worker is replaced |
//! | `watchdog`, `health`, `vitals` | signs of life of a worker; checks; both, and whether it has stalled |
//! | `attend` | what is heard of them, and what is asked |
//! | `memory` | looks at the memory of workers for which there is a limit |
//! | `replace` | the replacement of workers that stall, or are too large |
//! | `cron`, `watch` | reloads by the clock, and when files change |
//! | `departure`, `drain` | workers on their way out: left to finish, asked, killed |
//! | `signal`, `operate` | what signals and orders ask for |
//! | `stop`, `reload`, `fleet`, `scale` | how that is done |
//! | `newcomer` | the turns of a reload, and the workers that are to take instances |
//! | `standby` | workers that are booted and held until an instance needs one |
//! | `strain` | what is done where all workers together have too much memory |
//! | `timer` | deadlines |
//! | `snapshot` | the read model |

#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

mod action;
mod attend;
mod backoff;
mod command;
mod cron;
mod delay;
mod departure;
mod drain;
mod event;
mod exit;
mod fleet;
mod health;
mod instance;
mod machine;
mod memory;
mod newcomer;
mod operate;
mod readiness;
mod reload;
mod replace;
mod scale;
mod signal;
mod snapshot;
mod standby;
mod stop;
mod strain;
#[cfg(test)]
mod tests;
mod timer;
mod vitals;
mod watch;
mod watchdog;
mod worker;

pub use action::{Action, CalledOff, Next, Notice, Parking, Recipient, StopReason, Verdict};
pub use command::{Answer, Command, Refusal, Scope, Ticket};
pub use cron::Scheduled;
pub use event::{Beat, Event, Killer, Listen, SpawnFailure, Survivors, Uptime, Word};
pub use health::{Health, Subject};
pub use machine::Supervisor;
pub use snapshot::{HealthView, InstanceView, LeavingView, Snapshot, StateName};
pub use strain::{Remedy, Strain};
pub use vitals::Stall;
