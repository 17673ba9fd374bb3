//! Draining: who serves finishes its answers, without new connections, before it is asked to end.

use super::world::{CLEAN, World, secs, spec};
use crate::process::Signal;
use crate::spec::{AppSpec, InstanceId};
use crate::supervisor::{Command, Scope, StateName, Survivors};

fn draining(instances: u32) -> AppSpec {
    let mut spec = spec(instances);
    spec.stop.drain = secs(10);
    spec
}

/// The first instance's new worker is ready, and its old one drains.
fn reloading(instances: u32) -> World {
    let mut world = World::ready(&draining(instances));
    world.signal(Signal::HUP);
    world.listen(instances + 1, 5000);
    world.told();
    world
}

#[test]
fn a_reload_lets_each_old_worker_finish_and_steers_around_it_before_the_next_turn() {
    let mut world = World::ready(&draining(2));
    world.signal(Signal::HUP);
    world.expect(&["reload g2 of 2", "spawn w3 #0 g2", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "serve #1", "drain w1"]);
    world.drained(1);
    world.expect(&["stop w1 SIGTERM", "spawn w4 #1 g2", "serve #0 #1", "started w4"]);
    world.listen(4, 5000);
    world.expect(&["ready w4 #1", "serve #0", "drain w2"]);
    world.drained(2);
    world.expect(&["stop w2 SIGTERM", "reload g2 done", "serve #0 #1"]);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    world.expect(&["exited w1 exit code 0: nothing", "exited w2 exit code 0: nothing"]);
}

#[test]
fn the_only_instance_goes_on_serving_while_its_old_worker_drains() {
    let mut world = World::ready(&draining(1));
    world.signal(Signal::HUP);
    world.told();
    world.listen(2, 5000);
    world.expect(&["ready w2 #0", "drain w1"]);
}

#[test]
fn who_has_not_answered_in_time_is_asked_to_end_and_killed_by_its_own_timeout() {
    let mut world = reloading(1);
    world.pass(secs(10));
    world.expect(&["still answering w1 10s", "stop w1 SIGTERM", "reload g2 done"]);
    world.drained(1);
    world.expect(&[]);
    world.pass(secs(25));
    world.expect(&["killing w1 25s", "kill w1"]);
}

#[test]
fn who_is_scaled_away_drains() {
    let mut world = World::ready(&draining(2));
    world.signal(Signal::TTOU);
    world.expect(&["scaled 2 1", "serve #0", "drain w2"]);
    world.drained(2);
    world.expect(&["stop w2 SIGTERM"]);
}

#[test]
fn a_worker_that_does_not_serve_yet_is_asked_at_once() {
    let mut world = World::new(&draining(2));
    world.signal(Signal::TTOU);
    world.expect(&["scaled 2 1", "serve #0", "stop w2 SIGTERM"]);
}

#[test]
fn one_that_ends_while_it_drains_is_gone_and_what_it_leaves_is_asked_to_end() {
    let mut world = reloading(1);
    world.exit_leaving(1, CLEAN, Survivors::Some);
    world.expect(&["exited w1 exit code 0: nothing", "stop w1 SIGTERM", "reload g2 done"]);
    world.group_gone(1);
    assert!(world.supervisor.snapshot(world.now).leaving.is_empty());
}

#[test]
fn a_stop_has_three_seconds_for_all_drains_those_under_way_included() {
    let mut world = reloading(1);
    world.pass(secs(1));
    world.signal(Signal::TERM);
    world.expect(&["stopping SIGTERM 2", "drain w2", "stop listening", "reload g2 off #0 stopping"]);
    world.pass(secs(3));
    world.expect(&["still answering w1 4s", "stop w1 SIGTERM", "still answering w2 3s", "stop w2 SIGTERM"]);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    world.told();
    assert_eq!(world.exits, [0]);
}

#[test]
fn a_second_interrupt_kills_who_drains() {
    let mut world = World::ready(&draining(1));
    world.signal(Signal::INT);
    world.told();
    world.signal(Signal::INT);
    world.expect(&["stopping now SIGINT", "kill w1"]);
}

#[test]
fn one_that_is_stopped_on_order_drains_and_is_shown_as_stopping() {
    let mut world = World::ready(&draining(2));
    world.order(Command::Stop(Scope::One(InstanceId(1))));
    world.expect(&["holding 1", "serve #0", "drain w2"]);
    world.drained(2);
    world.expect(&["stop w2 SIGTERM"]);
    let leaving = world.supervisor.snapshot(world.now).leaving;
    assert_eq!(leaving[0].state, StateName::Stopping);
}

#[test]
fn a_driver_that_goes_on_is_told_who_drains() {
    let mut world = reloading(1);
    assert_eq!(world.supervisor.draining().count(), 1);
    world.drained(1);
    assert_eq!(world.supervisor.draining().count(), 0);
}
