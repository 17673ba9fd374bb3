//! Reloads when files change: with no gap, once, and not for what nobody means.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use support::cluster::http_pids;
use support::fixtures::tool;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::{asked, order, update};
use support::wait;

/// Answers with its pid, as the other servers of the tests do.
const SERVER: &str = "const port = process.env.PORT; const { word } = require('./lib/word.js'); \
    require('http').createServer((_, r) => r.end(`pid=${process.pid} ${word}`)).listen(port, () => console.log('serves', word));";

struct Project {
    directory: tempfile::TempDir,
    port: u16,
}

impl Project {
    fn new() -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap(), port: free_port() };
        fs::create_dir_all(project.path("lib")).unwrap();
        project.write("lib/word.js", "exports.word = 'one';");
        project.write("server.js", SERVER);
        project
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn start(&self, options: &[&str], workers: usize) -> Runtime {
        let options = options.iter().map(OsString::from);
        let words = options.chain([tool("node20").into(), "server.js".into()]);
        let runtime =
            Launch::new(words).directory(self.directory.path()).port(self.port).workers(workers).spawn();
        runtime.until_ready(workers);
        runtime
    }
}

/// How many reloads have begun.
fn reloads(runtime: &Runtime) -> usize {
    runtime.stderr.text().matches(" reloading ").count()
}

/// Waits until there is nobody left of these.
fn until_gone(runtime: &Runtime, before: &BTreeSet<i32>) {
    runtime.until("new workers alone", || {
        let workers = runtime.workers();
        (workers.len() >= before.len() && workers.is_disjoint(before)).then_some(())
    });
}

#[test]
fn a_change_reloads_with_no_gap_and_no_lost_request() {
    let project = Project::new();
    let mut runtime = project.start(&["--watch"], 2);
    let before = http_pids(&runtime, 2, project.port);
    update(&runtime);
    let load = Load::begin(project.port, "/", 3);
    project.write("lib/word.js", "exports.word = 'two';");
    runtime.stderr_line(&["`lib/word.js` has changed"]);
    runtime.stdout_line("serves two");
    until_gone(&runtime, &before);
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    assert_eq!(asked(&runtime, "/v1/apps")[0]["watching"], true);
    runtime.stops();
}

#[test]
fn what_nobody_means_is_passed_over() {
    let project = Project::new();
    project.write(".gitignore", "/dist\n*.cache\n");
    project.write("node_modules/x/index.js", "1");
    project.write("uploads/a.png", "1");
    let options =
        ["--watch", "--ignore-watch", "uploads,*.{sqlite,db}", "--output", "out.log", "--pid", "web.pid"];
    let mut runtime = project.start(&options, 1);
    for name in [
        "node_modules/x/index.js",
        "uploads/b.png",
        "dist/a.js",
        "a.cache",
        "x.db",
        ".env",
        "lib/word.js~",
        "lib/.word.js.swp",
    ] {
        project.write(name, "2");
    }
    // What comes after it shows that none of them has led to anything.
    project.write("lib/word.js", "exports.word = 'two';");
    runtime.stderr_line(&["`lib/word.js` has changed"]);
    runtime.stdout_line("serves two");
    wait::until("its own line in the log", || {
        fs::read_to_string(project.path("out.log")).ok()?.contains("serves two").then_some(())
    });
    assert!(!runtime.stderr.text().contains(" more "), "{}", runtime.tails());
    assert_eq!(reloads(&runtime), 1, "{}", runtime.tails());
    runtime.stops();
}

#[test]
fn new_directories_files_put_in_place_and_removed_ones_are_seen() {
    let project = Project::new();
    let mut runtime = project.start(&["--watch"], 1);
    let mut count = 0;
    let mut expect = |what: &str, change: &dyn Fn()| {
        change();
        count += 1;
        runtime.until(what, || (reloads(&runtime) == count).then_some(()));
        runtime.until("its end", || {
            (runtime.stderr.text().matches(" reloaded ").count() == count).then_some(())
        });
    };
    expect("a directory with a file", &|| project.write("new/deep/x.js", "1"));
    expect("a file in it", &|| project.write("new/deep/y.js", "1"));
    expect("a file that an editor puts in place", &|| {
        fs::write(project.path("lib/word.js.tmp"), "exports.word = 'moved';").unwrap();
        fs::rename(project.path("lib/word.js.tmp"), project.path("lib/word.js")).unwrap();
    });
    expect("a file that goes", &|| fs::remove_file(project.path("new/deep/x.js")).unwrap());
    expect("a directory that goes elsewhere", &|| {
        fs::rename(project.path("new"), project.path(".old")).unwrap()
    });
    runtime.stops();
}

#[test]
fn a_change_that_breaks_the_app_keeps_the_old_workers_and_the_next_one_mends_it() {
    let project = Project::new();
    let mut runtime = project.start(&["--watch=server.js,lib", "--watch-delay", "50ms"], 1);
    let before = http_pids(&runtime, 1, project.port);
    project.write("lib/word.js", "throw new Error('broken')");
    runtime.stderr_line(&["reload called off"]);
    assert_eq!(http_pids(&runtime, 1, project.port), before);
    project.write("lib/word.js", "exports.word = 'mended';");
    runtime.stdout_line("serves mended");
    until_gone(&runtime, &before);
    fs::rename(project.path("server.js"), project.path("moved.js")).unwrap();
    fs::rename(project.path("moved.js"), project.path("server.js")).unwrap();
    runtime.until("a reload for a named file", || (reloads(&runtime) == 3).then_some(()));
    runtime.stops();
}

#[test]
fn an_app_that_fails_waits_for_the_next_change_and_one_that_was_stopped_does_not() {
    let project = Project::new();
    let directory = project.directory.path();
    project.write("server.js", "console.log('starts'); process.exit(1);");
    let options = ["--watch", "--max-restarts", "1", "-i", "1"].map(OsString::from);
    let words = options.into_iter().chain([tool("node20").into(), "server.js".into()]);
    let mut runtime = Launch::new(words).directory(directory).spawn();
    runtime.stderr_line(&["it is tried again when its files change"]);
    project.write("server.js", "console.log('lives'); setInterval(() => {}, 1000);");
    runtime.stdout_line("lives");
    runtime.until("an app that is online", || {
        (asked(&runtime, "/v1/apps")[0]["status"] == "online").then_some(())
    });
    assert_eq!(order(&runtime, "/v1/apps/all/stop", "{}")["ok"], true);
    project.write("server.js", "console.log('again'); setInterval(() => {}, 1000);");
    assert_eq!(order(&runtime, "/v1/apps/all/start", "{}")["ok"], true);
    runtime.stdout_line("again");
    assert_eq!(asked(&runtime, "/v1/apps")[0]["status"], "online");
    runtime.stops();
}

#[test]
fn where_the_kernel_does_not_tell_it_is_looked() {
    let project = Project::new();
    let mut runtime = project.start(&["--watch", "--watch-poll", "100ms"], 1);
    project.write("node_modules/x.js", "1");
    project.write("lib/word.js", "exports.word = 'by looking';");
    runtime.stderr_line(&["files have changed"]);
    runtime.stdout_line("serves by looking");
    runtime.stops();
}

#[test]
fn a_path_that_is_not_there_is_told_of_and_waited_for() {
    let project = Project::new();
    let mut runtime = project.start(&["--watch=views"], 1);
    runtime.stderr_line(&["`--watch`: there is no `", "views` yet"]);
    project.write("views/a.html", "1");
    runtime.stderr_line(&["has changed"]);
    runtime.stops();
}

#[test]
fn without_the_option_there_is_no_thread() {
    let project = Project::new();
    let threads = |runtime: &Runtime| {
        let tasks = fs::read_dir(Path::new("/proc").join(runtime.pid().to_string()).join("task")).unwrap();
        let name = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        tasks.filter_map(Result::ok).any(|entry| name(entry).trim() == "pmr-watch")
    };
    let mut runtime = project.start(&[], 1);
    assert!(!threads(&runtime));
    runtime.stops();
    let mut runtime = project.start(&["--watch"], 1);
    assert!(threads(&runtime));
    runtime.stops();
}
