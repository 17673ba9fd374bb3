//! Asks whether a server is well, and saves what is known of a worker that is not.
//!
//! `connect` makes the connection and `http` the request of a check; the commands of checks are run by the driver, like all
//! processes. `report` is the file on a worker that has stalled.

pub mod connect;
pub mod http;
pub mod report;
