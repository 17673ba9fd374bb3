//! The binary under test as it is released, and the scripts that make packages of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::launch::binary;

/// The platform of this machine, and the other one.
pub(crate) const PLATFORMS: (&str, &str) =
    if cfg!(target_arch = "x86_64") { ("linux-x64", "linux-arm64") } else { ("linux-arm64", "linux-x64") };

/// The binary without what is for debuggers, which is most of a debug build.
pub(crate) fn stripped() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stripped");
        let fresh = file.with_extension(std::process::id().to_string());
        succeed(Command::new("strip").arg("-o").arg(&fresh).arg(binary()));
        // Another test program may be running the old one: replace it, do not write into it.
        std::fs::rename(&fresh, &file).unwrap();
        file
    })
}

/// A script of this repository.
pub(crate) fn script(path: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

/// Both outputs.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
