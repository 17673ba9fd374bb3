//! Samples of real processes, and of directories that only look like /proc.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use tempfile::TempDir;

use super::*;
use crate::metrics::usage::MemoryKind;
use crate::spec::{AppId, WorkerId};

const KEY: Key = Key { app: AppId(0), worker: WorkerId(1) };

/// A shell that has said that it is up, in a process group of its own, which ends with this.
struct Shell(Child);

impl Shell {
    fn new(script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self(child)
    }

    fn pid(&self) -> Pid {
        Pid::new(self.0.id().cast_signed())
    }

    fn kill(&self) {
        killpg(nix::unistd::Pid::from_raw(self.pid().as_raw()), Signal::SIGKILL).unwrap();
    }
}

impl Drop for Shell {
    #[expect(clippy::disallowed_methods, reason = "a test collects its own children")]
    fn drop(&mut self) {
        self.kill();
        self.0.wait().unwrap();
    }
}

fn sample(pid: Pid) -> Option<TreeUsage> {
    Sampler::new().sample(&[(KEY, pid)], Detail::Full).remove(&KEY)
}

/// A directory like /proc, with our own process and files below it.
fn proc_with(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    symlink(our_pid().to_string(), root.path().join("self")).unwrap();
    for (file, content) in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn sampler_of(root: &Path) -> Sampler {
    Sampler::of(root.to_owned())
}

/// `stat` of a process of ours that has used so many ticks of CPU time.
fn stat(used: u64) -> String {
    format!("9 (a (b) c) S {} 9 9 0 -1 0 0 0 0 0 {used} 0 0 0 20 0 3 0 500 0 0", our_pid())
}

#[test]
fn a_tree_is_sampled_in_whole() {
    let shell = Shell::new("sh -c 'sh -c \"echo up; read x\"; :'; :");
    let usage = sample(shell.pid()).unwrap();
    assert_eq!((usage.processes, usage.threads), (3, 3));
    let memory = usage.memory.unwrap();
    assert_eq!(memory.kind, MemoryKind::Pss);
    assert!(memory.uss.unwrap() > 0 && memory.uss.unwrap() <= memory.bytes && memory.bytes <= memory.rss);
    assert!(usage.descriptors.unwrap() >= 9);
    assert!(usage.switches.is_some() && usage.age.is_some() && usage.started.is_some());
    assert_eq!(usage.cpu_percent, None);
}

#[test]
fn what_is_not_asked_for_is_not_read() {
    let shell = Shell::new("echo up; read x");
    let usage = Sampler::new().sample(&[(KEY, shell.pid())], Detail::Brief).remove(&KEY).unwrap();
    assert_eq!((usage.processes, usage.descriptors, usage.switches), (1, None, None));
}

#[test]
fn a_worker_that_has_ended_has_nothing_but_its_cpu_time() {
    let shell = Shell::new("echo up; read x");
    shell.kill();
    let id = Id::Pid(nix::unistd::Pid::from_raw(shell.pid().as_raw()));
    waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    let usage = sample(shell.pid()).unwrap();
    assert_eq!((usage.processes, usage.threads, usage.memory), (0, 0, None));
}

#[test]
fn a_process_that_is_no_child_of_ours_is_not_sampled() {
    let shell = Shell::new("sh -c 'echo up; read x'; :");
    let processes = Sampler::new().processes();
    let child = processes.iter().find(|(_, stat)| stat.parent == Some(shell.pid())).unwrap();
    assert_eq!(sample(*child.0), None);
    assert_eq!(sample(our_pid()), None);
}

#[test]
fn a_busy_process_shows_with_the_second_sample() {
    let shell = Shell::new("echo up; while :; do :; done");
    let mut sampler = Sampler::new();
    let mut percent = || sampler.sample(&[(KEY, shell.pid())], Detail::Brief)[&KEY].cpu_percent;
    assert_eq!(percent(), None);
    // However busy the machine, it gets its turn; so many samples take a minute or so.
    let percent = std::iter::repeat_with(percent).take(10_000).flatten().find(|percent| *percent > 0.0);
    assert!(percent.is_some());
}

#[test]
fn the_percentage_is_that_of_the_time_between() {
    let root = proc_with(&[("uptime", "10.00 0"), ("9/stat", &stat(100))]);
    let mut sampler = sampler_of(root.path());
    let mut percent = |uptime: &str, used| {
        fs::write(root.path().join("uptime"), uptime).unwrap();
        fs::write(root.path().join("9/stat"), stat(used)).unwrap();
        sampler.sample(&[(KEY, Pid::new(9))], Detail::Brief)[&KEY].cpu_percent
    };
    assert_eq!(percent("10.00 0", 100), None);
    assert_eq!(percent("12.00 0", 400), Some(150.0));
}

#[test]
fn those_gone_or_not_asked_for_are_forgotten() {
    let root = proc_with(&[("uptime", "10.00 0"), ("9/stat", &stat(0))]);
    let mut sampler = sampler_of(root.path());
    sampler.sample(&[(KEY, Pid::new(9))], Detail::Brief);
    sampler.sample(&[], Detail::Brief);
    assert_eq!(sampler.histories.len(), 1);
    fs::write(root.path().join("uptime"), "70.01 0").unwrap();
    sampler.sample(&[], Detail::Brief);
    assert_eq!(sampler.histories.len(), 0);
    sampler.sample(&[(KEY, Pid::new(9))], Detail::Brief);
    fs::remove_dir_all(root.path().join("9")).unwrap();
    assert!(sampler.sample(&[(KEY, Pid::new(9))], Detail::Brief).is_empty());
    assert_eq!(sampler.histories.len(), 0);
}

#[test]
fn where_the_proportion_may_not_be_read_the_resident_size_is_given_and_called_so() {
    let root = proc_with(&[("9/stat", &stat(0)), ("9/status", "VmRSS:\t 8 kB\n")]);
    let usage = sampler_of(root.path()).sample(&[(KEY, Pid::new(9))], Detail::Full).remove(&KEY).unwrap();
    let expected = Memory { bytes: 8192, kind: MemoryKind::Rss, rss: 8192, uss: None };
    assert_eq!((usage.memory, usage.threads), (Some(expected), 3));
    assert_eq!((usage.switches, usage.age, usage.started), (None, None, None));
}

#[test]
fn without_proc_or_with_that_of_others_nothing_is_known() {
    let nothing = tempfile::tempdir().unwrap();
    let foreign = proc_with(&[("9/stat", &stat(0))]);
    fs::remove_file(foreign.path().join("self")).unwrap();
    symlink("9", foreign.path().join("self")).unwrap();
    let garbage = proc_with(&[("9/stat", ")"), ("uptime", "soon"), ("stat", "cpu"), ("loadavg", "")]);
    for root in [&nothing, &foreign, &garbage] {
        assert!(sampler_of(root.path()).sample(&[(KEY, Pid::new(9))], Detail::Full).is_empty());
        // What another /proc calls `self` are we all the same.
        let machine = Machine { our_cpu_time: None, ..sampler_of(root.path()).machine() };
        assert_eq!(machine, Machine::default());
    }
}

#[test]
fn the_machine_is_known() {
    let machine = Sampler::new().machine();
    let total = machine.memory_total.unwrap();
    assert!(machine.cpus.unwrap() > 0 && machine.load.is_some() && machine.uptime.is_some());
    assert!(machine.memory_available.unwrap() <= total && machine.ourselves.unwrap().bytes < total);
    assert!(machine.our_cpu_time.is_some() && machine.our_descriptors.unwrap() > 2);
}
