//! What a worker needs at its spawn to speak with us: its end of the channel, and three variables. Pure.

use crate::spec::WorkerId;

/// The descriptor at which a worker finds its end of the channel; the one that Node uses itself.
pub const CHANNEL_FD: i32 = 3;

/// The agent's variable for the pid of the process whose descriptor [`CHANNEL_FD`] is a channel.
pub const OFFER: &str = "PMR_CHANNEL";

/// The agent's variable for the pid of the process that is asked for reports.
pub const REPORTS: &str = "PMR_REPORTS";

/// The agent's variable for the inode of the channel's end at that descriptor.
pub const INODE: &str = "PMR_CHANNEL_INODE";

/// The agent's variable for the number of a cluster worker whose channel it opens when it is needed.
pub const WORKER: &str = "PMR_WORKER";

/// Node takes all three out of the app's environment. What we were started with ourselves must not reach a worker.
pub const VARIABLES: [&str; 3] = ["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"];

/// How much of the protocol a worker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It asks us for its sockets; `cluster.isWorker` is true. It does not exit by itself when its work is done.
    Cluster,
    /// The same, as far as the app can see, but the channel is opened by the agent, and only once something needs it. A plain TCP
    /// server does not: its `bind` is intercepted. It exits by itself when its work is done.
    Deferred,
    /// It has `process.send` and no more; it listens by itself.
    MessagesOnly,
    /// The same, but the channel is opened by the agent, and only once the app looks for it.
    Offered,
}

/// The variables to set for `worker`, of [`VARIABLES`], or [`WORKER`]. `cluster.worker.id` becomes the worker's number.
#[must_use]
pub fn environment(membership: Membership, worker: WorkerId) -> Vec<(&'static str, String)> {
    let [channel, mode, id] = VARIABLES;
    match membership {
        Membership::Deferred => return vec![(WORKER, worker.to_string())],
        Membership::Offered => return Vec::new(),
        Membership::Cluster | Membership::MessagesOnly => {}
    }
    let mut variables = vec![(channel, CHANNEL_FD.to_string()), (mode, "json".to_owned())];
    if membership == Membership::Cluster {
        variables.push((id, worker.to_string()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_member_gets_an_id() {
        let full = environment(Membership::Cluster, WorkerId(7));
        assert!(full.contains(&("NODE_UNIQUE_ID", "7".to_owned())));
        assert!(full.contains(&("NODE_CHANNEL_FD", "3".to_owned())));
        assert!(full.contains(&("NODE_CHANNEL_SERIALIZATION_MODE", "json".to_owned())));
        let half = environment(Membership::MessagesOnly, WorkerId(7));
        assert_eq!(half[..], full[..2]);
        assert_eq!(environment(Membership::Offered, WorkerId(7)), []);
        assert_eq!(environment(Membership::Deferred, WorkerId(7)), [("PMR_WORKER", "7".to_owned())]);
    }
}
