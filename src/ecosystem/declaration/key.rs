//! What is known of a key: its names, the type of its value, where the value is kept, and what becomes of it.

use std::time::Duration;

use serde_json::Value;

use super::app::{AppDeclaration, ExecMode, Filter, Identity, LogFile, Selection, Variables};
use crate::config::problem::Accepted;
use crate::config::setting::Setting;
use crate::config::values::Wish;
use crate::spec::Until;

/// A key of an app's declaration.
pub struct Key {
    /// pm2's name, or ours where pm2 has none.
    pub name: &'static str,
    /// Further names, besides the same in camel case.
    pub aliases: &'static [&'static str],
    pub slot: Slot,
    pub fate: Fate,
    /// What holds where the key is absent.
    pub default: &'static str,
    /// What it is for, for the documentation.
    pub about: &'static str,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is given to the app as an option of ours.
    Option(Setting),
    /// It decides what is run, and in which environment.
    Resolved,
    /// It is accepted for pm2's sake; why nothing acts on it.
    NoEffect(&'static str),
}

/// Where a value of this type is kept.
type Place<T> = fn(&mut AppDeclaration) -> &mut Option<T>;

/// The type of a key's value, and where it is kept.
#[derive(Clone, Copy)]
pub enum Slot {
    Text(Place<String>),
    /// Text that is judged as that of one of our options.
    Checked(Check, Place<String>),
    YesNo(Place<bool>),
    Time(Span, Place<Duration>),
    Bytes(Place<u64>),
    /// A whole number from 1 up.
    Count(Place<u32>),
    /// A whole number from 0 up, of unstable starts.
    Restarts(Place<u32>),
    /// A number of workers that are held in reserve.
    Standby(Place<u32>),
    Port(Place<u16>),
    Instances(Place<Wish>),
    ExecMode(Place<ExecMode>),
    Signal(Place<String>),
    /// Words of a command line, as one text or as a list.
    Words(Place<Vec<String>>),
    /// One text or a list of them.
    List(Place<Vec<String>>),
    /// Other apps: one, a list, or an object with what has to have become of each.
    Dependencies(Place<Vec<(String, Until)>>),
    /// Commands in one text each, which follow one another.
    Commands(Place<Vec<String>>),
    ExitCodes(Place<Vec<u8>>),
    Cron(Place<Option<String>>),
    Selection(Place<Selection>),
    Filter(Place<Filter>),
    LogFile(Place<LogFile>),
    Identity(Place<Identity>),
    Variables(Place<Variables>),
    Object(Place<Value>),
    /// Kept nowhere.
    Unused(Shape),
}

/// How the text of an option is judged.
#[derive(Clone, Copy)]
pub struct Check {
    pub judge: fn(&str) -> Result<(), Accepted>,
    /// All that is accepted, where that is a list.
    pub choices: &'static [&'static str],
    /// What is accepted, as a regular expression, where it is no list.
    pub pattern: &'static str,
}

/// Which lengths of time are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Any,
    AboveZero,
    /// Long enough to keep to: 100 ms or more.
    Kept,
    /// Above zero, or zero for none.
    OrNone,
}

/// The form of a value that nothing acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    YesNo,
    Text,
    Milliseconds,
    List,
    YesNoOrObject,
}

impl Key {
    /// All names by which the key is known.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let own = std::iter::once(self.name).chain(self.aliases.iter().copied());
        let mut names: Vec<String> = own.map(str::to_owned).collect();
        let camel: Vec<String> = names.iter().map(|name| camel_case(name)).collect();
        for name in camel {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.into_iter()
    }
}

/// `killTimeout` of `kill_timeout`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_names_in_camel_case_too() {
        for (name, camel) in [
            ("kill_timeout", "killTimeout"),
            ("exp_backoff_restart_delay", "expBackoffRestartDelay"),
            ("env", "env"),
        ] {
            assert_eq!(camel_case(name), camel);
        }
        let key = Key {
            name: "out_file",
            aliases: &["out", "out_log"],
            slot: Slot::Unused(Shape::Text),
            fate: Fate::Resolved,
            default: "",
            about: "",
        };
        assert_eq!(key.names().collect::<Vec<_>>(), ["out_file", "out", "out_log", "outFile", "outLog"]);
    }
}
