//! Who is connected to the workers, asked of the kernel: one question about all connections, whosever they are.
//!
//! A connection is a worker's when one of its processes has the socket open, and its local port is one on which a worker
//! listens. So it does not matter in which language the worker is written, how it came by its socket, and which of its
//! processes accepts.
//!
//! Both lists, that of the descriptors and that of the connections, are as long as there are connections, so that a look at 50,000
//! takes a third of a second. A costly look is not repeated before twenty times its cost have passed; until then, what
//! it has shown is told again.

use std::collections::BTreeMap;

use super::proc::Ticks;
use super::tally::{Owners, Tally};
use super::usage::{Clients, Key};
use crate::sys::diag::{Diag, Error};

/// So many times its own cost passes after a look: it takes a twentieth of a CPU at most.
const TIMES_ITS_COST: u64 = 19;

/// Looks, and remembers the last look.
#[derive(Debug, Default)]
pub(super) struct Look {
    diag: Diagnosis,
    /// When the next one may be made.
    next: Option<Ticks>,
    last: BTreeMap<Key, Option<Clients>>,
}

#[derive(Debug, Default)]
enum Diagnosis {
    #[default]
    Untried,
    Open(Diag),
    Unavailable,
}

impl Look {
    /// Whether it is time for a look.
    pub(super) fn is_due(&self, now: Option<Ticks>) -> bool {
        self.next.zip(now).is_none_or(|(next, now)| next <= now)
    }

    /// What the last look has shown of `key`.
    pub(super) fn last(&self, key: Key) -> Option<Clients> {
        self.last.get(&key).copied().flatten()
    }

    /// Looks at these workers, and notes when the next look may be made, by the clock `now`.
    pub(super) fn take(
        &mut self,
        owners: &Owners,
        began: Option<Ticks>,
        now: impl FnOnce() -> Option<Ticks>,
    ) {
        let tally = self.tally(owners).unwrap_or_else(|_| {
            // It will not tell later, either.
            self.diag = Diagnosis::Unavailable;
            None
        });
        for (at, key) in owners.keys().enumerate() {
            self.last.insert(key, tally.as_ref().and_then(|tally| tally.of(at)));
        }
        self.next = began.zip(now()).map(|(began, now)| {
            let cost = now.since(began).0;
            Ticks(now.0.saturating_add(cost.saturating_mul(TIMES_ITS_COST)))
        });
    }

    /// Forgets all but these.
    pub(super) fn retain(&mut self, is_known: impl Fn(&Key) -> bool) {
        self.last.retain(|key, _| is_known(key));
    }

    fn tally<'a>(&mut self, owners: &'a Owners) -> Result<Option<Tally<'a>>, Error> {
        if matches!(self.diag, Diagnosis::Untried) {
            self.diag = Diag::open().map_or(Diagnosis::Unavailable, Diagnosis::Open);
        }
        let Diagnosis::Open(diag) = &mut self.diag else { return Ok(None) };
        let mut tally = Tally::new(owners);
        let ports = tally.ports(&diag.listening()?);
        for (family, ports) in ports {
            diag.each_connection_of(family, &ports, |connection| tally.note(&connection))?;
        }
        // A kernel may know nothing of these.
        let names = tally.names(diag.unix_listening().unwrap_or_default());
        if !names.is_empty() {
            let accepted = diag.unix_accepted().unwrap_or_default();
            accepted.iter().filter(|socket| names.contains(&socket.name)).for_each(|it| tally.note_unix(it));
        }
        Ok(Some(tally))
    }
}
