//! Init mode: one process, never restarted, every signal passed on, its exit status ours.

use super::world::{World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::{AfterExit, AppSpec};
use crate::supervisor::{Event, Survivors};

fn init() -> AppSpec {
    let mut spec = spec(1);
    spec.restart.after_exit = AfterExit::Stay;
    spec
}

#[test]
fn every_signal_but_that_of_a_child_is_passed_on() {
    let mut world = World::ready(&init());
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        world.signal(signal);
        world.expect(&[&format!("forward w1 group {signal}")]);
    }
    for signal in [Signal::TTIN, Signal::TTOU, Signal::WINCH, Signal::CONT, Signal::TSTP] {
        world.signal(signal);
        world.expect(&[&format!("forward w1 {signal}")]);
    }
    world.signal(Signal::CHLD);
    world.expect(&[]);
}

#[test]
fn nobody_is_killed_for_being_slow() {
    let mut world = World::ready(&init());
    world.signal(Signal::TERM);
    world.told();
    world.pass(secs(600));
    world.expect(&[]);
}

#[test]
fn the_childs_status_is_ours_at_once_even_with_others_of_its_group_left() {
    for (reason, status) in [(ExitReason::Code(3), 3), (ExitReason::Signal(Signal::TERM), 143)] {
        let mut world = World::ready(&init());
        world.exit_leaving(1, reason, Survivors::Some);
        assert_eq!(world.exits, [status]);
    }
}

#[test]
fn a_program_that_is_not_found_is_status_127() {
    let mut world = World::silent(&init(), &[127]);
    world.expect(&[
        "spawn w1 #0 g1",
        "spawn failed w1 127: give up",
        "failed #0 1",
        "ended Failed 127",
        "exit 127",
    ]);
}

#[test]
fn nothing_is_said_about_where_it_listens() {
    let mut world = World::new(&init());
    world.listen(1, 3000);
    world.pass(secs(600));
    world.expect(&["ready w1 #0"]);
}

#[test]
fn closed_output_is_passed_on_as_term_and_once() {
    let mut world = World::ready(&init());
    world.tell(Event::OutputClosed);
    world.tell(Event::OutputClosed);
    world.expect(&["stopping output 1", "forward w1 group SIGTERM"]);
}
