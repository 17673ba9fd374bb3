//! Walks over the directories and files that count.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::rules::Kind;
use super::scope::{Layer, Scope, layer_of};

/// More directories than any app has of its own; beyond it something is watched that nobody means.
const MOST_DIRECTORIES: usize = 65_536;

/// Something on the way.
pub(super) enum Found<'a> {
    /// With the layer that holds in it. It is read after this.
    Directory(&'a Path, Option<&'a Rc<Layer>>),
    File(&'a Path, &'a Metadata),
}

/// The directories that were seen, so that links lead to none twice.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeSet<(u64, u64)>);

impl Seen {
    fn is_new(&mut self, metadata: &Metadata) -> bool {
        self.0.insert((metadata.dev(), metadata.ino()))
    }

    /// Whether there are so many that the rest is left out.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST_DIRECTORIES
    }
}

/// Walks from a directory down, over links too. `layer` holds for the directory above.
pub(super) fn walk(
    scope: &Scope,
    start: &Path,
    layer: Option<Rc<Layer>>,
    seen: &mut Seen,
    tell: &mut dyn FnMut(Found<'_>),
) {
    let mut left: Vec<(PathBuf, Option<Rc<Layer>>)> = vec![(start.to_owned(), layer)];
    while let Some((directory, above)) = left.pop() {
        let is_new =
            fs::metadata(&directory).is_ok_and(|metadata| metadata.is_dir() && seen.is_new(&metadata));
        if !is_new || seen.is_full() {
            continue;
        }
        let layer = layer_of(&directory, above);
        // Whoever watches it does so before it is read, so that nothing comes in between unseen.
        tell(Found::Directory(&directory, layer.as_ref()));
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let kind = if metadata.is_dir() { Kind::Directory } else { Kind::File };
            if !scope.counts(&path, kind, layer.as_ref()) {
                continue;
            }
            match kind {
                Kind::Directory => left.push((path, layer.clone())),
                Kind::File => tell(Found::File(&path, &metadata)),
            }
        }
    }
}
