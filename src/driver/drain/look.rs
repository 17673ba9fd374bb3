//! What the kernel and /proc show of the workers that drain.
//!
//! A connection belongs to the processes that have its socket open. It counts where such a process would simply end at the
//! stop signal. One that handles the signal, as our agent does in Node workers, parts with its clients by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::watch::Sight;
use crate::listener::Retired;
use crate::process::{Pid, Signal};
use crate::spec::WorkerId;
use crate::sys::diag::{Connection, Diag, Error};
use crate::sys::inspect::{self, Sockets};
use crate::sys::members::{self, Dispositions};

/// These catch the stop signal for their own sake, and then end at once, unless the program wants to hear of it, which we cannot
/// see. (So does Node, where our agent sees to it.)
const CATCH_FOR_THEMSELVES: [&str; 2] = ["deno", "java"];
/// The same holds for a program in Go, whatever its name: its runtime catches nearly every signal. No program does so by itself.
const CAUGHT_BY_GO: u32 = 40;

/// Who is looked at, and where its clients come in.
#[derive(Debug)]
pub(super) struct Subject {
    /// Its process group.
    pub(super) group: Pid,
    pub(super) signal: Signal,
    pub(super) ports: BTreeSet<u16>,
    /// The inodes of the listening sockets from which it may accept.
    pub(super) listening: HashSet<u64>,
    /// The queues that only it takes from.
    pub(super) queues: Vec<Retired>,
    /// Whether it was made to stand still.
    pub(super) held: bool,
}

/// All connections to the ports of these.
pub(super) fn connections<'a>(subjects: impl Iterator<Item = &'a Subject>) -> Result<Vec<Connection>, Error> {
    let ports = subjects.flat_map(|subject| &subject.ports).copied().collect();
    Diag::open()?.connections(&ports)
}

/// One look at each of `subjects`.
pub(super) fn sights(subjects: &BTreeMap<WorkerId, &Subject>) -> HashMap<WorkerId, Sight> {
    let members = members::of_groups(&subjects.values().map(|subject| subject.group).collect());
    let members = |group| members.get(&group).map(Vec::as_slice).unwrap_or_default();
    subjects.iter().map(|(&id, subject)| (id, sight(subject, members(subject.group)))).collect()
}

fn sight(subject: &Subject, members: &[Pid]) -> Sight {
    let queued = !subject.queues.iter().all(Retired::is_drained);
    let mut sight = Sight { queued, stopped: subject.held, ..Sight::default() };
    for &pid in members.iter().filter(|&&pid| simply_ends(pid, subject.signal)) {
        // Before its sockets are looked at: it might accept another in between.
        sight.stopped = sight.stopped && members::is_stopped(pid);
        // What is closed to us cannot be waited for.
        let Sockets::Open(inodes) = inspect::sockets(pid) else { continue };
        for inode in inodes {
            if subject.listening.contains(&inode) {
                sight.listens = true;
            } else {
                sight.sockets.insert(inode);
            }
        }
    }
    sight
}

fn simply_ends(pid: Pid, signal: Signal) -> bool {
    members::dispositions(pid).is_some_and(|dispositions| {
        let Dispositions { caught, ignored } = dispositions;
        let by_itself = caught.count_ones() < CAUGHT_BY_GO
            && members::program(pid)
                .is_none_or(|program| !CATCH_FOR_THEMSELVES.iter().any(|known| program == *known));
        !Dispositions { caught: if by_itself { caught } else { 0 }, ignored }.withstands(signal)
    })
}
