//! What is wrong with a configuration file, and what is worth a line: each names the file, the app and the key.

use std::fmt;

use serde_json::Value;

use crate::config::problem::Accepted;

/// How much of a value is shown.
const SHOWN: usize = 60;

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the user named it.
    pub file: String,
    /// The app's name, or `apps[0]`.
    pub app: Option<String>,
    pub key: Option<String>,
}

impl Place {
    /// The file as a whole.
    #[must_use]
    pub fn file(file: &str) -> Self {
        Self { file: file.to_owned(), app: None, key: None }
    }

    /// An app of the file.
    #[must_use]
    pub fn app(&self, app: &str) -> Self {
        Self { app: Some(app.to_owned()), ..self.clone() }
    }

    /// A key of the app, or of the file.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.file)?;
        if let Some(app) = &self.app {
            write!(f, ", app `{app}`")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", `{key}`")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    #[error("{place}: found {found}, accepted: {accepted}")]
    Unacceptable { place: Place, found: String, accepted: String },
    #[error("{place} is not known{}", suggestion(nearest.as_deref()))]
    Unknown { place: Place, nearest: Option<String> },
    #[error("{place} says the same as `{other}`, accepted: one of them")]
    Twice { place: Place, other: String },
    #[error("{place} is missing")]
    Missing { place: Place },
    #[error("{place}: {what}")]
    Other { place: Place, what: String },
}

impl FileProblem {
    /// A value that is not accepted.
    #[must_use]
    pub fn unacceptable(place: Place, found: &Value, accepted: Accepted) -> Self {
        Self::Unacceptable { place, found: shown(found), accepted: accepted.0.to_owned() }
    }
}

/// Something that keeps nothing from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    NoEffect {
        place: Place,
        why: String,
    },
    /// An app that is left out unless it is asked for.
    LeftOut {
        place: Place,
        why: String,
    },
    /// `--env NAME`, where an app has nothing under this name.
    NoNamedEnvironment {
        place: Place,
        nearest: Option<String>,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEffect { place, why } => write!(f, "{place} has no effect: {why}"),
            Self::LeftOut { place, why } => write!(f, "{place} is not run: {why}"),
            Self::NoNamedEnvironment { place, nearest } => {
                write!(f, "{place} is not there, so that `env` alone holds{}", suggestion(nearest.as_deref()))
            }
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"))
}

/// A value for people: not all of what is long.
#[must_use]
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.is_empty() => return "an empty text".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(object) => match object.get(super::text::NOT_DATA).and_then(Value::as_str) {
            Some(what) => return what.to_owned(),
            None => value.to_string(),
        },
        other => other.to_string(),
    };
    let visible = text.replace(char::is_control, "\u{fffd}");
    match visible.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &visible[..end]),
        None => format!("`{visible}`"),
    }
}

/// The name among `known` that is likeliest meant by `name`, if one is like it.
pub fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    /// Names that are less alike than this (0 to 1, by Jaro-Winkler) are no likely typing errors.
    const ALIKE: f64 = 0.8;
    let name = name.to_ascii_lowercase().replace('-', "_");
    known
        .map(|known| (strsim::jaro_winkler(&name, &known.to_ascii_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_or_odd_value_is_shown_so_that_it_can_be_read() {
        assert_eq!(shown(&json!("5 parsecs")), "`5 parsecs`");
        assert_eq!(shown(&json!(["a", 1])), "`[\"a\",1]`");
        assert_eq!(shown(&json!("a\u{1b}[31m")), "`a\u{fffd}[31m`");
        assert_eq!(shown(&json!("é".repeat(70))), format!("`{}…`", "é".repeat(60)));
        assert_eq!(shown(&json!({ super::super::text::NOT_DATA: "a function" })), "a function");
    }

    #[test]
    fn the_nearest_name_is_found_in_any_spelling() {
        let known = || ["instances", "kill_timeout", "max_memory_restart"].into_iter().map(str::to_owned);
        for (name, expected) in [
            ("instnces", Some("instances")),
            ("kill-timeout", Some("kill_timeout")),
            ("MaxMemoryRestart", Some("max_memory_restart")),
            ("xyzzy", None),
        ] {
            assert_eq!(nearest(name, known()).as_deref(), expected, "{name}");
        }
    }
}
