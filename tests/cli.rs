//! The verbs on a real runtime, which `pmr start` has begun in the background.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::launch::binary;
use support::processes::{self, MARK};
use support::{fixtures, signals, wait};
use tempfile::TempDir;

const SERVER: &str =
    "require('http').createServer((_, r) => r.end()).listen(0, () => console.log('it listens'));";

/// A home for a runtime, and a directory of apps. What runs there ends with it.
struct Home {
    directory: TempDir,
    mark: String,
}

impl Home {
    fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-cli-").tempdir().unwrap();
        let home = Self { directory, mark: format!("{}-cli-{name}", std::process::id()) };
        home.write("server.js", SERVER);
        home
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// A command line that begins with `name`, the name that the executable is called by.
    fn called(&self, name: &str, words: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg0(name).args(words).current_dir(self.path()).env_clear();
        command.env("PATH", fixtures::search_path()).env("PMR_HOME", self.path().join("home"));
        command.env("HOME", self.path()).env(MARK, &self.mark).env("API_TOKEN", "sesame");
        command.output().unwrap()
    }

    /// `pmr WORDS`, which must end with `status`; gives what it printed.
    #[track_caller]
    fn pmr(&self, status: i32, words: &[&str]) -> String {
        let output = self.called("pmr", words);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "pmr {words:?}\n{stdout}\n{stderr}");
        if status == 0 { stdout } else { stdout + &stderr }
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.pmr(0, words)).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for pid in processes::marked(&self.mark) {
            processes::signal(pid, signals::KILL);
        }
        wait::until("the end of all that was started", || {
            processes::marked(&self.mark).is_empty().then_some(())
        });
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_a_runtime_there_is_a_word_of_what_to_do() {
    let home = Home::new("nobody");
    let told = home.pmr(1, &["list"]);
    assert!(told.contains("no runtime is running") && told.contains("pmr start"), "{told}");
    assert!(home.pmr(0, &["version"]).contains("not running"));
    assert!(home.pmr(1, &["resurrect"]).contains("nothing has been saved"));
    assert!(home.pmr(0, &[]).contains("Verbs:"));
    assert!(home.pmr(1, &["server.js"]).contains("pmr start server.js"));
    assert!(home.pmr(1, &["link"]).contains("pm2's paid service"));
    let output = home.called("pmr-runtime", &["env", "A=1", "node", "x.js"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("pmr-runtime -- env A=1 node x.js"));
    assert_eq!(processes::marked(&home.mark).len(), 0, "nothing was begun");
}

#[test]
fn an_app_is_started_looked_at_and_ended() {
    let home = Home::new("life");
    assert!(home.pmr(0, &["start", "server.js", "-i", "2", "--name", "web"]).starts_with("✓ web: "));
    let list = home.pmr(0, &["list"]);
    assert!(list.contains("│ web ") && list.contains("2 of 2 instances online"), "{list}");
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n1\n");
    let pids = home.json(&["pid", "web", "--json"]);
    let jlist = home.json(&["jlist"]);
    assert_eq!((&jlist[0]["pid"], &jlist[1]["pid"]), (&pids[0], &pids[1]));
    assert_eq!(jlist[0]["pm2_env"]["status"], "online");
    assert!(!jlist.to_string().contains("sesame"));
    let show = home.pmr(0, &["show", "web"]);
    assert!(show.contains("its version  v20.") && show.contains("Settings"), "{show}");
    assert!(home.pmr(0, &["env", "web"]).contains("API_TOKEN=(hidden"));
    assert!(home.pmr(0, &["env", "web", "--reveal"]).contains("API_TOKEN=sesame"));
    let logs = home.pmr(0, &["logs", "web", "--nostream", "--raw"]);
    assert_eq!(logs.matches("it listens").count(), 2, "{logs}");
    let report = home.pmr(0, &["report"]);
    assert!(report.contains("Machine") && !report.contains("sesame"), "{report}");
    assert!(home.pmr(0, &["scale", "web", "+1"]).contains("3 instances"));
    assert!(home.pmr(0, &["stop", "web"]).contains("stopped"));
    assert!(home.pmr(0, &["list"]).contains("0 of 3 instances online"));
    assert!(home.pmr(0, &["start", "web"]).contains("started"));
    assert!(home.pmr(1, &["reload", "wbe"]).contains("did you mean `web`?"));
    assert!(home.pmr(0, &["delete", "web"]).contains("removed"));
    home.pmr(0, &["kill"]);
    home.pmr(1, &["ping"]);
}

#[test]
fn a_reload_to_code_that_fails_is_called_off_with_its_last_lines() {
    let home = Home::new("reload");
    home.pmr(0, &["start", "server.js", "--name", "web"]);
    let pid = home.pmr(0, &["pid", "web"]);
    home.write("server.js", "console.error('no such table'); process.exit(3);");
    for words in [["reload", "web"].as_slice(), &["reload", "web", "--dry-run"]] {
        let told = home.pmr(1, words);
        assert!(told.starts_with("✗ web: ") && told.contains("no such table"), "{told}");
        assert_eq!(home.pmr(0, &["pid", "web"]), pid, "the old worker goes on");
    }
    home.write("server.js", SERVER);
    assert!(home.pmr(0, &["reload", "web", "--dry-run"]).starts_with("✓ web: "));
    assert!(home.pmr(0, &["reload", "web"]).contains("generation"));
    assert_ne!(home.pmr(0, &["pid", "web"]), pid);
    let outcome = home.json(&["restart", "all", "--json"]);
    assert_eq!(outcome["verdicts"][0]["ok"], true, "{outcome}");
    home.pmr(0, &["kill"]);
}

#[test]
fn what_was_saved_is_brought_back() {
    let home = Home::new("saved");
    home.pmr(0, &["start", "server.js", "-i", "2", "--name", "web"]);
    assert!(home.pmr(0, &["save"]).contains("dump.json"));
    home.pmr(0, &["kill"]);
    assert!(home.pmr(0, &["resurrect"]).starts_with("✓ web: "));
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n1\n");
    home.pmr(0, &["kill"]);
}

#[test]
fn pmr_runtime_begins_one_in_the_background_when_told_so() {
    let home = Home::new("daemon");
    let output = home.called("pmr-runtime", &["start", "--daemon", "server.js", "--name", "web"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n");
    home.pmr(0, &["kill"]);
}

#[test]
fn the_unit_that_is_shown_names_the_home() {
    let home = Home::new("unit");
    let unit = home.pmr(0, &["startup", "--print", "--user", "root"]);
    let expected = home.path().join("home");
    assert!(unit.contains("User=root") && unit.contains(expected.to_str().unwrap()), "{unit}");
}
