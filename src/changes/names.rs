//! Names that are passed over by themselves: what nobody means who watches an app's files.
//!
//! Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether files or directories of this name are passed over: hidden ones, installed packages, and what editors leave for
/// the blink of an eye.
#[must_use]
pub fn is_passed_over(name: &str) -> bool {
    const ENDINGS: [&str; 7] = ["~", ".swp", ".swo", ".swx", ".tmp", "___jb_tmp___", "___jb_old___"];
    let is_emacs_save = name.starts_with('#') && name.ends_with('#');
    // Vim writes and removes a file of this name, to see whether it may.
    let is_vim_trial = name == "4913";
    let is_named = ["node_modules", "__pycache__"].contains(&name);
    name.starts_with('.')
        || is_named
        || is_emacs_save
        || is_vim_trial
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// What the runtime writes itself, for whichever of its apps: one app's file must not have another one reloaded.
#[derive(Debug, Clone, Default)]
pub struct Own(Arc<Mutex<Paths>>);

#[derive(Debug, Default)]
struct Paths {
    /// Log files and files with process ids, each perhaps with the number of an instance before its extension, or, once it
    /// was rotated, a number behind it.
    files: BTreeSet<PathBuf>,
    /// With all that is in them.
    directories: BTreeSet<PathBuf>,
}

impl Own {
    /// Adds what an app has.
    pub fn add(
        &self,
        files: impl IntoIterator<Item = PathBuf>,
        directories: impl IntoIterator<Item = PathBuf>,
    ) {
        let mut paths = self.lock();
        paths.files.extend(files);
        paths.directories.extend(directories);
    }

    /// Whether the path is one of these.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.lock().has(path)
    }

    fn lock(&self) -> MutexGuard<'_, Paths> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Paths {
    fn has(&self, path: &Path) -> bool {
        self.directories.iter().any(|directory| path == directory)
            || self.files.iter().any(|file| is_form_of(path, file))
    }
}

fn is_form_of(path: &Path, file: &Path) -> bool {
    if path.parent() != file.parent() {
        return false;
    }
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(name), Some(own)) = (name(path), name(file)) else { return false };
    let (stem, extension) = match own.rfind('.').filter(|at| *at > 0) {
        Some(at) => own.split_at(at),
        None => (&*own, ""),
    };
    let Some(rest) = name.strip_prefix(stem) else { return false };
    let rest =
        rest.strip_prefix('-').map_or(rest, |number| number.trim_start_matches(|c: char| c.is_ascii_digit()));
    let Some(rest) = rest.strip_prefix(extension) else { return false };
    rest.is_empty()
        || rest.strip_prefix('.').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_passing_files_are_passed_over_and_sources_are_not() {
        for name in
            [".git", ".env", "node_modules", "a.js~", ".a.js.swp", "#a.js#", ".#a.js", "4913", "x.tmp"]
        {
            assert!(is_passed_over(name), "{name}");
        }
        for name in ["a.js", "modules", "4914", "swp", "#a", "tmp", "views", "a.js___jb"] {
            assert!(!is_passed_over(name), "{name}");
        }
    }

    #[test]
    fn our_own_files_are_known_by_number_and_rotation() {
        let own = Own::default();
        own.add(["/app/logs/out.log", "/app/web", "/app/.log"].map(PathBuf::from), ["/app/home".into()]);
        for path in [
            "/app/logs/out.log",
            "/app/logs/out-3.log",
            "/app/logs/out-12.log.4",
            "/app/logs/out.log.1",
            "/app/web-0",
            "/app/home",
        ] {
            assert!(own.has(Path::new(path)), "{path}");
        }
        for path in [
            "/app/logs/out.js",
            "/app/logs/out-a.log",
            "/app/out.log",
            "/app/web.js",
            "/app/logs/out.log.x",
            "/app/homes",
        ] {
            assert!(!own.has(Path::new(path)), "{path}");
        }
    }
}
