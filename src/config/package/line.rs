//! What the words after a package manager's name ask for: a script with words of its own, or something else.
//!
//! Each manager divides its words in a way of its own (npm 11, yarn 1.22, pnpm 10 and 12, bun 1.4, by trying): npm takes options
//! out of all that stands before `--`; with the others every word behind the script's name is the script's.

use std::path::PathBuf;

use super::manager::Manager;

/// A script that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) script: String,
    /// The words for the script.
    pub(super) arguments: Vec<String>,
    /// Where the package is, where an option says so.
    pub(super) directory: Option<PathBuf>,
    /// Whether the script was named as a verb (`npm start`), and not behind `run`.
    pub(super) verb: Verb,
}

/// How a script was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// By a word of the manager's own, which means this script.
    Own,
    /// Behind `run`.
    Run,
    /// Alone, which a script can be only where the manager has no such command.
    Bare,
}

/// What words ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Script(Line),
    /// A script perhaps, but with an option of the manager's that means more than we know.
    Option(String),
    Other,
}

/// Commands of yarn 1 (`yarn help`); a script of such a name is reached by `yarn run` alone.
const OF_YARN: [&str; 48] = [
    "access",
    "add",
    "audit",
    "autoclean",
    "bin",
    "cache",
    "check",
    "config",
    "create",
    "dedupe",
    "exec",
    "generate-lock-entry",
    "generateLockEntry",
    "global",
    "help",
    "import",
    "info",
    "init",
    "install",
    "licenses",
    "link",
    "list",
    "login",
    "logout",
    "node",
    "outdated",
    "owner",
    "pack",
    "policies",
    "publish",
    "remove",
    "rm",
    "self-update",
    "tag",
    "team",
    "unlink",
    "unplug",
    "up",
    "upgrade",
    "upgrade-interactive",
    "upgradeInteractive",
    "v",
    "version",
    "versions",
    "why",
    "workspace",
    "workspaces",
    "lockfile",
];

/// Commands of pnpm (`pnpm help -a`), its aliases, and those that it hands to npm.
const OF_PNPM: [&str; 96] = [
    "access",
    "add",
    "adduser",
    "approve-builds",
    "audit",
    "bin",
    "bugs",
    "c",
    "cache",
    "cat-file",
    "cat-index",
    "ci",
    "clean",
    "completion",
    "config",
    "create",
    "dedupe",
    "deploy",
    "deprecate",
    "dist-tag",
    "dlx",
    "docs",
    "doctor",
    "edit",
    "env",
    "exec",
    "fetch",
    "find-hash",
    "get",
    "help",
    "i",
    "ignored-builds",
    "import",
    "info",
    "init",
    "install",
    "install-test",
    "it",
    "la",
    "licenses",
    "link",
    "list",
    "ll",
    "ln",
    "login",
    "logout",
    "ls",
    "multi",
    "outdated",
    "owner",
    "pack",
    "package-manager",
    "patch",
    "patch-commit",
    "patch-remove",
    "ping",
    "pkg",
    "prefix",
    "profile",
    "prune",
    "publish",
    "rb",
    "rebuild",
    "recursive",
    "remove",
    "repo",
    "restart",
    "rm",
    "root",
    "runtime",
    "s",
    "sbom",
    "se",
    "search",
    "self-update",
    "server",
    "set",
    "setup",
    "set-script",
    "star",
    "stars",
    "stop",
    "store",
    "team",
    "token",
    "un",
    "uninstall",
    "unlink",
    "unpublish",
    "unstar",
    "up",
    "update",
    "upgrade",
    "version",
    "view",
    "whoami",
];

/// Options that only make the manager say less.
const SILENT: [&str; 4] = ["-s", "--silent", "-q", "--quiet"];

/// Reads the words after the manager's name.
pub(super) fn read(manager: Manager, words: &[&str]) -> Asked {
    // pm2's form: `npm -- start`.
    let words = words.strip_prefix(&["--"]).unwrap_or(words);
    match manager {
        Manager::Npm => npm(words),
        Manager::Yarn => behind(words, &YARN),
        Manager::Pnpm => behind(words, &PNPM),
        Manager::Bun => behind(words, &BUN),
    }
}

/// What is known of a manager that leaves all words behind the script's name to the script.
struct Grammar {
    /// Options for the package's place, with their value in the next word or behind `=`.
    directory: &'static [&'static str],
    silent: &'static [&'static str],
    run: &'static [&'static str],
    own: &'static [(&'static str, &'static str)],
    /// `None` where only words of `own` are taken for scripts.
    commands: Option<&'static [&'static str]>,
    /// Whether the first `--` is taken away.
    drops_dashes: bool,
}

const YARN: Grammar = Grammar {
    directory: &["--cwd"],
    silent: &["-s", "--silent"],
    run: &["run"],
    own: &[],
    commands: Some(&OF_YARN),
    drops_dashes: true,
};
const PNPM: Grammar = Grammar {
    directory: &["-C", "--dir"],
    silent: &["-s", "--silent"],
    run: &["run", "run-script"],
    own: &[("start", "start"), ("test", "test"), ("t", "test")],
    commands: Some(&OF_PNPM),
    drops_dashes: false,
};
const BUN: Grammar = Grammar {
    directory: &[],
    silent: &[],
    run: &["run"],
    own: &[("start", "start")],
    commands: None,
    drops_dashes: false,
};

/// The words before the script's name, read.
struct Head<'a> {
    first: &'a str,
    rest: &'a [&'a str],
    directory: Option<PathBuf>,
}

fn behind(words: &[&str], grammar: &Grammar) -> Asked {
    let Head { first, rest, directory } = match head(words, grammar.directory, grammar.silent) {
        Ok(Some(head)) => head,
        Ok(None) => return Asked::Other,
        Err(option) => return Asked::Option(option),
    };
    let own = grammar.own.iter().find(|(word, _)| *word == first).map(|(_, script)| *script);
    let (script, verb, rest) = if let Some(script) = own {
        (script, Verb::Own, rest)
    } else if grammar.run.contains(&first) {
        match head(rest, &[], grammar.silent) {
            Ok(Some(Head { first, rest, .. })) => (first, Verb::Run, rest),
            Ok(None) => return Asked::Other,
            Err(option) => return Asked::Option(option),
        }
    } else if grammar.commands.is_some_and(|commands| !commands.contains(&first)) {
        (first, Verb::Bare, rest)
    } else {
        return Asked::Other;
    };
    let mut arguments: Vec<String> = rest.iter().map(|&word| word.to_owned()).collect();
    if grammar.drops_dashes
        && let Some(at) = arguments.iter().position(|word| word == "--")
    {
        arguments.remove(at);
    }
    Asked::Script(Line { script: script.to_owned(), arguments, directory, verb })
}

/// Reads options up to the first word that is none.
fn head<'a>(
    mut words: &'a [&'a str],
    with_directory: &[&str],
    silent: &[&str],
) -> Result<Option<Head<'a>>, String> {
    let mut directory = None;
    loop {
        let Some((&first, rest)) = words.split_first() else { return Ok(None) };
        words = rest;
        if !first.starts_with('-') {
            return Ok(Some(Head { first, rest, directory }));
        }
        let (name, value) = first.split_once('=').map_or((first, None), |(name, value)| (name, Some(value)));
        if silent.contains(&first) {
            continue;
        }
        if !with_directory.contains(&name) {
            return Err(first.to_owned());
        }
        directory = match value {
            Some(value) => Some(PathBuf::from(value)),
            None => {
                let Some((&value, rest)) = words.split_first() else { return Ok(None) };
                words = rest;
                Some(PathBuf::from(value))
            }
        };
    }
}

fn npm(words: &[&str]) -> Asked {
    let Head { first, mut rest, directory } = match head(words, &["--prefix", "-C"], &SILENT) {
        Ok(Some(head)) => head,
        Ok(None) => return Asked::Other,
        Err(option) => return Asked::Option(option),
    };
    let (mut script, verb) = match first {
        "start" => (Some("start"), Verb::Own),
        "test" | "t" | "tst" => (Some("test"), Verb::Own),
        "run" | "run-script" | "rum" | "urn" => (None, Verb::Run),
        _ => return Asked::Other,
    };
    let mut arguments = Vec::new();
    while let Some((&word, after)) = rest.split_first() {
        rest = after;
        match word {
            "--" => {
                arguments.extend(after.iter().map(|&word| word.to_owned()));
                break;
            }
            _ if SILENT.contains(&word) => {}
            _ if word.starts_with('-') => return Asked::Option(word.to_owned()),
            _ if script.is_none() => script = Some(word),
            _ => arguments.push(word.to_owned()),
        }
    }
    match script.or_else(|| (!arguments.is_empty()).then_some("")) {
        Some("") | None => Asked::Other,
        Some(script) => Asked::Script(Line { script: script.to_owned(), arguments, directory, verb }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Asked {
        let words: Vec<&str> = words.split(' ').collect();
        read(Manager::of(words[0].as_ref()).unwrap(), &words[1..])
    }

    #[track_caller]
    fn assert_script(words: &str, script: &str, arguments: &[&str]) {
        match asked(words) {
            Asked::Script(line) => {
                assert_eq!(line.script, script, "{words}");
                assert_eq!(line.arguments, arguments, "{words}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }

    #[test]
    fn each_manager_divides_its_words_in_its_own_way() {
        assert_script("npm start", "start", &[]);
        assert_script("npm -- start", "start", &[]);
        assert_script("npm -s run web x -- --y -- z", "web", &["x", "--y", "--", "z"]);
        assert_script("npm run-script --silent web", "web", &[]);
        assert_script("npm t", "test", &[]);
        assert_script("yarn start --port 3", "start", &["--port", "3"]);
        assert_script("yarn run --silent web a --silent", "web", &["a", "--silent"]);
        assert_script("yarn web x -- --y -- z", "web", &["x", "--y", "--", "z"]);
        assert_script("pnpm web -- --y", "web", &["--", "--y"]);
        assert_script("pnpm run web --y", "web", &["--y"]);
        assert_script("pnpm -s start", "start", &[]);
        assert_script("bun run web -s x", "web", &["-s", "x"]);
        assert_script("bun start", "start", &[]);
    }

    #[test]
    fn an_option_may_say_where_the_package_is() {
        for words in [
            "npm --prefix web start",
            "npm -C web start",
            "npm --prefix=web run start",
            "yarn --cwd web start",
            "pnpm -C web start",
            "pnpm --dir=web run start",
        ] {
            let Asked::Script(line) = asked(words) else { panic!("{words}") };
            assert_eq!(line.directory, Some("web".into()), "{words}");
        }
    }

    #[test]
    fn an_option_that_may_mean_anything_is_not_guessed_at() {
        for (words, option) in [
            ("npm start --port 3", "--port"),
            ("npm -w web start", "-w"),
            ("npm run --if-present web", "--if-present"),
            ("yarn --prod start", "--prod"),
            ("pnpm --filter web start", "--filter"),
            ("pnpm run --parallel web", "--parallel"),
            ("bun --bun run web", "--bun"),
            ("bun run --bun web", "--bun"),
        ] {
            assert_eq!(asked(words), Asked::Option(option.to_owned()), "{words}");
        }
    }

    #[test]
    fn other_commands_are_the_managers_own_business() {
        for words in [
            "npm",
            "npm run",
            "npm install",
            "npm exec next",
            "npm run --",
            "yarn",
            "yarn run",
            "yarn install",
            "yarn global bin",
            "pnpm install",
            "pnpm dlx x",
            "pnpm server",
            "bun server.ts",
            "bun x next",
            "bun web",
            "bun",
            "npm --prefix",
        ] {
            assert_eq!(asked(words), Asked::Other, "{words}");
        }
    }
}
