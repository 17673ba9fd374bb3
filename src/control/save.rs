//! Writes down what runs, so that `pmr resurrect` can start it again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Result, to_json};
use super::bind;
use super::changing::verdict;
use super::query::problem;
use super::routes::Context;
use super::secrets;
use crate::api::types::{Operation, Outcome, Problem, StartRequest, Verdict};
use crate::driver::handle::Question;

/// In the runtime's home.
pub const FILE: &str = "dump.json";

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    Home(#[from] bind::BindError),
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

pub(super) async fn save(context: &Context) -> Result<Answer> {
    let before = context.handle.ask(|reply| Question::Runtime { reply }).await?.uptime_ms;
    let mut apps = context.handle.ask(|reply| Question::Definitions { reply }).await?;
    secrets::take_out_ours(&mut apps);
    let (home, number) = (context.home.clone(), apps.len());
    // The disk may be slow.
    let written = tokio::task::spawn_blocking(move || write(&home, &apps)).await;
    let path = match written {
        Ok(Ok(path)) => path,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("the file was not written".to_owned())),
    };
    let after = context.handle.ask(|reply| Question::Runtime { reply }).await?.uptime_ms;
    let s = if number == 1 { "" } else { "s" };
    Ok(verdict(&Outcome {
        verdicts: vec![Verdict {
            app: None,
            operation: Operation::Save,
            ok: true,
            message: format!("saved {number} app{s} to `{}`", path.display()),
            took_ms: after.saturating_sub(before),
            generation: None,
            instances: None,
            last_lines: Vec::new(),
        }],
    }))
}

fn failed(message: String) -> Problem {
    problem("failed", message, None)
}

/// What [`FILE`] says.
///
/// # Errors
/// When it is no such file.
pub fn read(bytes: &[u8]) -> serde_json::Result<Vec<StartRequest>> {
    serde_json::from_slice(bytes)
}

/// Writes the file anew, as a whole or not at all, and keeps the one before as `dump.json.bak`.
fn write(home: &Path, apps: &[StartRequest]) -> std::result::Result<PathBuf, SaveError> {
    let _ours = bind::open_home(home)?;
    let path = home.join(FILE);
    let new = home.join(format!(".{FILE}.{}", std::process::id()));
    let replaced = write_new(&new, to_json(&apps).as_bytes())
        .and_then(|()| keep_old(&path))
        .and_then(|()| fs::rename(&new, &path));
    match replaced {
        Ok(()) => Ok(path),
        Err(source) => {
            // What is left of it is in nobody's way.
            let _left_behind = fs::remove_file(&new);
            Err(SaveError::Write { path, source })
        }
    }
}

/// Environments have secrets in them, so the file is the owner's alone.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    remove(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the old file its second name; it keeps the first until the new one takes that.
fn keep_old(path: &Path) -> io::Result<()> {
    let backup = path.with_extension("json.bak");
    remove(&backup)?;
    match fs::hard_link(path, &backup) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => fs::copy(path, &backup).map(drop),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::Grammar;
    use std::os::unix::fs::MetadataExt;

    fn app(directory: &str) -> StartRequest {
        let text = |text: &str| crate::api::text::Text::Utf8(text.to_owned());
        StartRequest {
            words: vec![text("a.js")],
            grammar: Grammar::default(),
            name: None,
            instances: None,
            directory: text(directory),
            environment: Vec::new(),
            declared: None,
        }
    }

    #[test]
    fn the_file_is_the_owners_alone_and_the_one_before_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        let path = write(&home, &[app("/one")]).unwrap();
        assert_eq!(path, home.join("dump.json"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        write(&home, &[app("/two"), app("/three")]).unwrap();
        write(&home, &[app("/four")]).unwrap();
        assert_eq!(read(&fs::read(&path).unwrap()).unwrap(), [app("/four")]);
        assert_eq!(
            read(&fs::read(home.join("dump.json.bak")).unwrap()).unwrap(),
            [app("/two"), app("/three")]
        );
        assert_eq!(fs::read_dir(&home).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("dump.json")).unwrap();
        let error = write(directory.path(), &[]).unwrap_err().to_string();
        assert!(error.starts_with("cannot write `"), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
