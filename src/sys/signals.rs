//! Receiving signals without losing one, and sending them to workers.
//!
//! Signals are held back first thing in `main`, and wait in the kernel until there is a handler: it drops what a PID 1 has
//! neither blocked nor a handler for. The handler is installed when the first workers are on their way, who need not wait for it. It sets
//! the signal's bit and writes a byte into a pipe that the event loop reads. Like the kernel itself, two signals of one kind that arrive
//! before the first was looked at are one. The handler is our own: `signal-hook-registry` copies its whole list for each signal that is
//! added, and with fifty of them that was a third of all that we ran at our start, while the worker starts beside us.
#![expect(
    unsafe_code,
    reason = "signal handlers and raw signal numbers (real-time ones) have no safe wrapper"
)]

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal as NixSignal, sigaction};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::members;
use super::watch::watch;
use crate::process::{Pid, Signal};

/// A bit for each signal that has arrived and was not yet taken; signal n is bit n - 1.
static PENDING: AtomicU64 = AtomicU64::new(0);
/// The same for those that came from the keyboard.
static TYPED: AtomicU64 = AtomicU64::new(0);
/// Whose the handlers are: a child has them until its exec.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// The end of the pipe that the handlers write to. It stays open for as long as the process lives.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Signals left alone: two that cannot be caught, those that mean a fault in ourselves, and two that belong to the C
/// library's threads.
const NOT_OURS: [i32; 11] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
    32,
    33,
];

/// Signals wait in the kernel.
#[derive(Debug)]
pub struct Held {
    wake: OwnedFd,
}

/// Has every signal wait until [`Signals::listen`]. To be called once, before any other thread exists.
///
/// # Errors
/// When the pipe cannot be made or a handler cannot be set.
pub fn hold() -> io::Result<Held> {
    SigSet::all().thread_set_mask()?;
    let (wake, write_end) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    PIPE.store(write_end.into_raw_fd(), Ordering::SeqCst);
    OWNER.store(std::process::id(), Ordering::SeqCst);
    // At once: whoever started us may have had it ignored, and the kernel then keeps no exit status of a child.
    install(libc::SIGCHLD)?;
    Ok(Held { wake })
}

/// Installs the handler for a signal that we take or forward.
fn install(number: i32) -> io::Result<()> {
    // The signature that SA_SIGINFO asks for.
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = handle;
    // SAFETY: all zeroes are a valid sigaction, with an empty mask. The handler makes async-signal-safe calls only: it does not
    // allocate, lock or panic.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(number, &raw const action, std::ptr::null_mut())
    };
    Errno::result(result)?;
    Ok(())
}

/// The handler. Whoever it interrupts finds its errno as it was.
extern "C" fn handle(number: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    let before = Errno::last_raw();
    // SAFETY: with SA_SIGINFO the kernel gives what is known of the signal, for as long as the handler runs.
    arrived(number, unsafe { &*info });
    Errno::set_raw(before);
}

/// Ignores every signal that can be ignored. For the guard, which must not end before we do.
pub fn ignore_all() {
    for number in 1..=i32::from(Signal::MAX) {
        // SAFETY: signal(2) takes plain integers; SIG_IGN is always valid. Those that cannot be ignored are refused.
        unsafe { libc::signal(number, libc::SIG_IGN) };
    }
}

/// All signals wait, in the kernel, until this is dropped; they do so over an `execve` as well.
#[derive(Debug)]
pub struct Blocked {
    before: SigSet,
}

impl Blocked {
    /// Blocks them, for our thread; the others must leave them to it for as long as they live.
    ///
    /// # Errors
    /// None is known of.
    pub fn all() -> io::Result<Self> {
        Ok(Self { before: SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)? })
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // It fails only for a mask that is none.
        let _set = self.before.thread_set_mask();
    }
}

/// The calling thread gets no signals that are meant for the process.
pub fn leave_to_the_main_thread() {
    // It fails only for a mask that is none.
    let _set = SigSet::all().thread_block();
}

/// Whether signals have come that nobody has taken yet.
#[must_use]
pub fn have_come() -> bool {
    PENDING.load(Ordering::SeqCst) | TYPED.load(Ordering::SeqCst) != 0
}

/// The body of the handler.
fn arrived(number: i32, info: &libc::siginfo_t) {
    let owner = OWNER.load(Ordering::SeqCst);
    if std::process::id() != owner {
        die_as_the_program_would(number);
        return;
    }
    if number == libc::SIGPIPE && sent_by(info) == owner {
        return; // Our own write to a closed pipe; the write itself reports it.
    }
    let kind = if is_typed(number, info) { &TYPED } else { &PENDING };
    kind.fetch_or(1 << (number - 1), Ordering::SeqCst);
    // SAFETY: write(2) is async-signal-safe, the descriptor lives for ever, the buffer is one static byte. A full
    // pipe is fine: the reader is awake then.
    let _wakes = unsafe { libc::write(PIPE.load(Ordering::SeqCst), b"!".as_ptr().cast(), 1) };
}

/// Between fork and exec, the child still has our handlers. A signal that reaches it there must not be lost: it ends the
/// child as it would end a program without handlers. (Real-time signals are not known to the library; they are let go.)
fn die_as_the_program_would(number: i32) {
    let _unknown = signal_hook::low_level::emulate_default_handler(number);
}

/// Ctrl-C, Ctrl-\ or Ctrl-Z on the terminal in whose foreground we are.
fn is_typed(number: i32, info: &libc::siginfo_t) -> bool {
    matches!(number, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP) && info.si_code == libc::SI_KERNEL
}

fn sent_by(info: &libc::siginfo_t) -> u32 {
    // SAFETY: for a signal the kernel or kill(2) sent, the pid field of the union is set; any bit pattern is a valid int.
    let pid = unsafe { info.si_pid() };
    u32::try_from(pid).unwrap_or(0)
}

/// A signal that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    pub signal: Signal,
    pub origin: Origin,
}

/// Where a signal came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing but a key on our terminal.
    Keyboard,
    /// A process, or the kernel on another occasion.
    Elsewhere,
}

/// The event loop's end: signals as they come.
#[derive(Debug)]
pub struct Signals {
    wake: AsyncFd<OwnedFd>,
    /// Until there are handlers.
    are_held: bool,
}

impl Held {
    /// Ties the signals to the running event loop.
    ///
    /// # Errors
    /// When the loop's reactor refuses the pipe.
    pub fn attach(self) -> io::Result<Signals> {
        Ok(Signals { wake: watch(self.wake, Interest::READABLE)?, are_held: true })
    }
}

impl Signals {
    /// Lets those come that were held back, and all that follow; also those that the platform has started us with blocked.
    ///
    /// # Errors
    /// When a handler cannot be set.
    pub fn listen(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.are_held) {
            let others = (1..=i32::from(Signal::MAX)).filter(|number| *number != libc::SIGCHLD);
            others.filter(|number| !NOT_OURS.contains(number)).try_for_each(install)?;
        }
        SigSet::empty().thread_set_mask()?;
        Ok(())
    }

    /// Takes all that have come.
    pub fn take(&mut self) -> Vec<Arrived> {
        take_pending()
    }

    /// Waits until at least one signal has come, and takes all that have. Cancel-safe: what is not taken stays pending.
    ///
    /// # Errors
    /// When the pipe cannot be watched.
    pub async fn next(&mut self) -> io::Result<Vec<Arrived>> {
        loop {
            let taken = take_pending();
            if !taken.is_empty() {
                return Ok(taken);
            }
            let mut guard = self.wake.readable().await?;
            let mut bytes = [0; 64];
            let drained = guard.try_io(|pipe| Ok(nix::unistd::read(pipe.get_ref(), &mut bytes)?));
            if let Ok(Err(error)) = drained {
                return Err(error);
            }
        }
    }
}

fn take_pending() -> Vec<Arrived> {
    let sent = PENDING.swap(0, Ordering::SeqCst);
    let typed = TYPED.swap(0, Ordering::SeqCst);
    let has = |bits: u64, n: i32| bits & (1 << (n - 1)) != 0;
    let arrived = (1..=i32::from(Signal::MAX)).filter(|n| has(sent | typed, *n));
    let origin = |n| if has(sent, n) { Origin::Elsewhere } else { Origin::Keyboard };
    arrived.filter_map(|n| Some(Arrived { signal: Signal::from_raw(n)?, origin: origin(n) })).collect()
}

/// Whether anybody was there to get a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Sent,
    /// No such process or group: it has ended already.
    Gone,
}

/// Sends `signal` to the process group led by `leader`.
///
/// # Errors
/// EPERM, when none of its processes may be signalled by us.
pub fn signal_group(leader: Pid, signal: Signal) -> io::Result<Delivery> {
    kill(-leader.as_raw(), signal.as_raw())
}

/// Sends `signal` to the process `pid` alone.
///
/// # Errors
/// EPERM, when it may not be signalled by us.
pub fn signal_process(pid: Pid, signal: Signal) -> io::Result<Delivery> {
    kill(pid.as_raw(), signal.as_raw())
}

/// Sends `signal` to each thread of the process `pid`, so that none of them runs on before it has taken one: of a signal to the
/// process the kernel tells a single thread, and the others only hear of its end. For a process that stands still, and
/// whose threads are therefore the same throughout. Those that block it are left out: they would not end by it, and one that fetches
/// signals (sigwait(3), signalfd(2)) would find several.
///
/// # Errors
/// EPERM, when it may not be signalled by us.
pub fn signal_threads(pid: Pid, signal: Signal) -> io::Result<()> {
    for thread in members::threads(pid).filter(|&thread| !members::blocks(pid, thread, signal)) {
        // SAFETY: tgkill(2) touches no memory of ours.
        let result =
            unsafe { libc::syscall(libc::SYS_tgkill, pid.as_raw(), thread.as_raw(), signal.as_raw()) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Who stops with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// Nobody.
    Process,
    /// The rest of our process group.
    Group,
}

/// Stops as a program without a handler does on SIGTSTP, and returns when continued; at once where nobody could continue
/// us, for the kernel knows: in PID 1, and where no shell with job control is in our session.
///
/// # Errors
/// When a disposition cannot be changed.
pub fn suspend(who: Suspended) -> io::Result<()> {
    if who == Suspended::Group {
        // We come last: whoever of the group sees us stop shall find the others stopped.
        let handler = dispose(SigHandler::SigIgn)?;
        let told = kill(0, libc::SIGTSTP);
        restore(&handler)?;
        told?;
    }
    let handler = dispose(SigHandler::SigDfl)?;
    let stopped = nix::sys::signal::raise(NixSignal::SIGTSTP);
    restore(&handler)?;
    Ok(stopped?)
}

fn dispose(to: SigHandler) -> io::Result<SigAction> {
    let action = SigAction::new(to, SaFlags::empty(), SigSet::empty());
    // SAFETY: to ignore a signal, or to take its default action, runs no code of ours.
    Ok(unsafe { sigaction(NixSignal::SIGTSTP, &action) }?)
}

fn restore(handler: &SigAction) -> io::Result<()> {
    // SAFETY: the action is one that the kernel has just given us: our own handler.
    unsafe { sigaction(NixSignal::SIGTSTP, handler) }?;
    Ok(())
}

/// Whether the process group led by `leader` still has a process, zombies included.
#[must_use]
pub fn group_exists(leader: Pid) -> bool {
    // EPERM says that there is one, which we may not signal.
    !matches!(kill(-leader.as_raw(), 0), Ok(Delivery::Gone))
}

fn kill(target: i32, signal: i32) -> io::Result<Delivery> {
    // SAFETY: kill(2) touches no memory of ours. `target` is 0, our own group, or comes from a `Pid`, so it is never -1.
    match Errno::result(unsafe { libc::kill(target, signal) }) {
        Ok(_) => Ok(Delivery::Sent),
        Err(Errno::ESRCH) => Ok(Delivery::Gone),
        Err(errno) => Err(errno.into()),
    }
}
