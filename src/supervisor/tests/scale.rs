//! Scaling by TTIN and TTOU.

use std::num::NonZeroU32;

use super::world::{CLEAN, World, secs, spec};
use crate::process::Signal;
use crate::spec::{AppSpec, InstanceRange};
use crate::supervisor::Command;

#[test]
fn one_more_instance_starts_after_the_last() {
    let mut world = World::ready(&spec(1));
    world.signal(Signal::TTIN);
    world.expect(&["scaled 1 2", "spawn w2 #1 g1", "started w2"]);
}

#[test]
fn the_last_instance_is_steered_around_before_it_is_asked_to_end() {
    let mut world = World::ready(&spec(2));
    world.signal(Signal::TTOU);
    world.expect(&["scaled 2 1", "serve #0", "stop w2 SIGTERM"]);
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: nothing"]);
}

#[test]
fn the_only_instance_stays() {
    let mut world = World::ready(&spec(1));
    world.signal(Signal::TTOU);
    world.expect(&["scale refused 1"]);
}

#[test]
fn there_is_a_greatest_number_of_instances() {
    let mut world = World::ready(&spec(1024));
    world.signal(Signal::TTIN);
    world.expect(&["scale refused 1024"]);
}

#[test]
fn an_instance_may_come_back_while_its_old_worker_is_still_leaving() {
    let mut world = World::ready(&spec(2));
    world.signal(Signal::TTOU);
    world.signal(Signal::TTIN);
    world.told();
    world.pass(secs(25));
    world.expect(&["ready w3 #1", "listens nowhere w3 5000", "serve #0 #1", "killing w2 25s", "kill w2"]);
}

#[test]
fn an_instance_that_waits_and_is_scaled_away_and_back_starts_once() {
    let mut spec = spec(1);
    spec.start_limit = NonZeroU32::MIN;
    let mut world = World::new(&spec);
    for signal in [Signal::TTIN, Signal::TTOU, Signal::TTIN] {
        world.signal(signal);
    }
    world.told();
    world.listen(1, 5000);
    world.expect(&["ready w1 #0", "spawn w2 #1 g1", "serve #0", "started w2"]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #1", "serve #0 #1"]);
}

/// One that has 2 to 3 instances, as the load asks.
fn ranged() -> AppSpec {
    let number = |number| NonZeroU32::new(number).unwrap();
    let range = Some(InstanceRange { least: number(2), most: number(3) });
    AppSpec { range, ..spec(2) }
}

#[test]
fn an_app_with_a_range_stays_within_it_whoever_scales() {
    let mut world = World::ready(&ranged());
    world.signal(Signal::TTOU);
    world.expect(&["scale refused 2"]);
    for to in [1, 4] {
        world.order(Command::Scale { to: NonZeroU32::new(to).unwrap() });
    }
    world.expect(&[
        "answer 1: refused OutOfRange { least: 2, most: 3 }",
        "answer 2: refused OutOfRange { least: 2, most: 3 }",
    ]);
    world.signal(Signal::TTIN);
    world.expect(&["scaled 2 3", "spawn w3 #2 g1", "started w3"]);
    world.signal(Signal::TTIN);
    world.expect(&["scale refused 3"]);
}

#[test]
fn a_range_that_a_reload_brings_is_come_to_by_order() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Restart { scope: crate::supervisor::Scope::All, spec: Some(Box::new(ranged())) });
    world.exit(1, CLEAN);
    world.listen(2, 5000);
    world.told();
    world.signal(Signal::TTOU);
    world.expect(&["scale refused 1"]);
    world.order(Command::Scale { to: NonZeroU32::new(2).unwrap() });
    world.expect(&["scaled 1 2", "spawn w3 #1 g2", "started w3"]);
}
