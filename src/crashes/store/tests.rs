//! What is kept, and for how long.

use super::*;
use crate::api::crash::CrashCause;

fn crash(app_id: u32, fingerprint: &str, at_ms: u64) -> CrashDetail {
    CrashDetail {
        crash: CrashView {
            id: 0,
            at_ms,
            app: "web".to_owned(),
            app_id,
            instance: 0,
            pid: Some(42),
            generation: 1,
            uptime_ms: Some(5000),
            cause: CrashCause::Exit,
            reason: "exit code 1".to_owned(),
            summary: "exit code 1".to_owned(),
            exception: None,
            fingerprint: fingerprint.to_owned(),
            count: 0,
            first_at_ms: 0,
            revision: None,
            version: None,
        },
        command: vec!["x".to_owned()],
        directory: "/".to_owned(),
        logs: Vec::new(),
        figures: None,
    }
}

fn ids(crashes: &Crashes) -> Vec<u64> {
    crashes.views().iter().map(|view| view.id).collect()
}

#[test]
fn those_that_are_alike_are_counted_from_the_first_on() {
    let mut crashes = Crashes::default();
    assert!(crashes.is_empty());
    assert_eq!(crashes.add(crash(0, "a", 10)).crash.count, 1);
    crashes.add(crash(0, "b", 20));
    let second = crashes.add(crash(0, "a", 30)).crash;
    assert_eq!((second.id, second.count, second.first_at_ms), (3, 2, 10));
    // The first one tells of the second as well.
    assert_eq!(crashes.get(1).unwrap().crash.count, 2);
    assert_eq!(ids(&crashes), [3, 2, 1]);
}

#[test]
fn a_crash_loop_pushes_out_nothing_but_itself() {
    let mut crashes = Crashes::default();
    crashes.add(crash(0, "rare", 0));
    (0..1000).for_each(|at| drop(crashes.add(crash(1, "loop", at))));
    assert_eq!(ids(&crashes), [1001, 1000, 999, 998, 997, 1]);
    assert_eq!(crashes.last_of(1).map(|last| (last.id, last.count)), Some((1001, 1000)));
    assert_eq!(crashes.last_of(0).map(|last| last.id), Some(1));
    assert_eq!(crashes.last_of(2), None);
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut crashes = Crashes::default();
    (0..1000).for_each(|at| drop(crashes.add(crash(0, &at.to_string(), at))));
    assert_eq!((crashes.records.len(), crashes.groups.len()), (MOST, MOST_GROUPS));
    assert_eq!(ids(&crashes)[..2], [1000, 999]);
    assert_eq!(crashes.get(1), None);
}

#[test]
fn all_of_it_survives_being_handed_over() {
    let mut crashes = Crashes::default();
    crashes.add(crash(0, "a", 10));
    crashes.add(crate::control::sample_crash(0));
    let text = serde_json::to_string(&crashes).unwrap();
    let read: Crashes = serde_json::from_str(&text).unwrap();
    assert_eq!(read, crashes);
    // The program that takes over compares what it has read with what it was given.
    let given: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), given);
}
