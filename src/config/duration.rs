//! Reads a length of time: `1600`, `1600ms`, `5s`, `1.5s`, `2m`, `1h`. A bare number is in milliseconds, as in pm2.

use std::time::Duration;

use super::problem::Accepted;

/// What is accepted, for error messages.
pub const ACCEPTED: Accepted =
    Accepted("a duration such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`");

/// As [`ACCEPTED`], without zero.
pub const ACCEPTED_POSITIVE: Accepted =
    Accepted("a duration above zero such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`");

/// A year: longer than any use, and far from where adding to a clock would overflow.
const LONGEST: Duration = Duration::from_secs(8760 * 3600);

/// The units, with their length in nanoseconds. `ms` stands before `m` and `s`, with which it shares letters.
const UNITS: [(&str, u128); 4] =
    [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// More digits than these after the point are below a nanosecond, even in hours.
const MOST_DECIMALS: usize = 12;

/// Reads `text` as a duration of zero to a year.
///
/// # Errors
/// What is accepted, when `text` is something else.
pub fn parse(text: &str) -> Result<Duration, Accepted> {
    nanoseconds(text)
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map(Duration::from_nanos)
        .filter(|duration| *duration <= LONGEST)
        .ok_or(ACCEPTED)
}

/// The words that [`parse`] reads as this duration, to a millisecond: `90s`, `1500ms`, `2m`.
#[must_use]
pub fn render(span: Duration) -> String {
    let millis = span.as_millis();
    match (millis % 1000, span.as_secs()) {
        (0, 0) => "0s".to_owned(),
        (0, seconds) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        (0, seconds) if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        (0, seconds) => format!("{seconds}s"),
        _ => format!("{millis}ms"),
    }
}

/// Reads `text` as a duration above zero.
///
/// # Errors
/// What is accepted, when `text` is something else.
pub fn parse_positive(text: &str) -> Result<Duration, Accepted> {
    parse(text).ok().filter(|duration| !duration.is_zero()).ok_or(ACCEPTED_POSITIVE)
}

fn nanoseconds(text: &str) -> Option<u128> {
    let Some((number, unit)) = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
    else {
        // A fraction without a unit could be meant in seconds.
        return digits(text)?.checked_mul(1_000_000);
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > MOST_DECIMALS {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let whole = digits(whole)?.checked_mul(unit)?;
    let fraction = digits(fraction)?.checked_mul(unit)? / scale;
    whole.checked_add(fraction)
}

/// Like `str::parse`, but takes no sign: `+4` is a typing error.
pub(super) fn digits(text: &str) -> Option<u128> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_read_in_every_unit() {
        for (text, millis) in [
            ("0", 0),
            ("1600", 1600),
            ("1600ms", 1600),
            ("5s", 5000),
            ("1.5s", 1500),
            ("0.25m", 15_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("0.5ms"), Ok(Duration::from_micros(500)));
    }

    #[test]
    fn nonsense_negatives_and_overflow_are_refused() {
        for text in [
            "",
            "s",
            "ms",
            ".",
            ".5s",
            "5.s",
            "-1",
            "-5s",
            "+5",
            "5 s",
            " 5",
            "5S",
            "1.5",
            "1e3",
            "0x10",
            "5d",
            "8761h",
            "1.2.3s",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211455h",
            "1.0000000000001s",
            "५s",
        ] {
            assert_eq!(parse(text), Err(ACCEPTED), "{text}");
        }
    }

    #[test]
    fn zero_is_refused_where_a_positive_duration_is_wanted() {
        assert_eq!(parse_positive("0s"), Err(ACCEPTED_POSITIVE));
        assert_eq!(parse_positive("1ms"), Ok(Duration::from_millis(1)));
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_as_the_same(millis in 0_u64..100_000_000) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse(&render(span)), Ok(span));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_number_makes_it_panic(text in "[0-9]{0,45}(\\.[0-9]{0,45})?(ms|s|m|h)?") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= LONGEST);
            }
        }

        #[test]
        fn whole_milliseconds_are_exact(millis in 0_u64..=31_536_000_000) {
            prop_assert_eq!(parse(&millis.to_string()), Ok(Duration::from_millis(millis)));
            prop_assert_eq!(parse(&format!("{millis}ms")), Ok(Duration::from_millis(millis)));
        }
    }
}
