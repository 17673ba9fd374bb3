//! The resolved settings: what the runtime shall do, and where each value came from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::package::Resolution;
use super::problem::{Origin, Warning};
use super::sizing::Sizing;
use super::{crash, duration, health, logs, node, setting, values, watch};
use crate::spec::{
    AfterExit, AppSpec, Asking, Autostart, OnHup, PreStart, Reach, ReadySign, ReloadStrategy, RestartDelay,
    Share,
};

/// How the lines of the workers reach our output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// The workers' bytes as they are.
    Raw,
    /// Whole lines, with a prefix where there are several instances.
    Text,
    /// Whole lines behind fields, in the form of pm2's `--format`.
    Fields,
    /// One JSON object a line.
    Json,
}

/// How much the runtime itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word that filters understand: `info`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Everything that was decided before the first worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub app: AppSpec,
    /// Why there are so many instances; its text belongs to the start line.
    pub sizing: Sizing,
    /// The CPUs that we may use, by affinity and cgroup quota.
    pub cpus: NonZeroU32,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
    /// Whether figures are pushed by OTLP where OpenTelemetry's variables ask for it.
    pub otlp: bool,
    /// Whether the runtime ends once all apps are over, where it runs in the foreground.
    pub auto_exit: bool,
    /// How long to wait before the first start.
    pub delay: Duration,
    /// Where the runtime answers over TCP, if it does.
    pub web: Option<SocketAddr>,
    /// Whether nothing can be changed there, whoever asks.
    pub web_read_only: bool,
    /// Whether figures are kept over time; where it is not said, who needs them decides.
    pub history: Option<bool>,
    /// Whether our own lines carry a time. Not on Heroku, which adds one to every line.
    pub timestamps: bool,
    /// Whether we run in a container or a dyno, where only connections from outside matter.
    pub container: bool,
    /// What shall run the script, where that was asked for.
    pub interpreter: Option<String>,
    /// Words between the interpreter and the script.
    pub interpreter_args: Vec<String>,
    /// PORT, where it is set.
    pub port: Option<u16>,
    /// Where each option got its value, by the option's name without dashes: `instances`, `kill-timeout`.
    pub origins: BTreeMap<&'static str, Origin>,
    pub warnings: Vec<Warning>,
    /// Whether scripts of package.json are run without their package manager.
    pub resolves: bool,
    /// What came of it, where the command names such a script.
    pub resolution: Option<Resolution>,
    /// Whether our script is loaded into Node processes.
    pub agent: bool,
}

impl LogFormat {
    /// The word that asks for it: `raw`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Text => "text",
            Self::Fields => "fields",
            Self::Json => "json",
        }
    }
}

impl Settings {
    /// The value of the setting of this name, in the words that ask for it; empty where it has none.
    #[must_use]
    pub fn value_of(&self, name: &str) -> String {
        let app = &self.app;
        let (fixed, first) = match app.restart.delay {
            RestartDelay::Fixed(delay) => (Some(delay), None),
            RestartDelay::Exponential { first, .. } => (None, Some(first)),
        };
        let time = |span: Option<Duration>| span.map_or_else(String::new, duration::render);
        match name {
            _ if name == setting::INSTANCES.name => {
                app.range.map_or_else(|| app.instances.to_string(), |range| range.to_string())
            }
            _ if name == setting::NAME.name => app.name.clone(),
            _ if name == setting::DRAIN_TIMEOUT.name => duration::render(app.stop.drain),
            _ if name == setting::KILL_TIMEOUT.name => duration::render(app.stop.timeout),
            _ if name == setting::SHUTDOWN_DELAY.name => duration::render(app.stop.delay),
            _ if name == setting::KILL_SIGNAL.name => {
                app.stop.signal.map_or_else(|| "as received".to_owned(), |signal| signal.to_string())
            }
            _ if name == setting::TREEKILL.name => (app.stop.reach == Reach::All).to_string(),
            _ if name == setting::SHUTDOWN_WITH_MESSAGE.name => {
                (app.stop.asking == Asking::Message).to_string()
            }
            _ if name == setting::PRE_START.name => {
                app.start.first.as_ref().map_or_else(String::new, PreStart::line)
            }
            _ if name == setting::PRE_START_TIMEOUT.name => {
                time(app.start.first.as_ref().map(|first| first.timeout))
            }
            _ if name == setting::AUTOSTART.name => (app.start.when == Autostart::AtOnce).to_string(),
            _ if name == setting::AUTORESTART.name => {
                (app.restart.after_exit == AfterExit::Restart).to_string()
            }
            _ if name == setting::STOP_EXIT_CODES.name => values::render_exit_codes(&app.restart.stop_codes),
            _ if name == setting::CRON_RESTART.name => app.restart.cron.clone().unwrap_or_default(),
            _ if name == setting::MAX_RESTARTS.name => app.restart.max_unstable.to_string(),
            _ if name == setting::MIN_UPTIME.name => duration::render(app.restart.min_uptime),
            _ if name == setting::RESTART_DELAY.name => time(fixed),
            _ if name == setting::EXP_BACKOFF_RESTART_DELAY.name => time(first),
            _ if name == setting::WAIT_READY.name => (app.readiness.sign != ReadySign::Listening).to_string(),
            _ if name == setting::LISTEN_TIMEOUT.name => duration::render(app.readiness.timeout),
            _ if setting::HEALTH_SETTINGS.iter().any(|setting| setting.name == name) => {
                health::value_of(&app.health, name)
            }
            _ if name == setting::ON_CRASH.name => crash::render(app.on_crash.as_ref()),
            _ if setting::LOG_SETTINGS.iter().any(|setting| setting.name == name) => {
                logs::value_of(&app.logs, name)
            }
            _ if setting::WATCH_SETTINGS.iter().any(|setting| setting.name == name) => {
                watch::value_of(app.watch.as_ref(), name)
            }
            _ if name == setting::LOG_FORMAT.name => self.log_format.as_str().to_owned(),
            _ if name == setting::SHARE.name => share_word(app.share).to_owned(),
            _ if name == setting::BALANCE.name => app.balance.way.as_str().to_owned(),
            _ if name == setting::STALL_AFTER.name => duration::render(app.balance.stall_after),
            _ if name == setting::ON_HUP.name => on_hup_word(app.on_hup).to_owned(),
            _ if name == setting::STANDBY.name => app.standby.to_string(),
            _ if name == setting::RELOAD_STRATEGY.name => strategy_word(app.reload_strategy).to_owned(),
            _ => self.of_runtime(name),
        }
    }

    /// Whether figures are kept over time: where that is said, or a part is there that shows them.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.history.unwrap_or(self.web.is_some() || self.app.on_crash.is_some())
    }

    /// Of those of the runtime as a whole.
    fn of_runtime(&self, name: &str) -> String {
        match name {
            _ if name == setting::LOG_LEVEL.name => self.log_level.as_str().to_owned(),
            _ if name == setting::OTLP.name => self.otlp.to_string(),
            _ if name == setting::AUTO_EXIT.name => self.auto_exit.to_string(),
            _ if name == setting::DELAY.name => duration::render(self.delay),
            _ if name == setting::WEB.name => {
                self.web.map_or_else(String::new, |address| address.to_string())
            }
            _ if name == setting::WEB_READ_ONLY.name => self.web_read_only.to_string(),
            _ if name == setting::HISTORY.name => self.keeps_history().to_string(),
            _ => self.of_command(name),
        }
    }

    /// Of those that make up the command.
    fn of_command(&self, name: &str) -> String {
        let command = &self.app.command;
        let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        match name {
            _ if name == setting::CWD.name => {
                command.directory.as_ref().map_or_else(String::new, |path| path.display().to_string())
            }
            _ if name == setting::RESOLVE.name => self.resolves.to_string(),
            _ if name == setting::AGENT.name => self.agent.to_string(),
            _ if name == setting::UID.name => number(command.identity.as_ref().and_then(|it| it.user)),
            _ if name == setting::GID.name => number(command.identity.as_ref().map(|it| it.group)),
            _ if name == setting::INTERPRETER.name => self.interpreter.clone().unwrap_or_default(),
            _ if name == setting::INTERPRETER_ARGS.name => self.interpreter_args.join(" "),
            _ if name == setting::SOURCE_MAP_SUPPORT.name => {
                node::has_source_maps(&command.environment).to_string()
            }
            _ => String::new(),
        }
    }
}

fn share_word(share: Share) -> &'static str {
    match share {
        Share::Auto => "auto",
        Share::Cluster => "cluster",
        Share::Intercept => "intercept",
        Share::Activation => "activation",
        Share::Reuseport => "reuseport",
        Share::None => "none",
    }
}

fn strategy_word(strategy: ReloadStrategy) -> &'static str {
    match strategy {
        ReloadStrategy::Rolling => "rolling",
        ReloadStrategy::Fleet => "fleet",
    }
}

fn on_hup_word(on_hup: OnHup) -> &'static str {
    match on_hup {
        OnHup::Reload => "reload",
        OnHup::Forward => "forward",
    }
}
