//! What is handed over of it in an update. Pure.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};

use super::series::Series;
use crate::metrics::totals::{Place, Totals};

/// All that is kept, or that nothing is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TelemetryState {
    /// Whether figures are kept over time.
    pub is_kept: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) series: Vec<SeriesState>,
    #[serde(default, skip_serializing_if = "Totals::is_empty")]
    pub(super) totals: Totals,
}

/// The series of one instance, at most 150 kB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SeriesState {
    pub(super) place: Place,
    data: String,
}

impl SeriesState {
    pub(super) fn of(place: Place, series: &Series) -> Self {
        Self { place, data: BASE64_STANDARD.encode(series.to_bytes()) }
    }

    /// `None` where another program has written it in another way: then it begins anew.
    pub(super) fn read(&self) -> Option<Series> {
        Series::from_bytes(&BASE64_STANDARD.decode(&self.data).ok()?)
    }
}
