//! Starting: order, start slots, spawns that fail.

use std::num::NonZeroU32;

use super::world::{CRASH, World, secs, spec};
use crate::process::Signal;
use crate::spec::{AppSpec, Autostart, ReadySign};
use crate::supervisor::{Command, Scope};

fn one_at_a_time(instances: u32) -> AppSpec {
    AppSpec { start_limit: NonZeroU32::MIN, ..spec(instances) }
}

#[test]
fn instances_start_in_order_and_all_at_once_where_the_limit_allows() {
    let mut world = World::silent(&spec(2), &[]);
    world.expect(&["spawn w1 #0 g1", "spawn w2 #1 g1", "started w1", "started w2"]);
}

#[test]
fn an_app_that_waits_for_an_order_starts_nothing_before_and_is_not_over() {
    let mut waiting = spec(2);
    waiting.start.when = Autostart::OnOrder;
    let mut world = World::silent(&waiting, &[]);
    world.expect(&[]);
    world.order(Command::Start(Scope::All));
    world.expect(&["spawn w1 #0 g1", "spawn w2 #1 g1", "started w1", "started w2"]);
    let mut stopped = World::silent(&waiting, &[]);
    stopped.signal(Signal::TERM);
    stopped.expect(&["stopping SIGTERM 0", "stop listening", "ended Drained 0", "exit 0"]);
}

#[test]
fn the_next_instance_starts_when_the_one_before_is_ready() {
    let mut world = World::silent(&one_at_a_time(2), &[]);
    world.expect(&["spawn w1 #0 g1", "started w1"]);
    world.listen(1, 5000);
    world.expect(&["ready w1 #0", "spawn w2 #1 g1", "serve #0", "started w2"]);
}

#[test]
fn the_next_instance_starts_when_the_one_before_has_ended() {
    let mut world = World::new(&one_at_a_time(2));
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: restart 1/16", "spawn w2 #1 g1", "started w2"]);
}

#[test]
fn the_next_instance_starts_when_the_one_before_takes_too_long() {
    let mut spec = one_at_a_time(2);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.pass(secs(30));
    world.expect(&["not ready w1 30s", "spawn w2 #1 g1", "started w2"]);
}

#[test]
fn those_that_wait_for_a_slot_get_it_in_the_order_of_their_waiting() {
    let mut world = World::new(&one_at_a_time(3));
    world.exit(1, CRASH);
    world.told();
    world.pass(secs(1));
    world.listen(2, 5000);
    assert!(world.told().contains(&"spawn w3 #2 g1".to_owned()));
    world.listen(3, 5000);
    assert!(world.told().contains(&"spawn w4 #0 g1".to_owned()));
}

#[test]
fn a_program_that_is_not_found_at_first_fails_at_once() {
    let mut world = World::silent(&spec(2), &[127, 127]);
    world.expect(&[
        "spawn w1 #0 g1",
        "spawn w2 #1 g1",
        "spawn failed w1 127: give up",
        "failed #0 1",
        "serve #1",
        "spawn failed w2 127: give up",
        "failed #1 1",
        "ended Failed 127",
        "exit 127",
    ]);
}

#[test]
fn a_program_that_is_not_found_is_not_looked_for_by_those_that_wait() {
    let mut world = World::silent(&one_at_a_time(3), &[126]);
    world.expect(&[
        "spawn w1 #0 g1",
        "spawn failed w1 126: give up",
        "failed #0 1",
        "ended Failed 126",
        "exit 126",
    ]);
}

#[test]
fn a_spawn_that_fails_later_is_an_unstable_end() {
    let mut world = World::ready(&spec(1));
    world.exit(1, CRASH);
    world.failing_spawns.push_back(127);
    world.told();
    world.pass(secs(1));
    world.expect(&["spawn w2 #0 g1", "spawn failed w2 127: restart 2/16", "spawn w3 #0 g1", "started w3"]);
}

#[test]
fn those_that_serve_are_told_whenever_they_change() {
    let mut world = World::new(&spec(3));
    world.listen(2, 5000);
    world.expect(&["ready w2 #1", "serve #1"]);
    world.listen(1, 5000);
    world.expect(&["ready w1 #0", "serve #0 #1"]);
    world.exit(2, CRASH);
    assert_eq!(world.told().last().unwrap(), "serve #0");
    world.exit(1, CRASH);
    assert_eq!(world.told().last().unwrap(), "serve #0 #1 #2");
}

#[test]
fn spawns_that_fail_do_not_go_on_for_ever_even_where_any_life_is_long_enough() {
    let mut spec = spec(1);
    spec.restart.min_uptime = secs(0);
    spec.restart.max_unstable = 2;
    let mut world = World::ready(&spec);
    world.failing_spawns.extend([1, 1]);
    world.exit(1, CRASH);
    world.pass(secs(1));
    assert_eq!(world.exits, [1]);
}
