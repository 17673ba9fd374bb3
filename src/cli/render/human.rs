//! Figures as people read them. Pure.

use jiff::Timestamp;

/// How long something has lived, in pm2's one unit: `5s`, `2m`, `3h`, `2D`.
pub(in crate::cli) fn uptime(millis: u64) -> String {
    match millis / 1000 {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}D", seconds / 86_400),
    }
}

/// How long something took: `350ms`, `1.2s`, `4m 5s`, `2h 3m`.
pub(in crate::cli) fn took(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        60_000..3_600_000 => format!("{}m {}s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{}h {}m", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// An amount of memory, as pm2 writes it: `0b`, `53.0mb`.
pub(in crate::cli) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kb", "mb", "gb", "tb", "pb"];
    if bytes < 1024 {
        return format!("{bytes}b");
    }
    // No process has so much memory that a float's 52 bits would not do for one decimal.
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.96 would be written as 1024.0.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1}{}", UNITS[unit])
}

/// A share of one CPU: `0%`, `12.5%`.
pub(in crate::cli) fn percent(percent: f64) -> String {
    // A sum of nothing is minus zero.
    let text = format!("{:.1}", percent + 0.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// A moment, in UTC, as in our own log lines but to the second: `2026-08-09T12:00:00Z`.
pub(in crate::cli) fn moment(millis: u64) -> String {
    match timestamp(millis) {
        Some(moment) => moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => "-".to_owned(),
    }
}

/// A moment in a form of the user's, in UTC: strftime's (`%H:%M:%S`) or, without any `%`, pm2's (`HH:mm:ss`).
pub(in crate::cli) fn moment_in(millis: u64, form: &str) -> String {
    let form = if form.contains('%') { form.to_owned() } else { from_pm2(form) };
    let Some(moment) = timestamp(millis) else { return "-".to_owned() };
    jiff::fmt::strtime::format(&form, moment).unwrap_or(form)
}

fn timestamp(millis: u64) -> Option<Timestamp> {
    i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

/// pm2 takes the letters of moment.js.
fn from_pm2(form: &str) -> String {
    const LETTERS: [(&str, &str); 8] = [
        ("YYYY", "%Y"),
        ("MM", "%m"),
        ("DD", "%d"),
        ("HH", "%H"),
        ("mm", "%M"),
        ("SSS", "%3f"),
        ("ss", "%S"),
        ("Z", "%:z"),
    ];
    let (mut rest, mut text) = (form, String::new());
    while let Some(first) = rest.chars().next() {
        let known = LETTERS.iter().find_map(|(theirs, ours)| Some((rest.strip_prefix(theirs)?, ours)));
        match known {
            Some((after, ours)) => {
                text += ours;
                rest = after;
            }
            None => {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_has_one_unit() {
        let expected = [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_599_999, "59m"),
            (3_600_000, "1h"),
            (86_399_999, "23h"),
            (86_400_000, "1D"),
            (31_536_000_000, "365D"),
        ];
        for (millis, text) in expected {
            assert_eq!(uptime(millis), text);
        }
    }

    #[test]
    fn a_duration_is_as_exact_as_anybody_wants() {
        let expected = [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1.0s"),
            (1299, "1.2s"),
            (59_999, "59.9s"),
            (245_000, "4m 5s"),
            (7_380_000, "2h 3m"),
        ];
        for (millis, text) in expected {
            assert_eq!(took(millis), text);
        }
    }

    #[test]
    fn sizes_never_reach_the_next_unit() {
        let expected = [
            (0, "0b"),
            (1023, "1023b"),
            (1024, "1.0kb"),
            (1_048_575, "1.0mb"),
            (55_574_528, "53.0mb"),
            (3_221_225_472, "3.0gb"),
        ];
        for (size, text) in expected {
            assert_eq!(bytes(size), text);
        }
        assert!(bytes(u64::MAX).ends_with("pb"));
    }

    #[test]
    fn decimals_are_there_where_they_say_something() {
        assert_eq!(
            [percent(-0.0), percent(0.04), percent(12.54), percent(400.0)],
            ["0%", "0%", "12.5%", "400%"]
        );
    }

    #[test]
    fn a_moment_is_written_in_either_language() {
        let at = 1_767_225_599_042;
        assert_eq!(moment(at), "2025-12-31T23:59:59Z");
        assert_eq!(moment_in(at, "%H:%M"), "23:59");
        assert_eq!(moment_in(at, "YYYY-MM-DD HH:mm:ss.SSS Z"), "2025-12-31 23:59:59.042 +00:00");
        assert_eq!(moment(u64::MAX), "-");
    }
}
