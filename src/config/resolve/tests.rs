//! Precedence, defaults and problems, on a made-up machine.

use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::*;
use crate::config::problem::{Origin, Warning};
use crate::spec::{
    AfterExit, AppSpec, Asking, Autostart, Balance, BalancePolicy, Identity, LineForm, ListeningHeard,
    LogPlace, LogPolicy, LogReach, Merging, OnHup, Reach, ReadySign, ReloadStrategy, RestartDelay, Share,
    WatchPolicy,
};

fn nothing_but(command: &[&str]) -> Invocation {
    Invocation {
        flags: Flags::default(),
        command: command[0].into(),
        arguments: command[1..].iter().map(OsString::from).collect(),
        start: false,
    }
}

fn node() -> Invocation {
    nothing_but(&["node", "index.js"])
}

/// Resolves on a machine with four CPUs, 1 GiB of memory, node, and the directory `/srv`.
fn resolve_in(variables: &[(&str, &str)], invocation: Invocation) -> Result<Settings, ResolveError> {
    resolve_os(variables.iter().map(|(name, value)| (name.into(), value.into())).collect(), invocation)
}

fn resolve_os(
    environment: BTreeMap<OsString, OsString>,
    invocation: Invocation,
) -> Result<Settings, ResolveError> {
    resolve(invocation, world(environment))
}

fn world(environment: BTreeMap<OsString, OsString>) -> World<'static> {
    World {
        environment,
        affinity: NonZeroU32::new(4).unwrap(),
        quota: None,
        memory_limit: Some(1 << 30),
        ends_together: false,
        container: false,
        on_terminal: false,
        in_path: &|name| ["node", "tool.sh"].iter().any(|known| OsStr::new(known) == name),
        is_file: &|_, file| {
            [
                "server.js",
                "app.rb",
                "ecosystem.config.js",
                "bin/www",
                "server",
                "node",
                "./api/index.js",
                "api/index.js",
            ]
            .iter()
            .any(|known| Path::new(known) == file)
        },
        head: &|_, file| match file.to_str()? {
            "bin/www" => Some(b"#!/usr/bin/env node\n".to_vec()),
            _ => Some(b"\x7fELF".to_vec()),
        },
        is_directory: &|directory| directory == Path::new("/srv"),
        accounts: accounts(0),
        here: &|| "/srv".into(),
        files: Files {
            read: &|path| {
                let package = || br#"{"scripts": {"start": "node web.js"}}"#.to_vec();
                let of_npm = || br#"{"name": "npm", "version": "11.2.0"}"#.to_vec();
                match path.to_str()? {
                    "/srv/package.json" => Some(package()),
                    "/npm/package.json" => Some(of_npm()),
                    _ => None,
                }
            },
            real: &|path| Some(path.to_owned()),
            find: &|_, name| match name.to_str()? {
                "node" => Some("/usr/bin/node".into()),
                "npm" => Some("/npm/bin/npm-cli.js".into()),
                _ => None,
            },
        },
    }
}

/// Those of a small machine, as the user with this number sees them.
fn accounts(us: u32) -> Accounts<'static> {
    Accounts {
        ourselves: (us, us),
        user: &|text| ["www", "33"].contains(&text).then_some(Account { user: 33, group: 34 }),
        group: &|name| (name == "docker").then_some(999),
        groups: &|text, first| if text == "4321" { vec![first] } else { vec![first, 44] },
    }
}

#[track_caller]
fn app(variables: &[(&str, &str)], flags: Flags) -> AppSpec {
    resolve_in(variables, Invocation { flags, ..node() }).expect("the settings are right").app
}

fn problems(variables: &[(&str, &str)], flags: Flags) -> String {
    match resolve_in(variables, Invocation { flags, ..node() }) {
        Err(ResolveError::Problems(problems)) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_defaults_are_those_of_the_docs() {
    let settings = resolve_in(&[], node()).unwrap();
    assert_eq!(settings.sizing.to_string(), "1 instance: no PORT");
    assert_eq!((settings.log_format, settings.log_level), (LogFormat::Raw, LogLevel::Info));
    assert_eq!((settings.cpus.get(), settings.port, settings.warnings), (4, None, vec![]));
    insta::assert_snapshot!(format!("{:#?}", settings.app));
}

#[test]
fn a_flag_goes_before_its_variable_and_both_before_the_default() {
    let variables = [("PMR_NAME", "from-env"), ("PMR_KILL_TIMEOUT", "3s"), ("PMR_INSTANCES", "2")];
    let flags = Flags { name: Some("from-flag".into()), ..Flags::default() };
    let settings = resolve_in(&variables, Invocation { flags, ..node() }).unwrap();
    assert_eq!(settings.app.name, "from-flag");
    assert_eq!(settings.app.stop.timeout, Duration::from_secs(3));
    assert_eq!(settings.sizing.to_string(), "2 instances: PMR_INSTANCES=2");
    let origin = |name: &str| settings.origins[name];
    assert_eq!(origin("name"), Origin::Flag("--name"));
    assert_eq!(origin("kill-timeout"), Origin::Variable("PMR_KILL_TIMEOUT"));
    assert_eq!(origin("share"), Origin::Default);
    assert_eq!(settings.origins.len(), setting::ALL.len());
}

#[test]
fn every_option_reaches_the_app() {
    let app = app(
        &[
            ("PMR_KILL_SIGNAL", "INT"),
            ("PMR_TREEKILL", "no"),
            ("PMR_SHUTDOWN_WITH_MESSAGE", "yes"),
            ("PMR_AUTORESTART", "no"),
            ("PMR_STOP_EXIT_CODES", "0,42"),
            ("PMR_CRON_RESTART", "0 3 * * *"),
            ("PMR_MAX_RESTARTS", "3"),
            ("PMR_MIN_UPTIME", "2s"),
            ("PMR_RESTART_DELAY", "250"),
            ("PMR_WAIT_READY", "on"),
            ("PMR_LISTEN_TIMEOUT", "5s"),
            ("PMR_CWD", "/srv"),
            ("PMR_SHARE", "none"),
            ("PMR_BALANCE", "sticky"),
            ("PMR_STALL_AFTER", "250"),
            ("PMR_ON_HUP", "forward"),
            ("PMR_STANDBY", "1"),
            ("PMR_RELOAD_STRATEGY", "fleet"),
            ("PORT", "8080"),
        ],
        Flags::default(),
    );
    assert_eq!(app.stop.signal, Some(crate::process::Signal::INT));
    assert_eq!((app.stop.reach, app.stop.asking), (Reach::First, Asking::Message));
    assert_eq!(app.restart.after_exit, AfterExit::Stay);
    assert_eq!((&app.restart.stop_codes[..], app.restart.cron.as_deref()), (&[0, 42][..], Some("0 3 * * *")));
    assert_eq!(app.restart.max_unstable, 3);
    assert_eq!(app.restart.min_uptime, Duration::from_secs(2));
    assert_eq!(app.restart.delay, RestartDelay::Fixed(Duration::from_millis(250)));
    assert_eq!(app.readiness.sign, ReadySign::Said);
    assert_eq!(app.readiness.timeout, Duration::from_secs(5));
    assert_eq!(app.readiness.port, Some(8080));
    assert_eq!(app.command.directory.as_deref(), Some(Path::new("/srv")));
    assert_eq!((app.share, app.on_hup), (Share::None, OnHup::Forward));
    assert_eq!(app.balance, BalancePolicy { way: Balance::Sticky, stall_after: Duration::from_millis(250) });
    assert_eq!((app.standby, app.reload_strategy), (1, ReloadStrategy::Fleet));
    assert_eq!(app.instances.get(), 1, "1 GiB holds two workers of 512 MB, and one is on standby");
}

#[test]
fn the_options_of_logs_and_of_watching_reach_the_app() {
    let app = app(
        &[
            ("PMR_WATCH", "src,views"),
            ("PMR_IGNORE_WATCH", "*.{log,tmp},dist"),
            ("PMR_WATCH_DELAY", "1s"),
            ("PMR_WATCH_POLL", "2s"),
            ("PMR_OUTPUT", "out.log"),
            ("PMR_ERROR", "NULL"),
            ("PMR_LOG", "/var/log/all.log"),
            ("PMR_PID", "web.pid"),
            ("PMR_MERGE_LOGS", "yes"),
            ("PMR_DISABLE_LOGS", "1"),
            ("PMR_LOG_TYPE", "json"),
            ("PMR_TIME", "true"),
        ],
        Flags::default(),
    );
    assert_eq!(
        app.logs,
        LogPolicy {
            output: LogPlace::File("out.log".into()),
            error: LogPlace::Nowhere,
            both: Some("/var/log/all.log".into()),
            pid: Some("web.pid".into()),
            merging: Merging::Together,
            reach: LogReach::Askers,
            form: LineForm::Json,
            date: Some("YYYY-MM-DDTHH:mm:ss".to_owned()),
        }
    );
    let second = Duration::from_secs(1);
    let (paths, ignore) =
        (vec!["src".into(), "views".into()], vec!["*.{log,tmp}".to_owned(), "dist".to_owned()]);
    assert_eq!(app.watch, Some(WatchPolicy { paths, ignore, delay: second, polling: Some(second * 2) }));
}

#[test]
fn a_person_may_name_the_interpreter_and_words_before_the_script() {
    let command = |words: &[&str], interpreter: Option<&str>, args: &str| {
        let flags = Flags {
            interpreter: interpreter.map(Into::into),
            interpreter_args: Some(args.into()).filter(|_| !args.is_empty()),
            ..Flags::default()
        };
        let settings = resolve_in(&[], Invocation { flags, ..nothing_but(words) }).unwrap();
        let AppSpec { command, .. } = settings.app;
        let words: Vec<_> = std::iter::once(command.program).chain(command.arguments).collect();
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        (words.join(" "), settings.warnings.len())
    };
    let plain = |text: &str| (text.to_owned(), 0);
    assert_eq!(command(&["server.js", "x"], Some("bun"), ""), plain("bun server.js x"));
    assert_eq!(command(&["server.js"], None, "--a '--b c'"), plain("node --a --b c server.js"));
    assert_eq!(command(&["server"], Some("/opt/node"), "-r x"), plain("/opt/node -r x server"));
    assert_eq!(command(&["server.js", "x"], Some("none"), ""), plain("./server.js x"));
    assert_eq!(command(&["node", "server.js"], None, "--inspect"), plain("node --inspect server.js"));
    assert_eq!(command(&["tool.sh", "x"], None, "--inspect"), ("tool.sh x".to_owned(), 1));
    let error = |flags| resolve_in(&[], Invocation { flags, ..nothing_but(&["tool.sh"]) }).unwrap_err();
    let gone = error(Flags { interpreter: Some("bun".into()), ..Flags::default() });
    assert_eq!(gone.to_string(), "cannot run `tool.sh`: no such file");
    let version = error(Flags { interpreter: Some("node@18".into()), ..Flags::default() });
    assert!(matches!(version, ResolveError::Problems(_)), "{version:?}");
}

#[test]
fn source_maps_are_asked_for_in_nodes_own_variable() {
    let flags = || Flags { source_map_support: true, ..Flags::default() };
    let options = |app: AppSpec| app.command.environment.get(OsStr::new("NODE_OPTIONS")).cloned();
    assert_eq!(options(app(&[], flags())), Some("--enable-source-maps".into()));
    let both = app(&[("NODE_OPTIONS", "--no-warnings")], flags());
    assert_eq!(options(both), Some("--no-warnings --enable-source-maps".into()));
    assert_eq!(options(app(&[], Flags::default())), None);
}

#[test]
fn switches_work_from_either_side_and_the_flag_wins() {
    let flags = || Flags { no_autorestart: true, wait_ready: true, ..Flags::default() };
    for variables in [&[][..], &[("PMR_AUTORESTART", "yes"), ("PMR_WAIT_READY", "0")]] {
        let app = app(variables, flags());
        assert_eq!(app.restart.after_exit, AfterExit::Stay);
        assert_eq!(app.readiness.sign, ReadySign::Said);
    }
    assert_eq!(app(&[("PMR_AUTORESTART", "1")], Flags::default()).restart.after_exit, AfterExit::Restart);
}

#[test]
fn the_first_back_off_may_be_longer_than_the_usual_longest() {
    let delay = |text: &str| {
        let flags = Flags { exp_backoff_restart_delay: Some(text.into()), ..Flags::default() };
        app(&[], flags).restart.delay
    };
    let (first, cap) = (Duration::from_secs(1), Duration::from_secs(15));
    assert_eq!(delay("1s"), RestartDelay::Exponential { first, cap });
    let minute = Duration::from_secs(60);
    assert_eq!(delay("1m"), RestartDelay::Exponential { first: minute, cap: minute });
}

/// None of these is right.
const WRONG: [(&str, &str); 22] = [
    ("PORT", "99999"),
    ("WEB_CONCURRENCY", "abc"),
    ("WEB_MEMORY", "512M"),
    ("MEMORY_AVAILABLE", "0"),
    ("PMR_INSTANCES", "many"),
    ("PMR_KILL_SIGNAL", "SIGNONE"),
    ("PMR_AUTORESTART", "perhaps"),
    ("PMR_STOP_EXIT_CODES", "256"),
    ("PMR_CRON_RESTART", "daily"),
    ("PMR_MAX_RESTARTS", "-1"),
    ("PMR_MIN_UPTIME", "-1"),
    ("PMR_EXP_BACKOFF_RESTART_DELAY", "0"),
    ("PMR_WAIT_READY", "2"),
    ("PMR_LISTEN_TIMEOUT", "never"),
    ("PMR_LOG_FORMAT", "xml"),
    ("PMR_SHARE", "all"),
    ("PMR_BALANCE", "fair"),
    ("PMR_STALL_AFTER", "0"),
    ("PMR_ON_HUP", "die"),
    ("PMR_STANDBY", "some"),
    ("PMR_RELOAD_STRATEGY", "big-bang"),
    ("PMR_LOG_LEVEL", "loud"),
];

#[test]
fn all_problems_come_at_once_also_of_values_that_are_overridden() {
    let flags = Flags {
        instances: Some("-1".into()),
        kill_timeout: Some("soon".into()),
        cwd: Some("/nowhere".into()),
        name: Some(OsString::from_vec(vec![b'a', 0xff])),
        restart_delay: Some("1s".into()),
        ..Flags::default()
    };
    insta::assert_snapshot!(problems(&WRONG, flags), @r"
    `PORT`: found `99999`, accepted: a port from 1 to 65535
    `PMR_STANDBY`: found `some`, accepted: a whole number from 0 to 1024
    `PMR_INSTANCES`: found `many`, accepted: a whole number from 1 to 1024, `auto`, `max` or 0 (the CPUs), `-1` (one fewer), or a range such as `2..8`
    `WEB_MEMORY`: found `512M`, accepted: a whole number of megabytes from 1 up
    `MEMORY_AVAILABLE`: found `0`, accepted: a whole number of megabytes from 1 up
    `WEB_CONCURRENCY`: found `abc`, accepted: a whole number from 1 to 1024, `auto` or `max`
    `PMR_WAIT_READY`: found `2`, accepted: `true`, `1`, `yes`, `on`, `false`, `0`, `no` or `off`
    `PMR_LISTEN_TIMEOUT`: found `never`, accepted: a duration such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`
    `PMR_ON_HUP`: found `die`, accepted: `reload` or `forward`
    `PMR_RELOAD_STRATEGY`: found `big-bang`, accepted: `rolling` or `fleet`
    `PMR_SHARE`: found `all`, accepted: `auto`, `cluster`, `intercept`, `activation`, `reuseport` or `none`
    `--name`: found `a�`, which is not UTF-8 text
    `--cwd`: found `/nowhere`, accepted: an existing directory
    `PMR_AUTORESTART`: found `perhaps`, accepted: `true`, `1`, `yes`, `on`, `false`, `0`, `no` or `off`
    `PMR_STOP_EXIT_CODES`: found `256`, accepted: exit statuses from 0 to 255, such as `0` or `0,42`
    `PMR_CRON_RESTART`: found `daily`, accepted: a cron pattern of 5 or 6 fields such as `0 3 * * *`, or 0 for none
    `PMR_MAX_RESTARTS`: found `-1`, accepted: a whole number from 0 up (`--no-autorestart` is the way to never restart)
    `PMR_MIN_UPTIME`: found `-1`, accepted: a duration such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`
    `PMR_EXP_BACKOFF_RESTART_DELAY`: found `0`, accepted: a duration above zero such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`
    `--restart-delay` and `PMR_EXP_BACKOFF_RESTART_DELAY` exclude each other, accepted: one of them
    `--kill-timeout`: found `soon`, accepted: a duration such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`
    `PMR_KILL_SIGNAL`: found `SIGNONE`, accepted: a signal such as `TERM`, `SIGINT` or `15`
    `PMR_BALANCE`: found `fair`, accepted: `shared`, `even` or `sticky`
    `PMR_STALL_AFTER`: found `0`, accepted: a duration above zero such as `1600` (milliseconds), `1.5s`, `2m` or `1h`, up to `8760h`
    `PMR_LOG_FORMAT`: found `xml`, accepted: `raw`, `text`, `fields` or `json`
    `PMR_LOG_LEVEL`: found `loud`, accepted: `error`, `warn`, `info`, `debug` or `trace`
    ");
}

#[test]
fn bad_numbers_of_the_platform_are_problems() {
    for (name, values) in [("WEB_CONCURRENCY", ["0", "abc", "-1"]), ("PORT", ["99999", "0", "abc"])] {
        for value in values {
            assert!(
                problems(&[(name, value)], Flags::default())
                    .starts_with(&format!("`{name}`: found `{value}`"))
            );
        }
        assert!(resolve_in(&[(name, "")], node()).is_ok(), "an empty {name} is unset");
    }
}

#[test]
fn a_variable_that_is_no_text_is_a_problem_and_its_flag_does_not_help() {
    let environment = BTreeMap::from([("PMR_CWD".into(), OsString::from_vec(vec![b'/', 0xff]))]);
    let flags = Flags { cwd: Some("/srv".into()), ..Flags::default() };
    let Err(ResolveError::Problems(problems)) = resolve_os(environment, Invocation { flags, ..node() })
    else {
        panic!("the variable is no text")
    };
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].is_usage());
}

#[test]
fn a_file_gets_its_interpreter_and_gives_the_name() {
    let app = resolve_in(&[], nothing_but(&["server.js", "--port", "3"])).unwrap().app;
    assert_eq!(app.command.program, "node");
    assert_eq!(app.command.arguments, ["server.js", "--port", "3"]);
    assert_eq!(app.name, "server");
    let tool = resolve_in(&[], nothing_but(&["tool.sh", "x"])).unwrap().app;
    assert_eq!(tool.command.program, "tool.sh", "it is in PATH and no file here");
}

#[test]
fn what_pm2_would_find_before_it_looked_into_path_is_run() {
    let words = |word: &str| {
        let app = resolve_in(&[], nothing_but(&[word, "x"])).unwrap().app;
        let words: Vec<_> = std::iter::once(app.command.program).chain(app.command.arguments).collect();
        words.join(" ".as_ref()).into_string().unwrap()
    };
    assert_eq!(words("bin/www"), "node bin/www x");
    assert_eq!(words("server"), "./server x", "it is not in PATH");
    assert_eq!(words("node"), "node x", "it is in PATH");
    assert_eq!(words("./api"), "node ./api x");
    assert_eq!(words("api"), "node ./api x");
    assert_eq!(words("missing"), "missing x");
}

#[test]
fn a_whole_line_in_one_word_is_run_as_one_would_type_it() {
    let words = |line: &str| {
        let command = resolve_in(&[], nothing_but(&[line])).unwrap().app.command;
        let words = std::iter::once(command.program).chain(command.arguments);
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words("node  app.js --port 3 "), ["node", "app.js", "--port", "3"]);
    assert_eq!(words("server.js --port 3"), ["node", "server.js", "--port", "3"]);
    for line in ["cd web && node app.js", "A=1 node app.js", "node 'my app.js'", "echo $PORT; sleep 1"] {
        assert_eq!(words(line), ["sh", "-c", line]);
    }
    let with_more = resolve_in(&[], nothing_but(&["my server", "x"])).unwrap().app.command;
    assert_eq!(with_more.program, "my server", "a program's name may hold a space");
}

#[test]
fn what_cannot_be_run_is_said() {
    let error = |word: &str, start| {
        resolve_in(&[], Invocation { start, ..nothing_but(&[word]) }).expect_err(word).to_string()
    };
    insta::assert_snapshot!(error("app.rb", false), @"cannot run `app.rb`: `ruby` is not in PATH");
    insta::assert_snapshot!(error("sever.js", false), @"cannot run `sever.js`: no such file");
    insta::assert_snapshot!(error("ecosystem.config.js", false), @"`ecosystem.config.js` is a configuration file, and no program");
    insta::assert_snapshot!(error("apps.yaml", true), @"`apps.yaml` is a configuration file, and no program");
    assert!(resolve_in(&[], nothing_but(&["apps.yaml"])).is_ok(), "it may be a program in PATH");
}

#[test]
fn a_dyno_and_a_pod_are_containers_and_a_dyno_stamps_the_time_itself() {
    let of = |variables: &[(&str, &str)]| {
        let settings = resolve_in(variables, node()).unwrap();
        (settings.container, settings.timestamps)
    };
    assert_eq!(of(&[]), (false, true));
    assert_eq!(of(&[("DYNO", "web.1")]), (true, false));
    assert_eq!(of(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), (true, true));
}

#[test]
fn where_all_ends_when_memory_is_used_up_that_is_said_unless_something_is_done_before() {
    let warnings = |variables: &[(&str, &str)], memory_limit: Option<u64>| {
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let world = World { ends_together: true, memory_limit, ..world(environment) };
        resolve(node(), world).unwrap().warnings
    };
    let limit = Some(1 << 30);
    let unguarded = ("PMR_MEMORY_GUARD", "false");
    assert_eq!(warnings(&[], limit), []);
    assert_eq!(warnings(&[unguarded], limit), [Warning::EndTogether]);
    let jobs = [("PMR_AUTORESTART", "false"), ("PMR_INSTANCES", "2")];
    assert_eq!(warnings(&jobs, limit), [Warning::EndTogether]);
    assert_eq!(warnings(&[unguarded, ("PMR_MAX_MEMORY_RESTART", "300M")], limit), []);
    assert_eq!(warnings(&[unguarded], None), []);
    let init = [("PMR_AUTORESTART", "false"), ("PMR_INSTANCES", "1")];
    assert_eq!(warnings(&init, limit), []);
}

#[test]
fn warnings_of_the_environment_and_the_sizing_come_together() {
    let settings = resolve_in(&[("PMR_NAEM", "x"), ("WEB_CONCURRENCY", "28")], node()).unwrap();
    assert_eq!(
        settings.warnings,
        [
            Warning::UnknownVariable { name: "PMR_NAEM".to_owned(), nearest: Some("PMR_NAME") },
            Warning::ManyInstances { instances: 28, cpus: 4 },
        ]
    );
    assert_eq!(settings.app.instances.get(), 28);
}

#[test]
fn the_environment_is_handed_on_as_it_was_given() {
    let environment = BTreeMap::from([
        ("PMR_INSTANCES".into(), "2".into()),
        (OsString::from_vec(vec![0xff]), OsString::from_vec(vec![0xfe])),
    ]);
    let app = resolve_os(environment.clone(), node()).unwrap().app;
    assert_eq!(app.command.environment, environment);
}

#[test]
fn how_workers_are_watched_is_read_from_flags_and_variables() {
    let mut invocation = node();
    invocation.flags.watchdog = Some("3s".into());
    invocation.flags.health = Some("/health".into());
    let settings = resolve_in(
        &[
            ("PMR_HEALTH", "tcp"),
            ("PMR_HEALTH_INTERVAL", "2s"),
            ("PMR_WAIT_READY", "1"),
            ("PMR_KILL_STALLED", "5s"),
            ("PMR_MAX_MEMORY_RESTART", "1.5G"),
        ],
        invocation,
    );
    let settings = settings.unwrap();
    let named = |name: &str| (settings.value_of(name), settings.origins[name].to_string());
    assert_eq!(named("watchdog"), ("3s".to_owned(), "--watchdog".to_owned()));
    assert_eq!(named("health"), ("/health".to_owned(), "--health".to_owned()));
    assert_eq!(named("health-interval"), ("2s".to_owned(), "PMR_HEALTH_INTERVAL".to_owned()));
    assert_eq!(named("health-timeout"), ("5s".to_owned(), "default".to_owned()));
    assert_eq!(named("health-retries"), ("3".to_owned(), "default".to_owned()));
    assert_eq!(named("kill-stalled"), ("5s".to_owned(), "PMR_KILL_STALLED".to_owned()));
    assert_eq!(named("max-memory-restart"), ("1536M".to_owned(), "PMR_MAX_MEMORY_RESTART".to_owned()));
    assert_eq!(settings.app.readiness.sign, ReadySign::Healthy(ListeningHeard::Yes));
}

#[track_caller]
fn identity(us: u32, uid: &str, gid: &str) -> Result<Option<Identity>, String> {
    let variables = BTreeMap::from([("PMR_UID".into(), uid.into()), ("PMR_GID".into(), gid.into())]);
    let world = World { accounts: accounts(us), ..world(variables) };
    match resolve(node(), world) {
        Ok(settings) => Ok(settings.app.command.identity),
        Err(ResolveError::Problems(problems)) => Err(problems[0].to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_user_comes_with_its_groups() {
    let www = |group: u32| Identity { user: Some(33), group, groups: vec![group, 44] };
    assert_eq!(identity(0, "www", ""), Ok(Some(www(34))));
    assert_eq!(identity(0, "33", "docker"), Ok(Some(www(999))));
    let unknown = Identity { user: Some(4321), group: 7, groups: vec![7] };
    assert_eq!(identity(0, "4321", "7"), Ok(Some(unknown)));
    let group = Identity { user: None, group: 999, groups: vec![999] };
    assert_eq!(identity(0, "", "docker"), Ok(Some(group)));
    assert_eq!(identity(0, "", ""), Ok(None));
    assert_eq!(identity(33, "www", "33"), Ok(None), "who we are anyway");
}

#[test]
fn nobody_who_is_not_known_and_as_another_than_root_nobody_else() {
    let told = [
        (0, "nobdoy", ""),
        (0, "4321", ""),
        (0, "4294967295", "7"),
        (0, "33", "dokcer"),
        (1000, "www", ""),
        (1000, "", "7"),
    ]
    .map(|(us, uid, gid)| identity(us, uid, gid).unwrap_err());
    insta::assert_snapshot!(told.join("\n"), @r"
    `PMR_UID`: found `nobdoy`, accepted: a user of this machine, by name or number
    `PMR_UID`: found `4321`, accepted: a user of this machine; or a number together with `--gid`, as its first group is not known
    `PMR_UID`: found `4294967295`, accepted: a user of this machine, by name or number
    `PMR_GID`: found `dokcer`, accepted: a group of this machine by name, or a number
    `PMR_UID`: found `www`, accepted: who the runtime itself is: only root can run workers as another
    `PMR_GID`: found `7`, accepted: who the runtime itself is: only root can run workers as another
    ");
}

#[test]
fn a_script_of_a_package_is_run_without_its_package_manager() {
    let settings = resolve_in(&[("PATH", "/bin")], nothing_but(&["npm", "start", "--", "x"])).unwrap();
    let app = &settings.app;
    assert_eq!((app.name.as_str(), app.command.program.to_str()), ("npm", Some("node")), "the name stays");
    assert_eq!(app.command.arguments, ["web.js", "x"]);
    assert_eq!(app.command.directory, None, "it is our own");
    assert_eq!(app.command.environment[OsStr::new("npm_lifecycle_event")], "start");
    assert_eq!(settings.resolution.unwrap().to_string(), "npm start -- x → node web.js x");
    assert_eq!(settings.origins["resolve"], Origin::Default);
    let line = nothing_but(&["npm start"]);
    assert_eq!(resolve_in(&[], line).unwrap().app.command.arguments, ["web.js"]);
}

#[test]
fn node_goes_without_our_script_where_that_is_asked_for() {
    let node = nothing_but(&["node", "a.js"]);
    let flags = Flags { no_agent: true, ..Flags::default() };
    let by_flag = resolve_in(&[], Invocation { flags, ..node.clone() }).unwrap();
    let by_variable = resolve_in(&[("PMR_AGENT", "false")], node.clone()).unwrap();
    for settings in [by_flag, by_variable] {
        assert!(!settings.agent);
        assert_eq!(settings.value_of("agent"), "false");
    }
    assert!(resolve_in(&[], node).unwrap().agent);
}

#[test]
fn a_script_is_left_to_its_package_manager_where_that_is_asked_for_or_needed() {
    let flags = Flags { no_resolve: true, ..Flags::default() };
    let npm = nothing_but(&["npm", "start"]);
    let by_flag = resolve_in(&[], Invocation { flags, ..npm.clone() }).unwrap();
    let by_variable = resolve_in(&[("PMR_RESOLVE", "false")], npm).unwrap();
    for settings in [by_flag, by_variable] {
        assert_eq!((settings.app.command.program.to_str(), &settings.resolution), (Some("npm"), &None));
        assert_eq!(settings.value_of("resolve"), "false");
    }
    let settings = resolve_in(&[], nothing_but(&["npm", "start", "--port", "1"])).unwrap();
    assert_eq!(settings.app.command.program, "npm");
    let why = "npm start --port 1, as it stands: `--port` is an option of npm";
    assert_eq!(settings.resolution.unwrap().to_string(), why);
}

#[test]
fn a_command_before_the_start_is_found_as_the_apps_own_is() {
    let start = |line: &str| {
        let flags = Flags { pre_start: Some(line.into()), ..Flags::default() };
        app(&[("PMR_PRE_START_TIMEOUT", "5s"), ("PMR_AUTOSTART", "no")], flags).start
    };
    let words = |line| {
        let first = start(line).first.unwrap();
        std::iter::once(first.program)
            .chain(first.arguments)
            .map(|word| word.into_string().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(words("npm run migrate"), ["npm", "run", "migrate"]);
    assert_eq!(words("a && b"), ["sh", "-c", "a && b"]);
    let policy = start("x");
    assert_eq!(policy.first.unwrap().timeout, Duration::from_secs(5));
    assert_eq!(policy.when, Autostart::OnOrder);
    assert!(app(&[], Flags::default()).start.is_immediate());
}

#[test]
fn zeros_that_are_written_under_pm2_have_a_meaning() {
    let zeros = app(&[("PMR_MAX_RESTARTS", "0"), ("PMR_LISTEN_TIMEOUT", "0")], Flags::default());
    let default = app(&[], Flags::default());
    assert_eq!((zeros.restart.max_unstable, zeros.readiness.timeout), (1, default.readiness.timeout));
}
