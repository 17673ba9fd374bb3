//! Reads where lines go and what they look like, and tells it in the same words.

use std::path::{Path, PathBuf};

use super::problem::Accepted;
use super::setting;
use crate::spec::{LineForm, LogPlace, LogPolicy, LogReach, Merging};

/// The word for no file at all.
pub const NO_LOG_FILE: &str = "NULL";
/// The form of `--time`, as in pm2.
pub const USUAL_DATE: &str = "YYYY-MM-DDTHH:mm:ss";

/// Where lines go anyway, for images that name these as their log files.
const OUR_OWN: [&str; 6] =
    ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2"];
/// The same, as others see the first process of a container.
const OF_PID_1: [&str; 2] = ["/proc/1/fd/1", "/proc/1/fd/2"];

const A_FILE: Accepted = Accepted("the path of a file, or `NULL` for none");

/// Reads `--output` or `--error`.
///
/// # Errors
/// What is accepted.
pub fn place(text: &str) -> Result<LogPlace, Accepted> {
    match text {
        NO_LOG_FILE | "/dev/null" => Ok(LogPlace::Nowhere),
        own if OUR_OWN.contains(&own) || OF_PID_1.contains(&own) => Ok(LogPlace::Usual),
        path => file(path).map(LogPlace::File),
    }
}

/// Reads `--log`: as for the others, but there is none if it is not named.
///
/// # Errors
/// What is accepted.
pub fn both(text: &str) -> Result<Option<PathBuf>, Accepted> {
    match place(text)? {
        LogPlace::File(path) => Ok(Some(path)),
        LogPlace::Usual | LogPlace::Nowhere => Ok(None),
    }
}

/// Reads `--pid`.
///
/// # Errors
/// What is accepted.
pub fn file(text: &str) -> Result<PathBuf, Accepted> {
    let path = Path::new(text);
    let is_name = path.file_name().is_some() && !text.ends_with('/') && !text.contains('\0');
    if is_name { Ok(path.to_owned()) } else { Err(A_FILE) }
}

/// Reads `--log-type`.
///
/// # Errors
/// What is accepted.
pub fn form(text: &str) -> Result<LineForm, Accepted> {
    match text {
        "json" => Ok(LineForm::Json),
        "raw" => Ok(LineForm::Given),
        _ => Err(Accepted("`json` or `raw`")),
    }
}

/// Reads `--log-date-format`; an empty one is none.
///
/// # Errors
/// What is accepted.
pub fn date(text: &str) -> Result<Option<String>, Accepted> {
    if text.chars().any(char::is_control) {
        return Err(Accepted("a form such as `YYYY-MM-DD HH:mm:ss Z`, in one line"));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// The value of the setting of this name, in the words that ask for it.
#[must_use]
pub fn value_of(logs: &LogPolicy, name: &str) -> String {
    let path =
        |path: &Option<PathBuf>| path.as_ref().map_or_else(String::new, |path| path.display().to_string());
    match name {
        _ if name == setting::OUTPUT.name => place_word(&logs.output),
        _ if name == setting::ERROR.name => place_word(&logs.error),
        _ if name == setting::LOG.name => path(&logs.both),
        _ if name == setting::PID.name => path(&logs.pid),
        _ if name == setting::MERGE_LOGS.name => (logs.merging == Merging::Together).to_string(),
        _ if name == setting::DISABLE_LOGS.name => (logs.reach == LogReach::Askers).to_string(),
        _ if name == setting::LOG_TYPE.name => {
            if logs.form == LineForm::Json { "json" } else { "raw" }.to_owned()
        }
        _ if name == setting::LOG_DATE_FORMAT.name => logs.date.clone().unwrap_or_default(),
        _ if name == setting::TIME.name => (logs.date.as_deref() == Some(USUAL_DATE)).to_string(),
        _ => String::new(),
    }
}

fn place_word(place: &LogPlace) -> String {
    match place {
        LogPlace::Usual => String::new(),
        LogPlace::Nowhere => NO_LOG_FILE.to_owned(),
        LogPlace::File(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_none_or_our_own_output() {
        assert_eq!(place("NULL"), Ok(LogPlace::Nowhere));
        assert_eq!(place("/dev/null"), Ok(LogPlace::Nowhere));
        assert_eq!(place("/dev/stdout"), Ok(LogPlace::Usual));
        assert_eq!(place("/proc/1/fd/2"), Ok(LogPlace::Usual));
        assert_eq!(place("logs/~/out.log"), Ok(LogPlace::File("logs/~/out.log".into())));
        assert_eq!((both("NULL"), both("x")), (Ok(None), Ok(Some("x".into()))));
        for text in ["", "/", "logs/", "..", "a\0b"] {
            assert!(place(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_read_is_told_in_the_same_words() {
        let logs = LogPolicy {
            output: place("a.log").unwrap(),
            error: place("NULL").unwrap(),
            form: form("json").unwrap(),
            date: date("HH:mm").unwrap(),
            ..LogPolicy::default()
        };
        let told: Vec<_> =
            setting::LOG_SETTINGS.iter().map(|setting| value_of(&logs, setting.name)).collect();
        assert_eq!(told, ["a.log", "NULL", "", "", "false", "false", "json", "HH:mm", "false"]);
        assert!(form("xml").is_err() && date("a\nb").is_err());
        assert_eq!(date(""), Ok(None));
    }
}
