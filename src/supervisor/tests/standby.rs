//! Standbys: held until an instance needs one, and never in the way of the app.

use std::time::Duration;

use super::world::{CLEAN, CRASH, World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::{
    AfterExit, AppSpec, CheckPace, HealthCheck, HealthPolicy, ListeningHeard, Peer, Probe, ReadySign,
};
use crate::supervisor::{Command, Scope, StateName, Word};

fn with_standby(instances: u32, standby: u32) -> AppSpec {
    AppSpec { standby, ..spec(instances) }
}

/// All instances serve, and worker 3 is parked.
fn parked() -> World {
    let mut world = World::ready(&with_standby(2, 1));
    world.listen(3, 5000);
    world.told();
    world
}

fn standbys(world: &World) -> Vec<(u32, StateName)> {
    let snapshot = world.supervisor.snapshot(world.now);
    snapshot.standbys.iter().map(|view| (view.instance.0, view.state)).collect()
}

#[test]
fn a_standby_boots_after_the_instances_and_is_held_where_it_would_listen() {
    let mut world = World::silent(&with_standby(2, 1), &[]);
    world.told();
    world.listen(1, 5000);
    world.expect(&["ready w1 #0", "spawn w3 #1024 g1 to park", "serve #0", "started w3"]);
    world.listen(2, 5000);
    world.told();
    world.listen(3, 5000);
    world.expect(&["parked w3"]);
    assert_eq!(standbys(&world), [(1024, StateName::Standby)]);
    world.pass(secs(3600));
    world.expect(&[]);
}

#[test]
fn it_takes_the_place_of_a_worker_that_ends_in_the_same_turn() {
    let mut world = parked();
    world.pass(secs(5));
    world.exit(2, CRASH);
    world.expect(&[
        "exited w2 exit code 1: taken over",
        "release w3 #1",
        "w3 #1024 took over #1",
        "serve #0",
    ]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #1", "serve #0 #1"]);
    assert!(world.jump(), "the next standby comes after the delay that the instance would have had");
    // 1024 is in the environment of a worker that lives.
    world.expect(&["spawn w4 #1025 g1 to park", "started w4"]);
}

#[test]
fn a_crash_loop_is_as_slow_as_without_one_and_given_up_as_soon() {
    let mut spec = with_standby(1, 1);
    spec.restart.max_unstable = 3;
    let mut world = World::ready(&spec);
    for worker in 2..4 {
        world.listen(worker, 5000);
        world.exit(worker - 1, CRASH);
        world.listen(worker, 5000);
        world.pass(secs(0));
        world.told();
        assert!(world.jump());
        assert!(world.told()[0].starts_with("spawn"));
    }
    world.listen(4, 5000);
    world.exit(3, CRASH);
    let told = world.told();
    assert!(told.contains(&"failed #0 3".to_owned()), "{told:?}");
    assert!(told.contains(&"stop w4 SIGTERM".to_owned()), "nobody is held for nothing: {told:?}");
}

#[test]
fn an_end_in_its_first_second_of_service_is_unstable_however_long_it_was_held() {
    let mut world = parked();
    world.pass(secs(3600));
    world.exit(1, CRASH);
    world.listen(3, 5000);
    world.told();
    world.exit(3, CRASH);
    world.expect(&["exited w3 exit code 1: restart 1/16", "serve #1"]);
}

#[test]
fn one_that_parks_while_an_instance_waits_takes_it_at_once() {
    let mut world = World::ready(&with_standby(2, 1));
    world.exit(1, CRASH);
    world.told();
    world.listen(3, 5000);
    world.expect(&["parked w3", "release w3 #0", "w3 #1024 took over #0"]);
}

#[test]
fn its_own_end_is_no_failure_of_the_app() {
    let mut spec = with_standby(1, 1);
    spec.restart.max_unstable = 2;
    let mut world = World::ready(&spec);
    world.exit(2, CRASH);
    world.expect(&["exited w2 exit code 1: restart 1/2"]);
    assert!(world.jump());
    world.expect(&["spawn w3 #1024 g1 to park", "started w3"]);
    world.exit(3, CRASH);
    world.expect(&["exited w3 exit code 1: give up", "standby given up 2"]);
    world.pass(secs(3600));
    world.expect(&[]);
    assert_eq!(world.supervisor.snapshot(world.now).instances[0].state, StateName::Ready);
    world.order(Command::Reset(Scope::All));
    world.expect(&["answer 1: done", "spawn w4 #1024 g1 to park", "started w4"]);
}

#[test]
fn one_that_is_late_is_replaced_and_the_app_left_alone() {
    let mut world = World::ready(&with_standby(1, 1));
    world.pass(secs(30));
    world.expect(&["not ready w2 30s", "stop w2 SIGTERM"]);
}

#[test]
fn an_app_that_never_listens_has_none_and_it_is_said_once() {
    let mut world = World::silent(&with_standby(1, 1), &[]);
    world.told();
    world.pass(secs(10));
    world.expect(&["ready w1 #0", "listens nowhere w1 5000", "nothing to park"]);
    world.pass(secs(60));
    world.exit(1, CLEAN);
    world.pass(secs(60));
    let told = world.told();
    assert!(!told.contains(&"nothing to park".to_owned()), "{told:?}");
    world.listen(2, 5000);
    let told = world.told();
    assert!(told.contains(&"spawn w3 #1024 g1 to park".to_owned()), "it listens after all: {told:?}");
}

#[test]
fn one_that_is_ready_without_listening_is_asked_to_end() {
    let mut spec = with_standby(1, 1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.say_ready(1);
    world.expect(&["ready w1 #0", "spawn w2 #1024 g1 to park", "started w2"]);
    world.say_ready(2);
    world.expect(&["nothing to park", "stop w2 SIGTERM"]);
    world.exit(2, CLEAN);
    world.pass(secs(60));
    world.expect(&["exited w2 exit code 0: nothing"]);
}

#[test]
fn what_it_says_while_it_is_held_counts_when_it_is_released() {
    let mut spec = with_standby(1, 1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.say_ready(1);
    world.listen(2, 5000);
    world.say_ready(2);
    world.told();
    world.exit(1, CRASH);
    world.expect(&[
        "exited w1 exit code 1: taken over",
        "release w2 #0",
        "w2 #1024 took over #0",
        "ready w2 #0",
    ]);
}

#[test]
fn a_new_instance_gets_it() {
    let mut world = parked();
    world.signal(Signal::TTIN);
    world.expect(&[
        "scaled 2 3",
        "release w3 #2",
        "w3 #1024 took over #2",
        "spawn w4 #1025 g1 to park",
        "started w4",
    ]);
}

#[test]
fn one_of_the_old_generation_is_discarded_when_a_reload_is_done() {
    let mut world = parked();
    world.signal(Signal::HUP);
    world.listen(4, 5000);
    world.told();
    world.listen(5, 5000);
    world.expect(&[
        "ready w5 #1",
        "stop w2 SIGTERM",
        "reload g2 done",
        "stop w3 SIGTERM",
        "spawn w6 #1025 g2 to park",
        "started w6",
    ]);
}

#[test]
fn a_reload_that_is_called_off_keeps_it() {
    let mut world = parked();
    world.signal(Signal::HUP);
    world.exit(4, CRASH);
    assert_eq!(standbys(&world), [(1024, StateName::Standby)]);
    world.told();
    world.exit(1, CRASH);
    assert!(world.told().contains(&"release w3 #0".to_owned()));
}

#[test]
fn a_stop_asks_it_to_end_as_well_and_does_not_wait_long() {
    let mut world = parked();
    world.signal(Signal::TERM);
    world.expect(&[
        "stopping SIGTERM 3",
        "stop w1 SIGTERM",
        "stop w2 SIGTERM",
        "stop w3 SIGTERM",
        "stop listening",
    ]);
    world.exit(1, CLEAN);
    world.exit(2, CLEAN);
    world.told();
    world.pass(Duration::from_millis(100));
    world.expect(&["kill w3"]);
    world.exit(3, ExitReason::Signal(Signal::KILL));
    world.expect(&["exited w3 SIGKILL: nothing", "ended Drained 0", "exit 0"]);
}

#[test]
fn an_app_that_is_stopped_on_order_keeps_none() {
    let mut world = parked();
    world.order(Command::Stop(Scope::All));
    let told = world.told();
    assert!(told.contains(&"stop w3 SIGTERM".to_owned()), "{told:?}");
    assert_eq!(standbys(&world), []);
}

#[test]
fn signals_for_the_app_do_not_disturb_one_that_is_held() {
    let mut world = parked();
    world.signal(Signal::from_raw(10).unwrap());
    world.expect(&["forward w1 SIGUSR1", "forward w2 SIGUSR1"]);
}

#[test]
fn where_nobody_is_replaced_there_is_none() {
    let mut spec = with_standby(2, 1);
    spec.restart.after_exit = AfterExit::Stay;
    let mut world = World::ready(&spec);
    world.pass(secs(60));
    world.expect(&[]);
}

fn checked(probe: Probe) -> HealthPolicy {
    let pace = CheckPace { interval: secs(10), timeout: secs(5), retries: 2, start_period: secs(0) };
    HealthPolicy { check: Some(HealthCheck { probe, pace }), ..HealthPolicy::default() }
}

#[test]
fn one_that_is_parked_takes_over_from_a_worker_that_has_stalled() {
    let watchdog = HealthPolicy { watchdog: Some(secs(3)), ..HealthPolicy::default() };
    let mut world = World::ready(&AppSpec { health: watchdog, ..with_standby(2, 1) });
    world.listen(3, 5000);
    world.say(1, Word::Alive);
    world.told();
    world.pass(secs(3));
    world.expect(&[
        "stalled w1 Watchdog 3s",
        "report w1 Watchdog",
        "release w3 #0",
        "w3 #1024 took over #0",
        "spawn w4 #1025 g1 to park",
        "serve #1",
        "started w4",
    ]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM", "serve #0 #1"]);
    world.listen(4, 5000);
    assert_eq!(standbys(&world), [(1025, StateName::Standby)]);
}

#[test]
fn one_that_fails_to_relieve_a_stalled_worker_leaves_it_in_its_place() {
    let watchdog = HealthPolicy { watchdog: Some(secs(3)), ..HealthPolicy::default() };
    let mut world = World::ready(&AppSpec { health: watchdog, ..with_standby(1, 1) });
    world.listen(2, 5000);
    world.say(1, Word::Trigger);
    world.told();
    world.exit(2, CRASH);
    let told = world.told();
    assert!(told.iter().any(|line| line.starts_with("replacement failed #0")), "{told:?}");
    assert_eq!(world.supervisor.snapshot(world.now).instances[0].state, StateName::Ready);
}

#[test]
fn nobody_asks_how_it_does_before_it_is_released() {
    let sign = ReadySign::Healthy(ListeningHeard::Yes);
    let http = Probe::Http { to: Peer::default(), path: "/".to_owned() };
    for (probe, whose) in [(Probe::Command("true".to_owned()), "w2"), (http, "app")] {
        let mut spec = AppSpec { health: checked(probe), ..with_standby(1, 1) };
        spec.readiness.sign = sign;
        let mut world = World::new(&spec);
        world.listen(1, 5000);
        world.pass(secs(1));
        world.checked(1, None);
        world.listen(2, 5000);
        assert_eq!(standbys(&world), [(1024, StateName::Standby)], "{:?}", world.told());
        world.pass(secs(60));
        let told = world.told();
        assert!(!told.contains(&"check w2 g1".to_owned()), "{told:?}");
        world.exit(1, CRASH);
        world.listen(2, 5000);
        world.pass(secs(2));
        let told = world.told();
        assert!(told.contains(&format!("check {whose} g1")), "{told:?}");
        world.checked(2, None);
        let told = world.told();
        assert!(told.contains(&"ready w2 #0".to_owned()), "{told:?}");
    }
}

#[test]
fn more_time_to_boot_is_granted_to_it_too() {
    let mut world = World::ready(&with_standby(1, 1));
    world.say(2, Word::Extend(secs(60)));
    world.pass(secs(59));
    world.expect(&[]);
    world.listen(2, 5000);
    world.expect(&["parked w2"]);
}
