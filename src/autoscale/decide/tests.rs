//! The rules one by one, and whole days of made-up load.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn range(least: u32, most: u32) -> InstanceRange {
    let number = |number| NonZeroU32::new(number).unwrap();
    InstanceRange { least: number(least), most: number(most) }
}

fn look(instances: u32, busy: f64) -> Look {
    Look {
        range: range(2, 8),
        instances,
        serving: instances,
        starting: 0,
        busy: Some(busy),
        occupied: 0,
        waiting: 0,
        has_cpu: true,
        room: None,
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What comes of the same look in so many seconds.
fn steps(scaler: &mut Autoscaler, seconds: std::ops::Range<u64>, look: &Look) -> Vec<Step> {
    seconds.filter_map(|second| scaler.look(secs(second), look)).collect()
}

/// An app whose load is in whole instances' time, with noise; a new instance boots for `BOOT` seconds.
struct World {
    scaler: Autoscaler,
    instances: u32,
    /// Until when each newcomer boots.
    booting: Vec<u64>,
    backlog: f64,
    second: u64,
    noise: u64,
    sizes: Vec<u32>,
}

const BOOT: u64 = 1;

impl World {
    fn new(seed: u64) -> Self {
        Self {
            scaler: Autoscaler::default(),
            instances: 2,
            booting: Vec::new(),
            backlog: 0.0,
            second: 0,
            noise: seed | 1,
            sizes: Vec::new(),
        }
    }

    /// From 0 to 1 (xorshift).
    fn random(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        f64::from(u32::try_from(self.noise >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn run(&mut self, seconds: u64, load: f64, noise: f64) {
        for _ in 0..seconds {
            self.second += 1;
            let second = self.second;
            self.booting.retain(|until| *until > second);
            let starting = u32::try_from(self.booting.len()).unwrap();
            let serving = self.instances - starting;
            let offered = load * (1.0 + noise * (2.0 * self.random() - 1.0)) + self.backlog;
            let done = offered.min(f64::from(serving));
            self.backlog = offered - done;
            // Connections wait for a moment though there is time for all: the likelier, the busier they are.
            let busy = done / f64::from(serving);
            let by_chance = if self.random() < busy { whole(self.random() * 4.0) } else { 0 };
            let seen = Look {
                serving,
                starting,
                waiting: whole(self.backlog * 50.0).max(by_chance),
                ..look(self.instances, busy)
            };
            if let Some(step) = self.scaler.look(secs(second), &seen) {
                let newcomers = step.to.saturating_sub(self.instances);
                self.booting.extend((0..newcomers).map(|_| second + BOOT));
                self.instances = step.to;
            }
            self.sizes.push(self.instances);
        }
    }

    /// How often the size went the other way than before.
    fn turns(&self) -> usize {
        let ways: Vec<bool> =
            self.sizes.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[1] > pair[0]).collect();
        ways.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

#[test]
fn it_follows_a_step_of_the_load_within_five_seconds() {
    let mut world = World::new(1);
    world.run(60, 0.5, 0.1);
    assert_eq!(world.instances, 2);
    world.run(5, 2.6, 0.1);
    assert!(world.instances >= 4, "{:?}", world.sizes);
    world.run(20, 2.6, 0.1);
    assert!(world.instances >= 4 && world.backlog < 1.0, "{:?}", world.sizes);
}

#[test]
fn it_shrinks_after_the_step_and_only_then() {
    let mut world = World::new(2);
    world.run(120, 3.5, 0.1);
    let large = world.instances;
    assert!(large > 4, "{:?}", world.sizes);
    world.run(50, 0.2, 0.1);
    assert_eq!(world.instances, large, "what was needed within a minute is kept");
    world.run(100, 0.2, 0.1);
    assert_eq!(world.instances, 2);
    assert_eq!(world.turns(), 1, "{:?}", world.sizes);
}

#[test]
fn one_busy_look_is_no_reason_to_grow() {
    let mut scaler = Autoscaler::default();
    for (now, busy) in (0..100).map(secs).zip([0.1, 0.1, 0.1, 0.99].into_iter().cycle()) {
        assert_eq!(scaler.look(now, &look(2, busy)), None);
    }
}

#[test]
fn a_queue_alone_brings_one_more() {
    let mut scaler = Autoscaler::default();
    let waiting = Look { waiting: 3, busy: None, ..look(2, 0.0) };
    let made = steps(&mut scaler, 0..5, &waiting);
    assert_eq!(made, [Step { to: 3, because: Because::Queue(3) }]);
    assert_eq!(made[0].because.to_string(), "3 connections wait");
    let fewer = Look { waiting: 1, ..look(2, 0.7) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..300, &fewer), [], "some wait now and then");
    let idle = Look { waiting: 9, ..look(2, 0.3) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..300, &idle), [], "two have the time for them");
    let blocked = Look { occupied: 2, ..idle };
    assert_eq!(steps(&mut Autoscaler::default(), 0..5, &blocked).len(), 1, "they wait for others");
}

#[test]
fn it_waits_until_newcomers_serve() {
    let mut scaler = Autoscaler::default();
    assert_eq!(steps(&mut scaler, 0..4, &look(2, 1.0)).len(), 1);
    let booting = Look { serving: 2, starting: 2, ..look(4, 1.0) };
    assert_eq!(steps(&mut scaler, 4..60, &booting), []);
    assert_eq!(steps(&mut scaler, 60..64, &look(4, 1.0)).len(), 1);
}

#[test]
fn one_that_has_failed_does_not_keep_the_others_from_growing() {
    let failed = Look { serving: 2, starting: 0, ..look(3, 1.0) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..4, &failed)[0].to, 4);
    let all = Look { serving: 0, waiting: 9, ..look(3, 1.0) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..300, &all), [], "more of them would fail as well");
}

#[test]
fn where_no_cpu_is_left_another_instance_would_only_take_from_the_others() {
    let full = Look { has_cpu: false, waiting: 9, ..look(2, 1.0) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..100, &full), []);
}

#[test]
fn memory_bounds_its_growth_and_takes_nothing_back() {
    let full = Look { room: Some(3), ..look(3, 1.0) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..100, &full), []);
    let more_than_full = Look { room: Some(1), ..full };
    assert_eq!(steps(&mut Autoscaler::default(), 0..100, &more_than_full), []);
}

#[test]
fn where_nothing_is_known_nothing_is_done() {
    let unknown = Look { busy: None, ..look(5, 0.0) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..300, &unknown), []);
}

#[test]
fn instances_that_wait_for_others_are_kept() {
    let occupied = |count| Look { occupied: count, ..look(4, 0.01) };
    assert_eq!(steps(&mut Autoscaler::default(), 0..300, &occupied(4)), []);
    let (first, rest) = (secs(60), occupied(3));
    let mut scaler = Autoscaler::default();
    let made: Vec<_> = (0..65).filter_map(|at| Some((secs(at), scaler.look(secs(at), &rest)?))).collect();
    assert_eq!(made[0], (first, Step { to: 3, because: Because::Idle }));
}

#[test]
fn who_scales_by_hand_is_not_contradicted_for_a_minute() {
    let mut scaler = Autoscaler::default();
    assert_eq!(steps(&mut scaler, 0..10, &look(3, 0.5)), []);
    assert_eq!(steps(&mut scaler, 10..70, &look(2, 1.0)), []);
    assert_eq!(steps(&mut scaler, 70..75, &look(2, 1.0))[0].to, 4);
}

#[test]
fn an_order_that_came_to_nothing_is_not_repeated_at_once() {
    let mut scaler = Autoscaler::default();
    assert_eq!(steps(&mut scaler, 0..60, &look(2, 1.0)).len(), 1);
}

#[test]
fn a_range_that_was_changed_is_come_to() {
    let mut scaler = Autoscaler::default();
    let now = |instances| Look { range: range(3, 4), ..look(instances, 0.5) };
    let made = scaler.look(secs(0), &now(2)).unwrap();
    assert_eq!((made.to, made.because.to_string()), (3, "the range is 3..4".to_owned()));
    assert_eq!(Autoscaler::default().look(secs(0), &now(8)).unwrap().to, 4);
}

#[test]
fn what_has_to_grow_soon_after_it_has_shrunk_shrinks_later() {
    let mut scaler = Autoscaler::default();
    let mut shrunk = Vec::new();
    let (mut instances, mut queue_from) = (4, u64::MAX);
    for second in 0..1500 {
        // Workers that wait for others, now and then, and one more of them is enough.
        let queues = instances < 4 && second >= queue_from;
        let (waiting, occupied) = if queues { (9, instances) } else { (0, 0) };
        let seen = Look { waiting, occupied, range: range(3, 8), ..look(instances, 0.05) };
        if let Some(step) = scaler.look(secs(second), &seen) {
            if step.to < instances {
                shrunk.push(second);
                queue_from = second + 10;
            }
            instances = step.to;
        }
    }
    let gaps: Vec<_> = shrunk.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0] + 50), "{shrunk:?}");
    assert!(gaps.len() >= 3, "{shrunk:?}");
}

proptest! {
    #[test]
    fn it_never_flaps_in_ten_minutes_of_noise(seed: u64, load in 0.0..8.0_f64, noise in 0.0..0.25_f64) {
        let mut world = World::new(seed);
        world.run(600, load, noise);
        prop_assert!(world.turns() <= 1, "{:?}", world.sizes);
        let settled = &world.sizes[300..];
        prop_assert!(settled.windows(2).filter(|pair| pair[0] != pair[1]).count() <= 1, "{:?}", world.sizes);
    }

    #[test]
    fn it_keeps_within_its_range_whatever_it_sees(
        looks in prop::collection::vec(
            ((0_u32..12, 0_u32..12, 0_u32..3), prop::option::of(prop::num::f64::ANY), (0_u32..12, 0_u32..30),
             any::<bool>(), prop::option::of(0_u32..12)),
            1..200,
        ),
    ) {
        let mut scaler = Autoscaler::default();
        for (second, ((instances, serving, starting), busy, (occupied, waiting), has_cpu, room)) in (0..).zip(looks) {
            let range = range(2, 8);
            let seen = Look { range, instances, serving, starting, busy, occupied, waiting, has_cpu, room };
            if let Some(step) = scaler.look(secs(second), &seen) {
                prop_assert!(range.has(step.to), "{step:?} from {seen:?}");
                prop_assert_ne!(step.to, instances);
            }
        }
    }
}
