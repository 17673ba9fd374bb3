//! One queue for all after all: for workers whose socket blocks when they bind it, and does not any more when they listen.
//!
//! ```text
//!  bind, blocking            listen, non-blocking, the first       listen, by another
//!  ───────────────▶ A B C D ─────────────────────────────▶ B ─────────────────────────▶ is given B in the place of its own
//! ```
//!
//! asyncio (uvicorn, hypercorn) and gunicorn do so. By the time of their `bind` each may have been given a socket of its own, for
//! all that we can know. Who binds after the first `listen` is given the one queue at once.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::group::{Group, Spread};
use super::registry::{Handed, Listeners};
use crate::spec::Balance;

impl Group {
    /// The worker that has the socket at `position` is about to listen. Says whether it is the queue of all from now on.
    pub(super) fn merge(&mut self, position: usize) -> bool {
        let is_free = self.spread == Spread::PerInstance && !self.is_listening();
        let wanted = is_free && self.steering.policy().way == Balance::Shared;
        if !wanted || !self.sockets[position].is_non_blocking() {
            return false;
        }
        let socket = self.sockets.swap_remove(position);
        self.former = Some(self.sockets.drain(..).map(|socket| socket.inode()).collect());
        self.sockets.push(socket);
        self.wanted = 1;
        self.spread = Spread::Shared;
        true
    }

    /// The sockets that were given up, by inode, if one queue was made of several.
    pub(super) fn former(&self) -> Option<&BTreeSet<u64>> {
        self.former.as_ref()
    }
}

impl Listeners {
    /// What a worker shall have in the place of the socket with this inode, which is given up.
    #[must_use]
    pub fn instead_of(&self, inode: u64) -> Option<Handed> {
        let is_former = |group: &&Group| group.former().is_some_and(|former| former.contains(&inode));
        let group = self.groups.iter().find(is_former)?;
        let socket = group.sockets().first()?;
        Some(Handed { socket: Rc::clone(socket.fd()), inode: socket.inode(), address: group.local().clone() })
    }
}
