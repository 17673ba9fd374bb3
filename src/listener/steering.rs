//! Steering within the sockets of one address: who gets new connections, by who serves, accepts, and holds how many.
//!
//! Looks are taken when somebody connects, and again while somebody waits in a queue; see `registry::Listeners::look`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;

use super::group::{Group, Spread};
use super::shares::{Candidate, Health, best_health, shares};
use super::socket::{Blocking, mark_of};
use super::stall::{Queue, Standing};
use super::steer::Choice;
use crate::spec::{Balance, BalancePolicy, InstanceId};
use crate::sys::arrivals::Arrivals;
use crate::sys::diag::Connection;
use crate::sys::mark;
use crate::sys::reuseport::attach_program;
use crate::sys::socket::accept;

/// The instances that serve; `None`: all of them.
pub(super) type Serving = Option<BTreeSet<InstanceId>>;

/// What is known for the choice, and what was chosen.
#[derive(Debug)]
pub(super) struct Steering {
    policy: BalancePolicy,
    /// By position, as far as they were looked at.
    watched: Vec<Watched>,
    /// By position: how many connections each has, if that is known.
    held: Option<Vec<u32>>,
    /// How many connections will come before the next look.
    coming: u32,
    /// What the program in the kernel says; `None` where there is none of ours.
    attached: Option<Choice>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    queue: Queue,
    /// Whether we are told when somebody connects.
    armed: bool,
}

/// How many connections come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// So many will have come by the next look.
    Some(u32),
    /// None at present. The next one leads to a look at once.
    Quiet,
    /// It was not looked at.
    Unknown,
}

/// One in so many of the connections that there are may be off the mark.
const CROWD: u32 = 32;

/// A queue whose connections nobody will accept soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// Of the listening socket.
    pub inode: u64,
    pub instance: InstanceId,
    pub waiting: u32,
}

/// What a look has found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) stuck: Vec<Stuck>,
    /// Whether somebody waits, so that another look is due.
    pub(super) waits: bool,
    /// Whether some of those who wait may soon be found to wait in vain.
    pub(super) undecided: bool,
}

impl Steering {
    pub(super) fn new(policy: BalancePolicy) -> Self {
        Self { policy, watched: Vec::new(), held: None, coming: 1, attached: None }
    }

    pub(super) fn resume(policy: BalancePolicy, indexes: Option<BTreeSet<u32>>) -> Self {
        Self { attached: indexes.map(Choice::Any), ..Self::new(policy) }
    }

    pub(super) fn policy(&self) -> BalancePolicy {
        self.policy
    }

    /// The indexes chosen, where each gets as much as any other. What else there is is chosen anew by the next program.
    pub(super) fn indexes(&self) -> Option<BTreeSet<u32>> {
        match &self.attached {
            Some(Choice::Any(indexes)) => Some(indexes.clone()),
            Some(Choice::Parts(_) | Choice::ByClient(_)) | None => None,
        }
    }

    pub(super) fn forget_program(&mut self) {
        self.attached = None;
    }

    fn standing(&self, position: usize) -> Standing {
        self.watched.get(position).map_or(Standing::Accepts, |watched| watched.queue.standing())
    }
}

impl Group {
    /// Whether its sockets are to be looked at: there is something to choose.
    pub(super) fn is_watched(&self) -> bool {
        self.spread == Spread::PerInstance && self.is_listening() && self.wanted > 1
    }

    /// Whether it matters who holds how many.
    pub(super) fn is_counted(&self) -> bool {
        self.is_watched() && self.steering.policy.way == Balance::Even
    }

    /// Steers new connections to those of `serving` that accept, or as near to that as can be. Fails where the kernel
    /// offers no steering.
    pub(super) fn steer(&mut self, serving: &Serving) -> Result<(), Errno> {
        let is_group = self.spread == Spread::PerInstance || self.former().is_some();
        if !is_group || self.order.is_empty() {
            return Ok(());
        }
        let choice = self.choose(serving);
        // A program is put there even if it names all of ours: a stranger who joins the group then gets nothing.
        if self.steering.attached.as_ref() != Some(&choice) {
            let program = choice.program().ok_or(Errno::E2BIG)?;
            attach_program(&self.sockets[0], &program)?;
            self.steering.attached = Some(choice);
        }
        Ok(())
    }

    fn choose(&self, serving: &Serving) -> Choice {
        let listening: Vec<(u32, usize)> = (0..)
            .zip(&self.order)
            .filter(|&(_, &at)| at < self.wanted)
            .map(|(index, &at)| (index, at))
            .collect();
        let candidates: Vec<Candidate> =
            listening.iter().map(|&(_, position)| self.candidate(position, serving)).collect();
        let best = best_health(&candidates);
        let fit = listening.iter().zip(&candidates).filter(|(_, candidate)| candidate.health == best);
        match self.steering.policy.way {
            Balance::Sticky => {
                Choice::ByClient(fit.map(|(&(index, at), _)| (index, number_of(at).0)).collect())
            }
            Balance::Even if self.steering.held.is_some() => {
                let parts = shares(&candidates, self.steering.coming);
                let parts = listening.iter().zip(parts).filter(|(_, part)| *part > 0);
                simplest(parts.map(|(&(index, _), part)| (index, part)).collect())
            }
            Balance::Even | Balance::Shared => Choice::Any(fit.map(|(&(index, _), _)| index).collect()),
        }
    }

    fn candidate(&self, position: usize, serving: &Serving) -> Candidate {
        let held = self.steering.held.as_ref().and_then(|held| held.get(position)).copied();
        let health = self.health(position, serving);
        Candidate { held: held.unwrap_or(0), health }
    }

    /// What a client has in an instance is worth more than a short wait: so a stall does not count where clients are to stay.
    fn health(&self, position: usize, serving: &Serving) -> Health {
        let serves = serving.as_ref().is_none_or(|serving| serving.contains(&number_of(position)));
        let stalled = self.steering.policy.way != Balance::Sticky
            && self.steering.standing(position) != Standing::Accepts;
        match (serves, stalled) {
            (false, _) => Health::Away,
            (true, true) => Health::Stalled,
            (true, false) => Health::Fit,
        }
    }

    /// Whether `instance` gets none of the new connections, although it listens.
    pub(super) fn avoids(&self, instance: InstanceId, serving: &Serving) -> bool {
        let listening = || self.order.iter().copied().filter(|&position| position < self.wanted);
        let best = listening().map(|position| self.health(position, serving)).min();
        self.is_watched()
            && listening().any(|position| {
                number_of(position) == instance && Some(self.health(position, serving)) != best
            })
    }

    /// Whether `instance` serves and accepts.
    pub(super) fn is_fit(&self, instance: InstanceId, serving: &Serving) -> bool {
        usize::try_from(instance.0).is_ok_and(|position| self.health(position, serving) == Health::Fit)
    }

    /// Whether we are told of whoever connects, so that nobody can have come without our knowing.
    pub(super) fn is_armed(&self) -> bool {
        !self.is_watched()
            || self
                .order
                .iter()
                .filter(|&&position| position < self.wanted)
                .all(|&position| self.steering.watched.get(position).is_some_and(|watched| watched.armed))
    }

    /// Takes note how many connections each socket has. `None`: that is not to be known.
    pub(super) fn count(&mut self, connections: Option<&[Connection]>, pace: Pace) {
        self.steering.held = connections.and_then(|connections| self.held(connections));
        let held = self.steering.held.iter().flatten().fold(0_u32, |sum, held| sum.saturating_add(*held));
        let coming = match pace {
            Pace::Some(coming) => coming,
            Pace::Quiet | Pace::Unknown => 2 * u32::try_from(self.wanted).unwrap_or(u32::MAX / 2),
        };
        // With many, being even to the last one is not worth that all of a crowd go to one instance.
        self.steering.coming = coming.max(held / CROWD);
    }

    fn held(&self, connections: &[Connection]) -> Option<Vec<u32>> {
        let local = self.local.socket_addr()?;
        let mut by_mark = [0_u32; mark::NUMBERS as usize];
        for connection in connections.iter().filter(|connection| is_at(local, connection.local)) {
            by_mark[usize::from(mark::number(connection.options?.0))] += 1;
        }
        // Sockets with the same mark are taken to have equal parts.
        let with_mark = |mark: u8| (0..self.wanted).filter(|&at| mark_of(at) == mark).count();
        let held = |position: usize| {
            let mark = mark_of(position);
            by_mark[usize::from(mark)] / u32::try_from(with_mark(mark)).unwrap_or(u32::MAX).max(1)
        };
        Some((0..self.wanted).map(held).collect())
    }

    /// Looks at the queues, and has us told again when somebody connects. `fired` are the inodes of those sockets of which we
    /// were told.
    pub(super) fn look(
        &mut self,
        now: Duration,
        fired: &[u64],
        serving: &Serving,
        arrivals: &Arrivals,
    ) -> Seen {
        let mut seen = Seen::default();
        self.steering.watched.resize(self.sockets.len(), Watched::default());
        for position in self.order.clone().into_iter().filter(|&position| position < self.wanted) {
            let health = self.health(position, serving);
            let socket = &self.sockets[position];
            let waiting = socket.queue().map_or(0, |queue| queue.waiting);
            let watched = &mut self.steering.watched[position];
            watched.armed &= !fired.contains(&socket.inode());
            if health == Health::Away {
                watched.queue.forgive();
            } else {
                watched.queue.observe(now, waiting, self.steering.policy.stall_after);
            }
            let standing = watched.queue.standing();
            if waiting == 0 {
                // A socket that cannot be watched is steered as if nobody ever came.
                watched.armed = watched.armed || arrivals.watch(socket, socket.inode()).is_ok();
                continue;
            }
            let is_stuck = health == Health::Away || standing == Standing::Stalled;
            seen.waits = true;
            seen.undecided |= !is_stuck;
            if is_stuck {
                seen.stuck.push(Stuck { inode: socket.inode(), instance: number_of(position), waiting });
            }
        }
        seen
    }

    /// Has us told no more when somebody connects, until the next look.
    pub(super) fn disarm(&mut self, arrivals: &Arrivals) {
        for (socket, watched) in self.sockets.iter().zip(&mut self.steering.watched) {
            if watched.armed {
                // Else it is gone, and tells nothing either.
                let _gone = arrivals.ignore(socket);
                watched.armed = false;
            }
        }
    }

    /// The socket of `instance`.
    pub(super) fn inode_of(&self, instance: InstanceId) -> Option<u64> {
        let position = usize::try_from(instance.0).ok().filter(|&position| position < self.wanted)?;
        self.sockets.get(position).map(super::socket::Socket::inode)
    }

    /// Accepts what waits in the socket at `position`, for `instance` to serve. `None`: nobody waits, or our waiting for it
    /// cannot be ruled out.
    pub(super) fn take_out(&mut self, position: usize, instance: InstanceId) -> Option<OwnedFd> {
        let socket = self.sockets.get(position).filter(|socket| socket.blocking() == Blocking::No)?;
        let connection = accept(socket).ok()?;
        if self.steering.policy.way == Balance::Even {
            let position = usize::try_from(instance.0).unwrap_or(usize::MAX);
            // It counts for the instance that will have it; else for the one that would have had it.
            let _miscounted = mark::mark(&connection, mark_of(position));
        }
        if let Some(watched) = self.steering.watched.get_mut(position) {
            watched.queue.take_out(1);
        }
        Some(connection)
    }

    /// The instance accepts again, as something else than its queue has shown. Says whether it was taken not to.
    pub(super) fn forgive(&mut self, instance: InstanceId) -> bool {
        let position = usize::try_from(instance.0).unwrap_or(usize::MAX);
        let Some(watched) = self.steering.watched.get_mut(position) else { return false };
        let was = watched.queue.standing();
        watched.queue.forgive();
        was != Standing::Accepts
    }
}

fn number_of(position: usize) -> InstanceId {
    InstanceId(u32::try_from(position).unwrap_or(u32::MAX))
}

/// Equal parts need no table.
fn simplest(parts: BTreeMap<u32, u32>) -> Choice {
    let mut values = parts.values();
    let first = values.next();
    if values.all(|part| Some(part) == first) {
        Choice::Any(parts.into_keys().collect())
    } else {
        Choice::Parts(parts)
    }
}

/// Whether a connection to `actual` has come through a socket that is bound to `bound`.
fn is_at(bound: SocketAddr, actual: SocketAddr) -> bool {
    let is_any = bound.ip().is_unspecified();
    bound.port() == actual.port() && (is_any || bound.ip().to_canonical() == actual.ip().to_canonical())
}
