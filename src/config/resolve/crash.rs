//! Who is told of crashes: a server by its URL, or a command.

use std::ffi::OsString;
use std::path::Path;

use super::command::Command;
use super::reader::Reader;
use super::{ResolveError, World};
use crate::config::crash::{self, Told};
use crate::config::env::Environment;
use crate::config::raw::{Flags, Invocation};
use crate::config::setting;
use crate::spec::OnCrash;

/// What `--on-crash` says, checked by itself.
pub(super) struct CrashOption(Option<Told>);

impl CrashOption {
    pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> Self {
        Self(reader.text(setting::ON_CRASH, &flags.on_crash, &env.pmr_on_crash, crash::on_crash))
    }

    /// With the command found as the app's own is.
    pub(super) fn into_policy(
        self,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Result<Option<OnCrash>, ResolveError> {
        let line = match self.0 {
            None => return Ok(None),
            Some(Told::Server { host, port, path }) => return Ok(Some(OnCrash::Post { host, port, path })),
            Some(Told::Command(line)) => OsString::from(line),
        };
        let (flags, arguments) = (Flags::default(), Vec::new());
        let invocation = Invocation { flags, command: line, arguments, start: false };
        let Command { program, arguments } = Command::find(invocation, directory, world)?;
        Ok(Some(OnCrash::Run { program, arguments }))
    }
}
