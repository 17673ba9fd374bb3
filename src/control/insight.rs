//! Has a Node worker look into itself, and hands over the file that comes of it.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use jiff::Timestamp;
use tokio::time::timeout;

use super::answer::{self, Answer, AnswerBody, Result};
use super::attachment::Attachment;
use super::query::{Query, problem};
use super::routes::Context;
use crate::api::insight::{BEGINS_WITHIN, DONE_WITHIN, MOST_SECONDS, SECONDS};
use crate::api::routes::{self, Route};
use crate::api::types::Problem;
use crate::driver::handle::{Insight, Question, Target};
use crate::driver::insight::ANOTHER_PLACE;
use crate::handover::insight::Wanted;

/// A worker is told again after so long, as it may not have heard: for a moment after its start it does not listen.
const URGE_EVERY: Duration = Duration::from_millis(250);

/// What a request wants to know.
pub(super) fn wanted(route: Route, mut query: Query) -> Result<Wanted> {
    let wanted = if route == routes::PROFILE {
        let seconds = query.number("seconds", MOST_SECONDS).unwrap_or(SECONDS).max(1);
        let time = Duration::from_secs(seconds as u64);
        if query.flag("heap") == Some(true) { Wanted::Heap(time) } else { Wanted::Cpu(time) }
    } else if route == routes::SNAPSHOT {
        Wanted::Snapshot
    } else {
        Wanted::Report
    };
    query.finish()?;
    Ok(wanted)
}

pub(super) async fn look_inside(context: &Context, text: &str, wanted: Wanted) -> Result<Answer> {
    let (targets, _) = context.resolve(text).await?;
    let &[target] = targets.as_slice() else {
        let said =
            format!("`{text}` means {} apps, and one worker can be looked into at a time", targets.len());
        return Err(problem("refused", said, Some("name one, or an instance by its number".to_owned())));
    };
    let question = |reply| Question::Insight { target, wanted, reply };
    let insight = context.handle.ask(question).await??;
    let name = file_name(&insight, wanted);
    let file = wait(context, target, insight, wanted).await?;
    let file = Attachment::new(file).map_err(|error| {
        problem("failed", format!("the file that the worker has written cannot be read: {error}"), None)
    })?;
    let content = if wanted == Wanted::Report { "application/json" } else { "application/octet-stream" };
    let mut answer = answer::with_header(StatusCode::OK, content, AnswerBody::File(file));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    answer
        .headers_mut()
        .insert(CONTENT_DISPOSITION, disposition.expect("the name has plain characters only"));
    Ok(answer)
}

/// Until it is written.
async fn wait(context: &Context, target: Target, insight: Insight, wanted: Wanted) -> Result<std::fs::File> {
    let Insight { app, instance, pid, file, mut begun, done, .. } = insight;
    let who = format!("worker {pid} (`{app}`, instance {instance})");
    let begins = async {
        // Where it has failed already, this is dropped.
        while timeout(URGE_EVERY, &mut begun).await.is_err() {
            context.handle.ask(|reply| Question::Urge { target, pid, reply }).await?;
        }
        Ok::<_, Problem>(())
    };
    let Ok(begins) = timeout(BEGINS_WITHIN, begins).await else {
        drop((begun, done));
        context.handle.ask(|reply| Question::Urge { target, pid, reply }).await?;
        let said = format!("{who} has not answered within {} s", BEGINS_WITHIN.as_secs());
        let hint = "its event loop may be blocked (`pmr show` has its delay), or it was started before an update of the runtime";
        return Err(problem("no_answer", said, Some(hint.to_owned())));
    };
    begins?;
    let limit = wanted.lasts() + DONE_WITHIN;
    match timeout(limit, done).await {
        Ok(Ok(Ok(()))) => Ok(file),
        Ok(Ok(Err(why))) => {
            let hint = why.contains("no space").then(|| ANOTHER_PLACE.to_owned());
            Err(problem("failed", format!("{who} could not do it: {why}"), hint))
        }
        Ok(Err(_dropped)) => Err(problem("ended", format!("{who} has ended before it was done"), None)),
        Err(_elapsed) => {
            Err(problem("no_answer", format!("{who} was not done within {} s", limit.as_secs()), None))
        }
    }
}

/// By which the client may keep it.
fn file_name(insight: &Insight, wanted: Wanted) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let app: String = insight.app.chars().map(plain).collect();
    let time = i64::try_from(insight.at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let time = time.unwrap_or_default().strftime("%Y%m%dT%H%M%S");
    format!("{app}-{}-{time}.{}", insight.instance, wanted.extension())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::process::Pid;

    #[test]
    fn a_file_is_named_after_its_worker_and_the_time() {
        let insight = Insight {
            app: "@acme/web \"1\"".to_owned(),
            instance: 3,
            pid: Pid::new(7),
            at_ms: 1_795_730_400_123,
            file: tempfile::tempfile().unwrap(),
            begun: oneshot::channel().1,
            done: oneshot::channel().1,
        };
        let name = file_name(&insight, Wanted::Cpu(Duration::from_secs(1)));
        assert_eq!(name, "_acme_web__1_-3-20261126T220000.cpuprofile");
    }

    #[test]
    fn a_profile_takes_ten_seconds_unless_it_is_said() {
        let of = |route, query: &str| wanted(route, Query::parse(Some(query)));
        assert_eq!(of(routes::PROFILE, ""), Ok(Wanted::Cpu(Duration::from_secs(10))));
        assert_eq!(of(routes::PROFILE, "seconds=3&heap"), Ok(Wanted::Heap(Duration::from_secs(3))));
        assert_eq!(of(routes::SNAPSHOT, ""), Ok(Wanted::Snapshot));
        assert_eq!(of(routes::REPORT, ""), Ok(Wanted::Report));
        for wrong in ["seconds=301", "seconds=x", "second=1"] {
            assert_eq!(of(routes::PROFILE, wrong).unwrap_err().code, "bad_request", "{wrong}");
        }
        assert_eq!(of(routes::SNAPSHOT, "seconds=1").unwrap_err().code, "bad_request");
    }
}
