//! A runtime that stays when we go: begun by `pmr start` and `pmr resurrect` where there is none.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::cli::run::DAEMON;
use crate::control::call::Call;
use crate::control::choose::{ChooseError, choose};
use crate::control::client::Client;
use crate::control::place::Surroundings;
use crate::sys::background::{self, Background};

/// It takes tens of milliseconds; more only where the machine is overloaded.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// Nothing tells us when the socket is there.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of what it said is shown when it ends at once.
const LAST_WORDS: usize = 20;

/// Why there is no runtime in the background.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackgroundError {
    #[error("cannot use `{}` as the home of a runtime", .path.display())]
    Home {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start the runtime `{}`", .program.display())]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the runtime that was begun in the background ended at once ({how}); it said:")]
    Ended { how: String, last_words: Vec<String> },
    #[error("the runtime that was begun in the background does not answer after {} s; it said:", READY_WITHIN.as_secs())]
    Silent { last_words: Vec<String> },
}

impl BackgroundError {
    /// What the runtime said.
    pub(super) fn last_words(&self) -> &[String] {
        match self {
            Self::Ended { last_words, .. } | Self::Silent { last_words } => last_words,
            Self::Home { .. } | Self::Start { .. } => &[],
        }
    }
}

/// Since when a runtime is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Before,
    /// It was begun for this command.
    Now,
}

/// The runtime that is meant; where there is none, one that is begun for this.
pub(super) async fn find_or_begin(session: &Session) -> Result<(Client, Since), VerbError> {
    match choose(&session.around).await {
        Err(error) if error.is_nobody() => {}
        outcome => return Ok((outcome?, Since::Before)),
    }
    let home = session.directory.join(session.around.background_home());
    let failed = |source| BackgroundError::Home { path: home.clone(), source };
    let _one_at_a_time = lock(&home).await.map_err(failed)?;
    // Another command may have begun one meanwhile.
    match choose(&session.around).await {
        Err(error) if error.is_nobody() => Ok((begin(session, home).await?, Since::Now)),
        outcome => Ok((outcome?, Since::Before)),
    }
}

/// Of the commands that find no runtime at the same time, one begins it. The lock ends with the value.
async fn lock(home: &Path) -> io::Result<File> {
    // The home itself is locked by who makes a socket in it.
    let directory = File::open(make(home)?)?;
    let locked = async {
        // Some file systems have no locks.
        while let Err(TryLockError::WouldBlock) = directory.try_lock() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // Who holds it for longer is stuck, and must not keep us from it.
    let _in_time = tokio::time::timeout(READY_WITHIN, locked).await;
    Ok(directory)
}

/// Ends a runtime that was begun for an app which it did not take. Others may have given it apps meanwhile.
pub(super) async fn end_idle(session: &Session, client: &Client) {
    if client.apps().await.is_ok_and(|apps| apps.is_empty())
        && client.change(&Call::to(routes::KILL), |_| {}).await.is_ok()
    {
        session.output.tell("ended the runtime again, as it has no app\n");
    }
}

async fn begin(session: &Session, home: PathBuf) -> Result<Client, VerbError> {
    let open = || open_log(&home).map_err(|source| BackgroundError::Home { path: home.clone(), source });
    // Two, since what the runtime writes moves the place in its own.
    let (mut log, theirs) = (open()?, open()?);
    let mut process = launch(&home, &theirs)?;
    let around = Surroundings { home: Some(home.clone()), ..session.around.clone() };
    let outcome = tokio::time::timeout(READY_WITHIN, answering(&mut process, &around)).await;
    let last_words = |log: &mut File| last_lines(log).unwrap_or_default();
    match outcome {
        Ok(Ok(client)) => {
            session
                .output
                .tell(&format!("began a runtime in the background, with its home at {}\n", home.display()));
            Ok(client)
        }
        Ok(Err(Trouble::Ended(how))) => {
            Err(BackgroundError::Ended { how, last_words: last_words(&mut log) }.into())
        }
        Ok(Err(Trouble::Choose(error))) => Err(error.into()),
        Err(_elapsed) => Err(BackgroundError::Silent { last_words: last_words(&mut log) }.into()),
    }
}

/// The log, to be written at its end, and read from where the end is now.
fn open_log(home: &Path) -> io::Result<File> {
    let logs = make(home)?;
    let mut log =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(logs.join("pmr.log"))?;
    log.seek(SeekFrom::End(0))?;
    Ok(log)
}

/// Makes the home and the directory of logs in it.
fn make(home: &Path) -> io::Result<PathBuf> {
    let logs = home.join("logs");
    // Logs and what was saved hold environments.
    DirBuilder::new().recursive(true).mode(0o700).create(&logs)?;
    Ok(logs)
}

fn launch(home: &Path, log: &File) -> Result<Background, BackgroundError> {
    let program = std::env::current_exe()
        .map_err(|source| BackgroundError::Start { program: "/proc/self/exe".into(), source })?;
    let words = [OsStr::new(DAEMON), home.as_os_str()];
    background::start(&program, &words, home, log)
        .map_err(|source| BackgroundError::Start { program, source })
}

enum Trouble {
    Ended(String),
    Choose(ChooseError),
}

async fn answering(process: &mut Background, around: &Surroundings) -> Result<Client, Trouble> {
    loop {
        match choose(around).await {
            Ok(client) => return Ok(client),
            Err(error) if error.is_nobody() => {}
            Err(error) => return Err(Trouble::Choose(error)),
        }
        if let Some(status) = process.ended().ok().flatten() {
            return Err(Trouble::Ended(status.to_string()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The last lines of what was written since the log was opened.
fn last_lines(log: &mut File) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<String> = text.lines().rev().take(LAST_WORDS).map(str::to_owned).collect();
    lines.reverse();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_what_the_new_runtime_said_is_shown() {
        let home = tempfile::tempdir().unwrap();
        let mut earlier = open_log(home.path()).unwrap();
        earlier.write_all(b"of an earlier one\n").unwrap();
        let mut log = open_log(home.path()).unwrap();
        // Of another process, hence with an offset of its own.
        let mut theirs = open_log(home.path()).unwrap();
        for number in 0..30 {
            writeln!(theirs, "line {number}").unwrap();
        }
        let lines = last_lines(&mut log).unwrap();
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 10", "line 29"));
    }
}
