//! Which words are verbs. It depends on the name that we were called by. Pure.
//!
//! Called `pmr`, every first word is a verb. Called anything else, a first word that is a verb is one, save `start`, which
//! stays in the foreground unless `--daemon` is among our own options; `pmr start` does with `--no-daemon`. What follows `--` never
//! is a verb.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::cli::run::DAEMON;

/// Names and aliases. A list of its own, since to build the grammar takes longer than a process 1 should be without
/// handlers for signals; a test holds it against the grammar.
const VERBS: [&str; 54] = [
    "start",
    "stop",
    "restart",
    "startOrRestart",
    "reload",
    "startOrReload",
    "startOrGracefulReload",
    "delete",
    "del",
    "rm",
    "scale",
    "list",
    "ls",
    "l",
    "status",
    "ps",
    "jlist",
    "prettylist",
    "show",
    "describe",
    "desc",
    "info",
    "logs",
    "monit",
    "dash",
    "dashboard",
    "signal",
    "sendSignal",
    "trigger",
    "send",
    "reset",
    "flush",
    "env",
    "id",
    "pid",
    "ping",
    "events",
    "crashes",
    "kill",
    "save",
    "dump",
    "resurrect",
    "startup",
    "unstartup",
    "version",
    "update",
    "snapshot",
    "profile",
    "report",
    "validate",
    "init",
    "ecosystem",
    "completion",
    "help",
];

/// The name that we were called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    Pmr,
    Runtime,
}

/// A command line with a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) called: Called,
    /// Without our own name.
    pub(super) words: Vec<OsString>,
}

/// The command line as one with a verb, if it is one. `argv` begins with our own name.
pub(super) fn verb_line(argv: &[OsString]) -> Option<Line> {
    let (name, words) = argv.split_first()?;
    let first = words.first().map(OsString::as_os_str);
    // A runtime talks to nobody.
    if first == Some(OsStr::new(DAEMON)) {
        return None;
    }
    let called =
        if Path::new(name).file_name() == Some(OsStr::new("pmr")) { Called::Pmr } else { Called::Runtime };
    let words = match called {
        // As with pm2, the apps then run in the foreground.
        Called::Pmr
            if first == Some(OsStr::new("start")) && ours(words).any(|word| word == "--no-daemon") =>
        {
            return None;
        }
        Called::Pmr => words.to_vec(),
        Called::Runtime if first == Some(OsStr::new("start")) => without_daemon(words)?,
        Called::Runtime => {
            let is_verb = VERBS.iter().any(|verb| first == Some(OsStr::new(verb)));
            is_verb.then(|| words.to_vec())?
        }
    };
    Some(Line { called, words })
}

/// `start --daemon …` without that option, which is ours wherever it stands before `--`.
fn without_daemon(words: &[OsString]) -> Option<Vec<OsString>> {
    let at = ours(words).position(|word| word == "--daemon")?;
    let mut words = words.to_vec();
    words.remove(at);
    Some(words)
}

/// The words before `--`.
fn ours(words: &[OsString]) -> impl Iterator<Item = &OsString> {
    words.iter().take_while(|word| *word != "--")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn line(words: &str) -> Option<(Called, String)> {
        let argv: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let line = verb_line(&argv)?;
        let words: Vec<_> = line.words.iter().map(|word| word.to_str().unwrap()).collect();
        Some((line.called, words.join(" ")))
    }

    #[test]
    fn the_list_is_that_of_the_grammar() {
        let ours: BTreeSet<String> = VERBS.iter().map(|&verb| verb.to_owned()).collect();
        assert_eq!(ours.len(), VERBS.len());
        assert_eq!(ours, super::super::args::verbs().into_iter().collect());
    }

    #[test]
    fn called_pmr_every_word_is_a_verb() {
        for words in ["list", "relist", "start x.js", "--help", "server.js"] {
            assert_eq!(
                line(&format!("/usr/bin/pmr {words}")),
                Some((Called::Pmr, words.to_owned())),
                "{words}"
            );
        }
        let alone = verb_line(&["pmr".into()]).unwrap();
        assert!(alone.words.is_empty());
    }

    #[test]
    fn called_pmr_runtime_a_verb_is_one_only_in_the_first_place() {
        assert_eq!(line("pmr-runtime env 0"), Some((Called::Runtime, "env 0".to_owned())));
        for words in ["node list", "-- list", "-i 2 list", "--home x list", "relist", "--help"] {
            assert_eq!(line(&format!("pmr-runtime {words}")), None, "{words}");
        }
        assert_eq!(line("pmr-runtime"), None);
    }

    #[test]
    fn start_stays_in_the_foreground_unless_told_otherwise() {
        assert_eq!(line("pmr-runtime start x.js"), None);
        assert_eq!(line("pmr-runtime start x.js -- --daemon"), None);
        let expected = Some((Called::Runtime, "start -i 2 x.js -- a".to_owned()));
        assert_eq!(line("pmr-runtime start -i 2 --daemon x.js -- a"), expected);
        assert_eq!(line("pmr start -i 2 x.js --no-daemon -- a"), None);
        let of_the_app = Some((Called::Pmr, "start x.js -- --no-daemon".to_owned()));
        assert_eq!(line("pmr start x.js -- --no-daemon"), of_the_app);
    }

    #[test]
    fn the_runtime_in_the_background_is_no_verb() {
        assert_eq!(line("pmr-runtime daemon x"), None);
        assert_eq!(line("pmr daemon x"), None);
    }
}
