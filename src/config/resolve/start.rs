//! What is run beside the workers: a command before the first start, unless an order is waited for, and one after crashes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::command::Command;
use super::reader::Reader;
use super::{ResolveError, World};
use crate::config::crash::{self, Told};
use crate::config::env::Environment;
use crate::config::raw::{Flags, Invocation};
use crate::config::{duration, setting, values};
use crate::spec::{Autostart, OnCrash, PreStart, StartPolicy};

/// Longer than most migrations take, and short enough that a start that hangs is noticed.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The options, each checked by itself.
pub(super) struct StartOptions {
    when: Autostart,
    line: Option<OsString>,
    timeout: Duration,
    on_crash: Option<Told>,
}

/// What is run beside the workers.
pub(super) struct Beside {
    pub(super) start: StartPolicy,
    pub(super) on_crash: Option<OnCrash>,
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
            on_crash: reader.text(setting::ON_CRASH, &flags.on_crash, &env.pmr_on_crash, crash::on_crash),
        }
    }

    /// How long a command may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// With the commands found as the app's own is.
    pub(super) fn find(self, directory: Option<&Path>, world: &World<'_>) -> Result<Beside, ResolveError> {
        let find = |line: OsString| {
            let (flags, arguments) = (Flags::default(), Vec::new());
            Command::find(Invocation { flags, command: line, arguments, start: false }, directory, world)
        };
        let first = self.line.map(find).transpose()?.map(|Command { program, arguments }| PreStart {
            program,
            arguments,
            variables: BTreeMap::new(),
            timeout: self.timeout,
        });
        let on_crash = match self.on_crash {
            None => None,
            Some(Told::Server { host, port, path }) => Some(OnCrash::Post { host, port, path }),
            Some(Told::Command(line)) => {
                let Command { program, arguments } = find(line.into())?;
                Some(OnCrash::Run { program, arguments })
            }
        };
        Ok(Beside { start: StartPolicy { when: self.when, after: Vec::new(), first }, on_crash })
    }
}
