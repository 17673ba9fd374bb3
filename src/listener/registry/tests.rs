//! Sockets of the real kernel, on the loopback; the test itself plays the workers and the strangers.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr as UnixSocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};

use super::*;
use crate::sys::socket::{listen, tcp_queue};

const FIRST: InstanceId = InstanceId(0);

fn tcp(addr: &str) -> Address {
    Address::Tcp { addr: addr.parse().unwrap(), only_v6: OnlyV6::No, index: 0 }
}

fn any_port() -> Address {
    tcp("127.0.0.1:0")
}

fn ids(numbers: &[u32]) -> Vec<InstanceId> {
    numbers.iter().copied().map(InstanceId).collect()
}

impl Handed {
    fn port(&self) -> u16 {
        self.address.socket_addr().unwrap().port()
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).unwrap()
    }

    /// A worker's copy.
    fn copy(&self) -> OwnedFd {
        self.socket.try_clone().unwrap()
    }

    fn is_non_blocking(&self) -> bool {
        let flags = fcntl(&self.socket, FcntlArg::F_GETFL).unwrap();
        OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
    }
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not within ten seconds");
}

/// A listener of nobody's group, made by a process that knows nothing of us.
fn stranger(addr: &str, reuse_port: bool) -> Result<OwnedFd, Errno> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::ReusePort, &reuse_port)?;
    let addr: std::net::SocketAddrV4 = addr.parse().unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::from(addr))?;
    listen(&fd, 5)?;
    Ok(fd)
}

fn port_of(fd: &OwnedFd) -> u16 {
    TcpListener::from(fd.try_clone().unwrap()).local_addr().unwrap().port()
}

/// One listening socket for each of `instances`.
fn per_instance(instances: u32) -> (Listeners, Handed) {
    let mut listeners = Listeners::new(instances);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap();
    listeners.listen(handed.inode).unwrap();
    (listeners, handed)
}

fn waiting(listeners: &Listeners) -> Vec<u32> {
    listeners.addresses().iter().map(|status| status.waiting.unwrap()).collect()
}

/// Makes `count` connections, and waits until they stand in the queues.
fn connect_all(listeners: &Listeners, handed: &Handed, count: u32) -> Vec<TcpStream> {
    let before: u32 = waiting(listeners).iter().sum();
    let clients = (0..count).map(|_| handed.connect()).collect();
    eventually("connections in the queues", || waiting(listeners).iter().sum::<u32>() == before + count);
    clients
}

#[test]
fn all_instances_share_a_non_blocking_socket() {
    let mut listeners = Listeners::new(2);
    let one = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    let two = listeners.obtain(&any_port(), InstanceId(1), Blocking::No, None).unwrap();
    assert_eq!(one.inode, two.inode);
    let ours = listeners.by_inode(one.inode).unwrap();
    assert_eq!(ours, Ours { address: &one.address, instance: None });
    assert_ne!(one.port(), 0);
}

#[test]
fn each_instance_has_a_blocking_socket_of_its_own_on_the_same_port() {
    let mut listeners = Listeners::new(2);
    let one = listeners.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap();
    let two = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    let again = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    assert_ne!(one.inode, two.inode);
    assert_eq!(two.inode, again.inode);
    assert_eq!(one.port(), two.port());
    assert_eq!(listeners.by_inode(two.inode).unwrap().instance, Some(InstanceId(1)));
}

/// As asyncio does it: the socket blocks when it is bound, and does not any more when it listens.
fn obtain_for_asyncio(listeners: &mut Listeners, instance: u32) -> Handed {
    let handed = listeners.obtain(&any_port(), InstanceId(instance), Blocking::Yes, None).unwrap();
    TcpListener::from(handed.copy()).set_nonblocking(true).unwrap();
    handed
}

#[test]
fn those_who_do_not_block_any_more_when_they_listen_share_one_queue() {
    let mut listeners = Listeners::new(3);
    let [first, second] = [0, 1].map(|number| obtain_for_asyncio(&mut listeners, number));
    assert_ne!(first.inode, second.inode);
    assert!(listeners.instead_of(first.inode).is_none());
    listeners.listen(second.inode).unwrap();
    assert_eq!(listeners.by_inode(second.inode).unwrap().instance, None);
    assert_eq!(listeners.instead_of(first.inode).unwrap().inode, second.inode);
    assert!(listeners.instead_of(second.inode).is_none());
    let third = listeners.obtain(&any_port(), InstanceId(2), Blocking::Yes, None).unwrap();
    assert_eq!((third.inode, third.is_non_blocking()), (second.inode, true));

    // Whoever joins the group that the sockets were to be gets nothing.
    let theirs = stranger(&format!("127.0.0.1:{}", second.port()), true).unwrap();
    listeners.serve(&ids(&[0, 2]));
    let clients = connect_all(&listeners, &second, 40);
    assert_eq!(waiting(&listeners), [40]);
    assert_eq!(tcp_queue(&theirs).unwrap().unwrap().waiting, 0);
    drop(clients);
}

#[test]
fn nobody_shares_a_queue_where_connections_are_to_be_even() {
    let policy = BalancePolicy { way: crate::spec::Balance::Even, ..BalancePolicy::default() };
    let mut listeners = Listeners::new(2).balanced(policy);
    let [first, second] = [0, 1].map(|number| obtain_for_asyncio(&mut listeners, number));
    listeners.listen(second.inode).unwrap();
    assert!(listeners.instead_of(first.inode).is_none());
    assert_eq!(waiting(&listeners), [0, 0]);
}

#[test]
fn an_instance_beyond_the_number_gets_a_socket_too() {
    let (mut listeners, _handed) = per_instance(1);
    let handed = listeners.obtain(&any_port(), InstanceId(2), Blocking::Yes, None).unwrap();
    assert_eq!(listeners.by_inode(handed.inode).unwrap().instance, Some(InstanceId(2)));
    assert_eq!(waiting(&listeners), [0, 0, 0]);
}

#[test]
fn every_socket_is_closed_on_exec() {
    let directory = tempfile::tempdir().unwrap();
    let mut listeners = Listeners::new(1);
    let addresses = [
        any_port(),
        Address::Udp { addr: "127.0.0.1:0".parse().unwrap(), only_v6: OnlyV6::No, index: 0 },
        Address::Unix { path: directory.path().join("app.sock") },
    ];
    for address in addresses {
        let handed = listeners.obtain(&address, FIRST, Blocking::No, None).unwrap();
        let flags = FdFlag::from_bits_retain(fcntl(&handed.socket, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC), "{address}");
    }
}

#[test]
fn port_0_is_told_apart_by_its_index() {
    let mut listeners = Listeners::new(2);
    let indexed = |index| Address::Tcp { addr: "127.0.0.1:0".parse().unwrap(), only_v6: OnlyV6::No, index };
    let zero = listeners.obtain(&indexed(0), FIRST, Blocking::No, None).unwrap();
    let one = listeners.obtain(&indexed(1), FIRST, Blocking::No, None).unwrap();
    let zero_again = listeners.obtain(&indexed(0), InstanceId(1), Blocking::No, None).unwrap();
    assert_ne!(zero.port(), one.port());
    assert_eq!(zero.inode, zero_again.inode);
}

#[test]
fn a_port_that_somebody_has_is_in_use_whatever_the_spread_and_even_with_reuseport() {
    for reuse_port in [false, true] {
        let theirs = stranger("127.0.0.1:0", reuse_port).unwrap();
        let address = tcp(&format!("127.0.0.1:{}", port_of(&theirs)));
        for blocking in [Blocking::No, Blocking::Yes] {
            let error = Listeners::new(2).obtain(&address, FIRST, blocking, None).unwrap_err();
            assert_eq!(error.errno(), Errno::EADDRINUSE, "{reuse_port} {blocking:?}");
        }
    }
}

#[test]
fn nobody_can_join_a_shared_socket() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    listeners.listen(handed.inode).unwrap();
    let theirs = stranger(&format!("127.0.0.1:{}", handed.port()), true);
    assert_eq!(theirs.unwrap_err(), Errno::EADDRINUSE);
}

#[test]
fn a_port_lost_between_bind_and_listen_is_in_use() {
    for blocking in [Blocking::No, Blocking::Yes] {
        let mut listeners = Listeners::new(2);
        let handed = listeners.obtain(&any_port(), FIRST, blocking, None).unwrap();
        let theirs = stranger(&format!("127.0.0.1:{}", handed.port()), false).unwrap();
        let error = listeners.listen(handed.inode).unwrap_err();
        assert_eq!(error.errno(), Errno::EADDRINUSE, "{blocking:?}");
        drop(theirs);
        listeners.listen(handed.inode).unwrap();
    }
}

#[test]
fn a_socket_blocks_as_the_workers_own_does() {
    let mut listeners = Listeners::new(2);
    let mut obtain = |blocking| listeners.obtain(&any_port(), FIRST, blocking, None).unwrap();
    assert!(!obtain(Blocking::Yes).is_non_blocking());
    assert!(obtain(Blocking::No).is_non_blocking());
    assert!(!obtain(Blocking::Yes).is_non_blocking());
}

#[test]
fn what_the_app_made_of_the_blocking_after_its_bind_is_left_alone() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap();
    TcpListener::from(handed.copy()).set_nonblocking(true).unwrap();
    let again = listeners.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap();
    assert!(again.is_non_blocking());
}

#[test]
fn nothing_listens_before_a_worker_does() {
    for blocking in [Blocking::No, Blocking::Yes] {
        let mut listeners = Listeners::new(2);
        let handed = listeners.obtain(&any_port(), FIRST, blocking, None).unwrap();
        assert!(listeners.addresses().iter().all(|status| status.waiting.is_none()));
        assert!(TcpStream::connect(("127.0.0.1", handed.port())).is_err());
        assert_eq!(listeners.listen(handed.inode).unwrap(), handed.address);
        assert!(listeners.addresses().iter().all(|status| status.waiting == Some(0)), "{blocking:?}");
    }
}

#[test]
fn the_queue_is_as_long_as_the_kernel_accepts() {
    let (listeners, handed) = per_instance(2);
    let limit: u32 = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    assert_eq!(tcp_queue(&handed.socket).unwrap().unwrap().limit, limit);
    drop(listeners);
}

#[test]
fn a_socket_that_is_not_ours_cannot_be_made_to_listen() {
    let theirs = stranger("127.0.0.1:0", false).unwrap();
    let inode = nix::sys::stat::fstat(&theirs).unwrap().st_ino;
    let mut listeners = Listeners::new(1);
    assert_eq!(listeners.by_inode(inode), None);
    assert_eq!(listeners.listen(inode).unwrap_err(), ListenError::NotOurs { inode });
}

#[test]
fn connections_wait_while_nobody_accepts_and_the_next_worker_serves_them() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    drop(handed.copy());
    listeners.listen(handed.inode).unwrap();
    let mut clients = connect_all(&listeners, &handed, 3);
    assert_eq!(waiting(&listeners), [3]);

    let next = TcpListener::from(listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap().copy());
    for client in &mut clients {
        next.accept().unwrap().0.write_all(b"served").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "served");
    }
    assert_eq!(waiting(&listeners), [0]);
}

#[test]
fn new_connections_go_to_the_serving_instances_only() {
    let (mut listeners, handed) = per_instance(4);
    listeners.serve(&ids(&[1, 3]));
    assert!(listeners.steering_available());
    let clients = connect_all(&listeners, &handed, 200);
    let [none, some, nothing, rest] = waiting(&listeners)[..] else { panic!("not four sockets") };
    assert_eq!((none, nothing), (0, 0));
    // By chance alone one of two would get less than 20 of 200 once in 10^33 runs.
    assert!(some > 20 && rest > 20, "{some} and {rest}");
    drop(clients);
}

#[test]
fn a_serving_set_holds_for_addresses_that_come_later() {
    let mut listeners = Listeners::new(3);
    listeners.serve(&ids(&[2]));
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap();
    listeners.listen(handed.inode).unwrap();
    let clients = connect_all(&listeners, &handed, 20);
    assert_eq!(waiting(&listeners), [0, 0, 20]);
    drop(clients);
}

#[test]
fn with_nobody_serving_connections_wait_for_any_instance() {
    let (mut listeners, handed) = per_instance(2);
    listeners.serve(&ids(&[0]));
    listeners.serve(&[]);
    let clients = connect_all(&listeners, &handed, 100);
    assert!(waiting(&listeners).iter().all(|&count| count > 0), "{:?}", waiting(&listeners));
    drop(clients);
}

#[test]
fn an_instance_scaled_up_is_steered_by_its_number() {
    let (mut listeners, handed) = per_instance(1);
    listeners.resize(3).unwrap();
    listeners.serve(&ids(&[2]));
    let clients = connect_all(&listeners, &handed, 20);
    assert_eq!(waiting(&listeners), [0, 0, 20]);
    drop(clients);
}

#[test]
fn an_instance_scaled_away_keeps_its_queue_until_it_is_empty() {
    let (mut listeners, _first) = per_instance(2);
    let second = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    listeners.serve(&ids(&[1]));
    let waits = connect_all(&listeners, &second, 1);

    listeners.serve(&ids(&[0]));
    listeners.resize(1).unwrap();
    let clients = connect_all(&listeners, &second, 20);
    listeners.sweep();
    assert!(listeners.pending_close());
    assert_eq!(waiting(&listeners), [20, 1]);

    TcpListener::from(second.copy()).accept().unwrap();
    listeners.sweep();
    assert!(!listeners.pending_close());
    assert_eq!(waiting(&listeners), [20]);
    drop((clients, waits));
}

#[test]
fn an_instance_scaled_away_gets_no_new_connection_even_if_nobody_said_who_serves() {
    let (mut listeners, first) = per_instance(2);
    let second = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    let waits = connect_all(&listeners, &second, 50);
    let before = waiting(&listeners);
    listeners.resize(1).unwrap();
    let clients = connect_all(&listeners, &first, 30);
    assert_eq!(waiting(&listeners), [before[0] + 30, before[1]]);
    drop((clients, waits));
}

#[test]
fn a_retired_socket_serves_again_when_its_instance_comes_back() {
    let (mut listeners, _first) = per_instance(2);
    let second = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    listeners.serve(&ids(&[1]));
    let waits = connect_all(&listeners, &second, 1);
    listeners.resize(1).unwrap();
    listeners.resize(2).unwrap();
    let again = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    assert_eq!(again.inode, second.inode);
    let clients = connect_all(&listeners, &second, 10);
    assert_eq!(waiting(&listeners), [0, 11]);
    drop((clients, waits));
}

#[test]
fn the_index_is_right_though_a_process_still_holds_a_socket_scaled_away() {
    let (mut listeners, _first) = per_instance(2);
    let second = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    let held = second.copy();
    listeners.resize(1).unwrap();
    listeners.sweep();
    listeners.resize(2).unwrap();
    listeners.serve(&ids(&[1]));
    let clients = connect_all(&listeners, &second, 20);
    assert_eq!(waiting(&listeners), [0, 20]);
    drop((held, clients));
}

#[test]
fn a_socket_that_its_worker_stopped_listens_again_and_is_steered_by_its_number() {
    let (mut listeners, first) = per_instance(4);
    for stopped in [1, 0, 3, 1] {
        let handed = listeners.obtain(&any_port(), InstanceId(stopped), Blocking::Yes, None).unwrap();
        nix::sys::socket::shutdown(handed.copy().as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
        listeners.tend(InstanceId(stopped));
    }
    for serving in 0..4 {
        let mut expected = waiting(&listeners);
        expected[usize::try_from(serving).unwrap()] += 20;
        listeners.serve(&ids(&[serving]));
        let _clients = connect_all(&listeners, &first, 20);
        assert_eq!(waiting(&listeners), expected);
    }
}

#[test]
fn a_group_that_all_workers_stopped_listens_again_and_is_steered() {
    let (mut listeners, first) = per_instance(3);
    listeners.serve(&ids(&[0]));
    let all = ids(&[0, 1, 2]);
    let all = all.iter().map(|&id| listeners.obtain(&any_port(), id, Blocking::Yes, None).unwrap());
    for handed in all.collect::<Vec<_>>() {
        nix::sys::socket::shutdown(handed.copy().as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
    }
    // The look at the one whose worker ended first finds the others.
    listeners.tend(InstanceId(2));
    let clients = connect_all(&listeners, &first, 30);
    assert_eq!(waiting(&listeners), [30, 0, 0]);
    drop(clients);
}

#[test]
fn a_shared_socket_that_a_worker_stopped_listens_again_on_the_same_port() {
    let mut listeners = Listeners::new(2);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    listeners.listen(handed.inode).unwrap();
    nix::sys::socket::shutdown(handed.copy().as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
    assert!(TcpStream::connect(("127.0.0.1", handed.port())).is_err());
    listeners.tend(InstanceId(1));
    handed.connect();
}

#[test]
fn a_queue_that_a_worker_shortened_is_long_again() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    let limit = || tcp_queue(&handed.socket).unwrap().unwrap().limit;
    listen(&handed.socket, 5).unwrap();
    listeners.listen(handed.inode).unwrap();
    let longest = limit();
    assert!(longest > 5);
    listen(&handed.socket, 5).unwrap();
    assert_eq!(limit(), 5);
    listeners.listen(handed.inode).unwrap();
    assert_eq!(limit(), longest);
}

#[test]
fn a_stranger_who_joins_the_group_gets_nothing() {
    let (listeners, handed) = per_instance(2);
    let theirs = stranger(&format!("127.0.0.1:{}", handed.port()), true).unwrap();
    let clients = connect_all(&listeners, &handed, 50);
    assert_eq!(tcp_queue(&theirs).unwrap().unwrap().waiting, 0);
    drop(clients);
}

#[test]
fn any_address_takes_ipv4_and_where_there_is_one_ipv6() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain_any(0, 0, FIRST, Blocking::No).unwrap();
    listeners.listen(handed.inode).unwrap();
    handed.connect();
    if TcpListener::bind("[::1]:0").is_ok() {
        TcpStream::connect(("::1", handed.port())).unwrap();
    }
    assert_eq!(listeners.obtain_any(0, 0, FIRST, Blocking::No).unwrap().inode, handed.inode);
}

#[test]
fn any_address_falls_back_where_the_first_cannot_be_had() {
    let mut listeners = Listeners::new(1);
    // Reserved for documentation, hence the address of no machine.
    let either = [&tcp("[2001:db8::1]:0"), &any_port()];
    let handed = listeners.obtain_either(either, FIRST, Blocking::No).unwrap();
    assert!(handed.address.socket_addr().unwrap().is_ipv4());
}

#[test]
fn any_address_does_not_fall_back_from_a_port_in_use() {
    let theirs = stranger("127.0.0.1:0", false).unwrap();
    let taken = tcp(&format!("127.0.0.1:{}", port_of(&theirs)));
    let result = Listeners::new(1).obtain_either([&taken, &any_port()], FIRST, Blocking::No);
    assert_eq!(result.unwrap_err().errno(), Errno::EADDRINUSE);
}

#[test]
fn ipv4_and_ipv6_alone_can_have_the_same_port() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let mut listeners = Listeners::new(2);
    let v4 = listeners.obtain(&tcp("0.0.0.0:0"), FIRST, Blocking::Yes, None).unwrap();
    let addr = SocketAddr::from((Ipv6Addr::UNSPECIFIED, v4.port()));
    let v6 = Address::Tcp { addr, only_v6: OnlyV6::Yes, index: 0 };
    let v6 = listeners.obtain(&v6, FIRST, Blocking::Yes, None).unwrap();
    listeners.listen(v4.inode).unwrap();
    listeners.listen(v6.inode).unwrap();
    let clients = (v4.connect(), TcpStream::connect(("::1", v6.port())).unwrap());
    eventually("one connection for each", || waiting(&listeners).iter().sum::<u32>() == 2);
    drop(clients);
}

#[test]
fn a_udp_socket_is_shared_and_cannot_be_taken() {
    let mut listeners = Listeners::new(2);
    let address = Address::Udp { addr: "127.0.0.1:0".parse().unwrap(), only_v6: OnlyV6::No, index: 0 };
    let one = listeners.obtain(&address, FIRST, Blocking::No, None).unwrap();
    let two = listeners.obtain(&address, InstanceId(1), Blocking::No, None).unwrap();
    assert_eq!(one.inode, two.inode);
    assert!(UdpSocket::bind(("127.0.0.1", one.port())).is_err());

    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"hello", ("127.0.0.1", one.port())).unwrap();
    let worker = UdpSocket::from(two.copy());
    let mut buffer = [0; 16];
    eventually("the datagram", || worker.recv(&mut buffer).is_ok_and(|length| length == 5));
    assert_eq!(listeners.listen(one.inode).unwrap_err().errno(), Errno::EOPNOTSUPP);
}

#[test]
fn an_abstract_name_is_shared_and_cannot_be_taken() {
    let name = format!("pmr-test-{}", std::process::id()).into_bytes();
    let theirs = UnixSocketAddr::from_abstract_name(&name).unwrap();
    let address = Address::Abstract { name };
    let mut listeners = Listeners::new(2);
    let one = listeners.obtain(&address, FIRST, Blocking::Yes, None).unwrap();
    let two = listeners.obtain(&address, InstanceId(1), Blocking::Yes, None).unwrap();
    assert_eq!(one.inode, two.inode);
    listeners.listen(one.inode).unwrap();
    UnixStream::connect_addr(&theirs).unwrap();
    let error = Listeners::new(1).obtain(&address, FIRST, Blocking::Yes, None).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
}

/// A Unix-domain listener of ours in a directory of its own.
struct UnixCase {
    directory: tempfile::TempDir,
    path: PathBuf,
    listeners: Listeners,
}

impl UnixCase {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        Self { directory, path, listeners: Listeners::new(2) }
    }

    fn obtain(&mut self, umask: Option<u32>) -> Result<Handed, ListenError> {
        let address = Address::Unix { path: self.path.clone() };
        self.listeners.obtain(&address, FIRST, Blocking::No, umask)
    }

    fn listening() -> (Self, Handed) {
        let mut case = Self::new();
        let handed = case.obtain(None).unwrap();
        case.listeners.listen(handed.inode).unwrap();
        (case, handed)
    }

    fn connects(&self) -> bool {
        UnixStream::connect(&self.path).is_ok()
    }

    fn hidden(&self) -> PathBuf {
        self.directory.path().join(format!(".app.sock.pmr-{}", std::process::id()))
    }

    fn files(&self) -> usize {
        fs::read_dir(self.directory.path()).unwrap().count()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_socket_file_has_the_mode_that_the_workers_umask_gives() {
    for umask in [0o077, 0o007, 0o000] {
        let mut case = UnixCase::new();
        case.obtain(Some(umask)).unwrap();
        assert_eq!(mode(&case.path), 0o777 & !umask, "{umask:o}");
    }
}

#[test]
fn a_worker_that_unlinks_and_binds_again_gets_the_same_socket() {
    let (mut case, handed) = UnixCase::listening();
    fs::remove_file(&case.path).unwrap();
    assert!(!case.connects());
    assert_eq!(case.obtain(None).unwrap().inode, handed.inode);
    assert!(case.connects());
}

#[test]
fn a_socket_file_that_a_worker_removes_at_its_end_comes_back() {
    let (mut case, _handed) = UnixCase::listening();
    fs::remove_file(&case.path).unwrap();
    case.listeners.sweep();
    assert!(case.connects());
}

#[test]
fn a_file_that_is_there_already_is_in_use_and_not_touched() {
    let mut case = UnixCase::new();
    drop(UnixListener::bind(&case.path).unwrap());
    assert_eq!(case.obtain(None).unwrap_err().errno(), Errno::EADDRINUSE);
    assert!(case.path.exists());
    fs::remove_file(&case.path).unwrap();
    case.obtain(None).unwrap();
}

#[test]
fn a_file_that_took_the_place_of_ours_is_in_use_and_not_removed() {
    let (mut case, _handed) = UnixCase::listening();
    fs::remove_file(&case.path).unwrap();
    fs::write(&case.path, "theirs").unwrap();
    assert_eq!(case.obtain(None).unwrap_err().errno(), Errno::EADDRINUSE);
    case.listeners.stop_listening();
    assert_eq!(fs::read_to_string(&case.path).unwrap(), "theirs");
    assert_eq!(case.files(), 1);
}

#[test]
fn with_both_names_lost_a_new_socket_takes_the_place() {
    let (mut case, handed) = UnixCase::listening();
    fs::remove_file(&case.path).unwrap();
    fs::remove_file(case.hidden()).unwrap();
    case.listeners.sweep();
    assert!(!case.path.exists());
    let anew = case.obtain(None).unwrap();
    assert_ne!(anew.inode, handed.inode);
    case.listeners.listen(anew.inode).unwrap();
    assert!(case.connects());
    assert!(case.hidden().exists());
}

#[test]
fn a_second_name_left_by_a_killed_runtime_is_replaced() {
    let mut case = UnixCase::new();
    fs::write(case.hidden(), "left").unwrap();
    case.obtain(None).unwrap();
    assert!(fs::metadata(case.hidden()).unwrap().file_type().is_socket());
}

#[test]
fn the_socket_files_are_removed_at_the_end() {
    let (mut case, _handed) = UnixCase::listening();
    assert_eq!(case.files(), 2);
    case.listeners.stop_listening();
    assert_eq!(case.files(), 0);
}

#[test]
fn a_path_that_is_too_long_is_refused_in_words() {
    let mut case = UnixCase::new();
    case.path = case.directory.path().join("x".repeat(108));
    let error = case.obtain(None).unwrap_err();
    assert_eq!(error.errno(), Errno::ENAMETOOLONG);
    assert!(error.to_string().ends_with("the path is longer than the 107 bytes that the kernel accepts"));
}

#[test]
fn after_the_end_nothing_listens_but_what_a_worker_holds() {
    let mut listeners = Listeners::new(1);
    let handed = listeners.obtain(&any_port(), FIRST, Blocking::No, None).unwrap();
    listeners.listen(handed.inode).unwrap();
    let port = handed.port();
    let worker = TcpListener::from(handed.copy());
    drop(handed);
    listeners.stop_listening();
    assert!(listeners.addresses().is_empty());
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(worker);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_socket_that_a_client_has_connected_is_given_up() {
    let mut listeners = Listeners::new(2);
    for blocking in [Blocking::Yes, Blocking::No] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let wanted = tcp(&free.to_string());
        for _ in 0..2 {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            // As an FTP server does: it binds its own port, and connects.
            let handed = listeners.obtain(&wanted, FIRST, blocking, None).unwrap();
            let address = nix::sys::socket::SockaddrStorage::from(server.local_addr().unwrap());
            fcntl(&handed.socket, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
            let copy = handed.copy();
            drop(handed);
            nix::sys::socket::connect(copy.as_raw_fd(), &address).unwrap();
            let (mut accepted, _) = server.accept().unwrap();
            drop(copy);
            listeners.sweep();
            // Its end arrives, though we had a copy.
            accepted.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(accepted.read(&mut [0; 1]).unwrap(), 0);
        }
    }
}

#[test]
fn there_is_room_for_so_many_addresses_only_but_always_for_known_ones() {
    let mut listeners = Listeners::new(1);
    let name = |number: usize| Address::Abstract {
        name: format!("pmr-room-{}-{number}", std::process::id()).into(),
    };
    for number in 0..MOST_ADDRESSES {
        assert!(listeners.has_room_for(&name(number)));
        listeners.obtain(&name(number), FIRST, Blocking::No, None).unwrap();
    }
    assert!(!listeners.has_room_for(&name(MOST_ADDRESSES)));
    assert!(listeners.has_room_for(&name(0)));
}

#[test]
fn who_waits_for_an_instance_that_is_gone_for_good_is_not_left_to_wait() {
    let mut listeners = Listeners::new(2);
    let second = listeners.obtain(&any_port(), InstanceId(1), Blocking::Yes, None).unwrap();
    listeners.listen(second.inode).unwrap();
    listeners.serve(&ids(&[1]));
    let mut client = second.connect();
    drop(second);
    listeners.serve(&ids(&[0]));
    listeners.resize(1).unwrap();
    assert!(listeners.pending_close());
    listeners.abandon(InstanceId(0));
    assert!(listeners.pending_close());
    listeners.abandon(InstanceId(1));
    assert!(!listeners.pending_close());
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn an_instance_that_comes_back_takes_what_has_waited_for_it() {
    let mut listeners = Listeners::new(3);
    let wanted = any_port();
    let second = listeners.obtain(&wanted, InstanceId(1), Blocking::Yes, None).unwrap();
    listeners.listen(second.inode).unwrap();
    listeners.serve(&ids(&[1]));
    let _first_client = second.connect();
    listeners.serve(&ids(&[2]));
    let _second_client = second.connect();
    listeners.resize(1).unwrap();
    // The last one's worker lives still, so the one before it cannot be closed yet.
    listeners.abandon(InstanceId(1));
    listeners.resize(3).unwrap();
    listeners.abandon(InstanceId(1));
    assert!(!listeners.pending_close());
    assert_eq!(listeners.obtain(&wanted, InstanceId(1), Blocking::Yes, None).unwrap().inode, second.inode);
}

/// What an `execve` leaves: the sockets stay open, here under numbers of their own.
fn left(listeners: &Listeners) -> ListenersState {
    let mut state = listeners.state(&mut Kept::default()).unwrap();
    for (group, left) in listeners.groups.iter().zip(&mut state.groups) {
        for (socket, left) in group.sockets().iter().zip(&mut left.sockets) {
            assert_eq!(socket.fd().as_raw_fd(), left.descriptor);
            left.descriptor = socket.fd().try_clone().unwrap().into_raw_fd();
        }
    }
    let text = serde_json::to_string(&state).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn sockets_go_on_in_the_next_program_with_all_that_waits_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = Address::Unix { path: directory.path().join("app.sock") };
    let (mut listeners, handed) = per_instance(2);
    listeners.serve(&ids(&[1]));
    let _clients = connect_all(&listeners, &handed, 3);
    let unix = listeners.obtain(&path, FIRST, Blocking::No, None).unwrap();
    listeners.listen(unix.inode).unwrap();
    let before = listeners.addresses();
    let state = left(&listeners);
    drop(listeners);
    let mut problems = Vec::new();
    let mut next = Listeners::resume(state, &mut problems);
    assert_eq!((next.addresses(), problems.len()), (before, 0));
    assert_eq!(next.obtain(&any_port(), FIRST, Blocking::Yes, None).unwrap().inode, handed.inode);
    assert_eq!(next.obtain(&path, FIRST, Blocking::No, None).unwrap().inode, unix.inode);
    // It knows who was steered to, and that its file is its own to remove.
    let _more = [handed.connect(), handed.connect()];
    let waiting = || next.addresses().iter().map(|status| status.waiting).collect::<Vec<_>>();
    eventually("all in the queue of the one that serves", || waiting() == [Some(0), Some(5), None]);
    next.stop_listening();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_socket_that_is_not_there_any_more_is_told_of_and_done_without() {
    let (listeners, handed) = per_instance(1);
    let mut state = listeners.state(&mut Kept::default()).unwrap();
    state.groups[0].sockets[0].descriptor = 999_999;
    let mut problems = Vec::new();
    let next = Listeners::resume(state, &mut problems);
    assert!(problems[0].contains(&handed.address.to_string()), "{problems:?}");
    assert_eq!(next.addresses(), []);
}
