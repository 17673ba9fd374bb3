//! Puts the supervisor's notices into words. Pure.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tracing::Level;

use super::size::Size;
use crate::config::duration;
use crate::handover::messages::Told;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{Generation, InstanceId};
use crate::supervisor::{CalledOff, Killer, Next, Notice, Remedy, StopReason, Strain, Verdict};

/// A time as people read it: `350ms`, `12.3s`, `4m 5s`.
pub(super) struct Human(pub(super) Duration);

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

/// A notice in words: what is said, how loudly, and the facts beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) level: Level,
    /// A word for programs.
    pub(super) kind: &'static str,
    pub(super) text: String,
    pub(super) instance: Option<InstanceId>,
    pub(super) pid: Option<Pid>,
    pub(super) after: Option<String>,
    pub(super) lived: Option<String>,
    pub(super) workers: Option<usize>,
    pub(super) instances: Option<usize>,
    pub(super) generation: Option<Generation>,
    pub(super) took: Option<String>,
    pub(super) from: Option<u32>,
    pub(super) to: Option<u32>,
    pub(super) status: Option<u8>,
}

impl Said {
    fn new(level: Level, kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            level,
            kind,
            text: text.into(),
            instance: None,
            pid: None,
            after: None,
            lived: None,
            workers: None,
            instances: None,
            generation: None,
            took: None,
            from: None,
            to: None,
            status: None,
        }
    }

    pub(super) fn of(mut self, instance: InstanceId) -> Self {
        self.instance = Some(instance);
        self
    }

    pub(super) fn pid(mut self, pid: Pid) -> Self {
        self.pid = Some(pid);
        self
    }
}

/// The kinds of events, for the documentation and those who filter by them.
pub const KINDS: [&str; 50] = [
    "waiting",
    "preparing",
    "prepared",
    "not_started",
    "started",
    "ready",
    "standby",
    "took_over",
    "nothing_to_park",
    "standby_given_up",
    "not_ready",
    "listens_nowhere",
    "listens_elsewhere",
    "still_answering",
    "killing",
    "exited",
    "crash",
    "spawn_failed",
    "failed",
    "unhealthy",
    "healthy",
    "stalled",
    "too_large",
    "memory_short",
    "recycling",
    "crowded",
    "replacement_deferred",
    "replacement_failed",
    "stopping",
    "stopping_now",
    "time_has_come",
    "reload_begun",
    "reload_refused",
    "reload_done",
    "reload_called_off",
    "check_begun",
    "check_passed",
    "check_failed",
    "holding",
    "restarting",
    "scaled",
    "scale_refused",
    "ended",
    "exception",
    "app_event",
    "message",
    "added",
    "updated",
    "update_failed",
    "autoscaled",
];

/// The crash with this number was written down; there were so many like it.
pub(super) fn crashed(id: u64, summary: &str, count: u64) -> Said {
    let again = if count > 1 { format!(" (seen {count} times)") } else { String::new() };
    Said::new(Level::WARN, "crash", format!("crash {id}: {summary}{again}"))
}

/// The runtime was updated in place.
pub(super) fn updated(from: &str, to: &str, workers: usize) -> Said {
    let mut said = Said::new(Level::INFO, "updated", format!("updated in place from version {from} to {to}"));
    said.workers = Some(workers);
    said
}

/// It was not.
pub(super) fn update_failed(why: &str) -> Said {
    Said::new(Level::WARN, "update_failed", format!("not updated, the old program goes on: {why}"))
}

/// The number of instances follows the load.
pub(super) fn autoscaled(from: u32, to: u32, because: &str) -> Said {
    let said = Said::new(Level::INFO, "autoscaled", format!("scaling to the load: {because}"));
    Said { from: Some(from), to: Some(to), ..said }
}

/// The app is not started yet.
pub(super) fn waiting(what: &str) -> Said {
    Said::new(Level::INFO, "waiting", format!("waits for {what}"))
}

/// The command before its first start runs.
pub(super) fn preparing(line: &str, pid: Pid) -> Said {
    Said::new(Level::INFO, "preparing", format!("runs `{line}` before the first start")).pid(pid)
}

/// It has succeeded.
pub(super) fn prepared(line: &str, took: Duration) -> Said {
    let mut said = Said::new(Level::INFO, "prepared", format!("`{line}` has succeeded"));
    said.took = Some(Human(took).to_string());
    said
}

/// The app is not started at all.
pub(super) fn not_started(why: &str, status: u8) -> Said {
    let mut said = Said::new(Level::ERROR, "not_started", format!("not started: {why}"));
    said.status = Some(status).filter(|status| *status != 0);
    said
}

/// What to say of it; `None` where nothing is worth a word.
pub(super) fn words(notice: &Notice) -> Option<Said> {
    let said = match notice {
        Notice::Started { .. }
        | Notice::Ready { .. }
        | Notice::Parked { .. }
        | Notice::TookOver { .. }
        | Notice::NotReady { .. }
        | Notice::ListensNowhere { .. }
        | Notice::ListensElsewhere { .. }
        | Notice::StillAnswering { .. }
        | Notice::Killing { .. } => of_worker(notice)?,
        Notice::Exited { instance, pid, reason, killer, lived, next, .. } => {
            exited((*reason, *killer), *lived, *next).of(*instance).pid(*pid)
        }
        Notice::SpawnFailed { .. } | Notice::Failed { .. } | Notice::AwaitsChanges { .. } => {
            of_instance(notice)?
        }
        Notice::Unhealthy { .. }
        | Notice::Healthy { .. }
        | Notice::Stalled { .. }
        | Notice::TooLarge { .. }
        | Notice::MemoryShort { .. }
        | Notice::Recycling { .. }
        | Notice::Crowded { .. }
        | Notice::ReplacementDeferred { .. }
        | Notice::ReplacementFailed { .. } => of_health(notice)?,
        Notice::TimeHasCome { .. }
        | Notice::FilesChanged { .. }
        | Notice::ReloadBegun { .. }
        | Notice::ReloadRefused
        | Notice::ReloadDone { .. }
        | Notice::ReloadCalledOff { .. }
        | Notice::CheckBegun { .. }
        | Notice::CheckPassed { .. }
        | Notice::CheckFailed { .. } => of_reload(notice)?,
        Notice::StopDelayed { .. }
        | Notice::Stopping { .. }
        | Notice::StoppingNow { .. }
        | Notice::Holding { .. }
        | Notice::Restarting { .. }
        | Notice::NothingToPark
        | Notice::StandbyGivenUp { .. }
        | Notice::Scaled { .. }
        | Notice::ScaleRefused { .. }
        | Notice::Ended { .. } => of_app(notice)?,
    };
    Some(said)
}

/// Why a reload, a check or a start came to nothing.
pub(super) fn why_called_off(why: &CalledOff) -> String {
    match why {
        CalledOff::Exited(reason) => format!("the new worker ended with {reason} before it was ready"),
        CalledOff::SpawnFailed(failure) => failure.message.clone(),
        CalledOff::TimedOut(limit) => format!("the new worker was not ready within {}", Human(*limit)),
        CalledOff::Stopping => "the app is stopping".to_owned(),
        CalledOff::Overtaken => "another order came in between".to_owned(),
    }
}

/// Notices on one living worker.
fn of_worker(notice: &Notice) -> Option<Said> {
    let said = match notice {
        Notice::Started { instance, generation, pid, .. } => {
            let mut said = Said::new(Level::DEBUG, "started", "worker started").of(*instance).pid(*pid);
            said.generation = Some(*generation);
            said
        }
        Notice::Ready { instance, pid, after, .. } => {
            let mut said = Said::new(Level::INFO, "ready", "worker ready").of(*instance).pid(*pid);
            said.after = Some(Human(*after).to_string());
            said
        }
        Notice::Parked { instance, pid, after, .. } => {
            let mut said = Said::new(Level::INFO, "standby", "standby ready, held until it is needed");
            said.after = Some(Human(*after).to_string());
            said.of(*instance).pid(*pid)
        }
        Notice::TookOver { instance, pid, number, .. } => {
            let text = format!("standby {number} takes over");
            Said::new(Level::INFO, "took_over", text).of(*instance).pid(*pid)
        }
        Notice::NotReady { instance, pid, after, .. } => not_ready(*after).of(*instance).pid(*pid),
        Notice::ListensNowhere { instance, pid, port, .. } => silence(*port).of(*instance).pid(*pid),
        Notice::ListensElsewhere { instance, pid, found, wanted, .. } => {
            other_port(*found, *wanted).of(*instance).pid(*pid)
        }
        Notice::StillAnswering { instance, pid, after, .. } => {
            let text = format!(
                "worker has not finished its answers in {}: asking it to end (`--drain-timeout` allows more)",
                Human(*after)
            );
            Said::new(Level::WARN, "still_answering", text).of(*instance).pid(*pid)
        }
        Notice::Killing { instance, pid, after, .. } => {
            let text = format!("worker has not ended {} after it was asked to: killing it", Human(*after));
            Said::new(Level::WARN, "killing", text).of(*instance).pid(*pid)
        }
        _ => return None,
    };
    Some(said)
}

fn not_ready(after: Duration) -> Said {
    let text = format!(
        "worker has not said that it is ready after {} (`process.send('ready')`, or sd_notify's READY=1); still waiting",
        Human(after)
    );
    Said::new(Level::WARN, "not_ready", text)
}

fn silence(port: u16) -> Said {
    let text =
        format!("the app listens on nothing after 10 s: the platform expects it on PORT, which is {port}");
    Said::new(Level::WARN, "listens_nowhere", text)
}

fn other_port(found: u16, wanted: u16) -> Said {
    let text = format!(
        "the app listens on port {found}, but the platform expects it on PORT, which is {wanted}: let it listen on \
         the port that the environment variable PORT names"
    );
    Said::new(Level::WARN, "listens_elsewhere", text)
}

fn exited((reason, killer): (ExitReason, Killer), lived: Duration, next: Next) -> Said {
    let how = match (reason, killer) {
        (_, Killer::OutOfMemory) => "killed by the kernel: out of memory".to_owned(),
        (ExitReason::Code(_), _) => format!("exited with {reason}").replace("with exit code", "with code"),
        (ExitReason::Signal(_), _) => format!("ended by {reason}"),
    };
    let is_asked_elsewhere = matches!(reason, ExitReason::Signal(Signal::TERM | Signal::INT | Signal::QUIT));
    let then = if is_asked_elsewhere { String::new() } else { next_step(next) };
    let level = match next {
        // A platform that ends everything signals the workers as well, and our turn comes in a moment.
        Next::Restart { .. } if is_asked_elsewhere => Level::INFO,
        Next::Nothing | Next::Stay | Next::Rest | Next::Replaced => Level::INFO,
        Next::Restart { .. } | Next::KeepOld | Next::TakenOver => Level::WARN,
        Next::GiveUp => Level::ERROR,
    };
    let mut said = Said::new(level, "exited", format!("worker {how}{then}{}", hint(reason, next)));
    said.lived = Some(Human(lived).to_string());
    said
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
        Next::GiveUp | Next::Nothing | Next::Stay => String::new(),
        Next::Rest => ", which is one of `--stop-exit-codes`: none follows".to_owned(),
        Next::KeepOld => ", the old one goes on".to_owned(),
        Next::Replaced => ", its successor is starting".to_owned(),
        Next::TakenOver => ", a standby takes its place".to_owned(),
    }
}

/// Notices on instances without a worker.
fn of_instance(notice: &Notice) -> Option<Said> {
    match notice {
        Notice::SpawnFailed { instance, failure, next, .. } => {
            let text = format!("cannot start a worker: {}{}", failure.message, next_step(*next));
            Some(Said::new(Level::ERROR, "spawn_failed", text).of(*instance))
        }
        // A single failure, such as a program that is not there, has said it all.
        Notice::AwaitsChanges { instance } => {
            let text = "it is tried again when its files change";
            Some(Said::new(Level::INFO, "awaits_changes", text).of(*instance))
        }
        Notice::Failed { starts: 1, .. } => None,
        Notice::Failed { instance, starts } => {
            let text = format!("instance failed: {starts} unstable starts in a row, giving it up");
            Some(Said::new(Level::ERROR, "failed", text).of(*instance))
        }
        _ => None,
    }
}

/// What an app has told of itself, after so much that was left out; and what it has sent along.
pub(super) fn app_has_told(told: Told, missed: u64) -> (Said, Option<Value>) {
    let (level, kind, text, data) = match told {
        Told::Exception { text, data, by: _ } => {
            (Level::WARN, "exception", format!("the app reports an exception: {text}"), data)
        }
        Told::Event { name, data } => (Level::INFO, "app_event", format!("the app reports: {name}"), data),
        // For programs; people have the app's own lines.
        Told::Message { topic, data } => (Level::DEBUG, "message", format!("the app sends `{topic}`"), data),
    };
    let more = match missed {
        0 => String::new(),
        _ => format!(" ({missed} more before it were left out)"),
    };
    (Said::new(level, kind, text + &more), data)
}

/// Notices on whether the app and its workers do their work.
fn of_health(notice: &Notice) -> Option<Said> {
    let of = |said: Said, whose: Option<(InstanceId, Pid)>| match whose {
        Some((instance, pid)) => said.of(instance).pid(pid),
        None => said,
    };
    let said = match notice {
        Notice::Unhealthy { whose, failures, why } => {
            let text =
                format!("unhealthy: {failures} health checks in a row have failed, the last with: {why}");
            of(Said::new(Level::WARN, "unhealthy", text), *whose)
        }
        Notice::Healthy { whose } => of(Said::new(Level::INFO, "healthy", "healthy again"), *whose),
        Notice::Stalled { instance, pid, cause, span, .. } => {
            let text = format!("worker has stalled for {}: {}; replacing it", Human(*span), cause.why());
            Said::new(Level::WARN, "stalled", text).of(*instance).pid(*pid)
        }
        Notice::TooLarge { instance, pid, bytes, limit, .. } => {
            let text = format!(
                "worker has {} of memory, more than `--max-memory-restart` allows ({}); replacing it",
                Size(*bytes),
                Size(*limit)
            );
            Said::new(Level::WARN, "too_large", text).of(*instance).pid(*pid)
        }
        Notice::Crowded { instances, strain } => crowded(*instances, *strain),
        Notice::MemoryShort { instance, pid, strain, .. } => memory_short(*strain).of(*instance).pid(*pid),
        Notice::Recycling { instance, pid, strain, remedy, alone, .. } => {
            recycling(*strain, *remedy, *alone).of(*instance).pid(*pid)
        }
        Notice::ReplacementDeferred { instance, row, delay } => {
            let text = format!(
                "worker is to be replaced, as the {row} before it were; the next comes in {} at the earliest",
                Human(*delay)
            );
            Said::new(Level::ERROR, "replacement_deferred", text).of(*instance)
        }
        Notice::ReplacementFailed { instance, why, delay } => {
            let text = format!(
                "worker not replaced: {}; trying again in {} at the earliest",
                why_called_off(why),
                Human(*delay)
            );
            Said::new(Level::ERROR, "replacement_failed", text).of(*instance)
        }
        _ => return None,
    };
    Some(said)
}

fn memory_short(Strain { used, limit, bytes }: Strain) -> Said {
    let text = format!(
        "memory runs short: {} of {} are in use, the most by this worker ({}); it takes more memory, fewer instances, or a worker \
         that does not grow",
        Size(used),
        Size(limit),
        Size(bytes)
    );
    Said::new(Level::WARN, "memory_short", text)
}

fn crowded(instances: usize, Strain { used, limit, bytes }: Strain) -> Said {
    let text = format!(
        "{instances} workers of up to {} have no room: {} of {} of memory are in use; going on with one less",
        Size(bytes),
        Size(used),
        Size(limit)
    );
    Said::new(Level::WARN, "crowded", text)
}

fn recycling(Strain { used, limit, bytes }: Strain, remedy: Remedy, alone: bool) -> Said {
    let how = match (remedy, alone) {
        (Remedy::None | Remedy::Beside | Remedy::Fewer, _) => "replacing it with no gap",
        (Remedy::Instead, false) => {
            "replacing it; the others serve meanwhile, since there is no room for one more"
        }
        (Remedy::Instead, true) => {
            "replacing it; nobody else serves meanwhile, since there is no room for one more"
        }
    };
    let text = format!(
        "worker has grown to {}, and {} of {} of memory are in use; {how}",
        Size(bytes),
        Size(used),
        Size(limit)
    );
    Said::new(Level::WARN, "recycling", text)
}

/// One file may be told of several times in a row, so only whether there were more is sure.
fn changed(path: &str, files: u32) -> String {
    match (path, files) {
        ("", _) => "files have changed".to_owned(),
        (path, 1) => format!("`{path}` has changed"),
        (path, _) => format!("`{path}` has changed, and more"),
    }
}

fn of_reload(notice: &Notice) -> Option<Said> {
    let mut said = match notice {
        Notice::FilesChanged { path, files } => {
            Said::new(Level::INFO, "files_changed", changed(path, *files))
        }
        Notice::TimeHasCome { pattern } => {
            let text = format!("it is time to begin anew: `--cron-restart` is `{pattern}`");
            Said::new(Level::INFO, "time_has_come", text)
        }
        Notice::ReloadBegun { .. } => Said::new(Level::INFO, "reload_begun", "reloading"),
        Notice::ReloadRefused => Said::new(
            Level::WARN,
            "reload_refused",
            "reload refused: one is under way, or there is nothing to reload",
        ),
        Notice::ReloadDone { .. } => Said::new(Level::INFO, "reload_done", "reloaded"),
        Notice::ReloadCalledOff { instance, why, .. } => {
            let text = format!("reload called off, the old workers go on: {}", why_called_off(why));
            Said::new(Level::ERROR, "reload_called_off", text).of(*instance)
        }
        Notice::CheckBegun { .. } => {
            Said::new(Level::INFO, "check_begun", "checking: booting one new worker")
        }
        Notice::CheckPassed { .. } => {
            Said::new(Level::INFO, "check_passed", "check passed: the new worker was ready, and is discarded")
        }
        Notice::CheckFailed { instance, why } => {
            let text = format!("check failed, nothing was changed: {}", why_called_off(why));
            Said::new(Level::ERROR, "check_failed", text).of(*instance)
        }
        _ => return None,
    };
    match notice {
        Notice::ReloadBegun { generation, instances } => {
            (said.generation, said.instances) = (Some(*generation), Some(*instances));
        }
        Notice::ReloadDone { generation, took } => {
            (said.generation, said.took) = (Some(*generation), Some(Human(*took).to_string()));
        }
        Notice::CheckPassed { took } => said.took = Some(Human(*took).to_string()),
        _ => {}
    }
    Some(said)
}

/// Notices on the app as a whole.
fn of_app(notice: &Notice) -> Option<Said> {
    let said = match notice {
        Notice::StopDelayed { span, workers } => {
            let span = duration::render(*span);
            let text = format!("SIGTERM received, serving on for {span} (`--shutdown-delay`)");
            Said { workers: Some(*workers), ..Said::new(Level::INFO, "stop_delayed", text) }
        }
        Notice::Stopping { reason, workers } => {
            let text = match reason {
                StopReason::Signal(signal) => format!("{signal} received, stopping"),
                StopReason::OutputClosed => "nobody reads standard output any more, stopping".to_owned(),
                StopReason::Removed => "told to end, stopping".to_owned(),
            };
            Said { workers: Some(*workers), ..Said::new(Level::INFO, "stopping", text) }
        }
        Notice::NothingToPark => Said::new(
            Level::WARN,
            "nothing_to_park",
            "no standby is kept: it is held where it is about to listen, and this app listens nowhere",
        ),
        Notice::StandbyGivenUp { starts } => {
            let text = format!(
                "no standby is kept any more: {starts} unstable start{} in a row; the instances are not touched",
                if *starts == 1 { "" } else { "s" }
            );
            Said::new(Level::WARN, "standby_given_up", text)
        }
        Notice::StoppingNow { signal } => {
            Said::new(Level::WARN, "stopping_now", format!("{signal} received again, killing all workers"))
        }
        Notice::Holding { instances } => Said {
            instances: Some(*instances),
            ..Said::new(Level::INFO, "holding", "told to stop, stopping")
        },
        Notice::Restarting { generation, instances } => {
            let said = Said::new(Level::INFO, "restarting", "restarting");
            Said { generation: Some(*generation), instances: Some(*instances), ..said }
        }
        Notice::Scaled { from, to } => {
            Said { from: Some(*from), to: Some(*to), ..Said::new(Level::INFO, "scaled", "scaled") }
        }
        Notice::ScaleRefused { at } => {
            Said::new(Level::WARN, "scale_refused", format!("not scaled: {at} is as far as it goes"))
        }
        Notice::Ended { verdict, status } => Said { status: Some(*status), ..ended(*verdict) },
        _ => return None,
    };
    Some(said)
}

fn ended(verdict: Verdict) -> Said {
    let (level, text) = match verdict {
        Verdict::Drained => (Level::INFO, "stopped"),
        Verdict::Killed => (Level::WARN, "stopped, but not every worker ended by itself"),
        Verdict::Failed => (Level::ERROR, "the app has failed"),
        Verdict::Completed => (Level::INFO, "every worker has ended"),
    };
    Said::new(level, "ended", text)
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

    #[test]
    fn an_end_that_somebody_else_asked_for_is_no_warning() {
        let next = Next::Restart { delay: Duration::ZERO, unstable: 0, max_unstable: 16 };
        let said = exited((ExitReason::Signal(Signal::TERM), Killer::Unknown), Duration::ZERO, next);
        assert_eq!((said.level, said.text.as_str()), (Level::INFO, "worker ended by SIGTERM"));
        let said = exited((ExitReason::Code(3), Killer::Unknown), Duration::ZERO, next);
        assert_eq!(
            (said.level, said.text.as_str()),
            (Level::WARN, "worker exited with code 3, restarting in 0ms")
        );
    }
}
