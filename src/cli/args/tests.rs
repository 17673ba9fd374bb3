//! The grammar, the help text and the words of every usage error.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;
use crate::config::setting;

/// The files that there are.
const FILES: [&str; 6] = ["server.js", "app.ts", "run.sh", "my.config.js", "apps.toml", "./api/package.json"];

fn parse_words(words: &[&str]) -> Result<Request, UsageError> {
    let argv = std::iter::once("pmr-runtime").chain(words.iter().copied()).map(OsString::from);
    parse(argv, &|cwd, file| match cwd.and_then(Path::to_str) {
        None | Some("") if file == Path::new("bin/www") => Found::NodeScript,
        None | Some("") if FILES.iter().any(|known| Path::new(known) == file) => Found::File,
        Some("/srv") if file == Path::new("there.js") => Found::File,
        _ => Found::Nothing,
    })
}

#[track_caller]
fn invocation(line: &str) -> Invocation {
    let words: Vec<&str> = line.split_whitespace().collect();
    match parse_words(&words) {
        Ok(Request::Run(invocation)) => *invocation,
        other => panic!("`{line}` is {other:?}"),
    }
}

#[track_caller]
fn error(line: &str) -> UsageError {
    let words: Vec<&str> = line.split_whitespace().collect();
    parse_words(&words).expect_err(line)
}

#[track_caller]
fn command(line: &str) -> String {
    let Invocation { command, arguments, .. } = invocation(line);
    let words: Vec<_> =
        std::iter::once(&command).chain(&arguments).map(|word| word.to_str().unwrap()).collect();
    words.join(" ")
}

/// Such a line is read without the grammar, to the same end.
#[test]
fn a_line_without_options_is_read_as_the_grammar_reads_it() {
    for line in ["node", "node index.js --help -i 3", "start", "a -- b --", "npm -- start -i 2", "x - y", "é"]
    {
        let argv: Vec<_> =
            std::iter::once("pmr-runtime").chain(line.split(' ')).map(OsString::from).collect();
        let Some(Read::Line(plain)) = plain(&argv) else { panic!("{line}") };
        let Ok(Read::Line(read)) = read::<CommandLine>(CommandLine::command(), &argv) else {
            panic!("{line}")
        };
        assert_eq!(format!("{plain:?}"), format!("{read:?}"));
    }
    for words in
        [&["pmr-runtime"][..], &["pmr-runtime", "-i", "2", "node"], &["pmr-runtime", "--", "node"], &[]]
    {
        assert!(plain(&words.iter().map(OsString::from).collect::<Vec<_>>()).is_none(), "{words:?}");
    }
}

#[test]
fn from_the_command_on_every_word_is_the_apps() {
    for (line, app) in [
        ("node index.js", "node index.js"),
        ("node --help -i 3 --version -- x", "node --help -i 3 --version -- x"),
        ("-i 2 node -i 3", "node -i 3"),
        ("--name web --wait-ready npm -- start", "npm -- start"),
        ("node start", "node start"),
        ("node server.js --bogus", "node server.js --bogus"),
        ("missing.js --bogus -i 3", "missing.js --bogus -i 3"),
        ("./server.exe --x", "./server.exe --x"),
    ] {
        assert_eq!(command(line), app, "{line}");
    }
    assert_eq!(invocation("-i 2 node -i 3").flags.instances, Some("2".into()));
}

#[test]
fn two_dashes_end_our_options() {
    for (line, app) in [
        ("-- start server.js -i 3", "start server.js -i 3"),
        ("-i 2 -- node -- x", "node -- x"),
        ("-- -- x", "-- x"),
        ("-- --help", "--help"),
        ("-- server.js --bogus", "server.js --bogus"),
    ] {
        assert_eq!(command(line), app, "{line}");
        assert!(!invocation(line).start, "{line}");
    }
}

#[test]
fn bytes_that_are_no_text_reach_the_app() {
    let strange = OsString::from_vec(vec![0xff, b'-', 0xfe]);
    let argv = ["pmr-runtime".into(), "node".into(), strange.clone()];
    let Ok(Request::Run(invocation)) = parse(argv, &|_, _| Found::Nothing) else { panic!("it is a command") };
    assert_eq!(invocation.arguments, std::slice::from_ref(&strange));
    let Ok(Request::Run(invocation)) =
        parse(["x".into(), "--name".into(), strange.clone(), strange.clone()], &|_, _| Found::Nothing)
    else {
        panic!("it is a command")
    };
    assert_eq!((invocation.flags.name, invocation.command), (Some(strange.clone()), strange));
}

#[test]
fn options_may_follow_a_file_and_the_later_one_counts() {
    for line in [
        "-i 2 server.js",
        "server.js -i 2",
        "start server.js -i 2",
        "start -i 2 server.js",
        "-i 9 start -i 8 server.js -i2",
        "-i 3 server.js --instances=2 --",
    ] {
        let invocation = invocation(line);
        assert_eq!(invocation.flags.instances, Some("2".into()), "{line}");
        assert_eq!(invocation.command, "server.js", "{line}");
        assert!(invocation.arguments.is_empty(), "{line}");
        assert_eq!(invocation.start, line.contains("start"), "{line}");
    }
}

#[test]
fn after_a_file_two_dashes_give_the_rest_to_the_app() {
    assert_eq!(command("server.js -i 2 -- --port 3 -i 9 -- x"), "server.js --port 3 -i 9 -- x");
    assert_eq!(command("start npm -- start"), "npm start");
    assert_eq!(invocation("server.js --name a -- --name b").flags.name, Some("a".into()));
}

#[test]
fn what_pm2s_users_run_is_read_as_they_mean_it() {
    for (line, app) in [
        ("bin/www -i 2 --name api", "bin/www"),
        ("bin/www -i 2 -- --port 3", "bin/www --port 3"),
        ("./api -i 2 -- --port 3", "./api --port 3"),
        ("npm -i 2 --name api -- start", "npm start"),
        ("yarn -n api -i 2 -- run x", "yarn run x"),
    ] {
        assert_eq!(command(line), app, "{line}");
        assert_eq!(invocation(line).flags.instances, Some("2".into()), "{line}");
    }
    for line in
        ["bin/www serve -i 2", "bin/www --bogus", "npm -- start", "npm run x -i 2", "api -i 2", "sh -c x"]
    {
        assert_eq!(command(line), line);
        assert_eq!(invocation(line).flags, Flags::default(), "{line}");
    }
}

#[test]
fn what_has_no_effect_is_told_with_the_reason() {
    let remarks = |line: &str| invocation(line).flags.remarks.join("\n");
    insta::assert_snapshot!(remarks("server.js --secret s3cret --v8 --web 9615 --env production --no-vizion"), @"
    `--secret` has no effect: pm2's paid service is not there; `pmr monit` shows what happens
    `--v8` has no effect: pm2's paid service is not there; `pmr monit` shows what happens
    `--no-vizion` has no effect: the git checkout is read only when `pmr show` asks
    `--env` has no effect: it chooses among what a configuration file declares
    ");
    assert_eq!(remarks("--web 80 node app.js"), "");
    insta::assert_snapshot!(remarks("./server --name api -- --port 1"), @"`--name` stands after the command, so it is a word of `./server`; our own options stand before it");
    assert_eq!(command("--web 80 node app.js --web 81"), "node app.js --web 81");
    for line in ["pmr -c x -- y", "./server --json", "./server --name api", "./server --json --bogus -- x"] {
        assert_eq!(remarks(line), "", "{line}");
    }
}

#[test]
fn every_foreign_option_is_accepted_and_told_once() {
    for foreign in foreign::FOREIGN {
        let value = if foreign.value == foreign::Value::Yes { " value" } else { "" };
        let long = invocation(&format!("server.js --{}{value}", foreign.long)).flags.remarks;
        assert_eq!(long, [format!("`--{}` has no effect: {}", foreign.long, foreign.why)]);
        let short = foreign.short.map(|short| invocation(&format!("-{short}{value} node")).flags.remarks);
        assert!(short.is_none_or(|remarks| remarks == long), "{}", foreign.long);
    }
}

#[test]
fn a_file_is_looked_up_from_the_directory_of_the_app() {
    assert_eq!(invocation("--cwd /srv there.js -i 4").flags.instances, Some("4".into()));
    assert_eq!(command("--cwd /srv server.js -i 4"), "server.js -i 4");
}

#[test]
fn a_number_that_looks_like_an_option_is_left_to_the_resolver() {
    assert_eq!(invocation("-i -1 node").flags.instances, Some("-1".into()));
    assert_eq!(invocation("--kill-timeout -5s node").flags.kill_timeout, Some("-5s".into()));
}

#[test]
fn every_option_arrives_in_its_own_field() {
    let values = "-i 1 -n 2 --drain-timeout 0 --kill-timeout 3 --shutdown-delay 54 --kill-signal 4 --no-autorestart --max-restarts 5 --min-uptime 6 \
        --restart-delay 7 --exp-backoff-restart-delay 8 --wait-ready --listen-timeout 9 --cwd 10 --log-format 11 \
        --share 12 --balance 13 --stall-after 14 --on-hup 15 --log-level 16 --watchdog 17 --health 18 --health-interval 19 \
        --health-timeout 20 --health-retries 21 --health-start-period 22 --kill-stalled 23 --standby 24 \
        --reload-strategy 25 --stop-exit-codes 26 --max-memory-restart 27 --cron-restart 28 --uid 29 --gid 30 --no-treekill --shutdown-with-message \
        --output 31 --error 32 --log 33 --pid 34 --merge-logs --disable-logs --log-type 35 --log-date-format 36 --time --no-auto-exit --delay 37 \
        --watch=41 --ignore-watch 38 --watch-delay 39 --watch-poll 40 --interpreter 42 --node-args 43 --source-map-support --no-resolve --no-agent \
         --pre-start 51 --pre-start-timeout 52 --no-autostart --no-memory-guard --on-crash 54 --web 53 --web-read-only --history --no-otlp node";
    let flags = format!("{:#?}", invocation(values).flags);
    insta::assert_snapshot!(flags.replace("Some(\n        ", "Some(").replace(",\n    ),", "),"));
}

#[test]
fn what_is_watched_stands_behind_an_equals_sign() {
    let watch = |line: &str| invocation(line).flags.watch;
    assert_eq!(watch("--watch node"), Some("true".into()));
    assert_eq!(watch("--watch=src,lib node"), Some("src,lib".into()));
    assert_eq!(watch("server.js --watch -i 2"), Some("true".into()));
    assert_eq!(watch("node --watch"), None);
}

#[test]
fn the_address_of_the_web_server_may_be_absent() {
    let web = |line: &str| invocation(line).flags.web;
    assert_eq!(web("--web node"), Some("true".into()));
    assert_eq!(web("--web 80 node"), Some("80".into()));
    assert_eq!(web("--web=[::]:80 node"), Some("[::]:80".into()));
    assert_eq!(web("server.js --web"), Some("true".into()));
    assert_eq!(web("server.js --web 9615"), Some("9615".into()));
    assert_eq!(web("node --web"), None);
}

#[test]
fn forms_of_lines_have_words_of_their_own_as_in_pm2() {
    for (word, form) in
        [("--raw", "raw"), ("--json", "json"), ("--formatted", "text"), ("--format", "fields")]
    {
        assert_eq!(invocation(&format!("{word} node")).flags.log_format, Some(form.into()), "{word}");
        assert_eq!(invocation(&format!("server.js {word}")).flags.log_format, Some(form.into()), "{word}");
    }
}

#[test]
fn help_and_version_are_asked_for_before_the_command_or_after_a_file() {
    for line in ["--help", "-h", "-i 2 --help node", "server.js --help", "start --help"] {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(parse_words(&words), Ok(Request::Help(help())), "{line}");
    }
    for words in [&["--version"][..], &["-V"], &["server.js", "-V"]] {
        let version = format!("pmr-runtime {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parse_words(words), Ok(Request::Version(version)), "{words:?}");
    }
}

#[test]
fn no_command_is_answered_with_the_help_text() {
    assert_eq!(parse_words(&[]), Err(UsageError::NoCommand { help: help() }));
    assert_eq!(parse_words(&["-i", "2"]), Err(UsageError::NoCommand { help: help() }));
    assert_eq!(parse([], &|_, _| Found::File), Err(UsageError::NoCommand { help: help() }));
}

#[test]
fn mistakes_are_said_in_words() {
    let shown: Vec<String> = [
        "--bogus node",
        "--bogus server.js",
        "--instance 3 node",
        "-z node",
        "--name",
        "--wait-ready=yes node",
        "server.js --port 3",
        "server.js --instnaces 3",
        "server.js 3000 -i 2",
        "start node server.js",
        "start",
        "start -i 3",
        "start -- server.js",
    ]
    .map(|line| {
        let error = error(line);
        let hint = error.hint().map_or(String::new(), |hint| format!("\n    {hint}"));
        format!("{line}\n    {error}{hint}")
    })
    .to_vec();
    insta::assert_snapshot!(shown.join("\n"), @"
    --bogus node
        unknown option `--bogus`
        `pmr-runtime --help` lists our own options; those of the app stand after its command
    --bogus server.js
        unknown option `--bogus`
        `pmr-runtime --help` lists our own options; those of the app stand after its command
    --instance 3 node
        unknown option `--instance`
        did you mean `--instances`?
    -z node
        unknown option `-z`
        `pmr-runtime --help` lists our own options; those of the app stand after its command
    --name
        `--name <NAME>` needs a value
    --wait-ready=yes node
        `--wait-ready` takes no value, found `yes`
    server.js --port 3
        unknown option `--port`
        put the app's own options after `--`, as in `-- --port`
    server.js --instnaces 3
        unknown option `--instnaces`
        did you mean `--instances`? put the app's own options after `--`, as in `-- --instnaces`
    server.js 3000 -i 2
        `3000` stands after the file `server.js`, where only our own options are accepted
        put the app's own words after `--`, as in `pmr-runtime server.js -- 3000`
    start node server.js
        `server.js` stands after the file `node`, where only our own options are accepted
        put the app's own words after `--`, as in `pmr-runtime start node -- server.js`, or leave out `start`
    start
        `start` needs a file or a program to run
        as in `pmr-runtime start server.js`
    start -i 3
        `start` needs a file or a program to run
        as in `pmr-runtime start server.js`
    start -- server.js
        `start` needs a file or a program to run
        as in `pmr-runtime start server.js`
    ");
}

#[test]
fn the_help_text_fits_a_screen() {
    let help = CommandLine::command().term_width(110).render_help().to_string();
    insta::assert_snapshot!(help, @r#"
    Runs your server on every core, in the foreground, as PID 1 or not

    Usage: pmr-runtime [OPTIONS] COMMAND [ARGS]...
           pmr-runtime [OPTIONS] FILE [OPTIONS] [-- ARGS...]
           pmr-runtime start [OPTIONS] FILE [OPTIONS] [-- ARGS...]
           pmr-runtime start [OPTIONS] [ecosystem.config.js|Procfile] [--only APP,APP] [--env NAME] [-m APP=N]

    Arguments:
      [COMMAND]...  What to run, with all its words; or a file, run by the interpreter for its extension

    Options:
      -i, --instances <N|N..M|max|auto>    Workers [env: PMR_INSTANCES] [default: WEB_CONCURRENCY, or auto]
      -n, --name <NAME>                    Name of the app in logs [env: PMR_NAME] [default: the script's]
          --drain-timeout <T>              Time for last answers [env: PMR_DRAIN_TIMEOUT] [default: 10s]
          --kill-timeout <T>               Time to stop before SIGKILL [env: PMR_KILL_TIMEOUT] [default: 25s]
          --kill-signal <SIGNAL>           Signal to stop with [env: PMR_KILL_SIGNAL] [default: as received]
          --pre-start <COMMAND>            What has to succeed before the first start [env: PMR_PRE_START]
          --no-autorestart                 Never replace a worker that ended [env: PMR_AUTORESTART=false]
      -c, --cron-restart <PATTERN>         When to reload [env: PMR_CRON_RESTART] [default: never]
          --max-restarts <N>               Unstable starts to give up at [env: PMR_MAX_RESTARTS] [default: 16]
          --min-uptime <T>                 A shorter run is unstable [env: PMR_MIN_UPTIME] [default: 1s]
          --restart-delay <T>              Fixed wait before restarts [env: PMR_RESTART_DELAY] [default: none]
          --exp-backoff-restart-delay <T>  Doubling wait [env: PMR_EXP_BACKOFF_RESTART_DELAY] [default: 100ms]
          --wait-ready                     Ready on the worker's own word [env: PMR_WAIT_READY=true]
          --listen-timeout <T>             Time to become ready [env: PMR_LISTEN_TIMEOUT] [default: 60s]
          --watchdog <T>                   Longest silence after WATCHDOG=1 [env: PMR_WATCHDOG] [default: off]
          --health <CHECK>                 What tells whether all is well [env: PMR_HEALTH] [default: none]
          --kill-stalled <T>               Replace what stalls so long [env: PMR_KILL_STALLED] [default: off]
          --max-memory-restart <SIZE>      Replace larger workers [env: PMR_MAX_MEMORY_RESTART] [default: none]
          --cwd <DIR>                      Directory to run in [env: PMR_CWD] [default: the current one]
          --uid <USER>                     User to run workers as [env: PMR_UID] [default: ours]
          --log-format <raw|text|json>     Form of the lines [env: PMR_LOG_FORMAT] [default: raw, text on a tty]
          --share <WAY>                    How workers share the port [env: PMR_SHARE] [default: auto]
          --balance <shared|even|sticky>   Who gets a new connection [env: PMR_BALANCE] [default: shared]
          --watch[=<PATHS>]                Reload when files change [env: PMR_WATCH] [default: false]
          --on-hup <reload|forward>        What SIGHUP does [env: PMR_ON_HUP] [default: reload]
          --standby <N>                    Workers kept in reserve [env: PMR_STANDBY] [default: 0]
          --reload-strategy <STRATEGY>     How to reload [env: PMR_RELOAD_STRATEGY] [default: rolling]
          --log-level <LEVEL>              How much we say [env: PMR_LOG_LEVEL] [default: info]
          --web[=<[ADDR:]PORT>]            Metrics, probes and API [env: PMR_WEB] [default: off]
      -h, --help                           Print help
      -V, --version                        Print version

    A flag goes before its variable. With neither WEB_CONCURRENCY nor PORT set, one worker runs.
    T is a time: 1600 (milliseconds), 1600ms, 5s, 2m or 1h; LEVEL error, warn, info, debug or trace;
    WAY auto, cluster, intercept, activation, reuseport or none; STRATEGY rolling or fleet; SIZE 300M or 1.5G;
    CHECK /path, http://:PORT/path, tcp or cmd:COMMAND (times: --health-interval, --health-timeout, ...).

    Examples:
      pmr-runtime node server.js --inspect       every word after COMMAND is the app's
      pmr-runtime server.js -i 4 -- --inspect    a FILE: the app's words stand after --
      web: pmr-runtime node server.js            in a Procfile
      ENTRYPOINT ["pmr-runtime"]                 in a Dockerfile, with CMD ["node", "server.js"]
    "#);
    assert!(help.lines().count() <= 54, "{} lines", help.lines().count());
    let narrow = CommandLine::command().term_width(100).render_help().to_string();
    assert!(narrow.lines().count() <= 70, "{} lines: {narrow}", narrow.lines().count());
}

#[test]
fn every_option_names_its_twin_and_takes_its_name_from_the_table() {
    let command = CommandLine::command();
    let flags: Vec<_> = command.get_arguments().filter(|arg| !arg.is_positional()).collect();
    for setting in setting::ALL {
        let flag = flags
            .iter()
            .find(|arg| Some(setting.flag) == arg.get_long().map(|long| format!("--{long}")).as_deref())
            .unwrap_or_else(|| panic!("{} is missing", setting.flag));
        let help = flag.get_help().unwrap().to_string();
        assert!(help.contains(&format!("[env: {}", setting.variable)), "{help}");
        assert!(!help.ends_with('.'), "{help}");
    }
    // pm2's words for the values of `--log-format`.
    let shortcuts = ["raw", "json", "formatted", "format"];
    let foreign = foreign::FOREIGN.iter().map(|foreign| foreign.long);
    let others: Vec<_> = foreign.chain(["no-daemon", "only", "env"]).chain(shortcuts).collect();
    let own = flags.iter().filter(|arg| arg.get_long().is_some_and(|long| !others.contains(&long)));
    assert_eq!(own.count(), setting::ALL.len());
    assert!(shortcuts.iter().all(|name| flags.iter().any(|flag| flag.get_long() == Some(name))));
}

#[test]
fn every_option_is_explained_in_the_docs_with_its_twin() {
    let docs = include_str!("../../../docs/configuration.md");
    for setting in setting::ALL {
        let row =
            docs.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{}", setting.flag)));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for `{}`", setting.flag));
        assert!(row.contains(&format!("`{}", setting.variable)), "{row}");
    }
    for flag in CommandLine::command().get_arguments().filter(|arg| !arg.is_positional()) {
        let long = flag.get_long().unwrap();
        if foreign::FOREIGN.iter().any(|foreign| foreign.long == long) {
            continue;
        }
        assert!(docs.contains(&format!("`--{long}")), "docs/configuration.md does not name `--{long}`");
    }
}

proptest! {
    #[test]
    fn no_words_make_it_panic_and_those_after_a_command_stay_as_they_are(
        before in proptest::collection::vec(prop_oneof![
            proptest::sample::select(&["-i", "--name", "--", "start", "--help", "-V", "--wait-ready", "server.js", "=", "-i="][..])
                .prop_map(|word| word.as_bytes().to_vec()),
            any::<Vec<u8>>(),
        ], 0..6),
        after: Vec<Vec<u8>>,
    ) {
        let words = |words: &[Vec<u8>]| words.iter().cloned().map(OsString::from_vec).collect::<Vec<_>>();
        let look = |_: Option<&Path>, file: &Path| {
            if file == Path::new("server.js") { Found::File } else { Found::Nothing }
        };
        let _ = parse(std::iter::once("pmr-runtime".into()).chain(words(&before)), &look);

        let argv = ["pmr-runtime".into(), "node".into()].into_iter().chain(words(&after));
        let Ok(Request::Run(invocation)) = parse(argv, &look) else { panic!("it is a command") };
        prop_assert_eq!(invocation.arguments, words(&after));
    }
}
