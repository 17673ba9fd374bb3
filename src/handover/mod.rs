//! How a worker comes by its listening socket, and how it is asked to give it back.
//!
//! - [`choose`] picks the way; pure.
//! - [`cluster`]: Node's own cluster protocol, with us as the primary.
//! - [`intercept`]: answers the `bind` and `listen` of any other program.
//! - [`park`] holds a worker where it is about to listen.
//! - [`messages`]: what apps say by `process.send`, and what is said to them; pure.
//! - [`environment`] makes a worker's environment; pure. [`notify`] hears sd_notify's `READY=1`.
//! - [`agent`] is the small script that lets node workers drain, and opens their channel when it is looked for.
//! - [`insight`]: what a node worker finds out about itself when it is told to.
//!
//! Knows nothing of the supervisor: it is told which worker, and tells what that worker did.

pub mod agent;
pub mod choose;
pub mod cluster;
pub mod environment;
pub mod insight;
pub mod intercept;
pub mod messages;
pub mod notify;
pub mod park;
