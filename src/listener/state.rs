//! What is known of the sockets between two programs of one process, in a form that can be handed over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::group::Spread;
use super::socket::Blocking;
use super::unix::SocketFile;
use crate::spec::{BalancePolicy, InstanceId};

/// All sockets. Which numbers they have only the process knows that made this.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListenersState {
    pub(super) groups: Vec<GroupState>,
    pub(super) instances: u32,
    pub(super) serving: Option<BTreeSet<InstanceId>>,
    pub(super) steering_available: bool,
    #[serde(default)]
    pub(super) balance: BalancePolicy,
}

/// Those of one address; see `Group`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupState {
    pub(super) key: Address,
    pub(super) local: Address,
    pub(super) spread: Spread,
    pub(super) sockets: Vec<SocketState>,
    pub(super) wanted: usize,
    pub(super) abandoned: BTreeSet<usize>,
    pub(super) file: Option<SocketFile>,
    pub(super) listening: bool,
    pub(super) order: Vec<usize>,
    pub(super) steered: Option<BTreeSet<u32>>,
    #[serde(default)]
    pub(super) former: Option<BTreeSet<u64>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketState {
    pub(super) descriptor: i32,
    pub(super) blocking: Blocking,
}
