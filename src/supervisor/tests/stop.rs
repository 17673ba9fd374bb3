//! Stopping: asked, in time or killed, hurried, and what it ends with.

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::Reach;
use crate::supervisor::{Event, StateName, Survivors};

fn stopping(instances: u32) -> World {
    let mut world = World::ready(&spec(instances));
    world.signal(Signal::TERM);
    world.told();
    world
}

#[test]
fn every_worker_is_asked_to_end_with_the_signal_that_we_got() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut world = World::ready(&spec(2));
        world.signal(signal);
        world.expect(&[
            &format!("stopping {signal} 2"),
            &format!("stop w1 {signal}"),
            &format!("stop w2 {signal}"),
            "stop listening",
        ]);
    }
}

#[test]
fn the_policys_signal_comes_before_the_one_that_we_got() {
    let mut spec = spec(1);
    spec.stop.signal = Some(Signal::QUIT);
    let mut world = World::ready(&spec);
    world.signal(Signal::TERM);
    assert!(world.told().contains(&"stop w1 SIGQUIT".to_owned()));
}

#[test]
fn all_drained_is_status_0_whatever_the_workers_ended_with() {
    let mut world = stopping(2);
    world.exit(1, ExitReason::Signal(Signal::TERM));
    world.expect(&["exited w1 SIGTERM: nothing"]);
    world.exit(2, CRASH);
    world.expect(&["exited w2 exit code 1: nothing", "ended Drained 0", "exit 0"]);
}

#[test]
fn a_repeated_term_changes_nothing() {
    let mut world = stopping(1);
    world.pass(secs(10));
    world.signal(Signal::TERM);
    world.expect(&[]);
    world.pass(secs(15));
    world.expect(&["killing w1 25s", "kill w1"]);
}

#[test]
fn a_worker_that_had_to_be_killed_is_status_137() {
    let mut world = stopping(2);
    world.exit(1, CLEAN);
    world.pass(secs(25));
    world.told();
    world.exit(2, ExitReason::Signal(Signal::KILL));
    world.expect(&["exited w2 SIGKILL: nothing", "ended Killed 137", "exit 137"]);
}

#[test]
fn a_second_int_or_quit_kills_at_once() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut world = stopping(2);
        world.signal(signal);
        world.expect(&[&format!("stopping now {signal}"), "kill w1", "kill w2"]);
        world.signal(signal);
        world.expect(&[]);
        world.exit(1, ExitReason::Signal(Signal::KILL));
        world.exit(2, ExitReason::Signal(Signal::KILL));
        assert_eq!(world.exits, [137]);
    }
}

#[test]
fn closed_output_is_a_stop_but_no_first_signal() {
    let mut world = World::ready(&spec(1));
    world.tell(Event::OutputClosed);
    world.expect(&["stopping output 1", "stop w1 SIGTERM", "stop listening"]);
    world.tell(Event::OutputClosed);
    world.signal(Signal::INT);
    world.expect(&[]);
    world.signal(Signal::INT);
    world.expect(&["stopping now SIGINT", "kill w1"]);
}

#[test]
fn a_killed_worker_that_never_ends_is_given_up() {
    let mut world = stopping(1);
    world.pass(secs(25));
    world.told();
    world.pass(secs(5));
    world.expect(&["ended Killed 137", "exit 137"]);
}

#[test]
fn a_worker_counts_as_stopped_only_when_its_group_is_gone() {
    let mut world = stopping(1);
    world.exit_leaving(1, CLEAN, Survivors::Some);
    world.expect(&["exited w1 exit code 0: nothing"]);
    world.group_gone(1);
    world.expect(&["ended Drained 0", "exit 0"]);
}

#[test]
fn what_is_left_of_a_group_is_killed_at_the_workers_deadline() {
    let mut world = stopping(1);
    world.pass(secs(10));
    world.exit_leaving(1, CLEAN, Survivors::Some);
    world.told();
    world.pass(secs(15));
    world.expect(&["killing w1 25s", "kill w1"]);
    world.group_gone(1);
    assert_eq!(world.exits, [137]);
}

#[test]
fn a_stop_during_a_back_off_cancels_the_respawn() {
    let mut world = World::ready(&spec(2));
    world.exit(1, CRASH);
    world.signal(Signal::TERM);
    world.told();
    world.pass(secs(20));
    world.expect(&[]);
    world.exit(2, CLEAN);
    assert_eq!(world.exits, [0]);
}

#[test]
fn the_snapshot_shows_who_is_still_there() {
    let mut world = stopping(2);
    world.exit(1, CLEAN);
    let states = |world: &World| -> Vec<_> {
        world.supervisor.snapshot(world.now).instances.iter().map(|view| (view.state, view.worker)).collect()
    };
    let second = Some(crate::spec::WorkerId(2));
    assert_eq!(states(&world), [(StateName::Stopped, None), (StateName::Stopping, second)]);
    world.pass(secs(25));
    assert_eq!(states(&world), [(StateName::Stopped, None), (StateName::Killing, second)]);
}

#[test]
fn other_signals_go_to_the_leaders_and_child_signals_to_nobody() {
    let mut world = World::ready(&spec(2));
    let usr1 = Signal::parse("USR1").unwrap();
    world.signal(usr1);
    world.expect(&["forward w1 SIGUSR1", "forward w2 SIGUSR1"]);
    world.signal(Signal::CHLD);
    world.signal(Signal::TERM);
    world.told();
    world.signal(usr1);
    world.expect(&[]);
}

#[test]
fn ctrl_z_stops_the_workers_groups_before_us() {
    let mut world = World::ready(&spec(2));
    world.signal(Signal::TSTP);
    world.expect(&["forward w1 group SIGTSTP", "forward w2 group SIGTSTP", "suspend"]);
}

#[test]
fn without_treekill_what_a_worker_leaves_behind_is_its_own_business() {
    let mut spec = spec(2);
    spec.stop.reach = Reach::First;
    let mut world = World::ready(&spec);
    world.exit_leaving(1, CRASH, Survivors::Some);
    world.expect(&["exited w1 exit code 1: restart 1/16", "serve #1"]);
    world.signal(Signal::TERM);
    world.exit_leaving(2, CLEAN, Survivors::Some);
    assert_eq!(world.exits, [0]);
}
