//! Reads which files are watched, and tells it in the same words.

use std::ffi::OsString;
use std::time::Duration;

use super::problem::Accepted;
use super::values::yes_or_no;
use super::{duration, setting};
use crate::spec::WatchPolicy;

/// Long enough for an editor that writes a file in several steps.
pub const DELAY: Duration = Duration::from_millis(200);

/// Reads `--watch`: all of the app's directory, nothing, or these files and directories.
///
/// # Errors
/// What is accepted.
pub fn paths(text: &str) -> Result<Option<Vec<OsString>>, Accepted> {
    if let Ok(all) = yes_or_no(text) {
        return Ok(all.then(Vec::new));
    }
    let paths: Vec<_> = list(text).into_iter().map(OsString::from).collect();
    if paths.is_empty() || text.contains('\0') {
        return Err(Accepted("`true`, `false`, or files and directories with commas between them"));
    }
    Ok(Some(paths))
}

/// Reads `--ignore-watch`: patterns with commas between them.
///
/// # Errors
/// None is known of: every text is a list of patterns.
pub fn patterns(text: &str) -> Result<Vec<String>, Accepted> {
    Ok(list(text))
}

/// Cuts at commas, but for those in braces: `*.{log,tmp}` is one pattern.
fn list(text: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0_u32);
    for letter in text.chars() {
        match letter {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().expect("there is one from the beginning").push(letter);
    }
    let trimmed = items.iter().map(|item| item.trim().to_owned());
    trimmed.filter(|item| !item.is_empty()).collect()
}

/// The value of the setting of this name, in the words that ask for it.
#[must_use]
pub fn value_of(watch: Option<&WatchPolicy>, name: &str) -> String {
    let Some(WatchPolicy { paths, ignore, delay, polling }) = watch else {
        return if name == setting::WATCH.name { "false".to_owned() } else { String::new() };
    };
    match name {
        _ if name == setting::WATCH.name && paths.is_empty() => "true".to_owned(),
        _ if name == setting::WATCH.name => {
            paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join(",")
        }
        _ if name == setting::IGNORE_WATCH.name => ignore.join(","),
        _ if name == setting::WATCH_DELAY.name => duration::render(*delay),
        _ if name == setting::WATCH_POLL.name => polling.map_or_else(String::new, duration::render),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_a_list_or_all_or_none() {
        assert_eq!(paths("true"), Ok(Some(vec![])));
        assert_eq!(paths("off"), Ok(None));
        assert_eq!(paths("src, lib"), Ok(Some(vec!["src".into(), "lib".into()])));
        for text in ["", ",", " , "] {
            assert!(paths(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_may_have_commas_in_braces() {
        assert_eq!(
            patterns("*.{log,tmp}, dist,,a"),
            Ok(vec!["*.{log,tmp}".into(), "dist".into(), "a".into()])
        );
        assert_eq!(patterns("}a,b{c,d"), Ok(vec!["}a".into(), "b{c,d".into()]));
    }
}
