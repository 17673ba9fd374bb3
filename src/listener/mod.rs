//! The listening sockets. The runtime owns them, and they outlive every worker: while a worker is replaced its
//! connections wait in the queue, and the next worker takes them. A connection never passes through the runtime.
//!
//! Two spreads, chosen for each address when it is first asked for:
//!
//! - *Shared*: one socket, hence one queue, for all instances. Nothing is left behind when a worker dies or blocks,
//!   since any other takes what waits. It needs workers that do not block in `accept`: a program that polls and then
//!   accepts finds the queue empty whenever another was faster, and is told EAGAIN.
//! - *Per instance*: where the worker's socket is blocking, that program would hang in `accept` instead, deaf to its
//!   other connections and to its signals. So each instance has a socket of its own, all in one SO_REUSEPORT group,
//!   and a steering program in the kernel chooses among them: new connections go only to the instances that serve and
//!   accept (`stall`), and where `--balance even` asks for it to those that hold fewest (`shares`). With `--balance even`
//!   or `sticky`, sockets that do not block have this spread, too.
//!
//! Only TCP knows both; Unix-domain and UDP sockets are always shared. How a worker comes by a socket is the business
//! of `handover`. Nothing here logs, and nothing here knows the supervisor.
//!
//! Closing a listening socket resets what waits in its queue, so a socket whose instance is scaled away stays open,
//! steered away from, until its queue is empty. A handshake that began before the steering still ends there; it is no
//! longer than a round trip, which is why the driver's next tick, not the same call, closes it.

mod address;
mod budget;
mod error;
mod group;
mod merge;
mod registry;
mod shares;
mod socket;
mod stall;
mod state;
pub mod steer;
mod steering;
mod unix;
mod watch;

pub use address::{Address, OnlyV6};
pub use error::ListenError;
pub use registry::{Handed, Listeners, Ours, Retired, Status};
pub use socket::Blocking;
pub use state::ListenersState;
pub use steering::Stuck;
