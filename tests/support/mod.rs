//! What every end-to-end test uses: it starts the real binary in surroundings of its own, asks the servers that run
//! under it, waits for conditions with a deadline, and sees to it that no process is left behind.

#![expect(dead_code, reason = "each test file is a program of its own and uses its part of this module")]
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests have a clock and an environment, and wait for their own children"
)]

pub(crate) mod capture;
pub(crate) mod cgroup;
pub(crate) mod cluster;
pub(crate) mod control;
pub(crate) mod fixtures;
pub(crate) mod http;
pub(crate) mod launch;
pub(crate) mod load;
pub(crate) mod ports;
pub(crate) mod processes;
pub(crate) mod registry;
pub(crate) mod release;
pub(crate) mod reports;
pub(crate) mod runtime;
pub(crate) mod signals;
pub(crate) mod terminal;
pub(crate) mod tmux;
pub(crate) mod updates;
pub(crate) mod wait;
pub(crate) mod words;
