//! How a runtime is to be started: arguments, environment, surroundings.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::capture::Capture;
use super::processes::{self, MARK};
use super::runtime::Runtime;
use super::{fixtures, wait};

/// The binary under test: `PMR_TEST_BINARY`, a release build say, else the one that cargo built for these tests.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("PMR_TEST_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_pmr-runtime").into(), PathBuf::from)
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Collects how to start a runtime. The environment is empty but for what every Unix process has.
pub(crate) struct Launch {
    wrapper: Vec<OsString>,
    binary: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    stdin: Stdin,
    stdout: Stdout,
    identity: Identity,
    leftovers: Leftovers,
    home: TempDir,
    mark: String,
}

/// Where the runtime's input comes from.
enum Stdin {
    Null,
    Piped,
    Given(Stdio),
}

/// Who reads the runtime's standard output.
enum Stdout {
    Captured,
    /// The test itself, by [`Runtime::take_stdout`].
    Test,
    Given(Stdio),
}

/// Which process is the runtime.
#[derive(Clone, Copy)]
enum Identity {
    /// The one we spawned; a wrapper has become it by exec.
    Spawned,
    /// The only child of the one we spawned.
    Child,
}

/// What may be left when the runtime has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftovers {
    Forbidden,
    Expected,
}

impl Launch {
    /// `arguments` as they follow `pmr-runtime`.
    pub(crate) fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let home = tempfile::Builder::new().prefix("pmr-e2e-").tempdir().unwrap();
        let mark = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let launch = Self {
            wrapper: Vec::new(),
            binary: binary(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment: Vec::new(),
            directory: None,
            stdin: Stdin::Null,
            stdout: Stdout::Captured,
            identity: Identity::Spawned,
            leftovers: Leftovers::Forbidden,
            home,
            mark,
        };
        let home = launch.home.path().to_owned();
        let mark = launch.mark.clone();
        launch
            .env("PATH", fixtures::search_path())
            .env("PMR_HOME", home.join(".pmr"))
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env(MARK, mark)
            .env("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// Sets a variable of the runtime's environment.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self = self.without_env(&name);
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a variable out of the runtime's environment.
    pub(crate) fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name.as_ref());
        self
    }

    /// The port that the platform wants the app to listen on.
    pub(crate) fn port(self, port: u16) -> Self {
        self.env("PORT", port.to_string())
    }

    /// `WEB_CONCURRENCY`.
    pub(crate) fn workers(self, count: usize) -> Self {
        self.env("WEB_CONCURRENCY", count.to_string())
    }

    /// The directory that the runtime is started in; its own temporary one otherwise.
    pub(crate) fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// A program, with its arguments, that becomes the runtime by exec.
    pub(crate) fn through<S: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper.extend(wrapper.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Starts another file than the binary that cargo built: a copy of it inside another root.
    pub(crate) fn binary(mut self, path: impl AsRef<Path>) -> Self {
        self.binary = path.as_ref().to_owned();
        self
    }

    /// Makes the runtime process 1 of a new namespace. To be called before any other wrapper.
    pub(crate) fn process_one(mut self) -> Self {
        self.identity = Identity::Child;
        let flags: &[&str] = if processes::is_root() { &["-pf"] } else { &["-Urpf"] };
        self.through(["unshare"]).through(flags).through(["--mount-proc", "--kill-child"])
    }

    /// Gives the runtime a pipe to read from, see [`Runtime::take_stdin`].
    pub(crate) fn stdin_piped(mut self) -> Self {
        self.stdin = Stdin::Piped;
        self
    }

    pub(crate) fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = Stdin::Given(stdin);
        self
    }

    /// Leaves standard output to the test, see [`Runtime::take_stdout`].
    pub(crate) fn stdout_for_test(mut self) -> Self {
        self.stdout = Stdout::Test;
        self
    }

    pub(crate) fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = Stdout::Given(stdout);
        self
    }

    /// Processes may outlive the runtime; the test means them to.
    pub(crate) fn may_leave_processes(mut self) -> Self {
        self.leftovers = Leftovers::Expected;
        self
    }

    /// A directory of this launch, gone with it. It is `HOME`, and the working directory unless another was given.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything the runtime's environment will hold.
    pub(crate) fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn spawn(self) -> Runtime {
        let mut words = self.wrapper.clone();
        words.push(self.binary.clone().into());
        words.extend(self.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.as_deref().unwrap_or(self.home.path()));
        // Not for `setsid`, which must not lead a group already.
        if self.wrapper.first().is_none_or(|first| first != "setsid") {
            command.process_group(0);
        }
        command.stdin(match self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Piped => Stdio::piped(),
            Stdin::Given(stdio) => stdio,
        });
        let (stdout, keep) = match self.stdout {
            Stdout::Captured => (Stdio::piped(), false),
            Stdout::Test => (Stdio::piped(), true),
            Stdout::Given(stdio) => (stdio, true),
        };
        command.stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {words:?}: {error}"));
        drop(command);
        let stdout = if keep { None } else { child.stdout.take() };
        let stdout = stdout.map_or_else(Capture::empty, Capture::of);
        let stderr = child.stderr.take().map_or_else(Capture::empty, Capture::of);
        let spawned = i32::try_from(child.id()).unwrap();
        let pid = match self.identity {
            Identity::Spawned => spawned,
            Identity::Child => {
                wait::until("process 1 of the namespace", || {
                    // A short-lived one may be gone before we look: then there is nobody to signal either.
                    let gone = (!processes::is_alive(spawned)).then_some(spawned);
                    processes::children(spawned).into_iter().next().or(gone)
                })
            }
        };
        Runtime::new(child, pid, stdout, stderr, self.home, self.mark, self.leftovers)
    }
}
