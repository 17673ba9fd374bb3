//! The agent: a small script that node workers load before the app, so that a stop signal does not cut off requests. Bun loads it to
//! report how it does.
//!
//! Node can only be handed a file, so it is written where we may write, readable for all: a worker that gives up its
//! rights must still be able to start other node processes. What lies there already is used only if it is ours, and
//! the same to the byte. Two more scripts lie beside it, which measure and look inside; the first loads them when somebody asks.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::bytes;

const SCRIPT: &str = include_str!("agent.cjs");
const METER: &str = include_str!("meter.cjs");
const INSIGHT: &str = include_str!("insight.cjs");

/// A file system in memory, on whatever machine.
const MEMORY: &str = "/dev/shm";

/// What loads the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Loader {
    #[default]
    Node,
    /// It has no use for it but to report how it does.
    Bun,
}

impl Loader {
    /// The variable from which it takes options beside those of its command line.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Node => "NODE_OPTIONS",
            Self::Bun => "BUN_OPTIONS",
        }
    }
}

/// What is needed to load the agent into each new worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Agent {
    /// Where the script may be put, best first.
    #[serde(with = "bytes::list")]
    pub directories: Vec<PathBuf>,
    #[serde(default)]
    pub loader: Loader,
    /// The loader's variable as the user has set it.
    #[serde(with = "bytes::option")]
    pub given: Option<OsString>,
}

impl Agent {
    /// The value of the loader's variable for a worker that starts now; `None` where there is no place for the script. Looks each
    /// time, since such directories are tidied by others, and a script that is missing would end every worker at its start.
    #[must_use]
    pub fn options(&self) -> Option<OsString> {
        let script = install(&self.directories)?;
        let given = self.given.as_deref();
        match self.loader {
            Loader::Node => Some(node_options(given, &script)),
            Loader::Bun => bun_options(given, &script),
        }
    }

    /// Where the script is; `None` where there is no place for it.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        install(&self.directories)?.parent().map(Path::to_owned)
    }

    /// Where large files may be put, best first: disk before memory.
    #[must_use]
    pub fn spacious(&self) -> Vec<PathBuf> {
        let (memory, disk): (Vec<_>, Vec<_>) =
            self.directories.iter().cloned().partition(|directory| directory == Path::new(MEMORY));
        disk.into_iter().chain(memory).collect()
    }
}

/// Writes the script to the first of `directories` that takes it and returns its path; `None` where none does.
fn install(directories: &[PathBuf]) -> Option<PathBuf> {
    directories.iter().find_map(|directory| install_in(directory).ok())
}

/// Where to try: memory before disk, so that a read-only root with the usual /dev/shm will do.
#[must_use]
pub fn directories(temporary: Option<&OsStr>) -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from(MEMORY)];
    all.extend(temporary.map(PathBuf::from));
    all.extend(["/tmp", "/run", "/var/tmp"].map(PathBuf::from));
    all
}

/// The value of NODE_OPTIONS that loads the agent after what the user loads.
fn node_options(given: Option<&OsStr>, script: &Path) -> OsString {
    let mut options = given.map(OsStr::to_owned).unwrap_or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push("--require \"");
    options.push(script.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\""));
    options.push("\"");
    options
}

/// The same for BUN_OPTIONS. Bun knows no quotes there, so a script whose path would need them cannot be loaded.
fn bun_options(given: Option<&OsStr>, script: &Path) -> Option<OsString> {
    let path =
        script.to_str().filter(|path| !path.contains(|c: char| c.is_whitespace() || "\"'\\".contains(c)))?;
    let mut options = given.map(OsStr::to_owned).unwrap_or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push("--preload=");
    options.push(path);
    Some(options)
}

fn install_in(directory: &Path) -> io::Result<PathBuf> {
    // This one finds the others by its name.
    put(directory, "meter", METER)?;
    put(directory, "insight", INSIGHT)?;
    put(directory, "agent", SCRIPT)
}

fn put(directory: &Path, name: &str, script: &str) -> io::Result<PathBuf> {
    let uid = nix::unistd::geteuid().as_raw();
    let path = directory.join(format!("pmr-{name}-{:016x}-{uid}.cjs", fingerprint()));
    if is_ours(&path, script, uid)? {
        return Ok(path);
    }
    let draft = directory.join(format!(".pmr-{name}-{uid}-{}", std::process::id()));
    let written = write_new(&draft, script).and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        // What is left of a draft is of no use to anybody; if even this fails, the directory is not ours to write in.
        let _gone = fs::remove_file(&draft);
    }
    written.map(|()| path)
}

/// Names the scripts by what is in them, so that two builds of the runtime never replace each other's.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    (SCRIPT, METER, INSIGHT).hash(&mut hasher);
    hasher.finish()
}

/// Whether the very script lies there, in a file of our own. Never follows a link that somebody else has laid.
fn is_ours(path: &Path, script: &str, uid: u32) -> io::Result<bool> {
    let mut file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let readable = file.read_to_string(&mut text).is_ok();
    Ok(readable && text == script && file.metadata()?.uid() == uid)
}

fn write_new(path: &Path, script: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(script.as_bytes())?;
    // The mode at creation is cut by our umask, but others must be able to read.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_written_once_and_then_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = install(&[directory.path().join("missing"), directory.path().to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), SCRIPT);
        let before = fs::metadata(&path).unwrap().ino();
        assert_eq!(install(&[directory.path().to_owned()]), Some(path.clone()));
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_changed_script_is_replaced_and_a_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = install(&[directory.path().to_owned()]).unwrap();
        fs::write(&path, "throw 1").unwrap();
        install(&[directory.path().to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), SCRIPT);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(install(&[directory.path().to_owned()]), None);
    }

    #[test]
    fn a_script_that_was_tidied_away_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let agent =
            Agent { directories: vec![directory.path().to_owned()], loader: Loader::Node, given: None };
        let options = agent.options().unwrap();
        let scripts = || fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        scripts().for_each(|script| fs::remove_file(script).unwrap());
        assert_eq!(agent.options(), Some(options));
        assert_eq!(scripts().count(), 3);
    }

    #[test]
    fn what_is_large_is_put_on_a_disk_where_there_is_one() {
        let directories = directories(Some(OsStr::new("/scratch")));
        let agent = Agent { directories, loader: Loader::Node, given: None };
        let expected = ["/scratch", "/tmp", "/run", "/var/tmp", "/dev/shm"].map(PathBuf::from);
        assert_eq!(agent.spacious(), expected);
    }

    #[test]
    fn the_users_options_for_bun_come_first_and_what_bun_cannot_read_is_not_said() {
        let options = bun_options(Some(OsStr::new("--smol")), Path::new("/x.cjs"));
        assert_eq!(options, Some("--smol --preload=/x.cjs".into()));
        assert_eq!(bun_options(None, Path::new("/x.cjs")), Some("--preload=/x.cjs".into()));
        assert_eq!(bun_options(None, Path::new("/a b/x.cjs")), None);
    }

    #[test]
    fn the_users_node_options_come_first() {
        let options = node_options(Some(OsStr::new("--enable-source-maps")), Path::new("/a b/x.cjs"));
        assert_eq!(options, "--enable-source-maps --require \"/a b/x.cjs\"");
        assert_eq!(node_options(None, Path::new("/x.cjs")), "--require \"/x.cjs\"");
    }
}
