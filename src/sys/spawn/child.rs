//! The child, from its birth to its exec: it borrows our memory, and we stand still meanwhile.
//!
//! fork(2) would copy our page tables, and we and the child would then copy every page that either touches: half of what
//! a start costs us, and more with every instance that we hold. This is what posix_spawn(3) does, for the same reason; it
//! knows neither seccomp nor PR_SET_PDEATHSIG, or we would use it.
#![expect(unsafe_code, reason = "clone(2) that shares memory has no safe wrapper")]

use std::io;

use nix::errno::Errno;

use super::Stage;
use super::steps::Steps;
use crate::process::Pid;
use crate::sys::signals::Blocked;

/// Enough for the deepest of the steps, in an unoptimised build too; malloc takes it from the heap without a system call.
const STACK_BYTES: usize = 64 * 1024;

/// The status of a child that could not execute its program. Nobody sees it: the failure itself is handed over.
const FAILED: i32 = 127;

/// What we and the child share.
struct Life<'a> {
    steps: &'a mut Steps,
    failure: Option<(Stage, Errno)>,
}

/// Starts a child that takes `steps`, and returns once it has executed its program.
///
/// # Errors
/// Says which stage failed; there is no process then.
pub(super) fn start(steps: &mut Steps) -> Result<Pid, (Stage, Errno)> {
    let mut life = Life { steps, failure: None };
    // 16 bytes each, as the x86-64 and the arm64 ABI want a stack aligned. Not filled: most of it is never touched.
    let mut stack = Box::<[u128]>::new_uninit_slice(STACK_BYTES / size_of::<u128>());
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // A handler of ours that ran in the child would write to our memory. The child unblocks them with no handler left.
    let blocked = Blocked::all().map_err(fork_failed)?;
    // SAFETY: the kernel lets us go on only when the child has executed its program or ended (CLONE_VFORK), so nobody else
    // uses `life` and the stack while the child does, and they outlive its use of them. The child makes async-signal-safe
    // calls only, does not unwind, and returns from `live` into `_exit` without running anything of ours.
    let pid = unsafe {
        libc::clone(live, stack.as_mut_ptr_range().end.cast(), flags, (&raw mut life).cast::<libc::c_void>())
    };
    let pid = Errno::result(pid).map(Pid::new).map_err(|errno| (Stage::Fork, errno));
    drop(blocked);
    let pid = pid?;
    match life.failure {
        None => Ok(pid),
        Some(failure) => {
            bury(pid);
            Err(failure)
        }
    }
}

/// The life of the child.
extern "C" fn live(life: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `start` hands us a pointer to its `Life`, and does not touch it while we run.
    let life = unsafe { &mut *life.cast::<Life<'_>>() };
    life.failure = Some(life.steps.run());
    FAILED
}

fn fork_failed(error: io::Error) -> (Stage, Errno) {
    (Stage::Fork, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// Collects a child that has ended before it was anybody's worker.
fn bury(pid: Pid) {
    let pid = nix::unistd::Pid::from_raw(pid.as_raw());
    while nix::sys::wait::waitpid(pid, None) == Err(Errno::EINTR) {}
}
