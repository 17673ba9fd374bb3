//! The way to what is kept, for all who show it. Pure.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::answer::{Excerpt, Step};
use super::state::TelemetryState;
use super::store::{Latest, Look, Store};
use crate::api::history::RecentView;
use crate::api::types::{AppView, InstanceView};

/// Figures over time. Cheap to copy; all copies are the same.
#[derive(Debug, Clone, Default)]
pub struct Telemetry(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    store: RefCell<Store>,
    /// Whether the collector runs.
    is_kept: Cell<bool>,
    /// Whether somebody looks once a second who needs no more than the last look.
    is_watched: Cell<bool>,
}

impl Telemetry {
    /// Goes on with what was handed over.
    #[must_use]
    pub fn resume(state: &TelemetryState) -> Self {
        let inner = Inner { store: RefCell::new(Store::resume(state)), ..Inner::default() };
        Self(Rc::new(inner))
    }

    /// As it is handed over.
    #[must_use]
    pub fn state(&self) -> TelemetryState {
        TelemetryState { is_kept: self.is_kept(), ..self.0.store.borrow().state() }
    }

    /// Whether figures are kept over time.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_kept.get()
    }

    /// The collector begins, or ends.
    pub(super) fn set_kept(&self, is_kept: bool) {
        self.0.is_kept.set(is_kept);
    }

    /// The last look of the collector, or of who looks without keeping: up to a second old. `None` where nobody looks, or has just
    /// begun to.
    #[must_use]
    pub fn latest(&self) -> Option<Rc<Latest>> {
        let is_looking = self.is_kept() || self.0.is_watched.get();
        is_looking.then(|| self.0.store.borrow().latest()).flatten()
    }

    /// Somebody begins to look once a second, or ends, who needs the last look alone.
    pub fn set_watched(&self, is_watched: bool) {
        self.0.is_watched.set(is_watched);
        if !self.is_kept() {
            self.0.store.borrow_mut().forget_latest();
        }
    }

    /// Counts what a look has found, and makes it the last one.
    pub fn watch(&self, look: Look) {
        let mut store = self.0.store.borrow_mut();
        let latest = store.count(look);
        store.set_latest(latest);
    }

    /// The newest points of an instance, at most `seconds`; `None` where there are none.
    #[must_use]
    pub fn recent(&self, app_id: u32, instance: u32, seconds: u64) -> Option<RecentView> {
        self.0.store.borrow().recent((app_id, instance), seconds)
    }

    /// The series of the instances that are meant, those after `since_ms` where that is said. `None` where none are kept.
    #[must_use]
    pub fn history(
        &self,
        step: Step,
        since_ms: Option<u64>,
        is_meant: impl Fn(&AppView, &InstanceView) -> bool,
    ) -> Option<Excerpt> {
        self.is_kept().then(|| self.0.store.borrow().history(step, since_ms, is_meant))
    }

    /// Counts what a look has found, and keeps it nowhere: for those who look for themselves where no collector runs.
    #[must_use]
    pub fn count(&self, look: Look) -> Latest {
        self.0.store.borrow_mut().count(look)
    }

    /// Counts what a look has found, and keeps it.
    pub(super) fn keep(&self, look: Look) {
        let mut store = self.0.store.borrow_mut();
        let latest = store.count(look);
        store.keep(latest);
    }
}
