//! The processes of a worker's group, which are those that a signal to it reaches, and what /proc tells of them.
//!
//! Any of them may end at any moment; it is then as if it had not been there.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;

use nix::unistd::getpgid;

use crate::process::{Pid, Signal};

/// The members of each of these groups, found in one walk over all processes that we may see.
#[must_use]
pub fn of_groups(groups: &HashSet<Pid>) -> HashMap<Pid, Vec<Pid>> {
    let mut members: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for pid in numbers("/proc") {
        let group = getpgid(Some(nix::unistd::Pid::from_raw(pid))).ok().map(|group| group.as_raw());
        let Some(group) = group.filter(|&group| group > 0).map(Pid::new) else { continue };
        if groups.contains(&group) {
            members.entry(group).or_default().push(Pid::new(pid));
        }
    }
    members
}

/// What a process does on signals: sets of bits, in which signal n is bit n - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispositions {
    pub caught: u64,
    pub ignored: u64,
}

impl Dispositions {
    /// Whether the signal does not simply end the process.
    #[must_use]
    pub fn withstands(self, signal: Signal) -> bool {
        has(self.caught | self.ignored, signal)
    }
}

fn has(set: u64, signal: Signal) -> bool {
    let bit = u32::try_from(signal.as_raw() - 1).ok().and_then(|shift| 1_u64.checked_shl(shift));
    bit.is_some_and(|bit| set & bit != 0)
}

/// What `pid` does on signals.
#[must_use]
pub fn dispositions(pid: Pid) -> Option<Dispositions> {
    parse_dispositions(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_dispositions(status: &str) -> Option<Dispositions> {
    let (caught, ignored) = (signal_set(status, "SigCgt:")?, signal_set(status, "SigIgn:")?);
    Some(Dispositions { caught, ignored })
}

fn signal_set(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

/// Whether `signal` has come to the process `pid` as a whole, and no thread has taken it yet.
#[must_use]
pub fn has_untaken(pid: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    signal_set(&status, "ShdPnd:").is_some_and(|pending| has(pending, signal))
}

/// Whether `thread`, of the process `pid`, has `signal` wait.
#[must_use]
pub fn blocks(pid: Pid, thread: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap_or_default();
    signal_set(&status, "SigBlk:").is_some_and(|blocked| has(blocked, signal))
}

/// The name of the file that `pid` executes.
#[must_use]
pub fn program(pid: Pid) -> Option<OsString> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()?.file_name().map(ToOwned::to_owned)
}

/// Whether every thread of `pid` stands still, by a signal that stops it; a process that has ended does, too.
#[must_use]
pub fn is_stopped(pid: Pid) -> bool {
    threads(pid).all(|thread| is_in(pid, thread, &['T', 't', 'Z', 'X']))
}

/// Whether every thread of `pid` but the first waits for something.
#[must_use]
pub fn others_sleep(pid: Pid) -> bool {
    threads(pid).filter(|&thread| thread != pid).all(|thread| is_in(pid, thread, &['S', 'Z', 'X']))
}

/// Whether a thread of `pid` is in one of these states.
fn is_in(pid: Pid, thread: Pid, states: &[char]) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat"));
    stat.is_ok_and(|stat| state(&stat).is_some_and(|state| states.contains(&state)))
}

/// The threads of `pid`.
pub fn threads(pid: Pid) -> impl Iterator<Item = Pid> + use<> {
    numbers(&format!("/proc/{pid}/task")).map(Pid::new)
}

/// The name before it is in parentheses, and may hold any of them.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

fn numbers(directory: &str) -> impl Iterator<Item = i32> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|&number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Pid {
        Pid::new(i32::try_from(std::process::id()).unwrap())
    }

    #[test]
    fn we_are_a_member_of_our_own_group() {
        let group = Pid::new(getpgid(None).unwrap().as_raw());
        let members = of_groups(&HashSet::from([group]));
        assert!(members[&group].contains(&me()), "{members:?}");
        assert!(of_groups(&HashSet::new()).is_empty());
    }

    #[test]
    fn the_dispositions_of_signals_are_read() {
        let status = "Name:\tx\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\n";
        let read = parse_dispositions(status).unwrap();
        let withstood = [Signal::INT, Signal::TERM, Signal::from_raw(13).unwrap()];
        assert!(withstood.iter().all(|&signal| read.withstands(signal)));
        assert!(!read.withstands(Signal::HUP));
        assert_eq!(parse_dispositions("Name:\tx\n"), None);
        assert!(dispositions(me()).is_some() && program(me()).is_some());
    }

    #[test]
    fn we_do_not_stand_still() {
        assert!(!is_stopped(me()));
        assert_eq!(state("7 (a) b) (c) T 1 2"), Some('T'));
    }
}
