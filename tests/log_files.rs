//! Log files that an app names itself, times before its lines, and files with process ids.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::path::{Path, PathBuf};

use support::fixtures::tool;
use support::launch::Launch;
use support::processes;
use support::runtime::Runtime;
use support::updates::{asked, order, update};

/// Says a word on each output whenever it gets SIGUSR2, and one at once.
const TALKER: &str = "const me = process.env.NODE_APP_INSTANCE; \
    const say = () => { console.log('word of ' + me); console.error('sigh of ' + me); }; \
    process.on('SIGUSR2', say); say(); setInterval(() => {}, 1000);";

fn talker(directory: &Path, options: &[&str]) -> Runtime {
    let script = directory.join("talker.js");
    std::fs::write(&script, TALKER).unwrap();
    let options = options.iter().map(PathBuf::from);
    Launch::new(options.chain([tool("node20"), script])).directory(directory).spawn()
}

fn until_file_holds(runtime: &Runtime, path: &Path, wanted: &[&str]) -> String {
    runtime.until(&format!("{wanted:?} in {}", path.display()), || {
        let text = std::fs::read_to_string(path).ok()?;
        wanted.iter().all(|part| text.contains(part)).then_some(text)
    })
}

#[test]
fn lines_go_to_files_and_to_our_output_over_updates_and_reloads() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let options =
        ["-i", "2", "--output", "logs/deep/out.log", "--error", "logs/err.log", "--log", "logs/all"];
    let mut runtime = talker(directory.path(), &options);
    for instance in ["0", "1"] {
        let (word, sigh) = (format!("word of {instance}"), format!("sigh of {instance}"));
        runtime.stdout_line(&word);
        runtime.stderr_line(&[&sigh]);
        assert_eq!(
            until_file_holds(&runtime, &path(&format!("logs/deep/out-{instance}.log")), &[&word]),
            word + "\n"
        );
        assert_eq!(
            until_file_holds(&runtime, &path(&format!("logs/err-{instance}.log")), &[&sigh]),
            sigh + "\n"
        );
    }
    until_file_holds(&runtime, &path("logs/all-1"), &["word of 1\n", "sigh of 1\n"]);
    let logs = asked(&runtime, "/v1/apps")[0]["logs"].clone();
    assert_eq!(logs["out"].as_str().unwrap(), path("logs/deep/out-ID.log").to_str().unwrap());
    update(&runtime);
    assert_eq!(order(&runtime, "/v1/apps/all/signal", r#"{"signal":"USR2"}"#)["ok"], true);
    until_file_holds(&runtime, &path("logs/all-0"), &["word of 0\n", "sigh of 0\n"]);
    let twice = |name: &str, line: &str| {
        runtime.until("the line again", || {
            let text = std::fs::read_to_string(path(name)).unwrap();
            (text.matches(line).count() == 2).then_some(())
        });
    };
    twice("logs/deep/out-0.log", "word of 0\n");
    twice("logs/all-1", "sigh of 1\n");
    assert_eq!(order(&runtime, "/v1/apps/all/flush", "{}")["ok"], true);
    assert_eq!(std::fs::read_to_string(path("logs/deep/out-0.log")).unwrap(), "");
    assert_eq!(order(&runtime, "/v1/apps/all/reload", "{}")["ok"], true);
    until_file_holds(&runtime, &path("logs/deep/out-0.log"), &["word of 0\n"]);
    runtime.stops();
}

#[test]
fn merged_files_json_and_times() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.log");
    let options = ["-i", "2", "--log", "all.log", "--merge-logs", "--log-date-format", "[at] YYYY-MM-DD"];
    let mut runtime = talker(directory.path(), &options);
    let text = until_file_holds(&runtime, &path, &["word of 0", "word of 1", "sigh of 0", "sigh of 1"]);
    assert!(text.lines().all(|line| line.starts_with("at 20") && line.contains(": ")), "{text}");
    assert!(runtime.stdout_line("word of 0").starts_with("at 20"));
    runtime.stops();

    let mut runtime =
        talker(directory.path(), &["--output", "json.log", "--error", "NULL", "--log-type", "json"]);
    let text = until_file_holds(&runtime, &directory.path().join("json.log"), &["word of 0"]);
    assert!(text.starts_with("{\"time\":\"") && text.ends_with("\"message\":\"word of 0\"}\n"), "{text}");
    assert!(runtime.stdout_line("word of 0").starts_with('{'));
    runtime.stops();
}

#[test]
fn with_logs_disabled_only_who_asks_sees_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut runtime = talker(directory.path(), &["--disable-logs", "--output", "out.log"]);
    runtime.until("the lines for who asks", || {
        let logs = asked(&runtime, "/v1/logs?lines=10").to_string();
        logs.contains("word of 0").then_some(())
    });
    update(&runtime);
    assert!(asked(&runtime, "/v1/logs?lines=10").to_string().contains("word of 0"));
    runtime.stops();
    assert!(!runtime.stdout.text().contains("word of"), "{}", runtime.tails());
    assert!(!directory.path().join("out.log").exists());
}

#[test]
fn process_ids_are_noted_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut runtime = talker(directory.path(), &["-i", "2", "--pid", "run/web.pid"]);
    let noted = |name: &str| std::fs::read_to_string(path(name)).ok()?.parse().ok();
    let first: i32 = runtime.until("a process id", || noted("run/web-1.pid"));
    assert!(runtime.workers().iter().any(|pid| *pid == first), "{first}");
    assert!(processes::is_alive(noted("run/web-0.pid").unwrap()));
    assert_eq!(order(&runtime, "/v1/apps/all/reload", "{}")["ok"], true);
    runtime.until("another id", || noted("run/web-1.pid").filter(|pid| *pid != first));
    update(&runtime);
    runtime.stops();
    assert!(!path("run/web-0.pid").exists() && !path("run/web-1.pid").exists());
}

#[test]
fn a_file_that_cannot_be_opened_costs_no_line_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let mut runtime = talker(directory.path(), &["--output", "/proc/none/out.log"]);
    runtime.stdout_line("word of 0");
    runtime.stderr_line(&["the log file `/proc/none/out.log` cannot be opened, and gets no lines"]);
    runtime.stops();
}

#[test]
fn a_single_process_that_is_not_restarted_writes_to_its_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.log");
    let options = ["-i", "1", "--no-autorestart", "--output"].map(PathBuf::from);
    let words = options.into_iter().chain([path.clone(), "echo".into(), "done".into()]);
    let mut runtime = Launch::new(words).spawn();
    runtime.ends_with(0);
    assert_eq!(runtime.stdout.text(), "done\n");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "done\n");
}
