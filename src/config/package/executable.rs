//! What a program of `node_modules/.bin` is: a script for node, or pnpm's shell script around one.
//!
//! Run by `node` itself instead of by its first line, it is known for what it is, and can be a member of Node's cluster.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::place::normal;
use super::resolve::Surroundings;
use super::script::plain_words;

/// How to run a program by node itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ByNode {
    /// `node` and what stands before the program's own words.
    pub(super) words: Vec<OsString>,
    pub(super) variables: Vec<(OsString, OsString)>,
}

/// How node runs `program`, seen from the directory and PATH of `at`; `None` where that is not its business.
pub(super) fn by_node(program: &str, at: &Surroundings<'_>) -> Option<ByNode> {
    let path = match program.contains('/') {
        true => at.directory.join(program),
        false => (at.files.find)(at.variable("PATH").unwrap_or_default(), OsStr::new(program))?,
    };
    if !path.parent()?.ends_with("node_modules/.bin") {
        return None;
    }
    let content = (at.files.read)(&path)?;
    let text = std::str::from_utf8(&content).unwrap_or_else(|error| {
        // Read to the limit, a file may end within a character.
        std::str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default()
    });
    of_first_line(text, &path).or_else(|| of_pnpm(text, &path, at))
}

/// `#!/usr/bin/env node`, and the same with options.
fn of_first_line(text: &str, path: &Path) -> Option<ByNode> {
    let mut words = text.lines().next()?.strip_prefix("#!")?.split_whitespace().peekable();
    let program = Path::new(words.next()?);
    if program.ends_with("env") {
        words.next_if(|word| *word == "-S");
        words.next_if(|word| *word == "node")?;
    } else if !program.ends_with("node") {
        return None;
    }
    let words = std::iter::once("node").chain(words).map(OsString::from).chain([path.into()]).collect();
    Some(ByNode { words, variables: Vec::new() })
}

/// pnpm's: it sets NODE_PATH and ends with `exec node "$basedir/../next/dist/bin/next" "$@"`.
fn of_pnpm(text: &str, path: &Path, at: &Surroundings<'_>) -> Option<ByNode> {
    if !text.starts_with("#!/bin/sh\n") || !text.contains("basedir") {
        return None;
    }
    let lines = || text.lines().map(str::trim);
    let target =
        lines().filter_map(|line| line.strip_prefix("exec node ")?.strip_suffix(" \"$@\"")).next_back()?;
    // Where it is a link, the place of the script itself counts.
    let directory = (at.files.real)(path)?.parent()?.to_owned();
    let written = |text: &str| expanded(text, &directory);
    let mut words = vec![OsString::from("node")];
    let (file, options) = written(target)?.split_last().map(|(file, rest)| (file.clone(), rest.to_vec()))?;
    words.extend(options.iter().map(OsString::from));
    words.push(normal(Path::new(&file)).into());
    let given = at.variable("NODE_PATH");
    let variable = lines().find_map(|line| line.strip_prefix("export NODE_PATH="));
    let mut variables = Vec::new();
    if let Some(variable) = variable {
        let [value] = written(variable)?.try_into().ok()?;
        let places = value.split(':').map(|place| normal(Path::new(place)).into_os_string());
        let all: Vec<OsString> = places.chain(given.map(OsStr::to_owned)).collect();
        variables.push(("NODE_PATH".into(), all.join(OsStr::new(":"))));
    }
    Some(ByNode { words, variables })
}

/// The words of a line that names the script's directory and no other variable.
fn expanded(line: &str, directory: &Path) -> Option<Vec<String>> {
    let directory = directory.to_str()?;
    plain_words(&line.replace("$basedir_abs", directory).replace("$basedir", directory))
}
