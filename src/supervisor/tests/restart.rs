//! Ends that nobody asked for: back-off, giving up, remains, and apps that are not restarted.

use std::time::Duration;

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::{AfterExit, AppSpec, RestartDelay};
use crate::supervisor::Survivors;

fn giving_up_after(max_unstable: u32, instances: u32) -> AppSpec {
    let mut spec = spec(instances);
    spec.restart.max_unstable = max_unstable;
    spec.restart.delay = RestartDelay::Fixed(Duration::from_millis(500));
    spec
}

fn staying(instances: u32) -> AppSpec {
    let mut spec = spec(instances);
    spec.restart.after_exit = AfterExit::Stay;
    spec
}

#[test]
fn a_crashed_worker_is_replaced_after_its_back_off() {
    let mut world = World::ready(&giving_up_after(16, 1));
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: restart 1/16"]);
    world.pass(Duration::from_millis(499));
    world.expect(&[]);
    world.pass(Duration::from_millis(1));
    world.expect(&["spawn w2 #0 g1", "started w2"]);
}

#[test]
fn a_clean_exit_is_followed_by_a_restart_too() {
    let mut world = World::ready(&spec(1));
    world.pass(secs(2));
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: restart 0/16"]);
}

#[test]
fn too_many_unstable_starts_in_a_row_fail_the_instance_and_the_last_one_the_app() {
    let mut world = World::new(&giving_up_after(2, 2));
    world.exit(1, CRASH);
    world.pass(Duration::from_millis(500));
    world.told();
    world.exit(3, ExitReason::Code(9));
    world.expect(&["exited w3 exit code 9: give up", "failed #0 2", "serve #1"]);
    world.exit(2, CRASH);
    world.pass(Duration::from_millis(500));
    world.told();
    world.exit(4, ExitReason::Code(7));
    world.expect(&["exited w4 exit code 7: give up", "failed #1 2", "ended Failed 7", "exit 7"]);
}

#[test]
fn a_failed_app_never_ends_with_success() {
    let mut world = World::new(&giving_up_after(0, 1));
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: give up", "failed #0 1", "ended Failed 1", "exit 1"]);
}

#[test]
fn a_life_of_the_minimum_uptime_forgives_unstable_starts() {
    let mut world = World::new(&giving_up_after(2, 1));
    world.exit(1, CRASH);
    world.pass(Duration::from_millis(500));
    world.pass(secs(1));
    world.told();
    world.exit(2, CRASH);
    world.expect(&["exited w2 exit code 1: restart 0/2"]);
}

#[test]
fn a_worker_ended_by_the_platforms_own_signal_is_no_unstable_start() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut world = World::new(&giving_up_after(0, 1));
        world.exit(1, ExitReason::Signal(signal));
        world.expect(&[&format!("exited w1 {signal}: restart 0/0")]);
    }
}

#[test]
fn the_platforms_own_signal_may_reach_the_worker_before_us() {
    let mut world = World::ready(&spec(1));
    world.exit(1, ExitReason::Signal(Signal::TERM));
    world.pass(Duration::from_millis(79));
    world.told();
    world.signal(Signal::TERM);
    world.expect(&["stopping SIGTERM 0", "stop listening", "ended Drained 0", "exit 0"]);
}

#[test]
fn what_a_crashed_worker_leaves_behind_is_asked_to_end_and_the_restart_does_not_wait_for_it() {
    let mut world = World::ready(&spec(1));
    world.exit_leaving(1, CRASH, Survivors::Some);
    world.expect(&["exited w1 exit code 1: restart 1/16", "stop w1 SIGTERM"]);
    world.pass(secs(1));
    world.expect(&["spawn w2 #0 g1", "started w2"]);
    world.listen(2, 5000);
    world.told();
    world.pass(secs(24));
    world.expect(&["killing w1 25s", "kill w1"]);
    world.group_gone(1);
    world.pass(secs(60));
    world.expect(&[]);
}

#[test]
fn with_nobody_to_restart_all_is_over_when_the_last_has_ended() {
    let mut world = World::ready(&staying(2));
    world.exit(1, ExitReason::Code(3));
    world.expect(&["exited w1 exit code 3: stay", "serve #1"]);
    world.exit(2, ExitReason::Code(4));
    world.expect(&["exited w2 exit code 4: stay", "ended Completed 4", "exit 4"]);
}

#[test]
fn a_failure_is_not_forgotten_when_the_last_worker_ends_well() {
    let mut world = World::ready(&staying(2));
    world.exit(1, ExitReason::Code(3));
    world.exit(2, CLEAN);
    assert_eq!(world.exits, [3]);
}

#[test]
fn a_stop_exit_code_is_no_failure_and_none_follows() {
    let mut spec = spec(2);
    spec.restart.stop_codes = vec![0, 42];
    let mut world = World::ready(&spec);
    world.exit(1, ExitReason::Code(42));
    world.expect(&["exited w1 exit code 42: rest", "serve #1"]);
    world.pass(secs(60));
    world.expect(&[]);
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: rest", "ended Completed 0", "exit 0"]);
}

#[test]
fn other_exit_codes_and_signals_are_restarted_as_ever() {
    let mut spec = spec(1);
    spec.restart.stop_codes = vec![0, 42, 137];
    let mut world = World::ready(&spec);
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: restart 1/16"]);
    let mut world = World::ready(&spec);
    world.exit(1, ExitReason::Signal(Signal::KILL));
    world.expect(&["exited w1 SIGKILL: restart 1/16"]);
}

#[test]
fn a_mere_init_ends_with_its_childs_status_whatever_that_means() {
    let mut spec = staying(1);
    spec.restart.stop_codes = vec![42];
    assert!(spec.is_init());
    let mut world = World::ready(&spec);
    world.exit(1, ExitReason::Code(42));
    assert_eq!(world.exits, [42]);
}
