//! Words and what comes of them; help; the page for users.

use std::ffi::OsString;

use super::args;
use super::error::VerbError;
use super::usage::{self, Read};
use super::words::{Called, Line};

const PAGE: &str = include_str!("../../../docs/cli.md");

fn read(called: Called, words: &str) -> Result<Read, VerbError> {
    let words = words.split_whitespace().map(OsString::from).collect();
    let is_file = |word: &str| word == "server.js";
    usage::read(args::grammar().term_width(100), &Line { called, words }, &is_file)
}

#[track_caller]
fn refused(called: Called, words: &str) -> (u8, String) {
    match read(called, words) {
        Err(error) => (error.status(), error.render()),
        Ok(_) => panic!("`{words}` is accepted"),
    }
}

#[track_caller]
fn text(words: &str) -> String {
    match read(Called::Pmr, words) {
        Ok(Read::Text(text)) => text,
        Ok(Read::Matches(_)) => panic!("`{words}` is no question for help"),
        Err(error) => panic!("{}", error.render()),
    }
}

#[track_caller]
fn accepted(words: &str) {
    assert!(matches!(read(Called::Pmr, words), Ok(Read::Matches(_))), "{words}");
}

#[test]
fn without_words_the_help_is_shown() {
    insta::assert_snapshot!(text(""), @"
    Talks to a running pmr-runtime, or begins one in the background

    Usage: pmr [OPTIONS] <VERB>

    Verbs:
      start       Adds an app, or starts one that was stopped; begins a runtime for it
      stop        Asks workers to end; the app stays in the list
      restart     Stops, then starts again; `reload` does so without a gap [alias: startOrRestart]
      reload      Replaces workers one by one by new ones, without a gap [alias: startOrReload]
      delete      Stops an app and forgets it [aliases: del, rm]
      scale       Sets how many instances an app has
      list        Shows all instances in a table [aliases: ls, l, status, ps]
      jlist       Shows all instances as JSON, in pm2's form
      prettylist  As `jlist`, indented
      show        Shows all that is known of an app [aliases: describe, desc, info]
      logs        Shows the last lines of logs, then those that come
      monit       Opens a dashboard in the terminal [aliases: dash, dashboard]
      signal      Sends a signal to the first process of each worker [alias: sendSignal]
      trigger     Calls an action that the app has registered, and prints what it answers
      send        Sends the app a message, for `process.on('message', …)`
      reset       Sets the counters of restarts to zero
      flush       Empties log files and forgets the lines that were kept
      env         Shows the environment of workers, without values that look secret
      id          Prints the numbers of an app's instances
      pid         Prints process ids, one a line: those of an app's workers, or of all
      ping        Asks whether the runtime answers
      events      Shows what happens, as it happens
      crashes     Shows the workers that died abnormally, or one of them with all that is known
      kill        Stops all apps and ends the runtime
      save        Writes down which apps there are, for `resurrect` [alias: dump]
      resurrect   Starts the apps that were saved
      startup     Installs a systemd unit that brings the saved apps back at boot
      unstartup   Removes what `startup` has installed
      version     Prints the versions of this program and of the runtime
      update      Puts a new executable into the place of the running one; workers go on
      snapshot    Writes all that is on the heap of a Node worker into a file
      profile     Writes a profile of a Node worker into a file: where its time goes, or its memory
      report      Prints what belongs into a report of a problem, without secrets; of a TARGET, Node's
                  own report
      validate    Checks a configuration file
      init        Writes an example of a configuration file [alias: ecosystem]
      completion  Prints a script that completes verbs and options in a shell
      help        Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR|SOCKET>  The runtime's home or its socket [env: PMR_HOME]
      -h, --help               Print help

    TARGET is the name of an app, the number of an instance, a namespace, `all`, or /a regular
    expression/.
    With start, stop, restart, reload and delete, a configuration file stands for its apps.
    `pmr help VERB` shows a verb's options and an example.

    Exit status: 0 done, 1 not done or unknown, 2 wrong words.
    ");
    assert_eq!(text("--help"), text(""));
}

#[test]
fn every_verb_has_help() {
    let verbs: Vec<String> =
        args::grammar().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let all: Vec<String> = verbs.iter().map(|verb| text(&format!("{verb} --help"))).collect();
    insta::assert_snapshot!("help", all.join("\n----\n\n"));
}

#[test]
fn pm2s_words_are_accepted() {
    for words in [
        "start server.js -i 4 --name web -- --flag",
        "start -i max -- node server.js --json",
        "start --json python3 app.py --home x",
        "stop web jobs",
        "restart all --update-env",
        "trigger web refresh",
        "trigger 0 add -1",
        "send 0 line",
        "restart -a web",
        "reload /^api/ --parallel all",
        "del 0",
        "rm web",
        "scale web -1",
        "scale web +2",
        "ls --sort memory:desc",
        "l",
        "ps",
        "status -w",
        "describe 3",
        "desc web",
        "info web",
        "logs web --lines 100 --err --timestamp",
        "logs --raw --nostream --highlight error",
        "dash",
        "dashboard",
        "sendSignal SIGUSR2 web",
        "flush",
        "dump",
        "completion bash",
        "--home /srv/a list",
        "list --home /srv/a",
    ] {
        accepted(words);
    }
}

#[test]
fn the_words_of_an_app_are_not_looked_into() {
    let Ok(Read::Matches(matches)) = read(Called::Pmr, "start --json node x.js --json --home y -- -v") else {
        panic!()
    };
    let (_, start) = matches.subcommand().unwrap();
    let words: Vec<_> = start.get_many::<OsString>("words").unwrap().collect();
    assert_eq!(words, ["node", "x.js", "--json", "--home", "y", "--", "-v"]);
}

#[test]
fn an_unknown_verb_gets_a_suggestion_and_status_1() {
    let mut told = String::new();
    for words in ["relod web", "server.js -i 2", "xyzzy"] {
        let (status, text) = refused(Called::Pmr, words);
        assert_eq!(status, 1, "{words}");
        told += &text;
    }
    insta::assert_snapshot!(told, @r"
    error: there is no verb `relod`
    hint: did you mean `pmr reload`?
    error: there is no verb `server.js`
    hint: did you mean `pmr start server.js`?
    error: there is no verb `xyzzy`
    hint: `pmr --help` lists the verbs
    ");
}

#[test]
fn wrong_words_are_a_usage_error_and_say_what_is_right() {
    let mut told = String::new();
    for words in [
        "reload",
        "reload web --paralel 2",
        "list --sort size",
        "list web",
        "scale web",
        "logs --lines many",
        "logs --raw --json",
        "list --sort",
        "start",
        "completion tcsh",
    ] {
        let (status, text) = refused(Called::Pmr, words);
        assert_eq!(status, 2, "{words}");
        told += &text;
        told += "\n";
    }
    insta::assert_snapshot!(told, @r"
    error: `TARGET` is missing
      usage: pmr reload <TARGET>...
    hint: `pmr reload --help` shows what is accepted

    error: unknown option `--paralel`
      usage: pmr reload --parallel <N|all> <TARGET>...
    hint: did you mean `--parallel`?

    error: `size` cannot be used for `--sort`: accepted: name, namespace, id, pid, memory, cpu, status, uptime or restarts, and behind it `:asc` or `:desc`
    hint: `pmr list --help` shows what is accepted

    error: `web` is one word too many
      usage: pmr list [OPTIONS]
    hint: `pmr list --help` shows what is accepted

    error: `N|+N|-N` is missing
      usage: pmr scale <APP> <N|+N|-N>
    hint: `pmr scale --help` shows what is accepted

    error: `many` cannot be used for `--lines`: accepted: a whole number
    hint: `pmr logs --help` shows what is accepted

    error: `--raw` cannot be used together with `--json`
      usage: pmr logs --raw [TARGET]
    hint: `pmr logs --help` shows what is accepted

    error: `--sort` needs a value
    hint: `pmr list --help` shows what is accepted

    error: `WORDS` is missing
      usage: pmr start [OPTIONS] FILE|PROGRAM [APP OPTIONS] [-- ARGS...]
           pmr start [OPTIONS] ecosystem.config.js [--only APP,APP] [--env NAME] [APP OPTIONS]
           pmr start [OPTIONS] Procfile [--formation APP=N,APP=N] [--env-file FILE] [APP OPTIONS]
           pmr start [OPTIONS] TARGET
    hint: `pmr start --help` shows what is accepted

    error: `tcsh` cannot be used for `bash|zsh|fish|elvish|powershell`
    hint: `pmr completion --help` shows what is accepted
    ");
}

#[test]
fn who_means_a_program_of_a_verbs_name_is_told_how_to_say_so() {
    let (status, text) = refused(Called::Runtime, "env A=1 node x.js");
    assert_eq!(status, 2);
    insta::assert_snapshot!(text, @r"
    error: `node` is one word too many
      usage: pmr env [OPTIONS] <TARGET>
    hint: `env` is a verb here; to run a program of that name, write `pmr-runtime -- env A=1 node x.js`
    ");
}

/// The part of the page under the heading of `verb`.
fn section(verb: &str) -> &'static str {
    let heading = format!("\n### `pmr {verb}");
    let at = PAGE.find(&heading).unwrap_or_else(|| panic!("docs/cli.md has no `### `pmr {verb}…``"));
    let rest = &PAGE[at + 1..];
    &rest[..rest.find("\n##").unwrap_or(rest.len())]
}

#[test]
fn the_page_has_every_verb_with_its_aliases_its_options_and_an_example() {
    let grammar = args::grammar();
    for verb in grammar.get_subcommands() {
        let name = verb.get_name();
        let section = section(name);
        assert!(section.contains(&format!("\n    pmr {name}")), "no example of `{name}`");
        for alias in verb.get_all_aliases() {
            assert!(section.contains(&format!("`{alias}`")), "no `{alias}` with `{name}`");
        }
        let hidden = |option: &&clap::Arg| option.is_hide_set() || option.is_global_set();
        for option in verb.get_arguments().filter(|option| !hidden(option)).filter_map(|it| it.get_long()) {
            let general = ["json", "verbose", "help"].contains(&option);
            assert!(general || section.contains(&format!("`--{option}")), "no `--{option}` with `{name}`");
        }
    }
}

#[test]
fn the_page_has_no_verb_that_is_not_there() {
    let verbs = args::verbs();
    for heading in PAGE.lines().filter_map(|line| line.strip_prefix("### `pmr ")) {
        let verb = heading.split([' ', '`']).next().unwrap();
        assert!(verbs.iter().any(|known| known == verb), "docs/cli.md: `{verb}`");
    }
}
