//! Where an app's lines go besides our own output, what they look like, and where its workers' process ids are noted.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bytes;

/// All of it. The default is nothing besides what the runtime does for every app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPolicy {
    pub output: LogPlace,
    pub error: LogPlace,
    /// A file for both.
    #[serde(with = "bytes::option")]
    pub both: Option<PathBuf>,
    /// A file that holds the id of a worker's process.
    #[serde(with = "bytes::option")]
    pub pid: Option<PathBuf>,
    pub merging: Merging,
    pub reach: LogReach,
    pub form: LineForm,
    /// What stands before each line, in the words of day.js.
    pub date: Option<String>,
}

impl LogPolicy {
    /// Whether a worker's lines must come through us.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        let Self { output, error, both, pid: _, merging: _, reach, form, date } = self;
        let no_file = ![output, error].iter().any(|place| matches!(place, LogPlace::File(_)));
        no_file && both.is_none() && *reach == LogReach::All && *form == LineForm::Given && date.is_none()
    }
}

/// Where the lines of a stream go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPlace {
    /// In the background to the app's file in the runtime's directory, else to no file.
    #[default]
    Usual,
    /// To no file.
    Nowhere,
    File(#[serde(with = "bytes::one")] PathBuf),
}

/// Whether several instances write to one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merging {
    /// Each to its own, which has the instance's number in the runtime before its extension.
    #[default]
    Apart,
    /// `--merge-logs`
    Together,
}

/// Who gets to see an app's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogReach {
    /// Our own output, files, and whoever asks for them.
    #[default]
    All,
    /// `--disable-logs`: whoever asks.
    Askers,
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineForm {
    /// As the runtime's `--log-format` says.
    #[default]
    Given,
    /// `--log-type json`
    Json,
}

/// The path with `-ID` before its extension: `out-3.log`.
#[must_use]
pub fn numbered(path: &Path, id: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{id}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_before_the_extension() {
        for (path, expected) in [
            ("/a/out.log", "/a/out-3.log"),
            ("out", "out-3"),
            ("/a.b/c.d.e", "/a.b/c.d-3.e"),
            (".log", ".log-3"),
        ] {
            assert_eq!(numbered(Path::new(path), "3"), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_file_for_process_ids_alone_changes_nothing_for_lines() {
        let pid = LogPolicy { pid: Some("x".into()), output: LogPlace::Nowhere, ..LogPolicy::default() };
        assert!(pid.is_usual());
        assert!(!LogPolicy { date: Some("YYYY".into()), ..LogPolicy::default() }.is_usual());
    }
}
