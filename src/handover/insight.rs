//! What a Node worker finds out about itself when it is told to: a heap snapshot, a profile, a diagnostic report.
//!
//! The agent in the worker hears no more than a signal, and nobody reads the channel of a single worker. So what is wanted
//! stands in a file beside the agent, for a moment. It names another file, of the worker's user, that we have open as well: the
//! worker writes into it, and what it has written never passes through us. Both names are gone as soon as the worker has that file open.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::agent::Agent;
use super::messages::read::{LONGEST_TEXT, line};
use crate::process::Pid;
use crate::sys::inspect;

/// What is longer is no message of the agent's.
const LONGEST: usize = 4096;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All that is on the heap.
    Snapshot,
    /// Where the time goes.
    Cpu(Duration),
    /// Who takes memory.
    Heap(Duration),
    /// Node's diagnostic report.
    Report,
}

impl Wanted {
    /// How long the worker looks before it has anything to write.
    #[must_use]
    pub fn lasts(self) -> Duration {
        match self {
            Self::Cpu(time) | Self::Heap(time) => time,
            Self::Snapshot | Self::Report => Duration::ZERO,
        }
    }

    /// By which the tools that read such files know them.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Snapshot => "heapsnapshot",
            Self::Cpu(_) => "cpuprofile",
            Self::Heap(_) => "heapprofile",
            Self::Report => "json",
        }
    }

    /// As `insight.cjs` calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Cpu(_) => "cpu",
            Self::Heap(_) => "heap",
            Self::Report => "report",
        }
    }
}

/// Why a worker cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("there is no directory for the runtime's script")]
    NoPlace,
    #[error("cannot make a file for it in {}: {source}", .directories.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", "))]
    File {
        directories: Vec<PathBuf>,
        #[source]
        source: io::Error,
    },
    #[error("cannot tell the worker: {0}")]
    Order(#[source] io::Error),
}

/// What is laid out for a worker; it is told by a signal.
#[derive(Debug)]
pub struct Ordered {
    /// By which the worker speaks of it.
    pub id: String,
    /// What the worker writes into.
    pub file: File,
    pub names: Names,
}

/// The names of the files, which go with this.
#[derive(Debug, Default)]
pub struct Names(Vec<PathBuf>);

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.0 {
            // Who tidies such directories may have been here before us.
            let _gone = fs::remove_file(name);
        }
    }
}

#[derive(Serialize)]
struct Order<'a> {
    id: &'a str,
    what: &'static str,
    seconds: f64,
    file: &'a str,
}

/// Lays out for the worker `pid` what is wanted of it.
///
/// # Errors
/// When there is no place for the files.
pub fn order(agent: &Agent, pid: Pid, wanted: Wanted) -> Result<Ordered, OrderError> {
    let beside = agent.directory().ok_or(OrderError::NoPlace)?;
    let id = format!("{:016x}", RandomState::new().build_hasher().finish());
    let mut names = Names::default();
    let (path, file) = result_file(&agent.spacious(), &id, inspect::effective_user(pid))?;
    let written = path.to_str().map(str::to_owned);
    names.0.push(path);
    let written = written.ok_or(OrderError::NoPlace)?;
    let (what, seconds) = (wanted.word(), wanted.lasts().as_secs_f64());
    let text = serde_json::to_vec(&Order { id: &id, what, seconds, file: &written })
        .expect("a struct of strings and numbers is always JSON");
    let name = put_order(&beside, &id, pid, &text).map_err(OrderError::Order)?;
    names.0.push(name);
    Ok(Ordered { id, file, names })
}

/// A file that nobody but `user` and we can open, in the first of `directories` that takes it.
fn result_file(directories: &[PathBuf], id: &str, user: Option<u32>) -> Result<(PathBuf, File), OrderError> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for directory in directories.iter().filter(|directory| directory.to_str().is_some()) {
        let path = directory.join(format!(".pmr-insight-{id}"));
        match new_file(&path, user) {
            Ok(file) => return Ok((path, file)),
            Err(error) => last = error,
        }
    }
    Err(OrderError::File { directories: directories.to_vec(), source: last })
}

fn new_file(path: &Path, user: Option<u32>) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let own = file.metadata()?.uid();
    let given = match user.filter(|user| *user != own) {
        Some(user) => fchown(&file, Some(user), None),
        None => Ok(()),
    };
    if given.is_err() {
        // It is of no use to anybody; if even this fails, the directory is not ours to write in.
        let _gone = fs::remove_file(path);
    }
    given.map(|()| file)
}

/// There at once as a whole, since a question of somebody else's may have the worker look.
fn put_order(directory: &Path, id: &str, pid: Pid, text: &[u8]) -> io::Result<PathBuf> {
    let own = nix::unistd::geteuid().as_raw();
    let (draft, path) =
        (directory.join(format!(".pmr-order-{id}")), directory.join(format!("pmr-order-{own}-{pid}.json")));
    let written = write_readable(&draft, text).and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        let _gone = fs::remove_file(&draft);
    }
    written.map(|()| path)
}

fn write_readable(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(text)?;
    // The mode at creation is cut by our umask.
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// What a worker says of what it was told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub id: String,
    pub state: State,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has the file open.
    Begun,
    Done,
    /// In its words.
    Failed(String),
}

/// The news in a message of the agent; `None` where it is none.
#[must_use]
pub fn read(message: &RawValue) -> Option<News> {
    #[derive(Deserialize)]
    struct Message {
        insight: Insight,
    }
    #[derive(Deserialize)]
    struct Insight {
        id: String,
        state: String,
        why: Option<String>,
    }
    if message.get().len() > LONGEST {
        return None;
    }
    let Message { insight: Insight { id, state, why } } = serde_json::from_str(message.get()).ok()?;
    let state = match state.as_str() {
        "begun" => State::Begun,
        "done" => State::Done,
        "failed" => State::Failed(line(why.as_deref().unwrap_or("it does not say why"), LONGEST_TEXT)),
        _ => return None,
    };
    Some(News { id, state })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::handover::agent::Loader;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn me() -> Pid {
        Pid::new(i32::try_from(std::process::id()).unwrap())
    }

    #[test]
    fn what_is_laid_out_is_found_beside_the_agent_and_goes_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let agent = Agent::new(vec![directory.path().to_owned()], Loader::Node, None);
        agent.directory().unwrap();
        let scripts = names(directory.path());
        let Ordered { id, mut file, names: laid_out } =
            order(&agent, me(), Wanted::Cpu(Duration::from_millis(1500))).unwrap();
        let own = nix::unistd::geteuid().as_raw();
        let text = fs::read(directory.path().join(format!("pmr-order-{own}-{}.json", me()))).unwrap();
        let order: Value = serde_json::from_slice(&text).unwrap();
        let path = directory.path().join(format!(".pmr-insight-{id}"));
        let expected = json!({ "id": id, "what": "cpu", "seconds": 1.5, "file": path.to_str() });
        assert_eq!(order, expected);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(laid_out);
        assert_eq!(names(directory.path()), scripts);
        file.write_all(b"still ours").unwrap();
    }

    #[test]
    fn without_a_place_it_is_said_where_one_was_looked_for() {
        let agent = Agent::new(vec!["/missing/a".into()], Loader::Node, None);
        assert!(matches!(order(&agent, me(), Wanted::Report), Err(OrderError::NoPlace)));
        let error = result_file(&["/missing/a".into(), "/missing/b".into()], "x", None).unwrap_err();
        let said =
            "cannot make a file for it in /missing/a, /missing/b: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn what_a_worker_says_of_it_is_read() {
        let of = |insight: Value| {
            read(&serde_json::value::to_raw_value(&json!({ "cmd": "NODE_PMR", "insight": insight })).unwrap())
        };
        let news = |state| Some(News { id: "7".to_owned(), state });
        assert_eq!(of(json!({ "id": "7", "state": "begun" })), news(State::Begun));
        assert_eq!(of(json!({ "id": "7", "state": "done" })), news(State::Done));
        let failed = json!({ "id": "7", "state": "failed", "why": "no\u{1b}[2J room" });
        assert_eq!(of(failed), news(State::Failed("no [2J room".to_owned())));
        for other in [json!(null), json!({ "id": 7, "state": "done" }), json!({ "id": "7", "state": "odd" })]
        {
            assert_eq!(of(other.clone()), None, "{other}");
        }
        assert_eq!(of(json!({ "id": "x".repeat(LONGEST), "state": "done" })), None);
    }
}
