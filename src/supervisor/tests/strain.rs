//! Workers that give way where the memory of all of them together runs short.

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::spec::ReloadStrategy;
use crate::supervisor::{Command, Health, Remedy, Scope, Stall};

#[test]
fn a_warning_changes_nothing() {
    let mut world = World::ready(&spec(2));
    world.strained(1, Remedy::None);
    world.expect(&["memory short w1 90"]);
    assert_eq!(world.supervisor.snapshot(world.now).instances[0].health, None);
}

#[test]
fn where_there_is_room_the_newcomer_comes_first() {
    let mut world = World::ready(&spec(2));
    world.strained(1, Remedy::Beside);
    world.expect(&["recycling w1 Beside", "spawn w3 #0 g1", "started w3"]);
    world.strained(1, Remedy::Beside);
    world.strained(1, Remedy::Instead);
    world.expect(&[]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM"]);
    world.exit(1, CLEAN);
    world.told();
    world.strained(1, Remedy::Beside);
    world.expect(&[]);
}

#[test]
fn where_there_is_none_the_old_one_ends_first_and_the_others_serve() {
    let mut world = World::ready(&spec(2));
    world.strained(1, Remedy::Instead);
    world.expect(&["recycling w1 Instead", "serve #1", "stop w1 SIGTERM"]);
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: nothing", "spawn w3 #0 g1", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "serve #0 #1"]);
}

#[test]
fn one_that_serves_alone_ends_first_too_and_that_is_told() {
    let mut world = World::ready(&spec(1));
    world.strained(1, Remedy::Instead);
    world.expect(&["recycling w1 Instead alone", "stop w1 SIGTERM"]);
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: nothing", "spawn w2 #0 g1", "started w2"]);
}

#[test]
fn a_newcomer_that_fails_leaves_the_old_one_which_is_judged_anew() {
    let mut world = World::ready(&spec(1));
    world.strained(1, Remedy::Beside);
    world.exit(2, CRASH);
    world.told();
    assert_eq!(world.supervisor.next_deadline(), None);
    world.pass(secs(60));
    world.expect(&[]);
    world.strained(1, Remedy::Beside);
    world.expect(&["recycling w1 Beside alone", "spawn w3 #0 g1", "started w3"]);
}

#[test]
fn one_that_gives_way_does_its_work_until_it_is_gone() {
    let mut world = World::ready(&spec(1));
    world.strained(1, Remedy::Beside);
    world.told();
    let snapshot = world.supervisor.snapshot(world.now);
    let health = snapshot.instances[0].health.as_ref().unwrap();
    assert_eq!((health.health, health.stalled), (Health::Unknown, Some(Stall::Pressure)));
}

#[test]
fn during_a_reload_nobody_gives_way() {
    let mut world = World::ready(&spec(2));
    let (width, spec) = (std::num::NonZeroU32::MIN, None);
    world.order(Command::Reload { scope: Scope::All, strategy: ReloadStrategy::Rolling, width, spec });
    world.told();
    world.strained(2, Remedy::Beside);
    world.strained(2, Remedy::Instead);
    world.expect(&[]);
}

#[test]
fn where_so_many_have_no_room_the_last_one_goes_but_never_the_only_one() {
    let mut world = World::ready(&spec(2));
    world.strained(1, Remedy::Fewer);
    world.expect(&["crowded 2", "scaled 2 1", "serve #0", "stop w2 SIGTERM"]);
    world.exit(2, CLEAN);
    world.told();
    world.strained(1, Remedy::Fewer);
    world.expect(&[]);
}
