//! The web server (`--web`): the runtime over TCP, for probes, Prometheus, pm2's readers, and the API of the control socket.
//! docs/web.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `server` | takes connections, within limits, and ends them |
//! | `routes` | from a request to its answer |
//! | `guard` | pure: who may ask for what |
//! | `probes` | pure: what `/livez`, `/healthz` and `/readyz` answer |
//! | `accept` | pure: which form of an answer a client wants |
//! | `page`, `assets/` | pure: what a browser is shown: the dashboard |
//!
//! It is there only where it is asked for. Like the control socket, whose answers it gives, it holds no state of the runtime.

mod accept;
mod guard;
mod page;
mod probes;
mod routes;
mod server;
#[cfg(test)]
mod tests;

pub use guard::Token;
pub use server::{Options, Server, is_of_this_machine};
