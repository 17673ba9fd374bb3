//! The table of all keys of an app's declaration.
//!
//! `env_NAME` is no entry, as NAME is free; `read` knows it.

use super::key::{Check, Fate, Key, Shape, Slot, Span};
use crate::config::setting::Setting;
use crate::config::{crash, health, logs, setting, values};

/// The prefix of `env_production`.
pub const NAMED_ENV: &str = "env_";

const CLOUD: &str = "pm2's paid service is not there; `pmr monit` and /metrics show what happens";
const AT_ONCE: &str = "the end of a worker is noticed at once";
const DEPLOYMENT: &str = "sources are deployed by git, rsync or an image, then `pmr reload`";
const GIT: &str = "`pmr show` reads the git checkout when it is asked";
const MODULES: &str = "it belongs to pm2's modules";

const NAME: Check = Check {
    judge: |text| values::name(text).map(drop),
    choices: &[],
    pattern: r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
};
const SHARE: Check = Check {
    judge: |text| values::share(text).map(drop),
    choices: &["auto", "cluster", "intercept", "activation", "reuseport", "none"],
    pattern: "",
};
const BALANCE: Check = Check {
    judge: |text| values::balance(text).map(drop),
    choices: &["shared", "even", "sticky"],
    pattern: "",
};
const RELOAD_STRATEGY: Check = Check {
    judge: |text| values::reload_strategy(text).map(drop),
    choices: &["rolling", "fleet"],
    pattern: "",
};
const ON_CRASH: Check = Check {
    judge: |text| crash::on_crash(text).map(drop),
    choices: &[],
    pattern: r"^(http://[^/?:\s]|(?!https?://)\s*\S)",
};
const ON_HUP: Check =
    Check { judge: |text| values::on_hup(text).map(drop), choices: &["reload", "forward"], pattern: "" };
const HEALTH: Check = Check {
    judge: |text| health::probe(text).map(drop),
    choices: &[],
    pattern: r"^(/|http://|tcp$|tcp://|cmd:\s*\S)",
};
const LOG_TYPE: Check =
    Check { judge: |text| logs::form(text).map(drop), choices: &["json", "raw"], pattern: "" };

const fn key(
    name: &'static str,
    aliases: &'static [&'static str],
    slot: Slot,
    fate: Fate,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { name, aliases, slot, fate, default, about }
}

const fn unused(name: &'static str, shape: Shape, why: &'static str) -> Key {
    key(name, &[], Slot::Unused(shape), Fate::NoEffect(why), "", "")
}

/// All keys, in the order of the documentation.
// Two lines a key, as a table reads best.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key("script", &["exec", "cmd", "command"], Slot::Text(|app| &mut app.script), Fate::Resolved, "",
        "what to run: a file, a program in PATH, or a whole command line"),
    key("args", &[], Slot::Words(|app| &mut app.args), Fate::Resolved, "none",
        "the app's own words; a text is split as a shell does"),
    key("interpreter", &["exec_interpreter"], Slot::Text(|app| &mut app.interpreter), Fate::Resolved, "by extension",
        "the program that runs the script; `none` executes the script itself"),
    key("interpreter_args", &["node_args"], Slot::Words(|app| &mut app.interpreter_args), Fate::Resolved, "none",
        "words between interpreter and script"),
    key("cwd", &[], Slot::Text(|app| &mut app.cwd), Fate::Option(setting::CWD), "the current directory",
        "directory to run in; `script` and `env_file` are seen from there"),
    key("resolve", &[], Slot::YesNo(|app| &mut app.resolve), Fate::Option(setting::RESOLVE), "true",
        "whether a script of package.json (`npm start`) is run without the package manager"),
    key("agent", &[], Slot::YesNo(|app| &mut app.agent), Fate::Option(setting::AGENT), "true",
        "whether our script is loaded into Node processes"),
    key("name", &[], Slot::Checked(NAME, |app| &mut app.name), Fate::Option(setting::NAME), "the script's",
        "name of the app"),
    key("namespace", &[], Slot::Text(|app| &mut app.namespace), Fate::Resolved, "default",
        "a name for several apps together"),
    key("append_env_to_name", &[], Slot::YesNo(|app| &mut app.append_env_to_name), Fate::Resolved, "false",
        "with `--env NAME`, the app is called `name-NAME`"),
    key("instances", &[], Slot::Instances(|app| &mut app.instances), Fate::Option(setting::INSTANCES), "1",
        "how many workers: a number, `max` or 0 (the CPUs), -1 (one fewer), `auto` (CPUs and memory), or a range such as `2..8`"),
    key("exec_mode", &[], Slot::ExecMode(|app| &mut app.exec_mode), Fate::Resolved, "cluster",
        "`fork` keeps several instances out of Node's cluster protocol; they share the port all the same"),
    key("instance_var", &[], Slot::Text(|app| &mut app.instance_var), Fate::Resolved, "NODE_APP_INSTANCE",
        "a further variable for the instance's number"),
    key("increment_var", &[], Slot::Text(|app| &mut app.increment_var), Fate::Resolved, "none",
        "a variable of `env` whose number goes up by one with each instance"),
    key("port", &[], Slot::Port(|app| &mut app.port), Fate::Resolved, "none",
        "sets the variable PORT"),
    key("share", &[], Slot::Checked(SHARE, |app| &mut app.share), Fate::Option(setting::SHARE), "auto",
        "how the workers share the port"),
    key("balance", &[], Slot::Checked(BALANCE, |app| &mut app.balance), Fate::Option(setting::BALANCE), "shared",
        "who gets a new connection: `shared`, `even` or `sticky`"),
    key("stall_after", &[], Slot::Time(Span::AboveZero, |app| &mut app.stall_after), Fate::Option(setting::STALL_AFTER), "100ms",
        "a worker with a socket of its own that accepts nothing for so long gets no new connections until it does"),
    key("standby", &[], Slot::Standby(|app| &mut app.standby), Fate::Option(setting::STANDBY), "0",
        "workers that are kept booted beyond the instances"),
    key("env", &[], Slot::Variables(|app| &mut app.env), Fate::Resolved, "none",
        "variables; objects are given as JSON, `null` takes a variable away"),
    key("env_file", &[], Slot::List(|app| &mut app.env_file), Fate::Resolved, "none",
        "`.env` files, the last one first; what the surroundings set goes before them"),
    key("filter_env", &[], Slot::Filter(|app| &mut app.filter_env), Fate::Resolved, "false",
        "which variables of the surroundings the app is not given: all, those whose names contain one of a list, or the one of that name"),
    key("depends_on", &[], Slot::Dependencies(|app| &mut app.depends_on), Fate::Resolved, "none",
        "apps that have to be there before this one starts: names, or an object of names with `ready`, `started` or `exited`"),
    key("pre_start", &[], Slot::Commands(|app| &mut app.pre_start), Fate::Option(setting::PRE_START), "none",
        "a command, or several, that have to succeed before the first start"),
    key("pre_start_timeout", &[], Slot::Time(Span::AboveZero, |app| &mut app.pre_start_timeout), Fate::Option(setting::PRE_START_TIMEOUT), "10m",
        "how long that may take"),
    key("autostart", &[], Slot::YesNo(|app| &mut app.autostart), Fate::Option(setting::AUTOSTART), "true",
        "whether the app is started with the others; else it is in the list, until `pmr start`"),
    key("autorestart", &[], Slot::YesNo(|app| &mut app.autorestart), Fate::Option(setting::AUTORESTART), "true",
        "whether an ended worker is replaced"),
    key("stop_exit_codes", &[], Slot::ExitCodes(|app| &mut app.stop_exit_codes), Fate::Option(setting::STOP_EXIT_CODES), "none",
        "exit statuses that are no failure and after which a worker is not replaced"),
    key("restart_delay", &[], Slot::Time(Span::Any, |app| &mut app.restart_delay), Fate::Option(setting::RESTART_DELAY), "none",
        "the same wait before every restart"),
    key("exp_backoff_restart_delay", &[], Slot::Time(Span::OrNone, |app| &mut app.exp_backoff_restart_delay), Fate::Option(setting::EXP_BACKOFF_RESTART_DELAY), "100ms",
        "the first wait before a restart, which then doubles; goes before `restart_delay`"),
    key("min_uptime", &[], Slot::Time(Span::Any, |app| &mut app.min_uptime), Fate::Option(setting::MIN_UPTIME), "1s",
        "a worker that lives less long is an unstable start"),
    key("max_restarts", &[], Slot::Restarts(|app| &mut app.max_restarts), Fate::Option(setting::MAX_RESTARTS), "16",
        "unstable starts in a row after which the instance is given up; 0, as 1, at the first"),
    key("cron_restart", &["cron"], Slot::Cron(|app| &mut app.cron_restart), Fate::Option(setting::CRON_RESTART), "none",
        "when to reload, as a cron pattern of 5 or 6 fields; 0 for never"),
    key("max_memory_restart", &[], Slot::Bytes(|app| &mut app.max_memory_restart), Fate::Option(setting::MAX_MEMORY_RESTART), "none",
        "a worker that has more memory is replaced: bytes, or `300M`, `1.5G`; 0 for none"),
    key("memory_guard", &[], Slot::YesNo(|app| &mut app.memory_guard), Fate::Option(setting::MEMORY_GUARD), "true",
        "whether a worker gives way where the memory of all workers together runs short"),
    key("watch", &[], Slot::Selection(|app| &mut app.watch), Fate::Option(setting::WATCH), "false",
        "whether, or where, changed files lead to a reload"),
    key("ignore_watch", &[], Slot::List(|app| &mut app.ignore_watch), Fate::Option(setting::IGNORE_WATCH), "none",
        "what is not watched, in the words of .gitignore"),
    key("watch_delay", &[], Slot::Time(Span::Any, |app| &mut app.watch_delay), Fate::Option(setting::WATCH_DELAY), "200ms",
        "how long nothing must have changed before the reload begins"),
    key("watch_options", &[], Slot::Object(|app| &mut app.watch_options), Fate::Resolved, "none",
        "options of pm2's watcher, of which `ignored`, `usePolling` and `interval` have an effect"),
    key("watch_poll", &[], Slot::Time(Span::Kept, |app| &mut app.watch_poll), Fate::Option(setting::WATCH_POLL), "off",
        "how often to look for changes, where the kernel does not tell of them"),
    key("drain_timeout", &[], Slot::Time(Span::Any, |app| &mut app.drain_timeout), Fate::Option(setting::DRAIN_TIMEOUT), "10s",
        "time to finish answers before the stop signal"),
    key("kill_timeout", &[], Slot::Time(Span::Any, |app| &mut app.kill_timeout), Fate::Option(setting::KILL_TIMEOUT), "25s",
        "time to stop before SIGKILL"),
    key("shutdown_delay", &[], Slot::Time(Span::Any, |app| &mut app.shutdown_delay), Fate::Option(setting::SHUTDOWN_DELAY), "0s",
        "time to serve on after SIGTERM to the runtime, before the stop"),
    key("kill_signal", &[], Slot::Signal(|app| &mut app.kill_signal), Fate::Option(setting::KILL_SIGNAL), "as received, else TERM",
        "signal to stop a worker with"),
    key("treekill", &[], Slot::YesNo(|app| &mut app.treekill), Fate::Option(setting::TREEKILL), "true",
        "whether the worker's whole process group is signalled"),
    key("shutdown_with_message", &[], Slot::YesNo(|app| &mut app.shutdown_with_message), Fate::Option(setting::SHUTDOWN_WITH_MESSAGE), "false",
        "whether the app is told `shutdown` in place of the signal"),
    key("wait_ready", &[], Slot::YesNo(|app| &mut app.wait_ready), Fate::Option(setting::WAIT_READY), "false",
        "whether a worker is ready when it says so"),
    key("listen_timeout", &[], Slot::Time(Span::OrNone, |app| &mut app.listen_timeout), Fate::Option(setting::LISTEN_TIMEOUT), "60s",
        "time to become ready; 0 for the default, as under pm2"),
    key("on_crash", &[], Slot::Checked(ON_CRASH, |app| &mut app.on_crash), Fate::Option(setting::ON_CRASH), "nobody",
        "who is told of workers that die abnormally: `http://host:port/path`, or a command"),
    key("on_hup", &[], Slot::Checked(ON_HUP, |app| &mut app.on_hup), Fate::Option(setting::ON_HUP), "reload",
        "what SIGHUP means"),
    key("reload_strategy", &[], Slot::Checked(RELOAD_STRATEGY, |app| &mut app.reload_strategy), Fate::Option(setting::RELOAD_STRATEGY), "rolling",
        "how a reload goes: `rolling`, or `fleet` in one step"),
    key("watchdog", &[], Slot::Time(Span::Kept, |app| &mut app.watchdog), Fate::Option(setting::WATCHDOG), "off",
        "longest silence of a worker that sends sd_notify's WATCHDOG=1"),
    key("health", &[], Slot::Checked(HEALTH, |app| &mut app.health), Fate::Option(setting::HEALTH), "none",
        "what tells whether all is well: `/path`, `http://:PORT/path`, `tcp`, `cmd:COMMAND`"),
    key("health_interval", &[], Slot::Time(Span::Kept, |app| &mut app.health_interval), Fate::Option(setting::HEALTH_INTERVAL), "10s",
        "time from one check to the next"),
    key("health_timeout", &[], Slot::Time(Span::Kept, |app| &mut app.health_timeout), Fate::Option(setting::HEALTH_TIMEOUT), "5s",
        "a check that takes longer has failed"),
    key("health_retries", &[], Slot::Count(|app| &mut app.health_retries), Fate::Option(setting::HEALTH_RETRIES), "3",
        "failures in a row that make unhealthy"),
    key("health_start_period", &[], Slot::Time(Span::Any, |app| &mut app.health_start_period), Fate::Option(setting::HEALTH_START_PERIOD), "0s",
        "failures do not count for so long after the start"),
    key("kill_stalled", &[], Slot::Time(Span::Kept, |app| &mut app.kill_stalled), Fate::Option(setting::KILL_STALLED), "off",
        "a worker that stalls for so long is replaced"),
    key("out_file", &["out", "output", "out_log"], Slot::LogFile(|app| &mut app.out_file), Fate::Option(setting::OUTPUT), "none; in the background the runtime's place",
        "file for standard output, beside the runtime's own output; `NULL` or `/dev/null` for none"),
    key("error_file", &["error", "err", "err_file", "err_log"], Slot::LogFile(|app| &mut app.error_file), Fate::Option(setting::ERROR), "none; in the background the runtime's place",
        "the same for standard error"),
    key("log_file", &["log"], Slot::LogFile(|app| &mut app.log_file), Fate::Option(setting::LOG), "none",
        "file for both"),
    key("pid_file", &["pid"], Slot::Text(|app| &mut app.pid_file), Fate::Option(setting::PID), "none",
        "file for the process id"),
    key("disable_logs", &[], Slot::YesNo(|app| &mut app.disable_logs), Fate::Option(setting::DISABLE_LOGS), "false",
        "whether the app's lines are shown to those alone who ask for them (`pmr logs`)"),
    key("merge_logs", &["combine_logs"], Slot::YesNo(|app| &mut app.merge_logs), Fate::Option(setting::MERGE_LOGS), "false",
        "whether several instances write to the same files; else each file has `-ID` before its extension"),
    key("log_type", &[], Slot::Checked(LOG_TYPE, |app| &mut app.log_type), Fate::Option(setting::LOG_TYPE), "raw",
        "`json`: each line as JSON"),
    key("log_date_format", &[], Slot::Text(|app| &mut app.log_date_format), Fate::Option(setting::LOG_DATE_FORMAT), "none",
        "the time before each line, in the words of day.js: `YYYY-MM-DD HH:mm:ss Z`"),
    key("time", &[], Slot::YesNo(|app| &mut app.time), Fate::Option(setting::TIME), "false",
        "the same as `YYYY-MM-DDTHH:mm:ss`"),
    key("uid", &["user"], Slot::Identity(|app| &mut app.user), Fate::Option(setting::UID), "the runtime's",
        "the user to run as, by number or name"),
    key("gid", &["group"], Slot::Identity(|app| &mut app.group), Fate::Option(setting::GID), "the runtime's",
        "the group to run as"),
    key("source_map_support", &[], Slot::YesNo(|app| &mut app.source_map_support), Fate::Option(setting::SOURCE_MAP_SUPPORT), "false",
        "whether stack traces of Node name the lines of the sources"),
    key("disable_source_map_support", &[], Slot::YesNo(|app| &mut app.disable_source_map_support), Fate::Resolved, "false",
        "the opposite"),
    unused("kill_retry_time", Shape::Milliseconds, AT_ONCE),
    unused("vizion", Shape::YesNo, GIT),
    unused("pmx", Shape::YesNoOrObject, CLOUD),
    unused("automation", Shape::YesNo, CLOUD),
    unused("io", Shape::YesNoOrObject, CLOUD),
    unused("trace", Shape::YesNo, CLOUD),
    unused("disable_trace", Shape::YesNo, CLOUD),
    unused("v8", Shape::YesNo, CLOUD),
    unused("event_loop_inspector", Shape::YesNo, CLOUD),
    unused("deep_monitoring", Shape::YesNo, CLOUD),
    unused("post_update", Shape::List, DEPLOYMENT),
    unused("install_url", Shape::Text, MODULES),
    unused("name_prefix", Shape::Text, MODULES),
    unused("force_name", Shape::Text, MODULES),
    unused("username", Shape::Text, "`pmr list` shows whose process a worker is"),
    unused("force", Shape::YesNo, "`pmr start FILE` makes an app that is there already what the file says"),
    unused("write", Shape::YesNo, "`pmr save` writes the list of apps down"),
    unused("execute_command", Shape::YesNo, "what a script is follows from its name and place"),
    unused("windowsHide", Shape::YesNo, "there are no windows on Linux"),
];

/// A key at the top of a file, beside the apps.
pub struct TopKey {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub slot: TopSlot,
    pub about: &'static str,
}

/// What stands under a key at the top.
#[derive(Clone, Copy)]
pub enum TopSlot {
    /// One app or a list of them.
    Apps,
    /// An option of the runtime itself.
    Option(Check, Setting),
    /// What a text editor looks at.
    Schema,
    /// Accepted for pm2's sake; why nothing acts on it.
    NoEffect(&'static str),
    /// Not to be had; what to use instead.
    Refused(&'static str),
}

const LOG_FORMAT: Check = Check {
    judge: |text| values::log_format(text).map(drop),
    choices: &["raw", "text", "fields", "json"],
    pattern: "",
};
const LOG_LEVEL: Check = Check {
    judge: |text| values::log_level(text).map(drop),
    choices: &["error", "warn", "info", "debug", "trace"],
    pattern: "",
};

/// The keys at the top.
pub static TOP: &[TopKey] = &[
    TopKey { name: "apps", aliases: &["pm2"], slot: TopSlot::Apps, about: "the apps: a list, or one alone" },
    TopKey {
        name: "log_format",
        aliases: &[],
        slot: TopSlot::Option(LOG_FORMAT, setting::LOG_FORMAT),
        about: "form of the workers' lines, where the runtime runs in the foreground: `raw`, `text`, `fields` or `json`",
    },
    TopKey {
        name: "log_level",
        aliases: &[],
        slot: TopSlot::Option(LOG_LEVEL, setting::LOG_LEVEL),
        about: "how much the runtime itself says: `error`, `warn`, `info`, `debug` or `trace`",
    },
    TopKey {
        name: "deploy",
        aliases: &[],
        slot: TopSlot::NoEffect(DEPLOYMENT),
        about: "pm2's deployment, which is out of scope",
    },
    TopKey {
        name: "static",
        aliases: &[],
        slot: TopSlot::Refused("no files are served here; run nginx, caddy or `npx serve` as an app"),
        about: "pm2's servers of files, which are not there: an error",
    },
    TopKey {
        name: "$schema",
        aliases: &[],
        slot: TopSlot::Schema,
        about: "the JSON Schema, for text editors",
    },
];

/// The key of this name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.names().any(|known| known == name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_means_two_keys() {
        let all: Vec<String> = KEYS.iter().flat_map(Key::names).collect();
        let unique: BTreeSet<&String> = all.iter().collect();
        assert_eq!(unique.len(), all.len());
        assert!(all.iter().all(|name| !name.starts_with(NAMED_ENV) || name == "env_file"));
    }

    /// An option that is added gets its key here; those of the whole runtime stand at the top of a file.
    #[test]
    fn every_option_of_an_app_has_its_key() {
        let at_the_top = |wanted: &Setting| {
            TOP.iter().any(|key| matches!(key.slot, TopSlot::Option(_, setting) if setting == *wanted))
        };
        // As in pm2, no file has these.
        let of_the_command_line = |wanted: &&Setting| {
            [
                setting::OTLP,
                setting::AUTO_EXIT,
                setting::DELAY,
                setting::WEB,
                setting::WEB_READ_ONLY,
                setting::HISTORY,
            ]
            .contains(wanted)
        };
        // These make up the command.
        let of_the_command =
            |wanted: &Setting| [setting::INTERPRETER, setting::INTERPRETER_ARGS].contains(wanted);
        let of_an_app = |wanted: &Setting| KEYS.iter().any(|key| key.fate == Fate::Option(*wanted));
        let missing: Vec<_> = setting::ALL
            .iter()
            .filter(|setting| !at_the_top(setting) && !of_an_app(setting) && !of_the_command_line(setting))
            .filter(|setting| !of_the_command(setting))
            .map(|setting| setting.name)
            .collect();
        assert!(missing.is_empty(), "add a line to KEYS and a field to AppDeclaration for: {missing:?}");
    }

    #[test]
    fn a_key_is_found_by_each_of_its_names() {
        for name in ["exec", "node_args", "nodeArgs", "killTimeout", "max_memory_restart", "err_log"] {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(find("kill-timeout").is_none() && find("").is_none());
    }
}
