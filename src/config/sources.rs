//! The only door to the world for `config`, but for `accounts`: the environment, files, PATH, the CPUs, signs of a container.
//!
//! Reads once, at start; decides nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::accounts;
use super::cgroup::{self, Limits};
use super::interpreter::{self, Found};
use super::package::Files;
use super::raw::Invocation;
use super::resolve::{ResolveError, World, resolve};
use super::settings::Settings;
use super::sizing::Cpus;
use crate::sys::executable::own_path;

/// Files that container engines leave in a container: Docker, Podman.
const CONTAINER_SIGNS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// No longer `#!` line is accepted by the kernel.
const HEAD_BYTES: usize = 256;
/// Far more than a package.json has, or what the kernel tells in a file.
const MOST_OF_A_FILE: u64 = 1 << 20;

/// Where the C library looks for programs when PATH is unset.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What the process finds around itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    environment: BTreeMap<OsString, OsString>,
    /// From where relative paths are seen; from our own directory where `None`.
    directory: Option<PathBuf>,
    limits: Limits,
    affinity: NonZeroU32,
    container: bool,
    on_terminal: bool,
    executable: Option<PathBuf>,
}

impl Sources {
    /// Reads the surroundings of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            directory: None,
            limits: cgroup::limits(&read_at_once),
            affinity: cpus_by_affinity().unwrap_or_else(cpus_by_library),
            container: std::process::id() == 1 || CONTAINER_SIGNS.iter().any(|path| Path::new(path).exists()),
            on_terminal: std::io::stdout().is_terminal(),
            executable: own_path(),
        }
    }

    /// The same machine, measured anew, with another's environment and directory.
    #[must_use]
    pub fn for_another(&self, environment: BTreeMap<OsString, OsString>, directory: PathBuf) -> Self {
        Self {
            environment,
            directory: Some(directory),
            limits: cgroup::limits(&read_at_once),
            affinity: cpus_by_affinity().unwrap_or(self.affinity),
            container: self.container,
            on_terminal: self.on_terminal,
            executable: self.executable.clone(),
        }
    }

    /// Where the file lay that we were started from, by then.
    #[must_use]
    pub fn executable(&self) -> Option<&Path> {
        self.executable.as_deref()
    }

    /// How many CPUs' time we may use, by affinity and quota.
    #[must_use]
    pub fn cpu_time(&self) -> f64 {
        Cpus { affinity: self.affinity, quota: self.limits.cpu }.time()
    }

    /// CPUs that we may use, by affinity and quota.
    #[must_use]
    pub fn cpus(&self) -> NonZeroU32 {
        Cpus { affinity: self.affinity, quota: self.limits.cpu }.count()
    }

    /// A path as the one who named it sees it.
    fn seen_from(&self, path: &Path) -> PathBuf {
        self.directory.as_deref().unwrap_or(Path::new("")).join(path)
    }

    /// The directory of the one who asks; the root where ours was removed under us.
    fn here(&self) -> PathBuf {
        let ours = || std::env::current_dir().unwrap_or_else(|_removed| PathBuf::from("/"));
        self.directory.clone().unwrap_or_else(ours)
    }

    /// The environment as we were given it.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<OsString, OsString> {
        &self.environment
    }

    /// What the cgroups allow us, and where OOM kills are counted.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A path as the app sees it: from the directory of `--cwd`, else of PMR_CWD, else our own.
    fn seen_by_app(&self, cwd: Option<&Path>, path: &Path) -> PathBuf {
        let variable = self.environment.get(OsStr::new("PMR_CWD")).map(Path::new);
        self.seen_from(cwd.or(variable).unwrap_or(Path::new(""))).join(path)
    }

    /// Whether `path` is a file, as the app sees it.
    #[must_use]
    pub fn is_file(&self, cwd: Option<&Path>, path: &Path) -> bool {
        self.seen_by_app(cwd, path).is_file()
    }

    /// What there is at `path`, as the app sees it.
    #[must_use]
    pub fn look(&self, cwd: Option<&Path>, path: &Path) -> Found {
        look(&self.seen_by_app(cwd, path))
    }

    /// Whether a directory of PATH has an executable file called `name`.
    #[must_use]
    pub fn in_path(&self, name: &OsStr) -> bool {
        find_in_path(self.environment.get(OsStr::new("PATH")).map(OsString::as_os_str), name).is_some()
    }

    /// Resolves `invocation` with what was found.
    ///
    /// # Errors
    /// See [`resolve`].
    pub fn resolve(&self, invocation: Invocation) -> Result<Settings, ResolveError> {
        let mut settings = resolve(
            invocation,
            World {
                environment: self.environment.clone(),
                affinity: self.affinity,
                quota: self.limits.cpu,
                memory_limit: self.limits.memory,
                ends_together: self.limits.ends_together,
                container: self.container,
                on_terminal: self.on_terminal,
                in_path: &|name| self.in_path(name),
                is_file: &|cwd, path| self.is_file(cwd, path),
                head: &|cwd, path| head(&self.seen_by_app(cwd, path)),
                is_directory: &|path| self.seen_from(path).is_dir(),
                accounts: accounts::of_this_machine(),
                here: &|| self.here(),
                files: Files {
                    read: &read_beginning,
                    real: &|path| path.canonicalize().ok(),
                    find: &|path, name| find_in_path(Some(path), name),
                },
            },
        )?;
        let command = &mut settings.app.command;
        if let Some(directory) = &command.directory {
            tell_directory(&mut command.environment, &self.seen_from(directory));
        }
        if self.directory.is_some() {
            let given = command.directory.take();
            command.directory =
                given.map_or_else(|| self.directory.clone(), |given| Some(self.seen_from(&given)));
        }
        Ok(settings)
    }
}

/// What there is at `path`.
pub(crate) fn look(path: &Path) -> Found {
    if !path.is_file() {
        return Found::Nothing;
    }
    let has_extension = interpreter::candidates(path).is_some() || interpreter::is_configuration(path);
    let is_for_node = || head(path).is_some_and(|head| interpreter::of_content(&head).is_some());
    if !has_extension && is_for_node() { Found::NodeScript } else { Found::File }
}

fn head(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    File::open(path).ok()?.take(HEAD_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What is no file, or cannot be read, is not there.
fn read_beginning(path: &Path) -> Option<Vec<u8>> {
    // Looked at first, lest a pipe be waited for.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    File::open(path).ok()?.take(MOST_OF_A_FILE).read_to_end(&mut content).ok()?;
    Some(content)
}

/// A shell leaves its own directory in PWD, and there are programs that believe it.
fn tell_directory(environment: &mut BTreeMap<OsString, OsString>, directory: &Path) {
    if let Some(told) = environment.get_mut(OsStr::new("PWD"))
        && let Ok(path) = directory.canonicalize()
    {
        *told = path.into();
    }
}

/// The files of /proc and /sys do not say how long they are, and with a bound to its reading the library does not ask. With room for all but
/// the longest from the start, one is read in two calls.
fn read_at_once(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(8 << 10);
    File::open(path).ok()?.take(MOST_OF_A_FILE).read_to_end(&mut content).ok()?;
    Some(content)
}

/// How many CPUs we may be scheduled on. `None` with more of them than a `cpu_set_t` can name.
fn cpus_by_affinity() -> Option<NonZeroU32> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let count = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).count();
    NonZeroU32::new(u32::try_from(count).ok()?)
}

/// The library finds out by other ways as well, but reads the cgroup again for its own idea of a quota, and takes its time.
fn cpus_by_library() -> NonZeroU32 {
    u32::try_from(num_cpus::get()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// The first executable file called `name` in the directories of PATH, or of what the C library takes for it.
pub(crate) fn find_in_path(path: Option<&OsStr>, name: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.as_encoded_bytes().contains(&b'/') {
        return None;
    }
    let mut candidates =
        std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH))).map(|directory| directory.join(name));
    candidates.find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::raw::Flags;

    fn sources(variables: &[(&str, &OsStr)]) -> Sources {
        Sources {
            environment: variables.iter().map(|(name, value)| (name.into(), (*value).into())).collect(),
            directory: None,
            limits: Limits::default(),
            affinity: NonZeroU32::MIN,
            container: false,
            on_terminal: false,
            executable: None,
        }
    }

    #[test]
    fn where_a_shell_has_set_pwd_it_names_the_directory_of_the_app() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().canonicalize().unwrap().join("inner");
        fs::create_dir(&inner).unwrap();
        let told = |variables: &[(&str, &OsStr)], cwd: Option<&str>| {
            let sources = Sources { directory: Some(directory.path().to_owned()), ..sources(variables) };
            let flags = Flags { cwd: cwd.map(Into::into), ..Flags::default() };
            let (command, arguments) = ("true".into(), Vec::new());
            let invocation = Invocation { flags, command, arguments, start: false };
            let settings = sources.resolve(invocation).unwrap();
            settings.app.command.environment.get(OsStr::new("PWD")).cloned()
        };
        let given: &[(&str, &OsStr)] = &[("PWD", OsStr::new("/srv"))];
        assert_eq!(told(given, Some("./inner")), Some(inner.into()));
        assert_eq!(told(given, None), Some("/srv".into()));
        assert_eq!(told(&[], Some("inner")), None);
    }

    #[test]
    fn only_an_executable_file_is_found_in_path() {
        let directory = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        for (name, mode) in [("tool", 0o755), ("data", 0o644)] {
            let path = other.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(other.path().join("folder")).unwrap();
        let path = std::env::join_paths([directory.path(), other.path()]).unwrap();
        let sources = sources(&[("PATH", &path)]);
        let found = |name: &str| sources.in_path(OsStr::new(name));
        assert!(found("tool"));
        for name in ["data", "folder", "missing", "", "./tool"] {
            assert!(!found(name), "{name}");
        }
    }

    #[test]
    fn without_path_the_shell_is_still_found() {
        assert!(sources(&[]).in_path(OsStr::new("sh")));
    }

    #[test]
    fn a_file_is_seen_from_the_apps_directory() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("server.js"), "").unwrap();
        let here = Path::new("server.js");
        assert!(sources(&[]).is_file(Some(directory.path()), here));
        assert!(sources(&[]).is_file(None, &directory.path().join(here)));
        assert!(!sources(&[]).is_file(None, here));
        assert!(!sources(&[]).is_file(None, directory.path()), "a directory is no file");
        let by_variable = sources(&[("PMR_CWD", directory.path().as_os_str())]);
        assert!(by_variable.is_file(None, here));
        assert!(!by_variable.is_file(Some(Path::new("/")), here));
    }

    #[test]
    fn this_process_can_be_read_and_resolved() {
        let sources = Sources::of_this_process();
        assert_eq!(sources.environment().len(), std::env::vars_os().count());
        let flags = Flags { instances: Some("max".into()), ..Flags::default() };
        let invocation = Invocation { flags, command: "true".into(), arguments: Vec::new(), start: false };
        let settings = sources.resolve(invocation).unwrap();
        assert_eq!(settings.app.instances, settings.cpus);
    }
}
