//! The platform's side: it builds an app with our buildpack, and runs it in a dyno.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::support::fixtures::{fixture, tool};
use crate::support::launch::Launch;
use crate::support::processes;
use crate::support::release::{PLATFORMS, script, stripped, succeed};

/// What the app's Procfile has for `web`.
pub(crate) const PROCFILE: &str = "pmr-runtime node index.js";

/// A build: the packed buildpack, an app, and the directories that a platform hands over.
pub(crate) struct Build {
    directory: TempDir,
}

impl Build {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pmr-heroku-").tempdir().unwrap();
        let build = Self { directory };
        fs::set_permissions(build.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        pack(&build.path("release"));
        for name in ["buildpack", "app", "cache", "env", "platform/env", "layers"] {
            fs::create_dir_all(build.path(name)).unwrap();
        }
        let packed = build.path("release/pmr-runtime-buildpack.tgz");
        succeed(Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(build.path("buildpack")));
        fs::copy(fixture("node/server.js"), build.path("app/index.js")).unwrap();
        build.write("app/Procfile", &format!("web: {PROCFILE}\n"));
        build
    }

    pub(crate) fn path(&self, of: &str) -> PathBuf {
        self.directory.path().join(of)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Where the binary comes from, in place of a release on the web.
    pub(crate) fn url(&self) -> String {
        format!("file://{}/pmr-runtime-{}", self.path("release").display(), PLATFORMS.0)
    }

    pub(crate) fn sum(&self) -> String {
        let sums = fs::read_to_string(self.path("release/SHA256SUMS")).unwrap();
        sums.split_whitespace().next().unwrap().to_owned()
    }

    /// Sets the app's variables that are for the buildpack.
    pub(crate) fn configure(&self, variables: &[(&str, &str)]) {
        for directory in ["env", "platform/env"] {
            for (name, value) in variables {
                self.write(&format!("{directory}/{name}"), value);
            }
        }
    }

    /// `bin/compile`, with nothing of ours in its environment.
    pub(crate) fn compile(&self) -> Output {
        self.compiling().output().unwrap()
    }

    pub(crate) fn compiling(&self) -> Command {
        let mut command = self.script("compile");
        command.args(["app", "cache", "env"].map(|name| self.path(name)));
        command
    }

    /// `bin/build` of a Cloud Native Buildpack.
    pub(crate) fn build(&self) -> Output {
        let mut command = self.script("build");
        for (name, of) in
            [("CNB_LAYERS_DIR", "layers"), ("CNB_PLATFORM_DIR", "platform"), ("CNB_BP_PLAN_PATH", "plan")]
        {
            command.env(name, self.path(of));
        }
        command.current_dir(self.path("app")).output().unwrap()
    }

    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new(self.path("buildpack/bin").join(name));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("app"));
        command
    }

    /// Nobody may write to it any more.
    pub(crate) fn seal(&self) {
        succeed(
            Command::new("chmod").args(["-R", "a-w,a+rX"]).arg(self.path("app")).arg(self.path("layers")),
        );
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        // So that it can be removed.
        let _not_there = Command::new("chmod").arg("-R").arg("u+w").arg(self.directory.path()).status();
    }
}

pub(crate) fn pack(to: &Path) {
    let pair = format!("{}={}", PLATFORMS.0, stripped().display());
    succeed(script("scripts/heroku-pack").arg(to).arg(pair));
}

/// A line as it is run in a dyno, with what a platform sets in the way of the classic stacks.
pub(crate) struct Dyno {
    /// No passwd entry is for it.
    user: Option<u32>,
}

impl Dyno {
    pub(crate) fn new() -> Self {
        // Each has its own, as its runtime's directory in /tmp is named after it.
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = || std::process::id() * 16 + COUNTER.fetch_add(1, Ordering::Relaxed);
        let user = processes::is_root().then(|| 200_000 + number());
        if user.is_none() {
            processes::say_not_shown("only root can become another user");
        }
        Self { user }
    }

    pub(crate) fn command(&self, line: &str) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(user) = self.user {
            words.extend(["setpriv".to_owned(), format!("--reuid={user}"), format!("--regid={user}")]);
            words.extend(["--clear-groups", "--no-new-privs"].map(str::to_owned));
        }
        words.extend(["bash", "--login", "-c", line].map(str::to_owned));
        words
    }

    /// Runs `line` in the slug as the stack does, which reads what is in .profile.d first.
    pub(crate) fn launch(&self, build: &Build, line: &str, port: u16) -> Launch {
        let line = format!("for file in .profile.d/*.sh; do . \"$file\"; done; {line}");
        let words = self.command(&line);
        let home = build.path("app");
        let mut launch = Launch::new(&words[1..]).binary(&words[0]).directory(&home).without_env("PMR_HOME");
        for (name, value) in [
            ("DYNO", "web.1"),
            ("WEB_CONCURRENCY", "2"),
            ("WEB_CONCURRENCY_SET_BY", "heroku/nodejs"),
            ("WEB_MEMORY", "512"),
            ("MEMORY_AVAILABLE", "1024"),
            ("NODE_ENV", "production"),
            ("HEROKU_APP_NAME", "shop"),
            ("HEROKU_RELEASE_VERSION", "v7"),
            // The app's variables are all there, those for the build as well.
            ("PMR_RUNTIME_URL", &build.url()),
            ("PMR_RUNTIME_SHA256", &build.sum()),
        ] {
            launch = launch.env(name, value);
        }
        let node = tool("node20");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", node.parent().unwrap().display());
        // A login shell sets PATH anew, and the language's buildpack has a file there, too.
        launch.env("HOME", home).env("NODE_PLACE", path).port(port)
    }

    /// What a shell in the running dyno (`heroku ps:exec`) is answered, which has none of its variables.
    pub(crate) fn exec(&self, build: &Build, line: &str) -> Output {
        let words = self.command(line);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("HOME", build.path("app"))
            .current_dir(build.path("app"))
            .output()
            .unwrap()
    }
}

impl Drop for Dyno {
    fn drop(&mut self) {
        if let Some(user) = self.user {
            let _not_there = fs::remove_dir_all(format!("/tmp/pmr-{user}"));
        }
    }
}
