//! Starting a worker: what is to be executed, and what can go wrong.
//!
//! All of it is ours, and not std's: a failure names its stage, variables such as `LISTEN_PID` can have the child's own
//! pid, the program is the one that was looked up, and the child shares our memory until the exec, instead of a copy. Everything the child
//! needs is computed before: it allocates nothing, takes no lock and reads no environment.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access, pipe2};

use self::steps::Steps;
use super::filter::Filter;
use super::passing;
use crate::process::Pid;

mod child;
mod steps;

/// What is to be executed, and how.
#[derive(Debug)]
pub struct Order<'a> {
    pub program: &'a OsStr,
    pub arguments: &'a [OsString],
    /// All of the new process's environment.
    pub environment: &'a [(OsString, OsString)],
    pub directory: Option<&'a Path>,
    /// As whom, where not as ourselves.
    pub identity: Option<Identity<'a>>,
    pub stdin: Stdin,
    /// What it reads in place of that.
    pub input: Option<BorrowedFd<'a>>,
    pub output: Output,
    /// A descriptor that the worker gets as number 3.
    pub extra: Option<BorrowedFd<'a>>,
    /// Variables that join the environment with the new process's own pid as their value: `LISTEN_PID`, `WATCHDOG_PID`.
    pub own_pid: &'a [&'static str],
    pub filter: Option<Filter>,
    /// What the kernel is to count besides its memory when memory is used up; ours where there is none. See `sys::oom`.
    pub oom_score_adj: Option<i16>,
}

/// A user and groups, by their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub user: Option<u32>,
    pub group: u32,
    pub groups: &'a [u32],
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
    #[error("cannot execute `{program}`: it is a directory")]
    Directory { program: String },
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

/// The steps of the child, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Fork,
    Group,
    Terminal,
    Directory,
    Descriptors,
    Filter,
    Limits,
    Identity,
    Parent,
    Execute,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fork => "fork for",
            Self::Group => "make a process group for",
            Self::Identity => "take the user and the groups for",
            Self::Parent => "tie to our life",
            Self::Terminal => "hand the terminal to",
            Self::Directory => "change to the directory",
            Self::Descriptors => "place the descriptors of",
            Self::Filter => "filter",
            Self::Limits => "set the limits of",
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
            Self::Directory { .. } | Self::Stage { .. } | Self::Pipes { .. } => 126,
        }
    }

    /// The message with its causes, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::NotFound { .. } | Self::Directory { .. } => self.to_string(),
            Self::Stage { stage: Stage::Execute, errno: Errno::ENOENT, .. } => {
                format!(
                    "{self}: the interpreter named in its first line, or its dynamic loader, does not exist"
                )
            }
            Self::Stage { stage: Stage::Execute, errno: Errno::EACCES, .. } => {
                format!("{self}: permission denied (a program must be executable: `chmod +x` makes it so)")
            }
            Self::Stage { errno, .. } => format!("{self}: {}", errno.desc().to_lowercase()),
            Self::Pipes { source, .. } => format!("{self}: {source}"),
        }
    }
}

/// Starts the worker. To be called from the one thread that lives as long as the process: the worker is killed when
/// the thread that started it ends (PR_SET_PDEATHSIG).
///
/// # Errors
/// Says which stage failed; there is no process then.
pub fn spawn(order: Order<'_>) -> Result<Child, SpawnError> {
    let program = find(&order)?;
    let pipes_failed = |source| SpawnError::Pipes { program: program.display().to_string(), source };
    let stdin = match order.stdin {
        Stdin::Null => Some(nothing_to_read().map_err(pipes_failed)?),
        Stdin::Inherit | Stdin::Terminal => None,
    };
    let (out, err) = match order.output {
        Output::Inherit => (None, None),
        Output::Pipes => {
            (Some(output_pipe().map_err(pipes_failed)?), Some(output_pipe().map_err(pipes_failed)?))
        }
    };
    let (ours, theirs) = match order.filter {
        Some(_) => passing::pair().map(|(a, b)| (Some(a), Some(b))).map_err(pipes_failed)?,
        None => (None, None),
    };
    let raw = |fd: Option<&OwnedFd>| fd.map(AsRawFd::as_raw_fd);
    let write_end = |pipe: &Option<(OwnedFd, OwnedFd)>| raw(pipe.as_ref().map(|(_, write_end)| write_end));
    let input = order.input.as_ref().map(AsRawFd::as_raw_fd).or(raw(stdin.as_ref()));
    let streams = [input, write_end(&out), write_end(&err)];
    let mut steps = Steps::prepare(&program, &order, streams, raw(theirs.as_ref()));
    let dumps = order.identity.map(|_| Dumps::now());
    let started = child::start(&mut steps);
    drop(dumps);
    let pid = started.map_err(|failed| failure(failed, &program, order.directory))?;
    let listener = ours.map(|channel| passing::receive(&channel));
    let read_end = |pipe: Option<(OwnedFd, OwnedFd)>| pipe.map(|(read_end, _)| read_end);
    Ok(Child { pid, stdout: read_end(out), stderr: read_end(err), listener })
}

fn failure((stage, errno): (Stage, Errno), program: &Path, directory: Option<&Path>) -> SpawnError {
    let what = match (stage, directory) {
        (Stage::Directory, Some(directory)) => directory,
        _ => program,
    };
    SpawnError::Stage { stage, what: what.display().to_string(), errno }
}

/// Whether we may be looked into and leave a core, as it was. A child that changes its user while it shares our memory takes
/// that from us, too, which is right for as long as it does.
struct Dumps(bool);

impl Dumps {
    fn now() -> Self {
        Self(nix::sys::prctl::get_dumpable().unwrap_or(false))
    }
}

impl Drop for Dumps {
    fn drop(&mut self) {
        if self.0 {
            // It was so before, so it is allowed.
            let _restored = nix::sys::prctl::set_dumpable(true);
        }
    }
}

/// Only our end is non-blocking: a program may not expect it of its standard output.
fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = pipe2(OFlag::O_CLOEXEC)?;
    nix::fcntl::fcntl(read_end.as_fd(), nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((read_end, write_end))
}

/// /dev/null; in a root directory without it, a pipe that nobody writes to.
fn nothing_to_read() -> io::Result<OwnedFd> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(pipe2(OFlag::O_CLOEXEC)?.0),
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
        let seen = order.directory.unwrap_or(Path::new("")).join(&path);
        return match (seen.is_dir(), seen.exists()) {
            (true, _) => Err(SpawnError::Directory { program: shown() }),
            (false, true) => Ok(path),
            (false, false) => Err(SpawnError::NotFound { program: shown(), searched: "no such file" }),
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use nix::sys::signal::SigSet;

    use super::*;

    fn stage(stage: Stage, errno: Errno) -> SpawnError {
        SpawnError::Stage { stage, what: "./server".to_owned(), errno }
    }

    #[test]
    fn a_program_that_may_not_be_executed_is_told_with_the_remedy() {
        let told = stage(Stage::Execute, Errno::EACCES).describe();
        assert_eq!(
            told,
            "cannot execute `./server`: permission denied (a program must be executable: `chmod +x` makes it so)"
        );
        let told = stage(Stage::Directory, Errno::EACCES).describe();
        assert_eq!(told, "cannot change to the directory `./server`: permission denied");
    }

    fn order<'a>(program: &'a str, arguments: &'a [OsString], own_pid: &'a [&'static str]) -> Order<'a> {
        Order {
            program: OsStr::new(program),
            arguments,
            environment: &[],
            directory: None,
            identity: None,
            stdin: Stdin::Null,
            input: None,
            output: Output::Pipes,
            extra: None,
            own_pid,
            filter: None,
            oom_score_adj: None,
        }
    }

    #[test]
    fn the_child_is_told_its_pid_and_speaks_through_its_pipe() {
        let arguments = ["-c", "echo $$ $LISTEN_PID"].map(OsString::from);
        let child = spawn(order("/bin/sh", &arguments, &["LISTEN_PID"])).unwrap();
        let pid = nix::unistd::Pid::from_raw(child.pid.as_raw());
        assert_eq!(nix::sys::wait::waitpid(pid, None), Ok(nix::sys::wait::WaitStatus::Exited(pid, 0)));
        let mut said = String::new();
        File::from(child.stdout.unwrap()).read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("{pid} {pid}\n"));
    }

    #[test]
    fn the_child_has_the_oom_score_that_was_asked_for_and_we_keep_ours() {
        let ours =
            || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i16>().unwrap();
        let before = ours();
        let wanted = before.saturating_add(7).min(1000);
        let arguments = ["/proc/self/oom_score_adj"].map(OsString::from);
        let child = Order { oom_score_adj: Some(wanted), ..order("/bin/cat", &arguments, &[]) };
        let child = spawn(child).unwrap();
        let pid = nix::unistd::Pid::from_raw(child.pid.as_raw());
        assert_eq!(nix::sys::wait::waitpid(pid, None), Ok(nix::sys::wait::WaitStatus::Exited(pid, 0)));
        let mut said = String::new();
        File::from(child.stdout.unwrap()).read_to_string(&mut said).unwrap();
        assert_eq!((said.trim(), ours()), (wanted.to_string().as_str(), before));
    }

    #[test]
    fn a_child_that_cannot_be_executed_names_the_stage_and_leaves_our_signals_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let before = SigSet::thread_get_mask().unwrap();
        let error = spawn(order(script.to_str().unwrap(), &[], &[])).unwrap_err();
        assert!(
            matches!(error, SpawnError::Stage { stage: Stage::Execute, errno: Errno::ENOENT, .. }),
            "{error:?}"
        );
        assert_eq!(error.status(), 127);
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }

    #[test]
    fn a_directory_is_no_program() {
        let error = SpawnError::Directory { program: "./server".to_owned() };
        assert_eq!(
            (error.status(), error.describe()),
            (126, "cannot execute `./server`: it is a directory".to_owned())
        );
    }
}
