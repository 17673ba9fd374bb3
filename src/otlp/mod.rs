//! Figures for OpenTelemetry: pushes what `/metrics` tells to an OTLP receiver, over HTTP, where the environment names one.
//! docs/opentelemetry.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `config`, `endpoint` | pure: what OpenTelemetry's variables ask for |
//! | `export` | pure: families as OpenTelemetry has them |
//! | `starts` | pure: since when each counter counts |
//! | `protobuf`, `json` | pure: the two encodings, and what receivers answer in them |
//! | `retry` | pure: what follows a try |
//! | `send` | one try |
//! | `look` | takes the figures of one moment |
//! | `push` | the task that looks and pushes |
//!
//! Nothing here runs where nothing is to be pushed. A push holds the figures of one moment, and no more than one waits: since
//! counters are cumulative, a later push makes up for one that was lost.

pub mod config;
pub mod endpoint;
mod export;
mod json;
mod look;
mod protobuf;
mod push;
mod retry;
mod send;
pub mod starts;

pub use push::{Pusher, Wiring};

/// Who has measured.
const SCOPE: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");
