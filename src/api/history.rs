//! Figures over time: `GET /v1/history`. Values only.

use serde::{Deserialize, Serialize, Serializer};

/// The figures of all instances over the same time. A column may be anything that is written as a [`Column`] is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryView<C = Column> {
    /// From one value to the next.
    pub step_ms: u64,
    /// The time of the first value of each column, since the epoch; that of the i-th is so many steps later.
    pub from_ms: u64,
    pub series: Vec<SeriesView<C>>,
}

/// Those of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesView<C = Column> {
    pub app: String,
    pub app_id: u32,
    pub instance: u32,
    /// The instance's number in the runtime.
    pub id: u32,
    #[serde(flatten)]
    pub columns: ColumnsView<C>,
}

/// The newest figures of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecentView {
    pub step_ms: u64,
    /// The time of the first value of each column, since the epoch.
    pub from_ms: u64,
    #[serde(flatten)]
    pub columns: ColumnsView,
}

/// Columns of equal length, in the order of time. `null` is what was not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnsView<C = Column> {
    pub cpu_percent: C,
    pub memory_bytes: C,
    /// The 99th percentile.
    pub loop_delay_ms: C,
    pub loop_utilization: C,
    pub requests_per_second: C,
    pub in_flight: C,
    /// The 95th percentile.
    pub latency_ms: C,
    pub errors_per_second: C,
    /// How often a worker was started in the place of one that ended, within the step.
    pub restarts: C,
}

/// One figure over time.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Column(pub Vec<Option<f32>>);

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_column(self.0.iter().copied(), to)
    }
}

/// Writes a column. Whole numbers without a point, since most are, and there are many.
pub fn write_column<S: Serializer>(
    values: impl Iterator<Item = Option<f32>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.map(|value| value.map(Number::from)))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u32),
    Any(f64),
}

impl From<f32> for Number {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, and within the type"
    )]
    fn from(value: f32) -> Self {
        /// The first `f32` above which not every whole number is one.
        const EXACT: f32 = 16_777_216.0;
        match value {
            whole if whole.fract() == 0.0 && (0.0..EXACT).contains(&whole) => Self::Whole(whole as u32),
            // The same digits, whichever way it becomes JSON.
            other => Self::Any(other.to_string().parse().unwrap_or(f64::from(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_written_shortly_and_read_again() {
        let column = Column(vec![Some(0.0), None, Some(7.0), Some(0.031), Some(67_110_000.0)]);
        let text = serde_json::to_string(&column).unwrap();
        assert_eq!(text, "[0,null,7,0.031,67110000.0]");
        assert_eq!(serde_json::from_str::<Column>(&text).unwrap(), column);
    }
}
