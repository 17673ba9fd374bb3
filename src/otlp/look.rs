//! Takes the figures of one moment.

use std::rc::Rc;

use crate::api::types::RuntimeView;
use crate::control::figures::Figures as Sampling;
use crate::driver::handle::{Ended, Handle, Question};
use crate::metrics::families::Figures;
use crate::telemetry::{Latest, Looker, Telemetry};

/// Who looks.
pub(super) struct Look {
    handle: Handle,
    telemetry: Telemetry,
    /// For where no collector looks.
    looker: Looker,
    sampling: Sampling,
    /// As it was at the last look.
    runtime: Option<RuntimeView>,
}

impl Look {
    pub(super) fn new(handle: Handle, telemetry: Telemetry) -> Self {
        let looker = Looker::new(handle.clone());
        Self { handle, telemetry, looker, sampling: Sampling::default(), runtime: None }
    }

    /// Calls `show` with all that there is to tell now.
    pub(super) async fn take<T>(&mut self, show: impl FnOnce(&Figures<'_>) -> T) -> Result<T, Ended> {
        let mut runtime = self.handle.ask(|reply| Question::Runtime { reply }).await?;
        let latest = match self.telemetry.latest() {
            Some(latest) => latest,
            None => Rc::new(self.telemetry.count(self.looker.look().await?)),
        };
        self.sampling.fill_runtime(&mut runtime).await;
        let shown = with(&latest, &mut runtime, show);
        self.runtime = Some(runtime);
        Ok(shown)
    }

    /// The same of the collector's last look, for when the runtime has ended. `None` where there was none.
    pub(super) fn last<T>(&mut self, show: impl FnOnce(&Figures<'_>) -> T) -> Option<T> {
        let latest = self.telemetry.latest()?;
        Some(with(&latest, self.runtime.as_mut()?, show))
    }
}

fn with<T>(latest: &Latest, runtime: &mut RuntimeView, show: impl FnOnce(&Figures<'_>) -> T) -> T {
    // The time of what is told.
    runtime.uptime_ms = latest.at_ms.saturating_sub(runtime.started_at_ms);
    let Latest { apps, usages, totals, .. } = latest;
    show(&Figures { runtime, apps, usages, totals })
}
