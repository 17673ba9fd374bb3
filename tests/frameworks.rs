//! Well-known frameworks, each started as its users start it: two instances share the port, a reload under load loses
//! nothing, and the stop is clean. The lines are those of docs/frameworks.md.
//!
//! `scripts/test-tools` installs them, and builds what is served by a build.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::fixtures::{fixture, packages, search_path, tool};
use support::launch::{Launch, binary};
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::{cluster, http, processes, wait};

/// An app of tests/fixtures/frameworks.
struct App {
    directory: &'static str,
    /// As in a Procfile; `$PORT` is replaced.
    command: &'static str,
    /// Where its packages lie.
    packages: fn() -> PathBuf,
    /// How many processes of each instance answer.
    processes: usize,
    clients: Clients,
    partings: Partings,
}

/// What becomes of a connection that a worker has accepted just before it is asked to end.
#[derive(Clone, Copy)]
enum Partings {
    /// Its request is answered.
    Kept,
    /// The framework closes it if it has read nothing from it yet, with or without us (docs/frameworks.md).
    Cut,
}

/// How the clients ask while the app is reloaded.
#[derive(Clone, Copy)]
enum Clients {
    /// Over a new connection each time.
    New,
    /// Some of them over one connection each for as long as the server keeps it.
    Kept,
}

const INSTANCES: usize = 2;

/// Of each kind.
const CLIENTS: usize = 2;

/// `nest start` compiles the app first, once for each instance, and the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Next.js counts its users otherwise, and npm looks for news of itself.
const QUIET: &[(&str, &str)] = &[("NEXT_TELEMETRY_DISABLED", "1"), ("NPM_CONFIG_UPDATE_NOTIFIER", "false")];

impl App {
    /// One whose connections our script parts with.
    const fn node(directory: &'static str, command: &'static str) -> Self {
        Self {
            directory,
            command,
            packages: node_modules,
            processes: 1,
            clients: Clients::Kept,
            partings: Partings::Kept,
        }
    }

    const fn other(directory: &'static str, command: &'static str) -> Self {
        Self { clients: Clients::New, ..Self::node(directory, command) }
    }

    #[track_caller]
    fn start(&self, port: u16) -> Runtime {
        let command = self.command.replace("$PORT", &port.to_string());
        let words = ["-i", "2"].into_iter().chain(command.split(' '));
        let mut launch = Launch::new(words).port(port).env("PATH", path());
        for (name, value) in QUIET {
            launch = launch.env(name, value);
        }
        let directory = launch.home().join(self.directory);
        self.write_to(&directory);
        launch.directory(directory).spawn()
    }

    /// Sources from the fixture, what was built from them from the test tools, and all packages.
    fn write_to(&self, directory: &Path) {
        let built = frameworks().join(self.directory);
        let source = if built.is_dir() { built } else { fixture(&format!("frameworks/{}", self.directory)) };
        let copied =
            Command::new("cp").arg("-r").arg(&source).arg(directory).output().expect("`cp` can be run");
        assert!(copied.status.success(), "{copied:?}");
        std::os::unix::fs::symlink((self.packages)(), directory.join("node_modules"))
            .expect("the directory is new");
    }

    /// Both instances answer; a reload under load replaces all workers and loses nothing; SIGTERM ends it with 0.
    #[track_caller]
    fn works(&self) {
        let page = include_str!("../docs/frameworks.md");
        let line = format!("`web: pmr-runtime {}`", self.command);
        assert!(page.contains(&line), "docs/frameworks.md does not have {line}");
        let port = free_port();
        let mut runtime = self.start(port);
        if wait::within(PATIENCE, || http::get(port, "/").ok()).is_none() {
            runtime.fail("nobody answers");
        }
        let before = self.answering(&runtime, port);
        self.reload_under_load(&runtime, port);
        // The last of the old ones may still be about to end, and answer meanwhile.
        runtime.until("its end", || (runtime.workers().len() == INSTANCES).then_some(()));
        let after = self.answering(&runtime, port);
        assert!(before.is_disjoint(&after), "{before:?} {after:?}\n{}", runtime.tails());
        runtime.stops();
    }

    /// The processes that answer; they belong to all instances.
    #[track_caller]
    fn answering(&self, runtime: &Runtime, port: u16) -> BTreeSet<i32> {
        let pids = cluster::http_pids(runtime, self.processes * INSTANCES, port);
        let workers: BTreeSet<i32> = pids.iter().map(|&pid| worker_of(runtime, pid)).collect();
        assert_eq!(workers.len(), INSTANCES, "{pids:?} are of {workers:?}\n{}", runtime.tails());
        pids
    }

    #[track_caller]
    fn reload_under_load(&self, runtime: &Runtime, port: u16) {
        let mut loads = vec![Load::begin(port, "/", CLIENTS)];
        if let Clients::Kept = self.clients {
            loads.push(Load::begin_keep_alive(port, "/", CLIENTS));
        }
        let go_on = |what: &str| {
            for load in &loads {
                let so_far = load.answered();
                runtime.until(what, || (load.answered() > so_far + 50).then_some(()));
            }
        };
        go_on("load");
        let mut reload = Command::new(binary());
        reload.arg("reload").arg("all").env_clear().env("PMR_HOME", runtime.home().join(".pmr"));
        let reload = reload.output().expect("it can be run once more");
        if !reload.status.success() {
            runtime.fail(&format!("the reload failed: {reload:?}"));
        }
        go_on("load after the reload");
        let errors: Vec<_> = loads.into_iter().flat_map(Load::end).collect();
        let forgiven = match self.partings {
            Partings::Kept => 0,
            // A client has one connection at a time, so no more than one of them at the end of each worker.
            Partings::Cut => CLIENTS * INSTANCES,
        };
        if let Some(first) = errors.get(forgiven) {
            runtime.fail(&format!("{} requests were lost, the first by: {first}", errors.len()));
        }
    }
}

/// The child of the runtime that `pid` descends from, or is.
#[track_caller]
fn worker_of(runtime: &Runtime, pid: i32) -> i32 {
    let mut pid = pid;
    loop {
        match processes::parent(pid) {
            Some(parent) if parent == runtime.pid() => return pid,
            Some(parent) if parent > 1 => pid = parent,
            other => runtime.fail(&format!("{pid}, a child of {other:?}, does not descend from the runtime")),
        }
    }
}

/// Where `scripts/test-tools` has put the packages and builds.
#[track_caller]
fn frameworks() -> PathBuf {
    tool("frameworks")
}

fn node_modules() -> PathBuf {
    frameworks().join("node_modules")
}

/// `PATH` with Node 22, which the command line of Nest needs.
fn path() -> OsString {
    let node = tool("node22");
    let first = node.parent().expect("a file has a directory").to_owned();
    let rest = search_path();
    std::env::join_paths(std::iter::once(first).chain(std::env::split_paths(&rest))).expect("no colon in it")
}

#[test]
fn express_by_npm_start() {
    App::node("express", "npm start").works();
}

#[test]
fn fastify() {
    App::node("fastify", "node server.js").works();
}

#[test]
fn koa() {
    App::node("koa", "node server.js").works();
}

#[test]
fn hapi() {
    App::node("hapi", "node server.js").works();
}

/// What the adapter passes from worker to worker is looked at by `tests/messages.rs`.
#[test]
fn socket_io() {
    App { packages, ..App::node("socket.io", "node server.js") }.works();
}

#[test]
fn tsx() {
    App::node("tsx", "npx tsx server.ts").works();
}

#[test]
fn tsx_in_one_process() {
    App::node("tsx", "node --import tsx server.ts").works();
}

#[test]
fn ts_node() {
    App::node("ts-node", "npx ts-node server.ts").works();
}

#[test]
fn ts_node_in_one_process() {
    App::node("ts-node", "node -r ts-node/register server.ts").works();
}

#[test]
fn next_start() {
    App::node("next", "node_modules/.bin/next start").works();
}

#[test]
fn next_by_npm_start() {
    App::node("next", "npm start").works();
}

#[test]
fn nest_start() {
    App::node("nest", "node_modules/.bin/nest start").works();
}

#[test]
fn nest_by_its_build() {
    App::node("nest", "node dist/main").works();
}

/// WEB_CONCURRENCY is 1 for each instance, but the option goes before it.
#[test]
fn gunicorn() {
    App { processes: 2, ..App::other("gunicorn", "gunicorn -w 2 -b 0.0.0.0:$PORT app:app") }.works();
}

#[test]
fn uvicorn() {
    let app = App::other("uvicorn", "uvicorn app:app --host 0.0.0.0 --port $PORT");
    App { partings: Partings::Cut, ..app }.works();
}

#[test]
fn puma() {
    if Command::new("puma").arg("--version").output().is_err() {
        return processes::say_not_shown("puma is not installed: see scripts/setup");
    }
    App::other("puma", "puma -p $PORT").works();
}
