//! The systemd unit of a runtime in the background. Pure.

use std::path::{Path, PathBuf};

/// What a unit is made of.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) user: String,
    /// Of the runtime: its state and logs.
    pub(super) home: PathBuf,
    /// Of the user.
    pub(super) directory: PathBuf,
    pub(super) executable: PathBuf,
    pub(super) path: String,
}

impl Unit {
    /// One for each user.
    pub(super) fn name(&self) -> String {
        format!("pmr-{}.service", self.user)
    }

    /// The file.
    pub(super) fn render(&self) -> String {
        let program = quoted(&self.executable.to_string_lossy());
        let home = argument(&self.home.to_string_lossy());
        let variable = |name: &str, value: &str| quoted(&format!("{name}={value}"));
        // `-` before a command: a boot without anything saved is no failure. TimeoutStopSec is longer than the 25 s that
        // workers have by default.
        format!(
            "\
[Unit]
Description=pmr-runtime of {user}
Documentation=https://github.com/pmr-runtime/pmr-runtime
After=network-online.target
Wants=network-online.target

[Service]
Type=simple
User={user}
Environment={path}
Environment={variable}
WorkingDirectory={directory}
ExecStart={program} daemon {home}
ExecStartPost=-{program} resurrect --wait --home {home}
ExecReload={program} reload all --home {home}
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure
LimitNOFILE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
",
            user = self.user,
            path = variable("PATH", &self.path),
            variable = variable("PMR_HOME", &self.home.to_string_lossy()),
            directory = path(&self.directory),
        )
    }
}

/// As systemd.syntax(7) takes a word: quoted, and `%` as itself.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

/// As systemd.service(5) takes a word behind a program, where `$` begins a variable.
fn argument(word: &str) -> String {
    quoted(&word.replace('$', "$$"))
}

/// A path that is the whole of a setting is not quoted.
fn path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_runs_as_its_user_with_their_path_and_home() {
        let unit = Unit {
            user: "deploy".to_owned(),
            home: "/home/deploy/100% $mine".into(),
            directory: "/home/deploy".into(),
            executable: "/usr/local/bin/pmr-runtime".into(),
            path: "/opt/node/bin:/usr/bin".to_owned(),
        };
        assert_eq!(unit.name(), "pmr-deploy.service");
        insta::assert_snapshot!(unit.render(), @r#"
            [Unit]
            Description=pmr-runtime of deploy
            Documentation=https://github.com/pmr-runtime/pmr-runtime
            After=network-online.target
            Wants=network-online.target

            [Service]
            Type=simple
            User=deploy
            Environment="PATH=/opt/node/bin:/usr/bin"
            Environment="PMR_HOME=/home/deploy/100%% $mine"
            WorkingDirectory=/home/deploy
            ExecStart="/usr/local/bin/pmr-runtime" daemon "/home/deploy/100%% $$mine"
            ExecStartPost=-"/usr/local/bin/pmr-runtime" resurrect --wait --home "/home/deploy/100%% $$mine"
            ExecReload="/usr/local/bin/pmr-runtime" reload all --home "/home/deploy/100%% $$mine"
            KillMode=mixed
            TimeoutStopSec=60
            Restart=on-failure
            LimitNOFILE=infinity
            TasksMax=infinity

            [Install]
            WantedBy=multi-user.target
            "#);
    }
}
