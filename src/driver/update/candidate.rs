//! The executable that is to take over: which one, and whether it can.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;

use crate::process::Pid;
use crate::sys::replace;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much of its words is read.
const MOST_WORDS: usize = 4096;
/// As many of them are told.
const TOLD: usize = 300;

/// An executable file.
#[derive(Debug)]
pub(super) struct Candidate {
    path: PathBuf,
    identity: Identity,
}

/// By which it is seen that a file was changed or replaced: device, inode, size, and time of the last change.
type Identity = (u64, u64, u64, (i64, i64));

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum CandidateError {
    #[error("it is not known which file the runtime was started from; name one by --executable")]
    OwnUnknown,
    #[error("the runtime was started from `{}`, where there is no file now; name one by --executable", path.display())]
    OwnGone { path: PathBuf },
    #[error("`{}` cannot be looked at: {source}", path.display())]
    Missing { path: PathBuf, source: io::Error },
    #[error("`{}` is no file", path.display())]
    NoFile { path: PathBuf },
    #[error("`{}` is not executable", path.display())]
    NotExecutable { path: PathBuf },
    #[error("`{}` was changed while it was tried", path.display())]
    Changed { path: PathBuf },
}

impl Candidate {
    /// The file at `given`, or what now is at `own`, from which we were started.
    pub(super) fn find(given: Option<PathBuf>, own: Option<&Path>) -> Result<Self, CandidateError> {
        let is_own = given.is_none();
        let path = match given {
            Some(path) => std::path::absolute(&path).unwrap_or(path),
            None => own.ok_or(CandidateError::OwnUnknown)?.to_owned(),
        };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_own && error.kind() == io::ErrorKind::NotFound => {
                return Err(CandidateError::OwnGone { path });
            }
            Err(source) => return Err(CandidateError::Missing { path, source }),
        };
        if !metadata.is_file() {
            return Err(CandidateError::NoFile { path });
        }
        if metadata.mode() & 0o111 == 0 {
            return Err(CandidateError::NotExecutable { path });
        }
        Ok(Self { path, identity: identity(&metadata) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails unless it is the very file that was found.
    pub(super) fn ensure_unchanged(&self) -> Result<(), CandidateError> {
        let path = self.path.clone();
        match fs::metadata(&path) {
            Ok(metadata) if identity(&metadata) == self.identity => Ok(()),
            Ok(_) => Err(CandidateError::Changed { path }),
            Err(source) => Err(CandidateError::Missing { path, source }),
        }
    }

    /// Starts it, to be asked whether it can take over `state`. [`hear`] its answer.
    pub(super) fn try_out(&self, state: OwnedFd) -> io::Result<(Pid, OwnedFd)> {
        replace::try_out(&self.path, state)
    }
}

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino(), metadata.size(), (metadata.ctime(), metadata.ctime_nsec()))
}

/// Waits for a candidate's answer: its version, or why it cannot take over.
pub(super) async fn hear(output: OwnedFd) -> Result<String, String> {
    match tokio::time::timeout(PATIENCE, read(output)).await {
        Ok(Ok(words)) => verdict(&words),
        Ok(Err(error)) => Err(format!("its answer cannot be read: {error}")),
        Err(_) => Err(format!("it gave no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn read(output: OwnedFd) -> io::Result<Vec<u8>> {
    let pipe = Receiver::from_owned_fd(output)?;
    let (mut words, mut buffer) = (Vec::new(), [0; 512]);
    while words.len() < MOST_WORDS {
        pipe.readable().await?;
        match pipe.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => words.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(words)
}

/// What a candidate has said: `ok VERSION`, or something else.
fn verdict(words: &[u8]) -> Result<String, String> {
    let words = String::from_utf8_lossy(words);
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.next() {
        None => Err("it gave no answer".to_owned()),
        Some(line) => match line.strip_prefix("ok ") {
            Some(version) => Ok(version.to_owned()),
            None => {
                let plain = line.chars().filter(|c| !c.is_control()).take(TOLD);
                Err(format!("it says: {}", plain.collect::<String>()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_line_is_the_verdict() {
        assert_eq!(verdict(b"ok 1.2.3\n"), Ok("1.2.3".to_owned()));
        assert_eq!(verdict(b"\n"), Err("it gave no answer".to_owned()));
        assert_eq!(verdict(b"error: \x1b[1munknown\nmore"), Err("it says: error: [1munknown".to_owned()));
    }

    #[test]
    fn what_is_no_executable_file_is_no_candidate() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        let told = |path: &Path| Candidate::find(Some(path.to_owned()), None).unwrap_err().to_string();
        assert!(told(&path).contains("cannot be looked at"), "{}", told(&path));
        assert!(told(directory.path()).contains("is no file"));
        fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(told(&path).contains("is not executable"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let candidate = Candidate::find(Some(path.clone()), None).unwrap();
        assert!(candidate.ensure_unchanged().is_ok());
        fs::write(&path, "#!/bin/sh\nfalse\n").unwrap();
        assert!(matches!(candidate.ensure_unchanged(), Err(CandidateError::Changed { .. })));
    }

    #[test]
    fn without_a_name_it_is_what_lies_where_we_were_started_from_by_then() {
        let directory = tempfile::tempdir().unwrap();
        let [package, aside] = ["package", "aside"].map(|name| directory.path().join(name));
        let own = package.join("runtime");
        let put = || {
            fs::create_dir(&package).unwrap();
            fs::write(&own, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        };
        put();
        fs::rename(&package, &aside).unwrap();
        let told = Candidate::find(None, Some(&own)).unwrap_err().to_string();
        let gone = format!("started from `{}`, where there is no file now", own.display());
        assert!(told.contains(&gone), "{told}");
        put();
        assert_eq!(Candidate::find(None, Some(&own)).unwrap().path(), own);
        assert!(matches!(Candidate::find(None, None), Err(CandidateError::OwnUnknown)));
    }
}
