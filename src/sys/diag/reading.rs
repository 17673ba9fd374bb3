//! What one look at a connection tells of the last request over it. Pure.
//!
//! In a protocol of requests and responses, such as HTTP/1, bytes that came after the last ones that were sent are a
//! request without an answer. The kernel notes both times in its ticks, of 1 to 10 ms, so that they are often the same: a quick
//! server answers within the tick in which it was asked, and a client with more to ask does so within the tick in which it was
//! answered. Then the acknowledgement tells. A next request carries that of the answer before it; one that is missing, or came
//! later by itself, means that no request has followed the answer.

use core::cmp::Ordering;
use core::time::Duration;

use super::{Connection, State, Traffic};

/// How long a request is taken for unanswered where all has happened within a tick.
pub const DOUBT: Duration = Duration::from_millis(500);

/// What has passed over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub traffic: Traffic,
    /// Bytes that have come.
    pub received: u64,
    /// Bytes that the program has written.
    pub written: u64,
    /// Bytes that have come and that the program has not read.
    pub unread: u32,
    /// Whether the peer has said its last word.
    pub farewell: bool,
    pub order: Order,
}

/// What came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Request,
    Answer,
    Unknown,
}

impl Connection {
    /// What is to be read from it; `None` where the kernel counts no bytes.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let traffic = self.traffic?;
        // The peer's farewell counts as a byte.
        let farewell = u32::from(self.state == State::CloseWait);
        let received = traffic.received.saturating_sub(u64::from(farewell));
        let written = traffic.acknowledged.saturating_add(u64::from(self.unacknowledged));
        Some(Reading {
            traffic,
            received,
            written,
            unread: self.unread.saturating_sub(farewell),
            farewell: farewell > 0,
            order: match traffic.since_received.cmp(&traffic.since_sent) {
                _ if received > 0 && written == 0 => Order::Request,
                Ordering::Less => Order::Request,
                Ordering::Greater => Order::Answer,
                Ordering::Equal if self.unacknowledged > 0 => Order::Answer,
                Ordering::Equal if traffic.since_acknowledged < traffic.since_received => Order::Answer,
                Ordering::Equal => Order::Unknown,
            },
        })
    }

    /// Whether an answer is owed, as far as this look tells: a request has come and nothing was sent since, or not all of what
    /// was written could be sent.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        let Some(reading) = self.reading() else { return self.unread > 0 || self.unacknowledged > 0 };
        if reading.unread > 0 || reading.traffic.unsent.is_some_and(|unsent| unsent > 0) {
            return true;
        }
        reading.received > 0
            && match reading.order {
                Order::Request => true,
                Order::Answer => false,
                Order::Unknown => reading.traffic.since_sent < DOUBT,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes have come, were written and were acknowledged, the last so many milliseconds ago.
    fn connection(received: (u64, u64), written: (u64, u64), acknowledged: (u64, u64)) -> Connection {
        let ago = Duration::from_millis;
        Connection {
            inode: Some(1),
            local: "127.0.0.1:80".parse().unwrap(),
            peer: "127.0.0.1:4000".parse().unwrap(),
            state: State::Established,
            unread: 0,
            unacknowledged: u32::try_from(written.0 - acknowledged.0).unwrap(),
            traffic: Some(Traffic {
                received: received.0,
                acknowledged: acknowledged.0,
                sent: Some(written.0),
                segments_in_flight: 0,
                unsent: Some(0),
                since_received: ago(received.1),
                since_sent: ago(written.1),
                since_acknowledged: ago(acknowledged.1),
            }),
            options: None,
        }
    }

    #[test]
    fn a_request_is_in_flight_until_something_was_sent_however_long_that_takes() {
        assert!(connection((20, 60_000), (0, 60_000), (0, 60_000)).is_in_flight());
        assert!(connection((40, 60_000), (90, 60_004), (90, 60_000)).is_in_flight());
        assert!(!connection((40, 60_000), (90, 59_000), (90, 58_960)).is_in_flight());
    }

    #[test]
    fn a_connection_that_has_brought_nothing_has_nothing_in_flight() {
        assert!(!connection((0, 10), (0, 10), (0, 10)).is_in_flight());
        // The server has greeted.
        assert!(!connection((0, 10), (30, 8), (30, 4)).is_in_flight());
    }

    #[test]
    fn what_was_answered_within_a_tick_is_told_by_the_acknowledgement() {
        let order = |connection: Connection| connection.reading().unwrap().order;
        // Not acknowledged yet, and acknowledged by itself.
        assert_eq!(order(connection((20, 8), (90, 8), (0, 8))), Order::Answer);
        assert_eq!(order(connection((20, 90), (90, 90), (90, 50))), Order::Answer);
        // By the next request, or at once.
        let doubtful = |ago| connection((40, ago), (90, ago), (90, ago));
        assert_eq!(order(doubtful(8)), Order::Unknown);
        assert!(doubtful(8).is_in_flight() && !doubtful(500).is_in_flight());
    }

    #[test]
    fn what_waits_in_either_direction_is_in_flight() {
        let idle = connection((20, 900), (90, 800), (90, 760));
        assert!(!idle.is_in_flight());
        assert!(Connection { unread: 3, ..idle.clone() }.is_in_flight());
        let mut stuck = idle.clone();
        stuck.traffic.as_mut().unwrap().unsent = Some(3);
        assert!(stuck.is_in_flight());
        // All was sent; that the peer takes its time to say so is no answer that is owed.
        assert!(!Connection { unacknowledged: 3, ..idle }.is_in_flight());
    }

    #[test]
    fn a_peer_that_has_left_owes_and_is_owed_as_before() {
        let left = |received, written, acknowledged| Connection {
            state: State::CloseWait,
            unread: 1,
            ..connection(received, written, acknowledged)
        };
        assert!(!left((1, 10), (0, 10), (0, 10)).is_in_flight());
        assert!(left((21, 900), (0, 1000), (0, 1000)).is_in_flight());
    }
}
