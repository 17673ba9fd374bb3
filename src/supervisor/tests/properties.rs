//! Random histories. [`World`] checks after every action what must hold at any time; here is what must follow.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::happening::Happening;
use super::world::{World, secs, spec};
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{
    AfterExit, AppSpec, Autostart, CheckPace, EventLoop, HealthCheck, HealthPolicy, InstanceId,
    InstanceRange, ListeningHeard, OnHup, Peer, Probe, Reach, ReadySign, ReloadStrategy, RestartDelay,
    WatchPolicy, WorkerId,
};
use crate::supervisor::{
    Action, Beat, Command, Event, Health, Killer, Listen, Remedy, Scope, SpawnFailure, StateName, Strain,
    Subject, Supervisor, Survivors, Uptime, Word,
};

/// A few thousand histories take a second or two. `PROPTEST_CASES` asks for another number. Nothing is written
/// beside the sources: a history that fails is printed, and becomes a scenario.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(1000), failure_persistence: None, ..default }
}

fn signals(numbers: &'static [i32]) -> impl Strategy<Value = Signal> {
    prop::sample::select(numbers).prop_map(|raw| Signal::from_raw(raw).unwrap())
}

fn reasons() -> impl Strategy<Value = ExitReason> {
    prop_oneof![
        prop::sample::select(vec![0, 1, 7, 255]).prop_map(ExitReason::Code),
        signals(&[2, 9, 11, 15]).prop_map(ExitReason::Signal),
    ]
}

fn survivors() -> impl Strategy<Value = Survivors> {
    prop_oneof![3 => Just(Survivors::None), 1 => Just(Survivors::Some)]
}

fn strategies() -> impl Strategy<Value = ReloadStrategy> {
    prop::sample::select(vec![ReloadStrategy::Rolling, ReloadStrategy::Fleet])
}

fn orders() -> impl Strategy<Value = Command> {
    let scope =
        || prop_oneof![2 => Just(Scope::All), 1 => (0..5_u32).prop_map(|id| Scope::One(InstanceId(id)))];
    let number = || (1..5_u32).prop_map(|number| NonZeroU32::new(number).unwrap());
    prop_oneof![
        2 => scope().prop_map(Command::Start),
        2 => scope().prop_map(Command::Stop),
        2 => scope().prop_map(|scope| Command::Restart { scope, spec: None }),
        3 => (scope(), strategies(), number()).prop_map(|(scope, strategy, width)| Command::Reload {
            scope,
            strategy,
            width,
            spec: None
        }),
        1 => Just(Command::Check { spec: None }),
        2 => number().prop_map(|to| Command::Scale { to }),
        1 => scope().prop_map(Command::Reset),
    ]
}

fn happenings(signal_numbers: &'static [i32]) -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0..40_000_u64).prop_map(|ms| Happening::Pass(Duration::from_millis(ms))),
        4 => Just(Happening::Jump),
        5 => (any::<usize>(), reasons(), survivors()).prop_map(|(n, why, left)| Happening::Exit(n, why, left)),
        2 => any::<usize>().prop_map(Happening::GroupGone),
        3 => any::<usize>().prop_map(Happening::Drained),
        5 => (any::<usize>(), prop::sample::select(vec![Some(5000), Some(5000), Some(3000), None]))
            .prop_map(|(n, port)| Happening::Listen(n, port)),
        2 => any::<usize>().prop_map(Happening::Ready),
        2 => (any::<usize>(), said()).prop_map(|(n, word)| Happening::Say(n, word)),
        1 => any::<usize>().prop_map(Happening::Beat),
        3 => (any::<usize>(), prop::sample::select(vec![Health::Healthy, Health::Unhealthy]))
            .prop_map(|(n, health)| Happening::Checked(n, health)),
        1 => Just(Happening::ChecksLost),
        2 => Just(Happening::Change),
        2 => (any::<usize>(), 0..200_u64).prop_map(|(n, bytes)| Happening::Measured(n, bytes)),
        2 => (any::<usize>(), remedies()).prop_map(|(n, remedy)| Happening::Strained(n, remedy)),
        6 => signals(signal_numbers).prop_map(Happening::Signal),
        3 => orders().prop_map(Happening::Order),
        1 => prop::sample::select(vec![1, 126, 127]).prop_map(Happening::FailNextSpawn),
        1 => any::<usize>().prop_map(Happening::Stale),
    ]
}

fn remedies() -> impl Strategy<Value = Remedy> {
    prop::sample::select(vec![Remedy::None, Remedy::Beside, Remedy::Instead, Remedy::Fewer])
}

fn said() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => Just(Word::Alive),
        1 => Just(Word::Trigger),
        1 => prop::sample::select(vec![0, 1, 60]).prop_map(|s| Word::Period(secs(s))),
        1 => prop::sample::select(vec![0, 1, 60]).prop_map(|s| Word::Extend(secs(s))),
        1 => Just(Word::Stopping),
    ]
}

/// What is watched, if anything.
fn watched() -> impl Strategy<Value = HealthPolicy> {
    let check = |probe| {
        let pace = CheckPace { interval: secs(2), timeout: secs(1), retries: 2, start_period: secs(5) };
        Some(HealthCheck { probe, pace })
    };
    let http = Probe::Http { to: Peer::default(), path: "/".to_owned() };
    let nothing = HealthPolicy::default();
    let pulse = HealthPolicy {
        kill_stalled: Some(secs(3)),
        event_loop: EventLoop::Answers,
        check: check(Probe::Command("true".to_owned())),
        ..nothing.clone()
    };
    let watchdog = HealthPolicy {
        watchdog: Some(secs(3)),
        check: check(http),
        kill_stalled: Some(secs(3)),
        ..nothing.clone()
    };
    let limited = HealthPolicy { max_memory: Some(100), ..watchdog.clone() };
    prop::sample::select(vec![nothing, pulse, watchdog, limited])
}

/// Which files are watched, if any.
fn files() -> impl Strategy<Value = Option<WatchPolicy>> {
    let delays = prop::sample::select(vec![Duration::ZERO, Duration::from_millis(200), secs(60)]);
    let policy = delays.prop_map(|delay| WatchPolicy { paths: vec![], ignore: vec![], delay, polling: None });
    prop::option::weighted(0.3, policy)
}

const WITHOUT_STOPS: &[i32] = &[1, 1, 1, 10, 17, 18, 20, 21, 21, 22, 22, 28];
const ALL: &[i32] = &[1, 1, 1, 2, 3, 10, 15, 17, 21, 22, 22];

prop_compose! {
    fn specs()(
        instances in 1_u32..5,
        start_limit in 1_u32..4,
        restart in prop::bool::weighted(0.8),
        delay in prop::sample::select(vec![
            RestartDelay::Fixed(Duration::ZERO),
            RestartDelay::Fixed(Duration::from_millis(500)),
            RestartDelay::Exponential { first: Duration::from_millis(100), cap: secs(15) },
        ]),
        min_uptime in prop::sample::select(vec![0, 1, 20]),
        max_unstable in prop::sample::select(vec![0, 1, 3, 16]),
        cron in prop::sample::select(vec![None, None, Some("* * * * *".to_owned())]),
        stop_codes in prop::sample::select(vec![vec![], vec![], vec![0, 42]]),
        stop_timeout in prop::sample::select(vec![0, 5, 25]),
        (drain, stop_delay) in (prop::sample::select(vec![0, 10]), prop::sample::select(vec![0, 0, 5])),
        reach in prop::sample::select(vec![Reach::All, Reach::All, Reach::First]),
        stop_signal in prop::sample::select(vec![None, Some(Signal::INT)]),
        health in watched(),
        said in prop::bool::weighted(0.3),
        ready_timeout in prop::sample::select(vec![0, 3, 30]),
        port in prop::sample::select(vec![None, Some(5000)]),
        (forward, watch) in (prop::bool::weighted(0.1), files()),
        (standby, strategy) in (prop::sample::select(vec![0, 0, 1, 2]), strategies()),
        on_order in prop::bool::weighted(0.1),
        more in prop::sample::select(vec![0, 0, 0, 1, 3]),
    ) -> AppSpec {
        let mut spec = spec(instances);
        let least = spec.instances;
        spec.range = (more > 0).then(|| InstanceRange { least, most: least.saturating_add(more) });
        spec.start_limit = NonZeroU32::new(start_limit).unwrap();
        spec.start.when = if on_order { Autostart::OnOrder } else { Autostart::AtOnce };
        spec.restart.after_exit = if restart { AfterExit::Restart } else { AfterExit::Stay };
        spec.restart.delay = delay;
        spec.restart.min_uptime = secs(min_uptime);
        spec.restart.max_unstable = max_unstable;
        (spec.restart.stop_codes, spec.restart.cron) = (stop_codes, cron);
        spec.stop.timeout = secs(stop_timeout);
        (spec.stop.drain, spec.stop.delay) = (secs(drain), secs(stop_delay));
        (spec.stop.signal, spec.stop.reach) = (stop_signal, reach);
        spec.readiness.sign = match (said, &health.check) {
            (false, _) => ReadySign::Listening,
            (true, None) => ReadySign::Said,
            (true, Some(_)) => ReadySign::Healthy(ListeningHeard::Yes),
        };
        spec.health = health;
        spec.readiness.timeout = secs(ready_timeout);
        spec.readiness.port = port;
        (spec.standby, spec.reload_strategy, spec.watch) = (standby, strategy, watch);
        spec.on_hup = if forward { OnHup::Forward } else { OnHup::Reload };
        spec
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stop_always_ends_in_exactly_one_exit(
        spec in specs(),
        history in prop::collection::vec(happenings(WITHOUT_STOPS), 0..60),
        late in prop::collection::vec(happenings(ALL), 0..6),
        failing in prop::collection::vec(prop::sample::select(vec![1_u8, 126, 127]), 0..2),
        announced in prop::collection::vec(happenings(WITHOUT_STOPS), 0..6),
    ) {
        let mut world = World::silent(&spec, &failing);
        let init = spec.is_init();
        history.into_iter().for_each(|happening| world.happen(happening));
        // Others may have to end first.
        world.tell(Event::Ending);
        announced.into_iter().for_each(|happening| world.happen(happening));
        world.signal(Signal::TERM);
        late.into_iter().for_each(|happening| world.happen(happening));
        for _ in 0..200 {
            world.die();
            if init && let Some(&id) = world.live().first() {
                world.exit(id.0, ExitReason::Code(0));
            }
            world.jump();
        }
        prop_assert_eq!(world.exits.len(), 1);
        prop_assert_eq!(world.supervisor.next_deadline(), None);
        prop_assert!(world.all_answered());
    }

    #[test]
    fn closed_output_ends_everything_too(
        mut spec in specs(),
        history in prop::collection::vec(happenings(WITHOUT_STOPS), 0..30),
    ) {
        // A mere init would just pass it on.
        spec.instances = spec.instances.saturating_add(u32::from(spec.is_init()));
        let mut world = World::silent(&spec, &[]);
        history.into_iter().for_each(|happening| world.happen(happening));
        world.happen(Happening::OutputClosed);
        for _ in 0..200 {
            world.die();
            world.jump();
        }
        prop_assert_eq!(world.exits.len(), 1);
    }

    #[test]
    fn well_behaved_workers_always_come_up_and_every_reload_comes_to_an_end(
        mut spec in specs(),
        history in prop::collection::vec(happenings(WITHOUT_STOPS), 0..60),
    ) {
        (spec.restart.after_exit, spec.restart.cron) = (AfterExit::Restart, None);
        let mut world = World::silent(&spec, &[]);
        history.into_iter().for_each(|happening| world.happen(happening));
        world.failing_spawns.clear();
        world.behave();
        let snapshot = world.supervisor.snapshot(world.now);
        let settled = |state| matches!(state, StateName::Ready | StateName::Failed | StateName::Stopped);
        prop_assert!(snapshot.instances.iter().all(|view| settled(view.state)), "{:?}", snapshot);
        prop_assert_eq!(snapshot.reloading, None);
        prop_assert!(world.all_answered(), "{:?}", world.supervisor);
        prop_assert!(world.supervisor.changes.is_none(), "a change that nobody takes up");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stop_that_is_put_off_asks_nobody_to_end_before_its_time_and_everybody_then(
        mut spec in specs(),
        history in prop::collection::vec(happenings(WITHOUT_STOPS), 0..40),
        meanwhile in prop::collection::vec(happenings(WITHOUT_STOPS), 0..20),
    ) {
        spec.stop.delay = secs(20);
        let mut world = World::silent(&spec, &[]);
        history.into_iter().for_each(|happening| world.happen(happening));
        let until = world.now.after(spec.stop.delay);
        world.told();
        world.tell(Event::Ending);
        world.signal(Signal::TERM);
        if !world.told().iter().any(|told| told.starts_with("stop delayed 20s")) {
            return Ok(()); // Nobody served.
        }
        let asks = |told: &str| told.starts_with("stopping") || told.starts_with("forward") && told.ends_with("SIGTERM");
        for happening in meanwhile {
            world.signal(Signal::TERM);
            let left = until.since(world.now).saturating_sub(Duration::from_millis(1));
            let is_late = world.supervisor.next_deadline().is_none_or(|at| at >= until);
            if let Happening::Pass(span) = happening {
                world.pass(span.min(left));
            } else if !(is_late && matches!(happening, Happening::Jump)) {
                world.happen(happening);
            }
            prop_assert!(!world.told().iter().any(|told| asks(told)));
            prop_assert!(!world.exits.is_empty() || world.supervisor.snapshot(world.now).is_ending);
        }
        world.pass(until.since(world.now));
        prop_assert!(!world.exits.is_empty() || world.told().iter().any(|told| asks(told)));
    }
}

/// The same supervisor as another program would get it.
fn handed_over(supervisor: &Supervisor) -> Supervisor {
    let text = serde_json::to_string(supervisor).unwrap();
    let next = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{next:?}"), format!("{supervisor:?}"));
    next
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn one_that_is_handed_over_at_any_time_goes_on_as_if_it_had_not_been(
        spec in specs(),
        history in prop::collection::vec((happenings(ALL), any::<bool>()), 0..60),
    ) {
        let (mut stays, mut moves) = (World::silent(&spec, &[]), World::silent(&spec, &[]));
        for (happening, hands_over) in history {
            if hands_over {
                moves.supervisor = handed_over(&moves.supervisor);
            }
            if stays.exits.is_empty() {
                stays.happen(happening.clone());
                moves.happen(happening);
            }
            prop_assert_eq!(stays.told(), moves.told());
            prop_assert_eq!(stays.supervisor.next_deadline(), moves.supervisor.next_deadline());
            prop_assert_eq!(stays.supervisor.snapshot(stays.now), moves.supervisor.snapshot(moves.now));
        }
    }
}

/// Any event at all, about workers that may or may not be.
fn events() -> impl Strategy<Value = Event> {
    let worker = || (0..12_u32).prop_map(WorkerId);
    let failure = |status| SpawnFailure { status, message: String::new() };
    prop_oneof![
        4 => (worker(), 1..9_i32).prop_map(|(worker, pid)| Event::Spawned { worker, pid: Pid::new(pid) }),
        1 => (worker(), any::<u8>())
            .prop_map(move |(worker, status)| Event::SpawnFailed { worker, failure: failure(status) }),
        3 => (worker(), any::<Option<u16>>())
            .prop_map(|(worker, port)| Event::Listening { worker, listen: Listen { port } }),
        1 => worker().prop_map(|worker| Event::Ready { worker }),
        1 => (worker(), said()).prop_map(|(worker, word)| Event::Notified { worker, word }),
        1 => (worker(), prop::sample::select(vec![Beat::Turned, Beat::Unheard]))
            .prop_map(|(worker, beat)| Event::Pulse { worker, beat }),
        1 => (any::<Option<u32>>(), any::<bool>()).prop_map(|(worker, is_well)| Event::Checked {
            subject: worker.map_or(Subject::App, |worker| Subject::Worker(WorkerId(worker % 12))),
            result: if is_well { Ok(()) } else { Err(String::new()) },
        }),
        1 => Just(Event::ChecksLost),
        2 => Just(Event::Changed { path: String::new(), files: 1 }),
        2 => any::<bool>().prop_map(|is_usable| Event::Prepared { is_usable }),
        1 => (worker(), 0..200_u64).prop_map(|(worker, bytes)| Event::Measured { sizes: vec![(worker, bytes)] }),
        1 => (worker(), remedies()).prop_map(|(worker, remedy)| {
            Event::Strained { worker, strain: Strain { used: 2, limit: 3, bytes: 1 }, remedy }
        }),
        2 => worker().prop_map(|worker| Event::Parked { worker }),
        3 => (worker(), reasons(), survivors()).prop_map(|(worker, reason, survivors)| Event::Exited {
            worker,
            reason,
            killer: Killer::OutOfMemory,
            survivors
        }),
        1 => worker().prop_map(|worker| Event::GroupGone { worker }),
        1 => worker().prop_map(|worker| Event::Drained { worker }),
        3 => (1..65_i32).prop_map(|raw| Event::Signalled { signal: Signal::from_raw(raw).unwrap() }),
        2 => signals(ALL).prop_map(|signal| Event::Signalled { signal }),
        1 => Just(Event::OutputClosed),
        1 => Just(Event::Ending),
        3 => Just(Event::Deadline),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_event_out_of_turn_makes_it_panic_or_act_after_the_end(
        spec in specs(),
        history in prop::collection::vec((any::<Duration>(), events()), 0..80),
    ) {
        let (mut supervisor, _) = Supervisor::new(&spec, 1);
        let mut ended = false;
        for (at, event) in history {
            let actions = supervisor.handle(Uptime(at), event);
            prop_assert!(!ended || actions.is_empty());
            let exits = actions.iter().filter(|action| matches!(action, Action::Exit { .. })).count();
            prop_assert!(exits <= 1);
            if exits == 1 {
                ended = true;
                assert!(matches!(actions.last(), Some(Action::Exit { .. })));
            }
            prop_assert_eq!(supervisor.snapshot(Uptime(at)).at, Uptime(at));
            prop_assert!(!ended || supervisor.next_deadline().is_none());
        }
    }
}

#[test]
fn equal_seeds_and_histories_give_equal_actions() {
    let play = |seed| {
        let (mut supervisor, mut actions) = Supervisor::new(&spec(1), seed);
        let worker = WorkerId(1);
        actions.extend(supervisor.handle(Uptime::default(), Event::Spawned { worker, pid: Pid::new(9) }));
        let (reason, killer, survivors) = (ExitReason::Code(1), Killer::Unknown, Survivors::None);
        let exited = Event::Exited { worker, reason, killer, survivors };
        actions.extend(supervisor.handle(Uptime(secs(1)), exited));
        actions
    };
    assert_eq!(play(3), play(3));
    assert_ne!(play(3), play(4));
}
