//! The configuration files and command lines that both are given, and when a run is over.

/// One run under each.
pub(crate) struct Case {
    /// As they follow the name of the program.
    words: &'static [&'static str],
    pub(crate) pm2: End,
    pub(crate) ours: End,
}

/// How a run ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// By SIGTERM, when so many lines of the report tell of this.
    Asked(&'static str, usize),
    Itself,
}

use End::{Asked, Itself};

impl Case {
    /// So many workers start, then both are asked to end.
    const fn workers(words: &'static [&'static str], count: usize) -> Self {
        Self { words, pm2: Asked("start", count), ours: Asked("start", count) }
    }

    /// Both end by themselves.
    const fn over(words: &'static [&'static str]) -> Self {
        Self { words, pm2: Itself, ours: Itself }
    }

    pub(crate) fn words(&self) -> &'static [&'static str] {
        self.words
    }

    /// What the page calls it: its configuration file, or else the whole line.
    pub(crate) fn name(&self) -> String {
        let first = self.words[0];
        let is_file = first.contains(".config.") || [".json", ".yaml"].iter().any(|end| first.ends_with(end));
        if is_file { first.to_owned() } else { self.words.join(" ") }
    }
}

/// Those that take longest come first.
pub(crate) const CASES: &[Case] = &[
    Case::over(&["done.json"]),
    Case::over(&["failed.json"]),
    Case::over(&["rests.json"]),
    Case::over(&["gives-up.json"]),
    Case { words: &["ready.json"], pm2: Asked("ready", 2), ours: Asked("ready", 2) },
    Case::workers(&["unready.json"], 1),
    Case::workers(&["fork.config.js"], 1),
    Case::workers(&["fork.json"], 2),
    Case::workers(&["cluster.yaml"], 2),
    Case { words: &["cluster.json", "-i", "3"], pm2: Asked("start", 2), ours: Asked("start", 3) },
    Case::workers(&["list.config.cjs"], 2),
    Case::workers(&["named.config.mjs"], 1),
    Case { words: &["default.config.mjs"], pm2: Itself, ours: Asked("start", 1) },
    Case::workers(&["environment.config.js", "--env", "production"], 1),
    Case::workers(&["only.config.js", "--only", "web,mail"], 2),
    Case::workers(&["words.yaml"], 1),
    Case::workers(&["shell.json"], 1),
    Case::workers(&["line.json"], 1),
    Case::workers(&["numbers.config.js"], 3),
    Case::workers(&["filter.config.js"], 3),
    Case::workers(&["port.json"], 1),
    Case::workers(&["crash.json"], 2),
    Case { words: &["rejection.json"], pm2: Asked("survived", 1), ours: Itself },
    Case::workers(&["slow.json"], 1),
    Case::workers(&["message.json"], 2),
    Case::workers(&["teller.js", "-i", "2", "--name", "api", "--", "--port", "1"], 2),
    Case { words: &["start", "teller.js", "--kill-timeout", "5000"], pm2: Itself, ours: Asked("start", 1) },
    Case { words: &["teller.js", "--port", "1"], pm2: Asked("start", 1), ours: Itself },
    Case::workers(&["node teller.js --port 1"], 1),
    Case::over(&["start", "absent.js"]),
    Case::over(&["broken.config.js"]),
    Case::over(&["absent.json"]),
    Case { words: &["unknown.json"], pm2: Asked("start", 1), ours: Itself },
];
