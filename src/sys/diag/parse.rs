//! The kernel's answer to a question about connections: bytes in, connections out. Pure, and total: what is cut off or
//! makes no sense is passed over, and what an old kernel does not tell is `None`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

// Of `linux/netlink.h` and `linux/inet_diag.h`.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const ATTRIBUTE_INFO: u16 = 2;
const ATTRIBUTE_SOCKOPT: u16 = 22;

/// `struct nlmsghdr`
const HEADER: usize = 16;
/// `struct inet_diag_msg`
const FIXED: usize = 72;
const ATTRIBUTE_HEADER: usize = 4;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A TCP connection, as the kernel sees it from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The socket, as in `/proc/PID/fd`; `None` while it waits in a listening socket's queue.
    pub inode: Option<u64>,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    pub state: State,
    /// Bytes that have come and that the program has not read.
    pub unread: u32,
    /// Bytes that the program has written and the peer has not acknowledged, whether they were sent or not.
    pub unacknowledged: u32,
    /// What has passed over it.
    pub traffic: Option<Traffic>,
    /// Socket options, as the kernel packs them into `struct inet_diag_sockopt` (Linux 5.10): see [`SocketOptions`].
    pub options: Option<SocketOptions>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Established,
    /// The peer will send no more.
    CloseWait,
    /// Any other, by the kernel's number.
    Other(u8),
}

/// Of `struct tcp_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that have come.
    pub received: u64,
    /// Bytes of ours that the peer has acknowledged.
    pub acknowledged: u64,
    /// Bytes that were sent, those sent again included (Linux 4.19).
    pub sent: Option<u64>,
    /// Segments sent and not acknowledged.
    pub segments_in_flight: u32,
    /// Bytes that the program has written and that were not sent yet (Linux 4.6).
    pub unsent: Option<u32>,
    /// How long ago the last bytes came; where none have, how long ago the connection was made. As fine as the
    /// kernel's clock ticks (1 to 10 ms), like the next.
    pub since_received: Duration,
    /// How long ago the last bytes were sent; where none were, how long ago the connection was made.
    pub since_sent: Duration,
    /// How long ago the peer's last word on bytes of ours came, alone or with bytes of its own.
    pub since_acknowledged: Duration,
}

/// The options of a socket that sock_diag tells of: two bytes of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions(pub u16);

impl SocketOptions {
    /// IP_FREEBIND (IPV6_FREEBIND is the same bit).
    pub const FREEBIND: u16 = 1 << 2;
    /// IP_MULTICAST_LOOP, on by default.
    pub const MULTICAST_LOOP: u16 = 1 << 4;
    /// IP_MULTICAST_ALL, on by default.
    pub const MULTICAST_ALL: u16 = 1 << 6;
    /// IP_BIND_ADDRESS_NO_PORT.
    pub const BIND_ADDRESS_NO_PORT: u16 = 1 << 8;

    /// Whether one of the options of this set of bits is on.
    #[must_use]
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

/// What a piece of the answer means for the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More pieces follow.
    More,
    /// It was the last.
    Done,
    /// The kernel refuses, with this errno.
    Refused(i32),
}

/// Reads one piece of the answer, as received, to the question with the number `sequence`, and tells `found` of each
/// connection.
pub fn parse(bytes: &[u8], sequence: u32, mut found: impl FnMut(Connection)) -> Progress {
    entries(bytes, sequence, |body| connection(body).into_iter().for_each(&mut found))
}

/// The same for any answer of sock_diag: `each` is given what is told of each socket.
pub(super) fn entries(mut bytes: &[u8], sequence: u32, mut each: impl FnMut(&[u8])) -> Progress {
    while let Some(length) = u32_at(bytes, 0) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (Some(message), Some(kind)) = (bytes.get(..length), u16_at(bytes, 4)) else { break };
        let body = message.get(HEADER..).unwrap_or_default();
        let ours = u32_at(bytes, 8) == Some(sequence);
        match kind {
            SOCK_DIAG_BY_FAMILY if ours => each(body),
            // Both carry zero or a negative errno; an error of zero is a mere receipt.
            NLMSG_DONE | NLMSG_ERROR if ours => match i32_at(body, 0) {
                Some(errno) if errno < 0 => return Progress::Refused(errno.saturating_neg()),
                _ if kind == NLMSG_DONE => return Progress::Done,
                _ => {}
            },
            _ => {}
        }
        // A length of less than its own header would never end.
        bytes = bytes.get(aligned(length.max(HEADER))..).unwrap_or_default();
    }
    Progress::More
}

fn connection(body: &[u8]) -> Option<Connection> {
    let attributes = body.get(FIXED..)?;
    let (&family, &state) = (body.first()?, body.get(1)?);
    let mut connection = Connection {
        inode: u32_at(body, 68).filter(|&inode| inode != 0).map(u64::from),
        local: SocketAddr::new(ip(family, body.get(8..24)?)?, port_at(body, 4)?),
        peer: SocketAddr::new(ip(family, body.get(24..40)?)?, port_at(body, 6)?),
        state: match state {
            1 => State::Established,
            8 => State::CloseWait,
            other => State::Other(other),
        },
        unread: u32_at(body, 56)?,
        unacknowledged: u32_at(body, 60)?,
        traffic: None,
        options: None,
    };
    for (kind, value) in Attributes(attributes) {
        match kind {
            ATTRIBUTE_INFO => connection.traffic = traffic(value),
            ATTRIBUTE_SOCKOPT => {
                let options = value.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
                connection.options = options.map(SocketOptions);
            }
            _ => {}
        }
    }
    Some(connection)
}

fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// `None` where the kernel is older than the counters of bytes (Linux 4.1).
fn traffic(info: &[u8]) -> Option<Traffic> {
    let age = |at| u32_at(info, at).map(|millis| Duration::from_millis(u64::from(millis)));
    Some(Traffic {
        segments_in_flight: u32_at(info, 24)?,
        since_sent: age(44)?,
        since_received: age(52)?,
        since_acknowledged: age(56)?,
        unsent: u32_at(info, 144),
        acknowledged: u64_at(info, 120)?,
        received: u64_at(info, 128)?,
        sent: u64_at(info, 200),
    })
}

/// The attributes behind a message's fixed part.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, kind) = (usize::from(u16_at(self.0, 0)?), u16_at(self.0, 2)?);
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Ports are in the network's order of bytes, all else in the machine's.
fn port_at(bytes: &[u8], offset: usize) -> Option<u16> {
    at(bytes, offset).map(u16::from_be_bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    at(bytes, offset).map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    at(bytes, offset).map(u32::from_ne_bytes)
}

fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    at(bytes, offset).map(i32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    at(bytes, offset).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 2]);
        message.extend(sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        message
    }

    /// 10.0.0.1:80 from 10.0.0.2:4000 with an inode of 77, and these attributes.
    fn body(attributes: &[u8]) -> Vec<u8> {
        let mut body = vec![0; FIXED];
        (body[0], body[1]) = (AF_INET, 8);
        body[4..8].copy_from_slice(&[0, 80, 15, 160]);
        body[8..12].copy_from_slice(&[10, 0, 0, 1]);
        body[24..28].copy_from_slice(&[10, 0, 0, 2]);
        body[56..60].copy_from_slice(&5_u32.to_ne_bytes());
        body[60..64].copy_from_slice(&6_u32.to_ne_bytes());
        body[68..72].copy_from_slice(&77_u32.to_ne_bytes());
        body.extend(attributes);
        body
    }

    fn read(bytes: &[u8]) -> (Progress, Vec<Connection>) {
        let mut found = Vec::new();
        (parse(bytes, 3, |connection| found.push(connection)), found)
    }

    #[test]
    fn a_connection_without_attributes_is_told_of_all_the_same() {
        let (progress, found) = read(&message(SOCK_DIAG_BY_FAMILY, 3, &body(&[])));
        assert_eq!(progress, Progress::More);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(found.local, "10.0.0.1:80".parse().unwrap());
        assert_eq!(found.peer, "10.0.0.2:4000".parse().unwrap());
        assert_eq!((found.inode, found.state), (Some(77), State::CloseWait));
        assert_eq!((found.unread, found.unacknowledged), (5, 6));
        assert_eq!((found.traffic, found.options), (None, None));
    }

    #[test]
    fn options_are_found_behind_attributes_that_are_unknown_or_of_an_odd_length() {
        let attributes = [5, 0, 9, 0, 1, 0, 0, 0, 6, 0, ATTRIBUTE_SOCKOPT as u8, 0, 0b0101_0100, 1, 0, 0];
        let (_, found) = read(&message(SOCK_DIAG_BY_FAMILY, 3, &body(&attributes)));
        let options = found[0].options.unwrap();
        assert!(options.has(SocketOptions::FREEBIND) && options.has(SocketOptions::BIND_ADDRESS_NO_PORT));
        assert!(!SocketOptions(0b0101_0000).has(SocketOptions::FREEBIND));
    }

    #[test]
    fn the_end_and_a_refusal_are_told_apart_and_answers_to_others_are_passed_over() {
        let mut bytes = message(NLMSG_DONE, 2, &0_i32.to_ne_bytes());
        bytes.extend(message(NLMSG_ERROR, 3, &0_i32.to_ne_bytes()));
        assert_eq!(read(&bytes).0, Progress::More);
        bytes.extend(message(NLMSG_DONE, 3, &0_i32.to_ne_bytes()));
        assert_eq!(read(&bytes).0, Progress::Done);
        assert_eq!(read(&message(NLMSG_ERROR, 3, &(-2_i32).to_ne_bytes())).0, Progress::Refused(2));
        assert_eq!(read(&message(NLMSG_ERROR, 3, &i32::MIN.to_ne_bytes())).0, Progress::Refused(i32::MAX));
    }

    #[test]
    fn a_message_that_claims_no_length_does_not_hold_up_the_next() {
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, 3, &[]);
        bytes[..4].fill(0);
        bytes.extend(message(NLMSG_DONE, 3, &[]));
        assert_eq!(read(&bytes).0, Progress::Done);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes);
        }

        #[test]
        fn an_answer_that_is_cut_off_anywhere_gives_at_most_what_the_whole_one_gives(
            attributes in prop::collection::vec(any::<u8>(), 0..300), end in 0_usize..800,
        ) {
            let mut bytes = message(SOCK_DIAG_BY_FAMILY, 3, &body(&attributes));
            bytes.resize(aligned(bytes.len()), 0);
            bytes.extend(bytes.clone());
            let whole = read(&bytes).1;
            let part = read(&bytes[..end.min(bytes.len())]).1;
            prop_assert_eq!(whole.len(), 2);
            prop_assert!(whole.starts_with(&part));
        }
    }
}
