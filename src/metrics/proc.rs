//! The kernel's files under /proc, as bytes → values. Pure, and total: any bytes give a value or `None`.

use std::time::Duration;

use super::usage::{Memory, MemoryKind, Switches};
use crate::process::Pid;

/// Time in the unit of /proc. A hundredth of a second: USER_HZ is part of the ABI, and 100 on x86-64 and AArch64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.saturating_mul(10))
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The time from `earlier` until this; none where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// Of /proc/PID/stat, what we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `None` for a process that has none in our PID namespace.
    pub parent: Option<Pid>,
    pub life: Life,
    /// CPU time of its own, in user mode and in the kernel.
    pub own: Ticks,
    /// CPU time of its children that have ended and that it has waited for.
    pub children: Ticks,
    pub threads: u32,
    /// When it was started, after the boot.
    pub started: Ticks,
}

/// Whether a process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Runs,
    /// It has ended, and its parent has not asked how.
    Ended,
}

/// Reads /proc/PID/stat. The name in it may hold anything, spaces, parentheses and line ends included, but is followed
/// by no parenthesis.
#[must_use]
pub fn stat(content: &[u8]) -> Option<Stat> {
    let after_name = memchr::memrchr(b')', content)?;
    let fields: Vec<&[u8]> = words(content.get(after_name + 1..)?).collect();
    // The manual, proc_pid_stat(5), counts from 1, and the field after the name is the third.
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number| Some(Ticks(field(number).and_then(signed)?));
    Some(Stat {
        parent: pid(field(4)?),
        life: match field(3)? {
            b"Z" | b"X" | b"x" => Life::Ended,
            _ => Life::Runs,
        },
        own: ticks(14)?.plus(ticks(15)?),
        children: ticks(16)?.plus(ticks(17)?),
        threads: number(field(20)?)?,
        started: ticks(22)?,
    })
}

/// Reads /proc/PID/smaps_rollup. A process without memory of its own (one that is ending) gives `None`.
#[must_use]
pub fn smaps_rollup(content: &[u8]) -> Option<Memory> {
    let uss = bytes(content, "Private_Clean").zip(bytes(content, "Private_Dirty"));
    Some(Memory {
        bytes: bytes(content, "Pss")?,
        kind: MemoryKind::Pss,
        rss: bytes(content, "Rss")?,
        uss: uss.map(|(clean, dirty)| clean.saturating_add(dirty)),
    })
}

/// The resident set size, from /proc/PID/status: all that anyone may know of another user's process.
#[must_use]
pub fn resident(status: &[u8]) -> Option<Memory> {
    let rss = bytes(status, "VmRSS")?;
    Some(Memory { bytes: rss, kind: MemoryKind::Rss, rss, uss: None })
}

/// The context switches of one thread, from its `status`.
#[must_use]
pub fn switches(status: &[u8]) -> Option<Switches> {
    Some(Switches {
        voluntary: number(value(status, "voluntary_ctxt_switches")?)?,
        involuntary: number(value(status, "nonvoluntary_ctxt_switches")?)?,
    })
}

/// The time since boot, from /proc/uptime.
#[must_use]
pub fn uptime(content: &[u8]) -> Option<Ticks> {
    let first = words(content).next()?;
    let (seconds, hundredths) = first.split_at_checked(first.len().checked_sub(3)?)?;
    let hundredths: u64 = number(hundredths.strip_prefix(b".")?)?;
    Some(Ticks(number::<u64>(seconds)?.checked_mul(100)?.checked_add(hundredths)?))
}

/// The load averages, from /proc/loadavg.
#[must_use]
pub fn load(content: &[u8]) -> Option<[f64; 3]> {
    let mut words = words(content);
    let mut next = || {
        let load: f64 = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        (load.is_finite() && load >= 0.0).then_some(load)
    };
    Some([next()?, next()?, next()?])
}

/// All memory of the machine and what of it can be had, in bytes, from /proc/meminfo.
#[must_use]
pub fn memory(meminfo: &[u8]) -> (Option<u64>, Option<u64>) {
    (bytes(meminfo, "MemTotal"), bytes(meminfo, "MemAvailable"))
}

/// How many CPUs are online, from /proc/stat, which has a line for each (`cpu0`) and one for all (`cpu`).
#[must_use]
pub fn cpus(stat: &[u8]) -> Option<u32> {
    let is_one = |line: &&[u8]| line.strip_prefix(b"cpu").is_some_and(|rest| rest.first() > Some(&b' '));
    let count = lines(stat).take_while(|line| line.starts_with(b"cpu")).filter(is_one).count();
    u32::try_from(count).ok().filter(|&count| count > 0)
}

/// What the machine's first CPU is called, from /proc/cpuinfo. Arm has no name there.
#[must_use]
pub fn cpu_model(cpuinfo: &[u8]) -> Option<String> {
    let name = lines(cpuinfo).find_map(|line| line.strip_prefix(b"model name"))?;
    let (_, name) = std::str::from_utf8(name).ok()?.split_once(':')?;
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// When the machine was booted, as the time since 1970, from /proc/stat.
#[must_use]
pub fn boot(stat: &[u8]) -> Option<Duration> {
    let line = lines(stat).find_map(|line| line.strip_prefix(b"btime "))?;
    number(line.trim_ascii()).map(Duration::from_secs)
}

/// The process that the name of an entry of /proc stands for.
#[must_use]
pub fn pid(name: &[u8]) -> Option<Pid> {
    number(name).filter(|&raw: &i32| raw > 0).map(Pid::new)
}

/// A size in a line like `Pss:    354 kB`, in bytes.
fn bytes(content: &[u8], key: &str) -> Option<u64> {
    let kilobytes = value(content, key)?.strip_suffix(b"kB")?.trim_ascii();
    number::<u64>(kilobytes)?.checked_mul(1024)
}

/// What stands after `key` and a colon at the start of a line.
fn value<'a>(content: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let rest = lines(content).find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"))?;
    Some(rest.trim_ascii())
}

fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|&byte| byte == b'\n')
}

fn words(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Digits and nothing else: the kernel writes no plus sign.
fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

/// A number that the kernel prints with a sign, although a negative one has no meaning: that counts as nothing.
fn signed(digits: &[u8]) -> Option<u64> {
    let magnitude = number(digits.strip_prefix(b"-").unwrap_or(digits))?;
    Some(if digits.starts_with(b"-") { 0 } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER_NAME: &str =
        "S 41 42 42 0 -1 4194560 1 2 3 4 7 8 9 10 20 0 11 0 5555 1000 200 18446744073709551615";

    fn stat_named(name: &[u8]) -> Option<Stat> {
        stat(&[b"42 (", name, b") ", AFTER_NAME.as_bytes(), b"\n"].concat())
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let expected = Stat {
            parent: Some(Pid::new(41)),
            life: Life::Runs,
            own: Ticks(15),
            children: Ticks(19),
            threads: 11,
            started: Ticks(5555),
        };
        for name in [&b"node"[..], b"", b"a b", b") R 1 (", b"((", b"tmux: server", b"\xff\xfe", b"a\nb"] {
            assert_eq!(stat_named(name), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_cut_or_foreign_stat_is_none() {
        let whole = format!("42 (node) {AFTER_NAME}");
        let enough = whole.find(" 1000 ").unwrap();
        assert!(stat(&whole.as_bytes()[..enough]).is_some());
        for length in 0..enough - "5555".len() {
            assert_eq!(stat(&whole.as_bytes()[..length]), None, "{length}");
        }
        assert_eq!(stat(b"42 node S 1"), None);
    }

    #[test]
    fn an_ended_process_and_one_without_a_parent_are_told_apart() {
        let ended = stat(format!("1 (x) {AFTER_NAME}").replace("S 41", "Z 0").as_bytes()).unwrap();
        assert_eq!((ended.life, ended.parent), (Life::Ended, None));
    }

    #[test]
    fn time_that_ran_backwards_counts_as_none() {
        let odd = stat(format!("1 (x) {AFTER_NAME}").replace(" 9 10 ", " -9 10 ").as_bytes()).unwrap();
        assert_eq!(odd.children, Ticks(10));
    }

    #[test]
    fn memory_is_read_in_bytes_by_exact_keys() {
        let rollup =
            b"55d0-7ffc ---p 00000000 00:00 0   [rollup]\nRss:  1632 kB\nPss_Anon: 9 kB\nPss:  354 kB\n\
            Private_Clean:  68 kB\nPrivate_Dirty:  112 kB\n";
        let expected =
            Memory { bytes: 354 << 10, kind: MemoryKind::Pss, rss: 1632 << 10, uss: Some(180 << 10) };
        assert_eq!(smaps_rollup(rollup), Some(expected));
        assert_eq!(smaps_rollup(b"Pss: 1 kB\n"), None);
        assert_eq!(smaps_rollup(b"Rss: 1 kB\nPss: 1\n"), None);
        assert_eq!(smaps_rollup(b"Rss: 1 kB\nPss: 18446744073709551615 kB\n"), None);
        assert_eq!(resident(b"Name:\tx\nVmRSS:\t  7 kB\n").map(|memory| memory.bytes), Some(7 << 10));
        assert_eq!(resident(b"Name:\tVmRSS: 7 kB\n"), None);
    }

    #[test]
    fn switches_are_read_and_not_confused() {
        let status = b"voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(switches(status), Some(Switches { voluntary: 12, involuntary: 3 }));
        assert_eq!(switches(&status[..30]), None);
    }

    #[test]
    fn the_machine_is_read() {
        assert_eq!(uptime(b"350735.47 234388.90\n"), Some(Ticks(35_073_547)));
        for odd in ["", "1", "1.5 2", "1.+5", "-1.00", "x.00", "184467440737095517.00"] {
            assert_eq!(uptime(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(load(b"0.20 1.18 12.12 1/80 11206\n"), Some([0.20, 1.18, 12.12]));
        assert_eq!(load(b"0.20 nan 0.1"), None);
        assert_eq!(memory(b"MemTotal: 4 kB\nMemFree: 1 kB\nMemAvailable: 2 kB\n"), (Some(4096), Some(2048)));
        let stat = b"cpu  1 2\ncpu0 1 2\ncpu1 3 4\nintr 5 6\nbtime 1700000000\ncpu9 0\n";
        assert_eq!((cpus(stat), boot(stat)), (Some(2), Some(Duration::from_secs(1_700_000_000))));
        let cpuinfo = b"processor\t: 0\nmodel name\t: AMD EPYC  9R14\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("AMD EPYC 9R14"));
        assert_eq!((cpu_model(b"CPU part\t: 0xd0c\n"), cpu_model(b"model name\t: \n")), (None, None));
        assert_eq!((cpus(b""), boot(b"btime x\n")), (None, None));
    }

    #[test]
    fn only_a_positive_number_names_a_process() {
        assert_eq!(pid(b"42"), Some(Pid::new(42)));
        for name in ["", "0", "-1", "+1", "self", "42x", "2147483648"] {
            assert_eq!(pid(name.as_bytes()), None, "{name}");
        }
    }

    fn read_all(content: &[u8]) {
        let _ = (stat(content), smaps_rollup(content), resident(content), switches(content), pid(content));
        let _ = (uptime(content), load(content), memory(content), cpus(content), boot(content));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>) {
            read_all(&content);
        }

        #[test]
        fn no_pieces_of_real_files_make_it_panic(
            content in "(-|[0-9]{1,22}| |\n|\\(|\\)|\\.|:|kB|Pss|Rss|VmRSS|Private_Clean|cpu|btime |S |Z |1 ){0,40}"
        ) {
            read_all(content.as_bytes());
        }
    }
}
