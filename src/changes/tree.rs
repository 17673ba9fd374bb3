//! The directories that the kernel watches for us, and what it tells of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::rules::Kind;
use super::scope::{GITIGNORE, Layer, Scope, layer_above};
use super::walk::{Found, Seen, walk};
use super::watcher::Change;

/// How often events are read in a row before what they say is told.
const READS: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Tree {
    scope: Scope,
    inotify: Inotify,
    directories: HashMap<WatchDescriptor, Directory>,
    /// Why not all is watched, if so, told once.
    is_told: bool,
    /// Paths that are not there, so that nothing can be watched for their coming.
    missing: Vec<PathBuf>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    layer: Option<Rc<Layer>>,
    /// Of the files in it only these count, where it is watched for them.
    only: Option<BTreeSet<OsString>>,
}

/// What events amount to.
#[derive(Debug, Default)]
struct Gist {
    change: Change,
    /// All is to be looked at anew.
    is_outdated: bool,
}

impl Tree {
    /// Watches all that is there.
    pub(super) fn new(scope: Scope) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let (directories, is_told, missing) = (HashMap::new(), false, Vec::new());
        let mut tree = Self { scope, inotify, directories, is_told, missing };
        tree.watch_all();
        for path in &tree.missing {
            tracing::warn!("`--watch`: there is no `{}` yet", path.display());
        }
        Ok(tree)
    }

    /// Whether a path is not there, for whose coming somebody has to look.
    pub(super) fn misses_some(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Looks whether one of the missing paths has come, and watches it.
    pub(super) fn look_for_missing(&mut self) -> Change {
        let mut change = Change::default();
        self.missing.iter().filter(|path| path.exists()).for_each(|path| change.add(path));
        if change.files > 0 {
            self.watch_all();
        }
        change
    }

    /// Watches all anew: patterns have changed, events were lost, or a path has come or gone. What is watched already goes on
    /// without a gap.
    fn watch_all(&mut self) {
        let before = std::mem::take(&mut self.directories);
        self.missing.clear();
        let mut seen = Seen::default();
        let mut files: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
        for start in self.scope.starts() {
            match (fs::metadata(&start), start.parent(), start.file_name()) {
                (Ok(metadata), _, _) if metadata.is_dir() => {
                    drop(self.watch_below(&start, layer_above(&start), &mut seen))
                }
                // An editor puts another file in its place, so it is the directory that is watched.
                (Ok(_), Some(directory), Some(name)) => {
                    files.entry(directory.to_owned()).or_default().insert(name.to_owned());
                }
                _ => self.missing.push(start),
            }
        }
        for (directory, names) in files {
            self.watch(&directory, names);
        }
        for descriptor in before.into_keys().filter(|descriptor| !self.directories.contains_key(descriptor)) {
            // It may be gone.
            let _removed = self.inotify.rm_watch(descriptor);
        }
    }

    /// Watches a directory and all below it. Gives the first file that was found, and how many.
    fn watch_below(&mut self, start: &Path, layer: Option<Rc<Layer>>, seen: &mut Seen) -> Change {
        let (mut found, mut change) = (Vec::new(), Change::default());
        // The scope is lent to the walk, and watching changes the rest.
        let inotify = &self.inotify;
        let mut failure = None;
        walk(&self.scope, start, layer, seen, &mut |step| match step {
            Found::Directory(path, layer) => match inotify.add_watch(path, flags()) {
                Ok(descriptor) => found.push((descriptor, path.to_owned(), layer.cloned())),
                Err(errno) => failure = failure.or(Some(errno)),
            },
            Found::File(path, _) => change.add(path),
        });
        for (descriptor, path, layer) in found {
            self.directories.insert(descriptor, Directory { path, layer, only: None });
        }
        self.tell_of(failure, seen.is_full());
        change
    }

    /// Watches a directory for these files in it.
    fn watch(&mut self, directory: &Path, names: BTreeSet<OsString>) {
        match self.inotify.add_watch(directory, flags()) {
            Ok(descriptor) => {
                // One that is watched as a whole stays so.
                let new = || Directory { path: directory.to_owned(), layer: None, only: Some(names) };
                self.directories.entry(descriptor).or_insert_with(new);
            }
            Err(errno) => self.tell_of(Some(errno), false),
        }
    }

    fn tell_of(&mut self, failure: Option<Errno>, is_full: bool) {
        let why = match failure {
            // Gone since it was seen.
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) | None if !is_full => return,
            Some(Errno::ENOSPC) => {
                "the kernel watches no more directories for this user; raise it by `sysctl fs.inotify.max_user_watches=524288`, \
                 name directories (`--watch=src`) or leave some out (`--ignore-watch`)"
                    .to_owned()
            }
            Some(errno) if !is_full => io::Error::from(errno).to_string(),
            _ => "there are too many directories; name those that matter (`--watch=src`)".to_owned(),
        };
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!("`--watch`: not all changes are seen: {why}");
        }
    }

    /// Takes in all that the kernel has to tell.
    pub(super) fn take(&mut self) -> Change {
        let mut gist = Gist::default();
        for _ in 0..READS {
            let Ok(events) = self.inotify.read_events() else { break };
            for event in events {
                self.take_in(&event, &mut gist);
            }
        }
        if gist.is_outdated {
            self.watch_all();
        }
        gist.change
    }

    fn take_in(&mut self, event: &InotifyEvent, gist: &mut Gist) {
        let mask = event.mask;
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            gist.is_outdated = true;
            gist.change.add(&self.scope.settings.directory);
            return;
        }
        let Some(directory) = self.directories.get(&event.wd) else { return };
        let Some(name) = &event.name else {
            // The directory itself has gone; one that was asked for may come again, or be there again already.
            let has_gone = mask.intersects(AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF);
            if has_gone && self.scope.starts().contains(&directory.path) {
                gist.is_outdated = true;
                gist.change.add(&directory.path);
            }
            return;
        };
        let (path, layer) = (directory.path.join(name), directory.layer.clone());
        if let Some(only) = &directory.only {
            if only.contains(name) && !is_unwritten(&path, mask) {
                gist.change.add(&path);
            }
            return;
        }
        let is_directory = mask.contains(AddWatchFlags::IN_ISDIR) || path.is_dir();
        let kind = if is_directory { Kind::Directory } else { Kind::File };
        if name == GITIGNORE {
            gist.is_outdated = true;
        }
        if self.scope.counts(&path, kind, layer.as_ref()) {
            match kind {
                Kind::File if is_unwritten(&path, mask) => {}
                Kind::File => gist.change.add(&path),
                Kind::Directory => self.take_in_directory(&path, layer, mask, gist),
            }
        }
    }

    fn take_in_directory(
        &mut self,
        path: &Path,
        layer: Option<Rc<Layer>>,
        mask: AddWatchFlags,
        gist: &mut Gist,
    ) {
        if mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
            gist.change.join(self.watch_below(path, layer, &mut Seen::default()));
        } else if mask.contains(AddWatchFlags::IN_MOVED_FROM) {
            // Those below it are somewhere else now.
            gist.is_outdated = true;
            gist.change.add(path);
        }
    }
}

/// A file that was just made counts once it is written and closed, but for a link, which is made as a whole.
fn is_unwritten(path: &Path, mask: AddWatchFlags) -> bool {
    let is_link = |metadata: &fs::Metadata| metadata.is_symlink() || metadata.nlink() > 1;
    mask.contains(AddWatchFlags::IN_CREATE)
        && !fs::symlink_metadata(path).is_ok_and(|metadata| is_link(&metadata))
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Files count once they are written and closed, or moved; so one that is open all the time, such as a log, is no change.
fn flags() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}
