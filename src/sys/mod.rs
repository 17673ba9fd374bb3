//! Every system call that std does not wrap, behind small safe functions; the only place with `unsafe` code.
//!
//! Nothing here decides anything. EINTR is retried here and nowhere else.

pub mod arrivals;
pub mod background;
pub mod channel;
pub mod descriptors;
pub mod detain;
pub mod diag;
pub mod evaluation;
pub mod executable;
pub mod filter;
pub mod guard;
pub mod heap;
pub mod inherited;
pub mod inspect;
pub mod low_fds;
pub mod mark;
pub mod members;
pub mod notification;
pub mod notify;
pub mod oom;
pub mod pages;
pub mod passing;
pub mod probe;
pub mod reap;
pub mod replace;
pub mod reuseport;
pub mod rights;
pub mod screen;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod subreaper;
pub mod terminal;
pub mod watch;
