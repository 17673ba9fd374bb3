//! The app's part: who drains, and when to look next. The kernel is asked only while somebody does.
//!
//! Nothing of this is handed over in an update: the next program begins to look anew.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::look::{self, Subject};
use super::parting::{self, Parting};
use super::watch::{Connections, Holding, Need, Step, Watch};
use crate::driver::app::App;
use crate::process::{Pid, Signal};
use crate::spec::WorkerId;
use crate::supervisor::{Event, Recipient, Uptime};
use crate::sys::diag::Connection;
use crate::sys::signals::signal_group;

/// How often is looked at the sockets of those who drain, and at their connections. Seldom enough, in any case, that looking takes
/// no more than a fifth of the time.
const TICK: Duration = Duration::from_millis(2);
const CONNECTIONS_TICK: Duration = Duration::from_millis(10);
const TIMES_ITS_COST: u32 = 4;
/// A worker that was made to stand still is looked at again at once, and then at such intervals.
const LOOKS_IN_A_ROW: u32 = 2;
const HELD_TICK: Duration = Duration::from_millis(1);

/// What follows where the kernel does not tell of connections.
const BLIND: &str =
    "a worker without a handler for the stop signal loses what it has accepted and not answered";

/// Those who drain.
#[derive(Debug, Default)]
pub(in crate::driver) struct Drains {
    of_workers: BTreeMap<WorkerId, Drain>,
    /// Those that have been asked to end, while threads of theirs are detained.
    partings: BTreeMap<WorkerId, Vec<Parting>>,
    /// When to look whether they need be detained any longer.
    next_partings: Option<Uptime>,
    next: Option<Uptime>,
    /// When connections may be looked at again.
    next_connections: Option<Uptime>,
}

#[derive(Debug)]
struct Drain {
    subject: Subject,
    watch: Watch,
}

impl Drains {
    /// When to look.
    pub(in crate::driver) fn next_look(&self) -> Option<Uptime> {
        [self.next, self.next_partings].into_iter().flatten().min()
    }

    /// Whether nobody stands still because of us.
    pub(in crate::driver) fn are_at_rest(&self) -> bool {
        self.partings.is_empty() && !self.holds_one()
    }

    /// Whether somebody who drains was made to stand still.
    fn holds_one(&self) -> bool {
        self.of_workers.values().any(|drain| drain.subject.held)
    }

    /// Lets those go that need not be detained any longer.
    fn let_go(&mut self, now: Uptime) {
        if self.next_partings.is_some_and(|next| next <= now) {
            self.keep_partings(now, |parting| !parting.is_over(now));
        }
    }

    fn keep_partings(&mut self, now: Uptime, keep: impl FnMut(&mut Parting) -> bool + Copy) {
        self.partings.retain(|_, partings| {
            partings.retain_mut(keep);
            !partings.is_empty()
        });
        self.next_partings = (!self.partings.is_empty()).then(|| now.after(HELD_TICK));
    }
}

impl App {
    /// Lets a worker finish its answers. What has no port of ours has nothing to finish that we could see.
    pub(in crate::driver) fn begin_drain(&mut self, id: WorkerId, signal: Signal) {
        let Some(subject) = self.subject(id, signal) else { return self.drained(id) };
        let holds_terminal = self.workers.get(id).is_some_and(|worker| worker.has_terminal);
        let holding = if holds_terminal { Holding::Never } else { Holding::Possible };
        let now = self.shared.clock.now();
        let watch = Watch::new(now, holding);
        self.drains.of_workers.insert(id, Drain { subject, watch });
        self.drains.next = Some(now);
    }

    fn subject(&self, id: WorkerId, signal: Signal) -> Option<Subject> {
        let worker = self.workers.get(id)?;
        let (mut ports, mut listening) = (BTreeSet::new(), HashSet::new());
        for (port, inode) in self.listeners.tcp_sockets_of(worker.instance) {
            ports.insert(port);
            listening.insert(inode);
        }
        ports.extend(self.plan().port);
        let queues = self.listeners.retired(worker.instance);
        let subject = Subject { group: worker.pid, signal, ports, listening, queues, held: false };
        (!subject.ports.is_empty()).then_some(subject)
    }

    /// It has answered all; what the supervisor asks for then comes after what it has asked for already.
    fn drained(&mut self, worker: WorkerId) {
        let actions = self.supervisor.handle(self.shared.clock.now(), Event::Drained { worker });
        self.todo.extend(actions);
    }

    /// Looks at all who drain, if it is time.
    pub(in crate::driver) fn look_at_drains(&mut self) {
        let now = self.shared.clock.now();
        self.drains.let_go(now);
        if self.drains.next.is_none_or(|next| next > now) {
            return;
        }
        // Who was made to stand still does so by the time of the next look, or nearly.
        for _ in 0..LOOKS_IN_A_ROW {
            if !self.look_once(now) {
                break;
            }
        }
        let done = self.shared.clock.now();
        let took = done.since(now);
        let pause =
            if self.drains.holds_one() { HELD_TICK.max(took) } else { TICK.max(took * TIMES_ITS_COST) };
        self.drains.next = (!self.drains.of_workers.is_empty()).then(|| done.after(pause));
    }

    /// Says whether somebody was made to stand still.
    fn look_once(&mut self, now: Uptime) -> bool {
        let steps = self.steps(now);
        for &(id, step) in &steps {
            self.take_step(id, step);
        }
        self.perform();
        // Normally over by now: it was asked to end.
        for &(id, _) in steps.iter().filter(|&(_, step)| *step == Step::Done) {
            self.end_drain(id);
        }
        steps.iter().any(|&(_, step)| step == Step::Hold)
    }

    fn steps(&mut self, now: Uptime) -> Vec<(WorkerId, Step)> {
        let drains = &self.drains.of_workers;
        let sights = look::sights(&drains.iter().map(|(&id, drain)| (id, &drain.subject)).collect());
        let need = drains.iter().filter_map(|(id, drain)| Some(drain.watch.need(now, sights.get(id)?))).max();
        // After the sights, so that each client's socket that was seen is found, if it was not closed meanwhile.
        let connections = self.connections(now, need.unwrap_or(Need::No));
        let by_inode = connections.as_ref().map(|connections| -> Connections<'_> {
            connections.iter().filter_map(|connection| Some((connection.inode?, connection))).collect()
        });
        let step = |(&id, drain): (&WorkerId, &mut Drain)| {
            Some((id, drain.watch.step(now, sights.get(&id)?, by_inode.as_ref())))
        };
        self.drains.of_workers.iter_mut().filter_map(step).collect()
    }

    fn connections(&mut self, now: Uptime, need: Need) -> Option<Vec<Connection>> {
        let is_time = self.drains.next_connections.is_none_or(|next| next <= now);
        if need == Need::No || need == Need::Soon && !is_time {
            return None;
        }
        let subjects = self.drains.of_workers.values().map(|drain| &drain.subject);
        let found = look::connections(subjects).unwrap_or_else(|error| {
            self.shared.advise(format!("{error}; {BLIND}"));
            Vec::new()
        });
        let done = self.shared.clock.now();
        let pause = CONNECTIONS_TICK.max(done.since(now) * TIMES_ITS_COST);
        self.drains.next_connections = Some(done.after(pause));
        Some(found)
    }

    fn take_step(&mut self, id: WorkerId, step: Step) {
        let Some(drain) = self.drains.of_workers.get_mut(&id) else { return };
        if step != Step::Wait {
            tracing::debug!(worker = id.0, ?step, "drain");
        }
        match step {
            Step::Wait => {}
            Step::Hold | Step::LetGo => {
                drain.subject.held = step == Step::Hold;
                let signal = if drain.subject.held { Signal::STOP } else { Signal::CONT };
                // It may have ended, which we shall hear of.
                let _gone = signal_group(drain.subject.group, signal);
            }
            Step::Done => self.drained(id),
        }
    }

    /// The worker was sent `signal`, by which it is to end. If it stands still, it may go on after this.
    pub(in crate::driver) fn part_with_held(&mut self, id: WorkerId, signal: Signal, to: Recipient) {
        let Some(drain) = self.drains.of_workers.get(&id).filter(|drain| drain.subject.held) else { return };
        let now = self.shared.clock.now();
        let partings = parting::part(drain.subject.group, signal, to, now);
        if !partings.is_empty() {
            self.drains.partings.insert(id, partings);
            self.drains.next_partings = Some(now.after(HELD_TICK));
        }
    }

    /// The worker, which was `pid`, has ended. What else of it was asked to end may still be at it.
    pub(in crate::driver) fn end_parting(&mut self, id: WorkerId, pid: Pid) {
        self.drains.keep_partings(self.shared.clock.now(), |parting| !parting.is_of(pid));
        self.end_drain(id);
    }

    /// The worker was asked to end, was killed or has ended: its drain is over. If it stands still, it hears of it only now.
    pub(in crate::driver) fn end_drain(&mut self, id: WorkerId) {
        if let Some(drain) = self.drains.of_workers.remove(&id)
            && drain.subject.held
        {
            let _gone = signal_group(drain.subject.group, Signal::CONT);
        }
        if self.drains.of_workers.is_empty() {
            self.drains.next = None;
        }
    }
}
