//! Any history in a world that keeps its promises: the fake kernel of the supervisor's own tests, which checks after
//! every action what must hold at any time. What must follow in the end is checked here.

#![no_main]

// So that the tests' files find what they import.
use pmr_runtime::{process, spec, supervisor};

#[path = "../../src/supervisor/tests/happening.rs"]
mod happening;
#[path = "../../src/supervisor/tests/words.rs"]
mod words;
#[path = "../../src/supervisor/tests/world.rs"]
#[expect(dead_code, reason = "some of it is for scenarios only")]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use happening::Happening;
use libfuzzer_sys::fuzz_target;
use pmr_runtime::process::{ExitReason, Signal};
use pmr_runtime::spec::AfterExit;
use pmr_runtime::supervisor::{Health, Remedy, StateName, Survivors, Word};
use pmr_runtime_fuzz::app::{Order, Shape, reason, signal};
use world::World;

/// Longer histories find nothing that these do not, and take their time.
const MOST_STEPS: usize = 40;

#[derive(Debug, Arbitrary)]
struct History {
    shape: Shape,
    failing_spawns: u8,
    ending: Ending,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Pass { tenths: u8 },
    PassLong { seconds: u8 },
    Jump,
    Exit { worker: u8, how: u8, number: u8 },
    GroupGone { worker: u8 },
    Drained { worker: u8 },
    Listen { worker: u8 },
    ListenElsewhere { worker: u8, port: u8 },
    Ready { worker: u8 },
    Say { worker: u8, word: u8, seconds: u8 },
    Beat { worker: u8 },
    Checked { worker: u8, well: bool },
    ChecksLost,
    Measured { worker: u8, bytes: u8 },
    Strained { worker: u8, remedy: u8 },
    Change,
    Reload,
    Scale { up: bool },
    Signal { number: u8 },
    Order(Order),
    FailNextSpawn { status: u8 },
    Stale { worker: u8 },
}

/// How it shall end: by what, and how often people insist.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Ending {
    Stopped { signal: u8, then: u8 },
    OutputClosed,
    WellBehaved,
}

fuzz_target!(|history: History| {
    let mut spec = history.shape.spec();
    let ending = history.ending;
    match ending {
        // A mere init would just pass it on.
        Ending::OutputClosed if spec.is_init() => spec.instances = spec.instances.saturating_add(1),
        Ending::WellBehaved => {
            // With a clock there is always a next time.
            (spec.restart.after_exit, spec.restart.cron) = (AfterExit::Restart, None);
            // How often a sign of life is due is up to the worker, so that none is often enough for all.
            spec.health.watchdog = None;
        }
        Ending::OutputClosed | Ending::Stopped { .. } => {}
    }
    let failing = [127, 1][..usize::from(history.failing_spawns % 3)].to_vec();
    let mut world = World::silent(&spec, &failing);
    for step in history.steps.into_iter().take(MOST_STEPS) {
        // Those that stop everything come at the end only.
        match happening(step) {
            Happening::Signal(Signal::INT | Signal::QUIT | Signal::TERM) => {}
            happening => world.happen(happening),
        }
    }
    match ending {
        Ending::Stopped { signal, then } => stop(&mut world, spec.is_init(), signal, then),
        Ending::OutputClosed => {
            world.happen(Happening::OutputClosed);
            finish(&mut world, false);
        }
        Ending::WellBehaved => behave(&mut world),
    }
});

fn happening(step: Step) -> Happening {
    let of = usize::from;
    match step {
        Step::Pass { tenths } => Happening::Pass(Duration::from_millis(u64::from(tenths) * 100)),
        Step::PassLong { seconds } => Happening::Pass(Duration::from_secs(u64::from(seconds))),
        Step::Jump => Happening::Jump,
        Step::Exit { worker, how, number } => {
            let survivors = if how & 2 == 0 { Survivors::None } else { Survivors::Some };
            Happening::Exit(of(worker), reason(how, number), survivors)
        }
        Step::GroupGone { worker } => Happening::GroupGone(of(worker)),
        Step::Drained { worker } => Happening::Drained(of(worker)),
        Step::Listen { worker } => Happening::Listen(of(worker), Some(5000)),
        Step::ListenElsewhere { worker, port } => {
            Happening::Listen(of(worker), (port > 0).then_some(u16::from(port)))
        }
        Step::Ready { worker } => Happening::Ready(of(worker)),
        Step::Say { worker, word, seconds } => Happening::Say(of(worker), said(word, seconds)),
        Step::Beat { worker } => Happening::Beat(of(worker)),
        Step::Checked { worker, well } => {
            Happening::Checked(of(worker), if well { Health::Healthy } else { Health::Unhealthy })
        }
        Step::ChecksLost => Happening::ChecksLost,
        Step::Measured { worker, bytes } => Happening::Measured(of(worker), u64::from(bytes)),
        Step::Strained { worker, remedy } => {
            let remedies = [Remedy::None, Remedy::Beside, Remedy::Instead, Remedy::Fewer];
            Happening::Strained(of(worker), remedies[usize::from(remedy % 4)])
        }
        Step::Change => Happening::Change,
        Step::Reload => Happening::Signal(Signal::HUP),
        Step::Scale { up } => Happening::Signal(if up { Signal::TTIN } else { Signal::TTOU }),
        // Like a stop, it is what all ends with.
        Step::Order(Order::Remove) => Happening::Jump,
        Step::Order(order) => Happening::Order(order.command(None)),
        Step::Signal { number } => Happening::Signal(signal(number)),
        Step::FailNextSpawn { status } => Happening::FailNextSpawn(status),
        Step::Stale { worker } => Happening::Stale(of(worker)),
    }
}

fn said(word: u8, seconds: u8) -> Word {
    let span = Duration::from_secs(u64::from(seconds));
    match word % 5 {
        0 => Word::Alive,
        1 => Word::Trigger,
        2 => Word::Period(span),
        3 => Word::Extend(span),
        _ => Word::Stopping,
    }
}

/// A stop always ends in exactly one exit.
fn stop(world: &mut World, init: bool, first: u8, then: u8) {
    let stops = [Signal::TERM, Signal::INT, Signal::QUIT];
    world.signal(stops[usize::from(first % 3)]);
    if then & 4 != 0 {
        world.signal(stops[usize::from(then % 3)]);
    }
    if then & 8 != 0 {
        world.signal(Signal::HUP);
    }
    finish(world, init);
}

fn finish(world: &mut World, init: bool) {
    for _ in 0..200 {
        world.die();
        if init && let Some(&id) = world.live().first() {
            world.exit(id.0, ExitReason::Code(0));
        }
        if !world.jump() && !world.exits.is_empty() {
            break;
        }
    }
    assert_eq!(world.exits.len(), 1);
    assert_eq!(world.supervisor.next_deadline(), None);
    assert!(world.all_answered(), "{:?}", world.supervisor);
}

/// Well-behaved workers always come up, and every reload comes to an end.
fn behave(world: &mut World) {
    world.failing_spawns.clear();
    world.behave();
    let snapshot = world.supervisor.snapshot(world.now);
    let settled = |state| matches!(state, StateName::Ready | StateName::Failed | StateName::Stopped);
    assert!(snapshot.instances.iter().all(|view| settled(view.state)), "{snapshot:?}");
    assert_eq!(snapshot.reloading, None);
    assert!(world.all_answered(), "{:?}", world.supervisor);
}
