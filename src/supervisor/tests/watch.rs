//! Reloads for changed files.

use std::time::Duration;

use super::world::{CRASH, World, secs, spec};
use crate::process::ExitReason;
use crate::spec::{AfterExit, AppSpec, WatchPolicy};
use crate::supervisor::{Command, Killer, Scope, Survivors};

const DELAY: Duration = Duration::from_millis(200);

fn watched(instances: u32) -> AppSpec {
    let watch = WatchPolicy { paths: Vec::new(), ignore: Vec::new(), delay: DELAY, polling: None };
    AppSpec { watch: Some(watch), ..spec(instances) }
}

#[test]
fn a_change_leads_to_a_reload_once_nothing_changes_any_more() {
    let mut world = World::ready(&watched(1));
    world.change("a.js");
    world.pass(DELAY / 2);
    world.change("b.js");
    world.pass(DELAY / 2);
    world.expect(&[]);
    world.pass(DELAY / 2);
    world.expect(&["prepare", "changed a.js and 1 more", "reload g2 of 1", "spawn w2 #0 g2", "started w2"]);
}

#[test]
fn changes_without_end_put_a_reload_off_for_ten_delays_only() {
    let mut world = World::ready(&watched(1));
    for _ in 0..19 {
        world.change("a.js");
        world.pass(DELAY / 2);
        world.expect(&[]);
    }
    world.change("a.js");
    world.pass(DELAY / 2);
    assert!(world.told().iter().any(|action| action == "spawn w2 #0 g2"));
}

#[test]
fn what_changes_during_a_reload_leads_to_one_more_after_it() {
    let mut world = World::ready(&watched(1));
    world.change("a.js");
    world.pass(DELAY);
    world.told();
    world.change("b.js");
    world.change("c.js");
    world.pass(secs(5));
    world.expect(&[]);
    world.listen(2, 5000);
    world.exit(1, ExitReason::Code(0));
    world.pass(Duration::ZERO);
    let told = world.told();
    assert_eq!(told.iter().filter(|action| action.starts_with("changed")).count(), 1, "{told:?}");
    assert!(told.contains(&"changed b.js and 1 more".to_owned()), "{told:?}");
}

#[test]
fn a_reload_that_comes_to_nothing_keeps_the_old_worker_and_the_next_change_tries_again() {
    let mut world = World::ready(&watched(1));
    world.change("a.js");
    world.pass(DELAY);
    world.exit(2, CRASH);
    world.told();
    world.pass(secs(60));
    world.expect(&[]);
    world.change("a.js");
    world.pass(DELAY);
    assert!(world.told().iter().any(|action| action.starts_with("spawn w3")));
}

#[test]
fn what_cannot_be_planned_is_not_tried_until_the_next_change() {
    let mut world = World::ready(&watched(1));
    world.is_usable = false;
    world.change("a.js");
    world.pass(secs(60));
    world.expect(&["prepare"]);
    world.is_usable = true;
    world.change("b.js");
    world.pass(DELAY);
    assert!(world.told().contains(&"changed b.js".to_owned()));
}

#[test]
fn an_app_that_has_failed_is_tried_again_and_does_not_end() {
    let mut spec = watched(1);
    spec.restart.max_unstable = 1;
    let mut world = World::new(&spec);
    world.exit(1, CRASH);
    assert!(world.exits.is_empty());
    assert_eq!(world.told().last().unwrap(), "awaits changes #0");
    world.change("a.js");
    world.pass(DELAY);
    assert!(world.told().iter().any(|action| action.starts_with("spawn w2")));
}

#[test]
fn a_job_that_has_ended_runs_again() {
    let mut spec = watched(1);
    spec.restart.after_exit = AfterExit::Stay;
    let mut world = World::new(&spec);
    world.exit(1, ExitReason::Code(0));
    assert!(world.exits.is_empty());
    world.told();
    world.change("a.js");
    world.pass(DELAY);
    world.expect(&["prepare", "changed a.js", "spawn w2 #0 g1", "started w2"]);
}

#[test]
fn what_was_stopped_on_order_stays_so() {
    let mut world = World::ready(&watched(1));
    world.order(Command::Stop(Scope::All));
    world.exit(1, ExitReason::Code(0));
    world.told();
    world.change("a.js");
    world.pass(secs(1));
    world.expect(&["prepare"]);
}

#[test]
fn whoever_ends_it_at_the_keyboard_has_ended_it() {
    let mut world = World::ready(&watched(1));
    world.exit_by(1, ExitReason::Code(130), (Killer::Keyboard, Survivors::None));
    assert_eq!(world.exits, [130]);
}

#[test]
fn without_the_option_nothing_follows() {
    let mut world = World::ready(&spec(1));
    world.change("a.js");
    world.pass(secs(60));
    world.expect(&[]);
}
