//! Figures over time: what every instance used and did, second by second in the last hour, and minute by minute in the last day.
//! docs/history.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `code`, `point` | pure: a figure in 16 bits; the figures of an instance at one time |
//! | `ring`, `series` | pure: the last points, in memory that has a bound; seconds and minutes of an instance |
//! | `store`, `answer` | pure: all instances, and what is answered of them |
//! | `state` | pure: what is handed over in an update |
//! | `between` | pure: memory between two close looks at it |
//! | `look` | looks at all workers once |
//! | `collector` | does so each second, where somebody wants it |
//!
//! [`Telemetry`] is what others hold of it. While the collector runs, whoever wants current figures takes those of its last look:
//! two who ask Node workers how they do would share what these have counted. Where nobody keeps figures, and apps are scaled to the
//! load, `autoscale` makes the looks, of which the last alone is kept.

mod answer;
mod between;
mod code;
mod collector;
mod kept;
mod look;
mod point;
mod ring;
mod series;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use answer::{Excerpt, Step};
pub use collector::Collector;
pub use kept::Telemetry;
pub use look::Looker;
pub use state::TelemetryState;
pub use store::{Latest, Look};
