//! Init mode (`--no-autorestart`, one instance): the app behaves as if it had been started without us.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};

use support::fixtures::compiled;
use support::launch::Launch;
use support::words;

/// `pmr-runtime -i 1 --no-autorestart worker WORDS...`
fn init<S: AsRef<OsStr>>(rest: impl IntoIterator<Item = S>) -> Launch {
    let mut all: Vec<OsString> = ["-i", "1", "--no-autorestart"].iter().map(OsString::from).collect();
    all.push(compiled("worker").into());
    all.extend(rest.into_iter().map(|word| word.as_ref().to_owned()));
    Launch::new(all)
}

/// Runs `job` for each number of `range`, two at a time.
fn in_parallel(range: std::ops::Range<i32>, job: impl Fn(i32) + Sync) {
    let next = AtomicI32::new(range.start);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= range.end {
                        return;
                    }
                    job(number);
                }
            });
        }
    });
}

#[test]
fn every_exit_code_is_passed_on() {
    in_parallel(0..256, |code| init(["exit", &code.to_string()]).spawn().ends_with(code));
}

#[test]
fn a_death_by_signal_is_128_and_its_number() {
    // Those whose default action ends a process, and the real-time signals.
    let deadly =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 50, 64];
    in_parallel(0..i32::try_from(deadly.len()).unwrap(), |index| {
        let number = deadly[usize::try_from(index).unwrap()];
        init(["die", &number.to_string()]).spawn().ends_with(128 + number);
    });
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    for command in ["./no-such-program", "no-such-program", "/no/such/program"] {
        let mut runtime = Launch::new(["--no-autorestart", command]).spawn();
        runtime.ends_with(127);
        assert!(runtime.stderr.text().contains(command), "{}", runtime.tails());
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126() {
    let launch = Launch::new(["--no-autorestart", "./plain"]);
    std::fs::write(launch.home().join("plain"), "no program").unwrap();
    let mut runtime = launch.spawn();
    runtime.ends_with(126);
    assert!(runtime.stderr.text().contains("./plain"), "{}", runtime.tails());

    let mut runtime = Launch::new(["--no-autorestart", "/"]).spawn();
    runtime.ends_with(126);
}

#[test]
fn it_ends_at_once_though_a_grandchild_holds_the_outputs() {
    let mut runtime = init(["grandchild", "7"]).may_leave_processes().spawn();
    runtime.ends_with(7);
    assert!(!runtime.processes().is_empty(), "the grandchild was to live on: this test shows nothing");
}

#[test]
fn input_goes_to_the_app() {
    let mut runtime = init(["cat"]).stdin_piped().spawn();
    let mut stdin = runtime.take_stdin();
    let input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    stdin.write_all(&input).unwrap();
    drop(stdin);
    let output = runtime.final_stdout();
    assert!(output == input, "{} bytes of {} came back", output.len(), input.len());
    runtime.ends_with(0);
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let arguments: [&[u8]; 7] =
        [b"", b"two words", b"--help", b"-i", b"caf\xc3\xa9 \xff\xfe", b"$HOME * 'q' \"d\"", b"line\nbreak"];
    let words =
        std::iter::once(OsStr::new("args")).chain(arguments.iter().map(|bytes| OsStr::from_bytes(bytes)));
    let mut runtime = init(words).spawn();
    let output = String::from_utf8(runtime.final_stdout()).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected: String = arguments.iter().map(|bytes| format!("arg {}\n", hex(bytes))).collect();
    assert_eq!(output, expected + "end\n");
    runtime.ends_with(0);
}

/// The variables that the documentation promises to a worker.
const DOCUMENTED: [&str; 7] =
    ["PORT", "PMR_INSTANCE", "NODE_APP_INSTANCE", "name", "pm_id", "PMR_APP", "PMR_GENERATION"];

fn environment_of(output: &[u8]) -> BTreeMap<OsString, OsString> {
    let entries = output.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    let split = entries.map(|entry| {
        let equals = entry.iter().position(|&byte| byte == b'=').unwrap();
        (OsString::from_vec(entry[..equals].to_vec()), OsString::from_vec(entry[equals + 1..].to_vec()))
    });
    split.collect()
}

#[test]
fn the_environment_is_as_given_plus_what_is_documented() {
    let launch = init(["env"]).port(4999).env("WEB_CONCURRENCY", "").env("lower", "x").env("EMPTY", "");
    let launch = launch.env("BYTES", OsStr::from_bytes(b"\xff\xfe")).env("NODE_OPTIONS", "--no-warnings");
    let given: BTreeMap<OsString, OsString> = launch.environment().iter().cloned().collect();
    let mut runtime = launch.spawn();
    let seen = environment_of(&runtime.final_stdout());
    for (name, value) in &given {
        assert_eq!(seen.get(name), Some(value), "{name:?}");
    }
    let added: Vec<&str> =
        seen.keys().filter(|name| !given.contains_key(*name)).map(|name| name.to_str().unwrap()).collect();
    for name in &added {
        assert!(DOCUMENTED.contains(name), "{name} is added but not documented");
    }
    for name in DOCUMENTED {
        assert!(seen.contains_key(OsStr::new(name)), "{name} is documented but not there: {added:?}");
    }
    assert_eq!(seen[OsStr::new("PMR_INSTANCE")], "0");
    assert_eq!(seen[OsStr::new("NODE_APP_INSTANCE")], "0");
    runtime.ends_with(0);
}

#[test]
fn one_instance_gets_web_concurrency_as_given() {
    let mut runtime = init(["env"]).env("WEB_CONCURRENCY", "1").spawn();
    let seen = environment_of(&runtime.final_stdout());
    assert_eq!(seen[OsStr::new("WEB_CONCURRENCY")], "1");
    runtime.ends_with(0);

    let mut words: Vec<OsString> = vec!["-i".into(), "1".into(), "--no-autorestart".into()];
    words.extend([compiled("worker").into(), "env".into()]);
    let mut runtime = Launch::new(words).env("WEB_CONCURRENCY", "5").spawn();
    let seen = environment_of(&runtime.final_stdout());
    assert_eq!(seen[OsStr::new("WEB_CONCURRENCY")], "5");
    runtime.ends_with(0);
}

#[test]
fn the_working_directory_is_kept_and_cwd_changes_it() {
    let launch = init(["cwd"]);
    let home = launch.home().canonicalize().unwrap();
    let mut runtime = launch.spawn();
    assert_eq!(String::from_utf8(runtime.final_stdout()).unwrap(), format!("cwd {}\n", home.display()));

    let mut words: Vec<OsString> = vec!["--cwd".into(), "/usr".into(), "--no-autorestart".into()];
    words.extend([compiled("worker").into(), "cwd".into()]);
    let mut runtime = Launch::new(words).spawn();
    assert_eq!(String::from_utf8(runtime.final_stdout()).unwrap(), "cwd /usr\n");
}

#[test]
fn home_may_be_unset_or_the_root() {
    init(["exit", "9"]).without_env("HOME").spawn().ends_with(9);
    init(["exit", "9"]).env("HOME", "/").spawn().ends_with(9);
}

#[test]
fn descriptors_closed_at_the_start_are_no_obstacle() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script = format!("exec \"$0\" \"$@\" {closed}");
        let mut runtime = init(["exit", "9"]).through(["sh", "-c", &script]).spawn();
        let status = runtime.wait();
        assert_eq!(status, 9, "with {closed}\n{}", runtime.tails());
    }
}

#[test]
fn an_inherited_ignored_sigchld_does_not_hang_us() {
    init(["exit", "9"]).through(["env", "--ignore-signal=CHLD"]).spawn().ends_with(9);
}

/// The bits of signals 32 and 33: the C library's posix_spawn, by which the tests start the runtime, ignores them, and
/// its own functions cannot change that.
const C_LIBRARYS: u64 = 0b11 << 31;

#[test]
fn the_app_starts_with_a_clean_signal_mask_and_dispositions() {
    let inherited = ["env", "--block-signal=TERM,USR1,CHLD", "--ignore-signal=HUP,USR2,PIPE,CHLD"];
    let mut runtime = init(["status"]).through(inherited).spawn();
    let output = String::from_utf8(runtime.final_stdout()).unwrap();
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = output.lines().find(|line| line.starts_with(field)).unwrap();
        let mask = u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap();
        assert_eq!(mask & !C_LIBRARYS, 0, "{line}");
    }
    runtime.ends_with(0);
}

/// The numbers of the descriptors that the worker told of.
fn descriptors(output: &str) -> Vec<&str> {
    output.lines().filter_map(|line| line.strip_prefix("fd ")?.split(' ').next()).collect()
}

#[test]
fn no_descriptor_of_ours_leaks_into_the_app() {
    // Whoever runs the tests may have left some open to them: those are not ours.
    let direct = Command::new(compiled("worker")).arg("fds").output().unwrap();
    let direct = String::from_utf8(direct.stdout).unwrap();
    let without_us = descriptors(&direct);
    for share in ["auto", "none", "intercept"] {
        let mut words: Vec<OsString> = vec!["--share".into(), share.into(), "--no-autorestart".into()];
        words.extend([compiled("worker").into(), "fds".into()]);
        let mut runtime = Launch::new(words).port(4998).env("WEB_CONCURRENCY", "1").spawn();
        let output = String::from_utf8(runtime.final_stdout()).unwrap();
        assert_eq!(descriptors(&output), without_us, "--share {share}: {output}");
        runtime.ends_with(0);
    }
}

#[test]
fn the_app_leads_a_process_group_of_its_own() {
    let mut runtime = init(["ids"]).spawn();
    let output = String::from_utf8(runtime.final_stdout()).unwrap();
    let pid = words::field(&output, "pid").unwrap();
    assert_eq!(words::field(&output, "pgid"), Some(pid), "{output}");
}

#[test]
fn with_several_instances_input_is_empty() {
    let mut words: Vec<OsString> = vec!["-i".into(), "2".into(), "--no-autorestart".into()];
    words.extend([compiled("worker").into(), "cat".into()]);
    let mut runtime = Launch::new(words).stdin_piped().spawn();
    // Kept open: only /dev/null lets both end.
    let stdin = runtime.take_stdin();
    runtime.ends_with(0);
    drop(stdin);
}

#[test]
fn a_script_is_run_by_its_extension() {
    let launch = Launch::new(["--no-autorestart", "job.py"]);
    std::fs::write(launch.home().join("job.py"), "print('from python'); raise SystemExit(5)").unwrap();
    let mut runtime = launch.spawn();
    assert_eq!(String::from_utf8(runtime.final_stdout()).unwrap(), "from python\n");
    runtime.ends_with(5);
}

/// A node script that does not serve must end, though it runs where PORT is set.
#[test]
fn a_one_shot_node_script_ends() {
    let launch = Launch::new(["--no-autorestart", "node", "job.js"]);
    std::fs::write(launch.home().join("job.js"), "console.log('done'); process.exitCode = 4;").unwrap();
    let mut runtime = launch.spawn();
    assert_eq!(String::from_utf8(runtime.final_stdout()).unwrap(), "done\n");
    runtime.ends_with(4);
}
