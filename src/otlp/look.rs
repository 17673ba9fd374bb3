//! Takes the figures of one moment.

use std::rc::Rc;

use crate::api::types::RuntimeView;
use crate::control::figures::Figures as Sampling;
use crate::driver::handle::{Ended, Handle, Question};
use crate::metrics::families::Figures;
use crate::telemetry::{Latest, Looker, Telemetry};

/// Who looks, where nobody does so each second.
pub(super) struct Look {
    handle: Handle,
    sampling: Sampling,
    looker: Looker,
    telemetry: Telemetry,
}

impl Look {
    pub(super) fn new(handle: Handle, telemetry: Telemetry) -> Self {
        let looker = Looker::new(handle.clone());
        Self { handle, sampling: Sampling::default(), looker, telemetry }
    }

    /// Calls `show` with all that there is to tell now.
    pub(super) async fn take<T>(&mut self, show: impl FnOnce(&Figures<'_>) -> T) -> Result<T, Ended> {
        let mut apps = self.handle.ask(|reply| Question::Apps { reply }).await?;
        let mut runtime: RuntimeView = self.handle.ask(|reply| Question::Runtime { reply }).await?;
        let latest = self.latest().await?;
        // The runtime may have ended before the rest is known, which is then told all the same.
        let mut usages = latest.usages.clone();
        if !latest.fill(&mut apps) {
            // Somebody is new since.
            usages.extend(self.sampling.usages(&apps).await);
        }
        self.sampling.fill_runtime(&mut runtime).await;
        Ok(show(&Figures { runtime: &runtime, apps: &apps, usages: &usages, totals: &latest.totals }))
    }

    async fn latest(&mut self) -> Result<Rc<Latest>, Ended> {
        match self.telemetry.latest() {
            Some(latest) => Ok(latest),
            None => Ok(Rc::new(self.telemetry.count(self.looker.look().await?))),
        }
    }
}
