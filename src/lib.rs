//! pmr-runtime: runs an unmodified server as a cluster of workers that share one port, in the foreground, as PID 1 or not.
//!
//! The layers, from the bottom: words (`process`, `spec`), pure decisions (`supervisor`, parts of `config` and `logs`),
//! effects (`sys`, `listener`, `handover`, `logs`), wiring (`driver`), surfaces (`cli`, `tui`). Imports point down only; see
//! docs/ARCHITECTURE.md.

pub mod api;
pub mod autoscale;
pub mod changes;
pub mod cli;
pub mod config;
pub mod control;
pub mod crashes;
pub mod driver;
pub mod ecosystem;
pub mod exit;
pub mod facts;
pub mod handover;
pub mod health;
pub mod listener;
pub mod logs;
pub mod memory;
pub mod metrics;
pub mod otlp;
pub mod process;
pub mod spec;
pub mod supervisor;
pub mod sys;
pub mod telemetry;
#[cfg(test)]
mod tidy;
pub mod tui;
pub mod web;
