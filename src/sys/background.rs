//! Starting a process that goes on without us: in a session of its own, with a file for its output.
#![expect(unsafe_code, reason = "std runs our step in the child only on our word that it is safe there")]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Such a process, while we are still there to look at it.
#[derive(Debug)]
pub struct Background(Child);

/// Starts `program` in `directory`, with our environment, nothing to read, and `output` for all it says. No terminal and
/// no signal of a shell reaches it.
///
/// # Errors
/// When there is no such program, or it cannot be executed.
pub fn start(
    program: &Path,
    arguments: &[&OsStr],
    directory: &Path,
    output: &File,
) -> io::Result<Background> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    // SAFETY: `setsid` is async-signal-safe, and allocates nothing; a child that was just forked leads no group, so that
    // it cannot fail.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
    command.spawn().map(Background)
}

impl Background {
    /// How it ended, if it has.
    ///
    /// # Errors
    /// When somebody else has collected it.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn it_leads_a_session_of_its_own_and_reads_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let output = File::create(&path).unwrap();
        let script = "cat; cut -d ' ' -f 1,6 /proc/$$/stat; pwd; echo over >&2; exit 3";
        let words = [OsStr::new("-c"), OsStr::new(script)];
        let mut process = start(Path::new("/bin/sh"), &words, directory.path(), &output).unwrap();
        let status = loop {
            if let Some(status) = process.ended().unwrap() {
                break status;
            }
            std::thread::yield_now();
        };
        assert_eq!(status.code(), Some(3));
        let mut text = String::new();
        File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let (pid, session) = lines[0].split_once(' ').unwrap();
        assert_eq!(pid, session);
        assert_eq!(lines[1..], [directory.path().canonicalize().unwrap().to_str().unwrap(), "over"]);
    }
}
