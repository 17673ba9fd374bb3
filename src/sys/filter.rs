//! The seccomp filter that turns a worker's `bind` and `listen` into questions to us (seccomp_unotify(2)).
//!
//! It also reports two socket options that decide what a `bind` means and cannot be read from outside a process
//! without ptrace rights: IPV6_V6ONLY and SO_REUSEPORT. And it reports the question whether a socket listens
//! (SO_ACCEPTCONN): ours may listen already, and a program that finds so never calls `listen`.
//!
//! Everything a filter touches in a child before its exec is computed before; [`Filter::install`] only makes system
//! calls.
#![expect(unsafe_code, reason = "seccomp(2) and prctl(2) with raw arguments, in a child before its exec")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::thread::JoinHandle;

use nix::errno::Errno;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Calls of the x32 ABI have this bit in their number on x86-64; their numbers mean other calls.
const X32_BIT: u32 = 0x4000_0000;

// Offsets into `struct seccomp_data` (linux/seccomp.h); arguments are 64 bits wide, low half first on both machines.
const NR: u32 = 0;
const ARCH: u32 = 4;
const LEVEL: u32 = 24;
const OPTION: u32 = 32;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Jumps are relative: `jt`/`jf` count the instructions that are skipped.
const PROGRAM: [libc::sock_filter; 24] = [
    /*  0 */ instruction(LOAD, 0, 0, ARCH),
    /*  1 */ instruction(JUMP_EQUAL, 0, 20, AUDIT_ARCH),
    /*  2 */ instruction(LOAD, 0, 0, NR),
    /*  3 */ instruction(JUMP_AT_LEAST, 18, 0, X32_BIT),
    /*  4 */ instruction(JUMP_EQUAL, 18, 0, libc::SYS_bind as u32),
    /*  5 */ instruction(JUMP_EQUAL, 17, 0, libc::SYS_listen as u32),
    /*  6 */ instruction(JUMP_EQUAL, 0, 5, libc::SYS_getsockopt as u32),
    /*  7 */ instruction(LOAD, 0, 0, LEVEL),
    /*  8 */ instruction(JUMP_EQUAL, 0, 2, libc::SOL_SOCKET as u32),
    /*  9 */ instruction(LOAD, 0, 0, OPTION),
    /* 10 */ instruction(JUMP_EQUAL, 12, 0, libc::SO_ACCEPTCONN as u32),
    /* 11 */ instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    /* 12 */ instruction(JUMP_EQUAL, 0, 9, libc::SYS_setsockopt as u32),
    /* 13 */ instruction(LOAD, 0, 0, LEVEL),
    /* 14 */ instruction(JUMP_EQUAL, 0, 3, libc::SOL_SOCKET as u32),
    /* 15 */ instruction(LOAD, 0, 0, OPTION),
    /* 16 */ instruction(JUMP_EQUAL, 6, 0, libc::SO_REUSEPORT as u32),
    /* 17 */ instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    /* 18 */ instruction(JUMP_EQUAL, 0, 3, libc::IPPROTO_IPV6 as u32),
    /* 19 */ instruction(LOAD, 0, 0, OPTION),
    /* 20 */ instruction(JUMP_EQUAL, 2, 0, libc::IPV6_V6ONLY as u32),
    /* 21 */ instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    /* 22 */ instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    /* 23 */ instruction(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
];

/// The filter, ready to be put on the calling thread.
#[derive(Debug, Clone, Copy)]
pub struct Filter;

impl Filter {
    /// Puts the filter on the calling thread, which its descendants inherit, and returns the raw, close-on-exec
    /// descriptor on which the questions arrive. Async-signal-safe.
    ///
    /// Without CAP_SYS_ADMIN it needs `no_new_privs`, which is set only then: it keeps set-user-ID programs from
    /// working.
    ///
    /// # Errors
    /// The errno of seccomp(2): EBUSY where another filter with a listener is in place, EINVAL or ENOSYS where the
    /// kernel has no such thing, EPERM where a sandbox forbids it.
    pub fn install(self) -> Result<RawFd, Errno> {
        match install_with_best_flags() {
            Err(Errno::EACCES) => {
                // SAFETY: prctl(2) with plain integers.
                Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
                install_with_best_flags()
            }
            outcome => outcome,
        }
    }

    /// Begins to find out whether a filter can be had here. Where a filter is in place already, which may forbid or preclude
    /// another, it is tried on a thread of its own, which takes the filter to its end.
    #[must_use]
    pub fn probe() -> Probe {
        if nothing_is_in_its_way() {
            return Probe::Certain;
        }
        let attempt = std::thread::Builder::new().stack_size(64 * 1024).spawn(|| {
            let listener = Filter.install()?;
            // SAFETY: the descriptor was just made for us and is owned by nobody else.
            drop(unsafe { OwnedFd::from_raw_fd(listener) });
            Ok(())
        });
        Probe::Attempt(attempt)
    }
}

/// Whether no filter is in place (prctl(2), PR_GET_SECCOMP), and the kernel knows of listeners (seccomp(2),
/// SECCOMP_GET_ACTION_AVAIL).
fn nothing_is_in_its_way() -> bool {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: prctl(2) with a plain integer.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) };
    // SAFETY: `action` is a number that the kernel reads, and outlives the call.
    mode == 0
        && unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) }
            == 0
}

/// A trial under way.
#[derive(Debug)]
pub enum Probe {
    /// No trial is needed.
    Certain,
    Attempt(io::Result<JoinHandle<Result<(), Errno>>>),
}

impl Probe {
    /// Waits for the outcome, which is a matter of microseconds.
    ///
    /// # Errors
    /// As for [`Filter::install`], or when no thread can be had.
    pub fn outcome(self) -> io::Result<()> {
        match self {
            Self::Certain => Ok(()),
            Self::Attempt(attempt) => Ok(attempt?.join().unwrap_or(Err(Errno::EINVAL))?),
        }
    }
}

/// WAIT_KILLABLE_RECV (Linux 5.19) keeps other signals, such as Go's for preemption, from restarting a `bind` that we
/// are answering. SPEC_ALLOW spares the worker the mitigation for speculative execution that a filter turns on.
fn install_with_best_flags() -> Result<RawFd, Errno> {
    let base = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    match set_filter(base | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::EINVAL) => set_filter(base),
        outcome => outcome,
    }
}

fn set_filter(flags: libc::c_ulong) -> Result<RawFd, Errno> {
    let program = libc::sock_fprog { len: PROGRAM.len() as u16, filter: PROGRAM.as_ptr().cast_mut() };
    // SAFETY: the program and the instructions that it points to live until the call returns; the kernel copies and
    // only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    Errno::result(result).map(|fd| fd as RawFd)
}
