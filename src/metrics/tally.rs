//! Whose connections are whose, and how many. Pure.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Clients, Key};
use crate::sys::diag::{Connection, Family, UnixSocket};

/// Which sockets the processes of each worker have open.
#[derive(Debug, Default)]
pub(super) struct Owners {
    workers: Vec<(Key, Known)>,
    /// Inodes, and the places of the workers in the list above. In order once all are there.
    sockets: Vec<(u64, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    All,
    /// Of a process we may not see its descriptors.
    Part,
}

impl Owners {
    /// Adds a worker; each element is what a process of its has open, where that is known.
    pub(super) fn add(&mut self, key: Key, processes: impl Iterator<Item = Option<Vec<u64>>>) {
        let at = self.workers.len();
        let mut known = Known::All;
        for sockets in processes {
            match sockets {
                Some(sockets) => self.sockets.extend(sockets.into_iter().map(|inode| (inode, at))),
                None => known = Known::Part,
            }
        }
        self.workers.push((key, known));
    }

    /// To be called when all were added.
    pub(super) fn sort(&mut self) {
        self.sockets.sort_unstable();
        self.sockets.dedup();
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.workers.iter().map(|(key, _)| *key)
    }

    /// Where the workers stand that have the socket open.
    fn of(&self, inode: u64) -> impl Iterator<Item = usize> {
        let first = self.sockets.partition_point(|(one, _)| *one < inode);
        self.sockets[first..].iter().take_while(move |(one, _)| *one == inode).map(|(_, at)| *at)
    }
}

/// Counts.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    owners: &'a Owners,
    counts: Vec<Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    listens: bool,
    listens_unix: bool,
    tcp: u32,
    in_flight: u32,
    unix: u32,
}

impl<'a> Tally<'a> {
    pub(super) fn new(owners: &'a Owners) -> Self {
        Self { owners, counts: vec![Count::default(); owners.workers.len()] }
    }

    /// The ports on which workers listen, of all sockets that do. What comes to a socket has its family.
    pub(super) fn ports(&mut self, listening: &[(u64, SocketAddr)]) -> BTreeMap<Family, BTreeSet<u16>> {
        let mut ports: BTreeMap<_, BTreeSet<u16>> = BTreeMap::new();
        for (inode, address) in listening {
            let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
            self.each(*inode, |count| {
                count.listens = true;
                ports.entry(family).or_default().insert(address.port());
            });
        }
        ports
    }

    /// The names of Unix-domain sockets on which workers listen.
    pub(super) fn names(&mut self, listening: Vec<UnixSocket>) -> BTreeSet<Vec<u8>> {
        let mut names = BTreeSet::new();
        for UnixSocket { inode, name } in listening {
            let mut is_ours = false;
            self.each(inode, |count| {
                count.listens_unix = true;
                is_ours = true;
            });
            if is_ours {
                names.insert(name);
            }
        }
        names
    }

    /// A connection to one of the ports. What waits to be accepted is nobody's.
    pub(super) fn note(&mut self, connection: &Connection) {
        let Some(inode) = connection.inode else { return };
        let in_flight = u32::from(connection.is_in_flight());
        self.each(inode, |count| {
            count.tcp = count.tcp.saturating_add(1);
            count.in_flight = count.in_flight.saturating_add(in_flight);
        });
    }

    /// A connection over a Unix-domain socket of one of the names.
    pub(super) fn note_unix(&mut self, socket: &UnixSocket) {
        self.each(socket.inode, |count| count.unix = count.unix.saturating_add(1));
    }

    /// What was counted of the worker at this place.
    pub(super) fn of(&self, at: usize) -> Option<Clients> {
        let count = self.counts.get(at)?;
        let (_, known) = self.owners.workers.get(at)?;
        let has_tcp = count.listens || count.tcp > 0;
        let has_any = has_tcp || count.listens_unix || count.unix > 0;
        (has_any && *known == Known::All).then(|| Clients {
            connections: count.tcp.saturating_add(count.unix),
            in_flight: has_tcp.then_some(count.in_flight),
        })
    }

    fn each(&mut self, inode: u64, mut count: impl FnMut(&mut Count)) {
        for at in self.owners.of(inode) {
            if let Some(found) = self.counts.get_mut(at) {
                count(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::{AppId, WorkerId};
    use crate::sys::diag::{State, Traffic};

    fn key(worker: u32) -> Key {
        Key { app: AppId(0), worker: WorkerId(worker) }
    }

    /// Workers of one process each, which have these sockets open.
    fn owners(workers: &[&[u64]]) -> Owners {
        let mut owners = Owners::default();
        for (number, sockets) in (0..).zip(workers) {
            owners.add(key(number), std::iter::once(Some(sockets.to_vec())));
        }
        owners.sort();
        owners
    }

    /// A connection that has brought a request so many milliseconds ago, and was sent something so many ago.
    fn connection(inode: Option<u64>, received: u64, sent: u64) -> Connection {
        let ago = Duration::from_millis;
        Connection {
            inode,
            local: "127.0.0.1:80".parse().unwrap(),
            peer: "127.0.0.1:4000".parse().unwrap(),
            state: State::Established,
            unread: 0,
            unacknowledged: 0,
            traffic: Some(Traffic {
                received: 10,
                acknowledged: 10,
                sent: Some(10),
                segments_in_flight: 0,
                unsent: Some(0),
                since_received: ago(received),
                since_sent: ago(sent),
                since_acknowledged: ago(received),
            }),
            options: None,
        }
    }

    fn clients(connections: u32, in_flight: Option<u32>) -> Option<Clients> {
        Some(Clients { connections, in_flight })
    }

    /// On a port.
    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([0, 0, 0, 0], port))
    }

    #[test]
    fn each_worker_has_the_connections_that_it_has_open() {
        let owners = owners(&[&[1, 7, 10, 11], &[1, 12], &[20]]);
        let mut tally = Tally::new(&owners);
        let six = "[::]:83".parse().unwrap();
        let ports = tally.ports(&[(1, at(80)), (2, at(81)), (99, at(82)), (20, six)]);
        assert_eq!(ports, BTreeMap::from([(Family::V4, [80].into()), (Family::V6, [83].into())]));
        for (inode, received, sent) in
            [(Some(10), 5, 900), (Some(11), 900, 5), (Some(12), 900, 5), (None, 5, 900)]
        {
            tally.note(&connection(inode, received, sent));
        }
        let counts = [0, 1, 2, 3].map(|at| tally.of(at));
        assert_eq!(counts, [clients(2, Some(1)), clients(1, Some(0)), clients(0, Some(0)), None]);
    }

    #[test]
    fn who_listens_no_more_still_has_its_connections() {
        let owners = owners(&[&[1], &[10]]);
        let mut tally = Tally::new(&owners);
        tally.ports(&[(1, at(80))]);
        tally.note(&connection(Some(10), 5, 900));
        assert_eq!((tally.of(0), tally.of(1)), (clients(0, Some(0)), clients(1, Some(1))));
    }

    #[test]
    fn of_unix_domain_sockets_it_is_not_told_what_is_in_flight() {
        let owners = owners(&[&[1, 10]]);
        let mut tally = Tally::new(&owners);
        let socket = |inode, name: &[u8]| UnixSocket { inode, name: name.to_vec() };
        assert_eq!(tally.names(vec![socket(1, b"/a"), socket(2, b"/b")]), [b"/a".to_vec()].into());
        tally.note_unix(&socket(10, b"/a"));
        tally.note_unix(&socket(11, b"/a"));
        assert_eq!(tally.of(0), clients(1, None));
    }

    #[test]
    fn where_a_process_hides_its_descriptors_nothing_is_told() {
        let mut owners = Owners::default();
        owners.add(key(0), [Some(vec![1]), None].into_iter());
        owners.sort();
        let mut tally = Tally::new(&owners);
        tally.ports(&[(1, at(80))]);
        assert_eq!(tally.of(0), None);
    }

    #[test]
    fn a_socket_that_two_processes_of_a_worker_have_open_counts_once() {
        let mut owners = Owners::default();
        owners.add(key(0), [Some(vec![1, 10]), Some(vec![10, 1])].into_iter());
        owners.sort();
        let mut tally = Tally::new(&owners);
        tally.ports(&[(1, at(80))]);
        tally.note(&connection(Some(10), 5, 900));
        assert_eq!(tally.of(0), clients(1, Some(1)));
    }
}
