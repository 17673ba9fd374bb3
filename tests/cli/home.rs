//! A directory with a runtime's home, apps, and the command `pmr` in it. What runs there ends with the value.

use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::capture::Capture;
use crate::support::launch::{Launch, binary};
use crate::support::processes::{self, MARK};
use crate::support::runtime::Runtime;
use crate::support::{fixtures, signals, wait};

/// A server that tells a line on each output when it is sent SIGUSR2.
pub(crate) const SERVER: &str = "\
const me = process.env.NODE_APP_INSTANCE;
process.on('SIGUSR2', () => { console.log('a word of ' + me); console.error('a sigh of ' + me); });
require('http').createServer((_, r) => r.end()).listen(0, () => console.log('it listens'));
";

/// A value in the environment of every app that must not be seen by chance.
pub(crate) const SECRET: &str = "sesame";

static COUNTER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Home {
    directory: TempDir,
    mark: String,
}

impl Home {
    /// With `server.js` in it, and nothing running.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-cli-").tempdir().unwrap();
        let mark = format!("{}-cli-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let home = Self { directory, mark };
        std::fs::create_dir(home.path().join("bin")).unwrap();
        symlink(binary(), home.program("pmr")).unwrap();
        symlink(binary(), home.program("pmr-runtime")).unwrap();
        home.write("server.js", SERVER);
        home
    }

    /// With `web`, so many instances of `server.js`, in the background.
    #[track_caller]
    pub(crate) fn with_web(instances: u32) -> Self {
        let home = Self::new();
        home.pmr(0, &["start", "server.js", "-i", &instances.to_string(), "--name", "web"]);
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The home of the runtime.
    pub(crate) fn of_runtime(&self) -> PathBuf {
        self.path().join("home")
    }

    /// The executable under one of its names.
    fn program(&self, name: &str) -> PathBuf {
        self.path().join("bin").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// A file of the runtime's home.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.of_runtime().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The variables of everything that runs here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, std::ffi::OsString)> {
        let mut path = std::ffi::OsString::from(self.path().join("bin"));
        path.push(":");
        path.push(fixtures::search_path());
        vec![
            ("PATH", path),
            ("PMR_HOME", self.of_runtime().into()),
            ("HOME", self.path().into()),
            ("LANG", "C.UTF-8".into()),
            ("API_TOKEN", SECRET.into()),
            (MARK, self.mark.clone().into()),
        ]
    }

    /// A command line that begins with `name`, one of the executable's.
    pub(crate) fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.program(name));
        command.args(words).current_dir(self.path()).env_clear().envs(self.environment());
        command.stdin(Stdio::null());
        command
    }

    /// What `pmr WORDS` prints: its result, and what it tells beside that. It must end with `status`.
    #[track_caller]
    pub(crate) fn both(&self, status: i32, words: &[&str]) -> (String, String) {
        outputs(&self.command("pmr", words).output().unwrap(), status, words)
    }

    /// The result of `pmr WORDS`; where it fails, what it tells as well.
    #[track_caller]
    pub(crate) fn pmr(&self, status: i32, words: &[&str]) -> String {
        let (result, told) = self.both(status, words);
        if status == 0 { result } else { result + &told }
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        self.json_of(0, words)
    }

    /// As [`Home::json`], of what ends with `status`.
    #[track_caller]
    pub(crate) fn json_of(&self, status: i32, words: &[&str]) -> Value {
        serde_json::from_str(&self.both(status, words).0).unwrap()
    }

    /// The process ids of an app's workers.
    #[track_caller]
    pub(crate) fn pids(&self, app: &str) -> Vec<i64> {
        let pids = self.json(&["pid", app, "--json"]);
        pids.as_array().unwrap().iter().map(|pid| pid.as_i64().unwrap()).collect()
    }

    /// How many processes there are that were started here.
    pub(crate) fn processes(&self) -> usize {
        processes::marked(&self.mark).len()
    }

    /// A runtime in the foreground with this home.
    #[track_caller]
    pub(crate) fn foreground(&self, words: &[&str]) -> Runtime {
        let launch = Launch::new(words).directory(self.path()).env("PMR_HOME", self.of_runtime());
        let runtime = launch.env("API_TOKEN", SECRET).spawn();
        runtime.until_ready(1);
        runtime
    }

    /// `pmr WORDS`, which goes on until it is told to end.
    #[track_caller]
    pub(crate) fn follow(&self, words: &[&str]) -> Following {
        let mut command = self.command("pmr", words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Capture::of(child.stdout.take().unwrap());
        let err = Capture::of(child.stderr.take().unwrap());
        Following { child, out, err }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mark = self.mark.clone();
        // Once more as long as there are some: one may have been about to fork.
        let gone = wait::within(wait::DEADLINE, || {
            let left = processes::marked(&mark);
            for &pid in &left {
                processes::signal(pid, signals::KILL);
            }
            left.is_empty().then_some(())
        });
        assert!(gone.is_some() || std::thread::panicking(), "processes of the test cannot be killed");
    }
}

/// What a command printed, which must have ended with `status`.
#[track_caller]
pub(crate) fn outputs(output: &Output, status: i32, words: &[&str]) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{words:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

/// A command that goes on.
pub(crate) struct Following {
    child: Child,
    pub(crate) out: Capture,
    pub(crate) err: Capture,
}

impl Following {
    /// Waits until it has printed `part`.
    #[track_caller]
    pub(crate) fn until_shows(&self, part: &str) {
        let found = self.out.wait(wait::DEADLINE, |text| text.contains(part).then_some(()));
        assert!(found.is_some(), "never printed `{part}`:\n{}\n{}", self.out.tail(), self.err.tail());
    }

    /// Its exit status, once it has ended and all that it printed was read: the code, or 128 and the signal that ended it.
    #[track_caller]
    pub(crate) fn status(&mut self) -> i32 {
        let status = wait::until("the end of the command", || self.child.try_wait().unwrap());
        for output in [&self.out, &self.err] {
            assert!(output.wait_closed(wait::DEADLINE), "an output stays open\n{}", output.tail());
        }
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }

    /// Ends it. Not by SIGINT, which is ignored where the tests themselves run in the background of a shell.
    #[track_caller]
    pub(crate) fn end(&mut self) -> i32 {
        processes::signal(self.child.id().try_into().unwrap(), signals::TERM);
        self.status()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
