//! The guard in a made-up container: workers that leak, boot and end in made-up time.

use std::time::Duration;

use proptest::prelude::*;

use super::guard::Guard;
use super::look::{Look, Strained, Weight};
use crate::spec::{AppId, WorkerId, WorkerKey};
use crate::supervisor::{Remedy, Uptime};

const MB: u64 = 1 << 20;
const LIMIT: u64 = 300 * MB;
/// What a worker has when it begins to serve.
const YOUNG: u64 = 40 * MB;
/// How long a worker boots, and how long it takes to end.
const BOOT: u64 = 700;
const END: u64 = 300;
const STEP: u64 = 50;

fn at(millis: u64) -> Uptime {
    Uptime(Duration::from_millis(millis))
}

fn key(worker: u32) -> WorkerKey {
    WorkerKey { app: AppId(0), worker: WorkerId(worker) }
}

fn weight(worker: u32, bytes: u64) -> Weight {
    Weight { worker: key(worker), bytes, serves: true, may_be_fewer: false, is_guarded: true }
}

fn look(used: u64, workers: &[u64]) -> Look {
    let weights = (1..).zip(workers).map(|(worker, megabytes)| weight(worker, megabytes * MB));
    Look { used: used * MB, workers: weights.collect() }
}

fn remedies(strained: &[Strained]) -> Vec<(u32, Remedy)> {
    strained.iter().map(|strained| (strained.worker.worker.0, strained.remedy)).collect()
}

/// Two workers that were young once.
fn guard() -> Guard {
    let mut guard = Guard::new(LIMIT);
    assert_eq!(guard.judge(at(0), &look(100, &[40, 40])), []);
    guard
}

#[test]
fn a_warning_names_the_largest_worker_and_is_not_repeated_at_once() {
    let mut guard = Guard::new(LIMIT);
    assert_eq!(guard.judge(at(0), &look(256, &[120, 130])), remedy(2, 256, 130, Remedy::None));
    assert_eq!(guard.judge(at(60_000), &look(256, &[120, 130])), []);
    assert_eq!(guard.judge(at(120_000), &look(200, &[100, 90])), []);
    assert_eq!(guard.judge(at(180_000), &look(256, &[120, 130])), []);
    assert_eq!(guard.judge(at(700_000), &look(256, &[120, 130])), remedy(2, 256, 130, Remedy::None));
}

fn remedy(worker: u32, used: u64, bytes: u64, remedy: Remedy) -> Vec<Strained> {
    let strain = crate::supervisor::Strain { used: used * MB, limit: LIMIT, bytes: bytes * MB };
    vec![Strained { worker: key(worker), strain, remedy }]
}

#[test]
fn a_slow_leak_is_met_while_there_is_room_beside_it() {
    let mut guard = guard();
    assert_eq!(guard.judge(at(3_600_000), &look(220, &[100, 90])), []);
    assert_eq!(remedies(&guard.judge(at(3_610_000), &look(230, &[110, 90]))), [(1, Remedy::Beside)]);
}

#[test]
fn what_a_replacement_would_not_give_back_is_only_warned_of() {
    let mut guard = Guard::new(LIMIT);
    assert_eq!(guard.judge(at(0), &look(250, &[120, 120])), []);
    assert_eq!(remedies(&guard.judge(at(10_000), &look(285, &[124, 123]))), [(1, Remedy::None)]);
}

#[test]
fn without_room_the_old_one_ends_first() {
    let mut guard = guard();
    let strained = guard.judge(at(3_600_000), &look(278, &[140, 120]));
    assert_eq!(remedies(&strained), [(1, Remedy::None), (1, Remedy::Instead)]);
}

#[test]
fn one_gives_way_at_a_time_and_the_next_after_a_minute_at_the_earliest() {
    let mut guard = guard();
    assert_eq!(remedies(&guard.judge(at(3_600_000), &look(230, &[110, 90]))), [(1, Remedy::Beside)]);
    assert_eq!(guard.judge(at(3_601_000), &look(231, &[110, 90])), []);
    let mut later = look(231, &[40, 110]);
    later.workers[0].worker = key(3);
    assert_eq!(guard.judge(at(3_659_000), &later), []);
    assert_eq!(remedies(&guard.judge(at(3_661_000), &later)), [(2, Remedy::Beside)]);
    // The second came soon after the first, so that the third waits twice as long.
    let mut last = look(231, &[110, 40]);
    (last.workers[0].worker, last.workers[1].worker) = (key(3), key(4));
    assert_eq!(guard.judge(at(3_780_000), &last), []);
    assert_eq!(remedies(&guard.judge(at(3_782_000), &last)), [(3, Remedy::Beside)]);
}

#[test]
fn a_worker_that_serves_on_though_it_was_to_give_way_is_judged_anew() {
    let mut guard = guard();
    assert_eq!(remedies(&guard.judge(at(3_600_000), &look(230, &[110, 90]))), [(1, Remedy::Beside)]);
    assert_eq!(guard.judge(at(3_659_000), &look(231, &[110, 90])), []);
    assert_eq!(remedies(&guard.judge(at(3_661_000), &look(231, &[110, 90]))), [(1, Remedy::Beside)]);
}

#[test]
fn a_standby_does_not_hold_the_next_replacement_up() {
    let mut guard = guard();
    let with_standby = |sizes: &[u64], first: u32| {
        let mut look = look(231, sizes);
        look.workers[0].worker = key(first);
        look.workers.push(Weight { serves: false, ..weight(9, 40 * MB) });
        look
    };
    assert_eq!(remedies(&guard.judge(at(3_600_000), &with_standby(&[110, 90], 1))), [(1, Remedy::Beside)]);
    assert_eq!(remedies(&guard.judge(at(3_661_000), &with_standby(&[40, 110], 3))), [(2, Remedy::Beside)]);
}

#[test]
fn what_is_full_and_does_not_grow_is_not_urgent() {
    let mut guard = guard();
    let full = look(295, &[150, 110]);
    let strained = guard.judge(at(3_600_000), &full);
    assert_eq!(remedies(&strained), [(1, Remedy::None), (1, Remedy::Instead)]);
    let mut next = look(295, &[40, 150]);
    next.workers[0].worker = key(3);
    assert_eq!(guard.judge(at(3_620_000), &next), []);
    assert_eq!(guard.judge(at(3_622_000), &next), []);
}

#[test]
fn a_leak_that_would_reach_the_limit_in_seconds_does_not_wait() {
    let mut guard = guard();
    assert_eq!(remedies(&guard.judge(at(3_600_000), &look(230, &[110, 90]))), [(1, Remedy::Beside)]);
    let mut next = look(200, &[40, 95]);
    next.workers[0].worker = key(3);
    assert_eq!(guard.judge(at(3_602_000), &next), []);
    (next.used, next.workers[1].bytes) = (260 * MB, 135 * MB);
    assert_eq!(remedies(&guard.judge(at(3_604_000), &next)), [(2, Remedy::None), (2, Remedy::Instead)]);
}

#[test]
fn a_worker_of_an_app_that_does_not_want_it_stays() {
    let mut guard = guard();
    let mut full = look(290, &[200, 60]);
    full.workers[0].is_guarded = false;
    assert_eq!(remedies(&guard.judge(at(3_600_000), &full)), [(2, Remedy::None), (2, Remedy::Instead)]);
}

#[test]
fn where_the_number_was_estimated_and_all_are_as_they_were_there_is_one_less() {
    let mut guard = Guard::new(LIMIT);
    let crowd = |sizes: &[u64]| {
        let mut look = look(sizes.iter().sum::<u64>() + 10, sizes);
        look.workers.iter_mut().for_each(|weight| weight.may_be_fewer = true);
        look
    };
    assert_eq!(guard.judge(at(0), &crowd(&[80, 80, 80])), []);
    let strained = guard.judge(at(3_600_000), &crowd(&[89, 91, 90]));
    assert_eq!(remedies(&strained), [(2, Remedy::None), (2, Remedy::Fewer)]);
    // Never the only one.
    assert_eq!(remedies(&guard.judge(at(7_200_000), &crowd(&[85]))), []);
    let mut guard = Guard::new(LIMIT);
    assert_eq!(remedies(&guard.judge(at(0), &crowd(&[280]))), [(1, Remedy::None)]);
}

#[test]
fn looks_come_the_sooner_the_less_is_left_and_seldom_where_nothing_changes() {
    let mut guard = guard();
    let mut due = |now, used| {
        guard.judge(at(now), &look(used, &[]));
        guard.due().since(at(now)).as_millis()
    };
    assert_eq!([due(1_000, 0), due(3_000, 180), due(4_000, 180), due(5_000, 180)], [2000, 800, 1600, 2000]);
    assert_eq!([due(6_000, 240), due(7_000, 240), due(8_000, 299)], [400, 400, 200]);
}

#[test]
fn what_is_known_goes_on_over_an_update() {
    let mut guard = guard();
    guard.judge(at(1000), &look(200, &[100, 90]));
    let state = serde_json::to_string(&guard).unwrap();
    let mut guard = serde_json::from_str::<Guard>(&state).unwrap().limited_to(LIMIT);
    assert!(!guard.wants_weights(at(2000), &[key(1), key(2)]));
    assert_eq!(remedies(&guard.judge(at(3_600_000), &look(230, &[110, 90]))), [(1, Remedy::Beside)]);
}

/// One of the made-up container.
#[derive(Debug, Clone, Copy)]
struct Process {
    id: u32,
    bytes: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serves,
    /// Until then, and then this one ends, if any.
    Boots(u64, Option<u32>),
    /// Until then, and then another boots if its place is free.
    Ends(u64, bool),
}

struct Container {
    now: u64,
    processes: Vec<Process>,
    last: u32,
    guard: Guard,
    most: u64,
    gaps: u64,
    replaced: u32,
}

impl Container {
    fn new(workers: u32) -> Self {
        let process = |id| Process { id, bytes: YOUNG, stage: Stage::Serves };
        let processes = (1..=workers).map(process).collect();
        let guard = Guard::new(LIMIT);
        Self { now: 0, processes, last: workers, guard, most: 0, gaps: 0, replaced: 0 }
    }

    fn used(&self) -> u64 {
        10 * MB + self.processes.iter().map(|process| process.bytes).sum::<u64>()
    }

    fn boot(&mut self, takes_over: Option<u32>) {
        self.last += 1;
        let stage = Stage::Boots(self.now + BOOT, takes_over);
        self.processes.push(Process { id: self.last, bytes: YOUNG, stage });
    }

    /// So many bytes a second leak in those who serve.
    fn step(&mut self, leak: u64) {
        self.now += STEP;
        let serving = self.processes.iter().filter(|process| process.stage == Stage::Serves).count() as u64;
        self.gaps += u64::from(serving == 0);
        for process in self.processes.iter_mut().filter(|process| process.stage == Stage::Serves) {
            process.bytes += leak * STEP / 1000 / serving;
        }
        self.turn();
        self.most = self.most.max(self.used());
        if at(self.now) >= self.guard.due() {
            self.look();
        }
    }

    fn turn(&mut self) {
        let now = self.now;
        let mut to_boot = 0;
        self.processes.retain(|process| match process.stage {
            Stage::Ends(until, another) if until <= now => {
                to_boot += u32::from(another);
                false
            }
            _ => true,
        });
        (0..to_boot).for_each(|_| self.boot(None));
        let ready = self.processes.clone();
        for process in ready {
            if let Stage::Boots(until, old) = process.stage
                && until <= now
            {
                self.set(process.id, Stage::Serves);
                old.into_iter().for_each(|old| self.set(old, Stage::Ends(now + END, false)));
            }
        }
    }

    fn set(&mut self, id: u32, stage: Stage) {
        let process = self.processes.iter_mut().find(|process| process.id == id);
        process.into_iter().for_each(|process| process.stage = stage);
    }

    fn look(&mut self) {
        let is_heir_of = |id| {
            self.processes.iter().any(|heir| matches!(heir.stage, Stage::Boots(_, Some(old)) if old == id))
        };
        let workers = self.processes.iter().map(|process| Weight {
            serves: process.stage == Stage::Serves && !is_heir_of(process.id),
            ..weight(process.id, process.bytes)
        });
        let look = Look { used: self.used(), workers: workers.collect() };
        for strained in self.guard.judge(at(self.now), &look) {
            let id = strained.worker.worker.0;
            match strained.remedy {
                Remedy::None | Remedy::Fewer => {}
                Remedy::Beside => self.boot(Some(id)),
                Remedy::Instead => self.set(id, Stage::Ends(self.now + END, true)),
            }
            self.replaced += u32::from(strained.remedy != Remedy::None);
        }
    }
}

proptest! {
    #[test]
    fn no_leak_that_replacements_can_keep_up_with_reaches_the_limit(
        workers in 1_u32..=3,
        leak in 0_u64..20,
        before in 0_u64..600,
    ) {
        let mut container = Container::new(workers);
        (0..before).for_each(|_| container.step(0));
        (0..12_000).for_each(|_| container.step(leak * MB));
        prop_assert!(container.most < LIMIT, "{} MB", container.most / MB);
        prop_assert!(container.gaps == 0 || workers == 1, "{} steps with nobody", container.gaps);
        prop_assert_eq!(container.replaced > 0, leak > 0);
    }

    #[test]
    fn where_nothing_leaks_nobody_gives_way(workers in 1_u32..=6, looks in prop::collection::vec(0_u64..12, 1..40)) {
        let mut guard = Guard::new(LIMIT);
        for (turn, more) in (0..).zip(looks) {
            let weights: Vec<_> = (1..=workers).map(|worker| weight(worker, YOUNG + more * MB / 2)).collect();
            let used = 10 * MB + weights.iter().map(|weight| weight.bytes).sum::<u64>();
            let strained = guard.judge(at(turn * 61_000), &Look { used, workers: weights });
            prop_assert!(strained.iter().all(|strained| strained.remedy == Remedy::None));
        }
    }
}
