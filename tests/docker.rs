//! The cluster in a real Docker engine: default seccomp profile, no root, no capability, nothing writable.
//!
//! The engine is private to this test (see `docker/engine.rs`) and the images are made here, from the Dockerfile and from
//! files of this machine, so nothing is fetched. Where no engine can be had, the tests say so and pass; under `CI=true`
//! with root they fail instead.

#[path = "docker/bases.rs"]
mod bases;
#[path = "docker/client.rs"]
mod client;
#[path = "docker/engine.rs"]
mod engine;
#[path = "docker/images.rs"]
mod images;
#[path = "docker/platforms.rs"]
mod platforms;
#[path = "support/ports.rs"]
mod ports;
#[path = "docker/wait.rs"]
mod wait;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use engine::{Container, Engine};
use images::{EXAMPLE_IMAGE, FIXTURE_IMAGE, RUNTIME_IMAGE};
use platforms::Architecture;
use wait::wait_until;

/// Long enough for a container to start on a machine with other things to do.
const START: Duration = Duration::from_secs(60);

/// Much longer than the slow request takes, much shorter than Docker would wait for the container.
const DRAIN: Duration = Duration::from_secs(40);

/// What a careful operator takes away from a container.
const HARDENED: [&str; 7] = [
    "--user=1000",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=512m",
    "--pids-limit=256",
    "--network=host",
];

/// Waits until `count` workers have answered on `port`; fails with the container's log if they do not.
#[track_caller]
fn expect_workers(container: &Container, port: u16, count: usize) {
    let mut pids = BTreeSet::new();
    wait_until(START, || {
        pids.extend(client::answering_pid(port));
        pids.len() >= count || container.inspect("{{.State.Running}}") == "false"
    });
    assert_eq!(pids.len(), count, "answered by {pids:?}; log:\n{}", container.logs());
}

/// Starts `image` hardened, with two workers on a free port.
fn run_hardened(engine: &Engine, image: &str, command: &[&str]) -> (Container, u16) {
    let port = ports::free_port();
    let port_setting = format!("--env=PORT={port}");
    let mut options = HARDENED.to_vec();
    options.extend(["--env=WEB_CONCURRENCY=2", "--health-interval=1s", &port_setting]);
    (engine.run(&options, image, command), port)
}

/// An example's image, with nothing but what its Dockerfile says.
#[track_caller]
fn expect_good_manners(engine: &Engine, image: &str) {
    assert_eq!(engine.docker(&["inspect", "--format", "{{.Config.User}}", image]), "1000");
    let (container, port) = run_hardened(engine, image, &[]);
    expect_workers(&container, port, 2);

    let healthy = wait_until(START, || container.inspect("{{.State.Health.Status}}") == "healthy");
    assert!(healthy, "health: {}", container.inspect("{{json .State.Health}}"));

    container.stop(DRAIN);
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "log:\n{}", container.logs());
}

#[test]
fn the_example_image_serves_from_two_workers_is_healthy_and_stops_with_status_0() {
    let Some(engine) = engine::shared() else { return };
    expect_good_manners(&engine, EXAMPLE_IMAGE);
}

#[test]
fn so_does_that_of_bun() {
    let Some(engine) = engine::shared() else { return };
    expect_good_manners(&engine, &images::make_example(&engine, "bun", bases::make_bun));
}

#[test]
fn so_does_that_of_python() {
    let Some(engine) = engine::shared() else { return };
    expect_good_manners(&engine, &images::make_example(&engine, "python", bases::make_python));
}

#[test]
fn pmr_operates_a_hardened_container_from_inside() {
    let Some(engine) = engine::shared() else { return };
    let (container, port) = run_hardened(&engine, EXAMPLE_IMAGE, &[]);
    expect_workers(&container, port, 2);

    let list = container.exec(&["pmr", "list"]);
    assert!(list.contains("2 of 2 instances online"), "{list}");
    let verdict = container.exec(&["pmr", "reload", "all"]);
    assert!(verdict.contains("reloaded, 2 instances, generation 2"), "{verdict}");
    expect_workers(&container, port, 2);
}

#[test]
fn docker_stop_takes_as_long_as_the_request_in_flight_which_is_answered() {
    let Some(engine) = engine::shared() else { return };
    let (container, port) = run_hardened(&engine, FIXTURE_IMAGE, &["node", "/app/server.js"]);
    expect_workers(&container, port, 2);

    let slow = thread::spawn(move || client::get(port, "/slow"));
    let begun = wait_until(START, || container.logs().contains("slow request begun"));
    assert!(begun, "the request never arrived; log:\n{}", container.logs());

    container.stop(DRAIN);
    let answer = slow.join().expect("the client does not panic");
    assert!(answer.as_ref().is_ok_and(|text| text.ends_with("slow request answered\n")), "got {answer:?}");
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "log:\n{}", container.logs());
}

#[test]
fn a_server_started_by_a_shell_is_a_cluster_too() {
    let Some(engine) = engine::shared() else { return };
    let (container, port) =
        run_hardened(&engine, FIXTURE_IMAGE, &["sh", "-c", "node /app/server.js; exit $?"]);
    expect_workers(&container, port, 2);

    container.stop(DRAIN);
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "log:\n{}", container.logs());
}

#[test]
fn the_runtime_image_holds_one_file_and_a_link_and_runs_there_as_runtime_and_as_worker() {
    let Some(engine) = engine::shared() else { return };
    assert_eq!(engine.files_of(RUNTIME_IMAGE), ["pmr", "pmr-runtime"]);

    let version = engine.docker(&["run", "--rm", "--network=none", RUNTIME_IMAGE, "--version"]);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "printed {version:?}");

    let label = "{{index .Config.Labels \"org.opencontainers.image.version\"}}";
    assert_eq!(engine.docker(&["inspect", "--format", label, RUNTIME_IMAGE]), env!("CARGO_PKG_VERSION"));

    // The only program in the image is the runtime, so it is its own worker here.
    let command = ["run", "--rm", "--network=none", "--user=1000", "--read-only", RUNTIME_IMAGE];
    let worker = [&command[..], &["--no-autorestart", "/pmr-runtime", "--version"]].concat();
    let printed = engine.docker(&worker);
    assert!(printed.contains(env!("CARGO_PKG_VERSION")), "printed {printed:?}");
}

/// What `cargo` was asked for, where `image` was made with a stand-in for it.
#[track_caller]
fn expect_compiled_for(engine: &Engine, image: &str, architecture: &Architecture) {
    let platform = engine.docker(&["inspect", "--format", "{{.Os}}/{{.Architecture}}", image]);
    assert_eq!(platform, format!("linux/{}", architecture.name));

    let asked = engine.read(image, "pmr-runtime");
    let triple = architecture.triple;
    assert!(asked.starts_with("build --release --locked "), "{image}: {asked}");
    assert!(asked.contains(&format!(" --target {triple} ")), "{image}: {asked}");
    let has_linker = asked.contains(&format!("target.{triple}.linker = '"));
    assert_eq!(has_linker, !architecture.is_here, "{image}: {asked}");
}

#[test]
fn buildkit_compiles_for_either_machine_on_this_one_and_emulates_neither() {
    let Some(engine) = engine::shared() else { return };
    for architecture in &platforms::ARCHITECTURES {
        expect_compiled_for(&engine, &platforms::make(&engine, architecture), architecture);
    }
}

#[test]
fn the_classic_builder_compiles_for_this_machine() {
    let Some(engine) = engine::shared() else { return };
    expect_compiled_for(&engine, &platforms::make_by_classic_builder(&engine), Architecture::here());
}
