//! What a worker has in memory between two close looks at it. Pure.
//!
//! How much of its memory a process shares is told by a walk over all its pages, during which it can get no new ones. So that is
//! asked seldom, and in between the figure moves with the resident set, which costs nothing to know.

use crate::metrics::usage::{Memory, TreeUsage};

/// The last close look at a worker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Close {
    usage: TreeUsage,
    /// What was resident at the next look, which was no close one: the kernel's two ways to count it differ a little.
    base: Option<u64>,
}

impl Close {
    pub(super) fn of(usage: &TreeUsage) -> Self {
        Self { usage: usage.clone(), base: None }
    }

    /// All of the worker, of which only `now` was looked at.
    pub(super) fn with(&mut self, now: TreeUsage) -> TreeUsage {
        let memory = match (self.usage.memory, now.memory) {
            (Some(then), Some(now)) => {
                let base = *self.base.get_or_insert(now.rss);
                let moved = |bytes: u64| bytes.saturating_add(now.rss).saturating_sub(base);
                Some(Memory {
                    bytes: moved(then.bytes),
                    kind: then.kind,
                    rss: moved(then.rss),
                    uss: then.uss.map(moved),
                })
            }
            (_, now) => now,
        };
        TreeUsage { memory, descriptors: self.usage.descriptors, switches: self.usage.switches, ..now }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::usage::{MemoryKind, Switches};

    fn usage(memory: Option<Memory>) -> TreeUsage {
        TreeUsage {
            cpu_percent: Some(1.0),
            cpu_time: Duration::from_secs(1),
            memory,
            processes: 1,
            threads: 2,
            descriptors: None,
            switches: None,
            clients: None,
            age: None,
            started: None,
        }
    }

    fn resident(rss: u64) -> Option<Memory> {
        Some(Memory { bytes: rss, kind: MemoryKind::Rss, rss, uss: None })
    }

    #[test]
    fn memory_moves_with_what_is_resident_from_the_close_look_on() {
        let shared = Memory { bytes: 600, kind: MemoryKind::Pss, rss: 1000, uss: Some(500) };
        let switches = Some(Switches { voluntary: 1, involuntary: 2 });
        let full = TreeUsage { descriptors: Some(9), switches, ..usage(Some(shared)) };
        let mut close = Close::of(&full);
        let first = close.with(TreeUsage { processes: 3, ..usage(resident(990)) });
        assert_eq!(
            (first.memory, first.descriptors, first.switches, first.processes),
            (Some(shared), Some(9), switches, 3)
        );
        let larger = Memory { bytes: 700, kind: MemoryKind::Pss, rss: 1100, uss: Some(600) };
        assert_eq!(close.with(usage(resident(1090))).memory, Some(larger));
        let smaller = close.with(usage(resident(90))).memory.unwrap();
        assert_eq!((smaller.bytes, smaller.rss, smaller.uss), (0, 100, Some(0)));
    }

    #[test]
    fn a_worker_whose_memory_was_not_to_be_had_shows_what_there_is() {
        let mut close = Close::of(&usage(None));
        assert_eq!(close.with(usage(resident(7))).memory, resident(7));
        assert_eq!(close.with(usage(None)).memory, None);
    }
}
