//! Another user is not answered.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::small;
use crate::support::ports::free_port;
use crate::support::processes;

/// Nobody's number.
const STRANGER: u32 = 65_534;

/// What Python, as another user, is told at `address`.
fn asked_by_a_stranger(address: &str) -> String {
    let script = "
import socket, sys
name = sys.argv[1]
client = socket.socket(socket.AF_UNIX)
try:
    client.connect('\\0' + name[1:] if name.startswith('@') else name)
    client.sendall(b'GET /v1/apps HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')
    while data := client.recv(65536): sys.stdout.buffer.write(data)
except OSError as error:
    print(type(error).__name__)
";
    // The tests' own Python may lie where another user cannot go.
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", script, address]).current_dir("/").uid(STRANGER).gid(STRANGER);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn make_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
}

#[test]
fn another_user_does_not_come_to_the_socket_and_is_refused_where_he_does() {
    if !processes::is_root() {
        return processes::say_not_shown("only root can become another user");
    }
    let mut runtime = small(free_port()).spawn();
    let control = runtime.control();
    let socket = control.socket().to_str().unwrap().to_owned();
    assert_eq!(asked_by_a_stranger(&socket).trim(), "PermissionError");
    // All doors open: the kernel still says who comes.
    for path in [runtime.home().to_owned(), runtime.home().join(".pmr"), PathBuf::from(&socket)] {
        make_open(&path);
    }
    let told = asked_by_a_stranger(&socket);
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("forbidden"), "{told}");
    assert_eq!(control.get("/v1/ping").status, 200);
    runtime.stops();
}

#[test]
fn another_user_is_refused_in_the_abstract_namespace() {
    if !processes::is_root() {
        return processes::say_not_shown("only root can become another user");
    }
    // A home that cannot be made: a file is in the way.
    let launch = small(free_port());
    std::fs::write(launch.home().join("file"), "").unwrap();
    let home = launch.home().join("file/home");
    let mut runtime = launch.env("PMR_HOME", home).spawn();
    runtime.until_ready(2);
    let name = runtime.until("the name", || abstract_name_of(runtime.pid()));
    let told = asked_by_a_stranger(&name);
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("forbidden"), "{told}");
    runtime.stops();
}

/// The abstract name that a process listens at, with its `@`.
fn abstract_name_of(pid: i32) -> Option<String> {
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    let mut names = sockets.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (inode, name) = (fields.nth(6)?, fields.next()?);
        name.starts_with("@pmr-").then(|| (format!("socket:[{inode}]"), name.to_owned()))
    });
    names.find_map(|(socket, name)| holds(pid, &socket).then_some(name))
}

fn holds(pid: i32, socket: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries
        .flatten()
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == Path::new(socket)))
}
