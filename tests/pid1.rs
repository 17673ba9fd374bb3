//! As process 1 of a namespace: every orphan reaped, every signal passed on once, nothing needed around us.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use support::cluster::http_pids;
use support::fixtures::{compiled, fixture};
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::runtime::Runtime;
use support::{processes, signals, wait, words};

fn init<S: AsRef<OsStr>>(rest: impl IntoIterator<Item = S>) -> Launch {
    let mut all: Vec<OsString> = vec!["--no-autorestart".into(), compiled("worker").into()];
    all.extend(rest.into_iter().map(|word| word.as_ref().to_owned()));
    Launch::new(all)
}

#[test]
fn ten_thousand_orphans_leave_no_zombie() {
    let runtime = init(["orphans", "10000"]).process_one().spawn();
    runtime.stdout_line("orphans made");
    runtime.until("the last zombie's end", || (processes::zombies(runtime.pid()) == 0).then_some(()));
    runtime.signal(signals::TERM);
}

#[test]
fn as_a_subreaper_it_adopts_orphans_too() {
    let runtime = init(["adopted", "200"]).spawn();
    let adopted = format!("adopted by={}\n", runtime.pid());
    runtime.until_stdout("200 adopted orphans", |text| (text.matches(&adopted).count() == 200).then_some(()));
    runtime.until("the last zombie's end", || (processes::zombies(runtime.pid()) == 0).then_some(()));
    assert!(!runtime.stdout.text().replace(&adopted, "").contains("adopted"), "{}", runtime.tails());
}

/// The signals that mean a fault in the process that gets them: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS. Ours if we get one.
const FAULTS: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

/// Every signal that is passed on. KILL and STOP cannot be caught, CHLD is the kernel's word to us, 32 and 33 belong
/// to the C library.
fn forwarded_signals() -> impl Iterator<Item = i32> {
    let ours = [signals::KILL, signals::STOP, signals::CHLD, 32, 33];
    (1..=64).filter(move |number| !ours.contains(number) && !FAULTS.contains(number))
}

/// Sends each signal and requires that it arrived exactly once, also after all the others.
fn each_signal_arrives_once(runtime: &Runtime) {
    runtime.stdout_line("ready");
    for number in forwarded_signals() {
        runtime.signal(number);
        runtime.stdout_line(&format!("got {number} count=1 "));
    }
    // Anything sent twice would have been told before this one.
    runtime.signal(signals::USR1);
    runtime.stdout_line(&format!("got {} count=2 ", signals::USR1));
    let text = runtime.stdout.text();
    let told = text.lines().filter(|line| line.starts_with("got ")).count();
    assert_eq!(told, forwarded_signals().count() + 1, "{text}");
}

#[test]
fn each_signal_arrives_once_as_process_1() {
    each_signal_arrives_once(&init(["signals"]).process_one().spawn());
}

#[test]
fn each_signal_arrives_once_elsewhere() {
    each_signal_arrives_once(&init(["signals"]).spawn());
}

#[test]
fn signals_arrive_amid_a_storm_of_orphans() {
    let mut runtime = init(["storm"]).process_one().spawn();
    runtime.stdout_line("ready");
    for count in 1..=200 {
        runtime.signal(signals::USR1);
        runtime.stdout_line(&format!("got {} count={count} ", signals::USR1));
    }
    runtime.signal(signals::TERM);
    runtime.ends_with(0);
}

/// Whether the runtime would not miss SIGTERM any more. Before that the kernel drops it, for process 1 has no default
/// action: no program can do anything about those first moments.
fn hears_sigterm(pid: i32) -> bool {
    let is_ours = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == binary());
    let bit = 1_u64 << (signals::TERM - 1);
    let hears = |field| {
        let mask = processes::status_field(pid, field)?;
        Some(u64::from_str_radix(&mask, 16).ok()? & bit != 0)
    };
    is_ours && (hears("SigBlk") == Some(true) || hears("SigCgt") == Some(true))
}

#[test]
fn a_sigterm_in_the_first_milliseconds_is_not_lost() {
    for round in 0..100_u64 {
        let mut runtime = init(["sleep"]).process_one().spawn();
        wait::spin_until("the runtime to hear SIGTERM", || hears_sigterm(runtime.pid()));
        wait::vary(Duration::from_micros(round * 7919 % 5000));
        runtime.signal(signals::TERM);
        let status = runtime.wait();
        assert!([0, 128 + signals::TERM].contains(&status), "round {round}: {status}\n{}", runtime.tails());
    }
}

#[test]
fn a_sigterm_in_the_first_milliseconds_is_not_lost_elsewhere() {
    for round in 0..100_u64 {
        let mut runtime = init(["sleep"]).spawn();
        wait::vary(Duration::from_micros(round * 7919 % 8000));
        runtime.signal(signals::TERM);
        let status = runtime.wait();
        assert!([0, 128 + signals::TERM].contains(&status), "round {round}: {status}\n{}", runtime.tails());
    }
}

#[test]
fn a_cluster_serves_under_process_1() {
    let port = free_port();
    let command: [PathBuf; 2] = ["node".into(), fixture("node/server.js")];
    let mut runtime = Launch::new(command).port(port).workers(2).process_one().spawn();
    // The answers name pids of the namespace.
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn our_death_takes_the_workers_along() {
    let script = format!("{} sleep; true", compiled("worker").display());
    let commands: [Vec<OsString>; 2] =
        [vec![compiled("worker").into(), "sleep".into()], vec!["sh".into(), "-c".into(), script.into()]];
    for command in commands {
        let mut words: Vec<OsString> = vec!["-i".into(), "2".into()];
        words.extend(command);
        let mut runtime = Launch::new(words).spawn();
        runtime.until_stdout("two running workers", |text| {
            (text.matches("ready pid=").count() == 2).then_some(())
        });
        runtime.signal(signals::KILL);
        runtime.ends_with(128 + signals::KILL);
        // Dropping the runtime requires that nobody is left.
    }
}

#[test]
fn an_unknown_user_without_capabilities_can_run_it() {
    if !processes::is_root() {
        processes::say_not_shown("only root can become another user");
        return;
    }
    let wrapper = [
        "setpriv",
        "--reuid=65432",
        "--regid=65432",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ];
    let mut runtime = init(["ids"]).directory("/").without_env("HOME").through(wrapper).spawn();
    let output = String::from_utf8(runtime.final_stdout()).unwrap();
    assert_eq!(words::field(&output, "uid"), Some("65432"), "{output}");
    runtime.ends_with(0);
}

/// A root directory with the runtime, `program`, and empty directories: no shell, no library, nothing to write to.
fn bare_root(launch: &Launch, program: &str) -> PathBuf {
    let root = launch.home().join("root");
    for directory in ["proc", "dev"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy(binary(), root.join("pmr-runtime")).unwrap();
    std::fs::copy(compiled(program), root.join("app")).unwrap();
    for path in [launch.home(), &root] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    root
}

/// Enters `root`, mounted read-only, as an unknown user, and starts the runtime as process 1 there; `also` is a shell
/// command to be run before.
fn in_bare_root(arguments: &[&str], program: &str, also: &str) -> Option<Launch> {
    if !processes::is_root() {
        processes::say_not_shown("only root can enter another root directory");
        return None;
    }
    let launch = Launch::new(arguments).process_one().binary("/pmr-runtime").without_env("HOME");
    let root = bare_root(&launch, program);
    let script = format!(
        "cd {root} && mount --bind {root} {root} && cd {root} && {also} mount -o remount,ro,bind {root} && \
         exec chroot --userspec=65432:65432 {root} \"$0\" \"$@\"",
        root = root.display()
    );
    Some(launch.through(["sh", "-ec", &script]))
}

#[test]
fn it_runs_where_there_is_nothing_else() {
    let Some(launch) = in_bare_root(&["--no-autorestart", "/app", "exit", "9"], "worker", "") else { return };
    launch.spawn().ends_with(9);
}

#[test]
fn it_serves_where_there_is_nothing_else_but_proc_and_dev_null() {
    // What every container engine provides.
    let also = "mount -t proc proc proc && touch dev/null && mount --bind /dev/null dev/null &&";
    let port = free_port();
    let Some(launch) = in_bare_root(&["/app"], "blocking", also) else { return };
    let mut runtime = launch.port(port).workers(2).spawn();
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn a_configuration_file_is_evaluated_and_what_that_started_is_reaped() {
    let launch = Launch::new(["ecosystem.config.js"]).process_one();
    // A process of the file's own, which outlives the evaluation and becomes ours.
    let file =
        "require('child_process').spawn('sleep', ['0.2'], { detached: true, stdio: 'ignore' }).unref();
                module.exports = { apps: [{ name: 'web', script: 'app.js', kill_timeout: '5s' }] };";
    std::fs::write(launch.home().join("ecosystem.config.js"), file).unwrap();
    std::fs::write(
        launch.home().join("app.js"),
        "setInterval(() => {}, 1000); console.log('up ' + process.ppid);",
    )
    .unwrap();
    let directory = launch.home().to_owned();
    let mut runtime = launch.directory(directory).spawn();
    runtime.stdout_line("up 1");
    runtime.until("the end of all but the app", || (runtime.workers().len() == 1).then_some(()));
    runtime.until("the last zombie's end", || (processes::zombies(runtime.pid()) == 0).then_some(()));
    runtime.stops();
}
