//! The questions of a seccomp filter with a listener: receiving and answering them (seccomp_unotify(2)).
#![expect(unsafe_code, reason = "the ioctls of a seccomp listener have no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watch::watch;
use crate::process::Pid;

/// A system call that waits for our answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    id: u64,
    /// The calling thread, in our pid namespace.
    pub thread: Pid,
    pub call: Call,
}

/// Which call, with the arguments that matter. Descriptors and addresses are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    Bind {
        fd: RawFd,
        address: u64,
        length: u64,
    },
    Listen {
        fd: RawFd,
    },
    /// `getsockopt(SOL_SOCKET, SO_ACCEPTCONN)`.
    AskListening {
        fd: RawFd,
    },
    /// `setsockopt(IPPROTO_IPV6, IPV6_V6ONLY)`; the value stands at `value`.
    SetOnlyV6 {
        fd: RawFd,
        value: u64,
    },
    /// `setsockopt(SOL_SOCKET, SO_REUSEPORT)`; the value stands at `value`.
    SetReusePort {
        fd: RawFd,
        value: u64,
    },
}

/// Our end of one worker's filter, watched by the event loop.
#[derive(Debug)]
pub struct Listener(AsyncFd<OwnedFd>);

/// What reading a listener gave.
#[derive(Debug)]
enum Received {
    Question(Notification),
    /// A question that is none for us, which was let go on, or is not there any more; or we were interrupted.
    Passed,
    Nothing,
    /// The last process under the filter has ended.
    Closed,
}

/// Who asks waits until it is answered, so its CPU is free for us; to wake another one that sleeps takes longer than the whole
/// answer (Linux 6.6, seccomp_unotify(2)). Older kernels refuse, and wake as they please.
fn wake_where_asked(fd: &OwnedFd) {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: the ioctl takes its argument by value.
    let _refused = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
}

impl Listener {
    /// Watches the descriptor that [`super::filter::Filter::install`] made.
    ///
    /// # Errors
    /// When the event loop refuses it.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        wake_where_asked(&fd);
        Ok(Self(watch(fd, Interest::READABLE)?))
    }

    /// Waits for a question; `None` when the last process under the filter has ended. Cancel-safe.
    ///
    /// # Errors
    /// When the kernel refuses the listener altogether.
    pub async fn next(&self) -> io::Result<Option<Notification>> {
        loop {
            let mut guard = self.0.readable().await?;
            match self.receive()? {
                Received::Question(question) => return Ok(Some(question)),
                Received::Closed => return Ok(None),
                // Others may be waiting behind it.
                Received::Passed => {}
                Received::Nothing => guard.clear_ready(),
            }
        }
    }

    /// Takes one question, if there is one. Never blocks.
    fn receive(&self) -> io::Result<Received> {
        // The kernel's receive blocks where there is nothing to receive, so ask first.
        let mut ask = [PollFd::new(self.0.get_ref().as_fd(), PollFlags::POLLIN)];
        match poll(&mut ask, PollTimeout::ZERO) {
            // Even without a wait: a signal (of a child's end, say) that comes while there is nothing yet.
            Err(Errno::EINTR) => return Ok(Received::Passed),
            polled => polled?,
        };
        let found = ask[0].revents().unwrap_or(PollFlags::empty());
        if !found.contains(PollFlags::POLLIN) {
            return Ok(if found.contains(PollFlags::POLLHUP) { Received::Closed } else { Received::Nothing });
        }
        // SAFETY: all-zero bytes are a valid value of this plain C struct, and what the kernel demands as input.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the ioctl fills the struct, which has the size the number encodes and outlives the call.
        match Errno::result(unsafe {
            libc::ioctl(self.0.get_ref().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut raw)
        }) {
            Ok(_) => Ok(self.accept(&raw)),
            // ENOENT: the caller was killed meanwhile. Others may be waiting behind it.
            Err(Errno::ENOENT | Errno::EINTR) => Ok(Received::Passed),
            Err(Errno::EAGAIN) => Ok(Received::Nothing),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A call that is none of ours (from outside our pid namespace, where we could read no file of it) goes on at once.
    fn accept(&self, raw: &libc::seccomp_notif) -> Received {
        if let Some(question) = question(raw) {
            return Received::Question(question);
        }
        self.send(raw.id, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
        Received::Passed
    }

    /// Whether the caller still waits; if not, what was read from its memory may have been somebody else's.
    #[must_use]
    pub fn is_waiting(&self, question: &Notification) -> bool {
        let id = question.id;
        // SAFETY: the ioctl reads one u64, which outlives the call.
        unsafe {
            libc::ioctl(self.0.get_ref().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0
        }
    }

    /// Puts `socket` in the place of the caller's descriptor `target`.
    ///
    /// # Errors
    /// ENOENT when the caller is gone; EINVAL on kernels before 5.9; EMFILE by the caller's limits.
    pub fn replace(
        &self,
        question: &Notification,
        socket: BorrowedFd<'_>,
        target: RawFd,
        on_exec: OnExec,
    ) -> io::Result<()> {
        let request = libc::seccomp_notif_addfd {
            id: question.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
            srcfd: socket.as_raw_fd() as u32,
            newfd: target as u32,
            newfd_flags: if on_exec == OnExec::Close { libc::O_CLOEXEC as u32 } else { 0 },
        };
        // SAFETY: the ioctl reads the struct, which has the size the number encodes and outlives the call.
        Errno::result(unsafe {
            libc::ioctl(self.0.get_ref().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request)
        })?;
        Ok(())
    }

    /// Lets the call go on as if there were no filter.
    pub fn go_on(&self, question: &Notification) {
        self.send(question.id, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Lets the call return 0 without having been made.
    pub fn succeed(&self, question: &Notification) {
        self.send(question.id, 0, 0);
    }

    /// Lets the call fail with `errno` without having been made.
    pub fn fail(&self, question: &Notification, errno: Errno) {
        self.send(question.id, -(errno as i32), 0);
    }

    fn send(&self, id: u64, error: i32, flags: u32) {
        let response = libc::seccomp_notif_resp { id, val: 0, error, flags };
        // SAFETY: the ioctl reads the struct, which has the size the number encodes and outlives the call. Its only
        // failure is that the caller is gone, and then nobody needs the answer.
        let _gone = unsafe {
            libc::ioctl(self.0.get_ref().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response)
        };
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// What an exec in the caller does to the replaced descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExec {
    Close,
    Keep,
}

/// `None` for a caller outside our pid namespace or a call that the filter does not report.
fn question(raw: &libc::seccomp_notif) -> Option<Notification> {
    let [first, _, _, fourth, ..] = raw.data.args;
    let fd = first as RawFd;
    let call = match i64::from(raw.data.nr) {
        libc::SYS_bind => Call::Bind { fd, address: raw.data.args[1], length: raw.data.args[2] },
        libc::SYS_listen => Call::Listen { fd },
        libc::SYS_getsockopt => Call::AskListening { fd },
        libc::SYS_setsockopt if raw.data.args[1] as i32 == libc::IPPROTO_IPV6 => {
            Call::SetOnlyV6 { fd, value: fourth }
        }
        libc::SYS_setsockopt => Call::SetReusePort { fd, value: fourth },
        _ => return None,
    };
    let thread = i32::try_from(raw.pid).ok().filter(|pid| *pid > 0)?;
    Some(Notification { id: raw.id, thread: Pid::new(thread), call })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    extern "C" fn nothing(_signal: libc::c_int) {}

    /// Interrupts `thread`, again and again, until told that it is enough.
    fn storm(thread: libc::pthread_t, enough: &AtomicBool) {
        // SAFETY: the action is plain data; zeroes are a valid start, and the handler does nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as usize;
            libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut());
        }
        while !enough.load(Ordering::Relaxed) {
            // SAFETY: the thread lives until it has said that it is enough and this one was joined.
            unsafe { libc::pthread_kill(thread, libc::SIGURG) };
        }
    }

    #[test]
    fn a_signal_that_comes_while_we_look_is_no_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _in_runtime = runtime.enter();
        let (silent, _writer) = nix::unistd::pipe().unwrap();
        let listener = Listener::new(silent).unwrap();
        let enough = AtomicBool::new(false);
        // SAFETY: it merely tells who we are.
        let me = unsafe { libc::pthread_self() };
        std::thread::scope(|scope| {
            scope.spawn(|| storm(me, &enough));
            let interrupted = (0..50_000_000).any(|_| match listener.receive() {
                Ok(Received::Passed) => true,
                Ok(_) => false,
                Err(error) => {
                    enough.store(true, Ordering::Relaxed);
                    panic!("{error}");
                }
            });
            enough.store(true, Ordering::Relaxed);
            assert!(interrupted, "the storm never met a look");
        });
    }
}
