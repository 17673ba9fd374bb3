//! Whether the kernel's OOM killer was at work: the cgroup counts its kills.

use std::path::PathBuf;

use crate::config::cgroup;

/// Watches the count. Looks only when asked: after a worker was ended by SIGKILL.
#[derive(Debug)]
pub(super) struct OomWatch {
    file: Option<PathBuf>,
    seen: u64,
}

impl OomWatch {
    /// `file` holds the count of our cgroup; `None` where there is none to be found.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let mut watch = Self { file, seen: 0 };
        watch.seen = watch.read().unwrap_or(0);
        watch
    }

    /// As the program before us in this process left it: it had `seen` so many.
    pub(super) fn resume(file: Option<PathBuf>, seen: u64) -> Self {
        Self { file, seen }
    }

    /// How many kills are known of.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether the kernel has killed since this was last asked.
    pub(super) fn has_struck(&mut self) -> bool {
        let now = self.read().unwrap_or(self.seen);
        let struck = now > self.seen;
        self.seen = now;
        struck
    }

    fn read(&self) -> Option<u64> {
        cgroup::oom_kills(&std::fs::read(self.file.as_ref()?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risen_count_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("memory.events");
        std::fs::write(&file, "low 0\noom 2\noom_kill 2\n").unwrap();
        let mut watch = OomWatch::new(Some(file.clone()));
        assert!(!watch.has_struck());
        std::fs::write(&file, "low 0\noom 3\noom_kill 3\n").unwrap();
        assert!(watch.has_struck());
        assert!(!watch.has_struck());
        std::fs::remove_file(&file).unwrap();
        assert!(!watch.has_struck());
    }
}
