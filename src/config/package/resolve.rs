//! From a command to what runs in its place.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::executable::{self, ByNode};
use super::line::{self, Asked, Line, Verb};
use super::manager::Manager;
use super::manifest::Package;
use super::outcome::{Before, Direct, Kept, Outcome};
use super::place;
use super::rules;
use super::script::{self, Script, Simple};
use super::tool::{Node, Tool};
use super::variables::{self, Lifecycle};

/// The files that have to be looked at. Paths are absolute.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The beginning of a file, if there is one.
    pub read: &'a dyn Fn(&Path) -> Option<Vec<u8>>,
    /// Where a path leads to, with links followed.
    pub real: &'a dyn Fn(&Path) -> Option<PathBuf>,
    /// The first executable of a name in the directories of a PATH.
    pub find: &'a dyn Fn(&OsStr, &OsStr) -> Option<PathBuf>,
}

/// Where a command is run.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Absolute.
    pub directory: &'a Path,
    pub environment: &'a BTreeMap<OsString, OsString>,
    pub files: &'a Files<'a>,
    pub hooks: Hooks,
}

/// What becomes of a script like `prestart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hooks {
    /// It runs once, before the app.
    First,
    /// The package manager has to run it with its script: another command comes first already, or it belongs to a script that
    /// another one runs.
    Kept,
}

/// Scripts that start each other in a circle have to end somewhere; more are nobody's wish.
const DEEPEST: usize = 8;

/// Whether a program is a package manager by its name, so that it is worth a closer look.
#[must_use]
pub fn may_be_script(program: &OsStr) -> bool {
    Manager::of(program).is_some()
}

/// What a command that may name a script comes to.
#[must_use]
pub fn resolve(program: &OsStr, arguments: &[OsString], at: &Surroundings<'_>) -> Outcome {
    let directory = place::of(at.directory, at.files);
    match attempt(program, arguments, &Surroundings { directory: &directory, ..*at }, 0) {
        Ok(Some(direct)) => Outcome::Direct(Box::new(direct)),
        Ok(None) => Outcome::Untouched,
        Err(kept) => Outcome::Kept(kept),
    }
}

fn attempt(
    program: &OsStr,
    arguments: &[OsString],
    at: &Surroundings<'_>,
    depth: usize,
) -> Result<Option<Direct>, Kept> {
    let words: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
    let (Some(manager), Some(words)) = (Manager::of(program), words) else { return Ok(None) };
    let line = match line::read(manager, &words) {
        Asked::Script(line) => line,
        Asked::Option(option) => return Err(Kept::Option { option, manager: manager.as_str() }),
        Asked::Other => return Ok(None),
    };
    let Some((package, text)) = package(manager, &line, at) else { return Ok(None) };
    let node = Node::find(at);
    if node.is_none() && manager != Manager::Bun {
        return Err(Kept::NoNode);
    }
    let prefix = node.as_ref().map(Node::prefix).unwrap_or_default();
    let settings = rules::settings(&package, &prefix, at);
    let before = rules::check(manager, (&package, &line.script), &settings, at)?;
    let tool = Tool::find(manager, program, &package, at)?;
    let (tool, node, settings) = (&tool, node.as_ref(), &settings);
    let lifecycle = Lifecycle {
        manager,
        tool,
        node,
        package: &package,
        line: &line,
        text: &text,
        settings,
        words: &words,
    };
    let variables = lifecycle.variables(at);
    let environment = over(at.environment, &variables);
    let inner = Surroundings {
        directory: &package.directory,
        environment: &environment,
        files: at.files,
        hooks: Hooks::Kept,
    };
    let mut direct = run(&text, &line.arguments, &inner, depth);
    if let Some(name) = before {
        if direct.directory != package.directory {
            return Err(Kept::Hook(name));
        }
        direct.before = Some(first(name, &lifecycle, &direct, at));
    }
    if manager == Manager::Bun && node.is_none() && needs_node(&direct) {
        // Bun would take its place.
        return Err(Kept::NoNode);
    }
    direct.variables.splice(..0, variables);
    direct.steps.insert(0, shown(program, arguments));
    Ok(Some(direct))
}

/// The script `name` that comes before the one of `lifecycle`, which comes to `direct`.
fn first(name: String, lifecycle: &Lifecycle<'_>, direct: &Direct, at: &Surroundings<'_>) -> Before {
    let text = lifecycle.package.manifest.script(&name).unwrap_or_default().to_owned();
    let line =
        Line { script: name.clone(), arguments: Vec::new(), directory: None, verb: lifecycle.line.verb };
    let own = Lifecycle { line: &line, text: &text, ..*lifecycle };
    let mut variables = own.variables(at);
    let environment = over(at.environment, &variables);
    let directory = &lifecycle.package.directory;
    let inner = Surroundings { directory, environment: &environment, files: at.files, hooks: Hooks::Kept };
    // Of a script in another directory, the shell knows how to get there.
    let run = run(&text, &[], &inner, DEEPEST);
    variables.extend(run.variables);
    // What the script that follows sets for itself is not for this one.
    let given = |name: &OsString| environment.get(name).cloned().unwrap_or_default();
    let foreign = direct.variables.iter().filter(|(name, _)| !variables.iter().any(|(own, _)| own == name));
    let reset: Vec<_> = foreign.map(|(name, _)| (name.clone(), given(name))).collect();
    variables.extend(reset);
    Before { name, program: run.program, arguments: run.arguments, variables }
}

/// The package that is meant, and its script.
fn package(manager: Manager, line: &Line, at: &Surroundings<'_>) -> Option<(Package, String)> {
    let named = line.directory.as_ref().map(|directory| place::of(&at.directory.join(directory), at.files));
    let package = match &named {
        // npm looks nowhere else then.
        Some(directory) if manager == Manager::Npm => Package::at(directory, at.files),
        Some(directory) => Package::nearest(directory, at.files),
        None => Package::nearest(at.directory, at.files),
    }?;
    let text = package.manifest.script(&line.script).map(str::to_owned).or_else(|| {
        let serves = matches!(manager, Manager::Npm | Manager::Pnpm)
            && line.verb == Verb::Own
            && line.script == "start";
        let exists = serves && (at.files.read)(&package.directory.join("server.js")).is_some();
        exists.then(|| "node server.js".to_owned())
    })?;
    Some((package, text))
}

/// What a script comes to in its own surroundings.
fn run(text: &str, more: &[String], at: &Surroundings<'_>, depth: usize) -> Direct {
    match Script::read(text) {
        Script::Simple(mut simple) => {
            simple.words.extend_from_slice(more);
            unwrap(simple, at).map_or_else(|| by_shell(text, more, at), |simple| directly(&simple, at, depth))
        }
        Script::Shell => by_shell(text, more, at),
    }
}

/// As package managers do it.
fn by_shell(text: &str, more: &[String], at: &Surroundings<'_>) -> Direct {
    let arguments = vec!["-c".into(), with_words(text, more).into()];
    let steps = vec![shown(OsStr::new("sh"), &arguments)];
    let directory = at.directory.to_owned();
    Direct { program: "sh".into(), arguments, directory, variables: Vec::new(), before: None, steps }
}

/// A script with further words, as text for a shell.
pub(super) fn with_words(text: &str, more: &[String]) -> String {
    match more {
        [] => text.to_owned(),
        more => format!("{text} {}", script::render(more.iter().map(String::as_str))),
    }
}

/// Without `exec`, `env` and `cross-env` before the program; `None` where it takes a shell after all.
fn unwrap(mut simple: Simple, at: &Surroundings<'_>) -> Option<Simple> {
    loop {
        let sets = match simple.words.first()?.as_str() {
            "exec" => false,
            "cross-env" if is_installed("cross-env", at) => true,
            "env" => true,
            _ => break,
        };
        let assigned = simple.words[1..].iter().map_while(|word| script::assignment(word).filter(|_| sets));
        let assigned: Vec<_> = assigned.collect();
        // Each has an idea of its own of what else such a value may mean.
        if assigned.iter().any(|(_, value)| value.contains(['$', '\\'])) {
            return None;
        }
        simple.words.drain(..=assigned.len());
        simple.assignments.extend(assigned);
        if simple.words.first()?.starts_with('-') {
            return None;
        }
    }
    let is_sound = simple.assignments.iter().all(|(name, _)| name != "PATH");
    is_sound.then_some(simple)
}

fn is_installed(program: &str, at: &Surroundings<'_>) -> bool {
    (at.files.find)(at.variable("PATH").unwrap_or_default(), OsStr::new(program)).is_some()
}

fn directly(simple: &Simple, at: &Surroundings<'_>, depth: usize) -> Direct {
    let mut set = variables::of_assignments(&simple.assignments);
    let environment = over(at.environment, &set);
    let at = Surroundings { environment: &environment, ..*at };
    let (program, arguments) = simple.words.split_first().expect("a simple command has a word");
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    // What a manager has to run itself is run by it, and still without the one before it.
    if depth < DEEPEST
        && let Ok(Some(mut inner)) = attempt(OsStr::new(program), &arguments, &at, depth + 1)
    {
        inner.variables.splice(..0, set);
        return inner;
    }
    let (program, arguments) = match executable::by_node(program, &at) {
        Some(ByNode { words, variables }) => {
            set.extend(variables);
            let mut words = words.into_iter();
            (words.next().unwrap_or_default(), words.chain(arguments).collect())
        }
        None => (program.into(), arguments),
    };
    let steps = vec![shown(&program, &arguments)];
    Direct { program, arguments, directory: at.directory.to_owned(), variables: set, before: None, steps }
}

fn needs_node(direct: &Direct) -> bool {
    direct.program == "node" || direct.program == "sh"
}

/// An environment with variables over it.
fn over(
    environment: &BTreeMap<OsString, OsString>,
    variables: &[(OsString, OsString)],
) -> BTreeMap<OsString, OsString> {
    let mut all = environment.clone();
    all.extend(variables.iter().cloned());
    all
}

/// A command as one would type it.
#[must_use]
pub fn shown(program: &OsStr, arguments: &[OsString]) -> String {
    let words: Vec<_> = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    script::render(words.iter().map(AsRef::as_ref))
}
