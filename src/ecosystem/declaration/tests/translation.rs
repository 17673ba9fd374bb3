//! Declarations as words: which, and that the command line's own grammar takes them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::super::key::Fate;
use super::super::keys::KEYS;
use super::super::problem::FileProblem;
use super::super::read::read;
use super::super::select::Choice;
use super::super::translate::{Launch, Launches, World, translate};
use crate::cli::args::{Request, parse};
use crate::config::interpreter::Found;

#[derive(Default)]
struct Around {
    variables: Vec<(&'static str, &'static str)>,
    options: Vec<&'static str>,
    choice: Choice,
}

impl Around {
    fn translate(&self, document: &Value) -> Result<Launches, Vec<FileProblem>> {
        let document = read("f", document)?;
        let environment: BTreeMap<OsString, OsString> =
            self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let options: Vec<OsString> = self.options.iter().map(OsString::from).collect();
        let world = World {
            environment: &environment,
            options: &options,
            in_path: &|name| name == "node" || name == "python3",
            is_file: &|_, path| [Path::new("a.js"), Path::new("run.sh"), Path::new("a b.js")].contains(&path),
            read: &|_, path| match path.to_str() {
                Some(".env") => Ok("FROM_FILE=1\nPORT=9\n".to_owned()),
                Some("bad.env") => Ok("secret\n".to_owned()),
                _ => Err(io::Error::other("no such file")),
            },
        };
        translate("f", &document, &self.choice, &world)
    }

    #[track_caller]
    fn words(&self, document: Value) -> String {
        let launches = self.translate(&document).unwrap();
        let lines = launches.apps.iter().map(|launch| {
            let words: Vec<_> = launch.words.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[track_caller]
    fn problems(&self, document: Value) -> String {
        let problems = self.translate(&document).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

fn words(document: Value) -> String {
    Around::default().words(document)
}

/// A value of each key that becomes an option.
fn full() -> Value {
    let (mut all, logs) = (of_workers(), of_logs());
    all.as_object_mut().unwrap().extend(logs.as_object().unwrap().clone());
    all
}

fn of_logs() -> Value {
    json!({
        "out_file": "out.log", "error": "NULL", "log": "logs/all", "pid_file": "web.pid", "disable_logs": true,
        "merge_logs": true, "log_type": "json", "log_date_format": "YYYY-MM-DD HH:mm Z", "time": true,
        "source_map_support": true, "watch": ["src", "views"], "ignore_watch": "dist", "watch_delay": 1000,
        "watch_options": { "ignored": ["*.md"], "usePolling": true, "interval": 500 },
    })
}

fn of_workers() -> Value {
    let mut all = json!({
        "script": "a.js", "args": ["x", "y z"], "cwd": "/srv", "resolve": false, "agent": false, "name": "web", "instances": -1, "share": "reuseport",
        "pre_start": ["npm run migrate", "echo done"], "pre_start_timeout": "5m", "autostart": false,
        "autorestart": false, "stop_exit_codes": [0, 42], "cron": "0 3 * * *", "restart_delay": 0, "min_uptime": "0.5ms", "max_restarts": 3, "drain_timeout": "90s",
        "kill_timeout": 1600, "shutdown_delay": "5s", "kill_signal": 15, "treekill": false, "shutdown_with_message": true, "wait_ready": true, "listen_timeout": "1.5s", "on_crash": "./report", "on_hup": "forward",
        "watchdog": "10s", "health": "cmd:true && true", "health_interval": 500, "health_timeout": "2s",
        "health_retries": "5", "health_start_period": "1m", "kill_stalled": "30s", "uid": 33, "group": "www-data", "max_memory_restart": "1.5G",
    });
    // The macro takes no more in one piece.
    let rest = json!({
        "exp_backoff_restart_delay": 200, "balance": "even", "stall_after": 250, "standby": 1, "reload_strategy": "fleet", "memory_guard": false,
    });
    all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    all
}

#[test]
fn every_key_that_is_an_option_becomes_one() {
    let launch = Around::default().translate(&full()).unwrap().apps.remove(0);
    let wanted = KEYS.iter().filter_map(|key| match key.fate {
        // Goes behind the other delay.
        Fate::Option(setting) if key.name != "restart_delay" => Some(setting.name),
        _ => None,
    });
    assert_eq!(launch.settings, wanted.collect::<Vec<_>>(), "give `full` a value for each key");
    insta::assert_snapshot!(words(full()));
    let argv = ["pmr-runtime".into()].into_iter().chain(launch.words);
    let Ok(Request::Run(invocation)) = parse(argv, &|_, _| Found::File) else {
        panic!("not read as a command line")
    };
    assert_eq!(invocation.command, "a.js");
    assert_eq!(invocation.arguments, ["x", "y z"]);
    assert!(invocation.flags.no_autorestart && invocation.flags.wait_ready);
    assert_eq!(invocation.flags.min_uptime.as_deref(), Some(OsStr::new("0.000500000s")));
}

#[test]
fn a_bare_app_runs_once_as_it_would_under_pm2() {
    assert_eq!(words(json!({ "script": "a.js" })), "--instances=1 -- a.js");
    assert_eq!(words(json!({ "script": "a.js", "instances": "auto" })), "--instances=auto -- a.js");
    assert_eq!(
        words(json!({ "script": "a.js", "autorestart": true, "wait_ready": false })),
        "--instances=1 -- a.js"
    );
}

#[test]
fn the_command_is_put_together_as_pm2_does() {
    for (app, command) in [
        (json!({ "script": "npm", "args": "run start" }), "npm run start"),
        (json!({ "script": "npm run start" }), "npm run start"),
        (json!({ "script": "npm run", "args": ["start"] }), "npm run start"),
        (json!({ "script": "a b.js" }), "a b.js"),
        (json!({ "script": "a.js", "node_args": "--inspect -r x" }), "node --inspect -r x a.js"),
        (json!({ "script": "bin/www", "node_args": "--inspect" }), "node --inspect bin/www"),
        (json!({ "script": "app.py", "interpreter_args": "-u" }), "python3 -u app.py"),
        (json!({ "script": "a.js", "interpreter": "bun", "args": "x" }), "bun a.js x"),
        (json!({ "script": "server", "interpreter": "none", "args": "x" }), "server x"),
    ] {
        let words = words(app);
        assert_eq!(words.split_once("-- ").unwrap().1, command);
    }
    insta::assert_snapshot!(
        words(json!({ "script": "run.sh", "interpreter": "none" })),
        @r#"--name=run --instances=1 -- sh -c exec "$0" "$@" ./run.sh"#
    );
    insta::assert_snapshot!(
        Around::default().problems(json!({ "script": "a.js", "interpreter": "node@18" })),
        @"`f`, app `apps[0]`, `interpreter`: found `node@18`, accepted: a program in PATH or the path of one, or `none`; versions are not installed here"
    );
}

#[test]
fn a_fork_is_no_worker_of_nodes_cluster() {
    let fork = json!({ "script": "a.js", "instances": 2, "exec_mode": "fork" });
    assert_eq!(words(fork), "--instances=2 --share=intercept -- a.js");
    let own = json!({ "script": "a.js", "instances": 2, "exec_mode": "fork", "share": "none" });
    assert_eq!(words(own), "--instances=2 --share=none -- a.js");
    assert_eq!(words(json!({ "script": "a.js", "exec_mode": "fork" })), "--instances=1 -- a.js");
}

#[test]
fn the_command_line_and_the_variables_go_before_the_file() {
    let app =
        json!({ "script": "a.js", "instances": 2, "kill_timeout": "5s", "exp_backoff_restart_delay": 100 });
    let around = Around {
        variables: vec![("PMR_KILL_TIMEOUT", "9s"), ("PMR_INSTANCES", "")],
        options: vec!["--instances=4", "--restart-delay=1s"],
        ..Around::default()
    };
    assert_eq!(around.words(app), "--instances=4 --restart-delay=1s -- a.js");
    let launch = around.translate(&json!({ "script": "a.js", "min_uptime": 5 })).unwrap().apps.remove(0);
    assert_eq!(launch.settings, ["min-uptime"]);
}

#[test]
fn options_of_the_runtime_are_taken_from_the_file() {
    let file = json!({ "apps": [{ "script": "a.js" }], "log_format": "json", "log_level": "debug" });
    assert_eq!(words(file), "--instances=1 --log-format=json --log-level=debug -- a.js");
}

#[test]
fn each_app_has_its_own_name() {
    let two = json!([{ "script": "a.js" }, { "script": "lib/a.js" }]);
    insta::assert_snapshot!(Around::default().problems(two), @"`f`, `name`: several of the apps are called `a`, accepted: a name for each");
    let named = |variables: Vec<_>, options: Vec<_>| Around { variables, options, ..Around::default() };
    let two = || json!([{ "script": "a.js" }, { "script": "b.js", "name": "x" }]);
    for around in [named(vec![("PMR_NAME", "one")], vec![]), named(vec![], vec!["--name=one"])] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(around.problems(two()), @"`f`, `name`: several of the apps are called `one`, accepted: a name for each");
        }
    }
    let only = Choice { only: Some("x".to_owned()), ..Choice::default() };
    let around = Around { options: vec!["--name=one"], choice: only, ..Around::default() };
    assert_eq!(around.words(two()), "--instances=1 --name=one -- b.js");
}

#[test]
fn a_named_environment_is_laid_over_the_plain_one() {
    let app = json!({ "script": "a.js", "name": "web", "append_env_to_name": true, "env": { "A": "1", "B": "1" },
        "env_production": { "B": "2" } });
    let choice = |name: &str| Choice { environment: Some(name.to_owned()), ..Choice::default() };
    let around = |name: &str| Around { choice: choice(name), ..Around::default() };
    let launches = around("production").translate(&app).unwrap();
    assert_eq!(launches.apps[0].name, "web-production");
    assert_eq!(launches.apps[0].environment.get(OsStr::new("B")), Some(&Some("2".into())));
    assert_eq!(launches.remarks, []);
    let launches = around("prodution").translate(&app).unwrap();
    assert_eq!(launches.apps[0].environment.get(OsStr::new("B")), Some(&Some("1".into())));
    insta::assert_snapshot!(launches.remarks[0], @"`f`, app `web`, `env_prodution` is not there, so that `env` alone holds, did you mean `env_production`?");
}

#[test]
fn variables_of_a_file_are_read_and_what_is_wrong_with_it_is_told() {
    let around = Around { variables: vec![("PORT", "3000")], ..Around::default() };
    let app = json!({ "script": "a.js", "env_file": ".env" });
    let environment = around.translate(&app).unwrap().apps.remove(0).environment;
    assert_eq!(environment.get(OsStr::new("FROM_FILE")), Some(&Some("1".into())));
    assert_eq!(environment.get(OsStr::new("PORT")), None, "as it is");
    let wrong = json!([{ "script": "a.js", "env_file": ["bad.env"] }, { "script": "b.js", "env_file": "missing" },
        { "script": "c.js", "increment_var": "PORT" }, { "script": "d.js", "increment_var": "OTHER" },
        { "script": "e.js", "increment_var": "PORT", "standby": 1 }]);
    insta::assert_snapshot!(around.problems(wrong), @r"
    `f`, app `apps[0]`, `env_file`: cannot use `bad.env`: line 1 is not `NAME=value`
    `f`, app `apps[1]`, `env_file`: cannot use `missing`: no such file
    `f`, app `apps[3]`, `increment_var`: found `OTHER`, accepted: a variable of the app's environment that holds a whole number
    `f`, app `apps[4]`, `increment_var`: excludes `standby`, whose workers boot before they have a place
    ");
}

#[test]
fn what_an_app_needs_comes_before_it_and_is_taken_along() {
    let document = json!([
        { "name": "web", "script": "a.js", "depends_on": { "db": "ready", "migrate": "exited" } },
        { "name": "other", "script": "a.js" },
        { "name": "migrate", "script": "a.js", "depends_on": "db", "autorestart": false },
        { "name": "db", "script": "a.js", "append_env_to_name": true },
    ]);
    let shown = |choice: Choice| {
        let launches = Around { choice, ..Around::default() }.translate(&document).unwrap();
        let app = |launch: &Launch| {
            let needs = launch.depends_on.iter().map(|need| format!(" {}={}", need.app, need.until.as_str()));
            let along = if launch.is_taken_along { " (along)" } else { "" };
            format!("{}{along}:{}", launch.name, needs.collect::<String>())
        };
        launches.apps.iter().map(app).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(Choice::default()),
        ["other:", "db:", "migrate: db=ready", "web: db=ready migrate=exited"]
    );
    let only =
        Choice { only: Some("web".to_owned()), environment: Some("x".to_owned()), ..Choice::default() };
    assert_eq!(
        shown(only),
        ["db-x (along):", "migrate (along): db-x=ready", "web: db-x=ready migrate=exited"]
    );
    // What is said not to run here may run elsewhere.
    let formation = Choice { formation: Some("web=1,db=0".to_owned()), ..Choice::default() };
    assert_eq!(shown(formation), ["migrate (along):", "web: migrate=exited"]);
}

#[test]
fn what_cannot_be_waited_for_is_a_problem() {
    let problems = |document| Around::default().problems(document);
    insta::assert_snapshot!(problems(json!([
        { "name": "web", "script": "a.js", "depends_on": ["dB", "xyz"] },
        { "name": "db", "script": "a.js", "depends_on": { "web": "exited" } },
    ])), @r"
    `f`, app `web`, `depends_on`: no app of the file is called `dB`, did you mean `db`?
    `f`, app `web`, `depends_on`: no app of the file is called `xyz`
    `f`, app `db`, `depends_on`: `web` never ends, accepted: `autorestart: false` there, or `ready` here
    ");
    insta::assert_snapshot!(problems(json!([
        { "name": "a", "script": "a.js", "depends_on": "b" },
        { "name": "b", "script": "a.js", "depends_on": "c" },
        { "name": "c", "script": "a.js", "depends_on": "b" },
    ])), @"`f`, app `b`, `depends_on`: the app depends on itself, directly or through others");
}
