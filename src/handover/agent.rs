//! The agent: a small script that node workers load before the app, so that a stop signal does not cut off requests. Bun loads it to
//! report how it does.
//!
//! Node can only be handed a file, so it is written where we may write, readable for all: a worker that gives up its
//! rights must still be able to start other node processes. What lies there already is used only if it is ours, and
//! the same to the byte. More scripts lie beside it, which it loads when the app has started, or when somebody asks: what node reads
//! before the app delays it.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::bytes;

/// By their names. The last one, which is loaded, finds the others by its own.
const SCRIPTS: [(&str, &str); 5] = [
    ("drain", include_str!("drain.cjs")),
    ("reports", include_str!("reports.cjs")),
    ("meter", include_str!("meter.cjs")),
    ("insight", include_str!("insight.cjs")),
    ("agent", include_str!("agent.cjs")),
];

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
    /// Where the scripts were found or put last.
    #[serde(skip)]
    installed: RefCell<Option<Installed>>,
}

impl Agent {
    /// With nothing put anywhere yet; the arguments are the fields of the same names.
    #[must_use]
    pub fn new(directories: Vec<PathBuf>, loader: Loader, given: Option<OsString>) -> Self {
        Self { directories, loader, given, installed: RefCell::default() }
    }

    /// The value of the loader's variable for a worker that starts now; `None` where there is no place for the script. Looks each
    /// time, since such directories are tidied by others, and a script that is missing would end every worker at its start.
    #[must_use]
    pub fn options(&self) -> Option<OsString> {
        let script = self.script()?;
        let given = self.given.as_deref();
        match self.loader {
            Loader::Node => Some(node_options(given, &script)),
            Loader::Bun => bun_options(given, &script),
        }
    }

    /// Where the script is; `None` where there is no place for it.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        self.script()?.parent().map(Path::to_owned)
    }

    /// Whether the user has modules of his own loaded before the agent.
    #[must_use]
    pub fn comes_late(&self) -> bool {
        let given = self.given.as_deref().and_then(OsStr::to_str).unwrap_or_default();
        let preloads = |word: &str| word.starts_with("-r") || word.starts_with("--require");
        given.split_whitespace().any(|word| preloads(word.trim_start_matches('"')))
    }

    /// What was read once is not read again while it is the same file, untouched since.
    fn script(&self) -> Option<PathBuf> {
        let mut installed = self.installed.borrow_mut();
        if !installed.as_ref().is_some_and(Installed::is_untouched) {
            *installed = install(&self.directories).and_then(Installed::of);
        }
        installed.as_ref().map(|installed| installed.script().to_owned())
    }

    /// Where large files may be put, best first: disk before memory.
    #[must_use]
    pub fn spacious(&self) -> Vec<PathBuf> {
        let (memory, disk): (Vec<_>, Vec<_>) =
            self.directories.iter().cloned().partition(|directory| directory == Path::new(MEMORY));
        disk.into_iter().chain(memory).collect()
    }
}

/// The scripts, as they lay in their files when they were read.
#[derive(Debug, Clone)]
pub struct Installed {
    files: Files,
    marks: [Mark; SCRIPTS.len()],
}

type Files = [PathBuf; SCRIPTS.len()];

/// What changes with a file, whoever changes it: nobody sets the time of the last change of its inode. The kernel notes that in ticks of
/// some milliseconds (before Linux 6.13), so its length as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    file: (u64, u64),
    changed: (i64, i64),
    length: u64,
}

impl Installed {
    fn of(files: Files) -> Option<Self> {
        let marks = marks(&files).ok()?;
        Some(Self { files, marks })
    }

    /// The one that is loaded.
    fn script(&self) -> &Path {
        let [.., agent] = &self.files;
        agent
    }

    fn is_untouched(&self) -> bool {
        marks(&self.files).is_ok_and(|marks| marks == self.marks)
    }
}

fn marks(files: &Files) -> io::Result<[Mark; SCRIPTS.len()]> {
    let mut marks = [Mark::default(); SCRIPTS.len()];
    for (mark, file) in marks.iter_mut().zip(files) {
        let found = fs::symlink_metadata(file)?;
        let changed = (found.ctime(), found.ctime_nsec());
        *mark = Mark { file: (found.dev(), found.ino()), changed, length: found.len() };
    }
    Ok(marks)
}

/// Writes the scripts to the first of `directories` that takes them and returns their paths; `None` where none does.
fn install(directories: &[PathBuf]) -> Option<Files> {
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

fn install_in(directory: &Path) -> io::Result<Files> {
    let uid = nix::unistd::geteuid().as_raw();
    let files = SCRIPTS.map(|(name, _)| directory.join(format!("pmr-{name}-{FINGERPRINT:016x}-{uid}.cjs")));
    for (file, (name, script)) in files.iter().zip(SCRIPTS) {
        let draft = directory.join(format!(".pmr-{name}-{uid}-{}", std::process::id()));
        put(file, &draft, script, uid)?;
    }
    Ok(files)
}

fn put(path: &Path, draft: &Path, script: &str, uid: u32) -> io::Result<()> {
    if is_ours(path, script, uid)? {
        return Ok(());
    }
    let written = write_new(draft, script).and_then(|()| fs::rename(draft, path));
    if written.is_err() {
        // What is left of a draft is of no use to anybody; if even this fails, the directory is not ours to write in.
        let _gone = fs::remove_file(draft);
    }
    written
}

/// Names the scripts by what is in them, so that two builds of the runtime never replace each other's: FNV-1a, which the compiler
/// works out.
const FINGERPRINT: u64 = {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut script = 0;
    while script < SCRIPTS.len() {
        let text = SCRIPTS[script].1.as_bytes();
        // So that what moves from the end of one to the beginning of the next makes a difference.
        hash ^= text.len() as u64;
        let mut position = 0;
        while position < text.len() {
            hash = (hash ^ text[position] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            position += 1;
        }
        script += 1;
    }
    hash
};

/// Whether the very script lies there, in a file of our own. Never follows a link that somebody else has laid.
fn is_ours(path: &Path, script: &str, uid: u32) -> io::Result<bool> {
    let mut file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if found.uid() != uid || found.len() != script.len() as u64 {
        return Ok(false);
    }
    let mut text = vec![0; script.len()];
    Ok(file.read_exact(&mut text).is_ok() && text == script.as_bytes())
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

    fn agent_in(directory: &Path) -> Agent {
        Agent::new(vec![directory.to_owned()], Loader::Node, None)
    }

    #[test]
    fn the_script_is_written_once_and_then_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let files = install(&[directory.path().join("missing"), directory.path().to_owned()]).unwrap();
        for (file, (_, script)) in files.iter().zip(SCRIPTS) {
            assert_eq!(fs::read_to_string(file).unwrap(), script);
        }
        let before = marks(&files).unwrap();
        assert_eq!(install(&[directory.path().to_owned()]), Some(files.clone()));
        assert_eq!(marks(&files).unwrap(), before);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), SCRIPTS.len());
    }

    #[test]
    fn a_changed_script_is_replaced_and_a_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let agent = agent_in(directory.path());
        let path = agent.script().unwrap();
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, "throw 1").unwrap();
        assert_eq!(agent.script(), Some(path.clone()));
        assert_eq!(fs::read_to_string(&path).unwrap(), good);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(agent.script(), None);
    }

    #[test]
    fn a_script_that_was_tidied_away_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let agent = agent_in(directory.path());
        let options = agent.options().unwrap();
        let scripts = || fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        scripts().for_each(|script| fs::remove_file(script).unwrap());
        assert_eq!(agent.options(), Some(options));
        assert_eq!(scripts().count(), SCRIPTS.len());
    }

    #[test]
    fn what_is_large_is_put_on_a_disk_where_there_is_one() {
        let directories = directories(Some(OsStr::new("/scratch")));
        let agent = Agent::new(directories, Loader::Node, None);
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
    fn modules_that_the_user_has_loaded_are_loaded_before_the_agent() {
        let late = |given: &str| Agent::new(vec![], Loader::Node, Some(given.into())).comes_late();
        for given in ["-r ./a.js", "--enable-source-maps --require a", "--require=a", "\"--require\" a"] {
            assert!(late(given), "{given}");
        }
        assert!(!late("--max-old-space-size=400 --import ./a.mjs"));
        assert!(!agent_in(Path::new("/tmp")).comes_late());
    }

    #[test]
    fn the_users_node_options_come_first() {
        let options = node_options(Some(OsStr::new("--enable-source-maps")), Path::new("/a b/x.cjs"));
        assert_eq!(options, "--enable-source-maps --require \"/a b/x.cjs\"");
        assert_eq!(node_options(None, Path::new("/x.cjs")), "--require \"/x.cjs\"");
    }
}
