//! A release, as scripts/release packs it from a built binary: the same bytes each time, and each package used as its users do.
//! What is for npm and Heroku has tests of its own.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::processes;
use support::release::{PLATFORMS, said, script, stripped, succeed};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A release of this machine's binary, and of what `more` says besides.
fn pack(name: &str, more: &[String]) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _not_there = fs::remove_dir_all(&to);
    let mut command = script("scripts/release");
    command.arg(&to).arg(format!("{}={}", PLATFORMS.0, stripped().display())).args(more);
    // Its default is the last commit's, and there may be one between two packings.
    succeed(command.env("SOURCE_DATE_EPOCH", "1800000000"));
    to
}

/// Packed once.
fn release() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| pack("release", &[]))
}

/// The files of a directory that has no other.
fn files(of: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

#[track_caller]
fn says_its_version(program: &mut Command) {
    assert_eq!(said(&succeed(program.arg("--version"))), format!("pmr-runtime {VERSION}\n"));
}

#[test]
fn the_same_binary_makes_the_same_bytes_and_the_sums_are_theirs() {
    let first = files(release());
    let second = files(&pack("release-again", &[]));
    assert!(first.keys().eq(second.keys()), "{:?} {:?}", first.keys(), second.keys());
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
    let here = PLATFORMS.0;
    for name in [
        format!("pmr-runtime-{here}"),
        format!("pmr-runtime-{VERSION}-{here}.tar.gz"),
        format!("pmr-runtime-{here}-{VERSION}.tgz"),
        format!("pmr-runtime-{VERSION}.tgz"),
        format!("pmr-runtime_{VERSION}-1_{}.deb", architecture()),
        "pmr-runtime-buildpack.tgz".to_owned(),
        "pmr-runtime.cdx.json".to_owned(),
    ] {
        assert!(first.contains_key(&name), "{name}: {:?}", first.keys());
    }
    let checked = succeed(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(release()));
    assert_eq!(said(&checked).lines().count(), first.len() - 1, "each file has a sum, but theirs");
}

/// Our own binary, but that it says to be one for the other machine: packed, never run.
fn for_the_other_machine() -> PathBuf {
    let mut bytes = fs::read(stripped()).unwrap();
    let machine: u16 = if cfg!(target_arch = "x86_64") { 0xb7 } else { 0x3e };
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("for-the-other-machine");
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_release_for_two_machines_has_each_ones_binary_in_its_own_packages() {
    let other = PLATFORMS.1;
    let to = pack("release-both", &[format!("{other}={}", for_the_other_machine().display())]);
    let expected = fs::read(for_the_other_machine()).unwrap();
    assert_eq!(fs::read(to.join(format!("pmr-runtime-{other}"))).unwrap(), expected);
    for (archive, path) in [
        (
            format!("pmr-runtime-{VERSION}-{other}.tar.gz"),
            format!("pmr-runtime-{VERSION}-{other}/bin/pmr-runtime"),
        ),
        (format!("pmr-runtime-{other}-{VERSION}.tgz"), "package/bin/pmr-runtime".to_owned()),
    ] {
        let unpacked = succeed(Command::new("tar").arg("-xzOf").arg(to.join(&archive)).arg(path));
        assert!(unpacked.stdout == expected, "{archive}");
    }
    let its = if architecture() == "amd64" { "arm64" } else { "amd64" };
    let package = to.join(format!("pmr-runtime_{VERSION}-1_{its}.deb"));
    let field = succeed(Command::new("dpkg-deb").arg("--field").arg(package).arg("Architecture"));
    assert_eq!(said(&field), format!("{its}\n"));
}

#[test]
fn a_platform_that_there_is_none_of_is_not_packed() {
    let place = TempDir::new().unwrap();
    let output = script("scripts/release").arg(place.path()).arg("linux-mips").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("neither linux-x64 nor linux-arm64"), "{output:?}");
}

/// A machine with nothing but dpkg's own books.
fn empty_machine() -> TempDir {
    let root = TempDir::new().unwrap();
    for name in ["updates", "info", "triggers"] {
        fs::create_dir_all(root.path().join("var/lib/dpkg").join(name)).unwrap();
    }
    fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
    root
}

fn dpkg(root: &Path) -> Command {
    let mut command = Command::new("dpkg");
    command.arg("--root").arg(root).args([
        "--force-not-root",
        "--force-script-chrootless",
        "--log=/dev/null",
    ]);
    command
}

#[test]
fn debians_package_needs_no_other_and_leaves_nothing_behind() {
    let root = empty_machine();
    let package = format!("pmr-runtime_{VERSION}-1_{}.deb", architecture());
    succeed(dpkg(root.path()).arg("--install").arg(release().join(package)));
    let usr = root.path().join("usr");
    if processes::is_root() {
        for name in ["pmr-runtime", "pmr"] {
            let mut inside = Command::new("chroot");
            succeed(inside.arg(root.path()).arg(format!("/usr/bin/{name}")).arg("--help"));
        }
    } else {
        processes::say_not_shown("only root can change the root directory");
    }
    says_its_version(&mut Command::new(usr.join("bin/pmr-runtime")));
    for (file, part) in [
        ("share/bash-completion/completions/pmr", "prettylist"),
        ("share/bash-completion/completions/pmr-runtime", "--kill-timeout"),
        ("share/zsh/vendor-completions/_pmr", "prettylist"),
        ("share/fish/vendor_completions.d/pmr-runtime.fish", "kill-timeout"),
        ("share/doc/pmr-runtime/docs/cli.md", "pmr list"),
        ("share/doc/pmr-runtime/copyright", "MIT"),
    ] {
        let text = fs::read_to_string(usr.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(part), "{file}");
    }
    for name in ["pmr-runtime", "pmr"] {
        let page = usr.join(format!("share/man/man1/{name}.1.gz"));
        let page = succeed(Command::new("gzip").arg("-dc").arg(page));
        assert_eq!(page.stdout, fs::read(repository().join(format!("docs/man/{name}.1"))).unwrap());
    }
    succeed(dpkg(root.path()).args(["--purge", "pmr-runtime"]));
    assert!(!usr.exists(), "nothing is left");
}

#[test]
fn the_archive_is_unpacked_where_one_likes() {
    let place = TempDir::new().unwrap();
    let archive = release().join(format!("pmr-runtime-{VERSION}-{}.tar.gz", PLATFORMS.0));
    let mut tar = Command::new("tar");
    succeed(tar.arg("-xzf").arg(archive).args(["--strip-components=1", "-C"]).arg(place.path()));
    says_its_version(&mut Command::new(place.path().join("bin/pmr-runtime")));
    let help = said(&succeed(Command::new(place.path().join("bin/pmr")).arg("--help")));
    assert!(help.contains("Usage: pmr "), "{help}");
    assert!(place.path().join("share/man/man1/pmr.1").exists());
}

#[test]
fn the_manual_pages_are_understood_without_a_warning() {
    for name in ["pmr-runtime", "pmr"] {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww"]).arg(repository().join(format!("docs/man/{name}.1")));
        let output = succeed(&mut groff);
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn what_is_not_there_yet_is_not_packed_over() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("old"), "").unwrap();
    let output = script("scripts/release").arg(place.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("is not empty"), "{output:?}");
}

/// What lies below src/, but for texts that tests alone compare with.
fn sources() -> BTreeSet<String> {
    let list = succeed(Command::new("find").args(["src", "-type", "f"]).current_dir(repository()));
    let text = String::from_utf8(list.stdout).unwrap();
    text.lines().filter(|path| !path.ends_with(".snap")).map(str::to_owned).collect()
}

#[test]
fn the_crate_has_all_sources_and_little_else() {
    let mut cargo = Command::new(env!("CARGO"));
    let words = ["package", "--list", "--allow-dirty", "--offline", "--locked"];
    let list = succeed(cargo.args(words).current_dir(repository()));
    let listed: BTreeSet<String> =
        String::from_utf8(list.stdout).unwrap().lines().map(str::to_owned).collect();
    let (inside, beside): (BTreeSet<_>, BTreeSet<_>) =
        listed.into_iter().partition(|path| path.starts_with("src/"));
    assert_eq!(inside, sources());
    let expected = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
        "SECURITY.md",
        "docs/man/pmr-runtime.1",
        "docs/man/pmr.1",
    ];
    assert!(beside.iter().all(|path| expected.contains(&path.as_str())), "{beside:?}");
}
