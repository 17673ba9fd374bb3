//! The control socket: HTTP with JSON, for the command line, the dashboards and `curl --unix-socket`.
//! docs/control-api.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `place`, `bind`, `find` | where the socket is; puts it there, safely; looks for those of others |
//! | `peer` | who is at the other end |
//! | `server` | takes connections, within limits, and ends them |
//! | `refusal`, `stall` | clients that are not served; clients that do not read |
//! | `routes` | from a request to its answer |
//! | `router`, `query`, `target`, `order` | pure: what a request's line, target and body mean |
//! | `reading`, `changing`, `messages`, `save` | the answers |
//! | `reports` | what Node workers report of themselves |
//! | `insight`, `attachment` | what a Node worker finds out about itself; a file, piece by piece |
//! | `answer`, `feed`, `request` | JSON and server-sent events; bodies of requests |
//! | `figures`, `history`, `secrets` | what processes use; past events; what is not shown |
//!
//! And for who asks:
//!
//! | file | subject |
//! | --- | --- |
//! | `choose` | which of the runtimes that were found is meant |
//! | `client`, `call` | asks it, with a time limit; a request on its way |
//! | `sse` | pure: bytes of an event stream → messages |
//! | `users` | names of users |
//!
//! It holds no state of the runtime: everything is asked of the driver, through its `Handle`.

pub(crate) mod answer;
mod attachment;
pub mod bind;
pub mod call;
mod changing;
pub mod choose;
pub mod client;
pub(crate) mod feed;
pub(crate) mod figures;
pub mod find;
pub(crate) mod history;
mod insight;
mod messages;
pub mod order;
pub mod peer;
pub mod place;
pub mod query;
mod reading;
mod refusal;
mod reports;
mod request;
pub mod router;
pub(crate) mod routes;
#[cfg(test)]
mod samples;
pub mod save;
pub mod secrets;
mod server;
pub mod sse;
pub(crate) mod stall;
pub mod target;
#[cfg(test)]
mod tests;
pub mod users;

#[cfg(test)]
pub(crate) use samples::{app as sample, crash as sample_crash};
pub use server::{Options, Server};
