//! Becoming the one to whom orphans are handed when we are not PID 1.

use std::io;

/// Makes this process the reaper of its orphaned descendants, as PID 1 is by nature (prctl(2), PR_SET_CHILD_SUBREAPER).
///
/// # Errors
/// On kernels before 3.4 or where a sandbox forbids it.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}
