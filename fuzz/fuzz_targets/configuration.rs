//! Any settings on any machine: either all is well, or every problem names the setting that it is about.
//!
//! An input is lines. `PORT=80` is a variable, `instances=4` an option, `@memory=1073741824` the machine, and
//! `command=node` and `argument=x` are the app's words.

#![no_main]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::config::cgroup::CpuQuota;
use pmr_runtime::config::package::Files;
use pmr_runtime::config::pm2::STAND_INS;
use pmr_runtime::config::problem::{Origin, Problem, Warning};
use pmr_runtime::config::raw::{Flags, Invocation};
use pmr_runtime::config::resolve::{Account, Accounts, ResolveError, World, resolve};
use pmr_runtime::config::settings::Settings;
use pmr_runtime::config::values::{self, MOST_INSTANCES};
use pmr_runtime::config::{duration, setting};
use pmr_runtime::spec::RestartDelay;

const YEAR: Duration = Duration::from_secs(8760 * 3600);

/// The variables that are no option's twin, and may still be wrong.
const PLAIN_VARIABLES: [&str; 7] = [
    "PORT",
    "WEB_CONCURRENCY",
    "WEB_CONCURRENCY_SET_BY",
    "WEB_MEMORY",
    "MEMORY_AVAILABLE",
    "DYNO",
    "KUBERNETES_SERVICE_HOST",
];

fuzz_target!(|data: &[u8]| {
    let given = Given::read(data);
    let flags = given.invocation.flags.clone();
    let environment = given.environment.clone();
    match given.resolve() {
        Ok(settings) => {
            is_sound(&settings);
            has_its_origins(&settings, &flags, &environment);
        }
        Err(ResolveError::Problems(problems)) => {
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| names_its_setting(problem, &flags, &environment));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(text) = str::from_utf8(data) {
        text.lines().for_each(durations_are_exact);
    }
});

/// What was given: by the user, and by the machine.
struct Given {
    invocation: Invocation,
    environment: BTreeMap<OsString, OsString>,
    affinity: NonZeroU32,
    quota: Option<CpuQuota>,
    memory: Option<u64>,
    container: bool,
    terminal: bool,
}

impl Given {
    fn read(data: &[u8]) -> Self {
        let invocation = Invocation {
            flags: Flags::default(),
            command: "node".into(),
            arguments: Vec::new(),
            start: false,
        };
        let mut given = Self {
            invocation,
            environment: BTreeMap::new(),
            affinity: NonZeroU32::MIN,
            quota: None,
            memory: None,
            container: false,
            terminal: false,
        };
        data.split(|&byte| byte == b'\n').for_each(|line| given.read_line(line));
        given
    }

    fn read_line(&mut self, line: &[u8]) {
        let at = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
        let (name, value) =
            (&line[..at], OsStr::from_bytes(line.get(at + 1..).unwrap_or_default()).to_owned());
        if let Some(name) = name.strip_prefix(b"@") {
            self.read_machine(name, value.to_str().unwrap_or_default());
        } else if let Some(flag) = self.flag(name) {
            *flag = Some(value);
        } else {
            match name {
                b"no-autostart" => self.invocation.flags.no_autostart = true,
                b"no-memory-guard" => self.invocation.flags.no_memory_guard = true,
                b"no-autorestart" => self.invocation.flags.no_autorestart = true,
                b"wait-ready" => self.invocation.flags.wait_ready = true,
                b"shutdown-with-message" => self.invocation.flags.shutdown_with_message = true,
                b"no-resolve" => self.invocation.flags.no_resolve = true,
                b"no-agent" => self.invocation.flags.no_agent = true,
                b"no-treekill" => self.invocation.flags.no_treekill = true,
                b"start" => self.invocation.start = true,
                b"command" => self.invocation.command = value,
                b"argument" => self.invocation.arguments.push(value),
                _ => drop(self.environment.insert(OsStr::from_bytes(name).to_owned(), value)),
            }
        }
    }

    fn read_machine(&mut self, name: &[u8], value: &str) {
        match name {
            b"cpus" => self.affinity = value.parse().unwrap_or(NonZeroU32::MIN),
            b"memory" => self.memory = value.parse().ok(),
            b"quota" => {
                let (quota, period) = value.split_once(' ').unwrap_or((value, "100000"));
                self.quota = CpuQuota::new(quota.parse().unwrap_or(0), period.parse().unwrap_or(0));
            }
            b"container" => self.container = true,
            b"terminal" => self.terminal = true,
            _ => {}
        }
    }

    fn flag(&mut self, name: &[u8]) -> Option<&mut Option<OsString>> {
        let flags = &mut self.invocation.flags;
        Some(match name {
            b"instances" => &mut flags.instances,
            b"name" => &mut flags.name,
            b"drain-timeout" => &mut flags.drain_timeout,
            b"kill-timeout" => &mut flags.kill_timeout,
            b"shutdown-delay" => &mut flags.shutdown_delay,
            b"kill-signal" => &mut flags.kill_signal,
            b"pre-start" => &mut flags.pre_start,
            b"pre-start-timeout" => &mut flags.pre_start_timeout,
            b"max-restarts" => &mut flags.max_restarts,
            b"min-uptime" => &mut flags.min_uptime,
            b"restart-delay" => &mut flags.restart_delay,
            b"exp-backoff-restart-delay" => &mut flags.exp_backoff_restart_delay,
            b"listen-timeout" => &mut flags.listen_timeout,
            b"cwd" => &mut flags.cwd,
            b"log-format" => &mut flags.log_format,
            b"share" => &mut flags.share,
            b"balance" => &mut flags.balance,
            b"stall-after" => &mut flags.stall_after,
            b"on-crash" => &mut flags.on_crash,
            b"on-hup" => &mut flags.on_hup,
            b"standby" => &mut flags.standby,
            b"reload-strategy" => &mut flags.reload_strategy,
            b"watch" => &mut flags.watch,
            b"ignore-watch" => &mut flags.ignore_watch,
            b"watch-delay" => &mut flags.watch_delay,
            b"watch-poll" => &mut flags.watch_poll,
            b"interpreter" => &mut flags.interpreter,
            b"interpreter-args" => &mut flags.interpreter_args,
            b"output" => &mut flags.output,
            b"error" => &mut flags.error,
            b"log" => &mut flags.log,
            b"pid" => &mut flags.pid,
            b"log-type" => &mut flags.log_type,
            b"log-date-format" => &mut flags.log_date_format,
            b"stop-exit-codes" => &mut flags.stop_exit_codes,
            b"max-memory-restart" => &mut flags.max_memory_restart,
            b"cron-restart" => &mut flags.cron_restart,
            b"uid" => &mut flags.uid,
            b"gid" => &mut flags.gid,
            b"log-level" => &mut flags.log_level,
            _ => return None,
        })
    }

    fn resolve(self) -> Result<Settings, ResolveError> {
        let script = self.environment.get(OsStr::new("PACKAGE")).cloned().unwrap_or_default();
        let world = World {
            environment: self.environment,
            affinity: self.affinity,
            quota: self.quota,
            memory_limit: self.memory,
            ends_together: self.container,
            container: self.container,
            on_terminal: self.terminal,
            in_path: &|name| !name.as_bytes().contains(&b'!'),
            head: &|_, file| Some(file.as_os_str().as_bytes().to_vec()),
            is_file: &|_, file| file.extension().is_some() && !file.as_os_str().as_bytes().contains(&b'?'),
            is_directory: &Path::is_absolute,
            accounts: Accounts {
                ourselves: (u32::from(self.container), 0),
                user: &|text| (text == "www").then_some(Account { user: 33, group: 33 }),
                group: &|name| (name == "www").then_some(33),
                groups: &|_, first| vec![first],
            },
            here: &|| "/srv".into(),
            files: Files {
                // A script that is chosen by the input as well.
                read: &|path| match path.to_str()? {
                    "/srv/package.json" => Some(script.as_bytes().to_vec()),
                    "/npm/package.json" => Some(br#"{"name": "npm", "version": "11.2.0"}"#.to_vec()),
                    _ => None,
                },
                real: &|path| Some(path.to_owned()),
                find: &|_, name| (name == "node" || name == "npm").then(|| Path::new("/npm/bin").join(name)),
            },
        };
        resolve(self.invocation, world)
    }
}

fn is_sound(settings: &Settings) {
    let app = &settings.app;
    assert!(values::name(&app.name).is_ok(), "{:?}", app.name);
    assert!((1..=MOST_INSTANCES).contains(&app.instances.get()));
    assert_eq!(app.instances, settings.sizing.instances);
    let range = app.range;
    assert!(range.is_none_or(|range| range.least < range.most && range.least == app.instances));
    assert_eq!(app.start_limit, settings.cpus);
    assert!(app.stop.timeout <= YEAR && app.restart.min_uptime <= YEAR);
    assert!((Duration::from_nanos(1)..=YEAR).contains(&app.readiness.timeout));
    assert_ne!(app.restart.max_unstable, 0);
    match app.restart.delay {
        RestartDelay::Fixed(delay) => assert!(delay <= YEAR),
        RestartDelay::Exponential { first, cap } => assert!(!first.is_zero() && first <= cap && cap <= YEAR),
    }
    assert_ne!(settings.port, Some(0));
    let start_line = settings.sizing.to_string();
    assert!(start_line.starts_with(&format!("{} instance", app.instances)), "{start_line}");
    for warning in &settings.warnings {
        if let Warning::UnknownVariable { name, nearest } = warning {
            assert!(name.starts_with("PMR_"));
            assert!(nearest.is_none_or(|nearest| setting::ALL.iter().any(|known| known.variable == nearest)));
        }
    }
}

/// A flag goes before its variable, and a variable before the default.
fn has_its_origins(settings: &Settings, flags: &Flags, environment: &BTreeMap<OsString, OsString>) {
    let flagged = [
        (setting::INSTANCES, flags.instances.is_some()),
        (setting::NAME, flags.name.is_some()),
        (setting::DRAIN_TIMEOUT, flags.drain_timeout.is_some()),
        (setting::KILL_TIMEOUT, flags.kill_timeout.is_some()),
        (setting::SHUTDOWN_DELAY, flags.shutdown_delay.is_some()),
        (setting::KILL_SIGNAL, flags.kill_signal.is_some()),
        (setting::TREEKILL, flags.no_treekill),
        (setting::SHUTDOWN_WITH_MESSAGE, flags.shutdown_with_message),
        (setting::PRE_START, flags.pre_start.is_some()),
        (setting::PRE_START_TIMEOUT, flags.pre_start_timeout.is_some()),
        (setting::AUTOSTART, flags.no_autostart),
        (setting::AUTORESTART, flags.no_autorestart),
        (setting::STOP_EXIT_CODES, flags.stop_exit_codes.is_some()),
        (setting::CRON_RESTART, flags.cron_restart.is_some()),
        (setting::MAX_RESTARTS, flags.max_restarts.is_some()),
        (setting::MIN_UPTIME, flags.min_uptime.is_some()),
        (setting::RESTART_DELAY, flags.restart_delay.is_some()),
        (setting::EXP_BACKOFF_RESTART_DELAY, flags.exp_backoff_restart_delay.is_some()),
        (setting::WAIT_READY, flags.wait_ready),
        (setting::LISTEN_TIMEOUT, flags.listen_timeout.is_some()),
        (setting::WATCHDOG, flags.watchdog.is_some()),
        (setting::HEALTH, flags.health.is_some()),
        (setting::HEALTH_INTERVAL, flags.health_interval.is_some()),
        (setting::HEALTH_TIMEOUT, flags.health_timeout.is_some()),
        (setting::HEALTH_RETRIES, flags.health_retries.is_some()),
        (setting::HEALTH_START_PERIOD, flags.health_start_period.is_some()),
        (setting::KILL_STALLED, flags.kill_stalled.is_some()),
        (setting::MAX_MEMORY_RESTART, flags.max_memory_restart.is_some()),
        (setting::MEMORY_GUARD, flags.no_memory_guard),
        (setting::CWD, flags.cwd.is_some()),
        (setting::RESOLVE, flags.no_resolve),
        (setting::AGENT, flags.no_agent),
        (setting::UID, flags.uid.is_some()),
        (setting::GID, flags.gid.is_some()),
        (setting::LOG_FORMAT, flags.log_format.is_some()),
        (setting::SHARE, flags.share.is_some()),
        (setting::BALANCE, flags.balance.is_some()),
        (setting::STALL_AFTER, flags.stall_after.is_some()),
        (setting::ON_CRASH, flags.on_crash.is_some()),
        (setting::ON_HUP, flags.on_hup.is_some()),
        (setting::STANDBY, flags.standby.is_some()),
        (setting::RELOAD_STRATEGY, flags.reload_strategy.is_some()),
        (setting::WATCH, flags.watch.is_some()),
        (setting::IGNORE_WATCH, flags.ignore_watch.is_some()),
        (setting::WATCH_DELAY, flags.watch_delay.is_some()),
        (setting::WATCH_POLL, flags.watch_poll.is_some()),
        (setting::INTERPRETER, flags.interpreter.is_some()),
        (setting::INTERPRETER_ARGS, flags.interpreter_args.is_some()),
        (setting::SOURCE_MAP_SUPPORT, flags.source_map_support),
        (setting::OUTPUT, flags.output.is_some()),
        (setting::ERROR, flags.error.is_some()),
        (setting::LOG, flags.log.is_some()),
        (setting::PID, flags.pid.is_some()),
        (setting::LOG_TYPE, flags.log_type.is_some()),
        (setting::LOG_DATE_FORMAT, flags.log_date_format.is_some()),
        (setting::MERGE_LOGS, flags.merge_logs),
        (setting::DISABLE_LOGS, flags.disable_logs),
        (setting::TIME, flags.time),
        (setting::LOG_LEVEL, flags.log_level.is_some()),
        (setting::OTLP, flags.no_otlp),
        (setting::AUTO_EXIT, flags.no_auto_exit),
        (setting::DELAY, flags.delay.is_some()),
        (setting::WEB, flags.web.is_some()),
        (setting::WEB_READ_ONLY, flags.web_read_only),
        (setting::HISTORY, flags.history),
    ];
    assert_eq!(settings.origins.len(), flagged.len());
    for (setting, is_flagged) in flagged {
        let is_set = |name: &&str| environment.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
        let of_pm2 = STAND_INS.iter().find(|(ours, _)| *ours == setting.variable).map(|(_, theirs)| *theirs);
        let by_variable = std::iter::once(setting.variable).chain(of_pm2).find(is_set);
        let expected = match (is_flagged, by_variable) {
            (true, _) => Origin::Flag(setting.flag),
            (false, Some(name)) => Origin::Variable(name),
            (false, None) => Origin::Default,
        };
        assert_eq!(settings.origins.get(setting.name), Some(&expected));
    }
    assert_eq!(&settings.app.command.environment, environment, "the app gets what we were given");
}

fn names_its_setting(problem: &Problem, flags: &Flags, environment: &BTreeMap<OsString, OsString>) {
    let text = problem.to_string();
    let origins = match problem {
        Problem::Unacceptable { origin, found, accepted } => {
            assert!(text.contains(found.as_str()) && text.contains(accepted.0));
            vec![origin]
        }
        Problem::NotUtf8 { origin, found } => {
            assert!(text.contains(found.as_str()) && found.contains('\u{fffd}'));
            vec![origin]
        }
        Problem::Conflict { one, other } => vec![one, other],
    };
    for origin in origins {
        assert!(text.contains(&format!("`{origin}`")));
        match origin {
            Origin::Flag(name) => {
                assert!(setting::ALL.iter().any(|setting| setting.flag == *name));
                assert_ne!(*flags, Flags::default());
            }
            Origin::Variable(name) => {
                let twin = setting::ALL.iter().any(|setting| setting.variable == *name);
                assert!(twin || PLAIN_VARIABLES.contains(name));
                assert!(environment.contains_key(OsStr::new(name)));
            }
            Origin::Default => panic!("a default is never wrong: {text}"),
        }
    }
}

/// Held against floating-point numbers, which are not exact but simple.
fn durations_are_exact(line: &str) {
    let text = line.split_once('=').map_or(line, |(_, value)| value);
    let Ok(read) = duration::parse(text) else { return };
    assert_eq!(duration::parse_positive(text).is_ok(), !read.is_zero());
    let number = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = match &text[number.len()..] {
        "" | "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => panic!("{other} is no unit"),
    };
    let seconds: f64 = number.parse::<f64>().expect("a number") * unit;
    assert!((read.as_secs_f64() - seconds).abs() <= 2e-9 + seconds * 1e-12, "{text}: {read:?}");
}
