//! Which paths count for one app: its own patterns, .gitignore files, and what nobody means.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::names::{Own, is_passed_over};
use super::rules::{Kind, Rules, Verdict};

/// The file with patterns.
pub(super) const GITIGNORE: &str = ".gitignore";

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The app's directory.
    pub directory: PathBuf,
    /// Files and directories, seen from there; that itself where there are none.
    pub paths: Vec<PathBuf>,
    /// What is passed over, in the words of .gitignore, seen from there.
    pub ignore: Vec<String>,
    pub own: Own,
    /// How often to look, where the kernel shall not be asked.
    pub polling: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) settings: Settings,
    patterns: Rules,
}

/// The .gitignore files that hold in a directory, from the nearest up.
#[derive(Debug)]
pub(super) struct Layer {
    directory: PathBuf,
    rules: Rules,
    above: Option<Rc<Layer>>,
}

impl Scope {
    pub(super) fn new(settings: Settings) -> Self {
        // A pattern may be a path from the root, too.
        let directory = format!("{}/", settings.directory.display());
        let seen_from_there = |pattern: &String| {
            pattern.strip_prefix(&directory).map_or(pattern.clone(), |rest| format!("/{rest}"))
        };
        let patterns: Vec<_> = settings.ignore.iter().map(seen_from_there).collect();
        let patterns = Rules::of_person(patterns.iter().map(String::as_str));
        Self { settings, patterns }
    }

    /// Where watching begins: absolute paths.
    pub(super) fn starts(&self) -> Vec<PathBuf> {
        let Settings { directory, paths, .. } = &self.settings;
        if paths.is_empty() {
            vec![directory.clone()]
        } else {
            paths.iter().map(|path| directory.join(path)).collect()
        }
    }

    /// Whether a path counts in a directory that does. What a person names counts before what git does, and both before what
    /// nobody means.
    pub(super) fn counts(&self, path: &Path, kind: Kind, layer: Option<&Rc<Layer>>) -> bool {
        if self.settings.own.has(path) {
            return false;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let by_person =
            seen_from(&self.settings.directory, path).and_then(|path| self.patterns.judge(&path, kind));
        match by_person {
            Some(verdict) => verdict == Verdict::Wanted,
            None => !is_passed_over(&name) && judge(layer, path, kind) != Some(Verdict::Ignored),
        }
    }
}

fn judge(layer: Option<&Rc<Layer>>, path: &Path, kind: Kind) -> Option<Verdict> {
    let layer = layer?;
    let own = seen_from(&layer.directory, path).and_then(|path| layer.rules.judge(&path, kind));
    own.or_else(|| judge(layer.above.as_ref(), path, kind))
}

fn seen_from(directory: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(directory).ok().map(|path| path.to_string_lossy().into_owned())
}

/// The layer of a directory below one with the layer `above`.
pub(super) fn layer_of(directory: &Path, above: Option<Rc<Layer>>) -> Option<Rc<Layer>> {
    let Ok(text) = fs::read(directory.join(GITIGNORE)) else { return above };
    let rules = Rules::parse(String::from_utf8_lossy(&text).lines());
    if rules.is_empty() {
        above
    } else {
        Some(Rc::new(Layer { directory: directory.to_owned(), rules, above }))
    }
}

/// The layer of all directories above this one, as far as the checkout goes that it lies in.
pub(super) fn layer_above(directory: &Path) -> Option<Rc<Layer>> {
    let above: Vec<&Path> = directory.ancestors().skip(1).collect();
    let is_top = |directory: &Path| directory.join(".git").exists();
    if is_top(directory) {
        return None;
    }
    let top = above.iter().position(|directory| is_top(directory))?;
    above[..=top].iter().rev().fold(None, |layer, directory| layer_of(directory, layer))
}
