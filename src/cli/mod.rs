//! The command line: what people type, and what they are answered.

mod alias;
pub mod args;
mod beginning;
mod control;
mod declared;
mod delay;
mod history;
#[cfg(test)]
mod man;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod npm;
mod otlp;
mod outputs;
mod plan;
mod render;
mod resume;
pub mod run;
mod surroundings;
mod verbs;
mod web;
