//! What apps say by `process.send`, and what is said to them: in the words of pm2 and its libraries, and of socket.io's
//! cluster adapter. Pure.
//!
//! `read` tells what a message means, `reported` keeps what it adds up to, `tell` makes messages for the app, and
//! `allowance` bounds how much of what an app says is passed on. An app may say anything, as much as it likes.

pub mod allowance;
pub mod read;
pub mod reported;
pub mod tell;

pub use allowance::Allowance;
pub use read::{Adapter, Part, Teller, Told, Word, read};
pub use reported::{Aggregation, Figure, Kind, Number, Reported};
