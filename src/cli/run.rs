//! From the command line to the running driver.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use tracing_subscriber::filter::LevelFilter;

use super::args::{self, Request};
use super::plan;
use crate::config::settings::{LogFormat, Settings};
use crate::config::sources::Sources;
use crate::driver::{Driver, Plan};
use crate::exit::{self, Error};
use crate::logs::{self, Closed, Format, Outputs, Prefix, StreamSettings};
use crate::sys::filter::{Filter, Probe};
use crate::sys::signals::{self, Installed};
use crate::sys::{guard, low_fds, subreaper};

/// The whole program. Returns the status to exit with.
#[must_use]
pub fn main() -> ExitCode {
    if is_guard() {
        guard::run();
        return ExitCode::SUCCESS;
    }
    // First of all, since the kernel drops a signal that a PID 1 has no handler for.
    let installed = signals::install();
    let status = match installed {
        Ok(signals) => start(signals).unwrap_or_else(|error| exit::report(&error, &mut io::stderr())),
        Err(error) => exit::report(
            &Error::System { what: "install the signal handlers", source: error },
            &mut io::stderr(),
        ),
    };
    ExitCode::from(status)
}

fn is_guard() -> bool {
    std::env::args_os().next().is_some_and(|name| name == guard::NAME)
}

fn start(signals: Installed) -> Result<u8, Error> {
    let system = |what| move |source| Error::System { what, source };
    low_fds::fill_standard_streams().map_err(system("open /dev/null"))?;
    let reserved = low_fds::reserve().map_err(system("reserve descriptors"))?;
    // Tried while we read the configuration; most ways of sharing need to know. After the reservation, lest the probe's
    // own descriptor stand in its place.
    let probe = Filter::probe();
    let sources = Sources::of_this_process();
    let request = args::parse(std::env::args_os(), &|directory, file| sources.is_file(directory, file))?;
    let invocation = match request {
        Request::Run(invocation) => *invocation,
        Request::Help(text) | Request::Version(text) => return Ok(print(&text)),
    };
    let settings = sources.resolve(invocation)?;
    // Without it orphans go to the next init above us, which reaps them as well.
    let _not_needed_as_pid_1 = subreaper::become_subreaper();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the event loop"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, supervise(signals, settings, &sources, (probe, reserved)))
}

/// A closed standard output is no reason to fail.
fn print(text: &str) -> u8 {
    let _unwritable = io::stdout().write_all(text.as_bytes());
    exit::OK
}

async fn supervise(
    signals: Installed,
    settings: Settings,
    sources: &Sources,
    (probe, reserved): (Probe, Vec<OwnedFd>),
) -> Result<u8, Error> {
    let system = |what| move |source| Error::System { what, source };
    let prepared = plan::prepare(settings, sources, probe);
    let outputs = open_outputs(&prepared).map_err(system("open the outputs"))?;
    let subscriber = outputs.0.subscriber(level(&prepared.settings));
    let _set_once = tracing::subscriber::set_global_default(subscriber);
    prepared.tell();
    let signals = signals.attach().map_err(system("watch for signals"))?;
    let plan: Plan = prepared.plan;
    Driver::new(plan, signals, outputs, reserved).run().await.map_err(system("run the event loop"))
}

fn level(settings: &Settings) -> LevelFilter {
    settings.log_level.as_str().parse().unwrap_or(LevelFilter::INFO)
}

fn open_outputs(prepared: &plan::Prepared) -> io::Result<(Outputs, Closed)> {
    let settings = &prepared.settings;
    let several = prepared.plan.app.instances.get() > 1;
    let colours = prepared.colours;
    let stream = |is_terminal: bool| StreamSettings {
        prefix: if several || is_terminal { Prefix::AppAndInstance } else { Prefix::None },
        colour: is_terminal && colours,
    };
    let stderr_is_terminal = io::stderr().is_terminal();
    let look = logs::Settings {
        format: match settings.log_format {
            LogFormat::Raw => Format::Raw,
            LogFormat::Text => Format::Text,
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
