//! One worker that drains: when it has answered all, and the moment to ask it to end. Pure.
//!
//! ```text
//!           idle: hold it                     still idle, now that it stands still
//!   Free ----------------------> Held -----------------------------------------> done
//!     ^                            |
//!     +---- busy: let it go on ----+
//! ```
//!
//! Between a look and the signal a worker may accept another connection: where all instances share one queue it does so for as
//! long as it lives, and nothing can steer it away. So when it looks idle it is stopped (SIGSTOP) for a millisecond, and
//! looked at again. What is idle then is still idle when the signal comes, which ends it before it runs again.
//!
//! A worker that is busy without a pause has no such moment. It has answered what it had been asked when it began to drain,
//! and is asked to end a few seconds after that.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::judge::{Account, Standing, judge};
use crate::supervisor::Uptime;
use crate::sys::diag::Connection;

/// How long a worker that accepts nothing is left alone with what waits in its own queue.
const QUEUE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a moment is looked for in which nothing is unanswered, once all that was at first has been.
const MOMENT_WITHIN: Duration = Duration::from_secs(5);
/// How long a worker may take to stand still. It does once each of its threads has got a CPU, unless a system call of it
/// cannot be interrupted.
const HELD_WITHIN: Duration = Duration::from_secs(5);

/// What there was to see of one worker: of those of its processes that the signal would simply end.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    /// Whether somebody waits in a queue that only this worker takes from, and gets no more.
    pub(super) queued: bool,
    /// Whether one of them can accept connections.
    pub(super) listens: bool,
    /// Whether all of them stand still.
    pub(super) stopped: bool,
    /// The inodes of their sockets, other than listening ones of ours.
    pub(super) sockets: HashSet<u64>,
}

/// Connections by inode, as they were after the sight.
pub(super) type Connections<'a> = HashMap<u64, &'a Connection>;

/// Whether connections are to be looked at. That costs the more the more connections the machine has, closed ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    No,
    /// As soon as it does not cost too much.
    Soon,
    Now,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    /// Make it stand still, and look again at once.
    Hold,
    LetGo,
    /// Ask it to end.
    Done,
}

/// Whether it can be made to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    Possible,
    /// It has our terminal, and a shell would take it for suspended.
    Never,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    begun: Uptime,
    holding: Holding,
    /// Since when it is to stand still.
    held: Option<Uptime>,
    /// The connections of clients, as they were last looked at.
    accounts: HashMap<u64, Account>,
    /// Sockets that are none: to a database, say.
    others: HashSet<u64>,
    /// The connections that had a request unanswered at the first look at them, and have not been seen without one since.
    owed: Option<HashSet<u64>>,
    moment_until: Option<Uptime>,
}

impl Watch {
    pub(super) fn new(now: Uptime, holding: Holding) -> Self {
        let (accounts, others) = (HashMap::new(), HashSet::new());
        Self { begun: now, holding, held: None, accounts, others, owed: None, moment_until: None }
    }

    /// Whether the connections are to be looked at, too.
    pub(super) fn need(&self, now: Uptime, sight: &Sight) -> Need {
        let has_clients = sight.sockets.iter().any(|inode| self.accounts.contains_key(inode));
        if self.comes_to_stand(now, sight) || sight.sockets.is_subset(&self.others) {
            Need::No
        } else if self.owed.is_none() || self.held.is_some() && has_clients {
            Need::Now
        } else {
            Need::Soon
        }
    }

    /// Says what to do about what is seen now.
    pub(super) fn step(&mut self, now: Uptime, sight: &Sight, connections: Option<&Connections<'_>>) -> Step {
        if self.comes_to_stand(now, sight) {
            return Step::Wait;
        }
        let busy = match connections {
            Some(connections) => self.judge(sight, connections),
            // What came since the last look is a client that wants something; of the rest we cannot know.
            None => sight.sockets.difference(&self.others).copied().collect(),
        };
        if sight.queued && now.since(self.begun) < QUEUE_PATIENCE {
            return self.let_go();
        }
        if !sight.listens && sight.sockets.is_subset(&self.others) {
            return Step::Done;
        }
        match self.held {
            _ if !busy.is_empty() => {
                if self.has_had_its_time(now, &busy) {
                    Step::Done
                } else {
                    self.let_go()
                }
            }
            None if self.holding == Holding::Possible => {
                self.held = Some(now);
                Step::Hold
            }
            None | Some(_) => Step::Done,
        }
    }

    /// Whether it is to stand still, and may yet do so.
    fn comes_to_stand(&self, now: Uptime, sight: &Sight) -> bool {
        self.held.is_some_and(|since| !sight.stopped && now.since(since) < HELD_WITHIN)
    }

    fn let_go(&mut self) -> Step {
        if self.held.take().is_some() { Step::LetGo } else { Step::Wait }
    }

    /// The connections that have a request unanswered.
    fn judge(&mut self, sight: &Sight, connections: &Connections<'_>) -> HashSet<u64> {
        let mut accounts = HashMap::new();
        let mut busy = HashSet::new();
        self.others.clear();
        for &inode in &sight.sockets {
            let Some(connection) = connections.get(&inode) else {
                // A client's that was closed since the sight is none any more either: no other will get its number.
                self.others.insert(inode);
                continue;
            };
            let (account, standing) = judge(self.accounts.get(&inode), connection);
            accounts.insert(inode, account);
            if standing == Standing::Busy {
                busy.insert(inode);
            }
        }
        self.accounts = accounts;
        self.owed.get_or_insert_with(|| busy.clone());
        busy
    }

    /// Whether it has answered what it owed, and no better moment is to be waited for.
    fn has_had_its_time(&mut self, now: Uptime, busy: &HashSet<u64>) -> bool {
        let owed = self.owed.get_or_insert_default();
        owed.retain(|inode| busy.contains(inode));
        if !owed.is_empty() {
            return false;
        }
        *self.moment_until.get_or_insert(now.after(MOMENT_WITHIN)) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::diag::State;

    /// A connection is busy as long as something of it is unread.
    fn connection(inode: u64, unread: u32) -> Connection {
        let address = "127.0.0.1:80".parse().unwrap();
        Connection {
            inode: Some(inode),
            local: address,
            peer: address,
            state: State::Established,
            unread,
            unacknowledged: 0,
            traffic: None,
            options: None,
        }
    }

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    fn watch() -> Watch {
        Watch::new(at(0), Holding::Possible)
    }

    fn sight(sockets: &[u64]) -> Sight {
        Sight { listens: true, sockets: sockets.iter().copied().collect(), ..Sight::default() }
    }

    fn stopped(sockets: &[u64]) -> Sight {
        Sight { stopped: true, ..sight(sockets) }
    }

    /// A step with a look at these connections, which are all that the worker has.
    fn step(watch: &mut Watch, millis: u64, connections: &[Connection], stopped: bool) -> Step {
        let by_inode: Connections<'_> =
            connections.iter().filter_map(|one| Some((one.inode?, one))).collect();
        let sockets = by_inode.keys().copied().collect();
        let sight = Sight { listens: true, stopped, sockets, ..Sight::default() };
        watch.step(at(millis), &sight, Some(&by_inode))
    }

    #[test]
    fn an_idle_worker_is_held_and_looked_at_again_before_it_is_asked() {
        let (mut watch, idle) = (watch(), [connection(1, 0)]);
        assert_eq!(watch.need(at(0), &sight(&[1])), Need::Now);
        assert_eq!(step(&mut watch, 0, &idle, false), Step::Hold);
        assert_eq!(watch.need(at(1), &sight(&[1])), Need::No);
        assert_eq!(watch.need(at(1), &stopped(&[1])), Need::Now);
        assert_eq!(step(&mut watch, 1, &idle, false), Step::Wait);
        assert_eq!(step(&mut watch, 2, &idle, true), Step::Done);
    }

    #[test]
    fn one_that_has_accepted_meanwhile_goes_on() {
        let mut watch = watch();
        assert_eq!(step(&mut watch, 0, &[], false), Step::Hold);
        assert_eq!(step(&mut watch, 1, &[connection(2, 5)], true), Step::LetGo);
        assert_eq!(step(&mut watch, 9, &[connection(2, 5)], false), Step::Wait);
        assert_eq!(step(&mut watch, 19, &[], false), Step::Hold);
    }

    #[test]
    fn its_sockets_alone_show_that_it_has_no_client() {
        let mut watch = watch();
        // Socket 7 leads to a database; 1 is a client's.
        let (busy, both) = (connection(1, 5), sight(&[1, 7]));
        assert_eq!(watch.step(at(0), &both, Some(&HashMap::from([(1, &busy)]))), Step::Wait);
        assert_eq!(watch.need(at(1), &both), Need::Soon);
        assert_eq!(watch.need(at(1), &sight(&[])), Need::No);
        assert_eq!(watch.step(at(2), &sight(&[7, 8]), None), Step::Wait);
        assert_eq!(watch.need(at(3), &sight(&[7])), Need::No);
        assert_eq!(watch.step(at(4), &sight(&[7]), None), Step::Hold);
        assert_eq!(watch.step(at(5), &stopped(&[7, 9]), None), Step::LetGo);
        assert_eq!(watch.step(at(6), &sight(&[7]), None), Step::Hold);
        assert_eq!(watch.step(at(7), &stopped(&[7]), None), Step::Done);
    }

    #[test]
    fn one_that_does_not_stand_still_is_asked_all_the_same() {
        let mut watch = watch();
        let steps: Vec<_> = (0..30).map(|round| step(&mut watch, round * 200, &[], false)).collect();
        assert!(steps.contains(&Step::Done), "{steps:?}");
    }

    #[test]
    fn one_that_has_the_terminal_is_never_held() {
        let mut watch = Watch::new(at(0), Holding::Never);
        assert_eq!(step(&mut watch, 0, &[], false), Step::Done);
    }

    #[test]
    fn one_that_parts_with_its_clients_by_itself_is_asked_when_its_queue_is_empty() {
        let mut watch = watch();
        let by_itself = |queued| Sight { queued, ..Sight::default() };
        assert_eq!(watch.need(at(0), &by_itself(true)), Need::No);
        assert_eq!(watch.step(at(0), &by_itself(true), None), Step::Wait);
        assert_eq!(watch.step(at(10), &by_itself(false), None), Step::Done);
    }

    #[test]
    fn a_queue_from_which_nobody_takes_is_given_up() {
        let mut watch = watch();
        let queued = || Sight { queued: true, ..sight(&[]) };
        assert_eq!(watch.step(at(999), &queued(), None), Step::Wait);
        assert_eq!(watch.step(at(1000), &queued(), None), Step::Hold);
    }

    #[test]
    fn one_that_is_never_idle_has_answered_what_it_owed_and_a_little_more() {
        let mut watch = watch();
        // The first answer takes 8 s, and new requests come all the time.
        for ms in (0..8000).step_by(10) {
            let busy = [connection(1, 5), connection(ms + 2, 5)];
            assert_eq!(step(&mut watch, ms, &busy, false), Step::Wait);
        }
        for ms in (8000..13_000).step_by(10) {
            assert_eq!(watch.step(at(ms), &sight(&[ms]), None), Step::Wait);
        }
        assert_eq!(watch.step(at(13_000), &sight(&[13_000]), None), Step::Done);
    }
}
