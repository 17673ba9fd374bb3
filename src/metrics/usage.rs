//! The figures: what a worker's process tree uses, and what the machine has. Plain values, to be sent as they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{AppId, WorkerId};

/// Whose tree it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub app: AppId,
    pub worker: WorkerId,
}

/// What one worker uses: the process that was spawned and all that descend from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeUsage {
    /// In percent of one CPU, since a sample taken up to a minute ago; 150 is one and a half CPUs. `None` where there
    /// is no such sample.
    pub cpu_percent: Option<f64>,
    /// All CPU time so far, with that of children that have ended and were waited for.
    pub cpu_time: Duration,
    /// `None` where the kernel tells it of no process at all.
    pub memory: Option<Memory>,
    /// How many processes run. Those that have ended and were not waited for do not count.
    pub processes: u32,
    pub threads: u32,
    /// Open descriptors, of the processes of which that may be read; `None` unless asked for, and where it is none.
    pub descriptors: Option<u64>,
    /// Of the threads that run now; `None` unless asked for, and where none may be read.
    pub switches: Option<Switches>,
    /// Who is connected; `None` where that cannot be told, and where it does not listen and nobody is.
    #[serde(default)]
    pub clients: Option<Clients>,
    /// How long ago the first process of the tree was started.
    pub age: Option<Duration>,
    /// When the first process of the tree was started, as the time since 1970 (UTC).
    pub started: Option<Duration>,
}

/// What a process, or a tree of them, has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The figure to show, in bytes. `kind` says what it is.
    pub bytes: u64,
    pub kind: MemoryKind,
    /// Resident set size: counts a page in full for each process that has it.
    pub rss: u64,
    /// Unique set size: what would be free if it ended. `None` where it may not be read of every process.
    pub uss: Option<u64>,
}

/// What a memory figure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryKind {
    /// Proportional set size: a page that N processes share counts as an N-th for each. The sum over all is true.
    Pss,
    /// Of at least one process only the resident set size could be read (another user's, say), so the figure may be
    /// too large by what is shared.
    Rss,
}

impl Memory {
    /// The two taken together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let both_pss = self.kind == MemoryKind::Pss && other.kind == MemoryKind::Pss;
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            kind: if both_pss { MemoryKind::Pss } else { MemoryKind::Rss },
            rss: self.rss.saturating_add(other.rss),
            uss: self.uss.zip(other.uss).map(|(a, b)| a.saturating_add(b)),
        }
    }
}

/// The connections that a worker has accepted and that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clients {
    /// Over TCP and Unix-domain sockets.
    pub connections: u32,
    /// Those over which a request has come and no answer yet; of Unix-domain ones it cannot be told, so `None` where there
    /// are no others to be had.
    pub in_flight: Option<u32>,
}

/// How often threads stopped running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Switches {
    /// To wait for something.
    pub voluntary: u64,
    /// Because something else was to run.
    pub involuntary: u64,
}

impl Switches {
    /// Those since `earlier`; none where there were more then.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_add(other.voluntary),
            involuntary: self.involuntary.saturating_add(other.involuntary),
        }
    }
}

/// The machine as /proc shows it, which in a container is mostly the host. `None` is what could not be read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// CPUs that are online, whether or not we may use them.
    pub cpus: Option<u32>,
    /// What they are called.
    pub cpu_model: Option<String>,
    /// Over the last 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// In bytes.
    pub memory_total: Option<u64>,
    /// What can be had without swapping, in bytes.
    pub memory_available: Option<u64>,
    pub uptime: Option<Duration>,
    /// What this process itself has in memory.
    pub ourselves: Option<Memory>,
    /// The CPU time that it has used, without that of its children.
    pub our_cpu_time: Option<Duration>,
    /// How many descriptors it has open.
    pub our_descriptors: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_with_one_rss_is_called_rss() {
        let pss = Memory { bytes: 10, kind: MemoryKind::Pss, rss: 30, uss: Some(5) };
        let rss = Memory { bytes: 20, kind: MemoryKind::Rss, rss: 20, uss: None };
        assert_eq!(pss.plus(pss), Memory { bytes: 20, kind: MemoryKind::Pss, rss: 60, uss: Some(10) });
        assert_eq!(pss.plus(rss), Memory { bytes: 30, kind: MemoryKind::Rss, rss: 50, uss: None });
        let most = Memory { bytes: u64::MAX, ..pss };
        assert_eq!(most.plus(pss).bytes, u64::MAX);
    }
}
