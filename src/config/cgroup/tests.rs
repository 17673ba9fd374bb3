//! Limits read from made-up files.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
const V1: &str = "\
    32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
    35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

/// A file system of made-up files.
fn limits_of(cgroup: &str, mountinfo: &str, files: &[(&str, &str)]) -> Limits {
    let mut tree: BTreeMap<&Path, &str> =
        files.iter().map(|(path, content)| (Path::new(*path), *content)).collect();
    tree.insert(Path::new("/proc/self/cgroup"), cgroup);
    tree.insert(Path::new("/proc/self/mountinfo"), mountinfo);
    limits(&|path| tree.get(path).map(|content| content.as_bytes().to_vec()))
}

#[test]
fn without_any_file_there_is_no_limit() {
    assert_eq!(limits(&|_| None), Limits::default());
    assert_eq!(limits_of("0::/\n", V2, &[]), Limits::default());
}

#[test]
fn the_smallest_limit_of_all_ancestors_counts() {
    let limits = limits_of(
        "0::/kubepods/pod1/web\n",
        V2,
        &[
            ("/sys/fs/cgroup/kubepods/pod1/web/cpu.max", "400000 100000\n"),
            ("/sys/fs/cgroup/kubepods/pod1/cpu.max", "75000 50000\n"),
            ("/sys/fs/cgroup/kubepods/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/kubepods/pod1/web/memory.max", "max\n"),
            ("/sys/fs/cgroup/kubepods/pod1/memory.max", "2147483648\n"),
            ("/sys/fs/cgroup/kubepods/memory.max", "4294967296\n"),
            (
                "/sys/fs/cgroup/kubepods/pod1/web/memory.events",
                "low 0\noom 2\noom_kill 3\noom_group_kill 0\n",
            ),
        ],
    );
    assert_eq!(limits.cpu.unwrap().to_string(), "1.5");
    assert_eq!(limits.memory, Some(2 << 30));
    assert_eq!(limits.oom_file.unwrap(), Path::new("/sys/fs/cgroup/kubepods/pod1/web/memory.events"));
}

#[test]
fn a_mixture_takes_the_controllers_of_v1() {
    let limits = limits_of(
        "4:memory:/box/1\n1:cpu:/\n0::/\n",
        V1,
        &[
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/box/1/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "536870912\n"),
            (
                "/sys/fs/cgroup/memory/box/1/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n",
            ),
        ],
    );
    assert_eq!(limits.cpu.unwrap().to_string(), "2.5");
    assert_eq!(limits.memory, Some(512 << 20));
    assert_eq!(limits.oom_file.unwrap(), Path::new("/sys/fs/cgroup/memory/box/1/memory.oom_control"));
}

#[test]
fn minus_one_max_and_absurd_sizes_mean_none() {
    let limits = limits_of(
        "4:memory:/\n1:cpu:/\n0::/\n",
        V1,
        &[
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1125899906842624\n"),
            ("/sys/fs/cgroup/unified/memory.max", "max\n"),
        ],
    );
    assert_eq!(limits, Limits::default());
}

#[test]
fn a_limit_above_the_machines_memory_means_none() {
    let with_ram = |kilobytes: &str| {
        limits_of(
            "0::/\n",
            V2,
            &[
                ("/sys/fs/cgroup/memory.max", "1048576\n"),
                ("/proc/meminfo", &format!("MemTotal:   {kilobytes} kB\nMemFree: 1 kB\n")),
            ],
        )
        .memory
    };
    assert_eq!(with_ram("1023"), None);
    assert_eq!(with_ram("1024"), Some(1 << 20));
}

#[test]
fn a_quota_without_a_period_has_the_kernels_default() {
    assert_eq!(cpu_max(b"50000"), CpuQuota::new(50_000, 100_000));
    for content in ["", "max", "max 100000", "-1 100000", "0 100000", "5 0", "x y", "5 x"] {
        assert_eq!(cpu_max(content.as_bytes()), None, "{content}");
    }
}

#[test]
fn a_cgroup_whose_processes_end_together_is_told_from_others() {
    for (content, expected) in [("1\n", true), ("0\n", false), ("", false)] {
        let file = ("/sys/fs/cgroup/kubepods/pod1/memory.oom.group", content);
        let limits = limits_of("0::/kubepods/pod1/web\n", V2, &[file]);
        assert_eq!(limits.ends_together, expected, "{content:?}");
    }
    assert!(!limits_of("0::/kubepods/pod1/web\n", V2, &[]).ends_together);
}

#[test]
fn the_count_of_oom_kills_is_found_by_its_exact_key() {
    assert_eq!(oom_kills(b"oom 9\noom_kill 4\n"), Some(4));
    assert_eq!(oom_kills(b"oom_kill_disable 1\nunder_oom 0\n"), None);
    assert_eq!(oom_kills(b"oom_kill -1\n"), None);
}

proptest! {
    #[test]
    fn no_content_makes_it_panic(cgroup: Vec<u8>, mountinfo: Vec<u8>, other: Vec<u8>) {
        let _ = oom_kills(&other);
        let _ = limits(&|path| {
            Some(match path.to_str() {
                Some("/proc/self/cgroup") => cgroup.clone(),
                Some("/proc/self/mountinfo") => mountinfo.clone(),
                _ => other.clone(),
            })
        });
    }

    #[test]
    fn no_limit_file_makes_it_panic(content in "(-|max|[0-9]{1,22}| |\n|oom_kill|MemTotal:|kB){0,6}") {
        let _ = limits(&|path| Some(match path.to_str() {
            Some("/proc/self/cgroup") => b"1:cpu,memory:/a/b\n0::/a\n".to_vec(),
            Some("/proc/self/mountinfo") => V1.as_bytes().to_vec(),
            _ => content.clone().into_bytes(),
        }));
    }
}
