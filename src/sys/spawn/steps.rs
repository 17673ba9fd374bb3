//! What the child does between its birth and its exec, with everything it needs at hand.
//!
//! It allocates nothing, takes no lock, reads no environment, and makes async-signal-safe calls only. What it writes to
//! memory, it writes to ours.
#![expect(unsafe_code, reason = "the steps before the exec are raw system calls")]

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::errno::Errno;

use super::{Order, Stage, Stdin};
use crate::process::Signal;
use crate::sys::descriptors::{self, Limit};
use crate::sys::filter::Filter;
use crate::sys::{low_fds, passing};

/// The steps, prepared beforehand.
pub(super) struct Steps {
    program: CString,
    arguments: CStrings,
    /// For a script without `#!` line, which the kernel refuses and execvp(3) gives to the shell.
    shell_arguments: CStrings,
    environment: CStrings,
    /// Which strings of `environment` get our pid as their value, and where in them its digits go.
    own_pid: Vec<(usize, usize)>,
    directory: Option<CString>,
    identity: Option<Identity>,
    terminal: bool,
    /// What becomes its standard input, output and error; ours stay where there is none.
    streams: [Option<RawFd>; 3],
    extra: Option<RawFd>,
    filter: Option<(Filter, RawFd)>,
    descriptors: Option<Limit>,
    /// In digits.
    oom_score_adj: Option<Vec<u8>>,
    parent: i32,
}

/// As whom the program runs.
struct Identity {
    user: Option<u32>,
    group: u32,
    groups: Vec<u32>,
}

/// Room for any pid; what it does not need is cut off.
const ANY_PID: &str = "0000000000";

impl Steps {
    pub(super) fn prepare(
        program: &Path,
        order: &Order<'_>,
        streams: [Option<RawFd>; 3],
        channel: Option<RawFd>,
    ) -> Self {
        let path = program.as_os_str();
        let arguments = || order.arguments.iter().map(OsString::as_os_str);
        let is_own = |name: &OsStr| order.own_pid.iter().any(|own| name == *own);
        let given = order.environment.iter().filter(|(name, _)| !is_own(name));
        let mut entries: Vec<OsString> = given.map(|(name, value)| entry(name, value)).collect();
        let own_pid =
            (entries.len()..).zip(order.own_pid).map(|(index, name)| (index, name.len() + 1)).collect();
        entries.extend(order.own_pid.iter().map(|name| entry(OsStr::new(name), OsStr::new(ANY_PID))));
        Self {
            program: c_string(path),
            arguments: CStrings::new([order.program].into_iter().chain(arguments())),
            shell_arguments: CStrings::new([OsStr::new("/bin/sh"), path].into_iter().chain(arguments())),
            environment: CStrings::new(entries.iter().map(OsString::as_os_str)),
            own_pid,
            directory: order.directory.map(|directory| c_string(directory.as_os_str())),
            identity: order.identity.map(|it| Identity {
                user: it.user,
                group: it.group,
                groups: it.groups.to_vec(),
            }),
            terminal: order.stdin == Stdin::Terminal,
            streams,
            extra: order.extra.map(|fd| fd.as_raw_fd()),
            filter: order.filter.zip(channel),
            descriptors: descriptors::given(),
            oom_score_adj: order.oom_score_adj.map(|it| it.to_string().into_bytes()),
            parent: i32::try_from(std::process::id()).expect("a pid is a positive int"),
        }
    }

    /// Runs in the child. Returns only if something failed.
    pub(super) fn run(&mut self) -> (Stage, Errno) {
        match self.prepare_exec() {
            Ok(()) => (Stage::Execute, self.execute()),
            Err(failure) => failure,
        }
    }

    fn prepare_exec(&mut self) -> Result<(), (Stage, Errno)> {
        step(Stage::Group, lead_a_group)?;
        step(Stage::Terminal, || self.take_terminal())?;
        reset_signals();
        step(Stage::Directory, || self.change_directory())?;
        step(Stage::Descriptors, || self.place_descriptors())?;
        step(Stage::Filter, || self.install_filter())?;
        self.adjust_oom_score();
        step(Stage::Limits, || self.limit_descriptors())?;
        step(Stage::Identity, || self.take_identity())?;
        // The kernel forgets it when the user changes.
        step(Stage::Parent, || self.die_with_parent())?;
        self.write_own_pid();
        Ok(())
    }

    /// The worker is not to outlive us. If we were gone before the call, nobody would tell it, so look.
    fn die_with_parent(&self) -> Result<i32, Errno> {
        // SAFETY: prctl(2) with plain integers.
        let done = Errno::result(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) });
        // SAFETY: getppid(2) cannot fail.
        if unsafe { libc::getppid() } == self.parent { done } else { Err(Errno::ESRCH) }
    }

    fn take_terminal(&self) -> Result<i32, Errno> {
        if !self.terminal {
            return Ok(0);
        }
        // A process outside the foreground is stopped by SIGTTOU for this call, unless it ignores it.
        // SAFETY: signal(2) and tcsetpgrp(3) take plain integers.
        unsafe {
            libc::signal(libc::SIGTTOU, libc::SIG_IGN);
            Errno::result(libc::tcsetpgrp(0, libc::getpid()))
        }
    }

    /// As late as can be: from here on the other user may send us signals, while we still have the runtime's memory (which it
    /// cannot look into: the kernel forbids that of a process that has changed its user). The groups come first, as a mere user
    /// may not change them. By the kernel's own calls: the C library's would have all threads of
    /// the process follow, and those that it finds in our memory are not the child's.
    fn take_identity(&self) -> Result<i32, Errno> {
        let Some(Identity { user, group, groups }) = &self.identity else { return Ok(0) };
        // SAFETY: setgroups(2) reads as many numbers as it is told, which are there and outlive the call.
        Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
        // SAFETY: setgid(2) takes a plain integer.
        Errno::result(unsafe { libc::syscall(libc::SYS_setgid, libc::c_long::from(*group)) })?;
        if let Some(user) = user {
            // SAFETY: setuid(2) takes a plain integer.
            Errno::result(unsafe { libc::syscall(libc::SYS_setuid, libc::c_long::from(*user)) })?;
        }
        Ok(0)
    }

    fn change_directory(&self) -> Result<i32, Errno> {
        match &self.directory {
            // SAFETY: the string ends in NUL and outlives the call.
            Some(directory) => Errno::result(unsafe { libc::chdir(directory.as_ptr()) }),
            None => Ok(0),
        }
    }

    /// dup2(2) makes a descriptor that survives the exec, unlike every other one of ours. None of ours has such a number:
    /// they are taken from the start (`low_fds`).
    fn place_descriptors(&self) -> Result<i32, Errno> {
        let streams = self.streams.iter().copied().zip(0..);
        for (fd, number) in streams.chain([(self.extra, low_fds::FIRST)]) {
            if let Some(fd) = fd {
                // SAFETY: dup2(2) on a descriptor that whoever prepared us holds open.
                Errno::result(unsafe { libc::dup2(fd, number) })?;
            }
        }
        Ok(0)
    }

    /// A filter that is refused is not the end of the worker: the parent is told the errno instead.
    fn install_filter(&self) -> Result<i32, Errno> {
        let Some((filter, channel)) = self.filter else { return Ok(0) };
        passing::send(channel, filter.install())?;
        Ok(0)
    }

    /// Before the user changes, since the file would not be ours any more. The kernel knows that we share our memory with our parent
    /// for the time being, and leaves the parent alone. Without it a worker is as good as with it, so a refusal is no failure.
    fn adjust_oom_score(&self) {
        let Some(digits) = &self.oom_score_adj else { return };
        // SAFETY: open(2), write(2) and close(2): the name ends in NUL, and as many bytes are read as there are.
        unsafe {
            let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if file >= 0 {
                libc::write(file, digits.as_ptr().cast(), digits.len());
                libc::close(file);
            }
        }
    }

    /// After all that needs descriptors: until the exec the child has all of ours.
    fn limit_descriptors(&self) -> Result<i32, Errno> {
        self.descriptors.map_or(Ok(()), Limit::set).map(|()| 0)
    }

    /// Writes our pid, which only the child knows, without leading zeros.
    fn write_own_pid(&mut self) {
        // SAFETY: getpid(2) cannot fail.
        let pid = unsafe { libc::getpid() };
        let count = pid.ilog10() as usize + 1;
        for &(index, digits_at) in &self.own_pid {
            let digits = &mut self.environment.bytes_mut(index)[digits_at..];
            let mut rest = pid;
            for place in digits[..count].iter_mut().rev() {
                *place = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            digits[count] = 0;
        }
    }

    fn execute(&self) -> Errno {
        // SAFETY: all strings end in NUL, both arrays in a null pointer, and they outlive the call.
        unsafe { libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr()) };
        let refused = Errno::last();
        if refused == Errno::ENOEXEC {
            // SAFETY: as above.
            unsafe {
                libc::execve(c"/bin/sh".as_ptr(), self.shell_arguments.as_ptr(), self.environment.as_ptr())
            };
        }
        refused
    }
}

fn lead_a_group() -> Result<i32, Errno> {
    // SAFETY: setpgid(2) with plain integers.
    Errno::result(unsafe { libc::setpgid(0, 0) })
}

fn step(stage: Stage, action: impl FnOnce() -> Result<i32, Errno>) -> Result<(), (Stage, Errno)> {
    action().map(drop).map_err(|errno| (stage, errno))
}

/// Default dispositions for all signals and an empty mask, whatever we or the platform have set. Two numbers cannot be
/// set and two belong to the C library; their refusal is expected.
fn reset_signals() {
    for number in 1..=i32::from(Signal::MAX) {
        // SAFETY: signal(2) takes plain integers; SIG_DFL is always valid.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero sigset_t is made valid by sigemptyset(3) before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn entry(name: &OsStr, value: &OsStr) -> OsString {
    let mut joined = name.to_owned();
    joined.push("=");
    joined.push(value);
    joined
}

/// Arguments and environment come from the kernel as C strings, so they hold no NUL; one made up by a caller is cut there.
fn c_string(text: &OsStr) -> CString {
    let bytes = text.to_owned().into_vec();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("the string was cut before its first NUL")
}

/// Strings with the null-terminated array of pointers to them that execve(2) wants.
struct CStrings {
    strings: Vec<Vec<u8>>,
    pointers: Vec<*const libc::c_char>,
}

impl CStrings {
    fn new<'a>(texts: impl Iterator<Item = &'a OsStr>) -> Self {
        let strings: Vec<Vec<u8>> = texts.map(|text| c_string(text).into_bytes_with_nul()).collect();
        let mut pointers: Vec<*const libc::c_char> =
            strings.iter().map(|bytes| bytes.as_ptr().cast()).collect();
        pointers.push(std::ptr::null());
        Self { strings, pointers }
    }

    fn as_ptr(&self) -> *const *const libc::c_char {
        self.pointers.as_ptr()
    }

    /// The bytes of one string, with its NUL.
    fn bytes_mut(&mut self, index: usize) -> &mut [u8] {
        &mut self.strings[index]
    }
}
