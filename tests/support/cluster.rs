//! Who answers on a port.

use std::collections::BTreeSet;
use std::io;

use super::runtime::Runtime;
use super::{http, wait};

/// How many questions are asked in a row before the count of those who answered is looked at.
const BURST: usize = 20;

/// The process id in an answer of one of our fixtures: `pid=123 ...`.
pub(crate) fn pid_in(answer: &str) -> Option<i32> {
    let (_, rest) = answer.split_once("pid=")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Asks, each time by `ask`, until `count` different processes have answered. The first answer may take its time;
/// from then on every question must be answered. Fails if more than `count` answer.
#[track_caller]
pub(crate) fn answering_pids(
    runtime: &Runtime,
    count: usize,
    mut ask: impl FnMut() -> io::Result<String>,
) -> BTreeSet<i32> {
    let mut seen = BTreeSet::new();
    let first = runtime.until("a first answer", || ask().ok());
    seen.insert(pid_of(runtime, &first));
    let mut ask_once = |seen: &mut BTreeSet<i32>| match ask() {
        Ok(answer) => seen.insert(pid_of(runtime, &answer)),
        Err(error) => {
            runtime.fail(&format!("a question was not answered: {error}; so far answered {seen:?}"))
        }
    };
    let all = wait::within(wait::DEADLINE, || {
        // A burst of questions between two pauses.
        for _ in 0..BURST {
            ask_once(&mut seen);
        }
        (seen.len() >= count).then_some(())
    });
    if all.is_none() || seen.len() > count {
        runtime.fail(&format!("{count} workers were to answer, these did: {seen:?}"));
    }
    seen
}

#[track_caller]
fn pid_of(runtime: &Runtime, answer: &str) -> i32 {
    pid_in(answer).unwrap_or_else(|| runtime.fail(&format!("an answer without `pid=`: {answer:?}")))
}

/// [`answering_pids`] over HTTP, each time on a new connection.
#[track_caller]
pub(crate) fn http_pids(runtime: &Runtime, count: usize, port: u16) -> BTreeSet<i32> {
    answering_pids(runtime, count, || http::get(port, "/"))
}
