//! Heroku's buildpacks: their scripts are run as the platform runs them, and what they make is started in a directory that
//! cannot be written to, by a user that no file knows, with the variables that a dyno has.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "heroku/platform.rs"]
mod platform;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use platform::{Build, Dyno, PROCFILE, pack};
use support::cluster::http_pids;
use support::ports::free_port;
use support::release::{PLATFORMS, said, succeed};
use support::runtime::Runtime;
use support::{http, processes, signals, words};

/// SIGTERM to every process of the dyno, twice.
fn shut_down(runtime: &Runtime) {
    for _ in 0..2 {
        for pid in runtime.processes() {
            processes::signal(pid, signals::TERM);
        }
    }
}

/// An answer that takes a while, being made.
fn ask_slowly(runtime: &Runtime, port: u16) -> std::thread::JoinHandle<std::io::Result<String>> {
    let client = std::thread::spawn(move || http::get(port, "/slow?ms=500"));
    runtime.stdout_line("begin pid=");
    client
}

#[test]
fn what_the_classic_buildpack_installs_runs_in_a_sealed_slug_as_nobody() {
    let (build, dyno) = (Build::new(), Dyno::new());
    let detected = succeed(build.script("detect").arg(build.path("app")));
    assert_eq!(said(&detected), "pmr-runtime\n");
    build.configure(&[("PMR_RUNTIME_URL", &build.url()), ("PMR_RUNTIME_SHA256", &build.sum())]);
    let compiled = build.compile();
    assert!(compiled.status.success(), "{}", said(&compiled));
    assert!(
        said(&compiled).contains(&format!("Installed pmr-runtime {}", env!("CARGO_PKG_VERSION"))),
        "{compiled:?}"
    );
    assert!(compiled.stderr.is_empty(), "nothing to complain of: {}", said(&compiled));
    assert_eq!(said(&succeed(build.script("release").arg(build.path("app")))), "--- {}\n");
    build.write("app/.profile.d/nodejs.sh", "export PATH=\"$PATH:$NODE_PLACE\"\n");
    build.seal();

    let port = free_port();
    // With the shell that stays between, as the platform's documents have it.
    let mut runtime = dyno.launch(&build, &format!("{PROCFILE}; exit $?"), port).spawn();
    runtime.until_ready(2);
    http_pids(&runtime, 2, port);
    let line = runtime.stderr_line(&["starting 2 instances"]);
    assert!(line.starts_with("pmr: "), "the platform stamps the time: {line}");
    let listed = dyno.exec(&build, "~/.pmr-runtime/bin/pmr list");
    assert!(listed.status.success() && said(&listed).contains("index"), "{}", said(&listed));

    let client = ask_slowly(&runtime, port);
    shut_down(&runtime);
    client.join().unwrap().unwrap();
    // That of the shell, which takes no care of its child.
    runtime.ends_with(143);
    let stderr = runtime.stderr.text();
    assert!(!words::ours(&stderr).iter().any(|line| line.contains("warning")), "{stderr}");
}

#[test]
fn without_a_shell_in_between_the_dyno_ends_with_status_0() {
    let (build, dyno) = (Build::new(), Dyno::new());
    build.configure(&[("PMR_RUNTIME_URL", &build.url())]);
    assert!(build.compile().status.success());
    build.write("app/.profile.d/nodejs.sh", "export PATH=\"$PATH:$NODE_PLACE\"\n");
    build.seal();
    let port = free_port();
    let mut runtime = dyno.launch(&build, &format!("exec {PROCFILE}"), port).spawn();
    runtime.until_ready(2);
    let client = ask_slowly(&runtime, port);
    shut_down(&runtime);
    client.join().unwrap().unwrap();
    runtime.ends_with(0);
}

#[test]
fn what_the_cloud_native_buildpack_installs_is_launched_from_its_layer() {
    let (build, dyno) = (Build::new(), Dyno::new());
    assert!(build.script("detect").args(["platform", "plan"]).status().unwrap().success());
    build.configure(&[("PMR_RUNTIME_URL", &build.url()), ("PMR_RUNTIME_SHA256", &build.sum())]);
    let built = build.build();
    assert!(built.status.success() && built.stderr.is_empty(), "{}", said(&built));
    let layer = fs::read_to_string(build.path("layers/pmr-runtime.toml")).unwrap();
    let layer: toml::Table = layer.parse().unwrap();
    assert_eq!(layer["types"]["launch"].as_bool(), Some(true));
    // The next build has the layer, and no file that says what it is for.
    fs::remove_file(build.path("layers/pmr-runtime.toml")).unwrap();
    build.configure(&[("PMR_RUNTIME_URL", "file:///gone")]);
    let again = build.build();
    assert!(again.status.success() && said(&again).contains("kept from the last build"), "{}", said(&again));
    assert!(build.path("layers/pmr-runtime.toml").exists());

    fs::create_dir(build.path("app/.profile.d")).unwrap();
    // As the launcher does with every layer's bin.
    let layer = build.path("layers/pmr-runtime/bin");
    build.write("app/.profile.d/launcher.sh", &format!("export PATH=\"{}:$NODE_PLACE\"\n", layer.display()));
    build.seal();
    let port = free_port();
    let mut runtime = dyno.launch(&build, &format!("exec {PROCFILE}"), port).spawn();
    runtime.until_ready(2);
    http_pids(&runtime, 2, port);
    runtime.stops();
}

#[test]
fn what_is_not_what_it_should_be_is_not_installed() {
    let build = Build::new();
    build.configure(&[("PMR_RUNTIME_URL", &build.url()), ("PMR_RUNTIME_SHA256", &"0".repeat(64))]);
    refused(&build, "is not what it should be");
    build.configure(&[("PMR_RUNTIME_SHA256", ""), ("PMR_RUNTIME_URL", "http://127.0.0.1:1/pmr-runtime")]);
    refused(&build, "could be anybody's");
    build.configure(&[("PMR_RUNTIME_URL", "HTTP://127.0.0.1:1/pmr-runtime")]);
    refused(&build, "could be anybody's");
    build.configure(&[("PMR_RUNTIME_URL", "file:///no/such/file")]);
    refused(&build, "Could not fetch file:///no/such/file");
    build.write("text", "no program");
    build.configure(&[("PMR_RUNTIME_URL", &format!("file://{}", build.path("text").display()))]);
    refused(&build, "does not run here");
    fs::remove_file(build.path("buildpack/release")).unwrap();
    build.configure(&[("PMR_RUNTIME_URL", "")]);
    refused(&build, "knows of no release");
}

/// Answers twice with the file: the first time it stops in the middle, and keeps the connection.
fn stalls_once(listener: &TcpListener, file: &[u8]) {
    let mut kept = Vec::new();
    for part in [&file[..file.len() / 2], file] {
        let (mut connection, _) = listener.accept().unwrap();
        let _some_of_the_request = connection.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(part).unwrap();
        kept.push(connection);
    }
}

/// A `curl` that loses patience after a second, where it is told of patience at all, and waits no longer than a minute.
const HASTY: &str = r#"#!/bin/bash
for word; do
  if [ "$before" = --speed-time ]; then word=1; fi
  words+=("$word")
  before="$word"
done
exec timeout 60 /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin curl "${words[@]}"
"#;

#[test]
fn a_download_that_stands_still_is_begun_anew() {
    let build = Build::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/pmr-runtime", listener.local_addr().unwrap());
    let file = fs::read(build.url().trim_start_matches("file://")).unwrap();
    let server = std::thread::spawn(move || stalls_once(&listener, &file));
    build.configure(&[("PMR_RUNTIME_URL", &url), ("PMR_RUNTIME_SHA256", &build.sum())]);
    build.write("hasty", HASTY);
    fs::create_dir(build.path("bin")).unwrap();
    // By another process: who forks while we have it open for writing would keep it from being executed.
    succeed(Command::new("install").args(["-m", "755"]).arg(build.path("hasty")).arg(build.path("bin/curl")));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", build.path("bin").display());
    let compiled = build.compiling().env("PATH", path).output().unwrap();
    assert!(compiled.status.success(), "{}", said(&compiled));
    server.join().unwrap();
}

#[track_caller]
fn refused(build: &Build, why: &str) {
    let output = build.compile();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{}", said(&output));
    assert!(!build.path("app/.profile.d").exists());
}

#[test]
fn the_file_that_was_fetched_is_kept_for_the_next_build_as_long_as_it_is_the_right_one() {
    let build = Build::new();
    build.configure(&[("PMR_RUNTIME_URL", &build.url()), ("PMR_RUNTIME_SHA256", &build.sum())]);
    assert!(said(&build.compile()).contains("Fetching"));
    assert!(said(&build.compile()).contains("kept from the last build"));
    fs::write(build.path("cache/pmr-runtime/pmr-runtime"), "broken").unwrap();
    let third = build.compile();
    assert!(third.status.success() && said(&third).contains("Fetching"), "{}", said(&third));
}

#[test]
fn a_procfile_that_does_not_use_it_is_told_of() {
    let build = Build::new();
    build.configure(&[("PMR_RUNTIME_URL", &build.url()), ("PMR_RUNTIME_SHA256", &build.sum())]);
    build.write("app/Procfile", "web: node index.js\n");
    assert!(said(&build.compile()).contains("web: pmr-runtime node index.js"));
}

#[test]
fn the_buildpack_is_packed_with_the_version_and_the_sums_of_its_release() {
    let build = Build::new();
    let release = fs::read_to_string(build.path("buildpack/release")).unwrap();
    assert!(release.contains(&format!("release_version={}\n", env!("CARGO_PKG_VERSION"))), "{release}");
    assert!(
        release.contains(&format!("release_{}={}\n", PLATFORMS.0.replace('-', "_"), build.sum())),
        "{release}"
    );
    let described = fs::read_to_string(build.path("buildpack/buildpack.toml")).unwrap();
    let described: toml::Table = described.parse().unwrap();
    assert_eq!(described["buildpack"]["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    pack(&build.path("again"));
    let [first, second] = ["release", "again"]
        .map(|directory| fs::read(build.path(directory).join("pmr-runtime-buildpack.tgz")).unwrap());
    assert!(first == second, "the same bytes each time");
}
