//! The wish that all pumps come to rest.

use std::cell::Cell;

use tokio::sync::Notify;

/// See the module. For one thread.
#[derive(Debug, Default)]
pub(super) struct Rest {
    is_asked: Cell<bool>,
    told: Notify,
}

impl Rest {
    pub(super) fn ask(&self) {
        self.is_asked.set(true);
        self.told.notify_waiters();
    }

    pub(super) fn end(&self) {
        self.is_asked.set(false);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.get()
    }

    /// Waits until rest is asked for. Cancel-safe.
    pub(super) async fn asked(&self) {
        while !self.is_asked() {
            // There is one thread, so nobody can ask between the look above and the wait.
            self.told.notified().await;
        }
    }
}
