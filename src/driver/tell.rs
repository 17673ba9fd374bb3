//! Puts the supervisor's notices into words.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::logs::WorkerLogs;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::InstanceId;
use crate::supervisor::{CalledOff, Killer, Next, Notice, StopReason, Verdict};

/// How long the last lines of a worker may take to be read: longer only where nobody reads our output.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(200);

/// A time as people read it: `350ms`, `12.3s`, `4m 5s`.
struct Human(Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match self.0.as_secs() {
            0 => write!(f, "{millis}ms"),
            1..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            seconds @ 60..3600 => write!(f, "{}m {}s", seconds / 60, seconds % 60),
            seconds => write!(f, "{}h {}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// Who a line speaks of.
struct About<'a> {
    app: &'a str,
    instance: InstanceId,
    pid: Pid,
}

/// Something to be told, with the output of the worker that it is about.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) notice: Notice,
    pub(super) logs: Option<Rc<WorkerLogs>>,
}

/// Who tells. One task does, in the order of the notices, because a worker's last lines come before the word of its end.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) app: String,
    /// A mere init speaks only of what its exit status cannot tell.
    pub(super) is_init: bool,
}

impl Teller {
    /// Tells everything that comes until there is nobody left who could send more.
    pub(super) async fn run(self, mut tellings: UnboundedReceiver<Telling>) {
        while let Some(Telling { notice, logs }) = tellings.recv().await {
            if let Some(logs) = &logs {
                let _in_time = tokio::time::timeout(LAST_LINES_WITHIN, logs.drain()).await;
            }
            self.tell(&notice);
            if let (Notice::ReloadCalledOff { .. }, Some(logs)) = (&notice, &logs) {
                quote(logs);
            }
        }
    }

    fn tell(&self, notice: &Notice) {
        let app = self.app.as_str();
        match notice {
            Notice::Ready { .. } | Notice::Ended { verdict: Verdict::Completed, .. } if self.is_init => {}
            Notice::Exited { killer, .. } if self.is_init && *killer != Killer::OutOfMemory => {}
            Notice::Started { .. }
            | Notice::Ready { .. }
            | Notice::NotReady { .. }
            | Notice::ListensNowhere { .. }
            | Notice::ListensElsewhere { .. }
            | Notice::Killing { .. } => tell_of_worker(app, notice),
            Notice::Exited { instance, pid, reason, killer, lived, next, .. } => {
                tell_exit(&About { app, instance: *instance, pid: *pid }, (*reason, *killer), *lived, *next);
            }
            Notice::ReloadCalledOff { instance, why, .. } => tell_called_off(app, *instance, why),
            Notice::SpawnFailed { .. }
            | Notice::Failed { .. }
            | Notice::Stopping { .. }
            | Notice::StoppingNow { .. }
            | Notice::ReloadBegun { .. }
            | Notice::ReloadRefused
            | Notice::ReloadDone { .. }
            | Notice::CheckBegun { .. }
            | Notice::CheckPassed { .. }
            | Notice::CheckFailed { .. }
            | Notice::Holding { .. }
            | Notice::Restarting { .. }
            | Notice::Scaled { .. }
            | Notice::ScaleRefused { .. }
            | Notice::Ended { .. } => tell_of_all(app, notice),
        }
    }

    /// How it all ended, with what the app said last if it ended badly.
    pub(super) fn tell_verdict(&self, notice: &Notice, logs: Option<&WorkerLogs>) {
        self.tell(notice);
        if let (Notice::Ended { verdict: Verdict::Failed, .. }, Some(logs)) = (notice, logs) {
            quote(logs);
        }
    }
}

fn tell_called_off(app: &str, instance: InstanceId, why: &CalledOff) {
    let reason = match why {
        CalledOff::Exited(reason) => format!("the new worker ended with {reason} before it was ready"),
        CalledOff::SpawnFailed(failure) => failure.message.clone(),
        CalledOff::TimedOut(limit) => format!("the new worker was not ready within {}", Human(*limit)),
        CalledOff::Stopping => "the app is stopping".to_owned(),
        CalledOff::Overtaken => "another order came in between".to_owned(),
    };
    tracing::error!(app, instance = instance.0, "reload called off, the old workers go on: {reason}");
}

fn quote(logs: &WorkerLogs) {
    let tail = logs.tail();
    if tail.is_empty() {
        return;
    }
    tracing::error!("its last lines were:");
    for line in tail {
        tracing::error!("  {line}");
    }
}

/// Notices on one living worker.
fn tell_of_worker(app: &str, notice: &Notice) {
    let about = |instance: &InstanceId, pid: &Pid| About { app, instance: *instance, pid: *pid };
    match notice {
        Notice::Started { instance, generation, pid, .. } => {
            let (instance, pid, generation) = (instance.0, pid.as_raw(), generation.0);
            tracing::debug!(app, instance, pid, generation, "worker started");
        }
        Notice::Ready { instance, pid, after, .. } => {
            tracing::info!(app, instance = instance.0, pid = pid.as_raw(), after = %Human(*after), "worker ready");
        }
        Notice::NotReady { instance, pid, after, .. } => tell_not_ready(&about(instance, pid), *after),
        Notice::ListensNowhere { instance, pid, port, .. } => tell_silence(&about(instance, pid), *port),
        Notice::ListensElsewhere { instance, pid, found, wanted, .. } => {
            tell_other_port(&about(instance, pid), *found, *wanted);
        }
        Notice::Killing { instance, pid, after, .. } => tracing::warn!(
            app,
            instance = instance.0,
            pid = pid.as_raw(),
            "worker has not ended {} after it was asked to: killing it",
            Human(*after)
        ),
        _ => {}
    }
}

fn tell_not_ready(about: &About<'_>, after: Duration) {
    tracing::warn!(
        app = about.app,
        instance = about.instance.0,
        pid = about.pid.as_raw(),
        "worker has not said that it is ready after {} (`process.send('ready')`, or sd_notify's READY=1); still waiting",
        Human(after)
    );
}

fn tell_silence(about: &About<'_>, port: u16) {
    tracing::warn!(
        app = about.app,
        instance = about.instance.0,
        pid = about.pid.as_raw(),
        "the app listens on nothing after 10 s: the platform expects it on PORT, which is {port}"
    );
}

fn tell_other_port(about: &About<'_>, found: u16, wanted: u16) {
    tracing::warn!(
        app = about.app,
        instance = about.instance.0,
        pid = about.pid.as_raw(),
        "the app listens on port {found}, but the platform expects it on PORT, which is {wanted}: let it listen on \
         the port that the environment variable PORT names"
    );
}

fn tell_exit(about: &About<'_>, (reason, killer): (ExitReason, Killer), lived: Duration, next: Next) {
    let how = match (reason, killer) {
        (_, Killer::OutOfMemory) => "killed by the kernel: out of memory".to_owned(),
        (ExitReason::Code(_), _) => format!("exited with {reason}").replace("with exit code", "with code"),
        (ExitReason::Signal(_), _) => format!("ended by {reason}"),
    };
    let is_asked_elsewhere = matches!(reason, ExitReason::Signal(Signal::TERM | Signal::INT | Signal::QUIT));
    let then = if is_asked_elsewhere { String::new() } else { next_step(next) };
    let hint = hint(reason, next);
    let (app, instance, pid, lived) = (about.app, about.instance.0, about.pid.as_raw(), Human(lived));
    match next {
        // A platform that ends everything signals the workers as well, and our turn comes in a moment.
        Next::Restart { .. } if is_asked_elsewhere => {
            tracing::info!(app, instance, pid, %lived, "worker {how}")
        }
        Next::Nothing | Next::Replaced => tracing::info!(app, instance, pid, %lived, "worker {how}{then}"),
        Next::Restart { .. } | Next::KeepOld => {
            tracing::warn!(app, instance, pid, %lived, "worker {how}{then}{hint}")
        }
        Next::GiveUp => tracing::error!(app, instance, pid, %lived, "worker {how}{then}"),
    }
}

/// Said on the first such end only.
fn hint(reason: ExitReason, next: Next) -> &'static str {
    match (reason, next) {
        (ExitReason::Code(0), Next::Restart { unstable: 1, .. }) => {
            "; a job that is to end by itself is run with `--no-autorestart`"
        }
        _ => "",
    }
}

fn next_step(next: Next) -> String {
    match next {
        Next::Restart { delay, unstable: 0, .. } => format!(", restarting in {}", Human(delay)),
        Next::Restart { delay, unstable, max_unstable } => {
            format!(", restarting in {} (unstable start {unstable} of {max_unstable})", Human(delay))
        }
        Next::GiveUp | Next::Nothing => String::new(),
        Next::KeepOld => ", the old one goes on".to_owned(),
        Next::Replaced => ", its successor is starting".to_owned(),
    }
}

/// Notices on instances without a worker, and on the app as a whole.
fn tell_of_all(app: &str, notice: &Notice) {
    match notice {
        Notice::SpawnFailed { instance, failure, next, .. } => {
            let next = next_step(*next);
            tracing::error!(app, instance = instance.0, "cannot start a worker: {}{next}", failure.message);
        }
        // A single failure, such as a program that is not there, has said it all.
        Notice::Failed { starts: 1, .. } => {}
        Notice::Failed { instance, starts } => {
            let instance = instance.0;
            tracing::error!(
                app,
                instance,
                "instance failed: {starts} unstable starts in a row, giving it up"
            );
        }
        Notice::Stopping { reason: StopReason::Signal(signal), workers } => {
            tracing::info!(app, workers, "{signal} received, stopping");
        }
        Notice::Stopping { reason: StopReason::OutputClosed, workers } => {
            tracing::info!(app, workers, "nobody reads standard output any more, stopping");
        }
        Notice::StoppingNow { signal } => tracing::warn!(app, "{signal} received again, killing all workers"),
        Notice::ReloadBegun { generation, instances } => {
            tracing::info!(app, instances, generation = generation.0, "reloading");
        }
        Notice::ReloadRefused => {
            tracing::warn!(app, "reload refused: one is under way, or there is nothing to reload")
        }
        Notice::ReloadDone { generation, took } => {
            tracing::info!(app, generation = generation.0, took = %Human(*took), "reloaded");
        }
        Notice::Scaled { from, to } => tracing::info!(app, from, to, "scaled"),
        Notice::ScaleRefused { at } => tracing::warn!(app, "not scaled: {at} is as far as it goes"),
        Notice::Ended { verdict, status } => tell_end(app, *verdict, *status),
        _ => {}
    }
}

fn tell_end(app: &str, verdict: Verdict, status: u8) {
    match verdict {
        Verdict::Drained => tracing::info!(app, status, "stopped"),
        Verdict::Killed => tracing::warn!(app, status, "stopped, but not every worker ended by itself"),
        Verdict::Failed => tracing::error!(app, status, "the app has failed"),
        Verdict::Completed => tracing::info!(app, status, "every worker has ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_exact_enough() {
        for (millis, text) in
            [(0, "0ms"), (350, "350ms"), (12_340, "12.3s"), (245_000, "4m 5s"), (7_500_000, "2h 5m")]
        {
            assert_eq!(Human(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn a_job_is_told_of_its_option_once() {
        let next = |unstable| Next::Restart { delay: Duration::from_millis(100), unstable, max_unstable: 16 };
        assert!(hint(ExitReason::Code(0), next(1)).contains("--no-autorestart"));
        assert_eq!(hint(ExitReason::Code(0), next(2)), "");
        assert_eq!(hint(ExitReason::Code(3), next(1)), "");
    }

    #[test]
    fn what_happens_next_is_said() {
        let delay = Duration::from_millis(100);
        assert_eq!(
            next_step(Next::Restart { delay, unstable: 3, max_unstable: 16 }),
            ", restarting in 100ms (unstable start 3 of 16)"
        );
        assert_eq!(
            next_step(Next::Restart { delay, unstable: 0, max_unstable: 16 }),
            ", restarting in 100ms"
        );
    }
}
