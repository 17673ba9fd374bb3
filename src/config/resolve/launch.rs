//! How an app's command is started: as it was found, or a script of package.json without its package manager.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::World;
use super::app::AppOptions;
use super::command::Command;
use crate::config::package::{self, Before, Direct, Hooks, Outcome, Resolution, Surroundings};

/// What is started, and where.
pub(super) struct Launch {
    pub(super) command: Command,
    /// That of the command as it was given.
    pub(super) name: String,
    /// Where it runs, if not in our own directory.
    pub(super) directory: Option<PathBuf>,
    /// What is set over the environment.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// A script that has to succeed before.
    pub(super) before: Option<Before>,
    /// What came of a command that names a script.
    pub(super) resolution: Option<Resolution>,
}

impl Launch {
    /// The way in which `command` is started.
    pub(super) fn of(command: Command, options: &AppOptions, hooks: Hooks, world: &World<'_>) -> Self {
        let directory = options.directory().map(Path::to_owned);
        let name = command.name();
        let literal = |command, resolution| Self {
            command,
            name: name.clone(),
            directory: directory.clone(),
            variables: Vec::new(),
            before: None,
            resolution,
        };
        if !options.resolves() || !package::may_be_script(&command.program) {
            return literal(command, None);
        }
        let here = (world.here)().join(options.directory().unwrap_or(Path::new("")));
        let at =
            Surroundings { directory: &here, environment: &world.environment, files: &world.files, hooks };
        match package::resolve(&command.program, &command.arguments, &at) {
            Outcome::Untouched => literal(command, None),
            Outcome::Kept(why) => {
                let line = package::shown(&command.program, &command.arguments);
                literal(command, Some(Resolution::Kept { command: line, why: why.to_string() }))
            }
            Outcome::Direct(direct) => {
                let Direct { program, arguments, directory: place, variables, before, steps } = *direct;
                let directory =
                    if Some(&place) == (world.files.real)(&here).as_ref() { directory } else { Some(place) };
                let resolution = Some(Resolution::Direct(steps));
                Self {
                    command: Command { program, arguments },
                    name,
                    directory,
                    variables,
                    before,
                    resolution,
                }
            }
        }
    }
}
