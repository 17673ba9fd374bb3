//! Real files on a real disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

/// How long a change may take to be told before a test fails.
const LIMIT: Duration = Duration::from_secs(30);

struct Place {
    directory: tempfile::TempDir,
    changes: Receiver<Change>,
    _watcher: Watcher,
}

impl Place {
    /// Watches a directory with these files.
    fn new(files: &[&str], paths: &[&str], ignore: &[&str], polling: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            write(directory.path().join(file));
        }
        let (tell, changes) = channel();
        let own = Own::default();
        own.add([directory.path().join("out.log")], []);
        let settings = Settings {
            directory: directory.path().to_owned(),
            paths: paths.iter().map(PathBuf::from).collect(),
            ignore: ignore.iter().map(|pattern| (*pattern).to_owned()).collect(),
            own: own.clone(),
            polling,
        };
        let watcher = Watcher::start(settings, move |change| tell.send(change).is_ok()).unwrap();
        let place = Self { directory, changes, _watcher: watcher };
        place.settle();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file that counts until that is seen, and then no more is.
    fn settle(&self) {
        let mark = self.path("settled.js");
        loop {
            write(mark.clone());
            if self.changes.recv_timeout(Duration::from_millis(100)).is_ok() {
                break;
            }
        }
        while self.changes.recv_timeout(Duration::from_millis(100)).is_ok() {}
    }

    /// The file that is told of next.
    #[track_caller]
    fn next(&self) -> String {
        let change = self.changes.recv_timeout(LIMIT).expect("a change");
        let path = PathBuf::from(&change.path);
        path.strip_prefix(self.directory.path()).map_or(change.path, |path| path.display().to_string())
    }
}

fn write(path: PathBuf) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

#[test]
fn a_watcher_tells_of_files_and_passes_over_what_nobody_means() {
    let place = Place::new(&["a/b.js", "node_modules/x/y.js", ".git/HEAD"], &[], &["*.md"], None);
    for name in ["node_modules/x/y.js", ".git/HEAD", "a/x.md", "out.log", "out-3.log.1", "a/~x~"] {
        write(place.path(name));
    }
    write(place.path("a/b.js"));
    assert_eq!(place.next(), "a/b.js");
    write(place.path("new/deep/c.js"));
    assert!(place.next().starts_with("new/deep"));
    fs::remove_file(place.path("a/b.js")).unwrap();
    assert_eq!(place.next(), "a/b.js");
}

#[test]
fn patterns_of_git_hold_for_their_directory_and_may_change() {
    let place = Place::new(&[".gitignore", "a/.gitignore", "a/dist/x.js", "dist/x.js"], &[], &[], None);
    fs::write(place.path("a/.gitignore"), "/dist\n").unwrap();
    fs::write(place.path(".gitignore"), "*.tsx\n").unwrap();
    // The patterns are read anew a moment later.
    loop {
        write(place.path("a/dist/x.js"));
        write(place.path("x.tsx"));
        if place.changes.recv_timeout(Duration::from_millis(200)).is_err() {
            break;
        }
    }
    write(place.path("dist/x.js"));
    assert_eq!(place.next(), "dist/x.js");
}

#[test]
fn a_named_file_counts_alone_whatever_its_name() {
    let place = Place::new(&[".env", "other.js"], &[".env", "settled.js"], &[], None);
    write(place.path("other.js"));
    fs::write(place.path(".env.new"), "y").unwrap();
    fs::rename(place.path(".env.new"), place.path(".env")).unwrap();
    assert_eq!(place.next(), ".env");
}

#[test]
fn a_directory_that_goes_and_comes_again_is_watched_again() {
    let place = Place::new(&["src/a.js"], &["src", "settled.js"], &[], None);
    fs::rename(place.path("src"), place.path("old")).unwrap();
    write(place.path("src/a.js"));
    assert!(place.next().starts_with("src"));
    place.settle();
    write(place.path("old/a.js"));
    write(place.path("src/b.js"));
    assert_eq!(place.next(), "src/b.js");
}

#[test]
fn links_are_followed_and_lead_nowhere_twice() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path().join("a.js"));
    let place = Place::new(&["x.js"], &[], &[], None);
    symlink(outside.path(), place.path("linked")).unwrap();
    assert_eq!(place.next(), "linked/a.js");
    symlink(place.path("."), place.path("linked/round")).unwrap();
    place.settle();
    write(outside.path().join("a.js"));
    assert!(place.next().ends_with("a.js"));
}

#[test]
fn by_looking_the_same_is_found() {
    let place = Place::new(&["a/b.js", "node_modules/y.js"], &[], &["*.md"], Some(Duration::from_millis(20)));
    write(place.path("node_modules/y.js"));
    write(place.path("a/x.md"));
    assert!(place.changes.recv_timeout(Duration::from_millis(200)).is_err());
    fs::write(place.path("a/b.js"), "longer").unwrap();
    assert_eq!(place.next(), "");
}
