//! Which of the supervisor's notices tell of an abnormal death, and of what it was.

use std::time::Duration;

use crate::api::crash::{CrashCause, ExceptionView};
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{Generation, InstanceId, RestartPolicy};
use crate::supervisor::{Killer, Next, Notice};

/// An abnormal death, or what comes to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    pub instance: InstanceId,
    pub generation: Generation,
    /// `None` where there never was a process.
    pub pid: Option<Pid>,
    /// How long the worker lived.
    pub lived: Option<Duration>,
    pub cause: CrashCause,
    /// For people: `exit code 3`.
    pub reason: String,
    pub exception: Option<ExceptionView>,
}

/// The death that `notice` tells of, if it is an abnormal one. `exception` is what the worker has told of just before.
#[must_use]
pub fn of(notice: &Notice, policy: &RestartPolicy, exception: Option<ExceptionView>) -> Option<Death> {
    let alive = |instance: &InstanceId, generation: &Generation, pid: &Pid, lived: &Duration| Death {
        instance: *instance,
        generation: *generation,
        pid: Some(*pid),
        lived: Some(*lived),
        cause: CrashCause::Exit,
        reason: String::new(),
        exception: None,
    };
    match notice {
        Notice::Exited { instance, generation, pid, reason, killer, lived, next, .. } => {
            let (cause, reason) = ended((*reason, *killer), *next, policy, exception.is_some())?;
            let exception = exception.filter(|_| cause == CrashCause::Exception);
            Some(Death { cause, reason, exception, ..alive(instance, generation, pid, lived) })
        }
        Notice::Stalled { instance, generation, pid, cause, lived, .. } => {
            let (cause, reason) = (CrashCause::Watchdog, cause.why().to_owned());
            Some(Death { cause, reason, ..alive(instance, generation, pid, lived) })
        }
        Notice::TooLarge { instance, generation, pid, lived, .. } => {
            let (cause, reason) = (CrashCause::Memory, crate::supervisor::Stall::Memory.why().to_owned());
            Some(Death { cause, reason, ..alive(instance, generation, pid, lived) })
        }
        Notice::Recycling { instance, generation, pid, lived, .. } => {
            let (cause, reason) = (CrashCause::Memory, crate::supervisor::Stall::Pressure.why().to_owned());
            Some(Death { cause, reason, ..alive(instance, generation, pid, lived) })
        }
        // One that was asked to end before it was there is missed by nobody.
        Notice::SpawnFailed { next: Next::Nothing, .. } => None,
        Notice::SpawnFailed { instance, generation, failure, .. } => Some(Death {
            instance: *instance,
            generation: *generation,
            pid: None,
            lived: None,
            cause: CrashCause::Spawn,
            reason: failure.message.clone(),
            exception: None,
        }),
        _ => None,
    }
}

/// Of what a worker died, if that was not as it should be.
fn ended(
    (reason, killer): (ExitReason, Killer),
    next: Next,
    policy: &RestartPolicy,
    has_exception: bool,
) -> Option<(CrashCause, String)> {
    if matches!(next, Next::Nothing | Next::Rest) || policy.stops_at(reason) {
        return None;
    }
    if killer == Killer::OutOfMemory {
        return Some((CrashCause::Oom, "killed by the kernel: out of memory".to_owned()));
    }
    let cause = match reason {
        // A platform that ends everything signals the workers as well, and our turn comes in a moment.
        ExitReason::Signal(Signal::TERM | Signal::INT | Signal::QUIT) | ExitReason::Code(130 | 131 | 143) => {
            return None;
        }
        // What ends so has done its work. If it does so time after time, it has not.
        ExitReason::Code(0) if next != Next::GiveUp => return None,
        // `--abort-on-uncaught-exception`
        ExitReason::Code(1..) | ExitReason::Signal(Signal::ABRT) if has_exception => CrashCause::Exception,
        ExitReason::Code(_) => CrashCause::Exit,
        ExitReason::Signal(_) => CrashCause::Signal,
    };
    Some((cause, reason.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{AfterExit, RestartDelay, WorkerId};
    use crate::supervisor::{SpawnFailure, Stall};

    const RESTART: Next = Next::Restart { delay: Duration::ZERO, unstable: 1, max_unstable: 16 };

    fn policy() -> RestartPolicy {
        RestartPolicy {
            after_exit: AfterExit::Restart,
            delay: RestartDelay::Fixed(Duration::ZERO),
            min_uptime: Duration::ZERO,
            max_unstable: 16,
            stop_codes: vec![7],
            cron: None,
        }
    }

    fn exited(reason: ExitReason, killer: Killer, next: Next) -> Notice {
        Notice::Exited {
            worker: WorkerId(1),
            instance: InstanceId(2),
            generation: Generation(3),
            pid: Pid::new(42),
            reason,
            killer,
            lived: Duration::from_secs(5),
            next,
        }
    }

    fn cause(reason: ExitReason, next: Next) -> Option<CrashCause> {
        of(&exited(reason, Killer::Unknown, next), &policy(), None).map(|death| death.cause)
    }

    fn exception() -> ExceptionView {
        ExceptionView { name: "Error".to_owned(), message: "x".to_owned(), stack: None }
    }

    #[test]
    fn a_death_that_nobody_asked_for_is_a_crash_whatever_follows() {
        for next in [RESTART, Next::GiveUp, Next::Stay, Next::KeepOld, Next::Replaced, Next::TakenOver] {
            assert_eq!(cause(ExitReason::Code(1), next), Some(CrashCause::Exit), "{next:?}");
            assert_eq!(cause(ExitReason::Signal(Signal::KILL), next), Some(CrashCause::Signal));
        }
    }

    #[test]
    fn an_end_on_order_or_of_a_worker_that_may_end_is_none() {
        assert_eq!(cause(ExitReason::Signal(Signal::KILL), Next::Nothing), None);
        assert_eq!(cause(ExitReason::Code(7), Next::Rest), None);
        assert_eq!(cause(ExitReason::Code(7), Next::Stay), None);
        assert_eq!(cause(ExitReason::Code(0), Next::Stay), None);
        assert_eq!(cause(ExitReason::Code(0), RESTART), None);
    }

    #[test]
    fn a_worker_that_is_given_up_has_failed_even_with_status_0() {
        assert_eq!(cause(ExitReason::Code(0), Next::GiveUp), Some(CrashCause::Exit));
    }

    #[test]
    fn an_end_by_the_platforms_signal_to_all_is_none() {
        for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
            assert_eq!(cause(ExitReason::Signal(signal), RESTART), None);
            assert_eq!(cause(ExitReason::Code(ExitReason::Signal(signal).status()), RESTART), None);
        }
    }

    #[test]
    fn the_kernels_kill_is_told_from_others() {
        let notice = exited(ExitReason::Code(137), Killer::OutOfMemory, RESTART);
        let death = of(&notice, &policy(), Some(exception())).unwrap();
        assert_eq!((death.cause, death.exception), (CrashCause::Oom, None));
        assert_eq!(death.reason, "killed by the kernel: out of memory");
    }

    #[test]
    fn an_exception_explains_an_end_with_a_failure_and_no_other() {
        let of = |reason| {
            let death = of(&exited(reason, Killer::Unknown, RESTART), &policy(), Some(exception())).unwrap();
            (death.cause, death.exception.is_some())
        };
        assert_eq!(of(ExitReason::Code(1)), (CrashCause::Exception, true));
        assert_eq!(of(ExitReason::Signal(Signal::ABRT)), (CrashCause::Exception, true));
        assert_eq!(of(ExitReason::Signal(Signal::KILL)), (CrashCause::Signal, false));
    }

    #[test]
    fn who_stalls_or_grows_too_large_or_cannot_start_counts_as_well() {
        let (worker, instance, generation) = (WorkerId(1), InstanceId(0), Generation(1));
        let (pid, lived) = (Pid::new(42), Duration::from_secs(5));
        let (cause, span) = (Stall::EventLoop, Duration::from_secs(1));
        let stalled = Notice::Stalled { worker, instance, generation, pid, cause, span, lived };
        let death = of(&stalled, &policy(), None).unwrap();
        assert_eq!(
            (death.cause, death.reason.as_str()),
            (CrashCause::Watchdog, "its event loop does not turn")
        );
        let large = Notice::TooLarge { worker, instance, generation, pid, bytes: 2, limit: 1, lived };
        assert_eq!(of(&large, &policy(), None).unwrap().cause, CrashCause::Memory);
        let failure = SpawnFailure { status: 127, message: "cannot execute `x`".to_owned() };
        let failed =
            |next| Notice::SpawnFailed { worker, instance, generation, failure: failure.clone(), next };
        let death = of(&failed(Next::GiveUp), &policy(), None).unwrap();
        assert_eq!((death.cause, death.pid), (CrashCause::Spawn, None));
        assert_eq!(of(&failed(Next::Nothing), &policy(), None), None);
    }
}
