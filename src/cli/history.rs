//! Whether figures are kept over time, and what begins to keep them.

use crate::config::settings::Settings;
use crate::config::{setting, values};
use crate::driver::Driver;
use crate::driver::handle::Handle;
use crate::telemetry::{Collector, Telemetry, TelemetryState};

/// What there is, and whether more is to come.
pub(super) struct History {
    pub(super) telemetry: Telemetry,
    is_wanted: bool,
}

impl History {
    /// As the settings say; where they do not, whether somebody shows or pushes them.
    pub(super) fn of(settings: &Settings, is_pushed: bool) -> Self {
        let is_wanted = settings.keeps_history() || is_pushed && settings.history.is_none();
        Self { telemetry: Telemetry::default(), is_wanted }
    }

    /// As the environment says, where there are no settings yet; where it does not, whether somebody is there who shows them.
    pub(super) fn of_environment(is_shown: bool) -> Self {
        let text = std::env::var_os(setting::HISTORY.variable).and_then(|text| text.into_string().ok());
        let said = text.filter(|text| !text.is_empty()).and_then(|text| values::yes_or_no(&text).ok());
        Self { telemetry: Telemetry::default(), is_wanted: said.unwrap_or(is_shown) }
    }

    /// As the program before us has left it. One that knew of none has left nothing.
    pub(super) fn resume(left: Option<&TelemetryState>, is_shown: bool) -> Self {
        Self {
            telemetry: left.map(Telemetry::resume).unwrap_or_default(),
            is_wanted: left.map_or(is_shown, |left| left.is_kept),
        }
    }

    /// Begins, where that is wanted, for as long as the answer is held.
    pub(super) fn begin(self, handle: Handle, driver: &mut Driver) -> Option<Collector> {
        driver.keep_telemetry(self.telemetry.clone());
        self.is_wanted.then(|| Collector::start(handle, self.telemetry))
    }
}
