//! The control socket, tried over a real socket with a made-up driver behind it.
//!
//! Every answer that a test gets is held against docs/openapi.json.

mod client;
mod documents;
mod driver;
mod hostile;
mod routes;
mod schema;
mod streams;
mod world;
