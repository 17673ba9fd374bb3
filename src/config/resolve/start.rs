//! What comes before the first start: an order, or a command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::command::Command;
use super::reader::Reader;
use super::{ResolveError, World};
use crate::config::env::Environment;
use crate::config::raw::{Flags, Invocation};
use crate::config::{duration, setting, values};
use crate::spec::{Autostart, PreStart, StartPolicy};

/// Longer than most migrations take, and short enough that a start that hangs is noticed.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The options, each checked by itself.
pub(super) struct StartOptions {
    when: Autostart,
    line: Option<OsString>,
    timeout: Duration,
}

impl StartOptions {
    pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> Self {
        let line =
            reader.text(setting::PRE_START, &flags.pre_start, &env.pmr_pre_start, values::command_line);
        let timeout = reader.text(
            setting::PRE_START_TIMEOUT,
            &flags.pre_start_timeout,
            &env.pmr_pre_start_timeout,
            duration::parse_positive,
        );
        let no_autostart = flags.no_autostart.then(|| "false".into());
        let by_itself = reader.text(setting::AUTOSTART, &no_autostart, &env.pmr_autostart, values::yes_or_no);
        Self {
            when: if by_itself == Some(false) { Autostart::OnOrder } else { Autostart::AtOnce },
            line: line.map(OsString::from),
            timeout: timeout.unwrap_or(TIMEOUT),
        }
    }

    /// How long a command may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// With the command found as the app's own is.
    pub(super) fn into_policy(
        self,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Result<StartPolicy, ResolveError> {
        let find = |line: OsString| -> Result<PreStart, ResolveError> {
            let (flags, arguments) = (Flags::default(), Vec::new());
            let invocation = Invocation { flags, command: line, arguments, start: false };
            let Command { program, arguments } = Command::find(invocation, directory, world)?;
            Ok(PreStart { program, arguments, variables: BTreeMap::new(), timeout: self.timeout })
        };
        let first = self.line.map(find).transpose()?;
        Ok(StartPolicy { when: self.when, after: Vec::new(), first })
    }
}
