//! Which interpreter runs a file, by the file's extension.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Extensions, with the interpreters that run such files, best first.
const TABLE: [(&[&str], &[&str]); 8] = [
    (&["js", "cjs", "mjs"], &["node"]),
    // Node strips the types itself from 22.18 on.
    (&["ts", "mts", "cts", "tsx", "jsx"], &["bun", "node"]),
    (&["py"], &["python3", "python"]),
    (&["rb"], &["ruby"]),
    (&["php"], &["php"]),
    (&["pl"], &["perl"]),
    (&["sh"], &["sh"]),
    (&["lua"], &["lua"]),
];

/// None of the interpreters of a file is installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot run `{file}`: {} in PATH", absent(looked_for))]
pub struct NoInterpreter {
    pub file: String,
    /// What would have done.
    pub looked_for: &'static [&'static str],
}

fn absent(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}` is not"),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            format!("neither {} is", names.join(" nor "))
        }
    }
}

/// The interpreters that can run `file`, best first; `None` where its extension says nothing.
#[must_use]
pub fn candidates(file: &Path) -> Option<&'static [&'static str]> {
    let extension = file.extension()?.to_str()?;
    TABLE.iter().find(|(extensions, _)| extensions.contains(&extension)).map(|(_, names)| *names)
}

/// Whether this is an interpreter itself, by whatever path.
#[must_use]
pub fn is_interpreter(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default();
    TABLE.iter().any(|(_, names)| names.iter().any(|known| name == *known))
}

/// The interpreter to run `file` with: the first of `candidates` that `in_path` has.
///
/// # Errors
/// When none of them is there.
pub fn choose(
    file: &Path,
    candidates: &'static [&'static str],
    in_path: &dyn Fn(&OsStr) -> bool,
) -> Result<&'static str, NoInterpreter> {
    candidates
        .iter()
        .copied()
        .find(|name| in_path(OsStr::new(name)))
        .ok_or_else(|| NoInterpreter { file: file.display().to_string(), looked_for: candidates })
}

/// Whether `file` is a Procfile by its name: `Procfile`, `Procfile.dev`.
#[must_use]
pub fn is_procfile(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name == "Procfile" || name.starts_with("Procfile.")
}

/// Whether `file` declares apps, by its name: `ecosystem.config.js`, `app.json`, `pmr.toml`, `Procfile`.
#[must_use]
pub fn is_configuration(file: &Path) -> bool {
    if is_procfile(file) {
        return true;
    }
    let Some(name) = file.file_name().and_then(OsStr::to_str) else { return false };
    let data = ["json", "json5", "yaml", "yml", "toml"]
        .iter()
        .any(|extension| name.ends_with(&format!(".{extension}")));
    let script =
        ["js", "cjs", "mjs", "ts"].iter().any(|extension| name.ends_with(&format!(".config.{extension}")));
    data || script
}

/// What there is at a path, as far as it decides how a command line is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nothing,
    File,
    /// A file without an extension that says what runs it, and which by its content is for node: `bin/www`.
    NodeScript,
}

/// Looks at a path, seen from the given directory, or from the app's.
pub type Look<'a> = dyn Fn(Option<&Path>, &Path) -> Found + 'a;

/// The words that run a file which begins with `head`, without the file itself, where it is a script for node: as the kernel would, but
/// for the detour over `env`, so that it can be a worker of Node's cluster, and as pm2 does also where it may not be executed.
#[must_use]
pub fn of_content(head: &[u8]) -> Option<Vec<String>> {
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words: Vec<String> = str::from_utf8(line).ok()?.split_whitespace().map(str::to_owned).collect();
    if words.first().is_some_and(|word| is_called(word, "env")) {
        words.remove(0);
        words.retain(|word| word != "-S");
    }
    words.first().is_some_and(|program| is_called(program, "node")).then_some(words)
}

fn is_called(word: &str, name: &str) -> bool {
    Path::new(word).file_name() == Some(OsStr::new(name))
}

/// Whether `path` is a directory that node runs as a program, by its package.json or index.js. Only of a path that cannot be the
/// name of a program: `.`, `./api`.
#[must_use]
pub fn is_package(path: &Path, is_file: &dyn Fn(&Path) -> bool) -> bool {
    let is_path = matches!(
        path.components().next(),
        Some(Component::CurDir | Component::ParentDir | Component::RootDir)
    ) || path.components().count() > 1;
    is_path && has_package(path, is_file)
}

/// The same of any path.
#[must_use]
pub fn has_package(path: &Path, is_file: &dyn Fn(&Path) -> bool) -> bool {
    ["package.json", "index.js"].iter().any(|name| is_file(&path.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_whose_first_line_names_node_is_run_by_it() {
        for (bytes, words) in [
            ("#!/usr/bin/env node\nrequire('x')", Some("node")),
            ("#!/usr/bin/env -S node --enable-source-maps\n", Some("node --enable-source-maps")),
            ("#!/usr/local/bin/node", Some("/usr/local/bin/node")),
            ("#!/usr/bin/env python3\n", None),
            ("#!/bin/sh -e\n", None),
            ("#!/usr/bin/env A=1 node\n", None),
            ("#!/usr/bin/env -i node\n", None),
            ("#!\n", None),
            ("require('x')\n", None),
            ("", None),
        ] {
            assert_eq!(
                of_content(bytes.as_bytes()).map(|words| words.join(" ")).as_deref(),
                words,
                "{bytes}"
            );
        }
    }

    #[test]
    fn a_directory_is_a_program_only_where_its_path_cannot_be_the_name_of_one() {
        let is_file = |path: &Path| path.ends_with("api/package.json") || path == Path::new("./index.js");
        for (path, is) in [
            (".", true),
            ("./api", true),
            ("../api", true),
            ("srv/api", true),
            ("/srv/api", true),
            ("api", false),
            ("./web", false),
        ] {
            assert_eq!(is_package(Path::new(path), &is_file), is, "{path}");
        }
        assert!(has_package(Path::new("api"), &is_file));
    }

    #[test]
    fn the_extension_decides() {
        for (file, names) in [
            ("server.js", Some(&["node"][..])),
            ("/app/dist/main.mjs", Some(&["node"])),
            ("a.b.ts", Some(&["bun", "node"])),
            ("app.py", Some(&["python3", "python"])),
            ("run.sh", Some(&["sh"])),
            ("server", None),
            (".js", None),
            ("server.JS", None),
            ("server.exe", None),
            ("", None),
        ] {
            assert_eq!(candidates(Path::new(file)), names, "{file}");
        }
    }

    #[test]
    fn the_first_interpreter_that_is_installed_is_taken() {
        let file = Path::new("app.ts");
        let candidates = candidates(file).unwrap();
        assert_eq!(choose(file, candidates, &|_| true), Ok("bun"));
        assert_eq!(choose(file, candidates, &|name| name == "node"), Ok("node"));
    }

    #[test]
    fn without_an_interpreter_the_message_names_what_was_looked_for() {
        let error = |file: &str| {
            let file = Path::new(file);
            choose(file, candidates(file).unwrap(), &|_| false).unwrap_err()
        };
        insta::assert_snapshot!(error("app.ts"), @"cannot run `app.ts`: neither `bun` nor `node` is in PATH");
        insta::assert_snapshot!(error("server.js"), @"cannot run `server.js`: `node` is not in PATH");
    }

    #[test]
    fn configuration_files_are_known_by_their_names() {
        for file in [
            "ecosystem.config.js",
            "conf/pm2.config.cjs",
            "processes.json",
            "x.json5",
            "apps.yml",
            "pmr.toml",
            "Procfile",
            "app/Procfile.dev",
        ] {
            assert!(is_configuration(Path::new(file)), "{file}");
        }
        for file in ["server.js", "config.js", "json", "npm", "", "procfile", "MyProcfile"] {
            assert!(!is_configuration(Path::new(file)), "{file}");
        }
    }
}
