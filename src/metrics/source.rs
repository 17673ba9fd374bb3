//! Reads /proc. A process may vanish between any two lines here, and any file may be denied or missing: all of that is
//! `None`.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::proc;
use super::tree::Processes;
use super::usage::{Memory, Switches};
use crate::process::Pid;
use crate::sys::inspect::{self, Sockets};

/// No file of a process is longer, `status` with the longest list of groups excepted, and what we need of it comes
/// before that or is then missing.
const PROCESS_FILE_LIMIT: u64 = 64 << 10;

/// /proc/stat has a number for every interrupt line, which are many on large machines.
const MACHINE_FILE_LIMIT: u64 = 1 << 20;

/// /proc, or a directory like it.
#[derive(Debug)]
pub(super) struct Source {
    root: PathBuf,
}

impl Source {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The process that /proc takes us for. In the /proc of another PID namespace this is another number than our own,
    /// or missing, and its pids mean other processes than ours do.
    pub(super) fn ourselves(&self) -> Option<Pid> {
        proc::pid(fs::read_link(self.root.join("self")).ok()?.as_os_str().as_bytes())
    }

    /// Every process that we may know of.
    pub(super) fn processes(&self) -> Processes {
        let Ok(entries) = fs::read_dir(&self.root) else { return Processes::new() };
        let pids = entries.flatten().filter_map(|entry| proc::pid(entry.file_name().as_bytes()));
        pids.filter_map(|pid| Some((pid, self.stat(pid)?))).collect()
    }

    pub(super) fn stat(&self, pid: Pid) -> Option<proc::Stat> {
        proc::stat(&self.of_process(format_args!("{pid}/stat"))?)
    }

    /// What `pid` has in memory: in proportion where we may know that, else all that is resident.
    pub(super) fn memory(&self, pid: Pid) -> Option<Memory> {
        let rollup = self.of_process(format_args!("{pid}/smaps_rollup"));
        rollup.and_then(|content| proc::smaps_rollup(&content)).or_else(|| self.resident(pid))
    }

    /// All that `pid` has in memory, shared or not.
    pub(super) fn resident(&self, pid: Pid) -> Option<Memory> {
        proc::resident(&self.of_process(format_args!("{pid}/status"))?)
    }

    /// How many descriptors `pid` has open.
    pub(super) fn descriptors(&self, pid: Pid) -> Option<u64> {
        let directory = self.root.join(format!("{pid}/fd"));
        // From Linux 6.2 on the size of the directory is their number. Before, it is 0.
        match fs::metadata(&directory).ok()?.len() {
            0 => u64::try_from(fs::read_dir(&directory).ok()?.count()).ok(),
            count => Some(count),
        }
    }

    /// The sockets that `pid` has open.
    pub(super) fn sockets(&self, pid: Pid) -> Sockets {
        inspect::sockets_in(&self.root.join(format!("{pid}/fd")))
    }

    /// The context switches of all threads of `pid`. Its own `status` would have those of the first thread only.
    pub(super) fn switches(&self, pid: Pid, threads: u32) -> Option<Switches> {
        if threads == 1 {
            return proc::switches(&self.of_process(format_args!("{pid}/status"))?);
        }
        let entries = fs::read_dir(self.root.join(format!("{pid}/task"))).ok()?;
        let threads = entries.flatten().filter_map(|entry| proc::pid(entry.file_name().as_bytes()));
        threads
            .filter_map(|thread| {
                proc::switches(&self.of_process(format_args!("{pid}/task/{thread}/status"))?)
            })
            .reduce(Switches::plus)
    }

    fn of_process(&self, file: fmt::Arguments<'_>) -> Option<Vec<u8>> {
        self.read(&file.to_string(), PROCESS_FILE_LIMIT)
    }

    /// A file on the machine as a whole.
    pub(super) fn of_machine(&self, file: &str) -> Option<Vec<u8>> {
        self.read(file, MACHINE_FILE_LIMIT)
    }

    fn read(&self, file: &str, limit: u64) -> Option<Vec<u8>> {
        // Most files fit, so that one read takes them and one more sees the end.
        let mut content = Vec::with_capacity(2048);
        File::open(self.root.join(file)).ok()?.take(limit).read_to_end(&mut content).ok()?;
        Some(content)
    }
}
