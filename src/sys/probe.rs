//! Asking a program something by its output: it gets nothing to read, and ends with the answer's reader.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A program that answers. Dropping it ends the program and all that it has started.
#[derive(Debug)]
pub struct Probe(Child);

/// Starts `program` with one word. Its standard output is the answer.
///
/// # Errors
/// When there is no such program, or it cannot be executed.
pub fn start(program: &Path, word: &str) -> io::Result<(Probe, OwnedFd)> {
    let mut command = Command::new(program);
    command.arg(word).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((Probe(child), output.into()))
}

impl Drop for Probe {
    fn drop(&mut self) {
        // While we have not collected it, its number is nobody else's.
        if let (Ok(None), Ok(pid)) = (self.0.try_wait(), i32::try_from(self.0.id())) {
            let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
