//! An app that installs our packages, from tarballs that are made once.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::fixtures::{search_path, tool};
use crate::support::launch::Launch;
use crate::support::registry::Registry;
use crate::support::release::{PLATFORMS, said, script, stripped, succeed};

const SERVER: &str = "require('node:http').createServer((_, answer) => answer.end(`pid=${process.pid}`)).listen(process.env.PORT)";

/// The tarballs, made once: the binary under test for this machine, and a file that only looks like one for the other.
pub(crate) fn tarballs() -> &'static [PathBuf] {
    static MADE: OnceLock<Vec<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
        fs::create_dir_all(&directory).unwrap();
        let other = directory.join("other");
        fs::write(&other, header_for_the_other_machine(stripped())).unwrap();
        let (here, there) = PLATFORMS;
        let pairs = [format!("{here}={}", stripped().display()), format!("{there}={}", other.display())];
        let printed = succeed(pack(&directory).args(pairs));
        String::from_utf8(printed.stdout).unwrap().lines().map(PathBuf::from).collect()
    })
}

pub(crate) fn pack(to: &Path) -> Command {
    let mut command = script("scripts/npm-pack");
    command.arg(to);
    command
}

/// The head of an executable, without any part.
fn header_for_the_other_machine(executable: &Path) -> Vec<u8> {
    let mut header = fs::read(executable).unwrap()[..64].to_vec();
    let machine: u16 = if cfg!(target_arch = "x86_64") { 0xb7 } else { 0x3e };
    header[18..20].copy_from_slice(&machine.to_le_bytes());
    for count in [56, 60] {
        header[count..count + 2].fill(0);
    }
    header
}

/// An app in a directory of its own, with what it installs.
pub(crate) struct App {
    pub(crate) directory: TempDir,
    registry: Registry,
}

impl App {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-npm-").tempdir().unwrap();
        let app = Self { directory, registry: Registry::with(tarballs()) };
        app.write(
            "package.json",
            r#"{"name": "shop", "version": "1.0.0", "license": "MIT", "private": true}"#,
        );
        app.write("index.js", SERVER);
        fs::create_dir(app.path("bin")).unwrap();
        for name in ["yarn", "pnpm", "bun"] {
            symlink(tool(name), app.path("bin").join(name)).unwrap();
        }
        app
    }

    pub(crate) fn with_package(words: &[&str]) -> Self {
        let app = Self::new();
        succeed(&mut app.command(words));
        app
    }

    pub(crate) fn path(&self, of: &str) -> PathBuf {
        self.directory.path().join(of)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// A command in the app's directory. Whatever package managers keep, they keep there.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("env");
        command.args(words).current_dir(self.directory.path());
        command.env_clear().envs(self.environment());
        command
    }

    /// With the package managers in it.
    pub(crate) fn search_path(&self) -> OsString {
        let path = search_path();
        let places = std::iter::once(self.path("bin")).chain(std::env::split_paths(&path));
        std::env::join_paths(places).unwrap()
    }

    pub(crate) fn environment(&self) -> [(&'static str, OsString); 9] {
        [
            ("PATH", self.search_path()),
            ("HOME", self.path("home").into()),
            ("PMR_HOME", self.path("pmr").into()),
            ("npm_config_registry", self.registry.url().into()),
            ("YARN_REGISTRY", self.registry.url().into()),
            ("npm_config_cache", self.path("cache").into()),
            ("YARN_CACHE_FOLDER", self.path("yarn-cache").into()),
            ("BUN_INSTALL_CACHE_DIR", self.path("bun-cache").into()),
            ("npm_config_update_notifier", "false".into()),
        ]
    }

    /// What a command ends with, and says.
    #[track_caller]
    pub(crate) fn ends(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.command(words).output().unwrap();
        (output.status.code(), said(&output))
    }

    /// `web: pmr-runtime WORDS` of a Procfile.
    pub(crate) fn launch(&self, words: &[&str]) -> Launch {
        Launch::new(words).binary(self.path("node_modules/.bin/pmr-runtime")).directory(self.directory.path())
    }

    /// `launch` where programs say that this is a Mac.
    pub(crate) fn on_a_mac(&self, words: &[&str]) -> Launch {
        self.write("mac.cjs", "Object.defineProperty(process, 'platform', { value: 'darwin' })");
        // By another process: who forks while we have it open for writing would keep it from being executed.
        let uname = r#"printf '#!/bin/sh\necho Darwin arm64\n' > bin/uname && chmod 755 bin/uname"#;
        succeed(&mut self.command(&["sh", "-c", uname]));
        let require = format!("--require {}", self.path("mac.cjs").display());
        self.launch(words).env("PATH", self.search_path()).env("NODE_OPTIONS", require)
    }
}
