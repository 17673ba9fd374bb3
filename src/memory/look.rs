//! What a look at the memory shows, and what may follow.

use crate::spec::WorkerKey;
use crate::supervisor::{Remedy, Strain};

/// What a look has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Bytes in use, of those that the limit is for.
    pub used: u64,
    /// All workers that live; empty where they were not weighed.
    pub workers: Vec<Weight>,
}

/// A worker that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    pub worker: WorkerKey,
    /// What it has, with all that descends from it.
    pub bytes: u64,
    /// Whether it serves, and nothing is about to take its place.
    pub serves: bool,
    /// Whether its app may go on with fewer: their number was estimated, and nobody has asked for it.
    pub may_be_fewer: bool,
    /// Whether its app lets workers be replaced for this.
    pub is_guarded: bool,
}

/// Whom the supervisor of its app is to hear of, and what it is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strained {
    pub worker: WorkerKey,
    pub strain: Strain,
    pub remedy: Remedy,
}
