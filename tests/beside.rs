//! `pmr` as `cargo install` lays it: an executable of its own, beside `pmr-runtime`, which it becomes.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::fixtures::fixture;
use support::launch::Launch;
use support::ports::free_port;
use support::release::{said, succeed};
use tempfile::TempDir;

const PMR: &str = env!("CARGO_BIN_EXE_pmr");
const RUNTIME: &str = env!("CARGO_BIN_EXE_pmr-runtime");

/// Nobody's but for what is put there.
fn place() -> TempDir {
    TempDir::new().unwrap()
}

/// A copy of `pmr`, as cargo makes one, in `directory`.
fn installed(directory: &Path) -> PathBuf {
    let to = directory.join("pmr");
    install(Path::new(PMR), &to, 0o755);
    to
}

/// Puts a program by the runtime's name into `directory`.
fn put_runtime(directory: &Path, text: &str, mode: u32) {
    let from = directory.join("text");
    fs::write(&from, text).unwrap();
    install(&from, &directory.join("pmr-runtime"), mode);
}

/// By a process of its own: what this one has open for writing, a child that another test is just starting would hold open, so that it could
/// not be executed.
fn install(from: &Path, to: &Path, mode: u32) {
    succeed(Command::new("install").arg("-m").arg(format!("{mode:o}")).args([from, to]));
}

#[track_caller]
fn refused(program: &Path, status: i32) -> String {
    // The real one on PATH does not count.
    let path = Path::new(RUNTIME).parent().unwrap();
    let output: Output = Command::new(program).arg("list").env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    said(&output)
}

#[test]
fn it_operates_a_runtime_by_the_name_of_pmr() {
    let launch = Launch::new([Path::new("node"), &fixture("node/server.js")]).port(free_port()).workers(2);
    let environment = launch.environment().to_vec();
    let mut runtime = launch.spawn();
    runtime.until_ready(2);
    let pmr =
        |words: &[&str]| said(&succeed(Command::new(PMR).args(words).env_clear().envs(environment.clone())));
    let list = pmr(&["list"]);
    assert!(list.contains("2 of 2 instances online"), "{list}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(pmr(&["version"]), format!("pmr {version}\nruntime {version}, pid {}\n", runtime.pid()));
    let help = pmr(&["--help"]);
    assert!(help.contains("Usage: pmr "), "{help}");
    runtime.stops();
}

#[test]
fn it_becomes_the_one_beside_it_with_every_word_as_it_was() {
    let place = place();
    let pmr = installed(place.path());
    put_runtime(place.path(), "#!/bin/sh\nprintf '%s|' $$ \"$@\"\n", 0o755);
    let link = place.path().join("elsewhere");
    symlink(&pmr, &link).unwrap();
    let words = [OsStr::new("scale"), OsStr::new(""), OsStr::new("a b"), OsStr::from_bytes(b"\xff")];
    let child = Command::new(link).args(words).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, [pid.to_string().as_bytes(), b"|scale||a b|\xff|"].concat());
}

#[test]
fn without_the_other_it_says_what_is_missing() {
    let place = place();
    let text = refused(&installed(place.path()), 127);
    let expected = place.path().join("pmr-runtime");
    assert!(text.contains(&format!("cannot start `{}`", expected.display())), "{text}");
    assert!(text.contains("hint: `cargo install"), "{text}");
}

#[test]
fn what_is_no_program_is_not_executable() {
    let place = place();
    let pmr = installed(place.path());
    put_runtime(place.path(), "", 0o644);
    let text = refused(&pmr, 126);
    assert!(text.contains("caused by: Permission denied"), "{text}");
}
