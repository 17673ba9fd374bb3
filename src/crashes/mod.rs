//! Workers that died abnormally: what counts as such, what is kept of it, and which of them are alike.
//!
//! ```text
//! notice ──▶ cause ── Death ──▶ fingerprint ──┐
//!  exception ──┘ (the worker's last lines) ───┴──▶ store: the newest records, and a count for each fingerprint
//! ```
//!
//! `deliveries` says when a report goes to whom `--on-crash` names; `post` sends it, and is the only part that is not pure. The driver gathers
//! what belongs to a record, and tells of it.

#![forbid(unsafe_code)]

pub mod cause;
pub mod deliveries;
pub mod exception;
pub mod fingerprint;
mod frames;
pub mod lines;
pub mod post;
pub mod store;
mod text;
