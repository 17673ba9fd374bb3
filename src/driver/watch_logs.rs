//! The logs for those who ask: what is kept, and what comes.

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::mpsc;

use super::handle::{Live, LogQuery, Target};
use super::run::Driver;
use crate::api::types::{LogStream, LogView};
use crate::logs::{Filter, LogLine, Origin, Outputs, Stream, Tap, TapItem};
use crate::spec::{AppId, InstanceId};

/// How many portions of lines may wait for a client, beside the bytes that its tap keeps.
const PORTIONS_WAITING: usize = 2;

/// The numbers of instances in the runtime, for the lines of their workers.
type Ids = BTreeMap<(AppId, InstanceId), u32>;

/// Answers a query; lines to come, if they are wanted, go to the receiver until it is dropped.
pub(super) fn look(driver: &Driver, query: &LogQuery) -> (Vec<LogView>, Option<mpsc::Receiver<Live>>) {
    let ids = ids(driver);
    let (sender, receiver) = mpsc::channel(PORTIONS_WAITING);
    let mut lines = Vec::new();
    for outputs in all_outputs(driver) {
        let (history, tap) = outputs.history_and_subscribe(filter(query), query.lines);
        lines.extend(history);
        if query.follow {
            drop(tokio::task::spawn_local(forward(tap, query.clone(), ids.clone(), sender.clone())));
        }
    }
    lines.retain(|line| wanted(query, line));
    lines.sort_by_key(|line| line.time);
    let first = lines.len().saturating_sub(query.lines);
    let views = lines.drain(first..).map(|line| view(line, &ids)).collect();
    (views, query.follow.then_some(receiver))
}

/// In the background each app has outputs of its own, in the foreground all have the runtime's.
fn all_outputs(driver: &Driver) -> Vec<Rc<Outputs>> {
    let mut all = vec![Rc::clone(&driver.shared.outputs)];
    for app in driver.apps.values() {
        if !all.iter().any(|known| Rc::ptr_eq(known, &app.outputs)) {
            all.push(Rc::clone(&app.outputs));
        }
    }
    all
}

fn ids(driver: &Driver) -> Ids {
    let of_app = |app: &super::app::App| {
        let id = app.id;
        let numbered = (0..).zip(app.ids.clone());
        numbered.map(move |(instance, number)| ((id, InstanceId(instance)), number)).collect::<Vec<_>>()
    };
    driver.apps.values().flat_map(of_app).collect()
}

fn filter(query: &LogQuery) -> Filter {
    let apps = query.targets.as_ref().map(|targets| targets.iter().map(|target| target.app).collect());
    // What we say ourselves goes to standard error.
    let runtime = apps.is_none() && query.stream != Some(Stream::Stdout);
    Filter { runtime, apps, stream: query.stream, ..Filter::default() }
}

/// The instances, which the filter does not know apart by app.
fn wanted(query: &LogQuery, line: &LogLine) -> bool {
    let (Some(targets), Origin::App { app, instance, .. }) = (&query.targets, &line.origin) else {
        return true;
    };
    let meant = |target: &Target| target.app == *app && target.instance.is_none_or(|one| one == *instance);
    targets.iter().any(meant)
}

/// Carries lines from a tap to a client until one of them ends. A slow client makes the tap lose lines, nobody else.
async fn forward(mut tap: Tap, query: LogQuery, ids: Ids, sender: mpsc::Sender<Live>) {
    loop {
        let item = tokio::select! {
            item = tap.next() => item,
            () = sender.closed() => None,
        };
        let live = match item {
            Some(TapItem::Lines(lines)) => {
                let lines = lines.into_iter().filter(|line| wanted(&query, line));
                Live::Lines(lines.map(|line| view(line, &ids)).collect())
            }
            Some(TapItem::Lost(count)) => Live::Lost(count),
            None => return,
        };
        if sender.send(live).await.is_err() {
            return;
        }
    }
}

fn view(line: LogLine, ids: &Ids) -> LogView {
    let LogLine { time, origin, text, .. } = line;
    match origin {
        Origin::App { app, name, instance, pid, stream } => LogView {
            at_ms: time,
            app: Some(name.to_string()),
            id: ids.get(&(app, instance)).copied(),
            instance: Some(instance.0),
            pid: Some(pid.as_raw()),
            stream: match stream {
                Stream::Stdout => LogStream::Out,
                Stream::Stderr => LogStream::Err,
            },
            text,
        },
        Origin::Runtime { .. } => LogView {
            at_ms: time,
            app: None,
            id: None,
            instance: None,
            pid: None,
            stream: LogStream::Runtime,
            text,
        },
    }
}
