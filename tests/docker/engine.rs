//! A Docker engine of the tests' own: its state, its socket and its processes live in one temporary directory and one
//! PID namespace, so that nothing outlives the test program, however it ends, and no other engine is touched.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use std::{env, fs, thread};

use tempfile::{TempDir, TempPath};

use crate::bases;
use crate::images;
use crate::wait::wait_until;

/// How long the engine may take until it answers.
const ENGINE_START: Duration = Duration::from_secs(60);

/// How long Docker waits for a container before it kills it.
const STOP_GRACE_SECONDS: &str = "--time=120";

/// Runs as PID 1 of the engine's namespace, with a /run of its own, and with the images in memory: they would take more
/// room than some machines have left. It ends with its standard input, which is a pipe from the test program: the kernel
/// then kills whatever is left in the namespace.
const KEEPER: &str = r#"mount -t tmpfs none /run && mount -t tmpfs none "$DATA" || exit
dockerd "$@" & engine=$!; read -r _; kill $engine; wait $engine"#;

/// A running engine that holds the images of `images`.
pub(crate) struct Engine {
    state: TempDir,
    keeper: Option<Child>,
}

/// A started container; removed when dropped.
pub(crate) struct Container {
    id: String,
    client: Client,
}

/// The command-line client, bound to the engine's socket.
#[derive(Clone)]
struct Client {
    socket: PathBuf,
}

/// The engine that the tests of this program share. None, after a line that says why, where none can be had.
///
/// It ends with the last test that holds it.
pub(crate) fn shared() -> Option<Arc<Engine>> {
    static CURRENT: Mutex<Weak<Engine>> = Mutex::new(Weak::new());
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = current.upgrade() {
        return Some(engine);
    }
    match Engine::start() {
        Ok(engine) => {
            let engine = Arc::new(engine);
            *current = Arc::downgrade(&engine);
            Some(engine)
        }
        Err(why) => {
            assert!(!must_run(), "no Docker engine: {why}");
            // Past the capture of the test's output: a test that did not run should be seen.
            let _ = writeln!(io::stderr(), "skipped, no Docker engine: {why}");
            None
        }
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn must_run() -> bool {
    is_root() && env::var_os("CI").is_some_and(|value| value == "true")
}

/// The directories on PATH and those that hold an administrator's programs, which not every PATH names.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

impl Engine {
    fn start() -> Result<Engine, String> {
        if !is_root() {
            return Err("starting one takes root (`sudo scripts/test`)".to_owned());
        }
        if !env::split_paths(&search_path()).any(|dir| dir.join("dockerd").is_file()) {
            return Err("`dockerd` is not installed (`scripts/setup` does)".to_owned());
        }
        let state = tempfile::tempdir().expect("a temporary directory can be made");
        let keeper = spawn_keeper(state.path())?;
        let engine = Engine { state, keeper: Some(keeper) };
        if !wait_until(ENGINE_START, || engine.client().output(&["version"]).status.success()) {
            return Err(format!("`dockerd` does not answer; its log ends:\n{}", engine.log_tail()));
        }
        images::make_all(&engine);
        Ok(engine)
    }

    fn client(&self) -> Client {
        Client { socket: self.state.path().join("socket") }
    }

    /// Runs `docker` with `arguments`; gives its standard output, trimmed, and fails the test if it fails.
    #[track_caller]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.client().run(arguments)
    }

    /// Makes an image of the directory `root`.
    #[track_caller]
    pub(crate) fn import(&self, root: &Path, image: &str) {
        let archive = self.archive();
        let archived = Command::new("tar").arg("-cf").arg(&*archive).arg("-C").arg(root).arg(".").output();
        let archived = archived.expect("`tar` can be run");
        assert!(archived.status.success(), "tar: {}", String::from_utf8_lossy(&archived.stderr));
        self.docker(&["import", &archive.to_string_lossy(), image]);
    }

    /// Starts a container in the background.
    #[track_caller]
    pub(crate) fn run(&self, options: &[&str], image: &str, command: &[&str]) -> Container {
        let id = self.docker(&[&["run", "--detach"], options, &[image], command].concat());
        Container { id, client: self.client() }
    }

    /// Runs the plugin `buildx`, which builds by the engine's BuildKit, with `arguments`.
    #[track_caller]
    pub(crate) fn buildx(&self, arguments: &[&str]) {
        let mut command = self.client().command(bases::tools().join("buildx/docker-buildx"), arguments);
        // What it remembers goes with the engine.
        succeed(command.env("DOCKER_CONFIG", self.state.path().join("client")));
    }

    /// The regular files of an image, but for those that Docker itself puts into every container.
    #[track_caller]
    pub(crate) fn files_of(&self, image: &str) -> Vec<String> {
        let listed =
            Command::new("tar").arg("-tf").arg(&*self.export(image)).output().expect("`tar` can be run");
        let listed = String::from_utf8(listed.stdout).expect("these names are text");
        let is_dockers = |name: &str| {
            ["etc/", "dev/", "proc/", "sys/", ".dockerenv"].iter().any(|own| name.starts_with(own))
        };
        listed.lines().filter(|name| !name.ends_with('/') && !is_dockers(name)).map(str::to_owned).collect()
    }

    /// What a file of an image holds.
    #[track_caller]
    pub(crate) fn read(&self, image: &str, file: &str) -> String {
        let read = Command::new("tar").arg("-xOf").arg(&*self.export(image)).arg(file).output();
        String::from_utf8(read.expect("`tar` can be run").stdout).expect("it is text")
    }

    /// An archive of all files of an image.
    #[track_caller]
    fn export(&self, image: &str) -> TempPath {
        let id = self.docker(&["create", image]);
        let archive = self.archive();
        self.docker(&["export", "--output", &archive.to_string_lossy(), &id]);
        self.docker(&["rm", &id]);
        archive
    }

    /// A file to be filled, which nobody else has: tests run at the same time.
    fn archive(&self) -> TempPath {
        let file = tempfile::Builder::new().suffix(".tar").tempfile_in(self.state.path());
        file.expect("the engine's directory takes a file").into_temp_path()
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.state.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        // Closes the pipe, which ends the keeper, and waits for it. A failure leaves nothing that could be mended here.
        let ended = keeper.wait_with_output();
        if ended.is_err() && !thread::panicking() {
            panic!("the engine could not be waited for: {ended:?}");
        }
    }
}

/// The storage driver: one that shares what images have in common, where the kernel can; else the one that works everywhere,
/// with a copy of everything for each step of a Dockerfile.
fn storage_driver() -> &'static str {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.ends_with("\toverlay")) { "overlay2" } else { "vfs" }
}

/// Starts the engine without network.
fn spawn_keeper(state: &Path) -> Result<Child, String> {
    let log = fs::File::create(state.join("log")).expect("a fresh directory takes a file");
    let log_too = log.try_clone().expect("a descriptor can be duplicated");
    let at = |name: &str| state.join(name).to_string_lossy().into_owned();
    fs::create_dir(at("data")).expect("a fresh directory takes a directory");
    Command::new("unshare")
        .env("PATH", search_path())
        .env("DATA", at("data"))
        .args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", KEEPER, "dockerd"])
        .args(["--storage-driver", storage_driver()])
        .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
        .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["--host", &format!("unix://{}", at("socket"))])
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(log_too)
        .spawn()
        .map_err(|error| format!("`unshare` cannot be run: {error}"))
}

impl Client {
    fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display())).args(arguments);
        // The classic builder needs no plugin and no second image.
        command.env("DOCKER_BUILDKIT", "0");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command("docker", arguments).output().expect("`docker` can be run")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command("docker", arguments))
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?} (`scripts/test` installs it): {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

impl Container {
    /// Stops it as `docker stop` does, with a grace so long that a test which needs it has failed: the call must come
    /// back within `limit`.
    #[track_caller]
    pub(crate) fn stop(&self, limit: Duration) {
        let stopping = {
            let (client, id) = (self.client.clone(), self.id.clone());
            thread::spawn(move || client.run(&["stop", STOP_GRACE_SECONDS, &id]))
        };
        let stopped = wait_until(limit, || stopping.is_finished());
        assert!(stopped, "`docker stop` took longer than {limit:?}; log:\n{}", self.logs());
        stopping.join().expect("`docker stop` succeeds");
    }

    /// One fact about it, by a template of `docker inspect`.
    #[track_caller]
    pub(crate) fn inspect(&self, template: &str) -> String {
        self.client.run(&["inspect", "--format", template, &self.id])
    }

    /// What a command prints that is run inside it, and must succeed.
    #[track_caller]
    pub(crate) fn exec(&self, command: &[&str]) -> String {
        self.client.run(&[&["exec", self.id.as_str()], command].concat())
    }

    /// All that it has printed so far, on both streams.
    pub(crate) fn logs(&self) -> String {
        let output = self.client.output(&["logs", &self.id]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A container that is gone already is what this wants.
        self.client.output(&["rm", "--force", &self.id]);
    }
}
