//! Node's cluster protocol, with us as the primary: a `node` worker asks us for its listening socket over a channel.
//!
//! `codec` reads what a worker writes, `wanted` says what it asks for, `wire` what we write. `link` is the conversation,
//! `outbox` what waits to be said, `task` moves the bytes. `spawn` tells what a worker needs to be one, `recognise`
//! which commands can be.

pub mod codec;
pub mod link;
pub mod outbox;
pub mod recognise;
pub mod shared_data;
pub mod spawn;
pub mod task;
pub mod wanted;
pub mod wire;

pub use codec::{AddressType, Ignored, Listening, Query};
pub use link::{FromWorker, ServerId, ServersLeft};
pub use outbox::Taken;
pub use shared_data::SharedData;
pub use task::{ClusterLink, LinkState};
pub use wanted::{Errno, Wanted};
