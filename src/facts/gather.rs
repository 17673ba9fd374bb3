//! Gathers all there is to know about one app.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::known::Facts;
use super::{checkout, interpreter, version};

/// Where an app is, and what runs it.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// What is executed: a path, or a name to be looked up in `path`.
    pub program: &'a OsStr,
    /// The file of the app's code that is run, where that is known. May be relative to `directory`.
    pub script: Option<&'a Path>,
    /// The directory that it is started in.
    pub directory: &'a Path,
    /// PATH of its environment.
    pub path: Option<&'a OsStr>,
}

/// All there is to know about `app`. Reads some files, so it blocks; for the directories up to the root, and no more.
#[must_use]
pub fn gather(app: &App<'_>) -> Facts {
    let directory = real(app.directory);
    let script = app.script.map(|script| real(&directory.join(script)));
    let beside_script = script.as_deref().and_then(Path::parent);
    let extension = app.script.and_then(Path::extension).and_then(OsStr::to_str);
    // The script first: its links lead to where the code is. The directory may be anywhere.
    let places = || beside_script.into_iter().chain([directory.as_path()]);
    Facts {
        version: places().find_map(|place| version::find(place, extension)),
        git: places().find_map(checkout::find),
        interpreter: interpreter::find(app.program, &directory, app.path),
    }
}

/// Without links, so that what is above a path is what is above the file. What is not there, or leads round in circles,
/// stays as it is.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn versions_of(root: &Path, script: Option<&str>, directory: &str) -> (Option<String>, Option<String>) {
        let app = App {
            program: OsStr::new("nothing"),
            script: script.map(Path::new),
            directory: &root.join(directory),
            path: None,
        };
        let facts = gather(&app);
        (facts.version.map(|version| version.version), facts.git.and_then(|git| git.branch))
    }

    #[test]
    fn the_scripts_place_counts_before_the_directorys() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, content: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("releases/1/package.json", r#"{"version": "1.0.0"}"#);
        write("releases/1/.git/HEAD", "ref: refs/heads/one");
        write("releases/1/server.js", "");
        write("work/package.json", r#"{"version": "2.0.0"}"#);
        symlink("releases/1", root.path().join("current")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let one = (Some("1.0.0".to_owned()), Some("one".to_owned()));
        assert_eq!(versions_of(root.path(), Some("../current/server.js"), "work"), one);
        assert_eq!(versions_of(root.path(), Some("server.js"), "current"), one);
        assert_eq!(versions_of(root.path(), None, "current"), one);
        let two = Some("2.0.0".to_owned());
        assert_eq!(versions_of(root.path(), None, "work").0, two);
        assert_eq!(versions_of(root.path(), Some("/nonexistent/x.js"), "work").0, two);
        assert_eq!(versions_of(root.path(), Some("loop/x.js"), "loop").0, None);
    }
}
