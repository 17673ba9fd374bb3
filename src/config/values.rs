//! Reads the values of single settings: numbers, yes or no, and words out of a list.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;

use super::duration::{self, digits};
use super::problem::Accepted;
use super::settings::{LogFormat, LogLevel};
use crate::process::Signal;
use crate::spec::{Balance, OnHup, ReloadStrategy, Share};

/// More workers than any machine of today serves well; beyond it a typing error is likelier.
pub const MOST_INSTANCES: u32 = 1024;

/// How many instances are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Number(NonZeroU32),
    /// As many as there are CPUs.
    Max,
    /// So many fewer than there are CPUs.
    Fewer(NonZeroU32),
    /// As many as CPUs and memory allow.
    Auto,
    /// As many as the load asks for, between these.
    Range {
        least: NonZeroU32,
        most: Most,
    },
}

/// The upper end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    Number(NonZeroU32),
    /// As many as there are CPUs.
    Max,
    /// As many as CPUs and memory allow.
    Auto,
}

impl fmt::Display for Wish {
    /// The word that asks for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Max => f.write_str("max"),
            Self::Fewer(number) => write!(f, "-{number}"),
            Self::Auto => f.write_str("auto"),
            Self::Range { least, most: Most::Number(most) } => write!(f, "{least}..{most}"),
            Self::Range { least, most: Most::Max } => write!(f, "{least}..max"),
            Self::Range { least, most: Most::Auto } => write!(f, "{least}..auto"),
        }
    }
}

/// Reads `--instances`, PMR_INSTANCES or WEB_CONCURRENCY.
///
/// # Errors
/// What is accepted.
pub fn instances(text: &str) -> Result<Wish, Accepted> {
    match text {
        "max" => Ok(Wish::Max),
        "auto" => Ok(Wish::Auto),
        number => number_of_instances(number)
            .map(Wish::Number)
            .ok_or(Accepted("a whole number from 1 to 1024, `auto` or `max`")),
    }
}

fn number_of_instances(text: &str) -> Option<NonZeroU32> {
    let number = whole_number(text).filter(|number| *number <= u64::from(MOST_INSTANCES))?;
    NonZeroU32::new(u32::try_from(number).ok()?)
}

/// Reads a range of instances: `2..8`, `2..max`, `2..auto`. `None` where it is none.
///
/// # Errors
/// What is accepted.
pub fn range(text: &str) -> Option<Result<Wish, Accepted>> {
    let (least, most) = text.split_once("..")?;
    let most = match most {
        "max" => Some(Most::Max),
        "auto" => Some(Most::Auto),
        number => number_of_instances(number).map(Most::Number),
    };
    let Some((least, most)) = number_of_instances(least).zip(most) else {
        return Some(Err(Accepted(
            "a range of numbers from 1 to 1024 such as `2..8`, or `2..max`, `2..auto`",
        )));
    };
    Some(match most {
        Most::Number(number) if number < least => {
            Err(Accepted("a range whose first number is not the greater one, such as `2..8`"))
        }
        _ => Ok(Wish::Range { least, most }),
    })
}

/// Reads `--instances` or PMR_INSTANCES, which also know ranges, and pm2's words: `0` for the CPUs, `-1` for one fewer.
///
/// # Errors
/// What is accepted.
pub fn wish(text: &str) -> Result<Wish, Accepted> {
    const ACCEPTED: Accepted = Accepted(
        "a whole number from 1 to 1024, `auto`, `max` or 0 (the CPUs), `-1` (one fewer), or a range such as `2..8`",
    );
    let fewer = || {
        text.strip_prefix('-')
            .and_then(whole_number)
            .filter(|number| *number <= u64::from(MOST_INSTANCES))
            .and_then(|number| u32::try_from(number).ok())
    };
    if let Some(range) = range(text) {
        return range;
    }
    match text {
        "0" => Ok(Wish::Max),
        _ => instances(text).or_else(|_| fewer().and_then(NonZeroU32::new).map(Wish::Fewer).ok_or(ACCEPTED)),
    }
}

/// Reads `--delay`, which unlike other times is in seconds where it has no unit, as in pm2.
///
/// # Errors
/// What is accepted.
pub fn seconds(text: &str) -> Result<Duration, Accepted> {
    let bare = whole_number(text).map(|_| format!("{text}s"));
    let accepted = Accepted("a duration such as `5` (seconds), `500ms` or `2m`, up to `8760h`");
    duration::parse(bare.as_deref().unwrap_or(text)).map_err(|_| accepted)
}

/// Reads PORT.
///
/// # Errors
/// What is accepted.
pub fn port(text: &str) -> Result<u16, Accepted> {
    whole_number(text)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|port| *port != 0)
        .ok_or(Accepted("a port from 1 to 65535"))
}

/// The address of `--web` where none is said: pm2's port, and nobody from elsewhere.
const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9615);

/// Reads `--web`: an address with its port, a port of this machine's own, or whether there is one at all. Port 0 is any that is
/// free.
///
/// # Errors
/// What is accepted.
pub fn web(text: &str) -> Result<Option<SocketAddr>, Accepted> {
    let port = || whole_number(text).and_then(|number| u16::try_from(number).ok());
    let address = text.parse().ok().or_else(|| port().map(|port| SocketAddr::new(WEB.ip(), port)));
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Ok(Some(WEB)),
        "false" | "off" | "no" => Ok(None),
        _ => address.map(Some).ok_or(Accepted(
            "a port such as `9615`, an address with its port such as `0.0.0.0:9615` or `[::]:9615`, `true` or `false`",
        )),
    }
}

/// Reads WEB_MEMORY or MEMORY_AVAILABLE, in megabytes.
///
/// # Errors
/// What is accepted.
pub fn megabytes(text: &str) -> Result<u64, Accepted> {
    // The bound keeps the number of bytes within 64 bits.
    whole_number(text)
        .filter(|number| (1..=u64::MAX >> 20).contains(number))
        .ok_or(Accepted("a whole number of megabytes from 1 up"))
}

/// Reads `--max-restarts`: at how many unstable starts in a row an instance is given up. Zero, as people write who want none
/// forgiven, is as one.
///
/// # Errors
/// What is accepted.
pub fn restarts(text: &str) -> Result<u32, Accepted> {
    whole_number(text)
        .and_then(|number| u32::try_from(number).ok())
        .map(|number| number.max(1))
        .ok_or(Accepted("a whole number from 0 up (`--no-autorestart` is the way to never restart)"))
}

/// Reads a count that is at least 1.
///
/// # Errors
/// What is accepted.
pub fn count(text: &str) -> Result<u32, Accepted> {
    whole_number(text)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number != 0)
        .ok_or(Accepted("a whole number from 1 up"))
}

/// Reads `--stop-exit-codes`: one status, or several with commas or spaces between them.
///
/// # Errors
/// What is accepted.
pub fn exit_codes(text: &str) -> Result<Vec<u8>, Accepted> {
    let code = |word: &str| u8::try_from(whole_number(word)?).ok();
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let codes: Option<Vec<u8>> = words.map(code).collect();
    codes
        .filter(|codes| !codes.is_empty())
        .ok_or(Accepted("exit statuses from 0 to 255, such as `0` or `0,42`"))
}

/// The words that [`exit_codes`] reads as these.
#[must_use]
pub fn render_exit_codes(codes: &[u8]) -> String {
    codes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

/// Reads an amount of memory: bytes, or a number with a unit of 1024 bytes, its square or its cube, as in pm2. Zero is no amount.
///
/// # Errors
/// What is accepted.
pub fn bytes(text: &str) -> Result<Option<u64>, Accepted> {
    const ACCEPTED: Accepted =
        Accepted("a number of bytes such as `300M`, `1.5G`, `500K` or `314572800`, or 0 for none");
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1_u64 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| -> Option<u64> {
        // More digits than these would be no amount of memory.
        let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())?
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len().min(15)).unwrap_or_default());
    let (Some(whole), Some(part)) = (digits(whole), digits(fraction)) else { return Err(ACCEPTED) };
    let is_fraction = number.contains('.');
    let total = u128::from(whole) * u128::from(unit) + u128::from(part) * u128::from(unit) / scale;
    let total = u64::try_from(total).ok().filter(|_| !(is_fraction && unit == 1)).ok_or(ACCEPTED)?;
    Ok(Some(total).filter(|total| *total > 0))
}

/// The words that [`bytes`] reads as these.
#[must_use]
pub fn render_bytes(bytes: u64) -> String {
    let units = [(1_u64 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    let unit = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(unit, letter)| format!("{}{letter}", bytes / unit))
}

/// Reads `--cron-restart`. `0` and nothing are none.
///
/// # Errors
/// What is accepted.
pub fn cron(text: &str) -> Result<Option<String>, Accepted> {
    const ACCEPTED: Accepted = Accepted("a cron pattern of 5 or 6 fields such as `0 3 * * *`, or 0 for none");
    match text {
        "" | "0" => Ok(None),
        pattern => Cron::from_str(pattern).map(|_| Some(pattern.to_owned())).map_err(|_| ACCEPTED),
    }
}

/// Reads a signal's name or number.
///
/// # Errors
/// What is accepted.
pub fn signal(text: &str) -> Result<Signal, Accepted> {
    Signal::parse(text).ok_or(Accepted("a signal such as `TERM`, `SIGINT` or `15`"))
}

/// Reads yes or no.
///
/// # Errors
/// What is accepted.
pub fn yes_or_no(text: &str) -> Result<bool, Accepted> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Accepted("`true`, `1`, `yes`, `on`, `false`, `0`, `no` or `off`")),
    }
}

/// Reads an app's name: it stands before log lines, so it is one visible word or more.
///
/// # Errors
/// What is accepted.
pub fn name(text: &str) -> Result<String, Accepted> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Accepted("a name that is not empty and has no control characters"));
    }
    Ok(text.to_owned())
}

/// Reads a command in one text.
///
/// # Errors
/// What is accepted.
pub fn command_line(text: &str) -> Result<String, Accepted> {
    let is_command = !text.trim().is_empty() && !text.contains('\0');
    is_command.then(|| text.to_owned()).ok_or(Accepted("a command, such as `npm run migrate`"))
}

/// Reads `--log-format`.
///
/// # Errors
/// What is accepted.
pub fn log_format(text: &str) -> Result<LogFormat, Accepted> {
    match text {
        "raw" => Ok(LogFormat::Raw),
        "text" => Ok(LogFormat::Text),
        "fields" => Ok(LogFormat::Fields),
        "json" => Ok(LogFormat::Json),
        _ => Err(Accepted("`raw`, `text`, `fields` or `json`")),
    }
}

/// Reads `--log-level`.
///
/// # Errors
/// What is accepted.
pub fn log_level(text: &str) -> Result<LogLevel, Accepted> {
    const ALL: [LogLevel; 5] =
        [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    ALL.into_iter()
        .find(|level| level.as_str() == text)
        .ok_or(Accepted("`error`, `warn`, `info`, `debug` or `trace`"))
}

/// Reads `--balance`.
///
/// # Errors
/// What is accepted.
pub fn balance(text: &str) -> Result<Balance, Accepted> {
    [Balance::Shared, Balance::Even, Balance::Sticky]
        .into_iter()
        .find(|balance| balance.as_str() == text)
        .ok_or(Accepted("`shared`, `even` or `sticky`"))
}

/// Reads `--share`.
///
/// # Errors
/// What is accepted.
pub fn share(text: &str) -> Result<Share, Accepted> {
    match text {
        "auto" => Ok(Share::Auto),
        "cluster" => Ok(Share::Cluster),
        "intercept" => Ok(Share::Intercept),
        "activation" => Ok(Share::Activation),
        "reuseport" => Ok(Share::Reuseport),
        "none" => Ok(Share::None),
        _ => Err(Accepted("`auto`, `cluster`, `intercept`, `activation`, `reuseport` or `none`")),
    }
}

/// Reads `--on-hup`.
///
/// # Errors
/// What is accepted.
pub fn on_hup(text: &str) -> Result<OnHup, Accepted> {
    match text {
        "reload" => Ok(OnHup::Reload),
        "forward" => Ok(OnHup::Forward),
        _ => Err(Accepted("`reload` or `forward`")),
    }
}

/// Reads `--standby`.
///
/// # Errors
/// What is accepted.
pub fn standby(text: &str) -> Result<u32, Accepted> {
    whole_number(text)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number <= MOST_INSTANCES)
        .ok_or(Accepted("a whole number from 0 to 1024"))
}

/// Reads `--reload-strategy`.
///
/// # Errors
/// What is accepted.
pub fn reload_strategy(text: &str) -> Result<ReloadStrategy, Accepted> {
    match text {
        "rolling" => Ok(ReloadStrategy::Rolling),
        "fleet" => Ok(ReloadStrategy::Fleet),
        _ => Err(Accepted("`rolling` or `fleet`")),
    }
}

fn whole_number(text: &str) -> Option<u64> {
    u64::try_from(digits(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_instances_has_two_ends_in_order() {
        for text in ["2..8", "1..1024", "3..3", "2..max", "1..auto"] {
            assert_eq!(wish(text).unwrap().to_string(), text);
        }
        for text in
            ["8..2", "0..4", "2..0", "..4", "2..", "2..1025", "auto..4", "2...8", "-1..4", "2..-1", "a..b"]
        {
            assert!(wish(text).is_err(), "{text}");
        }
        let Err(Accepted(accepted)) = wish("8..2") else { panic!("a range backwards") };
        assert!(accepted.contains("not the greater one"), "{accepted}");
        assert!(instances("2..8").is_err(), "WEB_CONCURRENCY is read by others as well, who know no ranges");
    }

    #[test]
    fn instances_are_a_number_up_to_1024_or_a_word() {
        assert_eq!(instances("4"), Ok(Wish::Number(NonZeroU32::new(4).unwrap())));
        assert_eq!(instances("1024"), Ok(Wish::Number(NonZeroU32::new(1024).unwrap())));
        assert_eq!(instances("max"), Ok(Wish::Max));
        assert_eq!(instances("auto"), Ok(Wish::Auto));
        for text in ["0", "-1", "+4", "abc", "1025", "4.0", " 4", "", "MAX", "99999999999999999999"] {
            assert!(instances(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_is_what_the_kernel_takes_and_not_zero() {
        assert_eq!(port("1"), Ok(1));
        assert_eq!(port("65535"), Ok(65535));
        for text in ["0", "65536", "99999", "abc", "-1", "80 ", ""] {
            assert!(port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn megabytes_never_overflow_as_bytes() {
        assert_eq!(megabytes("512"), Ok(512));
        assert_eq!(megabytes(&(u64::MAX >> 20).to_string()), Ok(u64::MAX >> 20));
        for text in ["0", "-5", "512M", &((u64::MAX >> 20) + 1).to_string()] {
            assert!(megabytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn yes_and_no_have_many_words() {
        for text in ["true", "1", "yes", "on", "TRUE", "Yes"] {
            assert_eq!(yes_or_no(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "no", "off"] {
            assert_eq!(yes_or_no(text), Ok(false), "{text}");
        }
        assert!(yes_or_no("maybe").is_err());
    }

    #[test]
    fn a_name_is_visible() {
        assert_eq!(name("my api"), Ok("my api".to_owned()));
        for text in ["", " ", "a\nb", "a\u{1b}[31m"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn exit_codes_are_a_list_of_statuses() {
        for (text, codes) in [("0", &[0_u8][..]), ("0,42", &[0, 42]), ("1 2", &[1, 2]), ("3, 255", &[3, 255])]
        {
            assert_eq!(exit_codes(text).as_deref(), Ok(codes), "{text}");
        }
        assert_eq!(render_exit_codes(&[0, 42]), "0,42");
        for text in ["", ",", "256", "-1", "a", "1;2", "1,x"] {
            assert!(exit_codes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_bytes_or_has_a_unit() {
        for (text, expected) in
            [("300M", 300 << 20), ("1.5G", 3 << 29), ("500k", 500 << 10), ("314572801", 314_572_801)]
        {
            assert_eq!(bytes(text), Ok(Some(expected)), "{text}");
            assert_eq!(bytes(&render_bytes(expected)), Ok(Some(expected)), "{text}");
        }
        assert_eq!(render_bytes(300 << 20), "300M");
        assert_eq!(render_bytes(3 << 29), "1536M");
        assert_eq!(bytes("0"), Ok(None));
        for text in ["", "300MB", "1.5", "-1", "M", "1e3"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_empty_name_is_told_that_it_may_not_be() {
        assert!(name("").unwrap_err().0.contains("not empty"));
    }

    #[test]
    fn the_web_server_stays_on_this_machine_unless_an_address_is_said() {
        let address = |text: &str| web(text).map(|address| address.map(|address| address.to_string()));
        for (text, expected) in [
            ("true", Some("127.0.0.1:9615")),
            ("80", Some("127.0.0.1:80")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:9615", Some("0.0.0.0:9615")),
            ("[::]:9615", Some("[::]:9615")),
            ("off", None),
        ] {
            assert_eq!(address(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        for text in ["", "99999", "localhost:80", ":80", "1.2.3.4", "+80", "80 "] {
            assert!(web(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_word_out_of_a_list_is_read_and_no_other() {
        assert_eq!(log_level("trace"), Ok(LogLevel::Trace));
        assert!(log_level("loud").is_err());
        assert_eq!(log_format("raw"), Ok(LogFormat::Raw));
        assert!(log_format("yaml").is_err());
        assert_eq!(share("activation"), Ok(Share::Activation));
        assert!(share("magic").is_err());
        assert_eq!(balance("even"), Ok(Balance::Even));
        assert!(balance("fair").is_err());
        assert_eq!(on_hup("forward"), Ok(OnHup::Forward));
        assert!(on_hup("ignore").is_err());
        assert_eq!(restarts("16"), Ok(16));
        assert_eq!(restarts("0"), Ok(1));
        assert_eq!(count("3"), Ok(3));
        assert!(count("0").is_err() && count("-1").is_err());
        assert_eq!(signal("SIGUSR2").map(Signal::as_raw), Ok(12));
        assert!(signal("SIGNONE").is_err());
    }
}
