//! Reading what /proc tells of a worker: its memory, its descriptors, its kind of sockets.
//!
//! Everything here may fail at any moment, because the process may end at any moment; `None` then.
#![expect(unsafe_code, reason = "getxattr(2) and pidfd_open(2) have no safe wrapper in nix")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::process::Pid;

/// What kind of socket a descriptor is, as the kernel names its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// TCP, and MPTCP, which Go's servers use by default.
    Stream,
    UnixStream,
    /// UDP, netlink, packet sockets and whatever else.
    Other,
}

/// Reads `length` bytes at `address` of the process.
#[must_use]
pub fn memory(pid: Pid, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, address).ok()?;
    Some(bytes)
}

/// Reads an `int` at `address` of the process.
#[must_use]
pub fn int(pid: Pid, address: u64) -> Option<i32> {
    Some(i32::from_ne_bytes(memory(pid, address, 4)?.try_into().ok()?))
}

/// The kind of socket behind a descriptor; `None` when it is none.
#[must_use]
pub fn socket_kind(pid: Pid, fd: RawFd) -> Option<SocketKind> {
    let path = CString::new(format!("/proc/{pid}/fd/{fd}")).ok()?;
    let mut name = [0_u8; 32];
    // SAFETY: both strings end in NUL and outlive the call, which writes at most the given number of bytes.
    let length = unsafe {
        libc::getxattr(path.as_ptr(), c"system.sockprotoname".as_ptr(), name.as_mut_ptr().cast(), name.len())
    };
    let name = name.get(..usize::try_from(length).ok()?)?;
    Some(match name.strip_suffix(b"\0").unwrap_or(name) {
        b"TCP" | b"TCPv6" | b"MPTCP" | b"MPTCPv6" => SocketKind::Stream,
        b"UNIX-STREAM" | b"UNIX" => SocketKind::UnixStream,
        _ => SocketKind::Other,
    })
}

/// The inode of the socket behind a descriptor. It names the socket among all of this network stack.
#[must_use]
pub fn socket_inode(pid: Pid, fd: RawFd) -> Option<u64> {
    let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    parse_socket_link(target.to_str()?)
}

fn parse_socket_link(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The sockets of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sockets {
    /// The inodes of all that it has open.
    Open(Vec<u64>),
    /// We may not see them, or it has ended.
    Unknown,
}

/// The sockets that the process has open.
#[must_use]
pub fn sockets(pid: Pid) -> Sockets {
    sockets_in(Path::new(&format!("/proc/{pid}/fd")))
}

/// The same of a directory of descriptors.
#[must_use]
pub fn sockets_in(directory: &Path) -> Sockets {
    let Ok(entries) = fs::read_dir(directory) else { return Sockets::Unknown };
    let mut inodes = Vec::new();
    for entry in entries.flatten() {
        match fs::read_link(entry.path()) {
            Ok(target) => inodes.extend(target.to_str().and_then(parse_socket_link)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Sockets::Unknown,
            // It was closed meanwhile.
            Err(_) => {}
        }
    }
    Sockets::Open(inodes)
}

/// Whether the process has the socket `inode` open, under any descriptor but `except`.
#[must_use]
pub fn holds_socket(pid: Pid, inode: u64, except: Option<RawFd>) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let except = except.map(|fd| fd.to_string());
    entries
        .flatten()
        .filter(|entry| except.is_none() || entry.file_name().to_str() != except.as_deref())
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.to_str().and_then(parse_socket_link) == Some(inode))
}

/// The open flags of a descriptor (O_NONBLOCK, O_CLOEXEC, …).
#[must_use]
pub fn descriptor_flags(pid: Pid, fd: RawFd) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    let octal = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(octal.trim(), 8).ok()
}

/// Whether the kernel keeps the process closed to us: it runs as another user, or with rights that we do not have, and we
/// are without CAP_SYS_PTRACE.
#[must_use]
pub fn is_closed_to_us(pid: Pid) -> bool {
    // Its directory of descriptors may be listed all the same, but no link of its may be followed.
    fs::read_link(format!("/proc/{pid}/cwd"))
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The file creation mask of the process.
#[must_use]
pub fn umask(pid: Pid) -> Option<u32> {
    u32::from_str_radix(&status_field(pid, "Umask:")?, 8).ok()
}

/// The user in whose name the process acts.
#[must_use]
pub fn effective_user(pid: Pid) -> Option<u32> {
    // The real one comes first.
    status_field(pid, "Uid:")?.split_whitespace().nth(1)?.parse().ok()
}

/// The process a thread belongs to.
#[must_use]
pub fn process_of(thread: Pid) -> Option<Pid> {
    if leads_its_process(thread) {
        return Some(thread);
    }
    status_field(thread, "Tgid:")?.parse().ok().filter(|pid| *pid > 0).map(Pid::new)
}

/// The directory that relative paths of the process start from.
#[must_use]
pub fn working_directory(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Whether paths mean the same to the process as to us: same root directory, same mount namespace.
#[must_use]
pub fn sees_our_files(pid: Pid) -> bool {
    has_in_common(pid, "root") && has_in_common(pid, "ns/mnt")
}

/// Whether the addresses of internet and abstract sockets mean the same to the process as to us: same network namespace.
#[must_use]
pub fn shares_our_network(pid: Pid) -> bool {
    has_in_common(pid, "ns/net")
}

fn has_in_common(pid: Pid, what: &str) -> bool {
    let theirs = fs::read_link(format!("/proc/{pid}/{what}")).ok();
    theirs.is_some() && theirs == fs::read_link(format!("/proc/self/{what}")).ok()
}

/// Only such threads are given a pidfd where nothing else is asked for (pidfd_open(2), Linux 5.3). That takes the kernel far less than to
/// write the status, while a program waits for us, and it is mostly its first thread that binds. `false` also where the call cannot be had.
fn leads_its_process(thread: Pid) -> bool {
    // SAFETY: pidfd_open(2) takes plain integers.
    let opened = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, thread.as_raw(), 0) });
    // SAFETY: the descriptor was just made for us and is owned by nobody else.
    opened.map(|descriptor| drop(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) })).is_ok()
}

fn status_field(pid: Pid, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;

    fn me() -> Pid {
        Pid::new(std::process::id() as i32)
    }

    #[test]
    fn sockets_are_told_apart_by_their_protocol() {
        let directory = tempfile::tempdir().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(directory.path().join("s")).unwrap();
        let file = File::open("/dev/null").unwrap();
        assert_eq!(socket_kind(me(), tcp.as_raw_fd()), Some(SocketKind::Stream));
        assert_eq!(socket_kind(me(), udp.as_raw_fd()), Some(SocketKind::Other));
        assert_eq!(socket_kind(me(), unix.as_raw_fd()), Some(SocketKind::UnixStream));
        assert_eq!(socket_kind(me(), file.as_raw_fd()), None);
    }

    #[test]
    fn a_socket_held_twice_is_found_under_its_other_descriptor() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = socket_inode(me(), socket.as_raw_fd()).unwrap();
        assert!(!holds_socket(me(), inode, Some(socket.as_raw_fd())));
        let twin = socket.try_clone().unwrap();
        assert!(holds_socket(me(), inode, Some(socket.as_raw_fd())));
        assert!(holds_socket(me(), inode, Some(twin.as_raw_fd())));
    }

    #[test]
    fn flags_and_memory_of_a_process_can_be_read() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let flags = descriptor_flags(me(), socket.as_raw_fd()).unwrap();
        assert_ne!(flags & libc::O_NONBLOCK, 0);
        assert_ne!(flags & libc::O_CLOEXEC, 0);
        let value = 0x1234_5678_i32;
        assert_eq!(int(me(), (&raw const value) as u64), Some(value));
        assert_eq!(int(me(), 8), None);
    }

    #[test]
    fn the_sockets_of_a_process_are_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let Sockets::Open(inodes) = sockets(me()) else { panic!("we may see our own") };
        assert!(inodes.contains(&socket_inode(me(), socket.as_raw_fd()).unwrap()));
        assert_eq!(sockets(Pid::new(i32::MAX)), Sockets::Unknown);
    }

    #[test]
    fn we_see_our_own_files() {
        assert!(sees_our_files(me()));
        assert!(shares_our_network(me()));
        assert!(!is_closed_to_us(me()));
        assert_eq!(process_of(me()), Some(me()));
    }

    #[test]
    fn a_thread_is_known_by_its_process() {
        let in_thread = || {
            let thread = Pid::new(nix::unistd::gettid().as_raw());
            (thread, process_of(thread))
        };
        let (thread, process) = std::thread::spawn(in_thread).join().unwrap();
        assert_ne!(thread, me());
        assert_eq!(process, Some(me()));
    }
}
