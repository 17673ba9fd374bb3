//! A file on a worker that has stalled: what the kernel says that its processes and threads are doing, and its last lines.
//!
//! Reads /proc and writes a file, so it belongs on a thread of its own. Files that need the memory lock of a process
//! (`cmdline`, `maps`) are not read: a stuck process may hold it for ever.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::process::{Pid, Signal};

/// Reports beyond so many are deleted, the oldest first.
const MOST_REPORTS: usize = 20;
/// Processes of one worker, and threads of one process, beyond so many are left out.
const MOST_PROCESSES: usize = 16;
const MOST_THREADS: usize = 64;
/// No file of /proc that is read here has more to say.
const LONGEST_FILE: u64 = 16 << 10;

/// On whom, and why.
#[derive(Debug, Clone)]
pub struct Subject {
    pub app: String,
    pub instance: u32,
    /// The leader of the worker's process group.
    pub pid: Pid,
    pub why: String,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    pub last_lines: Vec<String>,
}

/// Saves a report in the first of `directories` that takes it, readable for our own user alone, and gives its path.
///
/// # Errors
/// When none of them does: why the last does not.
pub fn save(subject: &Subject, directories: &[PathBuf]) -> io::Result<PathBuf> {
    let text = write(subject, Path::new("/proc"));
    let mut failure = io::ErrorKind::NotFound.into();
    for directory in directories {
        match save_in(directory, subject, &text) {
            Ok(path) => return Ok(path),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn save_in(directory: &Path, subject: &Subject, text: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let name: String = subject
        .app
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    let Subject { instance, pid, at_ms, .. } = subject;
    let path = directory.join(format!("stall-{at_ms:013}-{name}.{instance}-{pid}.txt"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    prune(directory);
    Ok(path)
}

/// The names begin with the time, so their order is that of the reports.
fn prune(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut reports: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("stall-")))
        .collect();
    reports.sort();
    let superfluous = reports.len().saturating_sub(MOST_REPORTS);
    for report in &reports[..superfluous] {
        // What cannot be deleted now is tried again with the next report.
        let _gone = fs::remove_file(report);
    }
}

fn write(subject: &Subject, proc: &Path) -> String {
    let Subject { app, instance, pid, why, at_ms, last_lines } = subject;
    let mut text = format!("{app}, instance {instance}, pid {pid}: {why} (at {at_ms} ms since the epoch)\n");
    for member in group(proc, *pid) {
        add_process(&mut text, proc, member);
    }
    text += "\n== its last lines ==\n";
    for line in last_lines {
        text += line;
        text.push('\n');
    }
    text
}

/// The processes of a group, its leader first.
fn group(proc: &Path, leader: Pid) -> Vec<Pid> {
    let is_member = |pid: &Pid| {
        // After the command's name in brackets, which may hold anything: state, parent, group.
        let stat = read(&proc.join(format!("{pid}/stat"))).unwrap_or_default();
        let group = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)?.parse().ok());
        *pid != leader && group == Some(leader.as_raw())
    };
    let mut others: Vec<_> = numbers(proc).into_iter().map(Pid::new).filter(is_member).collect();
    others.insert(0, leader);
    others.truncate(MOST_PROCESSES);
    others
}

fn add_process(text: &mut String, proc: &Path, pid: Pid) {
    let directory = proc.join(pid.to_string());
    // Writing to a string cannot fail.
    let _written = writeln!(text, "\n== process {pid} ==");
    for file in ["wchan", "syscall", "stack", "status"] {
        add_file(text, &directory, file);
    }
    let threads = directory.join("task");
    for thread in numbers(&threads).into_iter().take(MOST_THREADS) {
        let directory = threads.join(thread.to_string());
        let one = |file: &str| read(&directory.join(file)).unwrap_or_else(|| "?".to_owned());
        let [comm, wchan, syscall] = ["comm", "wchan", "syscall"].map(one);
        let _written = writeln!(
            text,
            "thread {thread} {}: wchan {}, syscall {}",
            comm.trim(),
            wchan.trim(),
            syscall.trim()
        );
    }
}

fn add_file(text: &mut String, directory: &Path, file: &str) {
    let _written = match read(&directory.join(file)) {
        Some(content) if content.trim().contains('\n') => writeln!(text, "{file}:\n{}", content.trim_end()),
        Some(content) => writeln!(text, "{file}: {}", content.trim()),
        None => writeln!(text, "{file}: cannot be read"),
    };
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn numbers(directory: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut all: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    all.sort_unstable();
    all
}

/// The signal on which a Node worker writes a diagnostic report of its own, if it was told to by `--report-on-signal`.
#[must_use]
pub fn node_signal(arguments: &[OsString], node_options: Option<&OsStr>) -> Option<Signal> {
    let inherited = node_options.and_then(OsStr::to_str).unwrap_or_default().split_whitespace();
    let words: Vec<_> = arguments.iter().filter_map(|word| word.to_str()).chain(inherited).collect();
    let named = words.iter().find_map(|word| word.strip_prefix("--report-signal="));
    words.contains(&"--report-on-signal").then(|| named.map_or(Signal::parse("USR2"), Signal::parse))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let pid = Pid::new(i32::try_from(std::process::id()).unwrap());
        let last_lines = vec!["working".to_owned()];
        Subject { app: "a/b".to_owned(), instance: 1, pid, why: "it sleeps".to_owned(), at_ms: 5, last_lines }
    }

    #[test]
    fn a_report_says_what_each_thread_is_doing_and_what_was_said_last() {
        let directory = tempfile::tempdir().unwrap();
        let path =
            save(&subject(), &[PathBuf::from("/proc/nowhere"), directory.path().join("reports")]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("a/b, instance 1, pid "), "{text}");
        for part in
            ["it sleeps", "wchan: ", "syscall: ", "status:\n", "\nthread ", "== its last lines ==\nworking\n"]
        {
            assert!(text.contains(part), "`{part}` is missing in:\n{text}");
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("stall-0000000000005-a-b.1-"), "{name}");
    }

    #[test]
    fn the_oldest_reports_go() {
        let directory = tempfile::tempdir().unwrap();
        for at_ms in 1..=25 {
            save(&Subject { at_ms, ..subject() }, &[directory.path().to_owned()]).unwrap();
        }
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), MOST_REPORTS);
        assert!(left[0].to_str().unwrap().starts_with("stall-0000000000006-"));
    }

    #[test]
    fn node_writes_a_report_of_its_own_only_if_it_was_told_to() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(node_signal(&words(&["server.js"]), None), None);
        assert_eq!(node_signal(&words(&["--report-on-signal", "server.js"]), None), Signal::parse("USR2"));
        let options = OsStr::new("--report-on-signal --report-signal=SIGUSR1");
        assert_eq!(node_signal(&[], Some(options)), Signal::parse("USR1"));
    }
}
