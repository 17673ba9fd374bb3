//! The answers. Plain values, to be sent as they are; paths that are no UTF-8 have been made so.

use serde::{Deserialize, Serialize};

/// What is known about an app. `None` is what there is not, or what could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    pub version: Option<Version>,
    pub git: Option<Git>,
    pub interpreter: Option<Interpreter>,
}

/// The app's version, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: String,
    /// The file that says so.
    pub file: String,
}

/// The checkout that the app lies in. Whether files in it were changed is not known: git alone can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// `None` where a commit was checked out by itself.
    pub branch: Option<String>,
    /// `None` before the first commit.
    pub revision: Option<Revision>,
    /// Where it was cloned from, without user name (but for ssh) and password.
    pub remote: Option<String>,
    /// The directory that was checked out.
    pub root: String,
}

/// A commit by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub full: String,
    /// The first seven digits, git's own least.
    pub short: String,
}

/// The program that runs the app's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `node`, `bun`, `deno`, `python`, `ruby` or `php`.
    pub name: String,
    /// Where PATH has it, links not followed.
    pub path: String,
    /// As far as its path tells. [`super::running::version`] knows more, but runs it.
    pub version: Option<String>,
}

/// A word from a file as it may be shown: with no control characters, which a terminal would obey, and not endless.
pub(super) fn showable(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(showable(" 1.0 \n").as_deref(), Some("1.0"));
        for text in ["", " ", "1\u{1b}[2J", "a\nb", "\u{9b}x", &"1".repeat(1025)] {
            assert_eq!(showable(text), None, "{text}");
        }
    }

    #[test]
    fn facts_survive_being_sent() {
        let facts = Facts {
            version: Some(Version { version: "1.2.3".to_owned(), file: "/app/package.json".to_owned() }),
            git: None,
            interpreter: None,
        };
        let sent = serde_json::to_string(&facts).unwrap();
        assert_eq!(
            sent,
            r#"{"version":{"version":"1.2.3","file":"/app/package.json"},"git":null,"interpreter":null}"#
        );
        assert_eq!(serde_json::from_str::<Facts>(&sent).unwrap(), facts);
    }
}
