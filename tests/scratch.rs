//! The binary is one file: it runs in a root directory that holds nothing else, without any container engine.

use std::process::Command;

/// Runs the binary with `arguments` in such a directory; without root, in a user namespace of its own.
fn run_alone(arguments: &[&str]) -> std::process::Output {
    let root = tempfile::tempdir().expect("a temporary directory can be made");
    // By another process: a copy of our own would be open for writing in whatever the other test forks at that moment,
    // and a file that is open for writing cannot be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_pmr-runtime")).arg(root.path()).output();
    let copied = copied.expect("`cp` can be run");
    assert!(copied.status.success(), "{copied:?}");

    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new("chroot")
    } else {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "chroot"]);
        command
    };
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.arg(root.path()).arg("/pmr-runtime").args(arguments).output().expect("`chroot` can be run")
}

#[test]
fn it_says_its_version_in_an_otherwise_empty_root() {
    let output = run_alone(&["--version"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(printed.contains(env!("CARGO_PKG_VERSION")), "printed {printed:?}");
}

#[test]
fn it_runs_a_worker_in_an_otherwise_empty_root() {
    let output = run_alone(&["--no-autorestart", "/pmr-runtime", "--version"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(printed.contains(env!("CARGO_PKG_VERSION")), "printed {printed:?}");
}
