//! `pmr logs` and `pmr flush`, and the files of a runtime in the background.

use std::os::unix::fs::PermissionsExt;

use super::home::Home;
use crate::support::wait;

/// `web` with two instances, each of which has said a word and a sigh.
#[track_caller]
fn talking() -> Home {
    let home = Home::with_web(2);
    home.pmr(0, &["signal", "USR2", "web"]);
    wait::until("what both say", || {
        let logs = last(&home, &["web"]);
        ["a word of 0", "a word of 1", "a sigh of 0", "a sigh of 1"]
            .iter()
            .all(|part| logs.contains(part))
            .then_some(())
    });
    home
}

/// `pmr logs WORDS --nostream`.
#[track_caller]
fn last(home: &Home, words: &[&str]) -> String {
    let mut all = vec!["logs", "--nostream"];
    all.extend(words);
    home.pmr(0, &all)
}

#[test]
fn the_last_lines_are_shown_in_every_way() {
    let home = talking();
    let plain = last(&home, &["web"]);
    for line in ["0|web      | it listens", "1|web      | a word of 1", "0|web      | a sigh of 0"] {
        assert!(plain.lines().any(|found| found == line), "no `{line}` in\n{plain}");
    }
    assert!(!plain.contains("pmr  "), "of the app alone: {plain}");
    assert!(
        last(&home, &[]).contains("pmr        | worker ready app=web"),
        "and of the runtime without a target"
    );
    let of_one = last(&home, &["1"]);
    assert!(of_one.contains("a word of 1") && !of_one.contains("0|web"), "{of_one}");
    assert_eq!(last(&home, &["web", "--lines", "1"]).lines().count(), 1);
    assert_eq!(last(&home, &["web", "--lines", "0"]), "");
    let raw = last(&home, &["web", "--raw", "--out"]);
    assert!(raw.lines().any(|line| line == "a word of 0") && !raw.contains("sigh"), "{raw}");
    let sighs = last(&home, &["web", "--raw", "--err"]);
    assert!(sighs.lines().any(|line| line == "a sigh of 1") && !sighs.contains("word"), "{sighs}");
    let marked = last(&home, &["web", "--raw", "--highlight", "word"]);
    assert!(marked.contains("a >>word<< of 0"), "{marked}");
    home.pmr(0, &["kill"]);
}

#[test]
fn lines_have_their_time_and_a_form_for_programs() {
    let home = talking();
    let json = last(&home, &["web", "--json"]);
    let line = json.lines().find(|line| line.contains("a sigh of 1")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["app"], &line["id"], &line["stream"]), (&"web".into(), &1.into(), &"err".into()));
    assert_eq!((&line["text"], &line["pid"]), (&"a sigh of 1".into(), &home.pids("web")[1].into()));
    assert!(line["at_ms"].as_u64().unwrap() > 1_600_000_000_000);
    let times = last(&home, &["web", "--timestamp"]);
    let digits = |line: &str| {
        line.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).take(19).collect::<String>()
    };
    assert!(times.lines().all(|line| digits(line) == "9999-99-99T99:99:99"), "{times}");
    let short = last(&home, &["web", "--timestamp", "HH:mm:ss"]);
    assert!(short.lines().all(|line| digits(line).starts_with("99:99:99 9|web ")), "{short}");
    home.pmr(0, &["kill"]);
}

#[test]
fn lines_that_come_are_shown_after_the_last_ones() {
    let home = talking();
    let mut all = home.follow(&["logs"]);
    let mut web = home.follow(&["logs", "web", "--raw", "--lines", "3"]);
    let mut one = home.follow(&["logs", "1", "--json", "--err"]);
    all.until_shows("it listens");
    web.until_shows("\n");
    one.until_shows("a sigh of 1");
    home.pmr(0, &["start", "server.js", "--name", "late"]);
    home.pmr(0, &["scale", "late", "+1"]);
    home.pmr(0, &["signal", "USR2", "web"]);
    let twice = |text: &str| (text.matches("a sigh of 1").count() == 2).then_some(());
    assert!(one.out.wait(wait::DEADLINE, twice).is_some(), "{}", one.out.tail());
    all.until_shows("2|late     | it listens");
    all.until_shows("3|late     | it listens");
    let came = |text: &str| {
        (text.matches("a word of").count() + text.matches("a sigh of").count() >= 7).then_some(())
    };
    assert!(web.out.wait(wait::DEADLINE, came).is_some(), "{}", web.out.tail());
    assert!(!one.out.text().contains("word") && !one.out.text().contains("\"id\":0"), "{}", one.out.text());
    assert!(!web.out.text().contains("it listens"), "of `late`, or more than 3: {}", web.out.text());
    assert_eq!(web.end(), 143);
    home.pmr(0, &["kill"]);
    assert_eq!((all.status(), one.status()), (0, 0));
    assert_eq!(all.err.text(), "the runtime has ended\n");
}

#[test]
fn the_first_app_of_an_empty_runtime_is_followed_too() {
    let home = Home::with_web(1);
    home.pmr(0, &["delete", "web"]);
    let mut all = home.follow(&["logs"]);
    all.until_shows("worker ready app=web");
    home.pmr(0, &["start", "server.js", "--name", "late"]);
    all.until_shows("1|late     | it listens");
    home.pmr(0, &["kill"]);
    assert_eq!(all.status(), 0);
}

#[test]
fn lines_of_a_runtime_in_the_foreground_are_shown_too() {
    let home = Home::new();
    let mut runtime = home.foreground(&["server.js", "--name", "web"]);
    assert_eq!(last(&home, &["web", "--raw"]), "it listens\n");
    assert!(home.pmr(0, &["flush"]).starts_with("✓ web: "));
    assert_eq!(last(&home, &["web", "--raw"]), "", "forgotten, though there is no file");
    assert_eq!(runtime.stdout.text(), "it listens\n");
    home.pmr(0, &["kill"]);
    runtime.ends_with(0);
}

#[test]
fn files_are_written_on_after_a_restart_and_emptied_by_flush() {
    let home = talking();
    let mode = |name: &str| {
        let metadata = std::fs::metadata(home.of_runtime().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    let modes = ["logs/web-out.log", "logs/web-error.log", "logs/pmr.log", "logs", "."].map(mode);
    assert_eq!(modes, [0o640, 0o640, 0o600, 0o700, 0o700]);
    let listens = |home: &Home| home.read("logs/web-out.log").matches("it listens\n").count();
    assert_eq!(listens(&home), 2);
    home.pmr(0, &["restart", "web"]);
    wait::until("the new workers' lines in the file", || (listens(&home) == 4).then_some(()));
    assert!(home.read("logs/web-error.log").contains("a sigh of 1\n"));
    home.pmr(0, &["start", "server.js", "--name", "api"]);
    assert_eq!(home.pmr(0, &["flush", "web"]), "✓ web: flushed its logs\n");
    wait::until("empty files", || {
        let both = home.read("logs/web-out.log") + &home.read("logs/web-error.log");
        both.is_empty().then_some(())
    });
    assert_eq!(last(&home, &["web"]), "");
    assert!(last(&home, &["api"]).contains("it listens"), "only what was named");
    home.pmr(0, &["signal", "USR2", "0"]);
    wait::until("a line at the file's beginning", || {
        (home.read("logs/web-out.log") == "a word of 0\n").then_some(())
    });
    home.pmr(0, &["flush"]);
    wait::until("the end of the others' lines", || last(&home, &["api"]).is_empty().then_some(()));
    // A stop and a start later it is still the same file, of which nothing is lost.
    home.pmr(0, &["kill"]);
    home.pmr(0, &["start", "server.js", "--name", "api"]);
    home.pmr(0, &["kill"]);
    home.pmr(0, &["start", "server.js", "--name", "api"]);
    wait::until("the lines of both", || {
        (home.read("logs/api-out.log") == "it listens\nit listens\n").then_some(())
    });
    assert!(home.read("logs/pmr.log").contains("worker ready app=api"));
    home.pmr(0, &["kill"]);
}

#[test]
fn a_file_that_has_grown_large_is_put_aside() {
    let home = Home::new();
    home.write(
        "flood.js",
        "const line = 'x'.repeat(999) + '\\n'; for (let n = 0; n < 12000; n++) process.stdout.write(line);\
         console.log('that is all'); setInterval(() => {}, 1000);",
    );
    home.pmr(0, &["start", "flood.js", "--name", "flood"]);
    wait::until("the last line", || home.read("logs/flood-out.log").ends_with("that is all\n").then_some(()));
    let lines = |name: &str| home.read(name).lines().count();
    assert_eq!(lines("logs/flood-out.log") + lines("logs/flood-out.log.1"), 12001, "no line is lost");
    assert!(lines("logs/flood-out.log") < 12000 / 2);
    home.pmr(0, &["kill"]);
}
