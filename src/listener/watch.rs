//! When the queues and connections are looked at, and what follows. As often as somebody connects, as far as the budget
//! goes; while somebody waits in a queue, by time as well; once more a moment after the last who came; and never else.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::budget::Budget;
use super::group::Group;
use super::registry::Listeners;
use super::steering::{Pace, Seen, Stuck};
use crate::spec::InstanceId;
use crate::sys::arrivals::Arrivals;
use crate::sys::diag::{Connection, Diag, Family};

/// The first look at a queue in which somebody waits follows after this; the next ones ever later.
const FIRST_TICK: Duration = Duration::from_millis(1);
/// After so long without anybody we do not know any more who holds how many, and should there be a crowd next, it must not
/// all go to the one that held fewest.
const QUIET: Duration = Duration::from_millis(100);

/// What is needed for looks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    arrivals: Option<Arrivals>,
    diag: Diagnosis,
    budget: Budget,
    /// When the next look is due whether or not somebody comes, if one is.
    tick: Option<Duration>,
    /// When somebody connected whom we have not looked at yet.
    arrived: Option<Duration>,
    /// When we looked last.
    last: Duration,
    /// How many connections the kernel had accepted by the last look.
    opened: Option<u64>,
    /// How many looks in a row have found somebody waiting.
    ticks: u32,
}

#[derive(Debug, Default)]
enum Diagnosis {
    #[default]
    Untried,
    Open(Diag),
    Unavailable,
}

impl Watch {
    /// What was seen does not hold any more. Where a thousand instances become ready one after the other, it is not looked at
    /// all of them a thousand times.
    pub(super) fn outdate(&mut self, is_watched: bool) {
        if is_watched {
            let soon = self.budget.next();
            self.tick = Some(self.tick.map_or(soon, |tick| tick.min(soon)));
        }
    }

    /// All connections to these addresses, and maybe others.
    fn connections(&mut self, addresses: &[SocketAddr]) -> Option<Vec<Connection>> {
        if matches!(self.diag, Diagnosis::Untried) {
            self.diag = Diag::open().map_or(Diagnosis::Unavailable, Diagnosis::Open);
        }
        let Diagnosis::Open(diag) = &mut self.diag else { return None };
        let mut all = Vec::new();
        for family in [Family::V4, Family::V6] {
            let of_it = addresses.iter().filter(|address| address.is_ipv4() == (family == Family::V4));
            let ports: BTreeSet<u16> = of_it.map(SocketAddr::port).collect();
            match diag.connections_of(family, &ports) {
                Ok(found) => all.extend(found),
                Err(_) => {
                    self.diag = Diagnosis::Unavailable;
                    return None;
                }
            }
        }
        Some(all)
    }

    /// How many connections will have come by the next look, if they keep coming as they did since the first of those that
    /// led to this one.
    fn coming(&mut self, now: Duration) -> u32 {
        let opened = passive_opens();
        let new = opened.zip(self.opened).map_or(1, |(opened, before)| opened.saturating_sub(before));
        self.opened = opened;
        let since = now.saturating_sub(self.arrived.unwrap_or(now)) + FIRST_TICK;
        let coming = u128::from(new) * self.budget.reach().as_nanos() / since.as_nanos();
        u32::try_from(coming).unwrap_or(u32::MAX).max(1)
    }

    /// When to look again.
    fn plan(&mut self, now: Duration, seen: &Seen, pace: Pace, patience: Duration) {
        self.ticks = if seen.waits { self.ticks + 1 } else { 0 };
        let longest = if seen.undecided { patience / 4 } else { patience };
        let tick = FIRST_TICK.saturating_mul(1 << self.ticks.min(16)).min(longest).max(FIRST_TICK);
        self.tick = match pace {
            _ if seen.waits => Some(now + tick),
            Pace::Some(_) => Some(now + QUIET),
            Pace::Quiet | Pace::Unknown => None,
        };
    }
}

impl Listeners {
    /// When [`Listeners::look`] is due, by the clock of its `now`.
    #[must_use]
    pub fn next_look(&self) -> Option<Duration> {
        let patience = self.balance().stall_after;
        let arrived = self.watch.arrived.map(|arrived| {
            // To count costs more than to look whether somebody waits.
            let queues = arrived.max(self.watch.last) + patience / 4;
            arrived.max(self.watch.budget.next()).min(queues)
        });
        arrived.into_iter().chain(self.watch.tick).min()
    }

    /// A descriptor that is readable when somebody has connected; call [`Listeners::arrived`] then.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn arrivals(&mut self) -> io::Result<OwnedFd> {
        self.watch.arrivals = Some(Arrivals::new()?);
        self.watch.arrivals.as_ref().expect("just made").descriptor()
    }

    /// Somebody has connected. If a look has to wait, we are not told of others until then.
    pub fn arrived(&mut self, now: Duration) {
        self.watch.arrived.get_or_insert(now);
        if self.next_look().is_some_and(|due| due > now)
            && let Some(arrivals) = &self.watch.arrivals
        {
            self.groups.iter_mut().for_each(|group| group.disarm(arrivals));
        }
    }

    /// Looks who waits and who holds how many connections, and steers accordingly. Returns where connections wait in vain.
    pub fn look(&mut self, now: Duration) -> Vec<Stuck> {
        let Some(arrivals) = self.watch.arrivals.take() else {
            (self.watch.tick, self.watch.arrived) = (None, None);
            return Vec::new();
        };
        let fired = arrivals.take();
        self.watch.last = now;
        let pace = self.count(now, &fired);
        let mut all = Seen::default();
        for group in self.groups.iter_mut().filter(|group| group.is_watched()) {
            let seen = group.look(now, &fired, &self.serving, &arrivals);
            all.stuck.extend(seen.stuck);
            all.waits |= seen.waits;
            all.undecided |= seen.undecided;
        }
        self.watch.arrivals = Some(arrivals);
        self.steer_all();
        let patience = self.balance().stall_after;
        self.watch.plan(now, &all, pace, patience);
        all.stuck
    }

    /// The last look, with what followed on it, has cost so much, and is over `now`.
    pub fn looked(&mut self, now: Duration, cost: Duration) {
        self.watch.budget.pay(now, cost);
    }

    fn count(&mut self, now: Duration, fired: &[u64]) -> Pace {
        let counted = self.groups.iter().filter(|group| group.is_counted());
        let addresses: Vec<SocketAddr> = counted.filter_map(|group| group.local().socket_addr()).collect();
        let came =
            !fired.is_empty() || self.watch.arrived.is_some() || !self.groups.iter().all(Group::is_armed);
        if addresses.is_empty() {
            self.watch.arrived = None;
            return Pace::Unknown;
        }
        if came {
            // Those whose word we have taken here are not told of any more.
            self.watch.arrived.get_or_insert(now);
        }
        // A look at the queues alone costs next to nothing.
        if self.watch.budget.next() > now || !came && self.watch.ticks > 0 {
            return Pace::Unknown;
        }
        let connections = self.watch.connections(&addresses);
        let pace = if came { Pace::Some(self.watch.coming(now)) } else { Pace::Quiet };
        self.watch.arrived = None;
        for group in self.groups.iter_mut().filter(|group| group.is_counted()) {
            group.count(connections.as_deref(), pace);
        }
        pace
    }

    /// The socket of `instance` for the address that the socket `inode` is bound to.
    #[must_use]
    pub fn sibling(&self, inode: u64, instance: InstanceId) -> Option<u64> {
        let (group, _) = self.find(inode)?;
        self.groups[group].inode_of(instance)
    }

    /// Accepts a connection that waits in the socket `inode`, to be served by `instance` instead.
    pub fn take_out(&mut self, inode: u64, instance: InstanceId) -> Option<OwnedFd> {
        let (group, position) = self.find(inode)?;
        self.groups[group].take_out(position, instance)
    }

    /// The instance accepts again, although its queue does not show it.
    pub fn forgive(&mut self, instance: InstanceId) {
        let forgiven = self.groups.iter_mut().map(|group| group.forgive(instance));
        if forgiven.fold(false, |any, forgiven| any | forgiven) {
            self.steer();
        }
    }

    /// Whether `instance` serves and accepts, as far as one can see.
    #[must_use]
    pub fn is_fit(&self, instance: InstanceId) -> bool {
        let mut groups = self.groups.iter().filter(|group| group.is_watched());
        groups.all(|group| group.is_fit(instance, &self.serving))
    }

    /// Whether new connections are kept away from `instance`.
    #[must_use]
    pub fn avoids(&self, instance: InstanceId) -> bool {
        self.groups.iter().any(|group: &Group| group.avoids(instance, &self.serving))
    }
}

/// How many connections this network namespace has accepted since its beginning.
fn passive_opens() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/snmp").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|name| name == "PassiveOpens")?;
    values.split(' ').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests;
