//! Starting a worker: everything between fork and exec.
//!
//! std forks and reports a failure; the steps of the child, the exec included, are ours, so that a failure names its
//! stage, `LISTEN_PID` can be the child's own, and the program is the one that was looked up. Everything the child needs
//! is computed before the fork: it allocates nothing, takes no lock and reads no environment.
#![expect(unsafe_code, reason = "the steps between fork and exec are raw system calls")]

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access, pipe2};

use super::filter::Filter;
use super::{low_fds, passing};
use crate::process::{Pid, Signal};

/// What is to be executed, and how.
#[derive(Debug)]
pub struct Order<'a> {
    pub program: &'a OsStr,
    pub arguments: &'a [OsString],
    /// All of the new process's environment.
    pub environment: &'a [(OsString, OsString)],
    pub directory: Option<&'a Path>,
    pub stdin: Stdin,
    pub output: Output,
    /// A descriptor that the worker gets as number 3.
    pub extra: Option<BorrowedFd<'a>>,
    /// Whether `LISTEN_PID` with the new process's own pid joins the environment.
    pub listen_pid: ListenPid,
    pub filter: Option<Filter>,
}

/// What the worker reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    Inherit,
    /// Ours, a terminal, in whose foreground the worker is put.
    Terminal,
    Null,
}

/// Where the worker's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Inherit,
    /// Two pipes, whose read ends are non-blocking.
    Pipes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenPid {
    Set,
    Unset,
}

/// A worker whose program is being executed. It leads its own process group.
#[derive(Debug)]
pub struct Child {
    pub pid: Pid,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The listener of its filter, or why it has none.
    pub listener: Option<Result<OwnedFd, Errno>>,
}

/// What could not be done for a worker to start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("cannot find `{program}`: {searched}")]
    NotFound { program: String, searched: &'static str },
    #[error("cannot {stage} `{what}`")]
    Stage {
        stage: Stage,
        what: String,
        #[source]
        errno: Errno,
    },
    #[error("cannot make the pipes for `{program}`")]
    Pipes {
        program: String,
        #[source]
        source: io::Error,
    },
}

/// The steps of the child, in their order. The number travels with the errno through std's pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    Fork = 0,
    Group,
    Parent,
    Terminal,
    Directory,
    Descriptors,
    Filter,
    Execute,
}

impl Stage {
    const ALL: [Self; 8] = [
        Self::Fork,
        Self::Group,
        Self::Parent,
        Self::Terminal,
        Self::Directory,
        Self::Descriptors,
        Self::Filter,
        Self::Execute,
    ];

    /// Stage and errno in one positive int, which std carries from the child to us.
    fn pack(self, errno: Errno) -> io::Error {
        io::Error::from_raw_os_error((self as i32) << 16 | errno as i32)
    }

    fn unpack(error: &io::Error) -> (Self, Errno) {
        let packed = error.raw_os_error().unwrap_or(libc::EIO);
        let stage = usize::try_from(packed >> 16).ok().and_then(|n| Self::ALL.get(n)).copied();
        (stage.unwrap_or(Self::Fork), Errno::from_raw(packed & 0xffff))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fork => "fork for",
            Self::Group => "make a process group for",
            Self::Parent => "tie to our life",
            Self::Terminal => "hand the terminal to",
            Self::Directory => "change to the directory",
            Self::Descriptors => "place the descriptors of",
            Self::Filter => "filter",
            Self::Execute => "execute",
        })
    }
}

impl SpawnError {
    /// The exit status that a shell gives for it: 127 not found, 126 for all else.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::Stage { stage: Stage::Execute, errno: Errno::ENOENT, .. } => 127,
            Self::Stage { .. } | Self::Pipes { .. } => 126,
        }
    }

    /// The message with its causes, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::NotFound { .. } => self.to_string(),
            Self::Stage { stage: Stage::Execute, errno: Errno::ENOENT, .. } => {
                format!(
                    "{self}: the interpreter named in its first line, or its dynamic loader, does not exist"
                )
            }
            Self::Stage { errno, .. } => format!("{self}: {}", errno.desc().to_lowercase()),
            Self::Pipes { source, .. } => format!("{self}: {source}"),
        }
    }
}

/// Starts the worker. To be called from the one thread that lives as long as the process: the worker is killed when
/// the thread that forked it ends (PR_SET_PDEATHSIG).
///
/// # Errors
/// Says which stage failed; there is no process then.
pub fn spawn(order: Order<'_>) -> Result<Child, SpawnError> {
    let program = find(&order)?;
    let pipes_failed = |source| SpawnError::Pipes { program: program.display().to_string(), source };
    let mut command = Command::new(&program);
    command.stdin(match order.stdin {
        Stdin::Null => nothing_to_read().map_err(pipes_failed)?,
        Stdin::Inherit | Stdin::Terminal => Stdio::inherit(),
    });
    let (stdout, stderr) = match order.output {
        Output::Inherit => (None, None),
        Output::Pipes => {
            let (out, out_end) = output_pipe().map_err(pipes_failed)?;
            let (err, err_end) = output_pipe().map_err(pipes_failed)?;
            command.stdout(out_end).stderr(err_end);
            (Some(out), Some(err))
        }
    };
    let (ours, theirs) = match order.filter {
        Some(_) => passing::pair().map(|(a, b)| (Some(a), Some(b))).map_err(pipes_failed)?,
        None => (None, None),
    };
    let mut child = Steps::prepare(&program, &order, theirs.as_ref().map(AsRawFd::as_raw_fd));
    // SAFETY: `Steps::run` makes async-signal-safe calls only; see its parts.
    unsafe { command.pre_exec(move || child.run()) };
    let spawned = command.spawn().map_err(|error| failure(&error, &program, order.directory))?;
    drop(theirs);
    let pid = Pid::new(i32::try_from(spawned.id()).expect("a pid is a positive int"));
    let listener = ours.map(|channel| passing::receive(&channel));
    Ok(Child { pid, stdout, stderr, listener })
}

fn failure(error: &io::Error, program: &Path, directory: Option<&Path>) -> SpawnError {
    let (stage, errno) = Stage::unpack(error);
    let what = match (stage, directory) {
        (Stage::Directory, Some(directory)) => directory,
        _ => program,
    };
    SpawnError::Stage { stage, what: what.display().to_string(), errno }
}

/// Only our end is non-blocking: a program may not expect it of its standard output.
fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = pipe2(OFlag::O_CLOEXEC)?;
    nix::fcntl::fcntl(read_end.as_fd(), nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((read_end, write_end))
}

/// /dev/null; in a root directory without it, a pipe that nobody writes to.
fn nothing_to_read() -> io::Result<Stdio> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(pipe2(OFlag::O_CLOEXEC)?.0.into()),
    }
}

/// Looks the program up as execvp(3) does, in the PATH of the environment that it will get and from the directory that
/// it will start in.
fn find(order: &Order<'_>) -> Result<PathBuf, SpawnError> {
    let program = order.program;
    let shown = || program.to_string_lossy().into_owned();
    if program.is_empty() {
        return Err(SpawnError::NotFound { program: shown(), searched: "the name is empty" });
    }
    if program.as_bytes().contains(&b'/') {
        let path = PathBuf::from(program);
        return match order.directory.unwrap_or(Path::new("")).join(&path).exists() {
            true => Ok(path),
            false => Err(SpawnError::NotFound { program: shown(), searched: "no such file" }),
        };
    }
    let path = order.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/bin:/usr/bin"));
    let candidates = || std::env::split_paths(path).map(|directory| directory.join(program));
    let runnable = |path: &PathBuf| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    // Like a shell, prefer saying "not executable" of a file that is there over "not found".
    let found = candidates().find(runnable).or_else(|| candidates().find(|path| path.is_file()));
    found.ok_or_else(|| SpawnError::NotFound { program: shown(), searched: "no such program in PATH" })
}

/// What the child does, with everything it needs at hand.
struct Steps {
    program: CString,
    arguments: CStrings,
    /// For a script without `#!` line, which the kernel refuses and execvp(3) gives to the shell.
    shell_arguments: CStrings,
    environment: CStrings,
    /// Where in `environment` the digits of `LISTEN_PID` go.
    listen_pid: Option<usize>,
    directory: Option<CString>,
    terminal: bool,
    extra: Option<RawFd>,
    filter: Option<(Filter, RawFd)>,
    parent: i32,
}

/// Room for any pid; what it does not need is cut off.
const LISTEN_PID: &[u8] = b"LISTEN_PID=0000000000";
const DIGITS_AT: usize = "LISTEN_PID=".len();

impl Steps {
    fn prepare(program: &Path, order: &Order<'_>, channel: Option<RawFd>) -> Self {
        let path = program.as_os_str();
        let arguments = || order.arguments.iter().map(OsString::as_os_str);
        let mut entries: Vec<OsString> =
            order.environment.iter().map(|(name, value)| entry(name, value)).collect();
        let listen_pid = (order.listen_pid == ListenPid::Set).then_some(entries.len());
        if listen_pid.is_some() {
            entries.push(OsStr::from_bytes(LISTEN_PID).to_owned());
        }
        Self {
            program: c_string(path),
            arguments: CStrings::new([order.program].into_iter().chain(arguments())),
            shell_arguments: CStrings::new([OsStr::new("/bin/sh"), path].into_iter().chain(arguments())),
            environment: CStrings::new(entries.iter().map(OsString::as_os_str)),
            listen_pid,
            directory: order.directory.map(|directory| c_string(directory.as_os_str())),
            terminal: order.stdin == Stdin::Terminal,
            extra: order.extra.map(|fd| fd.as_raw_fd()),
            filter: order.filter.zip(channel),
            parent: i32::try_from(std::process::id()).expect("a pid is a positive int"),
        }
    }

    /// Runs in the child. Returns only if something failed.
    fn run(&mut self) -> io::Result<()> {
        step(Stage::Group, lead_a_group)?;
        step(Stage::Parent, || self.die_with_parent())?;
        step(Stage::Terminal, || self.take_terminal())?;
        reset_signals();
        step(Stage::Directory, || self.change_directory())?;
        step(Stage::Descriptors, || self.place_descriptors())?;
        step(Stage::Filter, || self.install_filter())?;
        self.write_listen_pid();
        Err(Stage::Execute.pack(self.execute()))
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

    fn change_directory(&self) -> Result<i32, Errno> {
        match &self.directory {
            // SAFETY: the string ends in NUL and outlives the call.
            Some(directory) => Errno::result(unsafe { libc::chdir(directory.as_ptr()) }),
            None => Ok(0),
        }
    }

    /// dup2(2) makes a descriptor that survives the exec, unlike every other one of ours.
    fn place_descriptors(&self) -> Result<i32, Errno> {
        match self.extra {
            // SAFETY: dup2(2) on a descriptor that the order borrows; the target number is reserved for it (`low_fds`).
            Some(fd) => Errno::result(unsafe { libc::dup2(fd, low_fds::FIRST) }),
            None => Ok(0),
        }
    }

    /// A filter that is refused is not the end of the worker: the parent is told the errno instead.
    fn install_filter(&self) -> Result<i32, Errno> {
        let Some((filter, channel)) = self.filter else { return Ok(0) };
        passing::send(channel, filter.install())?;
        Ok(0)
    }

    /// Writes our pid, which only the child knows, without leading zeros.
    fn write_listen_pid(&mut self) {
        let Some(index) = self.listen_pid else { return };
        // SAFETY: getpid(2) cannot fail.
        let pid = unsafe { libc::getpid() };
        let digits = &mut self.environment.bytes_mut(index)[DIGITS_AT..];
        let count = pid.ilog10() as usize + 1;
        let mut rest = pid;
        for place in digits[..count].iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits[count] = 0;
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

fn step(stage: Stage, action: impl FnOnce() -> Result<i32, Errno>) -> io::Result<()> {
    action().map(drop).map_err(|errno| stage.pack(errno))
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

// SAFETY: the pointers lead into `strings`, which move along with them and are not reallocated.
unsafe impl Send for CStrings {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for CStrings {}

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
