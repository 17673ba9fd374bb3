//! The habits of this code base that the compiler does not check: pure files stay pure, every file says what it is
//! for, `unsafe` stays in one place, and imports point down only.
//!
//! The checks read text, not syntax: comments and unit tests at the bottom of a file are left out, strings are not.

use std::fs;
use std::path::Path;

/// Files and folders that decide and never do: no I/O, no clock. Those that do not exist (yet) are passed over.
const PURE: &[&str] = &[
    "supervisor/",
    "memory/",
    "api/",
    "autoscale/decide.rs",
    "autoscale/figures.rs",
    "cli/render/",
    "control/call.rs",
    "crashes/cause.rs",
    "crashes/deliveries.rs",
    "crashes/exception.rs",
    "crashes/fingerprint.rs",
    "crashes/frames.rs",
    "crashes/lines.rs",
    "crashes/store.rs",
    "crashes/text.rs",
    "control/sse.rs",
    "driver/gate.rs",
    "driver/drain/judge.rs",
    "driver/drain/watch.rs",
    "process.rs",
    "spec.rs",
    "spec/",
    "config/cgroup.rs",
    "config/sizing.rs",
    "config/duration.rs",
    "config/resolve.rs",
    "config/resolve/health.rs",
    "config/resolve/launch.rs",
    "config/resolve/identity.rs",
    "config/crash.rs",
    "config/health.rs",
    "config/logs.rs",
    "config/node.rs",
    "config/resolve/interpret.rs",
    "config/watch.rs",
    "config/resolve/watch.rs",
    "changes/names.rs",
    "changes/rules.rs",
    "spec/watch.rs",
    "config/resolve/logs.rs",
    "config/package/",
    "logs/lines.rs",
    "logs/format.rs",
    "logs/date.rs",
    "logs/look.rs",
    "spec/logs.rs",
    "logs/ring.rs",
    "logs/chunks.rs",
    "logs/assemble.rs",
    "logs/line.rs",
    "logs/history.rs",
    "logs/state.rs",
    "ecosystem/declaration/",
    "facts/git_config.rs",
    "handover/messages/",
    "facts/known.rs",
    "facts/manifest.rs",
    "facts/refs.rs",
    "facts/remote.rs",
    "metrics/families.rs",
    "metrics/families/",
    "metrics/node.rs",
    "metrics/proc.rs",
    "metrics/rate.rs",
    "metrics/render.rs",
    "metrics/tally.rs",
    "metrics/totals.rs",
    "metrics/tree.rs",
    "metrics/usage.rs",
    "listener/budget.rs",
    "listener/shares.rs",
    "listener/stall.rs",
    "listener/steer/",
    "sys/diag/parse.rs",
    "sys/diag/reading.rs",
    "sys/diag/request.rs",
    "sys/diag/unix.rs",
    "telemetry/answer.rs",
    "telemetry/between.rs",
    "telemetry/code.rs",
    "telemetry/kept.rs",
    "telemetry/point.rs",
    "telemetry/ring.rs",
    "telemetry/series.rs",
    "telemetry/state.rs",
    "telemetry/store.rs",
    "otlp/config.rs",
    "otlp/config/",
    "otlp/endpoint.rs",
    "otlp/export.rs",
    "otlp/export/",
    "otlp/json.rs",
    "otlp/json/",
    "otlp/protobuf.rs",
    "otlp/protobuf/",
    "otlp/retry.rs",
    "otlp/starts.rs",
    "tui/state/",
    "tui/view/",
    "web/accept.rs",
    "web/guard.rs",
    "web/page.rs",
    "web/probes.rs",
];

/// What a pure file never names.
const IMPURE_CRATES: [&str; 3] = ["tokio", "nix", "libc"];
const IMPURE_STD: [&str; 5] = ["fs", "net", "env", "process", "thread"];

/// The layers, from words (0) to surfaces (4). The longest prefix counts; what is not named is a surface.
const LAYERS: &[(&str, u8)] = &[
    ("process", 0),
    ("spec", 0),
    ("supervisor", 1),
    ("memory", 1),
    ("config/cgroup", 1),
    ("config/duration", 1),
    ("config/raw", 1),
    ("config/resolve", 1),
    ("config/crash", 1),
    ("config/health", 1),
    ("config/logs", 1),
    ("config/package", 1),
    ("config/node", 1),
    ("config/watch", 1),
    ("changes/names", 1),
    ("changes/rules", 1),
    ("changes", 2),
    ("config/sizing", 1),
    ("logs/lines", 1),
    ("logs/format", 1),
    ("logs/date", 1),
    ("logs/look", 1),
    ("logs/ring", 1),
    ("logs/chunks", 1),
    ("logs/assemble", 1),
    ("logs/line", 1),
    ("logs/history", 1),
    ("logs/state", 1),
    ("ecosystem/declaration", 1),
    ("facts/known", 1),
    ("metrics/families", 1),
    ("metrics/node", 1),
    ("metrics/proc", 1),
    ("metrics/rate", 1),
    ("metrics/render", 1),
    ("metrics/totals", 1),
    ("api", 1),
    ("crashes/post", 2),
    ("crashes", 1),
    ("autoscale/decide", 1),
    ("autoscale/figures", 1),
    ("autoscale", 3),
    ("metrics/tree", 1),
    ("metrics/usage", 1),
    ("otlp/config", 1),
    ("otlp/endpoint", 1),
    ("otlp/export", 1),
    ("otlp/json", 1),
    ("otlp/protobuf", 1),
    ("otlp/retry", 1),
    ("otlp/starts", 1),
    ("tui/state", 1),
    ("tui/view", 1),
    ("sys", 2),
    ("listener", 2),
    ("handover", 2),
    ("health", 2),
    ("logs/pump", 2),
    ("logs/sink", 2),
    ("logs", 2),
    ("ecosystem", 2),
    ("facts", 2),
    ("metrics/sampler", 2),
    ("metrics", 2),
    ("config/sources", 2),
    ("config", 2),
    ("telemetry/answer", 1),
    ("telemetry/between", 1),
    ("telemetry/code", 1),
    ("telemetry/kept", 1),
    ("telemetry/point", 1),
    ("telemetry/ring", 1),
    ("telemetry/series", 1),
    ("telemetry/state", 1),
    ("telemetry/store", 1),
    ("telemetry", 3),
    ("driver", 3),
    ("control", 3),
    ("otlp", 3),
    ("web", 3),
    ("cli", 4),
    ("tui", 4),
];

/// Beyond the layers: who must not know whom.
const STRANGERS: [(&str, &str); 7] = [
    ("listener", "supervisor"),
    ("handover", "supervisor"),
    ("health", "supervisor"),
    ("logs", "supervisor"),
    ("changes", "supervisor"),
    ("metrics", "driver"),
    ("tui", "driver"),
];

/// A file of `src`: its path from there, and its code without comments and unit tests.
struct Source {
    path: String,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, code: code_of(&text), text });
            }
        }
    }
    assert!(found.len() > 10, "only {} files found", found.len());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let uncommented = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(uncommented).collect()
}

/// Every path below `start` that the code names, groups taken apart: `std::{fs, io::Write}` gives `fs` and
/// `io::Write`.
fn paths_below(code: &str, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&format!("{start}::")) {
        let alone = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + start.len() + 2..];
        if alone && let Some(group) = rest.strip_prefix('{') {
            found.extend(members(group));
        } else if alone {
            found.push(leading_path(rest));
        }
    }
    found
}

/// The members of a group, up to its closing brace; those of inner groups stay with their first words.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut member, mut found) = (0_u32, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(std::mem::take(&mut member)),
            _ if depth == 0 => member.push(c),
            _ => {}
        }
    }
    found.push(member);
    found.iter().map(|member| leading_path(member.trim())).filter(|path| !path.is_empty()).collect()
}

fn leading_path(text: &str) -> String {
    text.chars().take_while(|&c| c.is_alphanumeric() || c == '_' || c == ':').collect()
}

fn names_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word)
}

fn impurities(code: &str) -> Vec<String> {
    let crates = IMPURE_CRATES.iter().filter(|name| names_word(code, name)).map(|name| (*name).to_owned());
    let named = paths_below(code, "std");
    let std = IMPURE_STD
        .iter()
        .filter(|module| named.iter().any(|path| path.split("::").next() == Some(**module)))
        .map(|module| format!("std::{module}"));
    let clock = code.contains("::now()").then(|| "::now()".to_owned());
    crates.chain(std).chain(clock).collect()
}

fn layer(path: &str) -> u8 {
    let fits =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let named = LAYERS.iter().filter(|(prefix, _)| fits(prefix));
    named.max_by_key(|(prefix, _)| prefix.len()).map_or(4, |&(_, layer)| layer)
}

/// The layer of what is imported. A module of several layers re-exports its lowest, too, so it counts as that.
fn layer_of_import(path: &str) -> u8 {
    let mut parts = path.split("::");
    let (module, inner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let exact = format!("{module}/{inner}");
    if LAYERS.iter().any(|(known, _)| *known == exact) {
        return layer(&exact);
    }
    let of_module = |known: &str| known.split('/').next() == Some(module);
    LAYERS.iter().filter(|(known, _)| of_module(known)).map(|&(_, layer)| layer).min().unwrap_or(4)
}

/// What this file imports and should not.
fn wrong_imports(path: &str, code: &str) -> Vec<String> {
    let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let top = module.split('/').next().unwrap_or_default();
    let wrong = |import: &String| {
        let theirs = import.split("::").next().unwrap_or_default();
        let beyond_words = top == "sys" && theirs != "process";
        let strangers = STRANGERS.contains(&(top, theirs));
        theirs != top && (layer_of_import(import) > layer(module) || strangers || beyond_words)
    };
    paths_below(code, "crate").into_iter().filter(wrong).collect()
}

#[track_caller]
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} found:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn pure_files_name_nothing_that_does_io_or_reads_a_clock() {
    let pure =
        |path: &str| PURE.iter().any(|pure| path == *pure || pure.ends_with('/') && path.starts_with(pure));
    let all = sources();
    assert!(all.iter().filter(|source| pure(&source.path)).count() > 10);
    let problems: Vec<_> = all
        .iter()
        .filter(|source| pure(&source.path))
        .flat_map(|source| {
            impurities(&source.code).into_iter().map(|what| format!("{}: {what}", source.path))
        })
        .collect();
    assert_none(&problems);
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let silent = |source: &Source| !source.text.starts_with("//! ");
    let problems: Vec<_> = sources().into_iter().filter(silent).map(|source| source.path).collect();
    assert_none(&problems);
}

#[test]
fn unsafe_code_lies_under_sys_only() {
    let problems: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.path.starts_with("sys/") && source.path != "tidy.rs")
        .filter(|source| names_word(&source.code, "unsafe"))
        .map(|source| source.path)
        .collect();
    assert_none(&problems);
}

#[test]
fn imports_point_down_only() {
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("tests.rs") || path == "tidy.rs";
    let problems: Vec<_> = sources()
        .iter()
        .filter(|source| !is_test(&source.path))
        .flat_map(|source| {
            let wrong = wrong_imports(&source.path, &source.code);
            wrong.into_iter().map(|import| format!("{} imports crate::{import}", source.path))
        })
        .collect();
    assert_none(&problems);
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert_eq!(impurities("use nix::libc;"), ["nix", "libc"]);
    assert_eq!(impurities("use std::{fmt, fs::File, io::{self, env}};"), ["std::fs"]);
    assert_eq!(impurities("let now = Instant::now();"), ["::now()"]);
    assert!(impurities(&code_of("use std::fmt; // a Unix socket, std::fs\nmy_std::fs();")).is_empty());
    assert_eq!(wrong_imports("supervisor/stop.rs", "use crate::{sys::reap, spec::AppSpec};"), ["sys::reap"]);
    assert_eq!(wrong_imports("spec.rs", "use crate::config::resolve;"), ["config::resolve"]);
    assert_eq!(wrong_imports("sys/mod.rs", "use crate::spec::AppSpec;"), ["spec::AppSpec"]);
    assert_eq!(wrong_imports("logs/pump.rs", "use crate::supervisor::Notice;"), ["supervisor::Notice"]);
    assert!(wrong_imports("driver/mod.rs", "use crate::{logs, sys::spawn::Spawn};").is_empty());
    assert!(names_word("pub unsafe fn", "unsafe") && !names_word("deny(unsafe_code)", "unsafe"));
}
