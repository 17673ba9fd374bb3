//! What a verb works with: where it was called, with which environment, and who reads what it says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::VerbError;
use crate::api::text::Text;
use crate::api::types::Environment;
use crate::cli::render::colour::Colours;
use crate::control::choose::choose;
use crate::control::client::Client;
use crate::control::place::Surroundings;

/// The command's own process.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) directory: PathBuf,
    pub(super) around: Surroundings,
    pub(super) output: Output,
}

impl Session {
    /// That of this process; `home` is what `--home` says.
    pub(super) fn of_this_process(home: Option<&Path>) -> Result<Self, VerbError> {
        let environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let directory = std::env::current_dir().map_err(|source| VerbError::Directory { source })?;
        let around = Surroundings::of(home, &environment);
        let output = Output::of_this_process(&environment);
        Ok(Self { environment, directory, around, output })
    }

    /// The runtime that is meant.
    pub(super) async fn client(&self) -> Result<Client, VerbError> {
        Ok(choose(&self.around).await?)
    }

    /// Our environment, as a request holds it.
    pub(super) fn environment(&self) -> Environment {
        let pair = |(name, value): (&OsString, &OsString)| (text(name), text(value));
        self.environment.iter().map(pair).collect()
    }

    /// A variable that is not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        set(&self.environment, name)
    }
}

/// A word as a request holds it.
pub(super) fn text(word: &OsStr) -> Text {
    Text::from(word)
}

fn set<'a>(environment: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a OsStr> {
    environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
}

/// Where results go, and all else.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// On standard output.
    pub(super) colours: Colours,
    pub(super) told_on_terminal: bool,
    allows_colour: bool,
}

/// Nobody reads our standard output any more, so there is nothing left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("standard output is closed")]
pub(super) struct Closed;

impl Output {
    fn of_this_process(environment: &BTreeMap<OsString, OsString>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        // no-color.org: any value but the empty one forbids colour.
        let dumb = set(environment, "TERM").is_some_and(|term| term == "dumb");
        let allows_colour = set(environment, "NO_COLOR").is_none() && !dumb;
        Self {
            colours: if is_terminal && allows_colour { Colours::On } else { Colours::Off },
            told_on_terminal: io::stderr().is_terminal(),
            allows_colour,
        }
    }

    /// A result.
    pub(super) fn print(&self, text: &str) -> Result<(), Closed> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|_unwritable| Closed)
    }

    /// A result, for programs.
    pub(super) fn print_json(&self, value: &impl Serialize) -> Result<(), Closed> {
        let text = serde_json::to_string_pretty(value).expect("what we were given as JSON can be JSON again");
        self.print(&(text + "\n"))
    }

    /// As [`Output::print_json`], in one line.
    pub(super) fn print_json_line(&self, value: &impl Serialize) -> Result<(), Closed> {
        let text = serde_json::to_string(value).expect("what we were given as JSON can be JSON again");
        self.print(&(text + "\n"))
    }

    /// How many lines the terminal has now.
    pub(super) fn height(&self) -> Option<usize> {
        terminal_size::terminal_size_of(io::stdout()).map(|(_, height)| usize::from(height.0))
    }

    /// How many columns the terminal has now; `None` where standard output is none.
    pub(super) fn width(&self) -> Option<usize> {
        terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
    }

    /// For what is told beside the result.
    pub(super) fn colours_of_told(&self) -> Colours {
        if self.told_on_terminal && self.allows_colour { Colours::On } else { Colours::Off }
    }

    /// Something beside the result.
    pub(super) fn tell(&self, text: &str) {
        let _unwritable = io::stderr().write_all(text.as_bytes());
    }
}
