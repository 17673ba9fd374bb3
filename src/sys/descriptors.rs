//! How many descriptors we may have open: as many as we are allowed to, while workers keep the limit that we were given.
//!
//! A worker costs us three or four, so that the usual 1024 would do for some 300. But a program that finds a higher limit than the
//! platform gave may break: some close every number up to it, and select(2) knows of no more than 1024.

use std::io;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// The limit that we were given, once it was raised.
static GIVEN: OnceLock<Limit> = OnceLock::new();

/// A limit on the number of descriptors, ready to be set.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    soft: rlim_t,
    hard: rlim_t,
}

impl Limit {
    /// Sets it for this process. Async-signal-safe.
    ///
    /// # Errors
    /// When the hard limit was lowered meanwhile.
    pub fn set(self) -> Result<(), Errno> {
        setrlimit(Resource::RLIMIT_NOFILE, self.soft, self.hard)
    }
}

/// Raises our own limit as far as we may. To be called before the first worker is started.
///
/// # Errors
/// When the kernel or a sandbox refuses it; then all stays as it was.
pub fn raise() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        Limit { soft: hard, hard }.set()?;
        // Called a second time, it keeps what was found at first.
        let _known = GIVEN.set(Limit { soft, hard });
    }
    Ok(())
}

/// What a process that we start is to have: the limit that we were given, where it is not the one that we have.
#[must_use]
pub fn given() -> Option<Limit> {
    GIVEN.get().copied()
}
