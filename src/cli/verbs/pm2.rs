//! pm2's verbs that we do not have: why, and what to use instead. Pure.

/// Verb, and what is said of it.
const ABSENT: [(&str, &str); 41] = [
    ("link", CLOUD),
    ("unlink", CLOUD),
    ("plus", CLOUD),
    ("login", CLOUD),
    ("logout", CLOUD),
    ("register", CLOUD),
    ("open", CLOUD),
    ("monitor", CLOUD),
    ("unmonitor", CLOUD),
    ("install", MODULES),
    ("uninstall", MODULES),
    ("publish", MODULES),
    ("module:update", MODULES),
    ("module:generate", MODULES),
    ("autoinstall", MODULES),
    ("install-otel", MODULES),
    ("set", SETTINGS),
    ("get", SETTINGS),
    ("unset", SETTINGS),
    ("conf", SETTINGS),
    ("config", SETTINGS),
    ("multiset", SETTINGS),
    ("deploy", SOURCES),
    ("pull", SOURCES),
    ("forward", SOURCES),
    ("backward", SOURCES),
    ("create", "makes no files here: start from examples/ of this project"),
    ("web", "has been gone from pm2 since 4.0: start the runtime with `--web`, or use `pmr list --json`"),
    ("serve", STATIC),
    ("expose", STATIC),
    ("slist", "has become `pmr report`, and `pmr list --json` for programs"),
    ("sysinfos", "has become `pmr report`, and `pmr list --json` for programs"),
    ("imonit", "has become `pmr monit`"),
    ("reloadLogs", "is not needed: log files are rotated by the runtime itself"),
    ("logrotate", "is not needed: log files are rotated by the runtime itself"),
    ("gracefulReload", "has become `pmr reload TARGET`"),
    ("cleardump", "has become `pmr save`, which writes the list anew, with no apps where there are none"),
    (
        "attach",
        "is not there: workers read no input from the runtime; `pmr logs TARGET` shows what they say, and `pmr send` sends a message",
    ),
    ("inspect", "is not there: `pmr signal USR1 TARGET` opens Node's inspector"),
    (
        "profile:mem",
        "is about pm2 itself; of a Node worker there is `pmr snapshot TARGET` and `pmr profile TARGET --heap`",
    ),
    ("profile:cpu", "is about pm2 itself; of a Node worker there is `pmr profile TARGET`"),
];

const CLOUD: &str =
    "is about pm2's paid service, and we have none: use `pmr monit`, `pmr list` and `pmr events`";
const MODULES: &str =
    "is about pm2's modules, and we have none: what they are for is built in, or a program of its own";
const SETTINGS: &str =
    "is about pm2's settings, and ours are options and environment variables: see `pmr-runtime --help`";
const SOURCES: &str = "is about sources, which the runtime leaves alone: deploy with git, rsync or an image, then `pmr reload TARGET`";
const STATIC: &str = "serves files, and the runtime only runs programs: use nginx, caddy or `npx serve`";

/// What is said of `word`, if it is such a verb.
pub(in crate::cli) fn absence(word: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(verb, _)| *verb == word).map(|&(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::super::args;
    use super::*;

    #[test]
    fn none_of_them_is_a_verb_of_ours_and_none_stands_there_twice() {
        let ours = args::verbs();
        let all: std::collections::BTreeSet<_> = ABSENT.iter().map(|(verb, _)| *verb).collect();
        assert_eq!(all.len(), ABSENT.len());
        assert!(all.iter().all(|verb| !ours.iter().any(|own| own == verb)));
    }
}
