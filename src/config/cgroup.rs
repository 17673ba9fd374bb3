//! What the cgroups allow us: CPU quota, memory limit, and where the kernel counts its OOM kills.
//!
//! Works on cgroup v1, v2 and mixtures of both, with and without a cgroup namespace. A limit may be set on our cgroup or
//! on any ancestor, so that the smallest one up to the mount point counts. Files come through a closure: nothing here
//! touches the file system, and no content of a file makes it panic.

mod mounts;
mod quota;
mod usage;

use std::path::{Path, PathBuf};

use mounts::{Controller, directories};
pub use quota::CpuQuota;
pub use usage::MemoryFiles;
use usage::Version;

/// Limits from here on (1 PiB) mean none: v1 says `9223372036854771712` for "no limit".
const ABSURD: u64 = 1 << 50;

/// The period where `cpu.max` names none, in microseconds (cgroup-v2.rst).
const DEFAULT_PERIOD: u64 = 100_000;

/// Gives the content of a file, or `None` where it cannot be read.
pub type Read<'a> = dyn Fn(&Path) -> Option<Vec<u8>> + 'a;

/// What our cgroups, as far as they can be seen, limit us to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub cpu: Option<CpuQuota>,
    /// In bytes.
    pub memory: Option<u64>,
    /// Those of the cgroup that has this limit.
    pub memory_files: Option<MemoryFiles>,
    /// The file that tells how many processes of our cgroup the OOM killer has ended; see [`oom_kills`].
    pub oom_file: Option<PathBuf>,
    /// Whether the kernel ends all processes of the cgroup where it would end one for want of memory.
    pub ends_together: bool,
}

/// Reads the limits of the process whose /proc/self `read` shows.
#[must_use]
pub fn limits(read: &Read<'_>) -> Limits {
    let file = |path: &str| read(Path::new(path)).unwrap_or_default();
    let (cgroup, mountinfo) = (file("/proc/self/cgroup"), file("/proc/self/mountinfo"));
    let directories = |controller| directories(&cgroup, &mountinfo, controller);
    let (unified, cpu, memory) =
        (directories(Controller::Unified), directories(Controller::Cpu), directories(Controller::Memory));

    let quotas = unified
        .iter()
        .filter_map(|directory| cpu_max(&read(&directory.join("cpu.max"))?))
        .chain(cpu.iter().filter_map(|directory| cfs_quota(directory, read)));
    let v2 = unified.iter().map(|directory| (directory, Version::V2));
    let v1 = memory.iter().map(|directory| (directory, Version::V1));
    let sizes = v2.chain(v1).filter_map(|(directory, version)| {
        Some((number(&read(&directory.join(version.limit_file()))?)?, MemoryFiles::new(directory, version)))
    });
    let smallest = sizes.filter(|(bytes, _)| *bytes < ABSURD).min_by_key(|(bytes, _)| *bytes);
    // The kernel counts all of its memory for this file, so it is read only where the answer matters.
    let is_real = |bytes: u64| physical_memory(&file("/proc/meminfo")).is_none_or(|ram| bytes <= ram);
    let (memory_limit, memory_files) = smallest.filter(|(bytes, _)| is_real(*bytes)).unzip();
    Limits {
        cpu: quotas.min(),
        memory: memory_limit,
        memory_files,
        oom_file: oom_file(&unified, &memory, read),
        ends_together: unified
            .iter()
            .any(|directory| read(&directory.join("memory.oom.group")).and_then(|it| number(&it)) == Some(1)),
    }
}

/// The count of processes that the OOM killer has ended, from v2's `memory.events` or v1's `memory.oom_control`.
#[must_use]
pub fn oom_kills(content: &[u8]) -> Option<u64> {
    content.split(|byte| *byte == b'\n').find_map(|line| number(line.strip_prefix(b"oom_kill ")?))
}

/// `QUOTA PERIOD` in microseconds; QUOTA may be `max`.
fn cpu_max(content: &[u8]) -> Option<CpuQuota> {
    let mut words = content.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let quota = number(words.next()?)?;
    let period = words.next().map_or(Some(DEFAULT_PERIOD), number)?;
    CpuQuota::new(quota, period)
}

/// v1 has a file for each; a quota of -1 means none.
fn cfs_quota(directory: &Path, read: &Read<'_>) -> Option<CpuQuota> {
    let quota = number(&read(&directory.join("cpu.cfs_quota_us"))?)?;
    let period = number(&read(&directory.join("cpu.cfs_period_us"))?)?;
    CpuQuota::new(quota, period)
}

/// The kernel charges an OOM kill to the victim's cgroup, which is ours, so that the ancestors do not matter.
fn oom_file(unified: &[PathBuf], memory: &[PathBuf], read: &Read<'_>) -> Option<PathBuf> {
    let v2 = unified.first().map(|directory| directory.join("memory.events"));
    let v1 = memory.first().map(|directory| directory.join("memory.oom_control"));
    v2.into_iter().chain(v1).find(|path| read(path).is_some_and(|content| oom_kills(&content).is_some()))
}

/// The bytes of memory that the machine has.
fn physical_memory(meminfo: &[u8]) -> Option<u64> {
    let line = meminfo.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"MemTotal:"))?;
    number(line.strip_suffix(b"kB")?)?.checked_mul(1024)
}

/// A whole number with white space around it; neither `max` nor `-1` is one.
fn number(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?.trim();
    text.parse().ok()
}

#[cfg(test)]
mod tests;
