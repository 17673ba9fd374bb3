//! Makes one [`Settings`] of flags, environment and machine, or says everything that is wrong with them.
//!
//! Precedence: flag, environment, default. Every value that is set is judged, also one that a flag overrides: it is a
//! mistake that its owner wants to know about. Pure; what must be looked up on the machine comes in with [`World`].

mod app;
mod command;
mod health;
mod identity;
mod interpret;
mod launch;
mod logs;
mod reader;
mod start;
mod watch;

// The addresses alone: `std::net` has sockets, too.
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::{AppOptions, Place};
use command::Command;
pub(crate) use command::needs_shell;
pub use identity::{Account, Accounts};
use interpret::Interpretation;
use launch::Launch;
use reader::Reader;
use start::StartOptions;

use super::cgroup::CpuQuota;
use super::env::{self, Environment};
use super::interpreter::NoInterpreter;
use super::package::{Before, Files, Hooks};
use super::problem::{Problem, Warning};
use super::raw::{Flags, Invocation};
use super::setting;
use super::settings::{LogFormat, LogLevel, Settings};
use super::sizing::{self, Cpus, DEFAULT_WEB_MEMORY, Memory, Request};
use super::values;
use crate::spec::{AppSpec, PreStart};

/// Reads the beginning of a file, looked up from the given directory, or from our own.
pub type ReadHead<'a> = dyn Fn(Option<&Path>, &Path) -> Option<Vec<u8>> + 'a;

/// What the resolver has to know of the machine.
pub struct World<'a> {
    /// The environment as we were given it; it becomes the workers'.
    pub environment: BTreeMap<OsString, OsString>,
    /// CPUs that we may be scheduled on.
    pub affinity: NonZeroU32,
    pub quota: Option<CpuQuota>,
    /// The cgroups' memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Whether all of our cgroup ends when that is used up.
    pub ends_together: bool,
    /// Whether signs of a container were found on the machine.
    pub container: bool,
    /// Whether our standard output is a terminal.
    pub on_terminal: bool,
    /// Whether PATH has an executable of this name.
    pub in_path: &'a dyn Fn(&OsStr) -> bool,
    /// Whether there is such a file, looked up from the given directory, or from our own.
    pub is_file: &'a dyn Fn(Option<&Path>, &Path) -> bool,
    /// How such a file begins.
    pub head: &'a ReadHead<'a>,
    /// Whether there is such a directory.
    pub is_directory: &'a dyn Fn(&Path) -> bool,
    pub accounts: Accounts<'a>,
    /// Our own directory, or that of the one who asks. Absolute.
    pub here: &'a dyn Fn() -> PathBuf,
    pub files: Files<'a>,
}

/// Why nothing can be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("{}", summary(.0))]
    Problems(Vec<Problem>),
    #[error("`{0}` is a configuration file, and no program")]
    ConfigurationFile(String),
    #[error("cannot run `{0}`: no such file")]
    NoSuchFile(String),
    #[error(transparent)]
    NoInterpreter(#[from] NoInterpreter),
}

fn summary(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "a setting cannot be used, nothing was started".to_owned(),
        several => format!("{several} settings cannot be used, nothing was started"),
    }
}

/// Resolves `invocation` in `world`.
///
/// # Errors
/// Either all problems of the settings, or, where these are right, why the command is none.
pub fn resolve(invocation: Invocation, world: World<'_>) -> Result<Settings, ResolveError> {
    let ends_together = world.ends_together && world.memory_limit.is_some();
    let mut settings = settings_of(invocation, world)?;
    if ends_together && is_unprepared(&settings.app) {
        settings.warnings.push(Warning::EndTogether);
    }
    Ok(settings)
}

fn settings_of(invocation: Invocation, world: World<'_>) -> Result<Settings, ResolveError> {
    let env::Reading { environment, problems, mut warnings, stand_ins } = env::read(&world.environment);
    let (flags, mut reader) = (&invocation.flags, Reader::new(problems, stand_ins));
    warnings.extend(flags.remarks.iter().cloned().map(Warning::Said));
    let port = reader.variable("PORT", &environment.port, values::port);
    let standby = reader.text(setting::STANDBY, &flags.standby, &environment.pmr_standby, values::standby);
    let standby = standby.unwrap_or(0);
    let request = Request { standby, ..sizing_request(&mut reader, flags, &environment, &world) };
    let options = AppOptions::read(&mut reader, flags, &environment, &world);
    let start = StartOptions::read(&mut reader, flags, &environment);
    let runtime = OfRuntime::read(&mut reader, flags, &environment);
    let interpretation = Interpretation::read(&mut reader, flags, &environment);
    let (problems, origins) = reader.finish();
    if !problems.is_empty() {
        return Err(ResolveError::Problems(problems));
    }

    let timeout = start.timeout();
    let mut beside = start.find(options.directory(), &world)?;
    let (interpreter, interpreter_args) = (interpretation.program.clone(), interpretation.arguments.clone());
    let command = command_of(invocation, interpretation, &options, &world, &mut warnings)?;
    let (resolves, agent) = (options.resolves(), options.agent());
    let hooks = if beside.start.first.is_some() { Hooks::Kept } else { Hooks::First };
    let launch = Launch::of(command, &options, hooks, &world);
    beside.start.first = beside.start.first.or_else(|| before(&launch, timeout));
    let resolution = launch.resolution.clone();
    let (sizing, cpus) = (sizing::size(&request), request.cpus.count());
    warnings.extend(sizing.warning.clone());
    let default_format = if world.on_terminal { LogFormat::Text } else { LogFormat::Raw };
    let place = Place {
        size: (sizing.instances, sizing.range),
        standby,
        cpus,
        port,
        beside,
        environment: world.environment,
    };
    Ok(Settings {
        app: options.into_spec(launch, place),
        sizing,
        cpus,
        log_format: runtime.log_format.unwrap_or(default_format),
        log_level: runtime.log_level,
        otlp: runtime.otlp,
        auto_exit: runtime.auto_exit,
        delay: runtime.delay,
        web: runtime.web,
        web_read_only: runtime.web_read_only,
        history: runtime.history,
        timestamps: environment.dyno.is_none(),
        container: world.container || is_on_platform(&environment),
        interpreter,
        interpreter_args,
        port,
        origins,
        warnings,
        resolves,
        resolution,
        agent,
    })
}

/// Whether nothing is done before the memory is used up. A mere init has no opinion of its child.
fn is_unprepared(app: &AppSpec) -> bool {
    app.health.max_memory.is_none() && !app.is_guarded() && !app.is_init()
}

/// What the runtime does as a whole: see [`Settings`].
struct OfRuntime {
    log_format: Option<LogFormat>,
    log_level: LogLevel,
    otlp: bool,
    auto_exit: bool,
    delay: Duration,
    web: Option<SocketAddr>,
    web_read_only: bool,
    history: Option<bool>,
}

impl OfRuntime {
    fn read(reader: &mut Reader, flags: &Flags, environment: &Environment) -> Self {
        let log_format = reader.text(
            setting::LOG_FORMAT,
            &flags.log_format,
            &environment.pmr_log_format,
            values::log_format,
        );
        let log_level =
            reader.text(setting::LOG_LEVEL, &flags.log_level, &environment.pmr_log_level, values::log_level);
        let no_otlp = flags.no_otlp.then(|| "false".into());
        let otlp = reader.text(setting::OTLP, &no_otlp, &environment.pmr_otlp, values::yes_or_no);
        let no_auto_exit = flags.no_auto_exit.then(|| "false".into());
        let auto_exit =
            reader.text(setting::AUTO_EXIT, &no_auto_exit, &environment.pmr_auto_exit, values::yes_or_no);
        let delay = reader.text(setting::DELAY, &flags.delay, &environment.pmr_delay, values::seconds);
        let yes = |is_given: bool| is_given.then(|| "true".into());
        let (read_only, history) = (yes(flags.web_read_only), yes(flags.history));
        let web = reader.text(setting::WEB, &flags.web, &environment.pmr_web, values::web);
        let read_only = reader.text(
            setting::WEB_READ_ONLY,
            &read_only,
            &environment.pmr_web_read_only,
            values::yes_or_no,
        );
        let history = reader.text(setting::HISTORY, &history, &environment.pmr_history, values::yes_or_no);
        Self {
            log_format,
            log_level: log_level.unwrap_or(LogLevel::Info),
            otlp: otlp.unwrap_or(true),
            auto_exit: auto_exit.unwrap_or(true),
            delay: delay.unwrap_or_default(),
            web: web.flatten(),
            web_read_only: read_only.unwrap_or(false),
            history,
        }
    }
}

/// Whether a variable of Heroku's or of Kubernetes' says so.
fn is_on_platform(environment: &Environment) -> bool {
    environment.dyno.is_some() || environment.kubernetes_service_host.is_some()
}

/// What package.json has to be run before the script.
fn before(launch: &Launch, timeout: Duration) -> Option<PreStart> {
    let Before { program, arguments, variables, .. } = launch.before.clone()?;
    Some(PreStart { program, arguments, variables: variables.into_iter().collect(), timeout })
}

/// What to execute, by the interpreter that is asked for, or by the words alone.
fn command_of(
    invocation: Invocation,
    interpretation: Interpretation,
    options: &AppOptions,
    world: &World<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Command, ResolveError> {
    if !interpretation.is_none() {
        if let Some(command) = interpretation.command(&invocation, options.directory(), world)? {
            return Ok(command);
        }
        let remark =
            "`--interpreter-args` has no effect: the command names no script that an interpreter runs";
        warnings.push(Warning::Said(remark.to_owned()));
    }
    Command::find(invocation, options.directory(), world)
}

fn sizing_request(reader: &mut Reader, flags: &Flags, env: &Environment, world: &World<'_>) -> Request {
    let wish = reader.text(setting::INSTANCES, &flags.instances, &env.pmr_instances, values::wish);
    let per_worker = reader.variable("WEB_MEMORY", &env.web_memory, values::megabytes);
    let available = reader.variable("MEMORY_AVAILABLE", &env.memory_available, values::megabytes);
    Request {
        wish: wish.map(|wish| (wish, reader.origin(setting::INSTANCES))),
        web_concurrency: reader.variable("WEB_CONCURRENCY", &env.web_concurrency, values::instances),
        web_concurrency_set_by: env.web_concurrency_set_by.clone(),
        has_port: env.port.is_some(),
        standby: 0,
        cpus: Cpus { affinity: world.affinity, quota: world.quota },
        memory: Memory {
            available: available.or(world.memory_limit.map(|bytes| bytes >> 20)),
            per_worker: per_worker.unwrap_or(DEFAULT_WEB_MEMORY),
        },
    }
}

#[cfg(test)]
mod tests;
