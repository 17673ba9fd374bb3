//! A short-lived program that answers in one line, while its output goes to our standard error.
//!
//! It answers on its descriptor 0, which nothing else writes to: it is the only one beside its outputs that std hands over
//! without a moment in which other children could inherit it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The line, without its end.
    Line(Vec<u8>),
    /// It ended without one.
    Ended(ExitStatus),
    TimedOut,
}

/// Runs `program` in `directory` with `words` and with our environment. It is killed as soon as it has answered, or has been
/// silent for `limit`. To be called only while nobody else collects children.
///
/// # Errors
/// When it cannot be executed.
pub fn run(program: &Path, words: &[OsString], directory: &Path, limit: Duration) -> io::Result<Outcome> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    // The command ends with the statement, and our copy of the child's end with it.
    let mut child = Command::new(program)
        .args(words)
        .current_dir(directory)
        .stdin(theirs)
        .stdout(io::stderr().as_fd().try_clone_to_owned()?)
        .spawn()?;
    let line = read_line(ours, limit);
    let status = end(&mut child)?;
    Ok(match line? {
        Some(line) if line.ends_with(b"\n") => Outcome::Line(line[..line.len() - 1].to_vec()),
        Some(_) => Outcome::Ended(status),
        None => Outcome::TimedOut,
    })
}

/// All up to the end of a line or of the file; `None` after `limit` of silence.
fn read_line(from: OwnedFd, limit: Duration) -> io::Result<Option<Vec<u8>>> {
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let (mut file, mut line, mut chunk) = (File::from(from), Vec::new(), [0; 8192]);
    // What the program has started itself may keep the descriptor open.
    while !line.ends_with(b"\n") {
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match file.read(&mut chunk)? {
            0 => break,
            count => line.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(Some(line))
}

#[expect(clippy::disallowed_methods, reason = "the reaper is not there yet, or never comes in this process")]
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    // Without an answer it has closed the descriptor, which mostly means that it is about to end.
    if let Ok(pid) = i32::try_from(child.id()) {
        let _gone_already = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        run(Path::new("/bin/sh"), &["-c".into(), script.into()], Path::new("/"), limit).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_line_is_all_that_comes() {
        assert_eq!(shell("echo noise >/dev/null; echo answer >&0", LONG), Outcome::Line(b"answer".to_vec()));
    }

    #[test]
    fn who_has_answered_need_not_end() {
        assert_eq!(shell("echo answer >&0; exec sleep 1000", LONG), Outcome::Line(b"answer".to_vec()));
    }

    #[test]
    fn who_ends_without_an_answer_is_told_from_who_is_silent() {
        assert!(matches!(shell("exit 3", LONG), Outcome::Ended(_)));
        assert_eq!(shell("exec sleep 1000", Duration::from_millis(50)), Outcome::TimedOut);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(run(Path::new("/nowhere"), &[], Path::new("/"), LONG).is_err());
    }
}
