//! Directories as the system itself calls them.

use std::path::{Component, Path, PathBuf};

use super::resolve::Files;

/// What a process in `directory` is told for its own directory: links are followed.
pub(super) fn of(directory: &Path, files: &Files<'_>) -> PathBuf {
    (files.real)(directory).unwrap_or_else(|| normal(directory))
}

/// Without `.`, `..` and what does not matter, by the words alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}
