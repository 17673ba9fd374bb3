//! `pmr snapshot`, `pmr profile`, `pmr report TARGET`: what a Node worker finds out about itself, in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Output, Profile, Snapshot};
use super::error::VerbError;
use super::session::{Closed, Session};
use crate::api::insight::{BEGINS_WITHIN, DONE_WITHIN};
use crate::api::routes;
use crate::control::call::Call;
use crate::control::client::{ClientError, Download};
use crate::exit;

/// What the runtime needs beyond the time that the worker has.
const MARGIN: Duration = Duration::from_secs(10);
/// The file's name that means standard output.
const STDOUT: &str = "-";

pub(super) async fn snapshot(session: &Session, snapshot: Snapshot) -> Result<u8, VerbError> {
    let Snapshot { output, target } = snapshot;
    fetch(session, Call::to(routes::SNAPSHOT).target(&target), output, Duration::ZERO).await
}

pub(super) async fn profile(session: &Session, profile: Profile) -> Result<u8, VerbError> {
    let Profile { output, seconds, heap, target } = profile;
    let mut call = Call::to(routes::PROFILE).target(&target).query("seconds", &seconds.to_string());
    if heap {
        call = call.query("heap", "true");
    }
    fetch(session, call, output, Duration::from_secs(seconds)).await
}

pub(super) async fn report(session: &Session, target: &str, output: Output) -> Result<u8, VerbError> {
    fetch(session, Call::to(routes::REPORT).target(target), output, Duration::ZERO).await
}

/// Where a file goes.
enum To {
    Stdout,
    Named(PathBuf),
    /// Where we were called, by the name that the runtime suggests.
    Suggested,
}

/// Asks for the file and keeps it; prints where it is.
async fn fetch(session: &Session, call: Call, output: Output, lasts: Duration) -> Result<u8, VerbError> {
    let to = match output.output {
        Some(path) if path == Path::new(STDOUT) => To::Stdout,
        Some(path) => To::Named(session.directory.join(path)),
        None => To::Suggested,
    };
    // Before the worker is troubled.
    if let To::Named(path) = &to
        && fs::symlink_metadata(path).is_ok()
    {
        return Err(unwritable(path, io::ErrorKind::AlreadyExists.into()));
    }
    let client = session.client().await?.patient(BEGINS_WITHIN + lasts + DONE_WITHIN + MARGIN);
    if session.output.told_on_terminal && !lasts.is_zero() {
        session.output.tell(&format!("watching for {} s …\n", lasts.as_secs()));
    }
    let mut download = client.download(&call).await?;
    let path = match to {
        To::Stdout => return to_stdout(download).await,
        To::Named(path) => path,
        To::Suggested => session.directory.join(download.name().unwrap_or("insight")),
    };
    let file = new_file(&path).map_err(|source| unwritable(&path, source))?;
    let copied = copy(&mut download, |bytes| (&file).write_all(bytes)).await;
    if let Err(error) = copied {
        // A part of it is of no use.
        let _gone = fs::remove_file(&path);
        return Err(match error {
            CopyError::Client(error) => error.into(),
            CopyError::Write(source) => unwritable(&path, source),
        });
    }
    session.output.print(&format!("{}\n", path.display()))?;
    Ok(exit::OK)
}

async fn to_stdout(mut download: Download) -> Result<u8, VerbError> {
    let written = copy(&mut download, |bytes| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    });
    match written.await {
        Ok(()) => Ok(exit::OK),
        Err(CopyError::Client(error)) => Err(error.into()),
        Err(CopyError::Write(_)) => Err(Closed.into()),
    }
}

enum CopyError {
    Client(ClientError),
    Write(io::Error),
}

async fn copy(
    download: &mut Download,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), CopyError> {
    while let Some(bytes) = download.next().await.map_err(CopyError::Client)? {
        write(&bytes).map_err(CopyError::Write)?;
    }
    Ok(())
}

/// What is on a heap may be secret.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn unwritable(path: &Path, source: io::Error) -> VerbError {
    VerbError::Output { path: PathBuf::from(path), source }
}
