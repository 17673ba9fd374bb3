//! A reload in one step: all or nothing.

use super::world::{CRASH, World, secs, spec};
use crate::process::Signal;
use crate::spec::{AppSpec, ReloadStrategy};
use crate::supervisor::StateName;

fn fleet(instances: u32) -> AppSpec {
    AppSpec { reload_strategy: ReloadStrategy::Fleet, ..spec(instances) }
}

fn reloading(instances: u32) -> World {
    let mut world = World::ready(&fleet(instances));
    world.signal(Signal::HUP);
    world.told();
    world
}

fn generations(world: &World) -> Vec<u32> {
    world.supervisor.snapshot(world.now).instances.iter().map(|view| view.generation.0).collect()
}

#[test]
fn all_boot_at_once_and_take_over_together() {
    let mut world = World::ready(&fleet(2));
    world.signal(Signal::HUP);
    world.expect(&[
        "reload g2 of 2",
        "spawn w3 #0 g2 to park",
        "spawn w4 #1 g2 to park",
        "started w3",
        "started w4",
    ]);
    world.listen(4, 5000);
    world.expect(&[]);
    world.pass(secs(20));
    world.expect(&["listens nowhere w3 5000"]);
    world.listen(3, 5000);
    world.expect(&["release w3 #0", "release w4 #1"]);
    world.listen(3, 5000);
    world.expect(&[]);
    world.listen(4, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM", "ready w4 #1", "stop w2 SIGTERM", "reload g2 done"]);
}

#[test]
fn no_more_boot_at_the_same_time_than_may() {
    let mut world = World::ready(&AppSpec { start_limit: std::num::NonZeroU32::MIN, ..fleet(2) });
    world.signal(Signal::HUP);
    world.expect(&["reload g2 of 2", "spawn w3 #0 g2 to park", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["spawn w4 #1 g2 to park", "started w4"]);
}

#[test]
fn one_that_ends_calls_it_off_and_nobody_was_touched() {
    let mut world = reloading(2);
    world.listen(3, 5000);
    world.exit(4, CRASH);
    world.expect(&[
        "exited w4 exit code 1: keep old",
        "stop w3 SIGTERM",
        "reload g2 off #1 exited exit code 1",
    ]);
    assert_eq!(generations(&world), [1, 1]);
}

#[test]
fn one_that_ends_after_it_was_released_calls_it_off_too() {
    let mut world = reloading(2);
    world.listen(3, 5000);
    world.listen(4, 5000);
    world.listen(3, 5000);
    world.told();
    world.exit(4, CRASH);
    world.expect(&[
        "exited w4 exit code 1: keep old",
        "stop w3 SIGTERM",
        "reload g2 off #1 exited exit code 1",
    ]);
    assert_eq!(generations(&world), [1, 1]);
}

#[test]
fn one_that_never_comes_to_listen_calls_it_off() {
    let mut world = reloading(2);
    world.listen(3, 5000);
    world.pass(secs(30));
    world.expect(&[
        "listens nowhere w4 5000",
        "stop w4 SIGTERM",
        "stop w3 SIGTERM",
        "reload g2 off #1 timed out 30s",
    ]);
}

#[test]
fn an_old_worker_that_ends_meanwhile_gets_a_successor_of_its_own_generation() {
    let mut world = reloading(2);
    world.listen(3, 5000);
    world.exit(1, CRASH);
    world.jump();
    world.expect(&["exited w1 exit code 1: restart 1/16", "serve #1", "spawn w5 #0 g1", "started w5"]);
    world.listen(5, 5000);
    world.listen(4, 5000);
    world.told();
    world.listen(3, 5000);
    world.listen(4, 5000);
    world.expect(&["ready w3 #0", "stop w5 SIGTERM", "ready w4 #1", "stop w2 SIGTERM", "reload g2 done"]);
    assert_eq!(generations(&world), [2, 2]);
}

#[test]
fn an_instance_without_a_worker_is_taken_over_as_well() {
    let mut world = World::ready(&fleet(2));
    world.exit(1, CRASH);
    world.signal(Signal::HUP);
    world.listen(3, 5000);
    world.listen(4, 5000);
    world.listen(3, 5000);
    world.told();
    world.listen(4, 5000);
    world.expect(&["ready w3 #0", "ready w4 #1", "stop w2 SIGTERM", "reload g2 done", "serve #0 #1"]);
    world.pass(secs(60));
    world.expect(&["killing w2 25s", "kill w2"]);
}

#[test]
fn an_instance_that_comes_meanwhile_is_part_of_it() {
    let mut world = reloading(1);
    world.signal(Signal::TTIN);
    world.expect(&["scaled 1 2"]);
    world.listen(2, 5000);
    world.expect(&["spawn w3 #1 g2 to park", "started w3"]);
    world.listen(3, 5000);
    world.listen(2, 5000);
    world.listen(3, 5000);
    assert_eq!(generations(&world), [2, 2]);
    assert_eq!(world.supervisor.snapshot(world.now).instances[1].state, StateName::Ready);
}

#[test]
fn a_stop_in_the_middle_ends_all() {
    let mut world = reloading(1);
    world.listen(2, 5000);
    world.told();
    world.signal(Signal::TERM);
    world.expect(&[
        "stopping SIGTERM 2",
        "stop w1 SIGTERM",
        "stop w2 SIGTERM",
        "stop listening",
        "reload g2 off #0 stopping",
    ]);
}

#[test]
fn the_old_ones_finish_their_answers_and_the_reload_ends_with_the_last_of_them() {
    let mut spec = fleet(2);
    spec.stop.drain = secs(10);
    let mut world = World::ready(&spec);
    world.signal(Signal::HUP);
    (3..5).for_each(|worker| world.listen(worker, 5000));
    (3..5).for_each(|worker| world.listen(worker, 5000));
    let told = world.told();
    assert!(told.ends_with(&["ready w4 #1".to_owned(), "drain w2".to_owned()]), "{told:?}");
    world.drained(1);
    world.expect(&["serve #0", "stop w1 SIGTERM"]);
    world.drained(2);
    world.expect(&["stop w2 SIGTERM", "reload g2 done", "serve #0 #1"]);
}

#[test]
fn one_that_serves_already_finishes_its_answers_when_another_fails() {
    let mut spec = fleet(2);
    spec.stop.drain = secs(10);
    let mut world = World::ready(&spec);
    world.signal(Signal::HUP);
    (3..5).for_each(|worker| world.listen(worker, 5000));
    world.listen(3, 5000);
    world.told();
    world.exit(4, CRASH);
    world.expect(&[
        "exited w4 exit code 1: keep old",
        "serve #1",
        "drain w3",
        "reload g2 off #1 exited exit code 1",
    ]);
}
