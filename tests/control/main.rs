//! The control socket of real runtimes: every route, what becomes of the workers, and clients that do their worst.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "../support/mod.rs"]
mod support;

mod apps;
mod changes;
mod hostile;
mod leaks;
mod load;
mod strangers;
mod verdicts;
mod views;

use std::collections::BTreeSet;
use std::path::PathBuf;

use support::control::{Control, pids};
use support::fixtures::{compiled, fixture, search_path, tool};
use support::launch::Launch;
use support::runtime::Runtime;

/// How often something is repeated: `full` where `PMR_TEST_FULL` is set, which takes minutes.
fn rounds(short: usize, full: usize) -> usize {
    if std::env::var_os("PMR_TEST_FULL").is_some() { full } else { short }
}

/// Waits until old workers, which serve their clients to the end, are gone.
#[track_caller]
fn until_old_ones_end(runtime: &Runtime, control: &Control) {
    let wanted = || control.apps().iter().flat_map(pids).collect::<BTreeSet<_>>();
    runtime.until("the old workers' end", || (runtime.workers() == wanted()).then_some(()));
}

/// Tells a figure to who runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a figure for whoever wants to see it")]
fn say(figure: &str) {
    println!("{figure}");
}

/// A server of two workers in Node.
fn node(port: u16) -> Launch {
    Launch::new([tool("node20"), fixture("node/server.js")]).port(port).workers(2)
}

/// A server of two workers in C, which starts in no time.
fn small(port: u16) -> Launch {
    Launch::new([compiled("epoll")]).port(port).workers(2)
}

/// What a test's own script is started by.
#[derive(Debug, Clone, Copy)]
enum Language {
    Node,
    Python,
    Shell,
}

impl Language {
    const ALL: [Self; 3] = [Self::Node, Self::Python, Self::Shell];

    fn file(self) -> &'static str {
        match self {
            Self::Node => "server.js",
            Self::Python => "server.py",
            Self::Shell => "server.sh",
        }
    }

    fn command(self) -> Vec<PathBuf> {
        match self {
            Self::Node => vec!["node".into(), self.file().into()],
            Self::Python => vec!["python3".into(), self.file().into()],
            Self::Shell => vec!["sh".into(), "-c".into(), format!(". ./{}", self.file()).into()],
        }
    }

    /// A script that serves.
    fn good(self) -> String {
        match self {
            Self::Node => std::fs::read_to_string(fixture("node/server.js")).unwrap(),
            Self::Python => std::fs::read_to_string(fixture("python/app.py")).unwrap(),
            Self::Shell => format!("exec {}\n", compiled("epoll").display()),
        }
    }

    /// A script that says `last words` and fails.
    fn throws(self) -> &'static str {
        match self {
            Self::Node => "console.log('last words'); throw new Error('no database');\n",
            Self::Python => "print('last words', flush=True)\nraise RuntimeError('no database')\n",
            Self::Shell => "echo last words; echo no database >&2; exit 3\n",
        }
    }

    /// A script that ends well, but ends.
    fn ends(self) -> &'static str {
        match self {
            Self::Node => "console.log('last words'); process.exit(0)\n",
            Self::Python => "print('last words')\n",
            Self::Shell => "echo last words; exit 0\n",
        }
    }

    /// A script that never listens.
    fn never_listens(self) -> &'static str {
        match self {
            Self::Node => "console.log('last words'); setInterval(() => {}, 1000)\n",
            Self::Python => "import time\nprint('last words', flush=True)\nwhile True: time.sleep(1)\n",
            Self::Shell => "echo last words; exec sleep 1000\n",
        }
    }

    /// What no interpreter can read.
    fn no_syntax(self) -> &'static str {
        match self {
            Self::Node | Self::Python => "def (((\n",
            Self::Shell => "if then (((\n",
        }
    }

    /// Three workers of a script in the launch's own directory; it is the good one at first.
    fn launch(self, port: u16) -> Launch {
        let mut words: Vec<PathBuf> = ["--listen-timeout", "2s"].iter().map(PathBuf::from).collect();
        words.extend(self.command());
        let launch = Launch::new(words).port(port).workers(2).env("PATH", search_path());
        std::fs::write(launch.home().join(self.file()), self.good()).unwrap();
        launch
    }
}
