//! The options that make up the app: how it is restarted, stopped, watched and given its socket.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::World;
use super::health;
use super::identity;
use super::launch::Launch;
use super::logs;
use super::reader::Reader;
use super::start::Beside;
use super::watch;
use crate::config::env::Environment;
use crate::config::problem::Accepted;
use crate::config::raw::Flags;
use crate::config::{duration, node, setting, values};
use crate::spec::{
    AfterExit, AppSpec, Asking, BalancePolicy, CommandSpec, Company, HealthPolicy, Identity, InstanceRange,
    ListeningHeard, LogPolicy, OnHup, Reach, ReadinessPolicy, ReadySign, ReloadStrategy, RestartDelay,
    RestartPolicy, Share, StopPolicy, WatchPolicy,
};

/// Long enough for almost any answer; what takes longer is mostly a stream, which has no end to wait for. When all stops it
/// is three seconds at most (`supervisor::drain`), so that this and the kill timeout fit into a dyno's 30 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A dyno has 30 s between SIGTERM and SIGKILL; this leaves us time to end as well.
const KILL_TIMEOUT: Duration = Duration::from_secs(25);
/// As in pm2.
const MIN_UPTIME: Duration = Duration::from_secs(1);
/// As in pm2.
const MAX_RESTARTS: u32 = 16;
/// Heroku's boot timeout.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(60);
/// Short enough that a single crash is hardly noticed.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Long enough that a broken app costs next to nothing, as in pm2.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// The app's options, each checked by itself.
pub(super) struct AppOptions {
    name: Option<String>,
    directory: Option<PathBuf>,
    resolves: bool,
    agent: bool,
    source_maps: bool,
    identity: Option<Identity>,
    restart: RestartPolicy,
    stop: StopPolicy,
    ready: ReadySign,
    listen_timeout: Duration,
    health: HealthPolicy,
    logs: LogPolicy,
    watch: Option<WatchPolicy>,
    on_hup: OnHup,
    reload_strategy: ReloadStrategy,
    share: Share,
    balance: BalancePolicy,
}

/// What the app finds when it starts.
pub(super) struct Place {
    /// At first, and between how many the load may move them.
    pub(super) size: (NonZeroU32, Option<InstanceRange>),
    pub(super) standby: u32,
    pub(super) cpus: NonZeroU32,
    pub(super) port: Option<u16>,
    pub(super) beside: Beside,
    pub(super) environment: BTreeMap<OsString, OsString>,
}

impl AppOptions {
    /// Reads the options; a problem goes to `reader`, and the default stands in for the value.
    pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment, world: &World<'_>) -> Self {
        let directory = |value: &OsStr| {
            let path = PathBuf::from(value);
            if (world.is_directory)(&path) { Ok(path) } else { Err(Accepted("an existing directory")) }
        };
        let no_resolve = flags.no_resolve.then(|| "false".into());
        let resolves = reader.text(setting::RESOLVE, &no_resolve, &env.pmr_resolve, values::yes_or_no);
        let no_agent = flags.no_agent.then(|| "false".into());
        let agent = reader.text(setting::AGENT, &no_agent, &env.pmr_agent, values::yes_or_no);
        let wait_ready = flags.wait_ready.then(|| "true".into());
        let said = reader.text(setting::WAIT_READY, &wait_ready, &env.pmr_wait_ready, values::yes_or_no);
        let timeout = reader.text(
            setting::LISTEN_TIMEOUT,
            &flags.listen_timeout,
            &env.pmr_listen_timeout,
            duration::parse,
        );
        // As under pm2, where zero stands for the default. No wait is without a limit.
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        let wished = flags.source_map_support.then(|| "true".into());
        let source_maps =
            reader.text(setting::SOURCE_MAP_SUPPORT, &wished, &env.pmr_source_map_support, values::yes_or_no);
        let health = health::read(reader, flags, env);
        let on_hup = reader.text(setting::ON_HUP, &flags.on_hup, &env.pmr_on_hup, values::on_hup);
        let strategy = reader.text(
            setting::RELOAD_STRATEGY,
            &flags.reload_strategy,
            &env.pmr_reload_strategy,
            values::reload_strategy,
        );
        let share = reader.text(setting::SHARE, &flags.share, &env.pmr_share, values::share);
        Self {
            name: reader.text(setting::NAME, &flags.name, &env.pmr_name, values::name),
            directory: reader.bytes(setting::CWD, &flags.cwd, &env.pmr_cwd, directory),
            resolves: resolves.unwrap_or(true),
            agent: agent.unwrap_or(true),
            source_maps: source_maps.unwrap_or(false),
            identity: identity::read(reader, flags, env, world),
            restart: restart(reader, flags, env),
            stop: stop(reader, flags, env),
            ready: ready_sign(said, &health),
            listen_timeout: timeout.unwrap_or(LISTEN_TIMEOUT),
            health,
            logs: logs::read(reader, flags, env),
            watch: watch::read(reader, flags, env),
            on_hup: on_hup.unwrap_or(OnHup::Reload),
            reload_strategy: strategy.unwrap_or_default(),
            share: share.unwrap_or(Share::Auto),
            balance: balance(reader, flags, env),
        }
    }

    /// The directory that the app runs in, if it is not ours.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Whether scripts of package.json are run without their package manager.
    pub(super) fn resolves(&self) -> bool {
        self.resolves
    }

    /// Whether our script is loaded into Node processes.
    pub(super) fn agent(&self) -> bool {
        self.agent
    }

    /// The app that is started by `launch` with these options.
    pub(super) fn into_spec(self, launch: Launch, place: Place) -> AppSpec {
        let mut environment = place.environment;
        environment.extend(launch.variables);
        if self.source_maps {
            node::enable_source_maps(&mut environment);
        }
        AppSpec {
            name: self.name.unwrap_or(launch.name),
            command: CommandSpec {
                program: launch.command.program,
                arguments: launch.command.arguments,
                directory: launch.directory,
                identity: self.identity,
                environment,
            },
            instances: place.size.0,
            range: place.size.1,
            start_limit: place.cpus,
            start: place.beside.start,
            restart: self.restart,
            stop: self.stop,
            readiness: ReadinessPolicy { sign: self.ready, timeout: self.listen_timeout, port: place.port },
            health: self.health,
            logs: self.logs,
            watch: self.watch,
            on_crash: place.beside.on_crash,
            on_hup: self.on_hup,
            standby: place.standby,
            reload_strategy: self.reload_strategy,
            share: self.share,
            balance: self.balance,
            company: Company::None,
        }
    }
}

/// A check is a sign of readiness, too, where one is waited for.
fn ready_sign(wait_ready: Option<bool>, health: &HealthPolicy) -> ReadySign {
    match (wait_ready, &health.check) {
        (Some(true), Some(_)) => ReadySign::Healthy(ListeningHeard::Yes),
        (Some(true), None) => ReadySign::Said,
        (Some(false) | None, _) => ReadySign::Listening,
    }
}

fn balance(reader: &mut Reader, flags: &Flags, env: &Environment) -> BalancePolicy {
    let default = BalancePolicy::default();
    let way = reader.text(setting::BALANCE, &flags.balance, &env.pmr_balance, values::balance);
    let stall_after =
        reader.text(setting::STALL_AFTER, &flags.stall_after, &env.pmr_stall_after, duration::parse_positive);
    BalancePolicy { way: way.unwrap_or(default.way), stall_after: stall_after.unwrap_or(default.stall_after) }
}

fn restart(reader: &mut Reader, flags: &Flags, env: &Environment) -> RestartPolicy {
    let no_autorestart = flags.no_autorestart.then(|| "false".into());
    let again = reader.text(setting::AUTORESTART, &no_autorestart, &env.pmr_autorestart, values::yes_or_no);
    let stop_codes = reader.text(
        setting::STOP_EXIT_CODES,
        &flags.stop_exit_codes,
        &env.pmr_stop_exit_codes,
        values::exit_codes,
    );
    let cron = reader.text(setting::CRON_RESTART, &flags.cron_restart, &env.pmr_cron_restart, values::cron);
    let max_unstable =
        reader.text(setting::MAX_RESTARTS, &flags.max_restarts, &env.pmr_max_restarts, values::restarts);
    let min_uptime =
        reader.text(setting::MIN_UPTIME, &flags.min_uptime, &env.pmr_min_uptime, duration::parse);
    RestartPolicy {
        after_exit: if again == Some(false) { AfterExit::Stay } else { AfterExit::Restart },
        delay: restart_delay(reader, flags, env),
        min_uptime: min_uptime.unwrap_or(MIN_UPTIME),
        max_unstable: max_unstable.unwrap_or(MAX_RESTARTS),
        stop_codes: stop_codes.unwrap_or_default(),
        cron: cron.flatten(),
    }
}

fn restart_delay(reader: &mut Reader, flags: &Flags, env: &Environment) -> RestartDelay {
    let fixed =
        reader.text(setting::RESTART_DELAY, &flags.restart_delay, &env.pmr_restart_delay, duration::parse);
    let first = reader.text(
        setting::EXP_BACKOFF_RESTART_DELAY,
        &flags.exp_backoff_restart_delay,
        &env.pmr_exp_backoff_restart_delay,
        duration::parse_positive,
    );
    reader.exclusive(setting::RESTART_DELAY, setting::EXP_BACKOFF_RESTART_DELAY);
    let first = first.unwrap_or(FIRST_DELAY);
    fixed.map_or(RestartDelay::Exponential { first, cap: LONGEST_DELAY.max(first) }, RestartDelay::Fixed)
}

fn stop(reader: &mut Reader, flags: &Flags, env: &Environment) -> StopPolicy {
    let drain =
        reader.text(setting::DRAIN_TIMEOUT, &flags.drain_timeout, &env.pmr_drain_timeout, duration::parse);
    let timeout =
        reader.text(setting::KILL_TIMEOUT, &flags.kill_timeout, &env.pmr_kill_timeout, duration::parse);
    let delay =
        reader.text(setting::SHUTDOWN_DELAY, &flags.shutdown_delay, &env.pmr_shutdown_delay, duration::parse);
    let no_treekill = flags.no_treekill.then(|| "false".into());
    let all = reader.text(setting::TREEKILL, &no_treekill, &env.pmr_treekill, values::yes_or_no);
    let message = flags.shutdown_with_message.then(|| "true".into());
    let by_message = reader.text(
        setting::SHUTDOWN_WITH_MESSAGE,
        &message,
        &env.pmr_shutdown_with_message,
        values::yes_or_no,
    );
    StopPolicy {
        delay: delay.unwrap_or_default(),
        signal: reader.text(setting::KILL_SIGNAL, &flags.kill_signal, &env.pmr_kill_signal, values::signal),
        timeout: timeout.unwrap_or(KILL_TIMEOUT),
        drain: drain.unwrap_or(DRAIN_TIMEOUT),
        reach: if all == Some(false) { Reach::First } else { Reach::All },
        asking: if by_message == Some(true) { Asking::Message } else { Asking::Signal },
    }
}
