//! Asks an interpreter for its version, where the runtime does not know it. Bounded in time and size, since the program
//! may be anything.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;

use crate::api::types::AppView;
use crate::sys::probe;

/// A Java needs half a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// A version has a line.
const LONGEST: usize = 1024;

/// Fills the version in, if the interpreter tells it.
pub(super) async fn fill_in(app: &mut AppView) {
    let Some(interpreter) = app.interpreter.as_mut().filter(|it| it.version.is_none()) else { return };
    let program = interpreter.path.as_ref().unwrap_or(&interpreter.program);
    interpreter.version = version(Path::new(program)).await;
}

async fn version(program: &Path) -> Option<String> {
    let (_ended_with_us, output) = probe::start(program, "--version").ok()?;
    let output = Receiver::from_owned_fd(output).ok()?;
    let text = tokio::time::timeout(ANSWER_WITHIN, read(&output)).await.ok()?.ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.to_owned())
}

/// What it says, as far as that is of interest.
async fn read(output: &Receiver) -> io::Result<String> {
    let mut text = Vec::new();
    while text.len() < LONGEST {
        output.readable().await?;
        let mut bytes = [0; LONGEST];
        match output.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_first_line_of_what_it_says_is_its_version() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("tool");
        std::fs::write(&program, "#!/bin/sh\n[ \"$1\" = --version ] && printf '\\n v1.2 \\nmore\\n'\n")
            .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Another test may fork while the file is open for writing, which keeps it from being executed for a moment.
        let mut found = None;
        for _ in 0..100 {
            found = version(&program).await;
            if found.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(found.as_deref(), Some("v1.2"));
        assert_eq!(version(Path::new("/nowhere/tool")).await, None);
    }
}
