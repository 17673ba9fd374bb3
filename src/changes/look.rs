//! Finds changes by looking: for disks of other machines and of a host, whose changes the kernel does not tell of.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::scope::{Scope, layer_above};
use super::walk::{Found, Seen, walk};

/// A number that is another one when any file that counts has changed, come or gone. It takes no memory for each.
pub(super) fn fingerprint(scope: &Scope) -> u64 {
    let (mut sum, mut seen) = (0_u64, Seen::default());
    // Whatever the order in which a directory is read.
    let mut add = |path: &Path, metadata: &fs::Metadata| {
        let mut hasher = DefaultHasher::new();
        let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
        (path, seconds, nanoseconds, metadata.size(), metadata.ino()).hash(&mut hasher);
        sum = sum.wrapping_add(hasher.finish());
    };
    for start in scope.starts() {
        match fs::metadata(&start) {
            Ok(metadata) if metadata.is_dir() => {
                walk(scope, &start, layer_above(&start), &mut seen, &mut |found| match found {
                    Found::File(path, metadata) => add(path, metadata),
                    Found::Directory(..) => {}
                });
            }
            Ok(metadata) => add(&start, &metadata),
            Err(_) => {}
        }
    }
    sum
}
