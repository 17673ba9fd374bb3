//! Takes samples: one pass over /proc for all workers together, then a closer look at the processes that are theirs.
//!
//! It blocks, so it has no place in the event loop: the kernel walks a process's page tables to tell its memory, which
//! takes up to a millisecond for one of 50 MB. A thousand small workers of two processes each take a tenth of a second.
//! What cannot be read is missing from the answer; nothing here fails.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::clients::Look;
use super::proc::{self, Life, Stat, Ticks};
use super::rate::{History, Reading};
use super::source::Source;
use super::tally::Owners;
use super::tree::{Processes, trees};
use super::usage::{Key, Machine, Memory, Switches, TreeUsage};
use crate::process::Pid;
use crate::sys::inspect::Sockets;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// CPU time, processes and threads, and of memory what is resident: what costs next to nothing.
    Light,
    /// CPU time, memory, processes and threads.
    Brief,
    /// Descriptors and context switches as well, which take several more files a process.
    Full,
}

/// Samples the process trees of workers, and remembers enough of the last sample to tell their share of a CPU.
#[derive(Debug)]
pub struct Sampler {
    source: Source,
    /// Of trees that are there and were sampled in the last minute.
    histories: HashMap<Key, History>,
    clients: Look,
    /// Read once: the kernel takes its time to write down many CPUs.
    cpu_model: OnceCell<Option<String>>,
}

/// The processes of one tree at the moment of the pass.
type Tree = Vec<(Pid, Stat)>;

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampler {
    #[must_use]
    pub fn new() -> Self {
        Self::of(PathBuf::from("/proc"))
    }

    fn of(root: PathBuf) -> Self {
        Self {
            source: Source::new(root),
            histories: HashMap::new(),
            clients: Look::default(),
            cpu_model: OnceCell::new(),
        }
    }

    /// What the trees below `workers` use now. A worker that is not to be found, or is no longer our child, is missing
    /// from the answer. Blocks.
    pub fn sample(&mut self, workers: &[(Key, Pid)], detail: Detail) -> BTreeMap<Key, TreeUsage> {
        self.sample_each(workers, |_| detail)
    }

    /// The same, each as closely as `detail` says.
    pub fn sample_each(
        &mut self,
        workers: &[(Key, Pid)],
        detail: impl Fn(Pid) -> Detail,
    ) -> BTreeMap<Key, TreeUsage> {
        let now = self.now();
        let processes = self.processes();
        let ours = workers.iter().filter(|(_, pid)| is_our_child(&processes, *pid));
        let trees = trees(&processes, ours.clone().map(|(_, pid)| *pid));
        let trees = ours.filter_map(|(key, pid)| Some((*key, *pid, tree(&processes, trees.get(pid)?))));
        let trees: Vec<(Key, Pid, Tree)> = trees.collect();
        self.look_at_clients(&trees, now);
        let boot = proc::boot(&self.source.of_machine("stat").unwrap_or_default());
        let mut usages = BTreeMap::new();
        for (key, pid, tree) in trees {
            let started = processes.get(&pid).map(|root| root.started);
            let mut usage = self.measure(&tree, detail(pid));
            usage.clients = self.clients.last(key);
            usage.cpu_percent = now.and_then(|now| self.percent(key, Reading::new(now, tree)));
            usage.age = now.zip(started).map(|(now, started)| now.since(started).duration());
            usage.started = boot.zip(started).map(|(boot, started)| boot.saturating_add(started.duration()));
            usages.insert(key, usage);
        }
        self.forget(workers, &usages, now);
        usages
    }

    /// What the machine has, and what we take of it. Blocks.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let read = |file| self.source.of_machine(file).unwrap_or_default();
        let (memory_total, memory_available) = proc::memory(&read("meminfo"));
        let ourselves = self.source.ourselves();
        Machine {
            cpus: proc::cpus(&read("stat")),
            cpu_model: self.cpu_model.get_or_init(|| proc::cpu_model(&read("cpuinfo"))).clone(),
            load: proc::load(&read("loadavg")),
            memory_total,
            memory_available,
            uptime: self.now().map(Ticks::duration),
            ourselves: ourselves.and_then(|pid| self.source.memory(pid)),
            our_cpu_time: ourselves.and_then(|pid| Some(self.source.stat(pid)?.own.duration())),
            our_descriptors: ourselves.and_then(|pid| self.source.descriptors(pid)),
        }
    }

    /// See [`weigh`].
    fn weigh(&self, workers: &[(Key, Pid)], limit: u64) -> Vec<(Key, u64)> {
        let processes = self.processes();
        let ours = workers.iter().filter(|(_, pid)| is_our_child(&processes, *pid));
        let trees = trees(&processes, ours.clone().map(|(_, pid)| *pid));
        let sum = |tree: &[Pid], memory: &dyn Fn(Pid) -> Option<Memory>| {
            tree.iter().filter_map(|pid| memory(*pid)).reduce(Memory::plus).map(|memory| memory.bytes)
        };
        let size = |tree: &[Pid]| match sum(tree, &|pid| self.source.resident(pid))? {
            resident if resident <= limit => Some(resident),
            _ => sum(tree, &|pid| self.source.memory(pid)),
        };
        ours.filter_map(|(key, pid)| Some((*key, size(trees.get(pid)?)?))).collect()
    }

    fn now(&self) -> Option<Ticks> {
        uptime(&self.source)
    }

    /// All processes; none where /proc is that of another PID namespace, since its pids are not those we know.
    fn processes(&self) -> Processes {
        match self.source.ourselves() {
            Some(pid) if pid == our_pid() => self.source.processes(),
            _ => Processes::new(),
        }
    }

    /// If it is time.
    fn look_at_clients(&mut self, trees: &[(Key, Pid, Tree)], now: Option<Ticks>) {
        if !self.clients.is_due(now) {
            return;
        }
        let began = self.now();
        let mut owners = Owners::default();
        for (key, _, tree) in trees {
            let running = tree.iter().filter(|(_, stat)| stat.life == Life::Runs);
            let sockets = running.map(|(pid, _)| match self.source.sockets(*pid) {
                Sockets::Open(inodes) => Some(inodes),
                Sockets::Unknown => None,
            });
            owners.add(*key, sockets);
        }
        owners.sort();
        let source = &self.source;
        self.clients.take(&owners, began, || uptime(source));
    }

    /// All but what takes a clock.
    fn measure(&self, tree: &Tree, detail: Detail) -> TreeUsage {
        let running = || tree.iter().filter(|(_, stat)| stat.life == Life::Runs);
        let full = detail == Detail::Full;
        let memory = |pid| match detail {
            Detail::Light => self.source.resident(pid),
            Detail::Brief | Detail::Full => self.source.memory(pid),
        };
        let cpu_time = tree.iter().fold(Ticks(0), |sum, (_, stat)| sum.plus(stat.own).plus(stat.children));
        let descriptors = || running().filter_map(|(pid, _)| self.source.descriptors(*pid));
        let switches = || running().filter_map(|(pid, stat)| self.source.switches(*pid, stat.threads));
        TreeUsage {
            cpu_percent: None,
            cpu_time: cpu_time.duration(),
            memory: running().filter_map(|(pid, _)| memory(*pid)).reduce(Memory::plus),
            processes: u32::try_from(running().count()).unwrap_or(u32::MAX),
            threads: running().fold(0, |sum, (_, stat)| sum.saturating_add(stat.threads)),
            descriptors: full.then(|| descriptors().reduce(u64::saturating_add)).flatten(),
            switches: full.then(|| switches().reduce(Switches::plus)).flatten(),
            clients: None,
            age: None,
            started: None,
        }
    }

    fn percent(&mut self, key: Key, reading: Reading) -> Option<f64> {
        if let Some(history) = self.histories.get_mut(&key) {
            return history.update(reading);
        }
        self.histories.insert(key, History::new(reading));
        None
    }

    /// Forgets the workers that are gone, and those that nobody asks for.
    fn forget(&mut self, asked: &[(Key, Pid)], found: &BTreeMap<Key, TreeUsage>, now: Option<Ticks>) {
        for (key, _) in asked.iter().filter(|(key, _)| !found.contains_key(key)) {
            self.histories.remove(key);
        }
        self.histories.retain(|_, history| now.is_some_and(|now| !history.is_stale(now)));
        self.clients.retain(|key| self.histories.contains_key(key));
    }
}

/// How many bytes of memory the trees below `workers` have, in proportion where pages are shared. Where the resident set
/// is not above `limit`, which is never less than that and costs the kernel no walk, it is told instead. Blocks.
#[must_use]
pub fn weigh(workers: &[(Key, Pid)], limit: u64) -> Vec<(Key, u64)> {
    Sampler::new().weigh(workers, limit)
}

/// How many bytes of memory we have ourselves. Blocks.
#[must_use]
pub fn own_size() -> u64 {
    Source::new(PathBuf::from("/proc")).memory(our_pid()).map_or(0, |memory| memory.bytes)
}

fn tree(processes: &Processes, members: &[Pid]) -> Tree {
    members.iter().filter_map(|pid| Some((*pid, *processes.get(pid)?))).collect()
}

fn uptime(source: &Source) -> Option<Ticks> {
    proc::uptime(&source.of_machine("uptime")?)
}

/// Workers are children of ours. Where the pid is not, the worker has ended, and another process has got its pid.
fn is_our_child(processes: &Processes, pid: Pid) -> bool {
    processes.get(&pid).is_some_and(|process| process.parent == Some(our_pid()))
}

fn our_pid() -> Pid {
    Pid::new(std::process::id().cast_signed())
}

#[cfg(test)]
mod tests;
