//! Looks at sockets of the real kernel, at times that are made up. The test itself plays the workers.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::fd::AsFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use super::*;
use crate::listener::{Address, Blocking, Handed, OnlyV6};
use crate::spec::{Balance, BalancePolicy};
use crate::sys::socket::{accept, is_unread, tcp_queue};

const PATIENCE: Duration = Duration::from_millis(100);

/// An app's sockets, what its workers have accepted, and a clock.
struct World {
    listeners: Listeners,
    handed: Vec<Handed>,
    accepted: Vec<Vec<OwnedFd>>,
    now: Duration,
}

impl World {
    fn new(way: Balance, instances: u32) -> Self {
        let mut listeners = Listeners::new(instances).balanced(BalancePolicy { way, stall_after: PATIENCE });
        let _descriptor = listeners.arrivals().unwrap();
        let address =
            |port| Address::Tcp { addr: (Ipv4Addr::LOCALHOST, port).into(), only_v6: OnlyV6::No, index: 0 };
        let mut obtain = |instance| {
            let handed = listeners.obtain(&address(0), InstanceId(instance), Blocking::No, None).unwrap();
            listeners.listen(handed.inode).unwrap();
            handed
        };
        let handed = (0..instances).map(&mut obtain).collect();
        let accepted = (0..instances).map(|_| Vec::new()).collect();
        let mut world = Self { listeners, handed, accepted, now: Duration::from_secs(1) };
        world.look();
        world
    }

    fn address(&self) -> SocketAddr {
        self.handed[0].address.socket_addr().unwrap()
    }

    /// A look, a second after the last, so that it can be paid for.
    fn look(&mut self) -> Vec<Stuck> {
        self.look_after(Duration::from_secs(1))
    }

    fn look_after(&mut self, time: Duration) -> Vec<Stuck> {
        self.now += time;
        let stuck = self.listeners.look(self.now);
        self.listeners.looked(self.now, Duration::ZERO);
        stuck
    }

    fn connect(&mut self) -> TcpStream {
        self.listeners.arrived(self.now);
        TcpStream::connect(self.address()).unwrap()
    }

    /// The position of the socket in whose queue `client` waits, alone.
    fn whereabouts(&self) -> usize {
        let waiting = |handed: &Handed| tcp_queue(&handed.socket).unwrap().unwrap().waiting;
        for _ in 0..1000 {
            if let Some(position) = self.handed.iter().position(|handed| waiting(handed) > 0) {
                return position;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody waits");
    }

    /// Lets the worker that got the one who waits accept.
    fn accept(&mut self) -> usize {
        let position = self.whereabouts();
        self.accepted[position].push(accept(&self.handed[position].socket).unwrap());
        position
    }

    fn counts(&self) -> Vec<usize> {
        self.accepted.iter().map(Vec::len).collect()
    }
}

#[test]
fn connections_one_by_one_are_even() {
    let mut world = World::new(Balance::Even, 4);
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(world.connect());
        world.accept();
        world.look();
    }
    assert_eq!(world.counts(), [4, 4, 4, 4]);
}

#[test]
fn who_loses_its_connections_gets_the_next_ones() {
    let mut world = World::new(Balance::Even, 3);
    let clients: Vec<_> = (0..9)
        .map(|_| {
            let client = world.connect();
            world.accept();
            world.look();
            client
        })
        .collect();
    world.accepted[1].clear();
    drop(clients);
    world.accepted.iter_mut().for_each(Vec::clear);
    let _first = world.connect();
    let first = world.accept();
    world.look();
    let _second = world.connect();
    assert_ne!(world.accept(), first);
}

#[test]
fn an_instance_beyond_the_marks_shares_one() {
    let mut world = World::new(Balance::Even, 33);
    let mut clients = Vec::new();
    for _ in 0..31 {
        clients.push(world.connect());
        world.accept();
        world.look();
    }
    let counts = world.counts();
    // The first and the last count as one that has half as many.
    assert!(counts[1..32].iter().all(|&count| count <= 1), "{counts:?}");
    assert!(counts[0] + counts[32] <= 2, "{counts:?}");
}

/// Where the next connections go: to so many different instances out of forty tries.
fn goals(world: &mut World) -> BTreeSet<usize> {
    (0..40)
        .map(|_| {
            let _client = world.connect();
            let position = world.accept();
            world.accepted[position].clear();
            position
        })
        .collect()
}

#[test]
fn nobody_connects_to_an_instance_whose_queue_stalls_until_it_moves() {
    let mut world = World::new(Balance::Even, 2);
    let _stuck = world.connect();
    let position = world.whereabouts();
    assert_eq!(world.look(), []);
    assert!(world.listeners.next_look().unwrap() <= world.now + PATIENCE / 4);
    assert_eq!(world.look_after(PATIENCE / 2), []);
    let instance = InstanceId(u32::try_from(position).unwrap());
    assert!(world.listeners.avoids(instance) && !world.listeners.is_fit(instance));
    let stuck = world.look_after(PATIENCE / 2);
    assert_eq!(stuck, [Stuck { inode: world.handed[position].inode, instance, waiting: 1 }]);
    for _ in 0..10 {
        let client = world.connect();
        let other = &world.handed[1 - position].socket;
        let taken = (0..1000).find_map(|_| {
            let taken = accept(other).ok();
            if taken.is_none() {
                std::thread::sleep(Duration::from_millis(10));
            }
            taken
        });
        assert!(taken.is_some());
        drop(client);
    }
    world.accept();
    assert_eq!(world.look(), []);
    assert!(!world.listeners.avoids(instance));
}

#[test]
fn what_waits_in_vain_can_be_taken_out_for_another() {
    let mut world = World::new(Balance::Even, 2);
    let mut client = world.connect();
    let position = world.whereabouts();
    world.look();
    world.look_after(PATIENCE);
    let [stuck] = world.look_after(PATIENCE)[..] else { panic!("not stalled") };
    let other = InstanceId(u32::try_from(1 - position).unwrap());
    assert_eq!(world.listeners.sibling(stuck.inode, other), Some(world.handed[1 - position].inode));
    let taken = world.listeners.take_out(stuck.inode, other).unwrap();
    assert!(is_unread(&taken));
    client.write_all(b"a question").unwrap();
    assert!(is_unread(&taken));
    assert!(world.listeners.take_out(stuck.inode, other).is_none());
    // An empty queue is no sign of life, and the connection counts for the one that it was taken out for.
    assert_eq!(world.look(), []);
    assert!(world.listeners.avoids(stuck.instance));
    world.listeners.forgive(stuck.instance);
    world.listeners.arrived(world.now);
    world.look();
    assert!(!world.listeners.avoids(stuck.instance));
    let _next = world.connect();
    assert_eq!(world.accept(), position);
    drop(taken);
}

#[test]
fn who_waits_behind_an_instance_that_does_not_serve_is_found_at_once() {
    let mut world = World::new(Balance::Even, 2);
    let _client = world.connect();
    let position = world.whereabouts();
    let others: Vec<_> =
        (0..2).filter(|&at| at != position).map(|at| InstanceId(u32::try_from(at).unwrap())).collect();
    world.listeners.serve(&others);
    assert_eq!(world.look().len(), 1);
}

#[test]
fn nothing_is_looked_at_where_nobody_comes() {
    let mut world = World::new(Balance::Even, 2);
    for _ in 0..3 {
        if world.listeners.next_look().is_some() {
            world.look();
        }
    }
    assert_eq!(world.listeners.next_look(), None);
    let _client = world.connect();
    world.accept();
    world.look();
    // Once more after a while, and then not again.
    assert_eq!(world.listeners.next_look(), Some(world.now + QUIET));
    world.look();
    assert_eq!(world.listeners.next_look(), None);
}

/// Connects from another address of the loopback.
fn connect_from(from: Ipv4Addr, to: SocketAddr) -> OwnedFd {
    let SocketAddr::V4(to) = to else { panic!("{to}") };
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&client.as_fd());
    bind(fd, &SockaddrIn::from(std::net::SocketAddrV4::new(from, 0))).unwrap();
    connect(fd, &SockaddrIn::from(to)).unwrap();
    client
}

/// Where each of twenty clients goes; each connects several times.
fn homes(world: &mut World) -> Vec<usize> {
    let home = |number: u8, world: &mut World| {
        let from = Ipv4Addr::new(127, 0, 1, number);
        let goals: BTreeSet<usize> = (0..4)
            .map(|_| {
                let _client = connect_from(from, world.address());
                world.accept()
            })
            .collect();
        assert_eq!(goals.len(), 1, "{}", IpAddr::V4(from));
        goals.into_iter().next().unwrap()
    };
    (1..=20).map(|number| home(number, world)).collect()
}

#[test]
fn a_sticky_client_stays_with_its_instance_and_comes_back_to_it() {
    let mut world = World::new(Balance::Sticky, 3);
    let before = homes(&mut world);
    assert!((0..3).all(|position| before.contains(&position)), "{before:?}");
    world.listeners.serve(&[InstanceId(0), InstanceId(2)]);
    let meanwhile = homes(&mut world);
    for (before, meanwhile) in before.iter().zip(&meanwhile) {
        assert!(if *before == 1 { *meanwhile != 1 } else { before == meanwhile });
    }
    world.listeners.serve(&[InstanceId(0), InstanceId(1), InstanceId(2)]);
    assert_eq!(homes(&mut world), before);
}

#[test]
fn a_stall_does_not_part_a_sticky_client_from_its_instance() {
    let mut world = World::new(Balance::Sticky, 2);
    let _stuck = world.connect();
    let position = world.whereabouts();
    for _ in 0..4 {
        world.look_after(PATIENCE);
    }
    let _next = world.connect();
    assert_eq!(world.whereabouts(), position);
    world.accept();
    assert_eq!(goals(&mut world), BTreeSet::from([position]));
}

#[test]
fn the_kernel_counts_the_connections_that_it_accepts() {
    let before = passive_opens().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(passive_opens().unwrap() > before);
}
