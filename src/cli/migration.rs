//! The tables of docs/migrating-from-pm2.md: all that pm2 has, held against what we have.
//!
//! To write them anew: `PMR_WRITE_DOCS=1 cargo test --lib migration`.

use std::path::PathBuf;

use super::args;
use super::args::foreign::FOREIGN;
use super::verbs;
use crate::config::pm2::{INSTANCE_VAR, NO_EFFECT, STAND_INS};
use crate::ecosystem::declaration::key::Fate;
use crate::ecosystem::declaration::keys;

/// The options of `pm2-runtime` and `pm2 start` (7.0.4), and what is to be known of ours of that name.
const OPTIONS: &[(&str, &str)] = &[
    (
        "instances",
        "`max` and `0` count the CPUs of the container, not of the machine; it also counts with a configuration file",
    ),
    ("name", ""),
    ("interpreter", "no versions (`node@18`) are installed"),
    ("interpreter-args", ""),
    ("node-args", ""),
    ("env", ""),
    ("only", ""),
    ("cwd", ""),
    ("namespace", ""),
    ("filter-env", ""),
    ("kill-timeout", "25 s instead of 1.6 s, and before it `--drain-timeout`"),
    (
        "listen-timeout",
        "60 s instead of 3 s; a worker that does not become ready in time is replaced, and a reload is called off",
    ),
    ("wait-ready", "workers start side by side"),
    ("shutdown-with-message", ""),
    ("no-treekill", ""),
    ("no-autorestart", "with one instance the runtime is a mere init then, and its exit status the app's"),
    ("no-autostart", ""),
    ("stop-exit-codes", ""),
    ("max-restarts", "counts unstable starts in a row, however long they take"),
    ("restart-delay", "the runtime does not end while an app waits for its restart"),
    ("exp-backoff-restart-delay", "doubles, up to 15 s; on by default, from 100 ms on"),
    ("max-memory-restart", "the memory of all processes of a worker (PSS), and a reload with no gap"),
    ("cron", "a reload with no gap; what was stopped by `pmr stop` stays so"),
    ("cron-restart", "the same"),
    ("watch", "a reload with no gap; paths behind `=`: `--watch=src,lib`"),
    ("ignore-watch", ""),
    ("watch-delay", ""),
    ("output", ""),
    ("error", ""),
    ("log", ""),
    ("merge-logs", ""),
    ("disable-logs", ""),
    ("log-type", ""),
    ("log-date-format", ""),
    ("time", ""),
    ("pid", ""),
    ("raw", ""),
    ("json", "nothing but JSON, a line each, our own messages on standard error"),
    ("formatted", "the form of a prefix is ours ([logs.md](logs.md))"),
    ("format", "each stream stays where it was"),
    ("source-map-support", "off by default, as in Node, since it makes stack traces costly"),
    ("disable-source-map-support", ""),
    ("uid", ""),
    ("gid", ""),
    ("no-auto-exit", ""),
    ("no-daemon", "as `pm2 start --no-daemon`; `pmr-runtime` never leaves the foreground"),
    ("delay", "in seconds where there is no unit"),
    (
        "web",
        "on this machine alone unless an address is said; pm2's JSON, probes, Prometheus and the API ([web.md](web.md))",
    ),
    ("secret", ""),
    ("public", ""),
    ("machine-name", ""),
    ("trace", ""),
    ("disable-trace", ""),
    ("v8", ""),
    ("event-loop-inspector", ""),
    ("deep-monitoring", ""),
    ("no-pmx", ""),
    ("no-automation", ""),
    ("no-vizion", ""),
    ("no-color", ""),
    ("silent", ""),
    ("mini-list", ""),
    ("sort", ""),
    ("attach", ""),
    ("force", ""),
    ("update-env", ""),
    ("execute-command", ""),
    ("write", ""),
    ("ext", ""),
    ("parallel", ""),
    ("hp", ""),
    ("user", ""),
    ("service-name", ""),
    ("wait-ip", ""),
];

/// The verbs of `pm2` (7.0.4), with their aliases.
const VERBS: &[&str] = &[
    "start",
    "stop",
    "restart",
    "reload",
    "delete",
    "del",
    "scale",
    "list",
    "ls",
    "l",
    "ps",
    "status",
    "jlist",
    "prettylist",
    "show",
    "describe",
    "desc",
    "info",
    "monit",
    "dash",
    "dashboard",
    "imonit",
    "logs",
    "flush",
    "reloadLogs",
    "logrotate",
    "sendSignal",
    "trigger",
    "send",
    "attach",
    "env",
    "id",
    "pid",
    "ping",
    "reset",
    "report",
    "kill",
    "save",
    "dump",
    "resurrect",
    "cleardump",
    "startup",
    "unstartup",
    "update",
    "init",
    "ecosystem",
    "startOrRestart",
    "startOrReload",
    "startOrGracefulReload",
    "gracefulReload",
    "inspect",
    "profile:cpu",
    "profile:mem",
    "slist",
    "sysinfos",
    "serve",
    "expose",
    "web",
    "set",
    "get",
    "unset",
    "conf",
    "config",
    "multiset",
    "install",
    "uninstall",
    "publish",
    "module:update",
    "module:generate",
    "autoinstall",
    "install-otel",
    "link",
    "unlink",
    "plus",
    "login",
    "logout",
    "register",
    "open",
    "monitor",
    "unmonitor",
    "deploy",
    "pull",
    "forward",
    "backward",
    "create",
    "completion",
];

/// The keys of an app in pm2's schema (7.0.4), without aliases.
const KEYS: &[&str] = &[
    "script",
    "args",
    "interpreter",
    "node_args",
    "interpreter_args",
    "cwd",
    "name",
    "namespace",
    "name_prefix",
    "force_name",
    "exec_mode",
    "instances",
    "instance_var",
    "increment_var",
    "port",
    "env",
    "filter_env",
    "append_env_to_name",
    "autostart",
    "autorestart",
    "stop_exit_codes",
    "restart_delay",
    "exp_backoff_restart_delay",
    "min_uptime",
    "max_restarts",
    "cron_restart",
    "max_memory_restart",
    "watch",
    "ignore_watch",
    "watch_options",
    "watch_delay",
    "kill_timeout",
    "kill_retry_time",
    "treekill",
    "shutdown_with_message",
    "wait_ready",
    "listen_timeout",
    "out_file",
    "error_file",
    "log_file",
    "disable_logs",
    "merge_logs",
    "log_type",
    "log_date_format",
    "time",
    "pid_file",
    "source_map_support",
    "disable_source_map_support",
    "uid",
    "gid",
    "vizion",
    "pmx",
    "automation",
    "io",
    "trace",
    "disable_trace",
    "v8",
    "event_loop_inspector",
    "deep_monitoring",
    "post_update",
    "execute_command",
    "force",
    "username",
    "install_url",
    "write",
    "windowsHide",
];

/// A table of names and what is said of them; neighbours of which the same is said share a row.
fn table(head: &str, rows: impl IntoIterator<Item = (String, String)>) -> String {
    let mut shared: Vec<(String, String)> = Vec::new();
    for (name, said) in rows {
        match shared.last_mut() {
            Some((names, same)) if *same == said && !said.ends_with("|  |") => *names += &format!(", {name}"),
            _ => shared.push((name, said)),
        }
    }
    let rows = shared.iter().map(|(names, said)| format!("| {names} {said}\n"));
    std::iter::once(head.to_owned()).chain(rows).collect()
}

const TWO_COLUMNS: &str = "| pm2 | here |\n| --- | --- |\n";

fn options() -> String {
    let command = args::file_grammar();
    let row = |(name, note): &(&str, &str)| {
        let foreign = FOREIGN.iter().find(|foreign| foreign.long == *name);
        let own = command.get_arguments().find(|argument| {
            let aliases = argument.get_all_aliases().unwrap_or_default();
            argument.get_long() == Some(*name) || aliases.contains(name)
        });
        let said = match (foreign, own.and_then(clap::Arg::get_long)) {
            (Some(foreign), _) => format!("| no effect | {} |", foreign.why),
            (None, Some(long)) => format!("| `--{long}` | {note} |"),
            (None, None) => panic!("`--{name}` is neither an option of ours nor told of"),
        };
        (format!("`--{name}`"), said)
    };
    table("| pm2 | here | to be known |\n| --- | --- | --- |\n", OPTIONS.iter().map(row))
}

fn verbs_table() -> String {
    let ours = verbs::names();
    let (same, others): (Vec<&str>, Vec<&str>) =
        VERBS.iter().partition(|verb| ours.iter().any(|own| own == *verb));
    let same = same.iter().map(|verb| (format!("`{verb}`"), "| the same: [cli.md](cli.md) |".to_owned()));
    let others = others.iter().map(|verb| {
        let why =
            verbs::absence(verb).unwrap_or_else(|| panic!("`{verb}` is neither a verb of ours nor told of"));
        (format!("`{verb}`"), format!("| {why} |"))
    });
    table(TWO_COLUMNS, same.chain(others))
}

fn keys_table() -> String {
    let row = |name: &&str| {
        let key = keys::find(name).unwrap_or_else(|| panic!("the key `{name}` is not known"));
        let said = match key.fate {
            Fate::NoEffect(why) => format!("| no effect: {why} |"),
            Fate::Option(setting) => format!("| `{}`: {} |", setting.flag, key.about),
            Fate::Resolved => format!("| {} |", key.about),
        };
        (format!("`{name}`"), said)
    };
    table(TWO_COLUMNS, KEYS.iter().map(row))
}

fn variables() -> String {
    let ours = STAND_INS.iter().map(|(ours, theirs)| (*theirs, format!("| read like `{ours}` |")));
    let var = (INSTANCE_VAR, "| read like the key `instance_var` |".to_owned());
    let none = NO_EFFECT.iter().map(|(name, why)| (*name, format!("| no effect: {why} |")));
    let rows = ours.chain([var]).chain(none).map(|(name, said)| (format!("`{name}`"), said));
    table(TWO_COLUMNS, rows)
}

/// `text` with what tests/pm2 found put in its place.
fn with_differences(text: &str) -> String {
    let found = include_str!("../../tests/fixtures/pm2/differences.md");
    let (_, tables) = found.split_once("\n\n").unwrap();
    let (before, rest) = text.split_once("\n## Differences, file by file\n").unwrap();
    let (intro, _) = rest.split_once("\n\n|").unwrap();
    let (_, after) = rest.split_once("\n## Options\n").unwrap();
    format!("{before}\n## Differences, file by file\n{intro}\n\n{tables}\n## Options\n{after}")
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/migrating-from-pm2.md")
}

/// `text` with the table behind the heading replaced.
fn with_table(text: &str, heading: &str, table: &str) -> String {
    let (before, rest) =
        text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    let start = rest.find("| pm2 |").unwrap();
    let end = rest[start..].find("\n\n").map_or(rest.len(), |end| start + end + 1);
    format!("{before}\n{heading}\n{}{table}{}", &rest[..start], &rest[end..])
}

#[test]
fn the_page_tells_of_all_that_pm2_has() {
    let found = std::fs::read_to_string(path()).unwrap();
    let text = with_table(&found, "## Options", &options());
    let text = with_table(&text, "## Verbs", &verbs_table());
    let text = with_table(&text, "## Keys of configuration files", &keys_table());
    let wanted = with_differences(&with_table(&text, "## Environment variables", &variables()));
    if std::env::var_os("PMR_WRITE_DOCS").is_some() {
        std::fs::write(path(), wanted).unwrap();
    } else {
        assert!(
            found == wanted,
            "docs/migrating-from-pm2.md is not what the code says; see the head of cli/migration.rs"
        );
    }
}

#[test]
fn nothing_is_accepted_for_pm2s_sake_that_pm2_does_not_have() {
    for foreign in FOREIGN {
        assert!(OPTIONS.iter().any(|(name, _)| *name == foreign.long), "--{}", foreign.long);
    }
}
