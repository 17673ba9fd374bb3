//! Workers that cannot bind the port, because of the way in which they were to share it. Pure.

use crate::handover::choose::Way;

/// What programs say when an address is taken: C and what is built on it, Node, Go and Rust.
const SIGNS: [&str; 3] = ["EADDRINUSE", "ddress already in use", "AddrInUse"];

/// What to do about it, where our workers collide with one another or with us; `None` where nobody but a stranger can have
/// the port.
pub(super) fn remedy(way: Way, instances: u32) -> Option<&'static str> {
    match way {
        Way::None if instances > 1 => Some(
            "the workers take the port from one another, because `--share none` leaves it to each: drop that option so \
             that they share it, or start a single instance (`-i 1`)",
        ),
        Way::Reuseport if instances > 1 => Some(
            "the workers take the port from one another, because the app does not set SO_REUSEPORT on its socket, and \
             `--share reuseport` relies on that: drop that option, or let the app set it",
        ),
        Way::Activation => Some(
            "the app binds the port itself, but it is taken: with `--share activation` we hold it, and the app is to take \
             it from descriptor 3 as LISTEN_FDS says (sd_listen_fds(3)). Drop that option if the app does not know of it",
        ),
        Way::None | Way::Reuseport | Way::Cluster(_) | Way::Intercept => None,
    }
}

/// Whether the last lines of a worker say that an address was taken.
pub(super) fn is_told_in(tail: &[String]) -> bool {
    tail.iter().any(|line| SIGNS.iter().any(|sign| line.contains(sign)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::choose::Interception;

    #[test]
    fn a_taken_port_is_recognised_in_what_programs_say() {
        for line in [
            "OSError: [Errno 98] Address already in use",
            "Error: listen EADDRINUSE: address already in use :::5000",
            "listen tcp :5000: bind: address already in use",
            "Os { code: 98, kind: AddrInUse, message: \"Address in use\" }",
        ] {
            assert!(is_told_in(&["Traceback".to_owned(), line.to_owned()]), "{line}");
        }
        assert!(!is_told_in(&["connection refused".to_owned()]));
    }

    #[test]
    fn only_ways_in_which_workers_collide_have_a_remedy() {
        for way in [Way::Intercept, Way::Cluster(Interception::On)] {
            assert_eq!(remedy(way, 2), None);
        }
        assert_eq!((remedy(Way::None, 1), remedy(Way::Reuseport, 1)), (None, None));
        for (way, option) in [(Way::None, "`--share none`"), (Way::Reuseport, "`--share reuseport`")] {
            assert!(remedy(way, 2).is_some_and(|text| text.contains(option)), "{way}");
        }
        assert!(remedy(Way::Activation, 1).is_some_and(|text| text.contains("LISTEN_FDS")));
    }
}
