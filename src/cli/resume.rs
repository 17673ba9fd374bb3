//! The program that takes over from the one before it in this process, and the trial of whether it can.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use tracing_subscriber::filter::LevelFilter;

use super::control::{self, Wiring};
use super::history::History;
use super::otlp;
use super::plan::Interception;
use super::run::{follower, in_event_loop, run_to_its_end, system};
use super::surroundings;
use super::web;
use crate::config::sources::Sources;
use crate::driver::handle::handle;
use crate::driver::{self, Driver, Inherited};
use crate::exit::{self, Error};
use crate::sys::replace;
use crate::sys::signals::Held;
use crate::sys::subreaper;

/// The most of a state that is read: far more than any runtime has.
const LARGEST_STATE: u64 = 1 << 30;

/// Whether we are asked if we can take over.
pub(super) fn is_check() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == replace::CHECK) && std::env::args_os().len() == 2
}

/// Says whether we can take over the state on our standard input: `ok VERSION`, or why not.
pub(super) fn check() -> ExitCode {
    let outcome = read_all().map_err(|error| error.to_string());
    let outcome = outcome.and_then(|state| driver::check(&state).map_err(|error| error.to_string()));
    let (line, status) = match outcome {
        Ok(()) => (format!("ok {}\n", env!("CARGO_PKG_VERSION")), exit::OK),
        Err(why) => (format!("{why}\n"), 1),
    };
    // Who asked may have gone.
    let _unheard = io::stdout().write_all(line.as_bytes());
    ExitCode::from(status)
}

fn read_all() -> io::Result<Vec<u8>> {
    let mut state = Vec::new();
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    input.take(LARGEST_STATE).read_to_end(&mut state)?;
    Ok(state)
}

/// Goes on with what was left, until all is over. `home` is the directory of a runtime in the background.
pub(super) fn run(
    state: OwnedFd,
    home: Option<PathBuf>,
    signals: Held,
    (sources, interception): (Sources, Rc<Interception>),
    reserved: Vec<OwnedFd>,
) -> Result<u8, Error> {
    let inherited = Inherited::read(state).map_err(|error| {
        let source = io::Error::new(io::ErrorKind::InvalidData, error);
        Error::System { what: "read what the program before this one has left", source }
    })?;
    // It is kept over the exec; where it was not to be had then, it is not now.
    let _not_needed_as_pid_1 = subreaper::become_subreaper();
    let log_level = inherited.log_level().to_owned();
    let auto_exit = inherited.auto_exit();
    let surroundings = surroundings::of(sources, interception, home.clone(), log_level, auto_exit);
    in_event_loop(go_on(inherited, surroundings, signals, home, reserved))
}

async fn go_on(
    mut inherited: Inherited,
    surroundings: driver::Surroundings,
    signals: Held,
    home: Option<PathBuf>,
    reserved: Vec<OwnedFd>,
) -> Result<u8, Error> {
    let outputs = inherited.open_outputs(&surroundings).map_err(system("open the outputs"))?;
    let level = inherited.log_level().parse().unwrap_or(LevelFilter::INFO);
    let _set_once = tracing::subscriber::set_global_default(outputs.0.subscriber(level));
    let signals = signals.attach().map_err(system("watch for signals"))?;
    let (handle, end) = handle();
    let control = inherited.take_control();
    let wanted = inherited.take_web().map(web::Wanted::Inherited);
    let pushes = inherited.take_pushes();
    let is_shown = wanted.is_some() || pushes.is_some();
    let history = History::resume(inherited.take_history().as_ref(), is_shown);
    let telemetry = history.telemetry.clone();
    let of_follower = (handle.clone(), telemetry.clone());
    let of_web = web::Wiring::new(&handle, home.clone(), &telemetry);
    let of_pushes = otlp::Surroundings::new(&handle, &telemetry);
    let wiring =
        Wiring { events: handle.events(), handle: handle.clone(), home, inherited: control, telemetry };
    let mut driver = Driver::resume(surroundings, signals, outputs, reserved, end, inherited);
    let server = control::open(wiring, &mut driver);
    let _collector = history.begin(handle, &mut driver);
    let _follower = follower(of_follower, &driver);
    let web = web::open(wanted, of_web, &mut driver);
    let pusher = pushes.and_then(|starts| otlp::go_on(starts, of_pushes, &mut driver));
    run_to_its_end(driver, server, web, pusher).await
}
