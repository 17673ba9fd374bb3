//! The cgroup's files and those of /proc, whatever they hold: limits, OOM kills, and the number of instances made of them.
//!
//! An input is the files, with a NUL between two: /proc/self/cgroup, mountinfo, /proc/meminfo, then those of the cgroup
//! file system, which are handed out in turn.

#![no_main]

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use pmr_runtime::config::cgroup::{Limits, limits, oom_kills};
use pmr_runtime::config::sizing::{Cpus, Memory, Request, size};
use pmr_runtime::config::values::MOST_INSTANCES;

fuzz_target!(|data: &[u8]| {
    let files: Vec<&[u8]> = data.split(|&byte| byte == 0).collect();
    let asked = RefCell::new(Vec::new());
    let found = limits(&|path| {
        let (at, fixed) = match path.to_str() {
            Some("/proc/self/cgroup") => (0, true),
            Some("/proc/self/mountinfo") => (1, true),
            Some("/proc/meminfo") => (2, true),
            _ => (3 + path.as_os_str().len() % files.len(), false),
        };
        if !fixed {
            asked.borrow_mut().push(path.to_owned());
        }
        files.get(at).map(|file| file.to_vec())
    });
    stays_below_the_mounts(files.get(1).copied().unwrap_or_default(), &asked.into_inner());
    makes_sense(&found);
    gives_a_number_of_instances(&found);
    counts_kills(data);
});

/// No path is made longer by `..` than what is mounted: a cgroup beside ours is none of our business.
fn stays_below_the_mounts(mountinfo: &[u8], asked: &[PathBuf]) {
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    let escaped = mountinfo.contains(&b'\\');
    let mount_climbs = mountinfo.windows(2).any(|pair| pair == b"..");
    for path in asked {
        assert!(!climbs(path) || escaped || mount_climbs, "{path:?}");
    }
}

fn makes_sense(limits: &Limits) {
    if let Some(memory) = limits.memory {
        assert!(memory < 1 << 50);
    }
    if let Some(quota) = limits.cpu {
        let shown: f64 = quota.to_string().parse().expect("a quota is shown as a number");
        assert!(shown > 0.0);
        let cpus = f64::from(quota.cpus().get());
        assert!(cpus >= shown.floor() || quota.cpus() == NonZeroU32::MAX, "{quota} {cpus}");
        assert!(cpus <= shown + 1.0);
    }
}

fn gives_a_number_of_instances(limits: &Limits) {
    let request = Request {
        wish: None,
        web_concurrency: None,
        web_concurrency_set_by: None,
        has_port: true,
        standby: 0,
        cpus: Cpus { affinity: NonZeroU32::MAX, quota: limits.cpu },
        memory: Memory { available: limits.memory.map(|bytes| bytes >> 20), per_worker: 512 },
    };
    let sizing = size(&request);
    assert!((1..=MOST_INSTANCES).contains(&sizing.instances.get()));
    assert!(sizing.instances <= request.cpus.count());
    if let Some(available) = request.memory.available {
        let allowed = (available / 512).max(1);
        assert!(u64::from(sizing.instances.get()) <= allowed);
    }
    let _ = sizing.to_string();
}

fn counts_kills(data: &[u8]) {
    let lines = data.split(|&byte| byte == b'\n');
    let exact = lines.filter(|line| line.starts_with(b"oom_kill ")).count();
    assert!(oom_kills(data).is_none() || exact > 0);
}
