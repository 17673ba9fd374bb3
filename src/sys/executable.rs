//! The file that this process executes.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the file lies that we were started from. To be asked once, at start: the kernel's link follows the file when it, or a
/// folder above it, is renamed, as npm does with a package before it puts another into its place. `None` without /proc.
#[must_use]
pub fn own_path() -> Option<PathBuf> {
    let link = fs::read_link("/proc/self/exe").ok()?;
    Some(if link.exists() { link } else { named(&link) })
}

/// The kernel marks the path of a file that was removed or replaced.
fn named(link: &Path) -> PathBuf {
    let named = link.to_str().and_then(|link| link.strip_suffix(" (deleted)"));
    named.map_or_else(|| link.to_owned(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_file_of_this_very_program() {
        assert_eq!(own_path().unwrap(), std::env::current_exe().unwrap());
    }

    #[test]
    fn the_kernels_mark_is_no_part_of_the_name() {
        assert_eq!(named(Path::new("/opt/pmr (deleted)")), Path::new("/opt/pmr"));
        assert_eq!(named(Path::new("/opt/pmr")), Path::new("/opt/pmr"));
    }
}
