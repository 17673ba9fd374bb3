//! The file of a Unix-domain socket of ours, under two names.
//!
//! Apps unlink a socket's file before they bind it, and some when they end; the kernel then has no way back to the
//! socket that still listens. So there is a second, hidden name for the same file in the same directory, from which
//! the first is made again. A file at our path that is not ours is never touched.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod};
use serde::{Deserialize, Serialize};

use super::socket::Socket;
use crate::spec::bytes;

/// The mode of a socket's file before the umask is applied.
const MODE: u32 = 0o777;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SocketFile {
    #[serde(with = "bytes::one")]
    path: PathBuf,
    /// `None` where the file could not be linked.
    #[serde(with = "bytes::option")]
    hidden: Option<PathBuf>,
    id: FileId,
}

/// Device and inode: tells whether two names mean the same file.
type FileId = (u64, u64);

/// What is at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Ours,
    Gone,
    /// A file that somebody else put there.
    Foreign,
}

impl SocketFile {
    /// Binds `socket` to `path`, with the mode that a process with `umask` would give it (`None`: ours).
    pub(super) fn bind(socket: &Socket, path: &Path, umask: Option<u32>) -> Result<Self, Errno> {
        let mode = umask.map(|umask| MODE & !umask);
        if let Some(mode) = mode {
            // The file gets the mode of its socket, less our umask: so it is at no time open to more than are meant.
            // Where the sandbox knows no mode of sockets, the line below still sets the file's.
            let _unsupported = fchmod(socket, Mode::from_bits_truncate(mode));
        }
        socket.bind_path(path)?;
        let metadata = fs::symlink_metadata(path).map_err(errno)?;
        if let Some(mode) = mode.filter(|mode| metadata.mode() & MODE != *mode) {
            // Should it fail, then the mode is narrower than the app's would be; that shows where somebody connects.
            let _narrower = fs::set_permissions(path, Permissions::from_mode(mode));
        }
        let hidden = hidden_name(path).filter(|hidden| link_anew(path, hidden).is_ok());
        Ok(Self { path: path.to_owned(), hidden, id: id(&metadata) })
    }

    pub(super) fn presence(&self) -> Presence {
        presence(&self.path, self.id)
    }

    /// Makes the visible name again.
    pub(super) fn restore(&self) -> io::Result<()> {
        match &self.hidden {
            Some(hidden) if presence(hidden, self.id) == Presence::Ours => fs::hard_link(hidden, &self.path),
            Some(_) | None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Removes both names, as far as they are ours.
    pub(super) fn remove(&self) {
        self.remove_hidden();
        self.remove_if_ours(&self.path);
    }

    /// Removes the hidden name alone, when the visible one is lost.
    pub(super) fn remove_hidden(&self) {
        if let Some(hidden) = &self.hidden {
            self.remove_if_ours(hidden);
        }
    }

    fn remove_if_ours(&self, path: &Path) {
        if presence(path, self.id) == Presence::Ours {
            // Whoever made the directory read-only meanwhile has to remove the file, too.
            let _left_behind = fs::remove_file(path);
        }
    }
}

fn presence(path: &Path, ours: FileId) -> Presence {
    match fs::symlink_metadata(path) {
        Ok(metadata) if id(&metadata) == ours => Presence::Ours,
        Ok(_) => Presence::Foreign,
        Err(_) => Presence::Gone,
    }
}

/// `.NAME.pmr-PID` beside `path`.
fn hidden_name(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".pmr-{}", std::process::id()));
    Some(path.with_file_name(name))
}

/// Links `hidden` to the file at `path`. A file of that name was left by a runtime that was killed, and had our pid:
/// usual in a container, where every runtime is process 1.
fn link_anew(path: &Path, hidden: &Path) -> io::Result<()> {
    match fs::hard_link(path, hidden) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(hidden)?;
            fs::hard_link(path, hidden)
        }
        result => result,
    }
}

fn id(metadata: &fs::Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

fn errno(error: io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
