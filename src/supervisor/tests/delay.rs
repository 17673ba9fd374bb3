//! The time between SIGTERM and the stop.

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::{AfterExit, AppSpec, HealthPolicy};
use crate::supervisor::{Command, Event, Scope, StateName, Word};

fn delayed(instances: u32) -> AppSpec {
    let mut spec = spec(instances);
    spec.stop.delay = secs(5);
    spec
}

/// SIGTERM came just now.
fn terminated(spec: &AppSpec) -> World {
    let mut world = World::ready(spec);
    world.tell(Event::Ending);
    world.signal(Signal::TERM);
    world
}

#[test]
fn workers_are_asked_to_end_when_the_delay_is_over() {
    let mut world = terminated(&delayed(2));
    world.expect(&["stop delayed 5s 2"]);
    assert!(world.supervisor.snapshot(world.now).is_ending);
    world.pass(secs(4));
    world.expect(&[]);
    world.pass(secs(1));
    world.expect(&["stopping SIGTERM 2", "stop w1 SIGTERM", "stop w2 SIGTERM", "stop listening"]);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    assert_eq!(world.exits, [0]);
}

#[test]
fn the_time_until_they_are_killed_counts_from_the_end_of_the_delay() {
    let mut world = terminated(&delayed(1));
    world.pass(secs(29));
    world.told();
    world.pass(secs(1));
    world.expect(&["killing w1 25s", "kill w1"]);
}

#[test]
fn a_repeated_term_neither_shortens_nor_lengthens_it() {
    let mut world = terminated(&delayed(1));
    world.told();
    world.pass(secs(3));
    world.signal(Signal::TERM);
    world.expect(&[]);
    world.pass(secs(2));
    assert_eq!(world.told()[0], "stopping SIGTERM 1");
}

#[test]
fn int_or_quit_after_it_is_a_second_signal() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut world = terminated(&delayed(1));
        world.told();
        world.signal(signal);
        world.expect(&[
            "stopping SIGTERM 1",
            "stop w1 SIGTERM",
            "stop listening",
            &format!("stopping now {signal}"),
            "kill w1",
        ]);
        world.exit(1, ExitReason::Signal(Signal::KILL));
        assert_eq!(world.exits, [137]);
    }
}

#[test]
fn int_and_quit_alone_and_closed_output_are_not_delayed() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut world = World::ready(&delayed(1));
        world.signal(signal);
        world.expect(&[&format!("stopping {signal} 1"), &format!("stop w1 {signal}"), "stop listening"]);
    }
    let mut world = terminated(&delayed(1));
    world.told();
    world.tell(Event::OutputClosed);
    world.expect(&["stopping output 1", "stop w1 SIGTERM", "stop listening"]);
    // It has begun, so there is nothing to put off.
    world.tell(Event::Ending);
    world.signal(Signal::TERM);
    world.expect(&[]);
    world.signal(Signal::INT);
    world.expect(&["stopping now SIGINT", "kill w1"]);
}

#[test]
fn where_nobody_serves_there_is_nothing_to_wait_for() {
    let mut world = World::new(&delayed(1));
    world.tell(Event::Ending);
    world.signal(Signal::TERM);
    world.expect(&["stopping SIGTERM 1", "stop w1 SIGTERM", "stop listening"]);
}

#[test]
fn a_worker_that_crashes_meanwhile_is_replaced() {
    let mut world = terminated(&delayed(1));
    world.told();
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: restart 1/16"]);
    world.pass(secs(1));
    world.listen(2, 5000);
    world.expect(&["spawn w2 #0 g1", "started w2", "ready w2 #0"]);
    world.pass(secs(4));
    world.expect(&["stopping SIGTERM 1", "stop w2 SIGTERM", "stop listening"]);
}

#[test]
fn a_replacement_that_fails_in_the_moment_of_the_stop_does_not_keep_it_from_its_end() {
    let mut spec = delayed(1);
    spec.readiness.timeout = spec.stop.delay;
    spec.health = HealthPolicy { watchdog: Some(secs(60)), ..HealthPolicy::default() };
    let mut world = World::ready(&spec);
    world.say(1, Word::Trigger);
    world.tell(Event::Ending);
    world.signal(Signal::TERM);
    world.told();
    world.pass(secs(5));
    world.expect(&["stopping SIGTERM 2", "stop w1 SIGTERM", "stop w2 SIGTERM", "stop listening"]);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    assert_eq!(world.exits, [0]);
}

#[test]
fn what_is_over_meanwhile_is_over() {
    let mut spec = delayed(2);
    spec.restart.after_exit = AfterExit::Stay;
    let mut world = terminated(&spec);
    world.exit(1, CLEAN);
    world.exit(2, CRASH);
    assert_eq!(world.exits, [1]);
    assert_eq!(world.supervisor.next_deadline(), None);
}

#[test]
fn one_that_others_need_is_asked_later_and_its_delay_has_passed_by_then() {
    let mut world = World::ready(&delayed(1));
    world.tell(Event::Ending);
    world.expect(&["stop delayed 5s 1"]);
    world.pass(secs(8));
    world.expect(&[]);
    world.signal(Signal::TERM);
    world.expect(&["stopping SIGTERM 1", "stop w1 SIGTERM", "stop listening"]);
}

#[test]
fn orders_are_carried_out_meanwhile_and_its_removal_at_once() {
    let mut world = terminated(&delayed(1));
    world.told();
    world.order(Command::Stop(Scope::All));
    assert_eq!(world.supervisor.snapshot(world.now).instances[0].state, StateName::Stopping);
    world.exit(1, CLEAN);
    assert!(world.all_answered());
    world.order(Command::Remove);
    assert_eq!(world.exits, [0]);
}

#[test]
fn a_mere_init_passes_the_signal_on_when_the_delay_is_over_and_all_others_at_once() {
    let mut spec = delayed(1);
    spec.restart.after_exit = AfterExit::Stay;
    let mut world = terminated(&spec);
    world.expect(&["stop delayed 5s 1"]);
    world.signal(Signal::HUP);
    world.expect(&["forward w1 group SIGHUP"]);
    world.signal(Signal::TERM);
    world.pass(secs(5));
    world.expect(&["forward w1 group SIGTERM"]);
    assert!(world.supervisor.snapshot(world.now).is_ending);
    world.signal(Signal::TERM);
    world.expect(&["forward w1 group SIGTERM"]);
    assert_eq!(world.supervisor.next_deadline(), None);
}
