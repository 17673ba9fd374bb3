//! The logs for those who ask: what is kept, and what comes.

use std::cell::RefCell;
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

/// Who follows logs, so that apps and instances which come later are followed as well.
#[derive(Debug, Default)]
pub(super) struct Followers {
    ids: Rc<RefCell<Ids>>,
    /// Those who want the lines of all apps. They end with what they read from now.
    of_all: RefCell<Vec<(LogQuery, mpsc::WeakSender<Live>)>>,
}

impl Followers {
    fn add(&self, query: &LogQuery, sender: &mpsc::Sender<Live>) {
        if query.targets.is_none() {
            let mut of_all = self.of_all.borrow_mut();
            of_all.retain(|(_, sender)| sender.strong_count() > 0);
            of_all.push((query.clone(), sender.downgrade()));
        }
    }

    /// An app has come that writes to outputs of its own.
    fn follow(&self, outputs: &Outputs) {
        for (query, sender) in &*self.of_all.borrow() {
            if let Some(sender) = sender.upgrade() {
                self.begin(outputs.subscribe(filter(query)), query, sender);
            }
        }
    }

    fn begin(&self, tap: Tap, query: &LogQuery, sender: mpsc::Sender<Live>) {
        drop(tokio::task::spawn_local(forward(tap, query.clone(), Rc::clone(&self.ids), sender)));
    }
}

/// Apps or instances have come or gone. An instance that has gone keeps its number for what it wrote last, as long as its
/// app is there.
pub(super) fn renumber(driver: &Driver) {
    let followers = &driver.shared.followers;
    let mut ids = followers.ids.borrow_mut();
    ids.retain(|(app, _), _| driver.apps.contains_key(app));
    for app in driver.apps.values() {
        let is_new = !ids.contains_key(&(app.id, InstanceId(0)));
        if is_new && !Rc::ptr_eq(&app.outputs, &driver.shared.outputs) {
            followers.follow(&app.outputs);
        }
    }
    ids.extend(self::ids(driver));
}

/// Answers a query; lines to come, if they are wanted, go to the receiver until it is dropped.
pub(super) fn look(driver: &Driver, query: &LogQuery) -> (Vec<LogView>, Option<mpsc::Receiver<Live>>) {
    renumber(driver);
    let followers = &driver.shared.followers;
    let (sender, receiver) = mpsc::channel(PORTIONS_WAITING);
    let mut lines = Vec::new();
    for outputs in all_outputs(driver) {
        let (history, tap) = outputs.history_and_subscribe(filter(query), query.lines);
        lines.extend(history);
        if query.follow {
            followers.begin(tap, query, sender.clone());
        }
    }
    if query.follow {
        followers.add(query, &sender);
    }
    let ids = followers.ids.borrow();
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
async fn forward(mut tap: Tap, query: LogQuery, ids: Rc<RefCell<Ids>>, sender: mpsc::Sender<Live>) {
    loop {
        let item = tokio::select! {
            item = tap.next() => item,
            () = sender.closed() => None,
        };
        let live = match item {
            Some(TapItem::Lines(lines)) => {
                let lines = lines.into_iter().filter(|line| wanted(&query, line));
                let ids = ids.borrow();
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
    let id = match &line.origin {
        Origin::App { app, instance, .. } => ids.get(&(*app, *instance)).copied(),
        Origin::Runtime { .. } => None,
    };
    view_of(line, id)
}

/// A line of the instance that has this number in the runtime.
pub(super) fn view_of(line: LogLine, id: Option<u32>) -> LogView {
    let LogLine { time, origin, text, .. } = line;
    match origin {
        Origin::App { name, instance, pid, stream, .. } => LogView {
            at_ms: time,
            app: Some(name.to_string()),
            id,
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
