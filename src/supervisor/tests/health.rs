//! Health: signs of life, checks, and the replacement of workers that stall.

use std::time::Duration;

use super::world::{CRASH, World, secs, spec};
use crate::spec::{
    AppSpec, CheckPace, EventLoop, HealthCheck, HealthPolicy, ListeningHeard, Peer, Probe, ReadySign,
    ReloadStrategy,
};
use crate::supervisor::{Beat, Command, Event, Health, Scope, Stall, Uptime, Word};

fn watched(instances: u32, health: HealthPolicy) -> AppSpec {
    AppSpec { health, ..spec(instances) }
}

fn watchdog(instances: u32) -> AppSpec {
    watched(instances, HealthPolicy { watchdog: Some(secs(3)), ..HealthPolicy::default() })
}

fn pulse(instances: u32) -> AppSpec {
    let kill_stalled = Some(secs(4));
    watched(
        instances,
        HealthPolicy { kill_stalled, event_loop: EventLoop::Answers, ..HealthPolicy::default() },
    )
}

fn checked(instances: u32, probe: Probe, kill_stalled: Option<Duration>) -> AppSpec {
    let pace = CheckPace { interval: secs(10), timeout: secs(5), retries: 2, start_period: secs(0) };
    let check = Some(HealthCheck { probe, pace });
    watched(instances, HealthPolicy { check, kill_stalled, ..HealthPolicy::default() })
}

fn reload_one_by_one(scope: Scope, spec: Option<Box<AppSpec>>) -> Command {
    Command::Reload { scope, strategy: ReloadStrategy::Rolling, width: std::num::NonZeroU32::MIN, spec }
}

fn command() -> Probe {
    Probe::Command("true".to_owned())
}

fn http() -> Probe {
    Probe::Http { to: Peer::default(), path: "/".to_owned() }
}

#[test]
fn a_missed_watchdog_brings_a_new_worker_before_the_old_one_is_asked_to_end() {
    let mut world = World::ready(&watchdog(2));
    world.say(1, Word::Alive);
    world.pass(secs(3));
    world.expect(&[
        "stalled w1 Watchdog 3s",
        "report w1 Watchdog",
        "spawn w3 #0 g1",
        "serve #1",
        "started w3",
    ]);
    world.listen(3, 5000);
    world.expect(&["ready w3 #0", "stop w1 SIGTERM", "serve #0 #1"]);
    world.exit(1, CRASH);
    world.told();
    assert_eq!(world.supervisor.next_deadline(), None);
}

#[test]
fn a_worker_that_goes_on_feeding_its_watchdog_is_left_alone_and_so_is_one_that_never_began() {
    let mut world = World::ready(&watchdog(2));
    for _ in 0..10 {
        world.say(1, Word::Alive);
        world.pass(secs(2));
    }
    world.expect(&[]);
}

#[test]
fn a_worker_that_says_that_it_stops_is_not_watched_any_more() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Alive);
    world.say(1, Word::Stopping);
    world.pass(secs(60));
    world.expect(&[]);
}

#[test]
fn a_worker_can_ask_to_be_replaced() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Trigger);
    world.expect(&["stalled w1 Trigger 0ns", "report w1 Trigger", "spawn w2 #0 g1", "started w2"]);
}

#[test]
fn the_watchdog_does_not_count_before_the_worker_is_ready() {
    let mut spec = watchdog(1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.say(1, Word::Alive);
    world.pass(secs(20));
    world.expect(&[]);
    world.say_ready(1);
    world.pass(secs(3));
    world.expect(&[
        "ready w1 #0",
        "stalled w1 Watchdog 3s",
        "report w1 Watchdog",
        "spawn w2 #0 g1",
        "started w2",
    ]);
}

#[test]
fn an_event_loop_that_answers_is_asked_again_and_one_that_does_not_is_replaced() {
    let mut world = World::ready(&pulse(1));
    world.pass(secs(2));
    world.expect(&["ping w1"]);
    world.beat(1);
    world.pass(secs(2));
    world.expect(&["ping w1"]);
    world.pass(secs(4));
    world.expect(&["stalled w1 EventLoop 4s", "report w1 EventLoop", "spawn w2 #0 g1", "started w2"]);
}

#[test]
fn a_worker_that_cannot_be_asked_is_left_alone() {
    let mut world = World::ready(&pulse(1));
    world.pass(secs(2));
    world.expect(&["ping w1"]);
    world.tell(Event::Pulse { worker: crate::spec::WorkerId(1), beat: Beat::Unheard });
    world.pass(secs(60));
    world.expect(&[]);
}

#[test]
fn a_worker_whose_checks_fail_is_unhealthy_and_replaced_only_if_that_is_wanted() {
    let mut world = World::ready(&checked(1, command(), None));
    for why in ["one", "two", "three"] {
        world.pass(secs(10));
        world.checked(1, Some(why));
    }
    world.expect(&["check w1 g1", "check w1 g1", "unhealthy #0 2 two", "check w1 g1"]);
    let health = world.supervisor.snapshot(world.now).instances[0].health.clone().unwrap();
    assert_eq!((health.health, health.failures, health.stalled), (Health::Unhealthy, 3, Some(Stall::Check)));
    world.pass(secs(10));
    world.checked(1, None);
    world.expect(&["check w1 g1", "healthy #0"]);
}

#[test]
fn who_is_unhealthy_gets_no_new_connections_until_it_is_healthy_again() {
    let mut world = World::ready(&checked(2, command(), None));
    for why in ["one", "two"] {
        world.pass(secs(10));
        world.checked(1, Some(why));
        world.checked(2, None);
    }
    assert_eq!(world.told().last().unwrap(), "serve #1");
    world.pass(secs(10));
    world.checked(1, None);
    world.checked(2, None);
    assert_eq!(world.told().last().unwrap(), "serve #0 #1");
}

#[test]
fn where_all_are_unhealthy_all_get_connections() {
    let mut world = World::ready(&checked(2, command(), None));
    for _ in 0..2 {
        world.pass(secs(10));
        world.checked(1, Some("down"));
        world.checked(2, Some("down"));
    }
    let told = world.told();
    assert_eq!(
        told.iter().filter(|told| told.starts_with("serve")).collect::<Vec<_>>(),
        ["serve #1", "serve #0 #1"]
    );
}

#[test]
fn who_says_that_it_ends_gets_no_new_connections() {
    let mut world = World::ready(&spec(2));
    world.say(1, Word::Stopping);
    world.expect(&["serve #1"]);
}

#[test]
fn a_worker_that_is_unhealthy_for_too_long_is_replaced() {
    let mut world = World::ready(&checked(1, command(), Some(secs(15))));
    for _ in 0..2 {
        world.pass(secs(10));
        world.checked(1, Some("down"));
    }
    world.expect(&["check w1 g1", "check w1 g1", "unhealthy #0 2 down"]);
    world.pass(secs(5));
    world.expect(&["stalled w1 Check 15s", "report w1 Check", "spawn w2 #0 g1", "started w2"]);
}

#[test]
fn a_worker_that_recovers_in_time_keeps_its_place() {
    let mut world = World::ready(&checked(1, command(), Some(secs(25))));
    for why in [Some("down"), Some("down"), None, None] {
        world.pass(secs(10));
        world.checked(1, why);
    }
    world.told();
    assert_eq!(world.processes.len(), 1);
}

#[test]
fn a_check_that_was_lost_is_made_again() {
    let mut world = World::ready(&checked(1, command(), None));
    world.pass(secs(12));
    world.lose_checks();
    world.jump();
    world.checked(1, None);
    world.expect(&["check w1 g1", "check w1 g1"]);
    assert_eq!(world.now.0, secs(12));
}

#[test]
fn a_check_that_takes_too_long_is_ended_and_has_failed() {
    let mut world = World::ready(&checked(1, command(), None));
    world.pass(secs(15));
    world.expect(&["check w1 g1", "end check w1"]);
    world.pass(secs(15));
    world.expect(&["check w1 g1", "end check w1", "unhealthy #0 2 no answer in time"]);
}

#[test]
fn a_check_of_the_app_is_made_once_for_all_instances_and_replaces_none_of_several() {
    let mut world = World::ready(&checked(2, http(), Some(secs(15))));
    for _ in 0..4 {
        world.pass(secs(10));
        world.checked(1, Some("status 500"));
    }
    world.expect(&[
        "check app g1",
        "check app g1",
        "unhealthy app 2 status 500",
        "check app g1",
        "check app g1",
    ]);
    assert_eq!(world.supervisor.snapshot(world.now).health.unwrap().health, Health::Unhealthy);
}

#[test]
fn with_a_single_instance_a_check_of_the_app_is_one_of_its_worker() {
    let mut world = World::ready(&checked(1, http(), Some(secs(15))));
    for _ in 0..2 {
        world.pass(secs(10));
        world.checked(1, Some("status 500"));
    }
    world.pass(secs(5));
    world.expect(&[
        "check app g1",
        "check app g1",
        "unhealthy app 2 status 500",
        "stalled w1 Check 15s",
        "report w1 Check",
        "spawn w2 #0 g1",
        "started w2",
    ]);
    world.listen(2, 5000);
    assert_eq!(world.supervisor.snapshot(world.now).health.unwrap().health, Health::Unknown);
}

#[test]
fn an_app_that_is_healthy_again_has_no_stalled_worker_whatever_its_size_is_now() {
    let mut world = World::ready(&checked(1, http(), Some(secs(25))));
    for _ in 0..2 {
        world.pass(secs(10));
        world.checked(1, Some("status 500"));
    }
    world.order(Command::Scale { to: std::num::NonZeroU32::MIN.saturating_add(1) });
    world.listen(2, 5000);
    world.pass(secs(10));
    world.checked(1, None);
    world.told();
    world.pass(secs(9));
    world.expect(&[]);
}

#[test]
fn a_worker_becomes_ready_by_a_check_that_began_after_it_listened() {
    let mut spec = checked(1, http(), None);
    spec.readiness.sign = ReadySign::Healthy(ListeningHeard::Yes);
    let mut world = World::new(&spec);
    world.pass(Duration::from_millis(600));
    world.listen(1, 5000);
    world.checked(1, None);
    world.expect(&["check app g1"]);
    world.pass(Duration::from_millis(500));
    world.checked(1, None);
    world.expect(&["check app g1", "ready w1 #0"]);
}

#[test]
fn a_worker_is_asked_at_once_when_it_listens() {
    let mut spec = checked(1, http(), None);
    spec.readiness.sign = ReadySign::Healthy(ListeningHeard::Yes);
    let mut world = World::new(&spec);
    world.listen(1, 5000);
    world.jump();
    world.checked(1, None);
    world.expect(&["check app g1", "ready w1 #0"]);
    assert_eq!(world.now.0, Duration::ZERO);
}

#[test]
fn more_time_to_start_and_to_stop_is_granted() {
    let mut spec = watchdog(1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.pass(secs(20));
    world.say(1, Word::Extend(secs(60)));
    world.pass(secs(59));
    world.expect(&[]);
    world.pass(secs(1));
    world.expect(&["not ready w1 80s"]);
    world.say_ready(1);
    world.order(Command::Stop(Scope::All));
    world.told();
    world.pass(secs(20));
    world.say(1, Word::Extend(secs(30)));
    world.pass(secs(29));
    world.expect(&[]);
    world.pass(secs(1));
    world.expect(&["killing w1 50s", "kill w1"]);
}

#[test]
fn a_replacement_that_fails_leaves_the_stalled_worker_and_is_tried_again_later() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Trigger);
    world.told();
    world.exit(2, CRASH);
    world.expect(&["exited w2 exit code 1: keep old", "replacement failed #0 exited exit code 1 10s"]);
    world.pass(secs(10));
    world.expect(&["stalled w1 Trigger 10s", "report w1 Trigger", "spawn w3 #0 g1", "started w3"]);
}

#[test]
fn workers_that_always_stall_are_replaced_ever_more_rarely_and_that_is_told() {
    let mut world = World::ready(&watchdog(1));
    let (mut replaced, mut deferred) = (0, 0);
    while world.now.0 < secs(3600) {
        for id in world.live() {
            if world.processes[&id].asked {
                world.exit(id.0, CRASH);
            } else if !world.processes[&id].ready {
                world.listen(id.0, 5000);
                world.say(id.0, Word::Trigger);
            }
        }
        if world.live().len() == 1 && world.processes.len() == 1 {
            world.say(1, Word::Trigger);
        }
        world.pass(secs(1));
        let told = world.told();
        replaced += told.iter().filter(|line| line.starts_with("stalled")).count();
        deferred += told.iter().filter(|line| line.starts_with("replacement deferred")).count();
    }
    // 10 s, 20 s, ... 320 s, and then one in ten minutes.
    assert!((9..=12).contains(&replaced), "{replaced} replacements in an hour");
    assert_eq!(deferred, replaced, "each but the first was told of, and the next to come");
}

#[test]
fn a_reload_takes_the_place_of_a_replacement_and_a_replacement_waits_for_a_reload() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Trigger);
    world.told();
    world.order(reload_one_by_one(Scope::All, None));
    world.expect(&["stop w2 SIGTERM", "adopt g2", "reload g2 of 1", "spawn w3 #0 g2", "started w3"]);
    world.exit(2, CRASH);
    world.pass(secs(12));
    world.told();
    world.exit(3, CRASH);
    world.expect(&[
        "exited w3 exit code 1: keep old",
        "reload g2 off #0 exited exit code 1",
        "answer 1: failed #0 exited exit code 1",
        "stalled w1 Trigger 12s",
        "report w1 Trigger",
        "spawn w4 #0 g1",
        "started w4",
    ]);
}

#[test]
fn a_replacement_waits_for_what_is_on_its_way_out() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Trigger);
    world.listen(2, 5000);
    world.say(2, Word::Trigger);
    world.pass(secs(15));
    world.told();
    world.exit(1, CRASH);
    world.expect(&[
        "exited w1 exit code 1: nothing",
        "stalled w2 Trigger 15s",
        "report w2 Trigger",
        "spawn w3 #0 g1",
        "started w3",
    ]);
}

#[test]
fn the_newcomer_of_a_stalled_worker_that_ends_takes_its_place() {
    let mut world = World::ready(&watchdog(1));
    world.say(1, Word::Trigger);
    world.told();
    world.exit(1, CRASH);
    world.expect(&["exited w1 exit code 1: replaced"]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0"]);
    assert_eq!(world.supervisor.snapshot(world.now).reloading, None);
}

#[test]
fn a_worker_that_is_watched_as_before_is_replaced_though_a_reload_of_another_watches_no_more() {
    let mut world = World::ready(&watchdog(2));
    let unwatched = Some(Box::new(spec(2)));
    let scope = Scope::One(crate::spec::InstanceId(1));
    world.order(reload_one_by_one(scope, unwatched));
    world.listen(3, 5000);
    world.say(1, Word::Alive);
    world.told();
    world.pass(secs(3));
    world.expect(&[
        "stalled w1 Watchdog 3s",
        "report w1 Watchdog",
        "spawn w4 #0 g1",
        "serve #1",
        "started w4",
    ]);
}

#[test]
fn nothing_is_watched_and_nobody_is_woken_unless_it_was_asked_for() {
    let mut world = World::ready(&spec(2));
    world.say(1, Word::Alive);
    world.say(1, Word::Trigger);
    world.beat(1);
    world.pass(secs(60));
    world.expect(&[]);
    assert_eq!(world.supervisor.next_deadline(), None);
}

#[test]
fn at_the_end_of_time_it_comes_to_an_end_with_what_is_due() {
    let mut world = World::ready(&checked(1, command(), None));
    let actions = world.supervisor.handle(Uptime(Duration::MAX), Event::Deadline);
    assert!(actions.len() < 100, "{} actions", actions.len());
}
