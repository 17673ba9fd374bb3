//! Any events at all, in turn or out of it, about workers that may or may not be: nothing panics, nothing follows on
//! the end, equal histories give equal actions.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use pmr_runtime::process::Pid;
use pmr_runtime::spec::WorkerId;
use pmr_runtime::supervisor::{
    Action, Event, Killer, Listen, SpawnFailure, Supervisor, Survivors, Ticket, Uptime,
};
use pmr_runtime_fuzz::app::{Order, Shape, reason, signal};

const MOST_EVENTS: usize = 60;

#[derive(Debug, Arbitrary)]
struct History {
    shape: Shape,
    seed: u8,
    told: Vec<Told>,
}

/// An event and its time, which may go back and be as late as can be.
#[derive(Debug, Arbitrary)]
struct Told {
    at: At,
    worker: u8,
    what: What,
}

#[derive(Debug, Arbitrary)]
enum At {
    Soon(u8),
    Later(u16),
    Deadline,
    Never,
}

#[derive(Debug, Arbitrary)]
enum What {
    Spawned { pid: u8 },
    SpawnFailed { status: u8 },
    Listening { port: Option<u16> },
    Parked,
    Ready,
    Exited { how: u8, number: u8 },
    GroupGone,
    Drained,
    Signalled { number: u8 },
    Commanded { order: Order, spec: Option<Shape> },
    Changed,
    Prepared { is_usable: bool },
    OutputClosed,
    Ending,
    Deadline,
}

fuzz_target!(|history: History| {
    let spec = history.shape.spec();
    let seed = u64::from(history.seed);
    let (mut one, first) = Supervisor::new(&spec, seed);
    let (mut other, same) = Supervisor::new(&spec, seed);
    assert_eq!(first, same);
    let mut ended = false;
    for Told { at, worker, what } in history.told.into_iter().take(MOST_EVENTS) {
        let now = time(&at, &one);
        // After the end nothing but an order has an effect.
        ended &= !matches!(what, What::Commanded { .. });
        let event = event(WorkerId(u32::from(worker % 12)), what);
        let actions = one.handle(now, event.clone());
        assert_eq!(other.handle(now, event), actions);
        assert!(!ended || actions.is_empty(), "after the end: {actions:?}");
        ended |= actions.iter().any(|action| matches!(action, Action::Exit { .. }));
        let exit = actions.iter().position(|action| matches!(action, Action::Exit { .. }));
        assert!(exit.is_none_or(|at| at == actions.len() - 1), "an exit is the last: {actions:?}");
        assert!(!ended || one.next_deadline().is_none());
        let snapshot = one.snapshot(now);
        assert_eq!(snapshot.at, now);
        assert!(!snapshot.instances.is_empty());
    }
});

fn time(at: &At, supervisor: &Supervisor) -> Uptime {
    match at {
        At::Soon(millis) => Uptime(Duration::from_millis(u64::from(*millis))),
        At::Later(seconds) => Uptime(Duration::from_secs(u64::from(*seconds))),
        At::Deadline => supervisor.next_deadline().unwrap_or_default(),
        At::Never => Uptime(Duration::MAX),
    }
}

fn event(worker: WorkerId, what: What) -> Event {
    match what {
        What::Spawned { pid } => Event::Spawned { worker, pid: Pid::new(i32::from(pid) + 1) },
        What::SpawnFailed { status } => {
            Event::SpawnFailed { worker, failure: SpawnFailure { status, message: String::new() } }
        }
        What::Listening { port } => Event::Listening { worker, listen: Listen { port } },
        What::Parked => Event::Parked { worker },
        What::Ready => Event::Ready { worker },
        What::Exited { how, number } => Event::Exited {
            worker,
            reason: reason(how, number),
            killer: [Killer::Unknown, Killer::OutOfMemory, Killer::Keyboard][usize::from(how >> 2) % 3],
            survivors: if how & 2 == 0 { Survivors::None } else { Survivors::Some },
        },
        What::GroupGone => Event::GroupGone { worker },
        What::Drained => Event::Drained { worker },
        What::Signalled { number } => Event::Signalled { signal: signal(number) },
        What::Commanded { order, spec } => {
            let ticket = Ticket(u64::from(worker.0));
            Event::Commanded { ticket, command: order.command(spec.map(Shape::spec)) }
        }
        What::Changed => Event::Changed { path: String::new(), files: 1 },
        What::Prepared { is_usable } => Event::Prepared { is_usable },
        What::OutputClosed => Event::OutputClosed,
        What::Ending => Event::Ending,
        What::Deadline => Event::Deadline,
    }
}
