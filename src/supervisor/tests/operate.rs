//! Orders: what each does, and that it is answered once, when it is done or cannot be.

use std::num::NonZeroU32;

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::Signal;
use crate::spec::{AfterExit, InstanceId, ReadySign, ReloadStrategy};
use crate::supervisor::{Command, Scope, StateName};

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn reload(width: u32) -> Command {
    Command::Reload { scope: Scope::All, strategy: ReloadStrategy::Rolling, width: number(width), spec: None }
}

fn one(instance: u32) -> Scope {
    Scope::One(InstanceId(instance))
}

fn states(world: &World) -> Vec<StateName> {
    world.supervisor.snapshot(world.now).instances.iter().map(|view| view.state).collect()
}

#[test]
fn a_stop_ends_the_workers_and_the_app_waits_to_be_started() {
    let mut world = World::ready(&spec(2));
    world.order(Command::Stop(Scope::All));
    world.expect(&["holding 2", "stop w1 SIGTERM", "stop w2 SIGTERM", "stop listening"]);
    world.exit(1, CLEAN);
    world.told();
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: nothing", "answer 1: done"]);
    assert_eq!(states(&world), [StateName::Stopped; 2]);
    world.order(Command::Start(Scope::All));
    world.expect(&["spawn w3 #0 g1", "spawn w4 #1 g1", "started w3", "started w4"]);
    world.listen(3, 5000);
    world.told();
    world.listen(4, 5000);
    world.expect(&["ready w4 #1", "serve #0 #1", "answer 2: done"]);
}

#[test]
fn a_stop_of_one_instance_leaves_the_others() {
    let mut world = World::ready(&spec(2));
    world.order(Command::Stop(one(1)));
    world.expect(&["holding 1", "serve #0", "stop w2 SIGTERM"]);
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: nothing", "answer 1: done"]);
    world.order(Command::Stop(one(7)));
    world.expect(&["answer 2: refused NoSuchInstance"]);
}

#[test]
fn a_stopped_app_ends_with_the_runtime() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Stop(Scope::All));
    world.exit(1, CLEAN);
    world.told();
    world.signal(Signal::TERM);
    world.expect(&["stopping SIGTERM 0", "stop listening", "ended Drained 0", "exit 0"]);
}

#[test]
fn a_restart_starts_an_instance_when_its_old_worker_is_gone() {
    let mut world = World::ready(&spec(2));
    world.order(Command::Restart { scope: Scope::All, spec: None });
    world.expect(&["adopt g2", "restart g2 of 2", "stop w1 SIGTERM", "stop w2 SIGTERM"]);
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: nothing", "spawn w3 #1 g2", "started w3"]);
    world.exit(1, CLEAN);
    world.listen(3, 5000);
    world.told();
    world.listen(4, 5000);
    world.expect(&["ready w4 #0", "serve #0 #1", "answer 1: done"]);
}

#[test]
fn a_restart_whose_worker_crashes_is_answered_and_goes_on_trying() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Restart { scope: Scope::All, spec: None });
    world.exit(1, CLEAN);
    world.told();
    world.exit(2, CRASH);
    world.expect(&["exited w2 exit code 1: restart 1/16", "answer 1: failed #0 exited exit code 1"]);
    assert_eq!(states(&world), [StateName::Backoff]);
}

#[test]
fn a_failed_app_can_be_started_again() {
    let mut spec = spec(1);
    spec.restart.max_unstable = 1;
    let mut world = World::ready(&spec);
    world.exit(1, CRASH);
    assert_eq!(world.exits, [1]);
    world.told();
    world.order(Command::Start(Scope::All));
    world.expect(&["spawn w2 #0 g1", "started w2"]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0", "answer 1: done"]);
}

#[test]
fn a_start_of_what_runs_is_done_at_once() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Start(Scope::All));
    world.expect(&["answer 1: done"]);
}

#[test]
fn a_reload_of_several_at_a_time_starts_as_many_and_is_answered_when_all_are_ready() {
    let mut spec = spec(3);
    spec.start_limit = number(1);
    let mut world = World::new(&spec);
    for worker in 1..=3 {
        world.listen(worker, 5000);
    }
    world.told();
    world.order(reload(2));
    world.expect(&[
        "adopt g2",
        "reload g2 of 3",
        "spawn w4 #0 g2",
        "spawn w5 #1 g2",
        "started w4",
        "started w5",
    ]);
    world.listen(5, 5000);
    world.expect(&["ready w5 #1", "stop w2 SIGTERM", "spawn w6 #2 g2", "started w6"]);
    world.listen(4, 5000);
    world.listen(6, 5000);
    let told = world.told();
    assert_eq!(told[told.len() - 2..], ["reload g2 done", "answer 1: done"]);
}

#[test]
fn one_newcomer_that_fails_takes_the_others_along_and_no_old_worker() {
    let mut world = World::ready(&spec(2));
    world.order(reload(2));
    world.told();
    world.exit(4, CRASH);
    world.expect(&[
        "exited w4 exit code 1: keep old",
        "stop w3 SIGTERM",
        "reload g2 off #1 exited exit code 1",
        "answer 1: failed #1 exited exit code 1",
    ]);
    assert_eq!(states(&world), [StateName::Ready; 2]);
}

#[test]
fn a_second_reload_is_refused() {
    let mut world = World::ready(&spec(1));
    world.order(reload(1));
    world.told();
    world.order(reload(1));
    world.expect(&["reload refused", "answer 2: refused ReloadUnderWay"]);
}

#[test]
fn a_check_boots_one_worker_and_discards_it() {
    let mut world = World::ready(&spec(2));
    world.order(Command::Check { spec: None });
    world.expect(&["adopt g2", "check g2", "spawn w3 #0 g2", "started w3"]);
    world.listen(3, 5000);
    world.expect(&["stop w3 SIGTERM", "check passed", "answer 1: done"]);
    assert_eq!(world.supervisor.snapshot(world.now).generation.0, 1);
}

#[test]
fn a_check_that_fails_says_why_and_touches_nobody() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Check { spec: None });
    world.told();
    world.exit(2, CRASH);
    world.expect(&[
        "exited w2 exit code 1: keep old",
        "check failed #0 exited exit code 1",
        "answer 1: failed #0 exited exit code 1",
    ]);
}

#[test]
fn a_worker_that_crashes_during_a_check_is_not_replaced_by_the_one_on_trial() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Check { spec: None });
    world.told();
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: restart 1/16"]);
}

#[test]
fn scaling_is_answered_when_the_new_are_ready_and_the_old_are_gone() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Scale { to: number(3) });
    world.told();
    world.listen(2, 5000);
    world.told();
    world.listen(3, 5000);
    world.expect(&["ready w3 #2", "serve #0 #1 #2", "answer 1: done"]);
    world.order(Command::Scale { to: number(1) });
    world.told();
    world.exit(3, CLEAN);
    world.told();
    world.exit(2, CLEAN);
    world.expect(&["exited w2 exit code 0: nothing", "answer 2: done"]);
    world.order(Command::Scale { to: number(2000) });
    world.expect(&["answer 3: refused TooMany { most: 1024 }"]);
}

#[test]
fn a_new_worker_that_is_not_ready_in_time_fails_the_order_and_is_left_alone() {
    let mut spec = spec(1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.say_ready(1);
    world.order(Command::Scale { to: number(2) });
    world.told();
    world.pass(secs(30));
    let told = world.told();
    assert!(told.contains(&"answer 1: failed #1 timed out 30s".to_owned()), "{told:?}");
    assert!(!told.iter().any(|word| word.starts_with("stop")), "{told:?}");
}

#[test]
fn a_reset_forgets_restarts() {
    let mut world = World::ready(&spec(1));
    world.exit(1, CRASH);
    world.pass(secs(1));
    world.told();
    world.order(Command::Reset(Scope::All));
    world.expect(&["answer 1: done"]);
    let view = &world.supervisor.snapshot(world.now).instances[0];
    assert_eq!((view.restarts, view.unstable), (0, 0));
}

#[test]
fn a_removed_app_is_answered_when_it_is_over() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Remove);
    world.expect(&["removing 1", "stop w1 SIGTERM", "stop listening"]);
    world.exit(1, CLEAN);
    world.expect(&["exited w1 exit code 0: nothing", "answer 1: done", "ended Drained 0", "exit 0"]);
}

#[test]
fn an_app_that_has_failed_is_removed_in_peace() {
    let mut spec = spec(1);
    spec.restart.max_unstable = 0;
    let mut world = World::new(&spec);
    world.exit(1, CRASH);
    let told = world.told();
    assert!(told.contains(&"exit 1".to_owned()), "{told:?}");
    world.order(Command::Remove);
    world.expect(&["removing 0", "stop listening", "answer 1: done", "ended Drained 0", "exit 0"]);
}

#[test]
fn orders_are_refused_or_given_up_while_all_stops() {
    let mut world = World::ready(&spec(1));
    world.order(Command::Scale { to: number(2) });
    world.told();
    world.signal(Signal::TERM);
    let told = world.told();
    assert!(told.contains(&"answer 1: failed #1 stopping".to_owned()), "{told:?}");
    world.order(Command::Start(Scope::All));
    world.expect(&["answer 2: refused Stopping"]);
}

#[test]
fn a_job_that_is_done_runs_again_on_order() {
    let mut spec = spec(2);
    spec.restart.after_exit = AfterExit::Stay;
    let mut world = World::new(&spec);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    assert_eq!(world.exits, [0]);
    world.told();
    world.order(Command::Start(one(1)));
    world.expect(&["spawn w3 #1 g1", "started w3"]);
}
