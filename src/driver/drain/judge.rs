//! Whether a request over a connection is unanswered, judged from the outside by looking at it again and again. Pure.
//!
//! In a protocol of requests and responses, such as HTTP/1, bytes that came after the last ones that were sent are a
//! request without an answer. Bytes that nobody has read, or that the peer has not acknowledged, show that something is
//! under way as well.
//!
//! What cannot be known so:
//!
//! - The kernel notes the times of the last bytes in its ticks, of 1 to 10 ms. A request that comes in the tick in which the
//!   answer before it was sent looks like one that was answered in that tick. If no look falls between the two, it is
//!   taken for unanswered for [`DOUBT`], and for answered from then on.
//! - An answer that has begun and pauses, as a stream of events does, looks finished once all of it that there is has
//!   arrived. So does one that the server has promised to push, and a WebSocket.
//! - Of several requests sent without waiting (pipelining, HTTP/2) the answer to one looks like the answer to all.

use core::time::Duration;

use crate::sys::diag::{Connection, DOUBT, Order, Reading};

/// A connection over which nothing has passed yet is expected to bring a request for so long.
const FRESH: Duration = Duration::from_millis(200);
/// Servers often send the head of an answer by itself. Only when nothing has followed for so long is it all.
const SETTLED: Duration = Duration::from_millis(20);

/// Whether to wait for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// All requests have been answered, as far as can be seen.
    Idle,
    /// One is unanswered, or may be.
    Busy,
}

/// What a look has shown, to compare the next one with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    received: u64,
    written: u64,
    order: Order,
}

/// Judges a connection by this look and the account of the one before, if there was one.
pub(super) fn judge(earlier: Option<&Account>, now: &Connection) -> (Account, Standing) {
    let Some(reading) = now.reading() else {
        let account = Account { received: 0, written: 0, order: Order::Unknown };
        let busy = now.unread > 0 || now.unacknowledged > 0;
        return (account, if busy { Standing::Busy } else { Standing::Idle });
    };
    let Reading { traffic, received, written, unread, farewell, .. } = reading;
    // An acknowledgement may also be that of a client which has asked already and only makes room for more: it is a hint for
    // those who count, and not enough to end a worker by.
    let is_within_a_tick = traffic.since_received == traffic.since_sent && (received == 0 || written > 0);
    let order =
        if is_within_a_tick { order_within_a_tick(earlier, received, written) } else { reading.order };
    let waits = match order {
        _ if unread > 0 || now.unacknowledged > 0 => true,
        _ if received == 0 => written == 0 && !farewell && traffic.since_received < FRESH,
        Order::Request => true,
        // It has its answer, and wants no more.
        _ if farewell => false,
        Order::Answer => traffic.since_sent < SETTLED,
        Order::Unknown => traffic.since_sent < DOUBT,
    };
    (Account { received, written, order }, if waits { Standing::Busy } else { Standing::Idle })
}

fn order_within_a_tick(earlier: Option<&Account>, received: u64, written: u64) -> Order {
    let Some(earlier) = earlier else { return Order::Unknown };
    match (received != earlier.received, written != earlier.written) {
        (false, false) => earlier.order,
        (true, false) => Order::Request,
        (false, true) => Order::Answer,
        (true, true) => Order::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::diag::{State, Traffic};

    /// So many bytes have come and were written, the last so many milliseconds ago.
    fn connection(received: (u64, u64), written: (u64, u64)) -> Connection {
        Connection {
            inode: Some(1),
            local: "127.0.0.1:80".parse().unwrap(),
            peer: "127.0.0.1:4000".parse().unwrap(),
            state: State::Established,
            unread: 0,
            unacknowledged: 0,
            traffic: Some(Traffic {
                received: received.0,
                acknowledged: written.0,
                sent: Some(written.0),
                segments_in_flight: 0,
                unsent: Some(0),
                // With the next request, or at once.
                since_acknowledged: Duration::from_millis(received.1),
                since_received: Duration::from_millis(received.1),
                since_sent: Duration::from_millis(written.1),
            }),
            options: None,
        }
    }

    fn standing(connection: &Connection) -> Standing {
        judge(None, connection).1
    }

    /// The standing at the last of several looks.
    fn standing_after(looks: &[Connection]) -> Standing {
        let mut last = None;
        for look in looks {
            last = Some(judge(last.as_ref().map(|(account, _)| account), look));
        }
        last.unwrap().1
    }

    #[test]
    fn a_request_that_came_after_the_last_answer_is_unanswered_however_long_ago() {
        assert_eq!(standing(&connection((20, 60_000), (90, 60_004))), Standing::Busy);
        assert_eq!(standing(&connection((20, 60_000), (0, 60_000))), Standing::Busy);
    }

    #[test]
    fn an_answer_is_given_when_nothing_has_followed_for_a_while() {
        assert_eq!(standing(&connection((20, 104), (90, 100))), Standing::Idle);
        assert_eq!(standing(&connection((20, 9), (90, 5))), Standing::Busy);
    }

    #[test]
    fn bytes_under_way_in_either_direction_are_waited_for() {
        let idle = connection((20, 900), (90, 800));
        assert_eq!(standing(&Connection { unread: 3, ..idle.clone() }), Standing::Busy);
        assert_eq!(standing(&Connection { unacknowledged: 3, ..idle.clone() }), Standing::Busy);
        // An old kernel tells no more than that.
        let old = Connection { traffic: None, ..idle };
        assert_eq!(standing(&old), Standing::Idle);
        assert_eq!(standing(&Connection { unread: 3, ..old }), Standing::Busy);
    }

    #[test]
    fn a_connection_that_brings_nothing_is_waited_for_only_while_it_is_new() {
        assert_eq!(standing(&connection((0, 10), (0, 10))), Standing::Busy);
        assert_eq!(standing(&connection((0, 5000), (0, 5000))), Standing::Idle);
        // The server has greeted.
        assert_eq!(standing(&connection((0, 10), (30, 9))), Standing::Idle);
    }

    #[test]
    fn a_peer_that_has_left_is_not_waited_for_but_for_its_request() {
        let left = |(received, ago): (u64, u64), written| Connection {
            state: State::CloseWait,
            unread: 1,
            ..connection((received + 1, ago), written)
        };
        assert_eq!(standing(&left((0, 10), (0, 10))), Standing::Idle);
        assert_eq!(standing(&left((20, 900), (90, 800))), Standing::Idle);
        assert_eq!(standing(&left((20, 900), (0, 1000))), Standing::Busy);
    }

    /// A client that has asked again within the tick in which it was answered may acknowledge more of the answer after that.
    #[test]
    fn a_later_acknowledgement_does_not_make_a_request_answered() {
        let mut asked = connection((40, 100), (90, 100));
        if let Some(traffic) = &mut asked.traffic {
            traffic.since_acknowledged = Duration::from_millis(90);
        }
        assert_eq!(standing(&asked), Standing::Busy);
    }

    #[test]
    fn what_came_within_one_tick_is_told_apart_by_the_look_before() {
        let asked = connection((20, 8), (0, 8));
        let answered = connection((20, 8), (90, 8));
        assert_eq!(standing_after(&[asked, connection((20, 40), (90, 40))]), Standing::Idle);
        let asked_again = connection((40, 2000), (90, 2000));
        assert_eq!(standing_after(&[answered, asked_again.clone(), asked_again]), Standing::Busy);
    }

    #[test]
    fn where_no_look_tells_them_apart_doubt_lasts_a_moment() {
        assert_eq!(standing(&connection((20, 300), (90, 300))), Standing::Busy);
        assert_eq!(standing(&connection((20, 600), (90, 600))), Standing::Idle);
        let looks = [connection((20, 8), (90, 8)), connection((40, 2), (180, 2))];
        assert_eq!(standing_after(&looks), Standing::Busy);
    }

    #[test]
    fn an_answer_that_was_on_its_way_and_has_arrived_is_not_waited_for_any_longer() {
        let sent = Connection { unacknowledged: 90, ..connection((20, 30), (0, 30)) };
        assert_eq!(standing(&sent), Standing::Busy);
        let arrived = connection((20, 600), (90, 600));
        assert_eq!(standing_after(&[sent, arrived]), Standing::Idle);
    }
}
