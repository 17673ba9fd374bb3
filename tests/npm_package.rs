//! The npm packages, as scripts/npm-pack makes them: installed by the package managers from a registry of the tests' own, and
//! used by the line of a Procfile.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "npm/app.rs"]
mod app;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use app::{App, pack, tarballs};
use support::fixtures::tool;
use support::http::get;
use support::launch::{Launch, binary};
use support::ports::free_port;
use support::release::{PLATFORMS, said, succeed};
use support::signals;
use support::terminal::{CTRL_C, Terminal};
use tempfile::TempDir;

/// What Ctrl-\\ sends to the terminal.
const CTRL_BACKSLASH: &[u8] = b"\x1c";

/// Who runs as this process.
fn executable(pid: i32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap()
}

#[track_caller]
fn assert_works(app: &App) {
    let port = free_port();
    let mut runtime = app.launch(&["node", "index.js"]).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let expected = format!("@pmr-runtime/{}/bin/pmr-runtime", PLATFORMS.0);
    assert!(executable(runtime.pid()).ends_with(&expected), "{:?}", executable(runtime.pid()));
    let both: BTreeSet<i32> = std::iter::once(runtime.pid()).chain(runtime.workers()).collect();
    assert_eq!(runtime.processes(), both, "nobody else is there");
    let answer = get(port, "/").unwrap();
    assert!(runtime.workers().iter().any(|worker| answer.contains(&format!("pid={worker}"))), "{answer}");
    runtime.stops();

    for (script, status) in [("exit 7", 7), ("kill -KILL $$", 137)] {
        app.launch(&["--no-autorestart", "sh", "-c", script]).spawn().ends_with(status);
    }
    let (status, said) = app.ends(&["node_modules/.bin/pmr", "--help"]);
    assert!(status == Some(0) && said.contains("Usage: pmr "), "{said}");
}

#[test]
fn npm_installs_it() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    assert_works(&app);
    let version = format!("pmr-runtime {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(app.ends(&["npx", "pmr-runtime", "--version"]), (Some(0), version));
    let there = app.path("node_modules/@pmr-runtime").join(PLATFORMS.1);
    assert!(!there.exists(), "the other machine's binary is not installed");
}

#[test]
fn pnpm_installs_it() {
    assert_works(&App::with_package(&["pnpm", "add", "pmr-runtime"]));
}

#[test]
fn yarn_installs_it() {
    assert_works(&App::with_package(&["yarn", "add", "pmr-runtime"]));
}

#[test]
fn bun_installs_it() {
    assert_works(&App::with_package(&["bun", "add", "pmr-runtime"]));
}

#[test]
fn npm_installs_it_for_all_users_and_for_a_workspace() {
    let app = App::new();
    succeed(&mut app.command(&["npm", "install", "--global", "--prefix", "everybody", "pmr-runtime"]));
    let (status, said) = app.ends(&["everybody/bin/pmr-runtime", "--version"]);
    assert_eq!(status, Some(0), "{said}");

    fs::create_dir_all(app.path("packages/web")).unwrap();
    app.write("package.json", r#"{"name": "all", "private": true, "workspaces": ["packages/*"]}"#);
    app.write(
        "packages/web/package.json",
        r#"{"name": "web", "version": "1.0.0", "dependencies": {"pmr-runtime": "*"}}"#,
    );
    succeed(&mut app.command(&["npm", "install"]));
    let (status, said) = app.ends(&["npm", "exec", "--workspace", "web", "--", "pmr-runtime", "--version"]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn pmr_speaks_to_the_runtime_of_the_same_package() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    let launch = app.launch(&["-i", "2", "--name", "shop", "node", "index.js"]).port(free_port());
    let mut runtime = launch.env("PMR_HOME", app.path("pmr")).spawn();
    runtime.until_ready(2);
    let (status, said) = app.ends(&["node_modules/.bin/pmr", "list"]);
    assert!(status == Some(0) && said.contains("shop"), "{said}");
    let (status, said) = app.ends(&["node_modules/.bin/pmr", "reload", "shop"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = app.ends(&["node_modules/.bin/pmr", "no-such-verb"]);
    assert!(status == Some(1), "it is no command to run: {said}");
    runtime.stops();
}

#[test]
fn started_by_node_it_still_becomes_the_runtime_or_stands_for_it() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    for (node, processes) in [("node18", 3), ("node20", 3), ("node22", 2), ("node24", 2)] {
        let port = free_port();
        // As Yarn's Plug'n'Play starts it, and as one does without a shell.
        for program in ["node_modules/.bin/pmr-runtime", "node_modules/pmr-runtime"] {
            let launch = Launch::new(["node", "index.js"]).binary(program).directory(app.directory.path());
            let mut runtime = launch.through([tool(node)]).port(port).workers(1).spawn();
            runtime.until_ready(1);
            assert_eq!(runtime.processes().len(), processes, "{node}");
            runtime.stops();
        }
    }
    let (status, said) = app.ends(&["node", "node_modules/.bin/pmr", "--help"]);
    assert!(status == Some(0) && said.contains("Usage: pmr "), "{said}");
    let (status, said) =
        app.ends(&["node", "node_modules/.bin/pmr-runtime", "--no-autorestart", "sh", "-c", "exit 7"]);
    assert_eq!(status, Some(7), "{said}");
}

#[test]
fn where_the_binary_is_not_installed_it_says_so_and_why() {
    let app = App::with_package(&["npm", "install", "--omit=optional", "pmr-runtime"]);
    for name in ["pmr-runtime", "pmr"] {
        let (status, said) = app.ends(&[&format!("node_modules/.bin/{name}"), "node", "index.js"]);
        assert_eq!(status, Some(127), "{said}");
        assert!(
            said.contains(&format!("@pmr-runtime/{}", PLATFORMS.0)) && said.contains("--omit=optional"),
            "{said}"
        );
    }
    // Without node either.
    let mut alone = Command::new("/bin/sh");
    let output = alone
        .arg(app.path("node_modules/.bin/pmr-runtime"))
        .env_clear()
        .env("PATH", app.path("home"))
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(127), "{}", said(&output));
    assert!(said(&output).contains("no node to say more"), "{}", said(&output));
}

#[test]
fn on_what_is_not_linux_the_command_is_run_by_itself() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    let port = free_port();
    let words = ["-i", "4", "--name=shop", "--kill-timeout", "5s", "node", "index.js"];
    let mut plain = app.on_a_mac(&words).port(port).spawn();
    plain.until("the server", || get(port, "/").ok());
    plain.stderr_line(&["this is macOS", "for Linux alone", ": node index.js"]);
    assert_eq!(plain.workers().len(), 1);
    plain.signal(signals::TERM);
    plain.ends_with(143);

    app.on_a_mac(&["--", "sh", "-c", "exit 7"]).spawn().ends_with(7);
    app.on_a_mac(&["no-such-program"]).spawn().ends_with(127);
    app.write("status.js", "process.exit(Number(process.argv[2]))");
    app.on_a_mac(&["start", "status.js", "-i", "max", "--", "9"]).spawn().ends_with(9);
}

/// Says what it got of each signal when it is asked to end, and ends when it is asked again.
const COUNTER: &str = "
    const got = { SIGINT: 0, SIGQUIT: 0, SIGHUP: 0 };
    for (const signal in got) process.on(signal, () => console.log(`${signal} ${++got[signal]}`));
    let asked = false;
    process.on('SIGTERM', () => {
      if (asked) process.exit(0);
      asked = true;
      console.log(`all ${Object.values(got)}.`);
    });
    setInterval(() => {}, 1000);
    console.log('counts');
";

#[test]
fn a_signal_of_the_terminal_is_not_sent_twice() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    app.write("counter.js", COUNTER);
    // Standard input is none of the terminal.
    let line = "exec node_modules/.bin/pmr-runtime \"$@\" < /dev/null";
    let launch = app.on_a_mac(&["-c", line, "sh", "node", "counter.js"]).binary("/bin/sh");
    let mut terminal = Terminal::spawn(launch);
    terminal.until_shows("counts");
    terminal.types(CTRL_C);
    terminal.until_shows("SIGINT 1");
    terminal.types(CTRL_BACKSLASH);
    terminal.until_shows("SIGQUIT 1");
    // As the kernel does when the terminal is closed: to the whole group.
    let group = format!("kill -HUP -{}", terminal.runtime.pid());
    succeed(Command::new("/bin/sh").args(["-c", &group]));
    terminal.until_shows("SIGHUP 1");
    terminal.runtime.signal(signals::TERM);
    assert_eq!(terminal.until_screen("all", counted), "1,1,1");
    terminal.runtime.signal(signals::TERM);
    terminal.runtime.ends_with(0);
}

/// What the program says that it got.
fn counted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("all ")?;
    Some(rest.split_once('.')?.0.to_owned())
}

#[test]
fn without_a_terminal_signals_are_handed_on() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    app.write("counter.js", COUNTER);
    let mut plain = app.on_a_mac(&["node", "counter.js"]).spawn();
    plain.stdout_line("counts");
    for (number, line) in
        [(signals::INT, "SIGINT 1"), (signals::QUIT, "SIGQUIT 1"), (signals::HUP, "SIGHUP 1")]
    {
        plain.signal(number);
        plain.stdout_line(line);
    }
    plain.signal(signals::TERM);
    plain.stdout_line("all 1,1,1.");
    plain.signal(signals::TERM);
    plain.ends_with(0);
}

#[test]
fn on_what_is_not_linux_help_and_version_are_answered() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    let version = format!("pmr-runtime {}", env!("CARGO_PKG_VERSION"));
    for (words, part) in [
        (&["--version"][..], version.as_str()),
        (&["-i", "2", "-V"], &version),
        (&["--help"], "Usage: pmr-runtime "),
        (&["start", "-h"], "https://github.com/"),
        (&["--as-pmr", "--help"], "Usage: pmr "),
        // Of the command, and the value of an option.
        (&["node", "--version"], "v"),
        (&["--name", "--help", "echo", "run"], "run"),
    ] {
        let mut plain = app.on_a_mac(words).spawn();
        plain.ends_with(0);
        let told = String::from_utf8(plain.final_stdout()).unwrap();
        assert!(
            told.starts_with(part) || part.starts_with("https:") && told.contains(part),
            "{words:?}: {told}"
        );
    }
}

#[test]
fn on_what_is_not_linux_the_rest_is_refused() {
    let app = App::with_package(&["npm", "install", "pmr-runtime"]);
    for (words, part, status) in [
        (&["list"][..], "there is no runtime", 1),
        (&["start", "ecosystem.config.js"], "`ecosystem.config.js` is not read", 1),
        (&["-i", "2"], "what to run is not said", 2),
    ] {
        let mut plain = app.on_a_mac(words).spawn();
        plain.ends_with(status);
        plain.stderr_line(&[part]);
    }
}

#[test]
fn a_binary_for_another_machine_is_not_packed() {
    let directory = TempDir::new().unwrap();
    let pair = format!("{}={}", PLATFORMS.1, binary().display());
    let output = pack(directory.path()).arg(pair).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no executable for"), "{output:?}");
}

#[test]
fn a_program_that_needs_a_c_library_is_not_packed() {
    let directory = TempDir::new().unwrap();
    let output = pack(directory.path()).arg(format!("{}={}", PLATFORMS.0, "/bin/sh")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("not linked statically"), "{output:?}");
}

#[test]
fn every_tarball_is_listed_and_none_runs_a_script_when_it_is_installed() {
    let names: Vec<_> = tarballs().iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let mut expected: Vec<_> =
        [PLATFORMS.0, PLATFORMS.1].iter().map(|of| format!("pmr-runtime-{of}-{version}.tgz")).collect();
    expected.push(format!("pmr-runtime-{version}.tgz"));
    assert_eq!(names, expected);
    for tarball in tarballs() {
        let manifest = succeed(Command::new("tar").arg("-xzOf").arg(tarball).arg("package/package.json"));
        assert!(!said(&manifest).contains("\"scripts\""), "{}", said(&manifest));
    }
}
