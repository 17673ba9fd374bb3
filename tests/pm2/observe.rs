//! Runs a case under one of the two, and turns what its apps have told into facts that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cases::{Case, End};
use crate::support::fixtures::{fixture, tool};
use crate::support::launch::Launch;
use crate::support::processes::MARK;
use crate::support::runtime::Runtime;
use crate::support::signals;

/// What was seen, each under a name: `exit status`, `words`, `env PATH`.
pub(crate) type Facts = BTreeMap<String, String>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Pm2,
    Ours,
}

/// pm2 notices after 12 s at the soonest that nothing runs any more.
const END: Duration = Duration::from_secs(60);

/// Variables of the surroundings, for the files that take some away.
const GIVEN: &[(&str, &str)] =
    &[("GIVEN", "by the surroundings"), ("GIVEN_A", "a"), ("GIVEN_B", "b"), ("API_KEY", "c")];

pub(crate) fn is_of_the_surroundings(variable: &str) -> bool {
    let common = ["PATH", "HOME", "PWD", "LANG", "PYTHONDONTWRITEBYTECODE", "PM2_HOME", "PMR_HOME", NO_NEWS];
    common.contains(&variable) || GIVEN.iter().any(|(name, _)| *name == variable)
}

/// pm2 asks its makers for news otherwise.
const NO_NEWS: &str = "PM2_DISABLE_VERSION_CHECK";

/// Runs `case` to its end.
pub(crate) fn observe(case: &Case, who: Who) -> Facts {
    let mut launch = Launch::new(case.words());
    if who == Who::Pm2 {
        launch = launch.binary(tool("pm2-runtime"));
    }
    let home = launch.home().to_owned();
    launch = launch.env("PM2_HOME", home.join(".pm2")).env(NO_NEWS, "1").env("PWD", &home);
    for (name, value) in GIVEN {
        launch = launch.env(name, value);
    }
    copy_files(&home);
    let mut runtime = launch.spawn();
    let end = if who == Who::Pm2 { case.pm2 } else { case.ours };
    if let End::Asked(what, count) = end {
        let told = || (told(&home).iter().filter(|line| line["what"] == what).count() >= count).then_some(());
        runtime.until(&format!("{}: {count} times `{what}`", case.name()), told);
        if who == Who::Pm2 {
            until_online(&runtime, &home);
        }
        runtime.signal(signals::TERM);
    }
    let status = runtime.wait_for(END);
    let status = if gave_up(&runtime, status) { GIVEN_UP.to_owned() } else { status.to_string() };
    facts(&told(&home), status, &home)
}

/// pm2 with nothing left to run: two of its exits race then, one with 2 and one with 0.
const GIVEN_UP: &str = "2, at times 0";

fn gave_up(runtime: &Runtime, status: i32) -> bool {
    runtime.stdout.text().contains("0 application online, retry = 0") && [0, 2].contains(&status)
}

/// It does not end well what it does not know to be there yet.
fn until_online(runtime: &Runtime, home: &Path) {
    let starts = || told(home).iter().filter(|line| line["what"] == "start").count();
    runtime.until("pm2's own word of all workers", || {
        (runtime.stdout.text().matches("] online").count() >= starts()).then_some(())
    });
}

/// The files of the fixture, and an empty directory.
fn copy_files(home: &Path) {
    for entry in fs::read_dir(fixture("pm2")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), home.join(entry.file_name())).unwrap();
    }
    fs::create_dir(home.join("inner")).unwrap();
}

/// The whole lines of the report.
fn told(home: &Path) -> Vec<Value> {
    let text = fs::read_to_string(home.join("report")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn facts(told: &[Value], status: String, home: &Path) -> Facts {
    let mut starts: Vec<&Value> = told.iter().filter(|line| line["what"] == "start").collect();
    starts.sort_by_key(|start| place(start));
    let home = home.to_str().unwrap();
    let each = |fact: &dyn Fn(&Value) -> String| -> String {
        let all: Vec<String> = starts.iter().map(|start| fact(start).replace(home, "~")).collect();
        let different: BTreeSet<&String> = all.iter().collect();
        if different.len() == 1 { all[0].clone() } else { all.join("; ") }
    };
    let mut facts = Facts::new();
    facts.insert("exit status".to_owned(), status);
    facts.insert("starts".to_owned(), starts.len().to_string());
    if starts.is_empty() {
        return facts;
    }
    facts.insert("signals".to_owned(), signals_of(told));
    if let Some(order) = order(told) {
        facts.insert("order".to_owned(), order);
    }
    facts.insert("script".to_owned(), each(&|start| file_name(&start["argv"][0])));
    facts.insert("words".to_owned(), each(&|start| list(&start["argv"], 1)));
    facts.insert("node's options".to_owned(), each(&|start| list(&start["execArgv"], 0)));
    facts.insert("directory".to_owned(), each(&|start| text(&start["cwd"])));
    facts.insert("cluster worker".to_owned(), each(&|start| start["cluster"].to_string()));
    let names: BTreeSet<&String> =
        starts.iter().flat_map(|start| start["env"].as_object().unwrap().keys()).collect();
    for name in names.into_iter().filter(|name| *name != MARK) {
        // pm2 gives a variable of the app's own name.
        let is_apps = starts.iter().any(|start| start["env"]["name"] == **name);
        let known = if is_apps { "NAME" } else { name.as_str() };
        facts.insert(format!("env {known}"), each(&|start| text(&start["env"][name.as_str()])));
    }
    facts
}

/// Which app and instance a worker is.
fn place(start: &Value) -> (String, String) {
    let instance = ["NODE_APP_INSTANCE", "APP_INSTANCE"].iter().find_map(|name| start["env"][*name].as_str());
    (text(&start["env"]["name"]), instance.unwrap_or_default().to_owned())
}

/// What a worker is told to make it end; those of all workers that are told anything.
fn signals_of(told: &[Value]) -> String {
    let mut by_worker: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in told {
        let what = text(&line["what"]);
        if what.starts_with("SIG") || what == "shutdown" {
            by_worker.entry(line["pid"].to_string()).or_default().push(what);
        }
    }
    let all: BTreeSet<String> = by_worker.into_values().map(|signals| signals.join(", ")).collect();
    if all.is_empty() { "none".to_owned() } else { Vec::from_iter(all).join("; ") }
}

/// In which order things were told, where there is more than starts and signals.
fn order(told: &[Value]) -> Option<String> {
    let whats: Vec<String> =
        told.iter().map(|line| text(&line["what"])).filter(|what| !what.starts_with("SIG")).collect();
    whats.iter().any(|what| !["start", "shutdown"].contains(&what.as_str())).then(|| whats.join(", "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "–".to_owned(), str::to_owned)
}

fn file_name(path: &Value) -> String {
    Path::new(&text(path)).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn list(value: &Value, from: usize) -> String {
    let words: Vec<String> = value.as_array().unwrap()[from..].iter().map(text).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" · ") }
}
