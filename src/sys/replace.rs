//! Another program in our place: the same process with the same children, and the descriptors that are kept for it.
#![expect(unsafe_code, reason = "takes one variable out of our environment")]

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{execve, pipe2};

use super::{descriptors, inherited};
use crate::process::Pid;

/// Tells the next program the descriptor of our state. It is taken out of its environment before anybody else sees it.
const VARIABLE: &str = "PMR_HANDOVER";

/// The argument by which a candidate is asked whether it can take over the state on its standard input.
pub const CHECK: &str = "--upgrade-check";

/// The name under which the kernel shows the file with our state.
const STATE: &CStr = c"pmr-state";

/// A file in memory with our state in it, read from its start.
///
/// # Errors
/// When the kernel has no such files, or no memory.
pub fn state_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    memory_file(STATE, bytes)
}

/// A file in memory with `bytes` in it, read from its start; `name` is for people who look at descriptors.
///
/// # Errors
/// When the kernel has no such files, or no memory.
pub fn memory_file(name: &CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Starts `program` with [`CHECK`] and `state` as its input. Its whole output comes through the returned pipe. It is an ordinary
/// child, which the reaper collects like any orphan.
///
/// # Errors
/// When it cannot be executed.
pub fn try_out(program: &Path, state: OwnedFd) -> io::Result<(Pid, OwnedFd)> {
    let (output, their_end) = pipe2(OFlag::O_CLOEXEC)?;
    let mut command = Command::new(program);
    command.arg(CHECK).process_group(0);
    command.stdin(state).stdout(their_end.try_clone()?).stderr(Stdio::from(their_end));
    let child = command.spawn()?;
    let pid = Pid::new(i32::try_from(child.id()).expect("a pid is a positive int"));
    Ok((pid, output))
}

/// Executes `program` in our place, with our own arguments and environment, and with descriptor `state` as its state. To be
/// called on the main thread, lest the workers' death signal strikes. Returns only if it failed; then nothing has changed.
#[must_use]
pub fn execute(program: &Path, state: RawFd) -> io::Error {
    let arguments: Vec<_> = std::env::args_os().map(c_string).collect();
    let mut environment: Vec<_> = std::env::vars_os().map(|(name, value)| entry(name, &value)).collect();
    environment.push(entry(VARIABLE.into(), OsStr::new(&state.to_string())));
    // So that the next program finds the limit that we have found, and raises it itself.
    let lowered = descriptors::given().is_some_and(|limit| limit.set().is_ok());
    let Err(errno) = execve(&c_string(program.as_os_str().to_owned()), &arguments, &environment);
    if lowered {
        // It was possible before.
        let _raised = descriptors::raise();
    }
    errno.into()
}

/// The state that the program before us in this process has left, if there was one. To be called first thing in `main`, before
/// there is any thread.
#[must_use]
pub fn take_state() -> Option<OwnedFd> {
    let number = std::env::var_os(VARIABLE)?;
    #[expect(clippy::disallowed_methods, reason = "it is no part of the environment, but a word to us alone")]
    // SAFETY: there is no other thread yet that could read the environment.
    unsafe {
        std::env::remove_var(VARIABLE);
    }
    let number: RawFd = number.to_str()?.parse().ok().filter(|&number| number > 2)?;
    inherited::take(number).ok().filter(is_memory_file)
}

/// Whoever sets the variable by hand shall not make us take some other descriptor for ours.
fn is_memory_file(descriptor: &OwnedFd) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
    // Without /proc there is nothing to compare with, and the file's content decides.
    link.map_or(true, |target| target.as_os_str().as_bytes().starts_with(b"/memfd:pmr-state"))
}

fn entry(name: OsString, value: &OsStr) -> CString {
    let mut joined = name;
    joined.push("=");
    joined.push(value);
    c_string(joined)
}

/// Arguments and environment come from the kernel as C strings, so they hold no NUL.
fn c_string(text: OsString) -> CString {
    let mut bytes = text.into_vec();
    if let Some(end) = bytes.iter().position(|&byte| byte == 0) {
        bytes.truncate(end);
    }
    CString::new(bytes).expect("the text was cut before its first NUL")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_memory_file_is_read_from_its_start() {
        let file = state_file(b"state").unwrap();
        assert!(is_memory_file(&file));
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "state");
    }

    #[test]
    fn what_cannot_be_executed_leaves_us_as_we_are() {
        let error = execute(Path::new("/nonexistent/pmr"), 0);
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
