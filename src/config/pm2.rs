//! Variables of the environment that pm2 reads: those that we read like our own, and those that have no effect here.

use super::problem::Warning;

/// Ours, with pm2's of the same meaning. Ours goes first.
pub const STAND_INS: [(&str, &str); 4] = [
    ("PMR_KILL_TIMEOUT", "PM2_KILL_TIMEOUT"),
    ("PMR_KILL_SIGNAL", "PM2_KILL_SIGNAL"),
    ("PMR_SHUTDOWN_WITH_MESSAGE", "PM2_KILL_USE_MESSAGE"),
    ("PMR_LISTEN_TIMEOUT", "PM2_GRACEFUL_LISTEN_TIMEOUT"),
];

/// The variable of an app's surroundings that names a further variable for the instance's number.
pub const INSTANCE_VAR: &str = "PM2_PROCESS_INSTANCE_VAR";

const AT_ONCE: &str = "the end of a worker is noticed at once";
const CLOUD: &str = "pm2's paid service is not there; `pmr monit` shows what happens";
const SERVER: &str =
    "there is no HTTP interface; `pmr list --json`, and the routes of the control socket, have its figures";

/// Those that do nothing, and why.
pub const NO_EFFECT: [(&str, &str); 24] = [
    ("PM2_HOME", "the runtime's place is PMR_HOME, and none is needed"),
    ("PM2_KILL_RETRY_TIME", AT_ONCE),
    ("PM2_GRACEFUL_TIMEOUT", "`--drain-timeout` and `--kill-timeout` say how long a worker may take"),
    ("PM2_RELOAD_LOCK_TIMEOUT", "a second reload waits for the first"),
    ("PM2_WORKER_INTERVAL", "memory is looked at often enough, and only where there is a limit"),
    ("PM2_CONCURRENT_ACTIONS", "`pmr reload --parallel` says how many workers are replaced at once"),
    ("EXP_BACKOFF_RESET_TIMER", "a minute without a restart ends the back-off"),
    ("PM2_NODE_OPTIONS", "node reads NODE_OPTIONS; `--node-args` stands before a script"),
    ("PM2_MODIFY_REQUIRE", "nothing is patched in the app"),
    ("PM2_OPTIMIZE_MEMORY", "the runtime takes a few megabytes"),
    ("PM2_ENABLE_GIT_PARSING", "the git checkout is read when `pmr show` asks"),
    ("PM2_DEEP_MONITORING", CLOUD),
    ("PM2_SILENT", "`--log-level error` says how much is told"),
    ("PM2_SOCKET_USER", "a runtime answers its own user and root"),
    ("PM2_SOCKET_GROUP", "a runtime answers its own user and root"),
    ("PM2_API_IPADDR", SERVER),
    ("PM2_API_PORT", SERVER),
    ("PM2_WEB_PORT", SERVER),
    ("PM2_SECRET_KEY", CLOUD),
    ("PM2_PUBLIC_KEY", CLOUD),
    ("PM2_MACHINE_NAME", CLOUD),
    ("PM2_APM_ADDRESS", CLOUD),
    ("KEYMETRICS_SECRET", CLOUD),
    ("KEYMETRICS_PUBLIC", CLOUD),
];

/// pm2's variable in the place of ours, if it has one.
pub(super) fn stand_in(ours: &str) -> Option<&'static str> {
    STAND_INS.iter().find(|(name, _)| *name == ours).map(|(_, theirs)| *theirs)
}

/// What is to be said of the variables that are set and do nothing.
pub(super) fn without_effect(is_set: impl Fn(&'static str) -> bool) -> impl Iterator<Item = Warning> {
    let set = NO_EFFECT.into_iter().filter(move |(name, _)| is_set(name));
    set.map(|(name, why)| Warning::NoEffect { name, why })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use crate::config::env::read;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn a_variable_of_pm2s_stands_in_for_ours_where_ours_is_not_set() {
        let alone = read(&variables(&[("PM2_KILL_TIMEOUT", "3000"), ("PMR_KILL_TIMEOUT", "")]));
        assert_eq!(alone.environment.pmr_kill_timeout.as_deref(), Some("3000"));
        assert_eq!(alone.stand_ins, BTreeMap::from([("PMR_KILL_TIMEOUT", "PM2_KILL_TIMEOUT")]));
        let both = read(&variables(&[("PM2_KILL_TIMEOUT", "3000"), ("PMR_KILL_TIMEOUT", "5s")]));
        assert_eq!(both.environment.pmr_kill_timeout.as_deref(), Some("5s"));
        assert!(both.stand_ins.is_empty());
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let reading =
            read(&variables(&[("PM2_HOME", "/tmp"), ("PM2_SILENT", ""), ("SECRET_KEY", "of the app")]));
        let shown: Vec<String> = reading.warnings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @"the variable `PM2_HOME` has no effect: the runtime's place is PMR_HOME, and none is needed");
    }
}
