//! The time before a line, in a form that the user chooses in the words of day.js: `YYYY-MM-DD HH:mm:ss`.
//!
//! Pure. The words are those of day.js without its plugins; a text in brackets stands for itself, as does whatever is no word.

use std::fmt::Write as _;
use std::time::SystemTime;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// All words; where one begins another, the longer one comes first.
const WORDS: [(&str, Word); 25] = [
    ("YYYY", Word::Year),
    ("YY", Word::ShortYear),
    ("MMMM", Word::MonthName),
    ("MMM", Word::ShortMonthName),
    ("MM", Word::Number(Of::Month, 2)),
    ("M", Word::Number(Of::Month, 1)),
    ("DD", Word::Number(Of::Day, 2)),
    ("D", Word::Number(Of::Day, 1)),
    ("dddd", Word::DayName(9)),
    ("ddd", Word::DayName(3)),
    ("dd", Word::DayName(2)),
    ("d", Word::Number(Of::Weekday, 1)),
    ("HH", Word::Number(Of::Hour, 2)),
    ("H", Word::Number(Of::Hour, 1)),
    ("hh", Word::Number(Of::HalfDayHour, 2)),
    ("h", Word::Number(Of::HalfDayHour, 1)),
    ("mm", Word::Number(Of::Minute, 2)),
    ("m", Word::Number(Of::Minute, 1)),
    ("ss", Word::Number(Of::Second, 2)),
    ("s", Word::Number(Of::Second, 1)),
    ("SSS", Word::Number(Of::Millisecond, 3)),
    ("A", Word::HalfDay),
    ("a", Word::SmallHalfDay),
    ("ZZ", Word::Offset("")),
    ("Z", Word::Offset(":")),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Year,
    ShortYear,
    MonthName,
    ShortMonthName,
    /// So many letters of the day's name.
    DayName(usize),
    /// A number with at least so many digits.
    Number(Of, usize),
    HalfDay,
    SmallHalfDay,
    /// From UTC, with this between hours and minutes.
    Offset(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Month,
    Day,
    Weekday,
    Hour,
    HalfDayHour,
    Minute,
    Second,
    Millisecond,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(Word),
}

/// See the module.
#[derive(Debug, Clone)]
pub struct DateFormat {
    parts: Vec<Part>,
    zone: TimeZone,
}

impl DateFormat {
    /// Reads a form; every text is one.
    #[must_use]
    pub fn new(form: &str, zone: TimeZone) -> Self {
        let (mut parts, mut rest) = (Vec::new(), form);
        while let Some(first) = rest.chars().next() {
            let (part, length) = if let Some(text) = quoted(rest) {
                (Part::Text(text.to_owned()), text.len() + 2)
            } else if let Some((word, of)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
                (Part::Word(*of), word.len())
            } else {
                (Part::Text(first.to_string()), first.len_utf8())
            };
            rest = &rest[length..];
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
        Self { parts, zone }
    }

    /// The time in this form, in the zone. Years beyond 9999 are shown as 1970.
    #[must_use]
    pub fn render(&self, time: SystemTime) -> String {
        let time = Timestamp::try_from(time).unwrap_or_default().to_zoned(self.zone.clone());
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Word(word) => word.write(&time, &mut text),
            }
        }
        text
    }
}

/// What stands in brackets at the start of `text`; not nothing.
fn quoted(text: &str) -> Option<&str> {
    let (inner, _) = text.strip_prefix('[')?.split_once(']')?;
    Some(inner).filter(|inner| !inner.is_empty())
}

impl Word {
    fn write(self, time: &Zoned, text: &mut String) {
        let month = MONTHS[usize::try_from(time.month() - 1).unwrap_or_default()];
        let half = if time.hour() < 12 { "AM" } else { "PM" };
        // Writing to a string cannot fail.
        let _infallible = match self {
            Self::Year => write!(text, "{:04}", time.year()),
            Self::ShortYear => write!(text, "{:02}", time.year().rem_euclid(100)),
            Self::MonthName => write!(text, "{month}"),
            Self::ShortMonthName => write!(text, "{:.3}", month),
            Self::DayName(letters) => write!(text, "{:.letters$}", day_name(time.weekday())),
            Self::Number(of, digits) => write!(text, "{:0digits$}", of.number(time)),
            Self::HalfDay => write!(text, "{half}"),
            Self::SmallHalfDay => write!(text, "{}", half.to_ascii_lowercase()),
            Self::Offset(between) => {
                let seconds = time.offset().seconds();
                let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
                write!(text, "{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
            }
        };
    }
}

impl Of {
    fn number(self, time: &Zoned) -> i16 {
        match self {
            Self::Month => time.month().into(),
            Self::Day => time.day().into(),
            Self::Weekday => time.weekday().to_sunday_zero_offset().into(),
            Self::Hour => time.hour().into(),
            Self::HalfDayHour => ((time.hour() + 11) % 12 + 1).into(),
            Self::Minute => time.minute().into(),
            Self::Second => time.second().into(),
            Self::Millisecond => time.millisecond(),
        }
    }
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// As printed by day.js 1.11.23 with TZ=Europe/Berlin.
    const BY_DAYJS: [(u64, &str, &str); 22] = [
        (1764130143007, "YYYY-MM-DD HH:mm:ss Z", "2025-11-26 05:09:03 +01:00"),
        (1764130143007, "YYYY-MM-DDTHH:mm:ss", "2025-11-26T05:09:03"),
        (1764130143007, "YY M D H h m s", "25 11 26 5 5 9 3"),
        (1764130143007, "MMM MMMM d dd ddd dddd", "Nov November 3 We Wed Wednesday"),
        (1764130143007, "hh A a", "05 AM am"),
        (1764130143007, "SSS ZZ", "007 +0100"),
        (1764130143007, "[at] HH [o'clock]", "at 05 o'clock"),
        (1764130143007, "YYY Y SS S Q Do X x", "25Y Y SS S Q 26o X x"),
        (1764130143007, "no tokens: ÿ", "no token3: ÿ"),
        (1764130143007, "[open", "[open"),
        (1764130143007, "[]YYYY", "[]2025"),
        (1764130143007, "HH:mm [Uhr", "05:09 [U5r"),
        (1764130143007, "dddd, MMMM D, YYYY h:mm A", "Wednesday, November 26, 2025 5:09 AM"),
        (
            1764130143007,
            "MMMMM DDD ddddd HHH mmm sss ZZZ AA",
            "November11 2626 Wednesday3 055 099 033 +0100+01:00 AMAM",
        ),
        (1782864000999, "YYYY-MM-DD HH:mm:ss.SSS Z", "2026-07-01 02:00:00.999 +02:00"),
        (1782864000999, "YY M D H h m s", "26 7 1 2 2 0 0"),
        (1782864000999, "DD/MM/YYYY", "01/07/2026"),
        (1782864000999, "MM-DD-YYYY", "07-01-2026"),
        (1767221999999, "YYYY-MM-DD HH:mm:ss Z", "2025-12-31 23:59:59 +01:00"),
        (1767221999999, "YY M D H h m s", "25 12 31 23 11 59 59"),
        (1767221999999, "hh A a", "11 PM pm"),
        (1767221999999, "YYYYMMDDHHmmss", "20251231235959"),
    ];

    /// The rule of Berlin's time zone, without a look at the machine's.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn times_look_as_day_js_writes_them() {
        for (milliseconds, form, expected) in BY_DAYJS {
            let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(DateFormat::new(form, berlin()).render(time), expected, "{form}");
        }
    }

    #[test]
    fn midnight_and_noon_are_twelve_and_zones_may_lie_in_the_west() {
        let west = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap());
        let form = DateFormat::new("h A Z ZZ", west);
        assert_eq!(form.render(UNIX_EPOCH + Duration::from_secs(12_600)), "12 AM -03:30 -0330");
        assert_eq!(form.render(UNIX_EPOCH + Duration::from_secs(12_600 + 43_200)), "12 PM -03:30 -0330");
        assert_eq!(DateFormat::new("", TimeZone::UTC).render(UNIX_EPOCH), "");
    }
}
