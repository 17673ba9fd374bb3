//! Which runtime a client means: the one that was named, else the only one that answers.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::{Client, ClientError};
use super::find::find_all;
use super::place::{Candidate, Place, Surroundings};
use super::users;

/// Who lives answers in milliseconds; several may have to be asked, one after the other.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Why there is no runtime to talk to.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    #[error("no runtime is running here that you may talk to")]
    None,
    #[error("no runtime is running with its home at `{home}`")]
    NoneAt { home: String },
    #[error("{} runtimes are running here:{}", .found.len(), lines(.found))]
    Several { found: Vec<Found> },
    #[error("`{}` belongs to {owner}, and you may not talk to a runtime there", .path.display())]
    Denied { path: PathBuf, owner: String },
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ChooseError {
    /// Whether it is sure that nobody is there, so that a runtime may be begun.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::None | Self::NoneAt { .. })
    }
}

/// A living runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub place: Place,
    pub pid: i32,
    pub apps: Vec<String>,
}

/// Chooses among the runtimes that live in these surroundings.
///
/// # Errors
/// When there is none, or several are.
pub async fn choose(around: &Surroundings) -> Result<Client, ChooseError> {
    let candidates = around.for_client();
    let (mut living, mut obstacle) = (Vec::new(), None);
    for place in places(around, &candidates) {
        match visit(place).await {
            Ok(found) => living.extend(found),
            Err(error) => obstacle = obstacle.or(Some(error)),
        }
    }
    if living.len() > 1 {
        return Err(ChooseError::Several { found: living });
    }
    match living.pop() {
        Some(found) => Ok(Client::new(found.place)),
        None => Err(obstacle.or_else(|| closed(&candidates)).unwrap_or_else(|| nobody(around))),
    }
}

/// The place itself, where `--home` is the name of a socket in the abstract namespace.
fn places(around: &Surroundings, candidates: &[Candidate]) -> Vec<Place> {
    let home = around.home.as_deref().and_then(Path::to_str);
    match home.and_then(|home| home.strip_prefix('@')) {
        Some(name) => vec![Place::Abstract(name.to_owned())],
        None => find_all(candidates),
    }
}

/// Whether a runtime lives at `place`. An error where one seems to, but does not let itself be asked.
async fn visit(place: Place) -> Result<Option<Found>, ChooseError> {
    let client = Client::new(place.clone()).patient(ANSWER_WITHIN);
    match client.runtime().await {
        Ok(runtime) => {
            let apps = client.apps().await?.into_iter().map(|app| app.name).collect();
            Ok(Some(Found { place, pid: runtime.pid, apps }))
        }
        Err(ClientError::Connect { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(denied(&place))
        }
        // No socket, or one that a runtime left which has ended.
        Err(ClientError::Connect { .. }) => Ok(None),
        // What a stranger listens on in /tmp need not trouble anybody.
        Err(ClientError::Stranger { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn denied(place: &Place) -> ChooseError {
    let path = match place {
        Place::File(path) => path.clone(),
        Place::Abstract(name) => format!("@{name}").into(),
    };
    ChooseError::Denied { owner: owner(&path), path }
}

/// A directory that we may not look into.
fn closed(candidates: &[Candidate]) -> Option<ChooseError> {
    let closed = |candidate: &Candidate| {
        let (Candidate::Home(path) | Candidate::Directory(path)) = candidate else { return None };
        let error = path.read_dir().err()?;
        (error.kind() == io::ErrorKind::PermissionDenied)
            .then(|| ChooseError::Denied { owner: owner(path), path: path.clone() })
    };
    candidates.iter().find_map(closed)
}

fn nobody(around: &Surroundings) -> ChooseError {
    match &around.home {
        Some(home) => ChooseError::NoneAt { home: home.display().to_string() },
        None => ChooseError::None,
    }
}

/// Whose it is; where that may not be seen, whose the nearest directory above it is.
fn owner(path: &Path) -> String {
    let uid = path.ancestors().find_map(|path| path.symlink_metadata().ok()).map(|seen| seen.uid());
    uid.map_or_else(|| "another user".to_owned(), |uid| users::name_of(uid, &users::database()))
}

fn lines(found: &[Found]) -> String {
    let mut text = String::new();
    for Found { place, pid, apps } in found {
        let apps = if apps.is_empty() { "no apps".to_owned() } else { apps.join(", ") };
        let _infallible = write!(text, "\n  pid {pid}  {apps}  at {place}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn at(home: &Path) -> Surroundings {
        let home = Some(home.to_owned());
        Surroundings { home, runtime_directory: None, user_directory: None, uid: 1000, namespace: 7 }
    }

    #[tokio::test]
    async fn what_a_dead_runtime_has_left_is_nobody() {
        let home = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(home.path().join("pmr.sock")).unwrap());
        let error = choose(&at(home.path())).await.unwrap_err();
        assert!(error.is_nobody(), "{error:?}");
        assert!(error.to_string().contains(home.path().to_str().unwrap()), "{error}");
    }

    #[tokio::test]
    async fn a_socket_may_be_named_by_its_abstract_name() {
        let error = choose(&at(Path::new("@pmr-nobody"))).await.unwrap_err();
        assert!(error.is_nobody(), "{error:?}");
    }

    #[test]
    fn those_that_live_are_listed_with_what_tells_them_apart() {
        let found = |name: &str, pid, apps: &[&str]| Found {
            place: Place::Abstract(name.to_owned()),
            pid,
            apps: apps.iter().map(|&app| app.to_owned()).collect(),
        };
        let error = ChooseError::Several {
            found: vec![found("pmr-0-7", 7, &["web", "jobs"]), found("pmr-0-9", 9, &[])],
        };
        insta::assert_snapshot!(error, @r"
        2 runtimes are running here:
          pid 7  web, jobs  at @pmr-0-7
          pid 9  no apps  at @pmr-0-9
        ");
    }
}
