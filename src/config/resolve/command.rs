//! What to execute: the command as given, or a file's interpreter with the file.

use std::ffi::OsString;
use std::path::Path;

use super::{ResolveError, World};
use crate::config::interpreter;
use crate::config::name::default_name;
use crate::config::raw::Invocation;

/// A program and its arguments.
pub(super) struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

impl Command {
    /// Turns the words of `invocation` into a command to be run in `directory`.
    pub(super) fn find(
        invocation: Invocation,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Result<Self, ResolveError> {
        let Invocation { command, mut arguments, start, .. } = invocation;
        let file = Path::new(&command);
        let exists = (world.is_file)(directory, file);
        if interpreter::is_configuration(file) && (exists || start) {
            return Err(ResolveError::ConfigurationFile(file.display().to_string()));
        }
        let Some(candidates) = interpreter::candidates(file) else {
            return Ok(Self { program: command, arguments });
        };
        if exists {
            let program = interpreter::choose(file, candidates, world.in_path)?.into();
            arguments.insert(0, command);
            return Ok(Self { program, arguments });
        }
        if (world.in_path)(&command) {
            return Ok(Self { program: command, arguments });
        }
        Err(ResolveError::NoSuchFile(file.display().to_string()))
    }

    /// The name of an app that has none.
    pub(super) fn name(&self) -> String {
        default_name(&self.program, &self.arguments)
    }
}
