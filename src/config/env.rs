//! The environment variables that we know, as one typed struct of optional text.
//!
//! Read through `envy` from a map, never from the process. Nothing is judged here but what is no text at all; an empty
//! value counts as unset, since platforms and compose files leave such ones behind.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use serde::Deserialize;

use super::pm2;
use super::problem::{Origin, Problem, Warning};

/// The variables that we know; a field is named after its variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Environment {
    pub port: Option<String>,
    pub web_concurrency: Option<String>,
    /// Who set WEB_CONCURRENCY, where it was not the user: `heroku/nodejs`.
    pub web_concurrency_set_by: Option<String>,
    /// Memory that one worker needs, in megabytes.
    pub web_memory: Option<String>,
    /// Memory for all of them, in megabytes.
    pub memory_available: Option<String>,
    /// The dyno's name, on Heroku.
    pub dyno: Option<String>,
    pub kubernetes_service_host: Option<String>,
    pub pmr_instances: Option<String>,
    pub pmr_name: Option<String>,
    pub pmr_drain_timeout: Option<String>,
    pub pmr_kill_timeout: Option<String>,
    pub pmr_shutdown_delay: Option<String>,
    pub pmr_kill_signal: Option<String>,
    pub pmr_treekill: Option<String>,
    pub pmr_shutdown_with_message: Option<String>,
    pub pmr_pre_start: Option<String>,
    pub pmr_pre_start_timeout: Option<String>,
    pub pmr_autostart: Option<String>,
    pub pmr_autorestart: Option<String>,
    pub pmr_stop_exit_codes: Option<String>,
    pub pmr_cron_restart: Option<String>,
    pub pmr_max_restarts: Option<String>,
    pub pmr_min_uptime: Option<String>,
    pub pmr_restart_delay: Option<String>,
    pub pmr_exp_backoff_restart_delay: Option<String>,
    pub pmr_wait_ready: Option<String>,
    pub pmr_listen_timeout: Option<String>,
    pub pmr_watchdog: Option<String>,
    pub pmr_health: Option<String>,
    pub pmr_health_interval: Option<String>,
    pub pmr_health_timeout: Option<String>,
    pub pmr_health_retries: Option<String>,
    pub pmr_health_start_period: Option<String>,
    pub pmr_kill_stalled: Option<String>,
    pub pmr_max_memory_restart: Option<String>,
    pub pmr_memory_guard: Option<String>,
    pub pmr_on_crash: Option<String>,
    pub pmr_interpreter: Option<String>,
    pub pmr_interpreter_args: Option<String>,
    pub pmr_source_map_support: Option<String>,
    pub pmr_cwd: Option<String>,
    pub pmr_resolve: Option<String>,
    pub pmr_agent: Option<String>,
    pub pmr_uid: Option<String>,
    pub pmr_gid: Option<String>,
    pub pmr_log_format: Option<String>,
    pub pmr_output: Option<String>,
    pub pmr_error: Option<String>,
    pub pmr_log: Option<String>,
    pub pmr_pid: Option<String>,
    pub pmr_merge_logs: Option<String>,
    pub pmr_disable_logs: Option<String>,
    pub pmr_log_type: Option<String>,
    pub pmr_log_date_format: Option<String>,
    pub pmr_time: Option<String>,
    pub pmr_share: Option<String>,
    pub pmr_balance: Option<String>,
    pub pmr_stall_after: Option<String>,
    pub pmr_watch: Option<String>,
    pub pmr_ignore_watch: Option<String>,
    pub pmr_watch_delay: Option<String>,
    pub pmr_watch_poll: Option<String>,
    pub pmr_on_hup: Option<String>,
    pub pmr_standby: Option<String>,
    pub pmr_reload_strategy: Option<String>,
    pub pmr_log_level: Option<String>,
    pub pmr_otlp: Option<String>,
    pub pmr_auto_exit: Option<String>,
    pub pmr_delay: Option<String>,
    pub pmr_web: Option<String>,
    pub pmr_web_read_only: Option<String>,
    pub pmr_history: Option<String>,
}

/// The names of [`Environment`]'s fields as variables. `envy` ignores case, which would mix `port` up with `PORT`,
/// so that only these names reach it.
const KNOWN: [&str; 72] = [
    "PORT",
    "WEB_CONCURRENCY",
    "WEB_CONCURRENCY_SET_BY",
    "WEB_MEMORY",
    "MEMORY_AVAILABLE",
    "DYNO",
    "KUBERNETES_SERVICE_HOST",
    "PMR_INSTANCES",
    "PMR_NAME",
    "PMR_DRAIN_TIMEOUT",
    "PMR_KILL_TIMEOUT",
    "PMR_SHUTDOWN_DELAY",
    "PMR_KILL_SIGNAL",
    "PMR_TREEKILL",
    "PMR_SHUTDOWN_WITH_MESSAGE",
    "PMR_PRE_START",
    "PMR_PRE_START_TIMEOUT",
    "PMR_AUTOSTART",
    "PMR_AUTORESTART",
    "PMR_STOP_EXIT_CODES",
    "PMR_CRON_RESTART",
    "PMR_MAX_RESTARTS",
    "PMR_MIN_UPTIME",
    "PMR_RESTART_DELAY",
    "PMR_EXP_BACKOFF_RESTART_DELAY",
    "PMR_WAIT_READY",
    "PMR_LISTEN_TIMEOUT",
    "PMR_WATCHDOG",
    "PMR_HEALTH",
    "PMR_HEALTH_INTERVAL",
    "PMR_HEALTH_TIMEOUT",
    "PMR_HEALTH_RETRIES",
    "PMR_HEALTH_START_PERIOD",
    "PMR_KILL_STALLED",
    "PMR_MAX_MEMORY_RESTART",
    "PMR_MEMORY_GUARD",
    "PMR_ON_CRASH",
    "PMR_INTERPRETER",
    "PMR_INTERPRETER_ARGS",
    "PMR_SOURCE_MAP_SUPPORT",
    "PMR_CWD",
    "PMR_RESOLVE",
    "PMR_AGENT",
    "PMR_UID",
    "PMR_GID",
    "PMR_LOG_FORMAT",
    "PMR_OUTPUT",
    "PMR_ERROR",
    "PMR_LOG",
    "PMR_PID",
    "PMR_MERGE_LOGS",
    "PMR_DISABLE_LOGS",
    "PMR_LOG_TYPE",
    "PMR_LOG_DATE_FORMAT",
    "PMR_TIME",
    "PMR_SHARE",
    "PMR_BALANCE",
    "PMR_STALL_AFTER",
    "PMR_WATCH",
    "PMR_IGNORE_WATCH",
    "PMR_WATCH_DELAY",
    "PMR_WATCH_POLL",
    "PMR_ON_HUP",
    "PMR_STANDBY",
    "PMR_RELOAD_STRATEGY",
    "PMR_LOG_LEVEL",
    "PMR_OTLP",
    "PMR_AUTO_EXIT",
    "PMR_DELAY",
    "PMR_WEB",
    "PMR_WEB_READ_ONLY",
    "PMR_HISTORY",
];

/// Ours too, but not read here. The last three are for Heroku's buildpack, which a dyno is given all the same.
const ELSEWHERE: [&str; 6] = [
    "PMR_HOME",
    "PMR_FORMATION",
    "PMR_WEB_TOKEN",
    "PMR_RUNTIME_VERSION",
    "PMR_RUNTIME_URL",
    "PMR_RUNTIME_SHA256",
];

/// What a worker is given, and so a runtime that a worker starts, always together. One of them alone is a mistake: somebody
/// who writes PMR_INSTANCE means PMR_INSTANCES.
const INHERITED: [&str; 3] = ["PMR_INSTANCE", "PMR_APP", "PMR_GENERATION"];

/// Names that are less alike than this (0 to 1, by Jaro-Winkler) are no likely typing errors.
const ALIKE: f64 = 0.85;

/// What was found in an environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub environment: Environment,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
    /// Variables of pm2's that stand in for ours, by the names of ours.
    pub stand_ins: BTreeMap<&'static str, &'static str>,
}

/// Reads the variables that we know out of `variables`.
#[must_use]
pub fn read(variables: &BTreeMap<OsString, OsString>) -> Reading {
    let mut texts = Vec::new();
    let (mut problems, mut stand_ins) = (Vec::new(), BTreeMap::new());
    let set = |name: &&'static str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
    for name in KNOWN {
        let found =
            std::iter::once(name).chain(pm2::stand_in(name)).find_map(|found| Some((found, set(&found)?)));
        let Some((found, value)) = found else { continue };
        if found != name {
            stand_ins.insert(name, found);
        }
        match value.to_str() {
            Some(text) => texts.push((name.to_owned(), text.to_owned())),
            None => problems.push(Problem::NotUtf8 {
                origin: Origin::Variable(found),
                found: value.to_string_lossy().into_owned(),
            }),
        }
    }
    let environment =
        envy::from_iter(texts).expect("every field is optional text, and no name is there more than once");
    let mut warnings = unknown(variables);
    warnings.extend(pm2::without_effect(|name| set(&name).is_some()));
    Reading { environment, problems, warnings, stand_ins }
}

fn unknown(variables: &BTreeMap<OsString, OsString>) -> Vec<Warning> {
    let inherited = INHERITED.iter().all(|name| variables.contains_key(OsStr::new(name)));
    let is_known = |name: &str| {
        KNOWN.contains(&name) || ELSEWHERE.contains(&name) || inherited && INHERITED.contains(&name)
    };
    variables
        .keys()
        .map(|name| name.to_string_lossy())
        .filter(|name| name.starts_with("PMR_") && !is_known(name))
        .map(|name| Warning::UnknownVariable { nearest: nearest(&name), name: name.into_owned() })
        .collect()
}

fn nearest(name: &str) -> Option<&'static str> {
    let likeness =
        |known: &str| strsim::jaro_winkler(name.trim_start_matches("PMR_"), known.trim_start_matches("PMR_"));
    KNOWN
        .into_iter()
        .filter(|known| known.starts_with("PMR_"))
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn every_known_variable_has_its_field() {
        let all: BTreeMap<OsString, OsString> =
            KNOWN.iter().map(|name| (name.into(), "here".into())).collect();
        let reading = read(&all);
        let shown = format!("{:?}", reading.environment);
        assert_eq!(shown.matches("Some(\"here\")").count(), KNOWN.len(), "{shown}");
        assert!(!shown.contains("None"), "{shown}");
        assert_eq!((reading.problems, reading.warnings), (vec![], vec![]));
    }

    #[test]
    fn an_empty_value_is_unset() {
        assert_eq!(read(&variables(&[("PORT", ""), ("WEB_CONCURRENCY", "")])), Reading::default());
    }

    #[test]
    fn names_are_told_apart_by_case() {
        let reading = read(&variables(&[("port", "1"), ("PORT", "2"), ("Port", "3")]));
        assert_eq!(reading.environment.port.as_deref(), Some("2"));
    }

    #[test]
    fn a_value_that_is_no_text_is_a_problem_only_where_it_is_ours() {
        let mut all = variables(&[]);
        all.insert("PORT".into(), OsString::from_vec(vec![b'5', 0xff]));
        all.insert("OTHER".into(), OsString::from_vec(vec![0xff]));
        all.insert(OsString::from_vec(vec![0xfe]), "x".into());
        let reading = read(&all);
        assert_eq!(reading.problems.len(), 1);
        insta::assert_snapshot!(reading.problems[0], @"`PORT`: found `5�`, which is not UTF-8 text");
    }

    #[test]
    fn an_unknown_variable_of_ours_is_pointed_out_with_the_likeliest_name() {
        let reading = read(&variables(&[
            ("PMR_INSTANCES", "1"),
            ("PMR_INSTNACES", "4"),
            ("PMR_LOGLEVEL", "debug"),
            ("PMR_XYZZY", "1"),
            ("PMR_INSTANCE", "4"),
            ("PMR_HOME", "/run/pmr"),
            ("PMR_FORMATION", "web=2"),
            ("PMR_RUNTIME_URL", "file:///"),
            ("PM2_HOMES", "/"),
        ]));
        let shown: Vec<String> = reading.warnings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        the variable `PMR_INSTANCE` is not known and has no effect, did you mean `PMR_INSTANCES`?
        the variable `PMR_INSTNACES` is not known and has no effect, did you mean `PMR_INSTANCES`?
        the variable `PMR_LOGLEVEL` is not known and has no effect, did you mean `PMR_LOG_LEVEL`?
        the variable `PMR_XYZZY` is not known and has no effect
        ");
    }

    #[test]
    fn what_a_worker_was_given_is_no_mistake_in_a_runtime_that_it_starts() {
        let given = [("PMR_INSTANCE", "0"), ("PMR_APP", "web"), ("PMR_GENERATION", "1")];
        assert_eq!(read(&variables(&given)).warnings, []);
    }

    proptest! {
        #[test]
        fn no_environment_makes_it_panic(pairs in proptest::collection::btree_map(
            prop_oneof![
                proptest::sample::select(&KNOWN[..]).prop_map(|name| name.as_bytes().to_vec()),
                "PMR_.*".prop_map(String::into_bytes),
                any::<Vec<u8>>(),
            ],
            any::<Vec<u8>>(),
            0..8,
        )) {
            let _ = read(&pairs.into_iter().map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value))).collect());
        }
    }
}
