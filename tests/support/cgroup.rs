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

    /// How many processes of it the kernel has killed for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let files = ["memory.events", "memory.oom_control"].map(|file| fs::read_to_string(self.0.join(file)));
        let lines =
            files.into_iter().flatten().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let mut counts = lines.filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        counts.next().expect("the kernel counts its kills")
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
