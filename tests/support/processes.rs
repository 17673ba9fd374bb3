//! Looking at processes through /proc.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// The variable that marks every process of a test: children inherit it, so that none can hide.
pub(crate) const MARK: &str = "E2E_TEST_MARK";

/// Every process of this machine, by id.
fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The living processes whose environment carries `mark`; zombies have none and do not count.
pub(crate) fn marked(mark: &str) -> BTreeSet<i32> {
    let wanted = format!("{MARK}={mark}");
    all()
        .filter(|pid| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|&byte| byte == 0).any(|entry| entry == wanted.as_bytes())
        })
        .filter(|&pid| state(pid).is_some_and(|state| state != 'Z' && state != 'X'))
        .collect()
}

/// A process's state letter: `R`, `S`, `Z`, ... `None` when there is no such process.
pub(crate) fn state(pid: i32) -> Option<char> {
    stat_fields(pid)?.first()?.chars().next()
}

/// Whether the process is there and not a mere zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// The id of the process's parent.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    stat_fields(pid)?.get(1)?.parse().ok()
}

/// The id of the process group.
pub(crate) fn group(pid: i32) -> Option<i32> {
    stat_fields(pid)?.get(2)?.parse().ok()
}

/// The fields of /proc/PID/stat after the name, which may itself hold spaces and parentheses.
fn stat_fields(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The name that a process was started by; empty when it is gone.
pub(crate) fn first_word(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = line.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(first).into_owned()
}

/// The children of a process, zombies included.
pub(crate) fn children(pid: i32) -> BTreeSet<i32> {
    all().filter(|&child| parent(child) == Some(pid)).collect()
}

/// How many of the process's children are zombies.
pub(crate) fn zombies(pid: i32) -> usize {
    children(pid).into_iter().filter(|&child| state(child) == Some('Z')).count()
}

/// A line of /proc/PID/status, without its name: `VmHWM` gives `4321 kB`.
pub(crate) fn status_field(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.split(':').next() == Some(name))?;
    Some(line[name.len() + 1..].trim().to_owned())
}

/// Whether the process handles that signal.
pub(crate) fn catches(pid: i32, number: i32) -> bool {
    let caught = status_field(pid, "SigCgt").and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    caught.is_some_and(|set| set & 1 << (number - 1) != 0)
}

/// A memory line of /proc/PID/status in kB.
pub(crate) fn status_kilobytes(pid: i32, name: &str) -> Option<u64> {
    status_field(pid, name)?.split_whitespace().next()?.parse().ok()
}

/// Sends a signal by its number, real-time signals included. Answers whether there was a process to send it to.
pub(crate) fn signal(pid: i32, number: i32) -> bool {
    assert!(pid > 0, "a process id is positive, not {pid}");
    let Ok(named) = nix::sys::signal::Signal::try_from(number) else {
        // nix has no real-time signals; the shell has.
        let sent = Command::new("/bin/sh").arg("-c").arg(format!("kill -{number} {pid}")).status();
        return sent.unwrap().success();
    };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), named).is_ok()
}

/// Whether the tests run as root, which decides how a namespace is entered.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Says that a test could not show what it is there for, and why.
#[expect(clippy::print_stderr, reason = "what is not shown shall not look as if it had been")]
pub(crate) fn say_not_shown(why: &str) {
    eprintln!("not shown: {why}");
}
