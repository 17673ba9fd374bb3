//! Puts the control socket where others cannot touch it, and takes it away at the end.
//!
//! A directory is ours when it belongs to us and only we may write to it. Nothing is believed of what lies in /tmp: a
//! link there is not followed, a directory of somebody else is passed over.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_to, connect, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};

use super::place::{Candidate, Place};

const OWNER_ONLY: u32 = 0o600;
/// How many clients may wait for us. As many as we answer at a time.
const BACKLOG: i32 = 64;

/// Why a place is not fit for the socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("no place for the control socket: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Nowhere(Vec<BindError>),
    #[error("cannot use `{}`", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("`{}` {what}", path.display())]
    NotOurs { path: PathBuf, what: &'static str },
    #[error("cannot bind `{place}`")]
    Socket { place: Place, source: io::Error },
}

/// The socket, bound and listening. Its file goes when [`Bound::remove`] is called, not before: an update of the runtime
/// in place hands both on.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    pub place: Place,
    /// Device and inode of the file.
    file: Option<(u64, u64)>,
}

impl Bound {
    /// A socket that was bound by the runtime before us, at `place`.
    #[must_use]
    pub fn adopt(listener: OwnedFd, place: Place) -> Self {
        let file = match &place {
            Place::File(path) => file_id(path),
            Place::Abstract(_) => None,
        };
        Self { listener: listener.into(), place, file }
    }

    /// Removes the file, if it is still ours.
    pub fn remove(&self) {
        if let Place::File(path) = &self.place
            && self.file.is_some()
            && file_id(path) == self.file
        {
            // Whoever made the directory read-only meanwhile has to remove the file, too.
            let _left_behind = fs::remove_file(path);
        }
    }
}

/// Binds the socket in the first of `candidates` that is fit. Blocks for no longer than a few calls take.
///
/// # Errors
/// When none is, with the reason for each.
pub fn bind(candidates: &[Candidate]) -> Result<Bound, BindError> {
    let mut refused = Vec::new();
    for candidate in candidates {
        let bound = match candidate {
            Candidate::Home(path) => open_home(path).and_then(|directory| bind_in(path, directory)),
            Candidate::Directory(path) => {
                open_directory(path, OFlag::O_NOFOLLOW).and_then(|directory| bind_in(path, directory))
            }
            Candidate::EachUser { .. } => continue,
            Candidate::Abstract(name) => bind_abstract(name),
        };
        match bound {
            Ok(bound) => return Ok(bound),
            Err(error) => refused.push(error),
        }
    }
    Err(BindError::Nowhere(refused))
}

pub(super) fn open_home(path: &Path) -> Result<File, BindError> {
    if let Some(above) = path.parent() {
        // What is wrong shows when the directory itself is made.
        let _shows_below = fs::create_dir_all(above);
    }
    open_directory(path, OFlag::empty())
}

/// Makes the directory if it is not there, and opens it if it is ours.
fn open_directory(path: &Path, flags: OFlag) -> Result<File, BindError> {
    let wrong = |source| BindError::Directory { path: path.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(wrong(error)),
        Ok(()) | Err(_) => {}
    }
    let flags = flags | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(wrong)?;
    let metadata = directory.metadata().map_err(wrong)?;
    let not_ours = |what| Err(BindError::NotOurs { path: path.to_owned(), what });
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return not_ours("belongs to somebody else");
    }
    if metadata.mode() & 0o022 != 0 {
        return not_ours("can be written to by others");
    }
    Ok(directory)
}

/// `pmr.sock`, or `pmr-PID.sock` where a living runtime has that, or is just about to take it.
fn bind_in(path: &Path, directory: File) -> Result<Bound, BindError> {
    // Released when it is dropped. Where it cannot be had, the other name does.
    if let Ok(_lock) = Flock::lock(directory, FlockArg::LockExclusiveNonblock)
        && let Ok(bound) = bind_file(path.join("pmr.sock"))
    {
        return Ok(bound);
    }
    bind_file(path.join(format!("pmr-{}.sock", std::process::id())))
}

/// Binds a file. One that nobody answers at was left behind by a runtime that was killed.
fn bind_file(path: PathBuf) -> Result<Bound, BindError> {
    let wrong = |source: io::Error| BindError::Socket { place: Place::File(path.clone()), source };
    let address = UnixAddr::new(&path).map_err(|error| wrong(error.into()))?;
    let listener = match bind_address(&address) {
        Err(Errno::EADDRINUSE) if is_stale(&path, &address) => {
            fs::remove_file(&path).map_err(wrong)?;
            bind_address(&address)
        }
        bound => bound,
    };
    let listener = listener.map_err(|error| wrong(error.into()))?;
    if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.mode() & 0o777 != OWNER_ONLY) {
        fs::set_permissions(&path, Permissions::from_mode(OWNER_ONLY)).map_err(wrong)?;
    }
    Ok(Bound { listener, file: file_id(&path), place: Place::File(path) })
}

fn bind_abstract(name: &str) -> Result<Bound, BindError> {
    let numbered = format!("{name}-{}", std::process::id());
    let mut last = Errno::EADDRINUSE;
    for name in [name.to_owned(), numbered.clone()] {
        match UnixAddr::new_abstract(name.as_bytes()).and_then(|address| bind_address(&address)) {
            Ok(listener) => return Ok(Bound { listener, place: Place::Abstract(name), file: None }),
            Err(error) => last = error,
        }
    }
    Err(BindError::Socket { place: Place::Abstract(numbered), source: last.into() })
}

fn bind_address(address: &UnixAddr) -> nix::Result<UnixListener> {
    let socket = stream_socket()?;
    // The file gets the mode of its socket, so that it is at no time open to others. Where the sandbox knows no mode of
    // sockets, the directory is closed all the same, and the file is set right a moment later.
    let _unsupported = fchmod(&socket, Mode::from_bits_truncate(OWNER_ONLY));
    bind_to(socket.as_raw_fd(), address)?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket.into())
}

/// Whether it is a socket that nobody listens at any more. Who does not answer because too many wait is alive. (To connect
/// to what is no socket is refused as well.)
fn is_stale(path: &Path, address: &UnixAddr) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        return false;
    }
    let attempt = stream_socket().and_then(|socket| connect(socket.as_raw_fd(), address));
    attempt == Err(Errno::ECONNREFUSED)
}

fn stream_socket() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

fn file_id(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixStream;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("home");
        (directory, path)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    fn path_of(bound: &Bound) -> &Path {
        match &bound.place {
            Place::File(path) => path,
            Place::Abstract(name) => panic!("bound to @{name}"),
        }
    }

    #[test]
    fn the_directory_and_the_socket_are_the_owners_alone() {
        let (_directory, home) = home();
        let bound = bind(&[Candidate::Home(home.join("deep"))]).unwrap();
        assert_eq!(bound.place, Place::File(home.join("deep/pmr.sock")));
        assert_eq!((mode(&home.join("deep")), mode(path_of(&bound))), (0o700, 0o600));
        UnixStream::connect(path_of(&bound)).unwrap();
        bound.remove();
        assert!(!path_of(&bound).exists());
    }

    #[test]
    fn a_living_runtimes_socket_stays_and_a_dead_ones_is_replaced() {
        let (_directory, home) = home();
        let first = bind(&[Candidate::Directory(home.clone())]).unwrap();
        let second = bind(&[Candidate::Directory(home.clone())]).unwrap();
        assert_eq!(second.place, Place::File(home.join(format!("pmr-{}.sock", std::process::id()))));
        assert!(matches!(bind(&[Candidate::Directory(home.clone())]), Err(BindError::Nowhere(_))));
        let Bound { listener, .. } = first;
        drop(listener);
        let third = bind(&[Candidate::Directory(home.clone())]).unwrap();
        assert_eq!(third.place, Place::File(home.join("pmr.sock")));
    }

    #[test]
    fn a_file_that_is_no_longer_ours_is_not_removed() {
        let (_directory, home) = home();
        let bound = bind(&[Candidate::Directory(home.clone())]).unwrap();
        // Renamed, not removed, lest the new file get the number of the old one.
        fs::rename(path_of(&bound), home.join("old")).unwrap();
        fs::write(home.join("pmr.sock"), "somebody else's").unwrap();
        bound.remove();
        assert!(home.join("pmr.sock").exists());
    }

    #[test]
    fn what_is_no_socket_is_never_replaced() {
        let (_directory, home) = home();
        DirBuilder::new().mode(0o700).create(&home).unwrap();
        fs::write(home.join("pmr.sock"), "precious").unwrap();
        let bound = bind(&[Candidate::Directory(home.clone())]);
        assert_eq!(fs::read(home.join("pmr.sock")).unwrap(), b"precious", "{bound:?}");
    }

    #[test]
    fn links_and_open_directories_are_passed_over_in_public_places() {
        let (directory, home) = home();
        let (link, open) = (directory.path().join("link"), directory.path().join("open"));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o770)).unwrap();
        symlink(&home, &link).unwrap();
        let candidates = [&link, &open, &home].map(|path| Candidate::Directory(path.clone()));
        assert_eq!(bind(&candidates).unwrap().place, Place::File(home.join("pmr.sock")));
        let error = bind(&candidates[..2]).unwrap_err().to_string();
        assert!(error.contains("can be written to by others"), "{error}");
        assert!(bind(&[Candidate::Home(link)]).is_ok(), "a link that was named is meant");
    }

    #[test]
    fn where_no_directory_is_fit_the_abstract_namespace_is_taken() {
        let name = format!("pmr-test-{}", std::process::id());
        let candidates = [Candidate::Directory("/proc/pmr".into()), Candidate::Abstract(name.clone())];
        let first = bind(&candidates).unwrap();
        assert_eq!(first.place, Place::Abstract(name.clone()));
        let second = bind(&candidates).unwrap();
        assert_eq!(second.place.to_string(), format!("@{name}-{}", std::process::id()));
        assert_eq!(super::super::find::find_all(&candidates), [first.place, second.place]);
    }

    #[test]
    fn an_adopted_socket_is_removed_like_ones_own() {
        let (_directory, home) = home();
        let Bound { listener, place, .. } = bind(&[Candidate::Directory(home)]).unwrap();
        let adopted = Bound::adopt(listener.into(), place);
        adopted.remove();
        assert!(!path_of(&adopted).exists());
    }
}
