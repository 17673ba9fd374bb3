//! Memory limits: looks, and the replacement of workers that are too large.

use super::world::{World, secs, spec};
use crate::spec::{AppSpec, HealthPolicy, ReloadStrategy};
use crate::supervisor::{Command, Health, Scope, Stall};

const LIMIT: u64 = 100;

fn limited(instances: u32) -> AppSpec {
    AppSpec { health: HealthPolicy { max_memory: Some(LIMIT), ..HealthPolicy::default() }, ..spec(instances) }
}

#[test]
fn all_who_serve_are_measured_together_every_five_seconds() {
    let mut world = World::ready(&limited(2));
    world.pass(secs(5));
    world.expect(&["measure w1 w2"]);
    world.measured(1, LIMIT);
    world.measured(2, 1);
    world.pass(secs(5));
    world.expect(&["measure w1 w2"]);
}

#[test]
fn a_look_that_is_never_answered_is_made_anew() {
    let mut world = World::ready(&limited(1));
    world.pass(secs(5));
    world.expect(&["measure w1"]);
    world.pass(secs(30));
    world.expect(&["measure w1"]);
}

#[test]
fn a_worker_that_stays_above_its_limit_is_replaced_before_it_is_asked_to_end() {
    let mut world = World::ready(&limited(2));
    world.pass(secs(5));
    world.measured(1, 120);
    world.expect(&["measure w1 w2"]);
    world.pass(secs(1));
    world.measured(1, 130);
    world.expect(&["measure w1 w2", "too large w1 130 > 100", "spawn w3 #0 g1", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM"]);
}

#[test]
fn what_is_gone_a_second_later_was_garbage() {
    let mut world = World::ready(&limited(1));
    world.measured(1, 120);
    world.measured(1, 90);
    world.measured(1, 120);
    world.expect(&[]);
}

#[test]
fn a_worker_that_is_too_large_is_not_unhealthy_and_goes_on_serving() {
    let mut world = World::ready(&limited(2));
    world.measured(1, 120);
    world.measured(1, 120);
    world.told();
    let snapshot = world.supervisor.snapshot(world.now);
    let health = snapshot.instances[0].health.as_ref().unwrap();
    assert_eq!((health.health, health.stalled), (Health::Unknown, Some(Stall::Memory)));
}

#[test]
fn where_every_worker_is_too_large_replacements_come_ever_more_seldom() {
    let mut world = World::ready(&limited(1));
    world.measured(1, 120);
    world.measured(1, 120);
    world.listen(2, 5000);
    world.exit(1, super::world::CLEAN);
    world.told();
    world.measured(2, 120);
    world.measured(2, 120);
    world.expect(&["replacement deferred #0 1 10s"]);
    world.measured(2, 90);
    world.pass(secs(4));
    world.expect(&[]);
}

#[test]
fn a_reload_that_lifts_the_limit_ends_the_looks() {
    let mut world = World::ready(&limited(1));
    let spec = Some(Box::new(spec(1)));
    let width = std::num::NonZeroU32::MIN;
    world.order(Command::Reload { scope: Scope::All, strategy: ReloadStrategy::Rolling, width, spec });
    world.listen(2, 5000);
    world.exit(1, super::world::CLEAN);
    world.told();
    assert_eq!(world.supervisor.next_deadline(), None);
}
