//! Apps whose number of instances follows the load. What it shall be is decided elsewhere (`autoscale`), and ordered as anybody's
//! else orders; here is what belongs to that.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::watch;

use super::app::App;
use super::order::Slot;
use super::run::Driver;
use super::words;
use crate::api::types::{Operation, ScaledView, ScalingView};
use crate::driver::clock::epoch_ms;
use crate::supervisor::Command;

/// What is to be known by who decides.
#[derive(Debug)]
pub struct Scalable {
    /// Whether there is any such app.
    pub has_any: watch::Receiver<bool>,
    /// How many CPUs' time may be used.
    pub cpus: f64,
    /// How many bytes of memory may be used, if that is limited.
    pub memory_limit: Option<u64>,
}

impl Driver {
    /// For who decides how many instances apps have.
    #[must_use]
    pub fn scalable(&self) -> Scalable {
        let surroundings = &self.shared.surroundings;
        Scalable {
            has_any: self.has_ranges.subscribe(),
            cpus: surroundings.cpu_time,
            memory_limit: surroundings.memory.as_ref().map(|memory| memory.limit),
        }
    }

    /// Apps, or what they are, have changed.
    pub(super) fn note_ranges(&self) {
        let has_any = self.apps.values().any(|app| app.plan().app.range.is_some());
        self.has_ranges.send_if_modified(|known| std::mem::replace(known, has_any) != has_any);
    }
}

impl App {
    /// The load asks for so many instances. Nobody but an app that serves is asked.
    pub(super) fn follow(&mut self, to: NonZeroU32, because: String, slot: Slot) {
        let from = u32::try_from(self.instances()).unwrap_or(u32::MAX);
        if self.plan().app.range.is_none_or(|range| !range.has(to.get())) {
            // It was given another one since.
            let said = Err("its range has changed".to_owned());
            return slot.fill(self.verdict(Operation::Scale, Duration::ZERO, said));
        }
        self.announce(&words::autoscaled(from, to.get(), &because));
        self.last_scaled = Some(ScaledView { at_ms: epoch_ms(), from, to: to.get(), because });
        self.order(Operation::Scale, Command::Scale { to }, slot);
    }

    /// How many instances it may have, and what came of that last.
    pub(super) fn scaling_view(&self) -> Option<ScalingView> {
        let range = self.plan().app.range?;
        Some(ScalingView { min: range.least.get(), max: range.most.get(), last: self.last_scaled.clone() })
    }
}
