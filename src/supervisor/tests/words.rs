//! Actions in a few words each, so that scenarios can be read. Spans that carry jitter are left out.

use crate::process::Pid;
use crate::spec::{InstanceId, WorkerId};
use crate::supervisor::{
    Action, Answer, CalledOff, Next, Notice, Parking, Recipient, Remedy, StopReason, Subject,
};

/// `worker` 3 is `w3`, instance 0 is `#0`, generation 2 is `g2`.
pub(super) fn words(action: &Action) -> String {
    match action {
        Action::Spawn { worker, instance, generation, parking: Parking::Off } => {
            format!("spawn w{worker} #{instance} g{generation}")
        }
        Action::Spawn { worker, instance, generation, parking: Parking::On } => {
            format!("spawn w{worker} #{instance} g{generation} to park")
        }
        Action::Release { worker, instance } => format!("release w{worker} #{instance}"),
        Action::Drain { worker, .. } => format!("drain w{worker}"),
        Action::Stop { worker, signal } => format!("stop w{worker} {signal}"),
        Action::Kill { worker } => format!("kill w{worker}"),
        Action::Forward { worker, signal, to: Recipient::Leader } => format!("forward w{worker} {signal}"),
        Action::Forward { worker, signal, to: Recipient::Group } => {
            format!("forward w{worker} group {signal}")
        }
        Action::Serve { instances } => {
            let ids: Vec<_> = instances.iter().map(|id| format!("#{id}")).collect();
            format!("serve {}", ids.join(" "))
        }
        Action::Suspend => "suspend".to_owned(),
        Action::StopListening => "stop listening".to_owned(),
        Action::Adopt { generation, .. } => format!("adopt g{generation}"),
        Action::Answer { ticket, answer } => format!("answer {}: {}", ticket.0, answer_words(answer)),
        Action::Notice(notice) => notice_words(notice),
        Action::Check { subject, generation, .. } => {
            format!("check {} g{generation}", subject_words(*subject))
        }
        Action::EndCheck { subject } => format!("end check {}", subject_words(*subject)),
        Action::Schedule { mark, .. } => {
            format!("schedule {}", mark.map_or_else(|| "new".to_owned(), |it| it.to_string()))
        }
        Action::Measure { workers } => {
            let ids: Vec<_> = workers.iter().map(|id| format!("w{id}")).collect();
            format!("measure {}", ids.join(" "))
        }
        Action::Prepare => "prepare".to_owned(),
        Action::Ping { worker } => format!("ping w{worker}"),
        Action::Report { worker, cause } => format!("report w{worker} {cause:?}"),
        Action::Exit { status } => format!("exit {status}"),
    }
}

fn notice_words(notice: &Notice) -> String {
    match notice {
        Notice::Started { worker, .. } => format!("started w{worker}"),
        Notice::Ready { worker, instance, .. } => format!("ready w{worker} #{instance}"),
        Notice::Parked { worker, .. } => format!("parked w{worker}"),
        Notice::TookOver { worker, instance, number, .. } => {
            format!("w{worker} #{number} took over #{instance}")
        }
        Notice::NothingToPark => "nothing to park".to_owned(),
        Notice::StandbyGivenUp { starts } => format!("standby given up {starts}"),
        Notice::NotReady { worker, after, .. } => format!("not ready w{worker} {after:?}"),
        Notice::ListensNowhere { worker, port, .. } => format!("listens nowhere w{worker} {port}"),
        Notice::ListensElsewhere { worker, found, wanted, .. } => {
            format!("listens elsewhere w{worker} {found} {wanted}")
        }
        Notice::Exited { worker, reason, next, .. } => {
            format!("exited w{worker} {reason}: {}", next_words(*next))
        }
        Notice::SpawnFailed { worker, failure, next, .. } => {
            format!("spawn failed w{worker} {}: {}", failure.status, next_words(*next))
        }
        Notice::StillAnswering { worker, after, .. } => format!("still answering w{worker} {after:?}"),
        Notice::Killing { worker, after, .. } => format!("killing w{worker} {after:?}"),
        Notice::Unhealthy { whose, failures, why } => {
            format!("unhealthy {} {failures} {why}", whose_words(*whose))
        }
        Notice::Healthy { whose } => format!("healthy {}", whose_words(*whose)),
        Notice::Stalled { worker, cause, span, .. } => format!("stalled w{worker} {cause:?} {span:?}"),
        Notice::FilesChanged { path, files } => changed_words(path, *files),
        Notice::TimeHasCome { pattern } => format!("time has come {pattern}"),
        Notice::TooLarge { worker, bytes, limit, .. } => format!("too large w{worker} {bytes} > {limit}"),
        Notice::MemoryShort { worker, strain, .. } => format!("memory short w{worker} {}", strain.used),
        Notice::Crowded { instances, .. } => format!("crowded {instances}"),
        Notice::Recycling { worker, remedy, alone, .. } => recycling_words(*worker, *remedy, *alone),
        Notice::ReplacementDeferred { instance, row, delay } => {
            format!("replacement deferred #{instance} {row} {delay:?}")
        }
        Notice::ReplacementFailed { instance, why, delay } => {
            format!("replacement failed #{instance} {} {delay:?}", why_words(why))
        }
        Notice::AwaitsChanges { instance } => format!("awaits changes #{instance}"),
        Notice::Failed { instance, starts } => format!("failed #{instance} {starts}"),
        Notice::StopDelayed { span, workers } => format!("stop delayed {}s {workers}", span.as_secs()),
        Notice::Stopping { reason, workers } => stop_words(*reason, *workers),
        Notice::StoppingNow { signal } => format!("stopping now {signal}"),
        Notice::ReloadBegun { generation, instances } => format!("reload g{generation} of {instances}"),
        Notice::ReloadRefused => "reload refused".to_owned(),
        Notice::ReloadDone { generation, .. } => format!("reload g{generation} done"),
        Notice::ReloadCalledOff { generation, instance, why } => {
            format!("reload g{generation} off #{instance} {}", why_words(why))
        }
        Notice::CheckBegun { generation } => format!("check g{generation}"),
        Notice::CheckPassed { .. } => "check passed".to_owned(),
        Notice::CheckFailed { instance, why } => format!("check failed #{instance} {}", why_words(why)),
        Notice::Holding { instances } => format!("holding {instances}"),
        Notice::Restarting { generation, instances } => format!("restart g{generation} of {instances}"),
        Notice::Scaled { from, to } => format!("scaled {from} {to}"),
        Notice::ScaleRefused { at } => format!("scale refused {at}"),
        Notice::Ended { verdict, status } => format!("ended {verdict:?} {status}"),
    }
}

fn recycling_words(worker: WorkerId, remedy: Remedy, alone: bool) -> String {
    format!("recycling w{worker} {remedy:?}{}", if alone { " alone" } else { "" })
}

fn changed_words(path: &str, files: u32) -> String {
    let more = if files > 1 { format!(" and {} more", files - 1) } else { String::new() };
    format!("changed {path}{more}")
}

fn stop_words(reason: StopReason, workers: usize) -> String {
    match reason {
        StopReason::Signal(signal) => format!("stopping {signal} {workers}"),
        StopReason::OutputClosed => format!("stopping output {workers}"),
        StopReason::Removed => format!("removing {workers}"),
    }
}

fn subject_words(subject: Subject) -> String {
    match subject {
        Subject::App => "app".to_owned(),
        Subject::Worker(worker) => format!("w{worker}"),
    }
}

fn whose_words(whose: Option<(InstanceId, Pid)>) -> String {
    whose.map_or_else(|| "app".to_owned(), |(instance, _)| format!("#{instance}"))
}

fn why_words(why: &CalledOff) -> String {
    match why {
        CalledOff::Exited(reason) => format!("exited {reason}"),
        CalledOff::SpawnFailed(failure) => format!("spawn failed {}", failure.status),
        CalledOff::TimedOut(timeout) => format!("timed out {timeout:?}"),
        CalledOff::Stopping => "stopping".to_owned(),
        CalledOff::Overtaken => "overtaken".to_owned(),
    }
}

fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::Done => "done".to_owned(),
        Answer::Refused(refusal) => format!("refused {refusal:?}"),
        Answer::Failed { instance, why } => format!("failed #{instance} {}", why_words(why)),
    }
}

fn next_words(next: Next) -> String {
    match next {
        Next::Restart { unstable, max_unstable, .. } => format!("restart {unstable}/{max_unstable}"),
        Next::GiveUp => "give up".to_owned(),
        Next::Nothing => "nothing".to_owned(),
        Next::Stay => "stay".to_owned(),
        Next::Rest => "rest".to_owned(),
        Next::KeepOld => "keep old".to_owned(),
        Next::Replaced => "replaced".to_owned(),
        Next::TakenOver => "taken over".to_owned(),
    }
}
