//! Readiness: the signs of it, and what is said about workers that do not give them.

use std::time::Duration;

use super::world::{CRASH, World, secs, spec};
use crate::spec::{ReadySign, WorkerId};
use crate::supervisor::{Event, Listen};

const READY: [&str; 2] = ["ready w1 #0", "serve #0"];

/// Two workers of which one has crashed, so that its readiness shows in who serves.
fn world(port: Option<u16>) -> World {
    let mut spec = spec(2);
    spec.readiness.port = port;
    let mut world = World::new(&spec);
    world.exit(2, CRASH);
    world.told();
    world
}

#[test]
fn a_worker_that_listens_on_the_wanted_port_is_ready_at_once() {
    let mut world = world(Some(5000));
    world.listen(1, 5000);
    world.expect(&READY);
}

#[test]
fn a_worker_that_listens_on_a_unix_socket_is_ready_at_once() {
    let mut world = world(Some(5000));
    world.tell(Event::Listening { worker: WorkerId(1), listen: Listen { port: None } });
    world.expect(&READY);
}

#[test]
fn any_listen_will_do_where_no_port_is_wanted() {
    let mut world = world(None);
    world.listen(1, 8080);
    world.expect(&READY);
}

#[test]
fn a_worker_that_listens_elsewhere_is_ready_after_the_minimum_uptime_and_that_is_said_once() {
    let mut world = World::new(&spec(1));
    world.listen(1, 3000);
    world.listen(1, 9229);
    world.pass(Duration::from_millis(999));
    world.expect(&[]);
    world.pass(secs(60));
    world.expect(&["ready w1 #0", "listens elsewhere w1 3000 5000"]);
}

#[test]
fn an_early_other_port_is_no_news_while_the_wanted_one_may_follow() {
    let mut world = World::new(&spec(1));
    world.listen(1, 9464);
    world.pass(Duration::from_millis(9999));
    world.expect(&["ready w1 #0"]);
    world.listen(1, 5000);
    world.pass(secs(60));
    world.expect(&[]);
}

#[test]
fn the_successor_of_a_worker_that_listened_is_not_ready_for_another_port() {
    let mut world = World::ready(&spec(1));
    world.pass(secs(70));
    world.exit(1, CRASH);
    world.pass(secs(1));
    world.told();
    world.listen(2, 9464);
    world.pass(secs(9));
    world.expect(&[]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0"]);
}

#[test]
fn the_wanted_port_may_follow_another() {
    let mut world = World::new(&spec(1));
    world.listen(1, 9229);
    world.listen(1, 5000);
    world.pass(secs(60));
    world.expect(&["ready w1 #0"]);
}

#[test]
fn a_slow_worker_that_listens_elsewhere_in_the_end_is_told_of() {
    let mut world = World::new(&spec(1));
    world.pass(secs(5));
    world.expect(&[]);
    world.listen(1, 3000);
    world.pass(secs(60));
    world.expect(&["ready w1 #0", "listens elsewhere w1 3000 5000"]);
}

#[test]
fn the_wanted_port_of_a_slow_worker_may_follow_another_too() {
    let mut world = World::new(&spec(1));
    world.pass(secs(5));
    world.listen(1, 9229);
    world.pass(Duration::from_millis(999));
    world.listen(1, 5000);
    world.pass(secs(60));
    world.expect(&["ready w1 #0"]);
}

#[test]
fn a_worker_that_is_to_listen_and_never_does_is_told_of_and_taken_for_ready_after_ten_seconds() {
    let mut world = World::new(&spec(1));
    world.pass(Duration::from_millis(9999));
    world.expect(&[]);
    world.pass(secs(60));
    world.expect(&["ready w1 #0", "listens nowhere w1 5000"]);
}

#[test]
fn a_worker_without_a_wanted_port_may_listen_nowhere() {
    let mut spec = spec(1);
    spec.readiness.port = None;
    let mut world = World::new(&spec);
    world.pass(secs(60));
    world.expect(&["ready w1 #0"]);
}

#[test]
fn the_successor_of_a_worker_that_listened_is_ready_only_when_it_listens() {
    let mut world = World::ready(&spec(1));
    world.pass(secs(70));
    world.exit(1, CRASH);
    world.pass(secs(1));
    world.told();
    world.pass(secs(9));
    world.expect(&[]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0"]);
}

#[test]
fn a_worker_that_is_to_say_so_is_ready_only_when_it_does() {
    let mut spec = spec(1);
    spec.readiness.sign = ReadySign::Said;
    let mut world = World::new(&spec);
    world.listen(1, 5000);
    world.pass(secs(29));
    world.expect(&[]);
    world.pass(secs(60));
    world.expect(&["not ready w1 30s"]);
    world.say_ready(1);
    world.expect(&["ready w1 #0"]);
}

#[test]
fn a_worker_that_is_to_listen_is_not_ready_by_saying_so() {
    let mut world = World::new(&spec(1));
    world.say_ready(1);
    world.expect(&[]);
}
