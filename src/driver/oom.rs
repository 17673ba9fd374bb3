//! Whether the kernel's OOM killer was at work: the cgroup counts its kills.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::cgroup;
use crate::supervisor::Uptime;

/// Where the count has risen by several, the kills are those of workers whose deaths are seen so soon after one another.
const SAME_MOMENT: Duration = Duration::from_secs(5);

/// Watches the count. Looks only when asked: after a worker was ended by SIGKILL.
#[derive(Debug)]
pub(super) struct OomWatch {
    file: Option<PathBuf>,
    seen: u64,
    /// Kills whose worker is not known yet, and when the count was last seen to rise.
    unclaimed: (u64, Uptime),
}

impl OomWatch {
    /// `file` holds the count of our cgroup; `None` where there is none to be found.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let mut watch = Self::resume(file, 0);
        watch.seen = watch.read().unwrap_or(0);
        watch
    }

    /// As the program before us in this process left it: it had `seen` so many.
    pub(super) fn resume(file: Option<PathBuf>, seen: u64) -> Self {
        Self { file, seen, unclaimed: (0, Uptime::default()) }
    }

    /// How many kills are known of.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether a worker that was ended by SIGKILL `now` is one that the kernel has killed. It may kill several at once.
    pub(super) fn has_struck(&mut self, now: Uptime) -> bool {
        let count = self.read().unwrap_or(self.seen);
        let risen = count.saturating_sub(self.seen);
        let (left, since) = self.unclaimed;
        let kills = risen + if now.since(since) > SAME_MOMENT { 0 } else { left };
        self.seen = count;
        self.unclaimed = (kills.saturating_sub(1), if risen > 0 { now } else { since });
        kills > 0
    }

    fn read(&self) -> Option<u64> {
        cgroup::oom_kills(&std::fs::read(self.file.as_ref()?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn seconds(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn count(directory: &TempDir, kills: u64) {
        let text = format!("low 0\noom 1\noom_kill {kills}\n");
        std::fs::write(directory.path().join("memory.events"), text).unwrap();
    }

    fn watch() -> (TempDir, OomWatch) {
        let directory = tempfile::tempdir().unwrap();
        count(&directory, 2);
        let watch = OomWatch::new(Some(directory.path().join("memory.events")));
        (directory, watch)
    }

    #[test]
    fn a_kill_is_told_of_one_worker() {
        let (directory, mut watch) = watch();
        assert!(!watch.has_struck(seconds(1)));
        count(&directory, 3);
        assert!(watch.has_struck(seconds(1)));
        assert!(!watch.has_struck(seconds(1)));
        directory.close().unwrap();
        assert!(!watch.has_struck(seconds(2)));
    }

    #[test]
    fn two_kills_at_once_are_told_of_two_workers() {
        let (directory, mut watch) = watch();
        count(&directory, 4);
        assert_eq!([1, 1, 1].map(|at| watch.has_struck(seconds(at))), [true, true, false]);
    }

    #[test]
    fn a_kill_that_no_worker_claims_at_once_is_nobodys() {
        let (directory, mut watch) = watch();
        count(&directory, 4);
        assert_eq!([1, 7].map(|at| watch.has_struck(seconds(at))), [true, false]);
    }
}
