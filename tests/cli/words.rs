//! Which words are verbs, and what is said of those that are not.

use super::home::{Home, outputs};
use crate::support::launch::Launch;
use crate::support::processes;

#[test]
fn without_a_runtime_there_is_a_word_of_what_to_do() {
    let home = Home::new();
    for words in [
        ["list"].as_slice(),
        &["jlist"],
        &["show", "web"],
        &["logs"],
        &["monit"],
        &["stop", "web"],
        &["restart", "web"],
        &["reload", "web"],
        &["delete", "web"],
        &["scale", "web", "2"],
        &["signal", "USR2", "web"],
        &["reset", "web"],
        &["flush"],
        &["env", "web"],
        &["id", "web"],
        &["pid"],
        &["ping"],
        &["events"],
        &["kill"],
        &["save"],
        &["update"],
        &["report"],
    ] {
        let told = home.pmr(1, words);
        assert!(told.starts_with("error: no runtime is running"), "{words:?}: {told}");
        assert!(told.contains("hint: `pmr start server.js` begins one"), "{words:?}: {told}");
    }
    assert!(home.pmr(0, &["version"]).ends_with("runtime not running\n"));
    let told = home.pmr(1, &["resurrect"]);
    assert!(told.contains("nothing has been saved") && told.contains("`pmr save`"), "{told}");
    assert_eq!(home.processes(), 0, "nothing was begun");
}

#[test]
fn an_unknown_verb_gets_a_suggestion() {
    let home = Home::new();
    assert!(home.pmr(1, &["relaod", "web"]).contains("did you mean `pmr reload`?"));
    assert!(home.pmr(1, &["server.js"]).contains("did you mean `pmr start server.js`?"));
    assert!(home.pmr(1, &["xyzzy"]).contains("`pmr --help` lists the verbs"));
    assert!(home.pmr(1, &["link"]).contains("pm2's paid service"));
}

#[test]
fn an_unknown_app_gets_a_suggestion_from_every_verb_that_takes_one() {
    let home = Home::with_web(1);
    for words in [
        ["stop", "wbe"].as_slice(),
        &["restart", "wbe"],
        &["reload", "wbe"],
        &["delete", "wbe"],
        &["scale", "wbe", "2"],
        &["signal", "USR2", "wbe"],
        &["reset", "wbe"],
        &["flush", "wbe"],
        &["show", "wbe"],
        &["logs", "wbe"],
        &["logs", "wbe", "--nostream"],
        &["env", "wbe"],
        &["id", "wbe"],
        &["pid", "wbe"],
    ] {
        let told = home.pmr(1, words);
        let expected = "error: there is no app, instance or namespace `wbe`\nhint: did you mean `web`?\n";
        assert_eq!(told, expected, "{words:?}");
    }
    assert!(home.pmr(1, &["stop", "xyzzy"]).contains("hint: `pmr list` shows what there is"));
    home.pmr(0, &["kill"]);
}

#[test]
fn wrong_words_are_told_with_status_2() {
    let home = Home::with_web(1);
    for (words, part) in [
        (["stop"].as_slice(), "`TARGET` is missing"),
        (&["list", "--sort", "size"], "`size` cannot be used for `--sort`"),
        (&["logs", "--lines", "many"], "`many` cannot be used for `--lines`"),
        (&["reload", "web", "--parallel", "0"], "found `0`, accepted: a number from 1"),
        (&["scale", "web", "many"], "found `many`, accepted: a number from 1"),
        (&["scale", "web"], "is missing"),
        (&["signal", "NOPE", "web"], "found `NOPE`, accepted: a signal such as `USR2`"),
        (&["stop", "/(/"], "is no regular expression"),
        (&["logs", "--raw", "--json"], "`--raw` cannot be used together with `--json`"),
        (&["completion", "tcsh"], "`tcsh` cannot be used"),
    ] {
        let told = home.pmr(2, words);
        assert!(told.starts_with("error: ") && told.contains(part), "{words:?}: {told}");
        assert_eq!(told.matches(part).count(), 1, "{words:?} says it twice: {told}");
    }
    home.pmr(0, &["kill"]);
}

#[test]
fn every_verb_is_one_of_pmr_runtime_as_well() {
    let home = Home::new();
    let call = |status, words: &[&str]| {
        outputs(&home.command("pmr-runtime", words).output().unwrap(), status, words)
    };
    let (_, told) = call(2, &["env", "A=1", "node", "x.js"]);
    assert!(told.contains("pmr-runtime -- env A=1 node x.js"), "{told}");
    call(0, &["start", "--daemon", "server.js", "--name", "web"]);
    assert!(call(0, &["list"]).0.contains("│ web "));
    assert_eq!(call(0, &["id", "web"]).0, "0\n");
    assert!(call(0, &["reload", "web"]).0.starts_with("✓ web: reloaded"));
    assert!(call(0, &["kill"]).0.starts_with("✓ "));
}

#[test]
fn a_program_that_is_called_like_a_verb_is_run_after_two_dashes() {
    let words = ["--no-autorestart", "--", "env", "A=1", "sh", "-c", "echo A is $A"];
    let mut runtime = Launch::new(words).spawn();
    assert_eq!(String::from_utf8(runtime.final_stdout()).unwrap(), "A is 1\n");
    runtime.ends_with(0);
}

#[test]
fn help_is_there_for_all_and_for_each() {
    let home = Home::new();
    let all = home.pmr(0, &[]);
    assert!(all.contains("Verbs:") && all == home.pmr(0, &["--help"]), "{all}");
    let one = home.pmr(0, &["help", "reload"]);
    assert!(one.contains("--parallel") && one == home.pmr(0, &["reload", "--help"]), "{one}");
}

/// The script that the executable prints under this name.
#[track_caller]
fn completion(home: &Home, name: &str, shell: &str) -> String {
    let words = ["completion", shell];
    outputs(&home.command(name, &words).output().unwrap(), 0, &words).0
}

#[test]
fn what_completes_words_is_understood_by_its_shell() {
    let home = Home::new();
    let mut seen = 0;
    let scripts = ["bash", "zsh", "fish"].into_iter().flat_map(|shell| {
        [(shell, "pmr", "prettylist", "parallel"), (shell, "pmr-runtime", "kill-timeout", "health-retries")]
    });
    for (shell, name, one, other) in scripts {
        let script = completion(&home, name, shell);
        assert!(script.contains(one) && script.contains(other), "{shell}: {script}");
        home.write("script", &script);
        // Only read, not carried out.
        let read = std::process::Command::new(shell).arg("-n").arg(home.path().join("script")).output();
        match read {
            Ok(output) => {
                assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
                seen += 1;
            }
            Err(_) => processes::say_not_shown(&format!("there is no {shell} to read the script")),
        }
    }
    assert!(seen > 0, "not even bash is here");
}

#[test]
fn bash_completes_verbs_and_options() {
    let home = Home::new();
    for (name, word, completed) in
        [("pmr", "pretty", "prettylist"), ("pmr-runtime", "--health-ret", "--health-retries")]
    {
        home.write("script", &completion(&home, name, "bash"));
        // The name of the function is the script's affair.
        let ask = format!(
            "source ./script; function=$(complete -p {name}); function=${{function##*-F }}; COMP_WORDS=({name} {word}); \
             COMP_CWORD=1; ${{function%% *}} {name} {word} {name}; echo \"${{COMPREPLY[@]}}\""
        );
        let bash =
            std::process::Command::new("bash").args(["-c", &ask]).current_dir(home.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), completed, "{bash:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let home = Home::with_web(2);
    let mut child = home.command("pmr", &["logs"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    home.pmr(0, &["signal", "USR2", "web"]);
    let status = crate::support::wait::until("the end of `pmr logs`", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    home.pmr(0, &["kill"]);
}
