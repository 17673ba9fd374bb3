//! Reload: one instance after the other, nobody stops serving, and a failure touches nobody.

use std::time::Duration;

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::Signal;
use crate::spec::{OnHup, RestartDelay};
use crate::supervisor::{StateName, Survivors};

fn reloading(instances: u32) -> World {
    let mut world = World::ready(&spec(instances));
    world.signal(Signal::HUP);
    world.told();
    world
}

#[test]
fn the_old_worker_is_asked_to_end_when_the_new_one_is_ready() {
    let mut world = World::ready(&spec(2));
    world.signal(Signal::HUP);
    world.expect(&["reload g2 of 2", "spawn w3 #0 g2", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM", "spawn w4 #1 g2", "started w4"]);
    world.listen(4, 5000);
    world.expect(&["ready w4 #1", "stop w2 SIGTERM", "reload g2 done"]);
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: nothing"]);
}

#[test]
fn an_old_worker_that_does_not_end_is_killed() {
    let mut world = reloading(1);
    world.listen(2, 5000);
    world.told();
    world.pass(secs(25));
    world.expect(&["killing w1 25s", "kill w1"]);
}

#[test]
fn a_newcomer_that_ends_calls_the_reload_off() {
    let mut world = reloading(2);
    world.exit_leaving(3, CRASH, Survivors::Some);
    world.expect(&[
        "exited w3 exit code 1: keep old",
        "reload g2 off #0 exited exit code 1",
        "stop w3 SIGTERM",
    ]);
    world.pass(secs(1));
    world.expect(&[]);
}

#[test]
fn a_newcomer_that_cannot_be_spawned_calls_the_reload_off() {
    let mut world = World::ready(&spec(1));
    world.failing_spawns.push_back(126);
    world.signal(Signal::HUP);
    world.expect(&[
        "reload g2 of 1",
        "spawn w2 #0 g2",
        "spawn failed w2 126: keep old",
        "reload g2 off #0 spawn failed 126",
    ]);
}

#[test]
fn a_newcomer_that_is_not_ready_in_time_is_asked_to_end() {
    let mut world = reloading(2);
    world.pass(secs(29));
    world.expect(&["listens nowhere w3 5000"]);
    world.pass(secs(1));
    world.expect(&["stop w3 SIGTERM", "reload g2 off #0 timed out 30s"]);
    let states: Vec<_> =
        world.supervisor.snapshot(world.now).instances.iter().map(|view| view.state).collect();
    assert_eq!(states, [StateName::Ready; 2]);
}

#[test]
fn a_newcomer_takes_over_from_an_old_worker_that_crashes() {
    let mut world = reloading(1);
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: replaced"]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0", "reload g2 done"]);
}

#[test]
fn an_instance_in_back_off_is_simply_started_in_the_new_generation() {
    let mut spec = spec(1);
    spec.restart.delay = RestartDelay::Fixed(secs(10));
    let mut world = World::ready(&spec);
    world.exit(1, CRASH);
    world.told();
    world.signal(Signal::HUP);
    world.expect(&["reload g2 of 1", "spawn w2 #0 g2", "started w2"]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0", "reload g2 done"]);
    world.pass(secs(60));
    world.expect(&[]);
}

#[test]
fn a_failed_instance_is_started_afresh() {
    let mut spec = spec(2);
    spec.restart.max_unstable = 1;
    let mut world = World::ready(&spec);
    world.exit(1, CRASH);
    world.told();
    world.signal(Signal::HUP);
    world.listen(3, 5000);
    world.expect(&[
        "reload g2 of 2",
        "spawn w3 #0 g2",
        "started w3",
        "ready w3 #0",
        "spawn w4 #1 g2",
        "serve #0 #1",
        "started w4",
    ]);
}

#[test]
fn a_failed_instance_has_all_its_starts_again() {
    let mut spec = spec(2);
    spec.restart.max_unstable = 2;
    let mut world = World::ready(&spec);
    world.exit(1, CRASH);
    world.pass(Duration::from_millis(200));
    world.exit(3, CRASH);
    world.signal(Signal::HUP);
    world.told();
    world.exit(4, CRASH);
    world.expect(&["exited w4 exit code 1: restart 1/2", "reload g2 off #0 exited exit code 1"]);
}

#[test]
fn a_second_reload_is_refused_while_one_runs() {
    let mut world = reloading(1);
    world.signal(Signal::HUP);
    world.expect(&["reload refused"]);
}

#[test]
fn a_stop_calls_the_reload_off_and_asks_the_newcomer_too() {
    let mut world = reloading(2);
    world.signal(Signal::TERM);
    world.expect(&[
        "stopping SIGTERM 3",
        "stop w1 SIGTERM",
        "stop w2 SIGTERM",
        "stop w3 SIGTERM",
        "stop listening",
        "reload g2 off #0 stopping",
    ]);
}

#[test]
fn an_instance_that_is_scaled_away_takes_its_newcomer_with_it() {
    let mut world = reloading(2);
    world.listen(3, 5000);
    world.told();
    world.signal(Signal::TTOU);
    world.expect(&["scaled 2 1", "serve #0", "stop w2 SIGTERM", "stop w4 SIGTERM", "reload g2 done"]);
}

#[test]
fn the_generation_after_a_reload_that_was_called_off_is_a_new_one() {
    let mut world = reloading(1);
    world.exit(2, CRASH);
    world.told();
    world.signal(Signal::HUP);
    world.expect(&["reload g3 of 1", "spawn w3 #0 g3", "started w3"]);
}

#[test]
fn a_hangup_may_be_forwarded_instead() {
    let mut spec = spec(1);
    spec.on_hup = OnHup::Forward;
    let mut world = World::ready(&spec);
    world.signal(Signal::HUP);
    world.expect(&["forward w1 group SIGHUP"]);
}

#[test]
fn while_a_newcomer_starts_the_instance_is_shown_as_being_replaced() {
    let world = reloading(2);
    let snapshot = world.supervisor.snapshot(world.now);
    assert_eq!(snapshot.instances[0].state, StateName::Replacing);
    assert_eq!(snapshot.instances[1].state, StateName::Ready);
}
