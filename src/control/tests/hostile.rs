//! Clients that hang, lie, flood or do not read, and those of other users.

use std::process::Command;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;

use super::client::{connect, get, raw};
use super::world::{World, run, run_at};
use crate::control::place::{Candidate, Place};

/// As many as hang in a test, more than have a place.
const CROWD: usize = 100;
/// So often the driver goes round while clients do their worst.
const TURNS: usize = 20_000;

/// The driver at full speed: an event a turn. Nothing that clients do may make it wait, so this ends.
async fn flood(world: &World) {
    for turn in 0..TURNS {
        world.driver.say("web");
        if turn % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_crowd_that_hangs_leaves_a_word_for_the_next() {
    run(async |world| {
        let mut crowd = Vec::new();
        for number in 0..CROWD {
            let mut stream = connect(&world.place);
            if number % 2 == 0 {
                // Those for whom there is no place may be gone already.
                let _refused = stream.write_all(b"POST /v1/apps HTTP/1.1\r\nContent-Le").await;
            }
            crowd.push(stream);
            tokio::task::yield_now().await;
        }
        let reply = get(&world.place, "/v1/ping").await;
        assert_eq!(reply.status, 503);
        assert!(reply.error().contains("64 other connections"), "{}", reply.error());
        flood(&world).await;
        drop(crowd);
        // Their places are free as soon as the server has seen that they are gone.
        while get(&world.place, "/v1/ping").await.status != 200 {}
    });
}

#[test]
fn who_reads_nothing_does_not_hold_up_the_driver() {
    run(async |world| {
        let mut deaf = Vec::new();
        for _ in 0..20 {
            let mut stream = connect(&world.place);
            stream.write_all(b"GET /v1/events?follow HTTP/1.1\r\n\r\n").await.unwrap();
            deaf.push(stream);
        }
        assert_eq!(get(&world.place, "/v1/ping").await.status, 200);
        flood(&world).await;
        assert_eq!(get(&world.place, "/v1/ping").await.status, 200);
        // Who begins to read again is told how much is missing.
        let mut text = String::new();
        while !text.contains("event: lost") {
            deaf[0].readable().await.unwrap();
            let mut buffer = [0; 64 * 1024];
            match deaf[0].try_read(&mut buffer) {
                Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Ok(_) => panic!("cut before it was told"),
                Err(_) => {}
            }
        }
    });
}

#[test]
fn nonsense_and_too_much_are_refused() {
    run(async |world| {
        assert_eq!(raw(&world.place, b"\x16\x03\x01 hello\r\n\r\n").await.status, 400);
        let long = format!("GET /v1/ping HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
        assert_eq!(raw(&world.place, long.as_bytes()).await.status, 431);
        let many = format!("GET /v1/ping HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
        assert_eq!(raw(&world.place, many.as_bytes()).await.status, 431);
        let large = "POST /v1/apps HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n{";
        assert!(raw(&world.place, large.as_bytes()).await.error().starts_with("413 too_large"));
        let body = " ".repeat(1 << 20) + "  ";
        let chunked = format!(
            "POST /v1/apps HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        assert_eq!(raw(&world.place, chunked.as_bytes()).await.status, 413);
        let deep = format!("[{}", "[".repeat(100_000));
        let nested = format!(
            "POST /v1/apps HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{deep}",
            deep.len()
        );
        assert_eq!(raw(&world.place, nested.as_bytes()).await.status, 400);
        assert_eq!(get(&world.place, "/v1/ping").await.status, 200);
    });
}

#[test]
fn who_vanishes_while_a_change_goes_on_is_forgotten() {
    run(async |world| {
        for _ in 0..CROWD {
            let mut stream = connect(&world.place);
            stream.write_all(b"POST /v1/apps/web/stop HTTP/1.1\r\n\r\n").await.unwrap();
            drop(stream);
            tokio::task::yield_now().await;
        }
        while get(&world.place, "/v1/ping").await.status != 200 {}
    });
}

/// What another user's client sees, or `None` where we cannot become another user.
async fn as_nobody(world: &World) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let place = match &world.place {
        Place::File(path) => path.display().to_string(),
        Place::Abstract(name) => format!("\0{name}"),
    };
    let script = "import os, socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        os.setgroups([]); os.setgid(65534); os.setuid(65534)\n\
        s.connect(os.environb[b'PLACE'].replace(b'@', b'\\0', 1))\n\
        s.sendall(b'GET /v1/apps HTTP/1.1\\r\\n\\r\\n')\n\
        sys.stdout.write(s.makefile().read())";
    let mut command = Command::new("python3");
    command.args(["-c", script]).env("PLACE", place.replace('\0', "@"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn another_user_is_refused_in_a_directory_that_was_opened_to_all() {
    run(async |world| {
        let Place::File(path) = &world.place else { panic!() };
        let open = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        open(world.directory.path(), 0o755);
        open(path.parent().unwrap(), 0o755);
        open(path, 0o666);
        let Some(text) = as_nobody(&world).await else { return };
        assert!(text.starts_with("HTTP/1.1 403 Forbidden"), "{text}");
        assert!(text.contains("65534") && !text.contains("web"), "{text}");
    });
}

#[test]
fn another_user_is_refused_in_the_abstract_namespace() {
    let name = format!("pmr-test-hostile-{}", std::process::id());
    run_at(Some(Candidate::Abstract(name)), async |world| {
        let world = Rc::new(world);
        let Some(text) = as_nobody(&world).await else { return };
        assert!(text.starts_with("HTTP/1.1 403 Forbidden"), "{text}");
    });
}
