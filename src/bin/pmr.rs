//! `pmr` where no link can be: becomes the `pmr-runtime` that lies beside it, by the name `pmr`.
//!
//! Cargo installs executables and no links, hence this second one. All other packages leave it out and have a link. It uses nothing
//! of the library, so that it costs next to nothing to build.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The program is there, but cannot be executed; as in `exit`.
const NOT_EXECUTABLE: u8 = 126;
/// There is no program; as in `exit`.
const NOT_FOUND: u8 = 127;

/// Why it cannot become the other.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot tell where this program lies, beside which `pmr-runtime` is looked for")]
    Here(#[source] io::Error),
    #[error("cannot start `{}`, which `pmr` is another name of", program.display())]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    fn cause(&self) -> &io::Error {
        match self {
            Self::Here(source) | Self::Start { source, .. } => source,
        }
    }

    fn status(&self) -> u8 {
        if self.cause().kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
    }
}

#[expect(clippy::print_stderr, reason = "what prints for all others is in the library")]
fn main() -> ExitCode {
    let error = become_runtime();
    eprintln!(
        "error: {error}\ncaused by: {}\nhint: `cargo install --locked pmr-runtime` installs both",
        error.cause()
    );
    ExitCode::from(error.status())
}

/// Returns only where it cannot. Not by PATH, on which another version may come first.
fn become_runtime() -> Error {
    let program = match std::env::current_exe() {
        Ok(here) => here.with_file_name("pmr-runtime"),
        Err(error) => return Error::Here(error),
    };
    let source = Command::new(&program).arg0("pmr").args(std::env::args_os().skip(1)).exec();
    Error::Start { program, source }
}
