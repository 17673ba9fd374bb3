//! How much of its memory limit a cgroup has in use.

use std::path::{Path, PathBuf};

use super::{Read, number};

/// Which of the two generations of cgroups a directory is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

impl Version {
    /// The file that holds the limit of memory.
    pub(super) fn limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.limit_in_bytes",
            Self::V2 => "memory.max",
        }
    }
}

/// The files that tell what a cgroup, with all below it, has in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryFiles {
    directory: PathBuf,
    version: Version,
}

impl MemoryFiles {
    pub(super) fn new(directory: &Path, version: Version) -> Self {
        Self { directory: directory.to_owned(), version }
    }

    /// All that is charged, in bytes: never less than [`MemoryFiles::in_use`] but for what is swapped out, and cheap to be told.
    #[must_use]
    pub fn charged(&self, read: &Read<'_>) -> Option<u64> {
        let file = match self.version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        number(&read(&self.directory.join(file))?)
    }

    /// What cannot be had back at once, in bytes, counted as Kubernetes does: all that is charged but pages of files that
    /// nobody has touched lately; and what is swapped out, since that is wanted back.
    #[must_use]
    pub fn in_use(&self, read: &Read<'_>) -> Option<u64> {
        let charged = self.charged(read)?;
        let stat = read(&self.directory.join("memory.stat")).unwrap_or_default();
        let (idle, swapped) = match self.version {
            Version::V1 => (entry(&stat, b"total_inactive_file "), entry(&stat, b"total_swap ")),
            Version::V2 => {
                let swap = read(&self.directory.join("memory.swap.current"));
                (entry(&stat, b"inactive_file "), swap.and_then(|content| number(&content)))
            }
        };
        Some(charged.saturating_sub(idle.unwrap_or(0)).saturating_add(swapped.unwrap_or(0)))
    }
}

fn entry(stat: &[u8], name: &[u8]) -> Option<u64> {
    stat.split(|byte| *byte == b'\n').find_map(|line| number(line.strip_prefix(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_pages_of_files_are_not_in_use_and_swapped_ones_are() {
        let read = |path: &Path| {
            let content = match path.to_str()? {
                "/v2/memory.current" => "1000\n",
                "/v2/memory.stat" => "anon 600\ninactive_file 300\nactive_file 5\n",
                "/v2/memory.swap.current" => "50\n",
                "/v1/memory.usage_in_bytes" => "2000\n",
                "/v1/memory.stat" => "inactive_file 1\nswap 1\ntotal_inactive_file 700\ntotal_swap 9\n",
                "/bare/memory.current" => "10\n",
                _ => return None,
            };
            Some(content.as_bytes().to_vec())
        };
        let files = |directory, version| MemoryFiles::new(Path::new(directory), version);
        assert_eq!(files("/v2", Version::V2).charged(&read), Some(1000));
        assert_eq!(files("/v2", Version::V2).in_use(&read), Some(750));
        assert_eq!(files("/v1", Version::V1).in_use(&read), Some(1309));
        assert_eq!(files("/bare", Version::V2).in_use(&read), Some(10));
        assert_eq!(files("/none", Version::V2).in_use(&read), None);
    }
}
