//! From the command line to the running driver.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use super::alias;
use super::args::{self, Request};
use super::beginning::Beginning;
use super::control::{self, Wiring};
use super::delay::{Waited, delay};
use super::history::History;
use super::otlp;
use super::outputs;
use super::plan::Interception;
use super::resume;
use super::surroundings;
use super::verbs;
use super::web;
use crate::autoscale::Follower;
use crate::config::sources::Sources;
use crate::control::Server;
use crate::driver::Driver;
use crate::driver::handle::{Handle, handle};
use crate::exit::{self, Error};
use crate::logs::{Closed, Outputs};
use crate::otlp::Pusher;
use crate::otlp::config::Config;
use crate::sys::filter::Filter;
use crate::sys::signals::{self, Held};
use crate::sys::{descriptors, guard, heap, low_fds, replace, subreaper};
use crate::telemetry::Telemetry;

/// The first word by which a runtime without apps is started, for the background: `pmr-runtime daemon HOME`.
pub const DAEMON: &str = "daemon";

/// How long the last answers on the control socket may take to be taken.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long the last push of figures may take.
const LAST_PUSH: Duration = Duration::from_secs(2);

/// The whole program. Returns the status to exit with.
#[must_use]
pub fn main() -> ExitCode {
    if is_guard() {
        guard::run();
        return ExitCode::SUCCESS;
    }
    if resume::is_check() {
        return resume::check();
    }
    if let Some(error) = alias::become_pmr() {
        return exit::report(
            &Error::System { what: "start anew as `pmr`", source: error },
            &mut io::stderr(),
        )
        .into();
    }
    let state = replace::take_state();
    // Before any signal is held back: Ctrl-C ends a client as it ends any program.
    if state.is_none()
        && let Some(status) = verbs::run()
    {
        return status;
    }
    // Before anything is opened: after an update, more may be open than we were given. If refused, that has to do.
    let _as_it_is = descriptors::raise();
    // Then at once, since the kernel drops a signal that a PID 1 neither blocks nor has a handler for.
    let status = match signals::hold() {
        Ok(signals) => start(signals, state).unwrap_or_else(|error| exit::report(&error, &mut io::stderr())),
        Err(error) => {
            exit::report(&Error::System { what: "hold signals back", source: error }, &mut io::stderr())
        }
    };
    ExitCode::from(status)
}

fn is_guard() -> bool {
    std::env::args_os().next().is_some_and(|name| name == guard::NAME)
}

/// What is to be run.
enum Job {
    /// Apps in the foreground: one, or those of a configuration file.
    Apps(Beginning),
    /// No app yet: those that clients add, with state and logs in this directory.
    Daemon(PathBuf),
}

fn start(signals: Held, state: Option<OwnedFd>) -> Result<u8, Error> {
    low_fds::fill_standard_streams().map_err(system("open /dev/null"))?;
    let reserved = low_fds::reserve().map_err(system("reserve descriptors"))?;
    // Tried while we read the configuration; most ways of sharing need to know. After the reservation, lest the probe's
    // own descriptor stand in its place.
    let interception = Rc::new(Interception::new(Filter::probe()));
    let sources = Sources::of_this_process();
    if let Some(state) = state {
        return resume::run(state, daemon_home(), signals, (sources, interception), reserved);
    }
    let job = match daemon_home() {
        Some(home) => Job::Daemon(home),
        None => match args::parse(std::env::args_os(), &|directory, file| sources.look(directory, file))? {
            Request::Run(invocation) => Job::Apps(Beginning::of_words(*invocation, &sources)?),
            Request::Configuration(request) => Job::Apps(Beginning::of_file(&request, &sources)?),
            Request::Help(text) | Request::Version(text) => return Ok(print(&text)),
        },
    };
    // Without it orphans go to the next init above us, which reaps them as well.
    let _not_needed_as_pid_1 = subreaper::become_subreaper();
    in_event_loop(supervise(job, signals, sources, interception, reserved))
}

pub(super) fn in_event_loop(all: impl Future<Output = Result<u8, Error>>) -> Result<u8, Error> {
    heap::give_back_large_buffers();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Else one could take a signal in the moment in which we hand over to another program, which would never hear of it.
        .on_thread_start(signals::leave_to_the_main_thread)
        .build()
        .map_err(system("start the event loop"))?;
    tokio::task::LocalSet::new().block_on(&runtime, all)
}

pub(super) fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::System { what, source }
}

fn daemon_home() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    (words.next()? == DAEMON).then(|| words.next().map(PathBuf::from))?
}

/// A closed standard output is no reason to fail.
fn print(text: &str) -> u8 {
    let _unwritable = io::stdout().write_all(text.as_bytes());
    exit::OK
}

async fn supervise(
    job: Job,
    signals: Held,
    sources: Sources,
    interception: Rc<Interception>,
    reserved: Vec<OwnedFd>,
) -> Result<u8, Error> {
    let (outputs, apps) = match &job {
        Job::Apps(beginning) => {
            let apps = beginning.plans(&interception);
            let several = apps.iter().map(|(_, plan)| plan.app.most_instances().get()).sum::<u32>() > 1;
            (outputs::of_foreground(beginning.settings(), several, &sources), apps)
        }
        Job::Daemon(home) => (outputs::of_background(home), Vec::new()),
    };
    let outputs: (Outputs, Closed) = outputs.map_err(system("open the outputs"))?;
    let _set_once = tracing::subscriber::set_global_default(outputs.0.subscriber(level(&job)));
    let mut signals = signals.attach().map_err(system("watch for signals"))?;
    if let Job::Apps(beginning) = &job
        && !beginning.settings().delay.is_zero()
        && delay(beginning.settings().delay, &mut signals).await.map_err(system("wait for signals"))?
            == Waited::Stopped
    {
        let _all_written = outputs.0.finish(LAST_ANSWERS).await;
        return Ok(exit::OK);
    }
    apps.iter().for_each(|(_, plan)| plan.tell());
    let home = match &job {
        Job::Apps(_) => None,
        Job::Daemon(home) => Some(home.clone()),
    };
    // A mere init is for its program alone.
    let is_open = !apps.iter().any(|(_, plan)| plan.app.is_init());
    let pushes = pushes(&job, is_open);
    let (wanted, history) = shown(&job, pushes.is_some());
    let (handle, end) = handle();
    let telemetry = history.telemetry.clone();
    let of_follower = (handle.clone(), telemetry.clone());
    let of_web = web::Wiring::new(&handle, home.clone(), &telemetry);
    let of_pushes = otlp::Surroundings::new(&handle, &telemetry);
    let wiring = Wiring {
        events: handle.events(),
        handle: handle.clone(),
        home: home.clone(),
        inherited: None,
        telemetry,
    };
    let auto_exit = match &job {
        Job::Apps(beginning) => beginning.settings().auto_exit,
        Job::Daemon(_) => false,
    };
    let surroundings = surroundings::of(sources, interception, home, level(&job).to_string(), auto_exit);
    let mut driver = Driver::new(surroundings, signals, outputs, reserved, end);
    for (definition, plan) in apps {
        driver.add(definition, plan, None).map_err(system("open log files"))?;
    }
    let server = if is_open { control::open(wiring, &mut driver) } else { None };
    let _collector = history.begin(handle, &mut driver);
    let _follower = follower(of_follower, &driver);
    let web = web::open(wanted, of_web, &mut driver);
    let pusher = pushes.map(|config| otlp::open(config, of_pushes, &mut driver));
    run_to_its_end(driver, server, web, pusher).await
}

/// What has apps follow their load.
pub(super) fn follower((handle, telemetry): (Handle, Telemetry), driver: &Driver) -> Follower {
    Follower::start(handle, telemetry, driver.scalable())
}

/// Where figures are to be pushed.
fn pushes(job: &Job, is_open: bool) -> Option<Config> {
    let is_wanted = match job {
        Job::Apps(beginning) => is_open && beginning.settings().otlp,
        Job::Daemon(_) => otlp::is_wanted_by_environment(),
    };
    is_wanted.then(otlp::wanted).flatten()
}

/// The web server that is wanted, and the figures that are kept for those who look.
fn shown(job: &Job, is_pushed: bool) -> (Option<web::Wanted>, History) {
    match job {
        Job::Apps(beginning) => {
            let settings = beginning.settings();
            (web::Wanted::of(settings), History::of(settings, is_pushed))
        }
        Job::Daemon(_) => {
            let wanted = web::Wanted::of_environment();
            let history = History::of_environment(wanted.is_some() || is_pushed);
            (wanted, history)
        }
    }
}

/// The rest of the runtime's life.
pub(super) async fn run_to_its_end(
    driver: Driver,
    server: Option<Server>,
    web: web::Opened,
    pusher: Option<Pusher>,
) -> Result<u8, Error> {
    let status = driver.run().await.map_err(system("run the event loop"));
    let finish_control = async {
        if let Some(server) = server {
            server.finish(LAST_ANSWERS).await;
        }
    };
    let finish_web = async {
        if let Some(web) = web.take() {
            web.finish(LAST_ANSWERS).await;
        }
    };
    let finish_pushes = async {
        if let Some(pusher) = pusher {
            pusher.finish(LAST_PUSH).await;
        }
    };
    tokio::join!(finish_control, finish_web, finish_pushes);
    status
}

fn level(job: &Job) -> LevelFilter {
    let level = match job {
        Job::Apps(beginning) => beginning.settings().log_level.as_str(),
        Job::Daemon(_) => "info",
    };
    level.parse().unwrap_or(LevelFilter::INFO)
}
