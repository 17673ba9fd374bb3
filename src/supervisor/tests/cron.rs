//! Reloads by the clock. In the tests' world every pattern is that of every full minute.

use super::world::{CLEAN, World, secs, spec};
use crate::process::{ExitReason, Signal};
use crate::spec::{AfterExit, AppSpec};
use crate::supervisor::{Command, Killer, Scope, Survivors};

fn timed(instances: u32) -> AppSpec {
    let mut spec = spec(instances);
    spec.restart.cron = Some("* * * * *".to_owned());
    spec
}

fn job() -> AppSpec {
    let mut spec = timed(1);
    spec.restart.after_exit = AfterExit::Stay;
    spec
}

#[test]
fn when_the_time_comes_the_app_is_reloaded_with_no_gap() {
    let mut world = World::ready(&timed(1));
    world.pass(secs(60));
    world.expect(&[
        "schedule 0",
        "time has come * * * * *",
        "reload g2 of 1",
        "spawn w2 #0 g2",
        "started w2",
    ]);
    world.listen(2, 5000);
    world.expect(&["ready w2 #0", "stop w1 SIGTERM", "reload g2 done"]);
    world.exit(1, CLEAN);
    world.told();
    world.pass(secs(60));
    assert!(world.told().contains(&"time has come * * * * *".to_owned()));
}

#[test]
fn a_job_that_has_ended_runs_again_and_the_app_is_not_over_meanwhile() {
    let mut world = World::ready(&job());
    world.exit(1, ExitReason::Code(3));
    world.expect(&["exited w1 exit code 3: stay"]);
    world.pass(secs(60));
    world.expect(&["schedule 0", "time has come * * * * *", "spawn w2 #0 g1", "started w2"]);
    world.exit(2, CLEAN);
    world.told();
    world.signal(Signal::TERM);
    assert_eq!(world.exits.len(), 1);
    assert_eq!(world.supervisor.next_deadline(), None);
}

#[test]
fn what_was_stopped_on_order_stays_so() {
    let mut world = World::ready(&timed(1));
    world.order(Command::Stop(Scope::All));
    world.exit(1, CLEAN);
    world.told();
    world.pass(secs(120));
    world.expect(&["schedule 0", "schedule 1"]);
}

#[test]
fn a_time_that_comes_during_a_reload_is_let_pass() {
    let mut spec = timed(1);
    spec.readiness.timeout = secs(600);
    let mut world = World::ready(&spec);
    world.pass(secs(60));
    world.told();
    world.pass(secs(60));
    let told = world.told();
    assert!(told.ends_with(&["time has come * * * * *".to_owned(), "reload refused".to_owned()]), "{told:?}");
}

#[test]
fn a_person_who_ends_the_worker_ends_the_app() {
    let mut world = World::ready(&job());
    world.exit_by(1, CLEAN, (Killer::Keyboard, Survivors::None));
    assert_eq!(world.exits.len(), 1);
}

#[test]
fn without_a_pattern_nobody_asks_for_the_time() {
    let mut world = World::ready(&spec(1));
    world.pass(secs(600));
    world.expect(&[]);
    assert_eq!(world.supervisor.next_deadline(), None);
}
