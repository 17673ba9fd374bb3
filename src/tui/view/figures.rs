//! Sizes, times and curves as people read them, each in few columns.

use std::collections::VecDeque;
use std::time::Duration;

use super::look::Glyphs;

/// `12.3M`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be shown with four digits is shown in the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match bytes {
        0..1024 => format!("{bytes}B"),
        _ if value < 99.95 => format!("{value:.1}{}", UNITS[unit]),
        _ => format!("{value:.0}{}", UNITS[unit]),
    }
}

/// `12.3%`.
pub(super) fn percent(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}%") } else { format!("{value:.0}%") }
}

/// `42s`, `3m`, `7h`, `12d`.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// The time of day of a moment, in UTC: `14:03:59`.
pub(super) fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The last `columns` points as a row of bars, the newest at the right. The scale goes from zero to the greatest of
/// them, but at least to `floor`, so that noise looks like noise.
pub(super) fn curve(points: &VecDeque<Option<f64>>, columns: usize, floor: f64, glyphs: &Glyphs) -> String {
    let skipped = points.len().saturating_sub(columns);
    let visible: Vec<_> = points.iter().skip(skipped).copied().collect();
    let top = visible.iter().flatten().copied().fold(floor, f64::max);
    let bar = |point: &Option<f64>| match point {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the number of levels; a cast cannot leave the type's range"
        )]
        Some(value) if top > 0.0 => glyphs.levels[((value / top * 8.0) as usize).min(7)],
        _ => " ",
    };
    let bars: String = visible.iter().map(bar).collect();
    format!("{}{bars}", " ".repeat(columns - visible.len()))
}

#[cfg(test)]
mod tests {
    use super::super::look::{ASCII, UNICODE};
    use super::*;

    #[test]
    fn sizes_take_at_most_six_columns() {
        for (size, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (102_400, "100K"),
            (1_023_488, "1.0M"),
            (157_286_400, "150M"),
            (u64::MAX, "16384P"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn times_and_shares_are_short() {
        let spans = [0, 59, 60, 3599, 3600, 86_399, 86_400].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0s", "59s", "1m", "59m", "1h", "23h", "1d"]);
        assert_eq!(
            [0.0, 12.34, 99.94, 99.96, 400.0].map(percent),
            ["0.0%", "12.3%", "99.9%", "100%", "400%"]
        );
        assert_eq!(clock(86_400_000 + 3_661_999), "01:01:01");
    }

    #[test]
    fn a_curve_shows_its_newest_points_at_the_right() {
        let points = VecDeque::from([Some(9.0), Some(0.0), None, Some(50.0), Some(100.0)]);
        assert_eq!(curve(&points, 4, 1.0, &UNICODE), "▁ ▅█");
        assert_eq!(curve(&points, 7, 100.0, &ASCII), "  __ =#");
        assert_eq!(curve(&VecDeque::new(), 3, 0.0, &UNICODE), "   ");
    }
}
