//! Scaling by TTIN and TTOU.

use std::num::NonZeroU32;

use super::world::{CLEAN, World, secs, spec};
use crate::process::Signal;

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
