//! The command line: what people type, and what they are answered.

pub mod args;
mod control;
mod outputs;
mod plan;
mod render;
mod resume;
pub mod run;
mod surroundings;
mod verbs;
