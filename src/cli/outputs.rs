//! Where our lines and those of the workers go, and how they are to look.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use crate::config::settings::{LogFormat, Settings};
use crate::config::sources::Sources;
use crate::driver::own_log;
use crate::logs::{self, Closed, Format, Outputs, Prefix, StreamSettings};

/// In the foreground: our standard output and error. `several` says whether there are several workers.
pub(super) fn of_foreground(
    settings: &Settings,
    several: bool,
    sources: &Sources,
) -> io::Result<(Outputs, Closed)> {
    let colours = allows_colour(sources);
    let stream = |is_terminal: bool| StreamSettings {
        prefix: if several || is_terminal { Prefix::AppAndInstance } else { Prefix::None },
        colour: is_terminal && colours,
    };
    let stderr_is_terminal = io::stderr().is_terminal();
    let look = logs::Settings {
        format: match settings.log_format {
            LogFormat::Raw => Format::Raw,
            LogFormat::Text => Format::Text,
            LogFormat::Fields => Format::Fields,
            LogFormat::Json => Format::Json,
        },
        stdout: stream(io::stdout().is_terminal()),
        stderr: stream(stderr_is_terminal),
        timestamps: settings.timestamps && !stderr_is_terminal,
        line_times: false,
        sole_source: !several,
    };
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let stderr = io::stderr().as_fd().try_clone_to_owned()?;
    Outputs::start(look, stdout, stderr)
}

/// In the background: a file for our own lines; each app has files of its own.
pub(super) fn of_background(home: &Path) -> io::Result<(Outputs, Closed)> {
    let plain = StreamSettings { prefix: Prefix::None, colour: false };
    let look = logs::Settings {
        format: Format::Text,
        stdout: plain,
        stderr: plain,
        timestamps: true,
        line_times: false,
        sole_source: false,
    };
    Outputs::to_files(look, Some(own_log(home)), Some(own_log(home)))
}

/// no-color.org: any value but the empty one forbids colour.
fn allows_colour(sources: &Sources) -> bool {
    let value = |name: &str| sources.environment().get(OsStr::new(name)).filter(|value| !value.is_empty());
    value("NO_COLOR").is_none() && value("TERM").is_none_or(|term| term != "dumb")
}
