//! Scripts of package.json without their package managers: as those run them, but for what docs/package-managers.md names.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::cluster::http_pids;
use support::fixtures::{fixture, search_path, tool};
use support::http::get;
use support::launch::Launch;
use support::load::Load;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::{asked, order, update};
use support::{processes, signals};
use tempfile::TempDir;

/// A package in a directory of its own, with the managers that the tests have beside it.
struct Package {
    directory: TempDir,
}

impl Package {
    fn new(scripts: &Value) -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-package-").tempdir().unwrap();
        let package = Self { directory };
        package.write_scripts(scripts);
        fs::create_dir_all(package.path("app/src")).unwrap();
        fs::create_dir(package.path("bin")).unwrap();
        for (name, program) in [("yarn", tool("yarn")), ("pnpm", tool("pnpm")), ("bun", tool("bun"))] {
            symlink(program, package.path("bin").join(name)).unwrap();
        }
        package
    }

    fn write_scripts(&self, scripts: &Value) {
        let package = json!({
            "name": "shop", "version": "1.2.3", "private": true, "license": "MIT", "config": {"depth": {"x": 1}, "port": "80"},
            "engines": {"node": ">=18"}, "bin": {"shop": "./cli.js"}, "scripts": scripts,
        });
        self.write("app/package.json", &package.to_string());
    }

    fn path(&self, of: &str) -> PathBuf {
        self.directory.path().join(of)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program as package managers install it.
    fn install(&self, name: &str, text: &str) {
        let path = self.path(&format!("app/node_modules/.bin/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn launch(&self, words: &[&str]) -> Launch {
        let path = search_path();
        let places = std::iter::once(self.path("bin")).chain(std::env::split_paths(&path));
        Launch::new(words).directory(self.path("app")).env("PATH", std::env::join_paths(places).unwrap())
    }

    /// What a script that writes it down was started with.
    fn seen(&self, options: &[&str], directory: &str, words: &[&str]) -> Value {
        let out = self.path("out.json");
        let all: Vec<&str> =
            ["-i", "1", "--no-autorestart"].iter().chain(options).chain(words).copied().collect();
        // The same home for both, since it is in what they see.
        let launch = self
            .launch(&all)
            .directory(self.path(directory))
            .env("APP_OUT", &out)
            .env("HOME", self.path("home"));
        let mut runtime = launch.env("NPM_CONFIG_UPDATE_NOTIFIER", "false").spawn();
        runtime.ends_with(0);
        let text = fs::read(&out).unwrap();
        fs::remove_file(out).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Runs a command with and without its package manager; the two must see the same but for variables of these names.
    #[track_caller]
    fn assert_alike(&self, directory: &str, words: &[&str], differences: &[&str]) {
        let ours = self.seen(&[], directory, words);
        let theirs = self.seen(&["--no-resolve"], directory, words);
        for what in ["words", "cwd", "stdin"] {
            assert_eq!(ours[what], theirs[what], "{words:?}: {what}");
        }
        let (ours, theirs) = (comparable(&ours["env"]), comparable(&theirs["env"]));
        let is_documented = |name: &str| {
            differences.iter().any(|known| match known.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *known,
            })
        };
        let names = ours.keys().chain(theirs.keys()).filter(|name| ours.get(*name) != theirs.get(*name));
        let unexpected: Vec<String> = names
            .filter(|name| !is_documented(name))
            .map(|name| format!("{name}: ours {:?}, theirs {:?}", ours.get(name), theirs.get(name)))
            .collect();
        assert!(unexpected.is_empty(), "{words:?}:\n{}", unexpected.join("\n"));
    }
}

/// The environment; of PATH the places that packages have to do with, each once, and of the user agent the name.
fn comparable(environment: &Value) -> BTreeMap<String, String> {
    let pairs = environment.as_object().unwrap().iter();
    let mut all: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    if let Some(path) = all.get_mut("PATH") {
        let mut places = Vec::new();
        for place in path
            .split(':')
            .filter(|place| place.ends_with("/node_modules/.bin") && place.contains("pmr-package-"))
        {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        *path = places.join(":");
    }
    if let Some(agent) = all.get_mut("npm_config_user_agent") {
        *agent = agent.split('/').next().unwrap_or_default().to_owned();
    }
    // Each launch has its own.
    for name in ["PMR_HOME", support::processes::MARK] {
        all.remove(name);
    }
    all
}

fn dump() -> Value {
    let script = format!("A=1 node {} 'a b'", fixture("node/environment.js").display());
    json!({ "start": script, "dump": script, "shell": format!("{script} && true"), "nested": "B=2 npm run dump -- x" })
}

#[test]
fn npms_scripts_see_what_they_see_under_npm() {
    let package = Package::new(&dump());
    package.write("app/.npmrc", "omit=dev\n//registry.example/:_authToken=secret\n");
    // What is in the machine's own npmrc is a list in newer versions.
    let differences = [
        "npm_config_allow_scripts",
        "npm_config_cafile",
        "npm_config_globalconfig",
        "npm_config_prefix",
        "npm_config_global_prefix",
    ];
    package.assert_alike("app", &["npm", "start"], &differences);
    package.assert_alike("app/src", &["npm", "run", "dump", "x", "--", "--y", "it's"], &differences);
    package.assert_alike("app", &["npm", "run", "shell", "--", "z"], &differences);
    package.assert_alike(".", &["npm", "--prefix", "app", "start"], &differences);
    package.assert_alike("app", &["npm", "run", "nested"], &differences);
}

#[test]
fn yarns_scripts_see_what_they_see_under_yarn() {
    let package = Package::new(&dump());
    // Yarn's own settings.
    let differences = ["npm_config_*", "npm_execpath"];
    package.assert_alike("app/src", &["yarn", "start", "x", "--", "--y"], &differences);
    package.assert_alike("app", &["yarn", "run", "shell", "--y"], &differences);
    package.assert_alike("app", &["yarn", "-s", "dump", "--y"], &differences);
}

#[test]
fn pnpms_scripts_see_what_they_see_under_pnpm() {
    let package = Package::new(&dump());
    // pnpm's own settings.
    let differences = ["npm_config_*", "npm_lifecycle_script"];
    package.assert_alike("app/src", &["pnpm", "start", "x", "--", "--y"], &differences);
    package.assert_alike("app", &["pnpm", "run", "shell", "--y"], &differences);
    package.assert_alike(".", &["pnpm", "-C", "app", "dump", "--y"], &differences);
}

#[test]
fn buns_scripts_see_what_they_see_under_bun() {
    let package = Package::new(&dump());
    // Those of the shell that bun starts.
    let differences = ["_", "SHLVL", "npm_execpath"];
    package.assert_alike("app", &["bun", "run", "start", "x", "--", "--y"], &differences);
    package.assert_alike("app/src", &["bun", "start", "--y"], &differences);
}

fn server(text: &str) -> String {
    format!(
        "require('node:http').createServer((_, answer) => answer.end(`pid=${{process.pid}} {text} worker=${{require('node:cluster').isWorker}}`))\
         .listen(process.env.PORT)"
    )
}

#[track_caller]
fn app(runtime: &Runtime) -> Value {
    asked(runtime, "/v1/apps")[0].take()
}

/// All processes of the workers, without the runtime, its guard, and what it was started by.
fn workers_and_more(runtime: &Runtime) -> usize {
    let workers = runtime.workers();
    workers.iter().map(|&pid| 1 + processes::children(pid).len()).sum()
}

#[test]
fn npm_start_is_a_cluster_of_node_and_a_reload_reads_package_json_anew() {
    let package = Package::new(&json!({"start": "node one.js"}));
    package.write("app/one.js", &server("one"));
    package.write("app/two.js", &server("two"));
    let port = free_port();
    let mut runtime = package.launch(&["-i", "2", "npm", "start"]).port(port).spawn();
    runtime.until_ready(2);
    let start = runtime.stderr_line(&["starting 2 instances"]);
    assert!(start.contains("share=cluster") && start.contains("npm start → node one.js"), "{start}");
    assert!(start.contains("app=npm"), "{start}");
    assert!(get(port, "/").unwrap().contains("one worker=true"));
    assert_eq!(http_pids(&runtime, 2, port), runtime.workers());
    assert_eq!(workers_and_more(&runtime), 2, "nobody stands between us and node");
    assert_eq!(app(&runtime)["resolved"], "npm start → node one.js");

    package.write_scripts(&json!({"start": "node two.js"}));
    let load = Load::begin(port, "/", 2);
    update(&runtime);
    assert_eq!(app(&runtime)["resolved"], "npm start → node one.js");
    let verdict = order(&runtime, "/v1/apps/npm/reload", "{}");
    assert_eq!(verdict["ok"], true, "{verdict}");
    runtime.until("the other script", || get(port, "/").ok()?.contains("two worker=true").then_some(()));
    let errors = load.end();
    assert!(errors.is_empty(), "{:?}\n{}", errors.first(), runtime.tails());
    assert_eq!(app(&runtime)["resolved"], "npm start → node two.js");
    runtime.stops();
}

#[test]
fn a_program_of_a_package_is_run_by_node_itself() {
    let package = Package::new(&json!({"start": "NAME=three serve here"}));
    package.install(
        "serve",
        &format!("#!/usr/bin/env node\n{}", server("${process.env.NAME} ${process.argv[2]}")),
    );
    let port = free_port();
    let mut runtime = package.launch(&["-i", "2", "yarn", "start"]).port(port).spawn();
    runtime.until_ready(2);
    assert!(get(port, "/").unwrap().contains("three here worker=true"));
    assert_eq!(workers_and_more(&runtime), 2);
    runtime.stops();
}

#[test]
fn a_script_that_runs_before_does_so_once_and_in_its_own_environment() {
    let record = "echo \"$npm_lifecycle_event $A $PWD\" >> ran; sleep 0.1";
    let package = Package::new(&json!({"prestart": record, "start": "A=1 node one.js"}));
    package.write("app/one.js", &server("one"));
    let port = free_port();
    let mut runtime = package.launch(&["-i", "2", "npm", "start"]).port(port).spawn();
    runtime.until_ready(2);
    assert!(get(port, "/").unwrap().contains("one worker=true"));
    let app = package.path("app").canonicalize().unwrap();
    let ran = || fs::read_to_string(package.path("app/ran")).unwrap();
    assert_eq!(ran(), format!("prestart  {}\n", app.display()));
    let verdict = order(&runtime, "/v1/apps/npm/reload", "{}");
    assert_eq!(verdict["ok"], true, "{verdict}");
    assert_eq!(ran().lines().count(), 1, "it belongs to the first start");
    runtime.stops();
}

#[test]
fn an_app_whose_script_before_it_fails_does_not_start() {
    let package = Package::new(&json!({"prestart": "echo before; exit 7", "start": "node one.js"}));
    let mut runtime = package.launch(&["-i", "2", "npm", "start"]).port(free_port()).spawn();
    runtime.ends_with(7);
    runtime.stdout_line("before");
}

#[test]
fn a_script_with_one_that_runs_after_it_is_left_to_npm_and_a_line_says_so() {
    let package = Package::new(&json!({"start": "node one.js", "poststart": "echo after"}));
    package.write("app/one.js", &server("one"));
    let mut runtime = package.launch(&["-i", "1", "npm", "start"]).port(free_port()).spawn();
    runtime.stderr_line(&["npm start, as it stands: `poststart` belongs to it"]);
    runtime.until_ready(1);
    assert!(workers_and_more(&runtime) > 1);
    runtime.stops();
}

#[test]
fn a_shells_script_ends_with_the_status_of_its_command() {
    let package = Package::new(
        &json!({"start": "true && node -e 'process.exit(7)'", "kill": "exec node -e 'setInterval(() => {}, 1000); console.log(1)'"}),
    );
    package.launch(&["-i", "1", "--no-autorestart", "npm", "start"]).spawn().ends_with(7);
    let mut runtime = package.launch(&["-i", "1", "--no-autorestart", "npm", "run", "kill"]).spawn();
    runtime.stdout_line("1");
    runtime.signal(signals::TERM);
    runtime.ends_with(128 + signals::TERM);
}

#[test]
fn every_form_in_which_a_script_is_started_is_resolved() {
    let package = Package::new(&json!({"start": "node one.js"}));
    package.write("app/one.js", &server("one"));
    let file = json!({"apps": [
        {"name": "words", "script": "npm", "args": "start", "env": {"PORT": free_port()}},
        {"name": "line", "script": "npm start", "env": {"PORT": free_port()}},
        {"name": "literal", "script": "npm start", "resolve": false, "env": {"PORT": free_port()}},
        {"name": "elsewhere", "script": "npm", "args": ["run", "start"], "cwd": package.path("app/src"), "env": {"PORT": free_port()}},
    ]});
    package.write("app/ecosystem.json", &file.to_string());
    let mut runtime = package.launch(&["start", "ecosystem.json"]).spawn();
    runtime.until_ready(4);
    let apps = asked(&runtime, "/v1/apps");
    let resolved: Vec<&Value> = apps.as_array().unwrap().iter().map(|app| &app["resolved"]).collect();
    let direct = json!("npm start → node one.js");
    assert_eq!(resolved, [&direct, &direct, &Value::Null, &json!("npm run start → node one.js")]);
    runtime.stops();
    for words in [&["npm", "--", "start"][..], &["start", "npm", "--", "start"], &["npm start"]] {
        let mut runtime = package.launch(words).port(free_port()).spawn();
        runtime.until_ready(1);
        runtime.stderr_line(&["→ node one.js"]);
        runtime.stops();
    }
}

#[test]
fn the_directory_of_the_command_may_be_another_than_ours() {
    let package = Package::new(&dump());
    let seen = package.seen(&["--cwd", "app/src"], ".", &["npm", "start"]);
    assert_eq!(Path::new(seen["cwd"].as_str().unwrap()), package.path("app").canonicalize().unwrap());
    assert_eq!(Path::new(seen["env"]["INIT_CWD"].as_str().unwrap()), package.path("app/src"));
}
