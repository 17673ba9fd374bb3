//! A memory cgroup, where the machine lets one be made.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::wait;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A memory cgroup of this test with a limit in bytes, gone in the end.
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// `None` where none can be made.
    pub(crate) fn with_limit(bytes: u64) -> Option<Self> {
        let name = format!("pmr-e2e-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let old = PathBuf::from("/sys/fs/cgroup/memory");
        let (directory, limit) = if old.exists() {
            (old.join(name), "memory.limit_in_bytes")
        } else {
            (PathBuf::from("/sys/fs/cgroup").join(name), "memory.max")
        };
        fs::create_dir(&directory).ok()?;
        let group = Self(directory);
        fs::write(group.0.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// The words of a wrapper that becomes what follows them, in this group.
    pub(crate) fn enter(&self) -> [String; 3] {
        let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", self.0.display());
        ["sh".to_owned(), "-c".to_owned(), script]
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its last process may not be gone quite yet.
        wait::within(wait::DEADLINE, || fs::remove_dir(&self.0).ok());
    }
}
