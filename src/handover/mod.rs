//! How a worker comes by its socket, or tells that it is ready: the ways a platform and a worker agree on.

pub mod cluster;
pub mod notify;
