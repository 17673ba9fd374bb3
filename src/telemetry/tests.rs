//! What is kept of looks, and looks at a made-up driver.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::answer::Excerpt;
use super::store::{Latest, Look, MOST_SERIES, Store};
use super::{Looker, Step, Telemetry, TelemetryState};
use crate::api::history::HistoryView;
use crate::api::node::{self, NodeView};
use crate::api::types::AppView;
use crate::control::sample;
use crate::driver::handle::{self, DriverEnd, Question, Report};

/// A time whose second is the first of a minute.
const BEGIN_MS: u64 = 1_700_000_040_000;

/// An app with two workers, of which the first is busy.
fn app() -> AppView {
    let mut app = sample(3, "web", 2);
    for (pid, view) in (70..).zip(&mut app.instances) {
        view.pid = Some(pid);
        view.processes = Some(1);
        view.cpu_percent = Some(f64::from(pid));
    }
    app
}

fn look(second: u64, apps: Vec<AppView>) -> Look {
    Look { at_ms: BEGIN_MS + second * 1000 + 20, apps, usages: BTreeMap::new(), reports: Vec::new() }
}

fn keep(store: &mut Store, look: Look) {
    let latest = store.count(look);
    store.keep(latest);
}

/// As who has asked reads it.
fn read(excerpt: &Excerpt) -> HistoryView {
    serde_json::from_str(&serde_json::to_string(&excerpt.view()).unwrap()).unwrap()
}

fn cpu(store: &Store, since_ms: Option<u64>) -> (u64, Vec<Vec<Option<f32>>>) {
    let view = read(&store.history(Step::Second, since_ms, |_, _| true));
    (view.from_ms, view.series.into_iter().map(|series| series.columns.cpu_percent.0).collect())
}

#[test]
fn all_series_have_the_same_length_and_begin_where_the_first_does() {
    let mut store = Store::default();
    let mut alone = app();
    alone.instances.truncate(1);
    keep(&mut store, look(0, vec![alone]));
    keep(&mut store, look(2, vec![app()]));
    let columns = vec![vec![Some(70.0), None, Some(70.0)], vec![None, None, Some(71.0)]];
    assert_eq!(cpu(&store, None), (BEGIN_MS, columns));
    let later = (BEGIN_MS + 1000, vec![vec![None, Some(70.0)], vec![None, Some(71.0)]]);
    assert_eq!(cpu(&store, Some(BEGIN_MS)), later);
    assert_eq!(cpu(&store, Some(BEGIN_MS + 999)), later);
    let nothing = (BEGIN_MS + 3000, vec![vec![], vec![]]);
    assert_eq!(cpu(&store, Some(BEGIN_MS + 2000)), nothing);
    assert_eq!(store.history(Step::Minute, None, |_, _| true).view().series.len(), 2);
    assert_eq!(store.history(Step::Second, None, |_, view| view.instance == 1).view().series[0].id, 301);
}

#[test]
fn who_follows_gets_each_value_once() {
    let mut store = Store::default();
    let (mut seen, mut since) = (Vec::new(), None);
    for second in [0, 1, 2, 5, 6, 7] {
        keep(&mut store, look(second, vec![app()]));
        if second % 2 == 1 {
            let (from, mut columns) = cpu(&store, since);
            since = Some(from + columns[0].len() as u64 * 1000 - 1000);
            seen.append(&mut columns[0]);
        }
    }
    let known = Some(70.0);
    assert_eq!(seen, [known, known, known, None, None, known, known, known]);
}

#[test]
fn an_instance_that_is_scaled_away_is_forgotten_and_one_that_stays_goes_on() {
    let mut store = Store::default();
    keep(&mut store, look(0, vec![app()]));
    let mut fewer = app();
    fewer.instances.truncate(1);
    // Its worker is another.
    fewer.instances[0].pid = Some(90);
    keep(&mut store, look(1, vec![fewer]));
    keep(&mut store, look(2, vec![app()]));
    let known = Some(70.0);
    assert_eq!(cpu(&store, None).1, [vec![known, known, known], vec![None, None, Some(71.0)]]);
}

#[test]
fn of_more_instances_than_there_is_room_for_only_the_last_figures_are_known() {
    let mut store = Store::default();
    let many = sample(0, "many", MOST_SERIES as u32 + 5);
    keep(&mut store, look(0, vec![many]));
    assert_eq!(store.series.len(), MOST_SERIES);
    assert_eq!(store.latest().unwrap().apps[0].instances.len(), MOST_SERIES + 5);
}

#[test]
fn the_newest_points_of_an_instance_are_to_be_had() {
    let mut store = Store::default();
    assert_eq!(store.recent((3, 0), 60), None);
    (0..100).for_each(|second| keep(&mut store, look(second, vec![app()])));
    let recent = store.recent((3, 1), 60).unwrap();
    assert_eq!((recent.from_ms, recent.step_ms), (BEGIN_MS + 40_000, 1000));
    assert_eq!(recent.columns.cpu_percent.0, vec![Some(71.0); 60]);
    assert_eq!(store.recent((3, 1), 500).unwrap().columns.restarts.0.len(), 100);
}

#[test]
fn what_is_handed_over_goes_on() {
    let telemetry = Telemetry::default();
    (0..130).for_each(|second| telemetry.keep(look(second, vec![app()])));
    let text = serde_json::to_string(&telemetry.state()).unwrap();
    let state: TelemetryState = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&state).unwrap(), text);
    let next = Telemetry::resume(&state);
    assert!(next.latest().is_none() && next.history(Step::Second, None, |_, _| true).is_none());
    next.set_kept(true);
    next.keep(look(131, vec![app()]));
    let view = read(&next.history(Step::Second, None, |_, _| true).unwrap());
    let column = &view.series[0].columns.cpu_percent.0;
    assert_eq!((view.from_ms, column.len(), column[130], column[131]), (BEGIN_MS, 132, None, Some(70.0)));
    let minutes = read(&next.history(Step::Minute, None, |_, _| true).unwrap());
    assert_eq!((minutes.from_ms, minutes.series[1].columns.cpu_percent.0.len()), (BEGIN_MS, 2));
}

#[test]
fn nonsense_that_was_handed_over_begins_anew() {
    let text = r#"{"is_kept":true,"series":[{"place":[0,0],"data":"////"},{"place":[0,1],"data":"?"}]}"#;
    let telemetry = Telemetry::resume(&serde_json::from_str(text).unwrap());
    assert_eq!(telemetry.recent(0, 0, 60), None);
}

#[test]
fn a_last_look_fills_in_whom_it_knows_and_says_whether_it_knew_all() {
    let mut known = app();
    known.instances[0].node = Some(node::sample());
    (known.instances[0].connections, known.instances[0].requests_in_flight) = (Some(9), Some(2));
    let latest = Store::default().count(look(0, vec![known]));
    let mut apps = vec![sample(3, "web", 3)];
    apps[0].instances[0].pid = Some(70);
    assert!(latest.fill(&mut apps));
    let first = &apps[0].instances[0];
    assert_eq!((first.cpu_percent, first.processes, first.node), (Some(70.0), Some(1), Some(node::sample())));
    assert_eq!((first.connections, first.requests_in_flight), (Some(9), Some(2)));
    apps[0].instances[2].pid = Some(99);
    assert!(!latest.fill(&mut apps));
}

/// Answers with `app`, and with a report of each worker that `asked` lets have one.
async fn answer(mut end: DriverEnd, mut asked: impl FnMut(u32) -> Vec<Report>) {
    let mut number = 0;
    while let Some(question) = end.questions.recv().await {
        match question {
            Question::Apps { reply } => drop(reply.send(vec![app()])),
            Question::Reports { reply, .. } => {
                number += 1;
                drop(reply.send(asked(number)));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn report() -> (oneshot::Sender<NodeView>, Report) {
    let (sender, answer) = oneshot::channel();
    (sender, Report { pid: 70, answer })
}

#[test]
fn a_worker_that_answers_late_is_not_waited_for_and_counted_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = async {
        let (handle, end) = handle::handle();
        // Its event loop does not turn while it is asked first; then it answers both.
        let mut busy = None;
        let driver = tokio::task::spawn_local(answer(end, move |number| {
            let (sender, report) = report();
            match busy.take() {
                None if number == 1 => busy = Some(sender),
                Some(first) => {
                    let first: oneshot::Sender<NodeView> = first;
                    assert!(first.is_closed() || first.send(node::sample()).is_ok());
                    sender.send(node::sample()).unwrap();
                }
                None => sender.send(node::sample()).unwrap(),
            }
            vec![report]
        }));
        let (telemetry, mut looker) = (Telemetry::default(), Looker::new(handle));
        let requests = |latest: &Latest| latest.totals.node((3, 0)).map(|total| total.requests);
        let first = telemetry.count(looker.look().await.unwrap());
        assert_eq!((first.apps[0].instances[0].node, requests(&first)), (None, None));
        let second = telemetry.count(looker.look().await.unwrap());
        assert_eq!((second.apps[0].instances[0].node, requests(&second)), (Some(node::sample()), Some(420)));
        let third = telemetry.count(looker.look().await.unwrap());
        assert_eq!(requests(&third), Some(840));
        driver.abort();
    };
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("the test ends in time");
    });
}
