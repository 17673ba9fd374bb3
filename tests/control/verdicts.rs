//! Reloads that fail: the old workers go on as if nothing had been asked, and the answer says why.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::cluster::{http_pids, pid_in};
use crate::support::control::{Control, pids};
use crate::support::load::Load;
use crate::support::ports::free_port;
use crate::support::runtime::Runtime;
use crate::support::{http, signals, words};
use crate::{Language, until_old_ones_end};

/// A runtime whose app's code is replaced by worse.
struct Case {
    runtime: Runtime,
    control: Control,
    port: u16,
    file: PathBuf,
    load: Load,
}

impl Case {
    #[track_caller]
    fn new(language: Language) -> Self {
        let port = free_port();
        let launch = language.launch(port);
        let file = launch.home().join(language.file());
        let runtime = launch.spawn();
        http_pids(&runtime, 2, port);
        Self { control: runtime.control(), runtime, port, file, load: Load::begin(port, "/", 2) }
    }

    /// The code is now this. A reload and a rehearsal fail for `why`, by whatever they are asked for, with the newcomer's
    /// words.
    #[track_caller]
    fn fails(&self, code: &str, why: &str, last_words: &str) {
        std::fs::write(&self.file, code).unwrap();
        self.fails_as_it_is(why, last_words);
    }

    #[track_caller]
    fn fails_as_it_is(&self, why: &str, last_words: &str) {
        let before = self.control.app("all");
        for dry_run in [false, true] {
            let reply = self.control.order("/v1/apps/all/reload", &json!({ "dry_run": dry_run }));
            assert!(reply.failed().contains(why), "not `{why}`: {reply:?}\n{}", self.runtime.tails());
            assert!(reply.last_lines().contains(last_words), "{reply:?}");
        }
        let count = |text: &str| {
            words::ours(text)
                .iter()
                .filter(|line| words::is_reload_called_off(line) || line.contains("reload refused"))
                .count()
        };
        let told = count(&self.runtime.stderr.text());
        self.runtime.signal(signals::HUP);
        self.runtime
            .until_stderr("the reload by a signal called off", |text| (count(text) > told).then_some(()));
        let after = self.control.app("all");
        assert_eq!(pids(&after), pids(&before), "{}", self.runtime.tails());
        assert_eq!(pids(&after).len(), 2);
        for instance in after["instances"].as_array().unwrap() {
            assert_eq!(
                (&instance["status"], &instance["restarts"]),
                (&json!("online"), &json!(0)),
                "{instance}"
            );
        }
        let line = self.runtime.stderr_line(&["reload", why]);
        assert!(line.contains("called off") || line.contains("refused"), "{line}");
    }

    /// Nothing was lost, and good code can be reloaded again.
    #[track_caller]
    fn recovers(mut self, code: &str) {
        std::fs::write(&self.file, code).unwrap();
        let before = pids(&self.control.app("all"));
        let answer = http::get(self.port, "/").unwrap();
        assert!(before.contains(&pid_in(&answer).unwrap()), "{answer}");
        let errors = self.load.end();
        assert!(errors.is_empty(), "{errors:?}\n{}", self.runtime.tails());
        self.control.post("/v1/apps/all/reload").went_well();
        assert!(pids(&self.control.app("all")).is_disjoint(&before));
        until_old_ones_end(&self.runtime, &self.control);
        self.runtime.stops();
    }
}

#[track_caller]
fn bad_code_never_replaces_good(language: Language) {
    let case = Case::new(language);
    let throws = match language {
        Language::Node | Language::Python => "exit code 1",
        Language::Shell => "exit code 3",
    };
    case.fails(language.throws(), throws, "no database");
    case.fails(language.throws(), throws, "last words");
    case.fails(language.ends(), "exit code 0", "last words");
    case.fails(
        language.no_syntax(),
        "exit code",
        match language {
            Language::Node | Language::Python => "SyntaxError",
            Language::Shell => "yntax error",
        },
    );
    case.fails(language.never_listens(), "2.0s", "last words");
    case.recovers(&language.good());
}

#[test]
fn bad_node_code_never_replaces_good() {
    bad_code_never_replaces_good(Language::Node);
}

#[test]
fn bad_python_code_never_replaces_good() {
    bad_code_never_replaces_good(Language::Python);
}

#[test]
fn a_bad_shell_script_never_replaces_a_good_one() {
    bad_code_never_replaces_good(Language::Shell);
}

#[test]
fn a_file_that_vanished_never_replaces_what_runs() {
    for language in Language::ALL {
        let case = Case::new(language);
        std::fs::remove_file(&case.file).unwrap();
        let (why, last_words) = match language {
            Language::Node => ("exit code 1", "Cannot find module"),
            Language::Python => ("exit code 2", "can't open file"),
            Language::Shell => ("exit code", language.file()),
        };
        case.fails_as_it_is(why, last_words);
        case.recovers(&language.good());
    }
}

#[test]
fn an_interpreter_that_vanished_never_replaces_what_runs() {
    let port = free_port();
    let launch = Language::Python.launch(port);
    let directory = launch.home().join("bin");
    std::fs::create_dir(&directory).unwrap();
    let (file, link) = (launch.home().join(Language::Python.file()), directory.join("python3"));
    let real = crate::support::fixtures::tool("python");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let path = [directory.as_path(), Path::new("/nonexistent")];
    let runtime = launch.env("PATH", std::env::join_paths(path).unwrap()).spawn();
    http_pids(&runtime, 2, port);
    let case = Case { control: runtime.control(), runtime, port, file, load: Load::begin(port, "/", 2) };
    std::fs::remove_file(&link).unwrap();
    case.fails_as_it_is("python3", "");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    case.recovers(&Language::Python.good());
}
