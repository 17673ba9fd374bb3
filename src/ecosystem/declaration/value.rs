//! The types of values: what is accepted, and what it comes to.
//!
//! Where an option of ours has the type, its own parser judges, so that a file and a command line accept the same.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::app::{ExecMode, Filter, Identity, LogFile, Selection, Variables};
use super::key::{Check, Shape, Span};
use super::text::NOT_DATA;
use crate::config::problem::Accepted;
use crate::config::values::Wish;
use crate::config::{duration, health, values};
use crate::spec::Until;

type Read<T> = Result<T, Accepted>;

/// Files that pm2 takes for none.
const NO_FILE: [&str; 2] = ["NULL", "/dev/null"];

/// Text that says something, and that the system takes.
pub(super) fn text(value: &Value) -> Read<String> {
    const ACCEPTED: Accepted = Accepted("a text that is not empty");
    value.as_str().filter(|text| is_word(text) && !text.is_empty()).map(str::to_owned).ok_or(ACCEPTED)
}

/// The system ends a word at its first NUL.
fn is_word(text: &str) -> bool {
    !text.contains('\0')
}

pub(super) fn checked(check: Check, value: &Value) -> Read<String> {
    // What is no text is told what text would do.
    let text = value.as_str().unwrap_or_default();
    (check.judge)(text)?;
    Ok(text.to_owned())
}

pub(super) fn yes_no(value: &Value) -> Read<bool> {
    const ACCEPTED: Accepted = Accepted("`true` or `false`");
    match value {
        Value::Bool(yes) => Ok(*yes),
        // A variable of the environment that a JavaScript file passes on.
        Value::String(text) if text == "true" || text == "false" => Ok(text == "true"),
        _ => Err(ACCEPTED),
    }
}

/// A whole number, or text that would be one on the command line.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn time(span: Span, value: &Value) -> Read<Option<Duration>> {
    let text = plain(value).unwrap_or_default();
    match span {
        Span::Any => duration::parse(&text).map(Some),
        Span::AboveZero => duration::parse_positive(&text).map(Some),
        Span::Kept => health::span(&text).map(Some),
        Span::OrNone => duration::parse(&text).map(|span| Some(span).filter(|span| !span.is_zero())),
    }
}

pub(super) fn bytes(value: &Value) -> Read<Option<u64>> {
    values::bytes(&plain(value).unwrap_or_default())
}

pub(super) fn count(value: &Value) -> Read<u32> {
    values::count(&plain(value).unwrap_or_default())
}

pub(super) fn restarts(value: &Value) -> Read<u32> {
    values::restarts(&plain(value).unwrap_or_else(|| "none".to_owned()))
}

pub(super) fn standby(value: &Value) -> Read<u32> {
    values::standby(&plain(value).unwrap_or_else(|| "none".to_owned()))
}

pub(super) fn port(value: &Value) -> Read<u16> {
    values::port(&plain(value).unwrap_or_default())
}

pub(super) fn instances(value: &Value) -> Read<Wish> {
    const ACCEPTED: Accepted = Accepted(
        "a whole number up to 1024, `max` or 0 for the CPUs, a negative one for so many fewer, `auto`, or a range such \
         as `2..8`",
    );
    let text = plain(value).ok_or(ACCEPTED)?;
    if let Some(range) = values::range(&text) {
        return range;
    }
    values::wish(&text).map_err(|_| ACCEPTED)
}

pub(super) fn exec_mode(value: &Value) -> Read<ExecMode> {
    match value.as_str() {
        Some("fork" | "fork_mode") => Ok(ExecMode::Fork),
        Some("cluster" | "cluster_mode") => Ok(ExecMode::Cluster),
        _ => Err(Accepted("`fork` or `cluster`")),
    }
}

pub(super) fn signal(value: &Value) -> Read<String> {
    let text = plain(value).unwrap_or_default();
    values::signal(&text).map(|_| text)
}

pub(super) fn words(value: &Value) -> Read<Vec<String>> {
    const ACCEPTED: Accepted = Accepted("words in one text, or a list of words");
    match value {
        Value::String(text) if is_word(text) => {
            split(text).ok_or(Accepted("words in one text, with each quote closed, or a list of words"))
        }
        Value::Array(items) => items.iter().map(|item| word(item).ok_or(ACCEPTED)).collect(),
        _ => Err(ACCEPTED),
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_word(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Splits as a shell does: at blanks, with quotes and backslashes, and without all else. `None` where a quote stays open.
#[must_use]
pub fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

pub(super) fn list(value: &Value) -> Read<Vec<String>> {
    const ACCEPTED: Accepted = Accepted("a text that is not empty, or a list of such");
    match value {
        Value::Array(items) => items.iter().map(|item| text(item).map_err(|_| ACCEPTED)).collect(),
        one => text(one).map(|text| vec![text]).map_err(|_| ACCEPTED),
    }
}

pub(super) fn dependencies(value: &Value) -> Read<Vec<(String, Until)>> {
    const ACCEPTED: Accepted = Accepted(
        "the name of an app, a list of such, or an object of names with `ready`, `started` or `exited`",
    );
    let until = |word: &Value| Until::ALL.into_iter().find(|until| word.as_str() == Some(until.as_str()));
    match value {
        Value::Object(object) => {
            let need = |(name, word): (&String, &Value)| Some((name.clone(), until(word)?));
            object.iter().map(need).collect::<Option<_>>().ok_or(ACCEPTED)
        }
        names => {
            let names = list(names).map_err(|_| ACCEPTED)?;
            Ok(names.into_iter().map(|name| (name, Until::Ready)).collect())
        }
    }
}

pub(super) fn exit_codes(value: &Value) -> Read<Vec<u8>> {
    const ACCEPTED: Accepted = Accepted("an exit status from 0 to 255, or a list of such");
    let code = |value: &Value| plain(value).and_then(|text| exact(&text)).ok_or(ACCEPTED);
    match value {
        Value::Array(items) => items.iter().map(code).collect(),
        one => code(one).map(|code| vec![code]),
    }
}

/// Like `str::parse`, but takes no sign.
fn exact<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

pub(super) fn cron(value: &Value) -> Read<Option<String>> {
    match value {
        Value::Bool(false) => Ok(None),
        Value::String(text) => values::cron(text),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(None),
        other => values::cron(&other.to_string()),
    }
}

pub(super) fn selection(value: &Value) -> Read<Selection> {
    const ACCEPTED: Accepted = Accepted("`true`, `false`, a path, or a list of paths");
    match value {
        Value::Bool(all) => Ok(if *all { Selection::All } else { Selection::Nothing }),
        other => list(other).map(Selection::These).map_err(|_| ACCEPTED),
    }
}

pub(super) fn filter(value: &Value) -> Read<Filter> {
    const ACCEPTED: Accepted =
        Accepted("`true`, `false`, the name of a variable, or a list of parts of names");
    match value {
        Value::Bool(all) => Ok(if *all { Filter::All } else { Filter::Nothing }),
        Value::Array(_) => list(value).map(Filter::Containing).map_err(|_| ACCEPTED),
        other => text(other).map(Filter::Exactly).map_err(|_| ACCEPTED),
    }
}

pub(super) fn log_file(value: &Value) -> Read<LogFile> {
    const ACCEPTED: Accepted = Accepted("the path of a file, `true`, `false`, or `NULL` for none");
    match value {
        Value::Bool(yes) => Ok(if *yes { LogFile::Usual } else { LogFile::Off }),
        Value::String(path) if NO_FILE.contains(&path.as_str()) => Ok(LogFile::Off),
        other => text(other).map(LogFile::Path).map_err(|_| ACCEPTED),
    }
}

pub(super) fn identity(value: &Value) -> Read<Identity> {
    const ACCEPTED: Accepted = Accepted("a number from 0 up, or a name");
    match value {
        Value::Number(number) => exact(&number.to_string()).map(Identity::Number).ok_or(ACCEPTED),
        Value::String(text) => match exact(text) {
            Some(number) if !text.is_empty() => Ok(Identity::Number(number)),
            _ => self::text(value).map(Identity::Name).map_err(|_| ACCEPTED),
        },
        _ => Err(ACCEPTED),
    }
}

/// What an environment cannot hold is found by its name, as a value may be secret.
pub(super) fn variables(value: &Value) -> Result<Variables, (Option<String>, Accepted)> {
    const ACCEPTED: Accepted = Accepted("an object with a value for each variable");
    const NAME: Accepted = Accepted("a name that is not empty and without `=`");
    const VALUE: Accepted =
        Accepted("a text without a NUL character, a number, `true`, `false`, an object or `null`");
    let Some(object) = value.as_object() else { return Err((None, ACCEPTED)) };
    let variable = |(name, value): (&String, &Value)| {
        if name.is_empty() || name.contains('=') || !is_word(name) {
            return Err((Some(name.clone()), NAME));
        }
        let value = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Object(object) if object.contains_key(NOT_DATA) => {
                return Err((Some(name.clone()), VALUE));
            }
            other => Some(other.to_string()),
        };
        match value.as_deref().is_none_or(is_word) {
            true => Ok((name.clone(), value)),
            false => Err((Some(name.clone()), VALUE)),
        }
    };
    object.iter().map(variable).collect()
}

pub(super) fn object(value: &Value) -> Read<Value> {
    if value.is_object() { Ok(value.clone()) } else { Err(Accepted("an object")) }
}

/// Judges a value that nothing acts on.
pub(super) fn unused(shape: Shape, value: &Value) -> Read<()> {
    match shape {
        Shape::YesNo => yes_no(value).map(drop),
        Shape::Text => text(value).map(drop),
        Shape::Milliseconds => duration::parse(&plain(value).unwrap_or_default()).map(drop),
        Shape::List => list(value).map(drop),
        Shape::YesNoOrObject if value.is_object() => Ok(()),
        Shape::YesNoOrObject => yes_no(value).map(drop).map_err(|_| Accepted("`true`, `false` or an object")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        for (text, words) in [
            ("", vec![]),
            ("  a  b ", vec!["a", "b"]),
            (r#"--name "a b" 'c d'e"#, vec!["--name", "a b", "c de"]),
            (r#"a\ b "c\"d" 'e\f' "" "#, vec!["a b", "c\"d", r"e\f", ""]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("'open"), None);
    }

    #[test]
    fn memory_is_read_in_every_unit() {
        for (value, expected) in [
            (json!(1024), 1024),
            (json!("300M"), 300 << 20),
            (json!("1.5G"), 3 << 29),
            (json!("500k"), 500 << 10),
            (json!("7"), 7),
        ] {
            assert_eq!(bytes(&value), Ok(Some(expected)), "{value}");
        }
        for value in
            [json!(-1), json!(1.5), json!("M"), json!("300MB"), json!("1..5G"), json!("1e3"), json!(true)]
        {
            assert!(bytes(&value).is_err(), "{value}");
        }
        assert_eq!((bytes(&json!(0)), bytes(&json!("0M"))), (Ok(None), Ok(None)));
    }

    #[test]
    fn instances_are_pm2s_and_ours() {
        for (value, words) in [
            (json!(3), "3"),
            (json!("3"), "3"),
            (json!(0), "max"),
            (json!("max"), "max"),
            (json!("auto"), "auto"),
            (json!(-1), "-1"),
            (json!("-9"), "-9"),
            (json!("2..8"), "2..8"),
            (json!("1..max"), "1..max"),
        ] {
            assert_eq!(instances(&value).unwrap().to_string(), words, "{value}");
        }
        for value in [
            json!(1.5),
            json!("many"),
            json!(1025),
            json!(-1025),
            json!("--1"),
            json!("-0"),
            json!(null),
            json!("8..2"),
        ] {
            assert!(instances(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_cron_pattern_has_five_or_six_fields() {
        for value in [json!("0 3 * * *"), json!("*/5 * * * * *"), json!("0 0 * * MON-FRI")] {
            assert!(cron(&value).unwrap().is_some(), "{value}");
        }
        for value in [json!(0), json!("0"), json!(""), json!(false)] {
            assert_eq!(cron(&value), Ok(None), "{value}");
        }
        for value in [json!("* * *"), json!("61 * * * *"), json!("often"), json!(5), json!(true)] {
            assert!(cron(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_variable_is_text_in_the_end() {
        let value = json!({ "A": "x", "B": 1, "C": true, "D": { "e": [1] }, "F": null });
        let read = variables(&value).unwrap();
        let shown: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(
            shown,
            [
                ("A", Some("x")),
                ("B", Some("1")),
                ("C", Some("true")),
                ("D", Some(r#"{"e":[1]}"#)),
                ("F", None)
            ]
        );
        assert_eq!(variables(&json!({ "A=B": "1" })).unwrap_err().0.as_deref(), Some("A=B"));
        assert_eq!(variables(&json!("A=B")).unwrap_err().0, None);
    }

    proptest! {
        #[test]
        fn words_that_are_quoted_come_back(words in proptest::collection::vec("[^'\\PC]*", 0..5)) {
            let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(split(&line.join(" ")), Some(words));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let value = Value::String(text);
            let _ = (bytes(&value), instances(&value), cron(&value), words(&value), identity(&value));
        }
    }
}
