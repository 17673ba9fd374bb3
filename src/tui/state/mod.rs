//! What the dashboard knows, and what becomes of it. No I/O, no clock: time comes in as an input, wishes go out as effects.
//!
//! | file | subject |
//! | --- | --- |
//! | `input` | what may happen, and what is asked for in return |
//! | `key` | bytes of a keyboard → keys |
//! | `model` | the state itself |
//! | `update` | (state, input) → effects |
//! | `press` | what each key does |
//! | `list` | the rows: filtered, sorted, one of them selected |
//! | `log` | lines kept, and the part of them that is shown |
//! | `history` | CPU and memory over the last minutes |
//! | `clean` | text of others, made harmless |

#![forbid(unsafe_code)]

pub mod clean;
pub mod history;
pub mod input;
pub mod key;
pub mod list;
pub mod log;
pub mod model;
mod press;
mod update;

#[cfg(test)]
pub(crate) mod tests;
