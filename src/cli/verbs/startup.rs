//! `pmr startup` and `pmr unstartup`: a systemd unit that brings the saved apps back at boot.
//!
//! systemd starts the runtime itself, so that it knows whom to watch; `resurrect` then gives it the apps.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::Startup;
use super::error::VerbError;
use super::session::Session;
use super::unit::Unit;
use crate::control::users;
use crate::exit;

/// Where units of the administrator lie.
const UNITS: &str = "/etc/systemd/system";
/// There exactly when systemd is process 1 (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// Where systemd itself would look, had we none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartupError {
    #[error("there is no user `{user}`")]
    NoUser { user: String },
    #[error("this machine was not booted by systemd")]
    NoSystemd { verb: &'static str },
    #[error("only root may change `{UNITS}`")]
    NotRoot { command: String },
    #[error("cannot tell which program this is")]
    Executable {
        #[source]
        source: io::Error,
    },
    #[error("cannot change `{}`", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`systemctl {words}` failed: {said}")]
    Systemctl { words: String, said: String },
}

impl StartupError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::NoSystemd { verb: "unstartup" } => {
                Some("`pmr unstartup --print` shows which file it would be".to_owned())
            }
            Self::NoSystemd { .. } => Some(
                "`pmr startup --print` shows the unit; in a container, `pmr-runtime COMMAND` is the process to start"
                    .to_owned(),
            ),
            Self::NotRoot { command } => Some(format!("`{command}`")),
            _ => None,
        }
    }
}

pub(super) fn install(session: &Session, startup: &Startup) -> Result<u8, VerbError> {
    let unit = unit(session, startup)?;
    session.output.print(&unit.render())?;
    if startup.print {
        return Ok(exit::OK);
    }
    may_change("startup", &unit)?;
    let path = Path::new(UNITS).join(unit.name());
    std::fs::write(&path, unit.render())
        .map_err(|source| StartupError::File { path: path.clone(), source })?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", &unit.name()])?;
    let name = unit.name();
    session.output.tell(&format!(
        "installed {}: at boot it starts what `pmr save` has written down; `systemctl start {name}` does so now\n",
        path.display()
    ));
    Ok(exit::OK)
}

pub(super) fn remove(session: &Session, startup: &Startup) -> Result<u8, VerbError> {
    let unit = unit(session, startup)?;
    let path = Path::new(UNITS).join(unit.name());
    if startup.print {
        session.output.print(&format!("{}\n", path.display()))?;
        return Ok(exit::OK);
    }
    may_change("unstartup", &unit)?;
    systemctl(&["disable", &unit.name()])?;
    std::fs::remove_file(&path).map_err(|source| StartupError::File { path: path.clone(), source })?;
    systemctl(&["daemon-reload"])?;
    session.output.tell(&format!("removed {}; what runs goes on\n", path.display()));
    Ok(exit::OK)
}

fn unit(session: &Session, startup: &Startup) -> Result<Unit, StartupError> {
    let database = users::database();
    let caller = session.variable("SUDO_USER").and_then(|name| name.to_str()).map(str::to_owned);
    let own = || users::name_of(nix::unistd::geteuid().as_raw(), &database);
    let user = startup.user.clone().or(caller).unwrap_or_else(own);
    let directory =
        users::directory_of(&user, &database).ok_or_else(|| StartupError::NoUser { user: user.clone() })?;
    let executable = std::env::current_exe().map_err(|source| StartupError::Executable { source })?;
    let home = match &session.around.home {
        Some(home) => session.directory.join(home),
        None => directory.join(".pmr"),
    };
    let path = session.variable("PATH").and_then(|path| path.to_str()).unwrap_or(DEFAULT_PATH).to_owned();
    Ok(Unit { user, home, directory, executable, path })
}

fn may_change(verb: &'static str, unit: &Unit) -> Result<(), StartupError> {
    if !Path::new(BOOTED).is_dir() {
        return Err(StartupError::NoSystemd { verb });
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (home, user, program) = (unit.home.display(), &unit.user, unit.executable.display());
    // sudo has a PATH of its own, and the apps need ours.
    Err(StartupError::NotRoot {
        command: format!("sudo env PATH=\"$PATH\" {program} {verb} --user {user} --home {home}"),
    })
}

fn systemctl(words: &[&str]) -> Result<(), StartupError> {
    let failed = |said: String| StartupError::Systemctl { words: words.join(" "), said };
    let output = Command::new("systemctl").args(words).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
