//! What the supervisor asks for, and the facts that it reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{Answer, Ticket};
use super::event::{Killer, SpawnFailure};
use super::health::Subject;
use super::strain::{Remedy, Strain};
use super::vitals::Stall;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{Generation, InstanceId, Probe, WorkerId};

/// Something for the driver to carry out, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Start a worker, and answer with `Spawned` or `SpawnFailed` before anything else. A standby's instance is a number
    /// that no instance has.
    Spawn { worker: WorkerId, instance: InstanceId, generation: Generation, parking: Parking },
    /// The worker is that of this instance from now on, and may listen, whether it is waiting to do so or not.
    Release { worker: WorkerId, instance: InstanceId },
    /// Let the worker finish its answers, and send [`super::Event::Drained`] once it has, or at once if it needs no
    /// waiting for. `signal` is what it will be asked to end with.
    Drain { worker: WorkerId, signal: Signal },
    /// Ask the worker's group to end with `signal`, in the way that loses no request.
    Stop { worker: WorkerId, signal: Signal },
    /// SIGKILL to the worker's whole group, now.
    Kill { worker: WorkerId },
    /// Pass the signal on as it is.
    Forward { worker: WorkerId, signal: Signal, to: Recipient },
    /// Stop as a program does on Ctrl-Z, and when continued, continue all workers.
    Suspend,
    /// The workers that serve have changed: connections shall go to these instances only.
    /// Never empty; sorted.
    Serve { instances: Vec<InstanceId> },
    /// The app is stopping: take no new connections once the workers take none.
    StopListening,
    /// Workers of this generation are as the order with this ticket says; where there is none, as the driver finds the
    /// app configured now.
    Adopt { ticket: Option<Ticket>, generation: Generation },
    /// Ask whether all is well, and answer with [`super::Event::Checked`]; `generation` says whose plan holds.
    Check { subject: Subject, generation: Generation, probe: Probe },
    /// The check has taken too long, or is of no interest any more: end it, without an answer.
    EndCheck { subject: Subject },
    /// Ask the worker's event loop for a sign of life, and answer with [`super::Event::Pulse`] once it has given one.
    Ping { worker: WorkerId },
    /// Say whether a time of the cron pattern has come since the mark, and when to ask again, by [`super::Event::Scheduled`], once
    /// all else is done.
    Schedule { pattern: String, mark: Option<u64> },
    /// Files have changed: read everything anew for a reload, and answer with [`super::Event::Prepared`], once all else is done.
    Prepare,
    /// Measure the memory of these workers and all that descends from them, and answer with [`super::Event::Measured`].
    Measure { workers: Vec<WorkerId> },
    /// Save what can be found out about a worker that has stalled, before it is asked to end.
    Report { worker: WorkerId, cause: Stall },
    /// The order has come to its end.
    Answer { ticket: Ticket, answer: Answer },
    /// Tell people, counters and clients.
    Notice(Notice),
    /// The app is over, with this status. It stays so unless an order starts it again.
    Exit { status: u8 },
}

/// Whether a worker may listen as soon as it wants to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parking {
    Off,
    /// It is held where it is about to listen, and that is told of by [`super::Event::Parked`].
    On,
}

/// Who of a worker gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipient {
    /// The process that we started.
    Leader,
    /// Its whole process group.
    Group,
}

/// A fact worth telling. Carries what a reader needs; the driver puts it into words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    Started {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        pid: Pid,
    },
    /// `after` is how long it took from the spawn.
    Ready {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        after: Duration,
    },
    /// The worker is booted, and held where it is about to listen.
    Parked {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        after: Duration,
    },
    /// A standby becomes the worker of `instance`.
    TookOver {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        /// The number that it was started with.
        number: InstanceId,
    },
    /// A standby is of no use: the app was seen to serve without listening.
    NothingToPark,
    /// No standby is started any more: too many unstable starts in a row.
    StandbyGivenUp {
        starts: u32,
    },
    /// The readiness timeout has passed; the worker is left alone.
    NotReady {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        after: Duration,
    },
    /// Ten seconds have passed and the worker that should listen on `port` listens nowhere.
    ListensNowhere {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        port: u16,
    },
    /// The worker listens on `found`, but the platform expects `wanted`.
    ListensElsewhere {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        found: u16,
        wanted: u16,
    },
    Exited {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        pid: Pid,
        reason: ExitReason,
        killer: Killer,
        lived: Duration,
        next: Next,
    },
    SpawnFailed {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        failure: SpawnFailure,
        next: Next,
    },
    /// A worker still answers when the time to drain is over, and is asked to end.
    StillAnswering {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        after: Duration,
    },
    /// A worker did not end in time and is killed.
    Killing {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        after: Duration,
    },
    /// The checks of the app, or of an instance's worker, have failed too often in a row.
    Unhealthy {
        whose: Option<(InstanceId, Pid)>,
        failures: u32,
        why: String,
    },
    /// They succeed again.
    Healthy {
        whose: Option<(InstanceId, Pid)>,
    },
    /// A worker has not done its work for so long, and is replaced.
    Stalled {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        pid: Pid,
        cause: Stall,
        span: Duration,
        lived: Duration,
    },
    /// The clock says that the app is to be reloaded.
    TimeHasCome {
        pattern: String,
    },
    /// So many files have changed, this one first, where it is known; the app is reloaded.
    FilesChanged {
        path: String,
        files: u32,
    },
    /// A worker has more memory than it may, and is replaced.
    TooLarge {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        pid: Pid,
        bytes: u64,
        limit: u64,
        lived: Duration,
    },
    /// All workers together are about to have more memory than they may; this one has the most.
    MemoryShort {
        worker: WorkerId,
        instance: InstanceId,
        pid: Pid,
        strain: Strain,
    },
    /// So many workers have no room, even when they are young; the last instance goes.
    Crowded {
        instances: usize,
        strain: Strain,
    },
    /// For the same reason this one gives way. `alone` says whether nobody else of the app serves.
    Recycling {
        worker: WorkerId,
        instance: InstanceId,
        generation: Generation,
        pid: Pid,
        strain: Strain,
        remedy: Remedy,
        alone: bool,
        lived: Duration,
    },
    /// A worker has stalled, and is not replaced before this time has passed: `row` workers of the instance were before.
    ReplacementDeferred {
        instance: InstanceId,
        row: u32,
        delay: Duration,
    },
    /// The new worker came to nothing: the stalled one stays, and the next try comes after this time.
    ReplacementFailed {
        instance: InstanceId,
        why: CalledOff,
        delay: Duration,
    },
    /// The instance is given up: too many unstable starts in a row.
    Failed {
        instance: InstanceId,
        starts: u32,
    },
    /// Files are watched: the instance that was given up is tried again when they change.
    AwaitsChanges {
        instance: InstanceId,
    },
    /// SIGTERM came; the workers serve on for so long, and are then asked to end.
    StopDelayed {
        span: Duration,
        workers: usize,
    },
    Stopping {
        reason: StopReason,
        workers: usize,
    },
    /// A second INT or QUIT: every worker is killed.
    StoppingNow {
        signal: Signal,
    },
    ReloadBegun {
        generation: Generation,
        instances: usize,
    },
    /// A reload is under way already, or there is no worker to reload.
    ReloadRefused,
    ReloadDone {
        generation: Generation,
        took: Duration,
    },
    ReloadCalledOff {
        generation: Generation,
        instance: InstanceId,
        why: CalledOff,
    },
    /// A check has begun.
    CheckBegun {
        generation: Generation,
    },
    CheckPassed {
        took: Duration,
    },
    /// The new worker of a check failed; nothing else was touched.
    CheckFailed {
        instance: InstanceId,
        why: CalledOff,
    },
    /// Instances are stopped on order, and stay so.
    Holding {
        instances: usize,
    },
    /// Instances are stopped, and then started, on order.
    Restarting {
        generation: Generation,
        instances: usize,
    },
    Scaled {
        from: u32,
        to: u32,
    },
    /// TTOU with as few instances as there may be, or TTIN with as many.
    ScaleRefused {
        at: u32,
    },
    /// The runtime ends, and why.
    Ended {
        verdict: Verdict,
        status: u8,
    },
}

impl Notice {
    /// The instance that it is about, if it is about one.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Started { instance, .. }
            | Self::Ready { instance, .. }
            | Self::Parked { instance, .. }
            | Self::TookOver { instance, .. }
            | Self::NotReady { instance, .. }
            | Self::ListensNowhere { instance, .. }
            | Self::ListensElsewhere { instance, .. }
            | Self::Exited { instance, .. }
            | Self::SpawnFailed { instance, .. }
            | Self::StillAnswering { instance, .. }
            | Self::Killing { instance, .. }
            | Self::Stalled { instance, .. }
            | Self::TooLarge { instance, .. }
            | Self::MemoryShort { instance, .. }
            | Self::Recycling { instance, .. }
            | Self::ReplacementDeferred { instance, .. }
            | Self::ReplacementFailed { instance, .. }
            | Self::Failed { instance, .. }
            | Self::AwaitsChanges { instance }
            | Self::ReloadCalledOff { instance, .. }
            | Self::CheckFailed { instance, .. } => Some(*instance),
            Self::Unhealthy { whose, .. } | Self::Healthy { whose } => whose.map(|(instance, _)| instance),
            Self::StopDelayed { .. }
            | Self::Stopping { .. }
            | Self::StoppingNow { .. }
            | Self::TimeHasCome { .. }
            | Self::Crowded { .. }
            | Self::FilesChanged { .. }
            | Self::ReloadBegun { .. }
            | Self::ReloadRefused
            | Self::NothingToPark
            | Self::StandbyGivenUp { .. }
            | Self::ReloadDone { .. }
            | Self::CheckBegun { .. }
            | Self::CheckPassed { .. }
            | Self::Holding { .. }
            | Self::Restarting { .. }
            | Self::Scaled { .. }
            | Self::ScaleRefused { .. }
            | Self::Ended { .. } => None,
        }
    }
}

/// What follows on a worker's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// A new worker in this time; `unstable` unstable starts in a row so far, of `max_unstable`.
    Restart { delay: Duration, unstable: u32, max_unstable: u32 },
    /// The instance has failed.
    GiveUp,
    /// It was asked to end.
    Nothing,
    /// It has ended by itself, and is not to be replaced: `--no-autorestart`.
    Stay,
    /// Its status is one after which none follows.
    Rest,
    /// It was the new one of a reload: the old one goes on.
    KeepOld,
    /// It was the old one, and its successor takes its place.
    Replaced,
    /// A standby takes its place, at once.
    TakenOver,
}

/// Why the runtime stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    Signal(Signal),
    OutputClosed,
    /// The app is taken out of the runtime.
    Removed,
}

/// Why a reload was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CalledOff {
    /// The new worker ended before it was ready.
    Exited(ExitReason),
    SpawnFailed(SpawnFailure),
    /// The new worker was not ready in time.
    TimedOut(Duration),
    /// The app is stopping.
    Stopping,
    /// Another order, or the end of the instance, has come in between.
    Overtaken,
}

/// How it all ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Stopped on request, every worker ended by itself.
    Drained,
    /// Stopped on request, but a worker had to be killed.
    Killed,
    /// Every instance has failed.
    Failed,
    /// Every worker has ended and none is to be restarted.
    Completed,
}
