//! What may happen to a [`World`] besides what a scenario prescribes: the steps of random histories, here in proptest and
//! in fuzz/fuzz_targets/supervisor.rs, and how it all comes to rest.

use std::time::Duration;

use super::world::{Life, World};
use crate::process::{ExitReason, Signal};
use crate::spec::WorkerId;
use crate::supervisor::{Command, Event, Health, Killer, Remedy, StateName, Survivors, Word};

/// After so many rounds of [`World::behave`] all must have come to rest.
const MOST_ROUNDS: usize = 5000;
/// For so many rounds what is watched is followed, whether or not all has been done.
const WATCHED_ROUNDS: usize = 200;

/// Something that happens. The number chooses among the workers that it can happen to.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Pass(Duration),
    Jump,
    Exit(usize, ExitReason, Survivors),
    GroupGone(usize),
    Drained(usize),
    Listen(usize, Option<u16>),
    Ready(usize),
    Say(usize, Word),
    Beat(usize),
    /// A check that is under way ends.
    Checked(usize, Health),
    ChecksLost,
    /// A file changes.
    Change,
    /// A look shows so many bytes of memory.
    Measured(usize, u64),
    /// The memory of all workers together runs short.
    Strained(usize, Remedy),
    Signal(Signal),
    Order(Command),
    OutputClosed,
    FailNextSpawn(u8),
    /// An event about a worker that is gone.
    Stale(usize),
}

impl World {
    fn choose(&self, n: usize, wanted: impl Fn(Life, Life) -> bool) -> Option<u32> {
        let fits = self.processes.iter().filter(|(_, process)| wanted(process.leader, process.group));
        let ids: Vec<_> = fits.map(|(id, _)| id.0).collect();
        (!ids.is_empty()).then(|| ids[n % ids.len()])
    }

    fn befall(&mut self, n: usize, happens: impl FnOnce(&mut Self, u32)) {
        if let Some(worker) = self.choose(n, |leader, _| leader == Life::Alive) {
            happens(self, worker);
        }
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        let alive = |leader, _| leader == Life::Alive;
        match happening {
            Happening::Pass(span) => self.pass(span),
            Happening::Jump => {
                self.jump();
            }
            Happening::Exit(n, reason, survivors) => {
                if let Some(worker) = self.choose(n, alive) {
                    self.exit_leaving(worker, reason, survivors);
                }
            }
            Happening::GroupGone(n) => {
                if let Some(worker) = self.choose(n, |leader, group| leader != group) {
                    self.group_gone(worker);
                }
            }
            Happening::Drained(n) => self.befall(n, |world, worker| world.drained(worker)),
            Happening::Listen(n, port) => {
                if let Some(worker) = self.choose(n, alive) {
                    self.listen_on(WorkerId(worker), port);
                }
            }
            Happening::Ready(n) => self.befall(n, |world, worker| world.say_ready(worker)),
            Happening::Say(n, word) => self.befall(n, |world, worker| world.say(worker, word)),
            Happening::Beat(n) => self.befall(n, |world, worker| world.beat(worker)),
            Happening::Checked(n, health) => {
                if let Some(worker) = self.choose(n, alive) {
                    self.checked(worker, (health != Health::Healthy).then_some("unwell"));
                }
            }
            Happening::ChecksLost => self.lose_checks(),
            Happening::Change => self.change("a.js"),
            Happening::Measured(n, bytes) => self.befall(n, |world, worker| world.measured(worker, bytes)),
            Happening::Strained(n, remedy) => self.befall(n, |world, worker| world.strained(worker, remedy)),
            Happening::Signal(signal) => self.signal(signal),
            Happening::Order(command) if self.exits.is_empty() => self.order(command),
            // It would bring back what is over.
            Happening::Order(_) => {}
            Happening::OutputClosed => self.tell(Event::OutputClosed),
            Happening::FailNextSpawn(status) => self.failing_spawns.push_back(status),
            Happening::Stale(n) => {
                if let Some(worker) = self.choose(n, |_, group| group == Life::Over) {
                    self.group_gone_again(WorkerId(worker));
                }
            }
        }
    }

    fn group_gone_again(&mut self, worker: WorkerId) {
        let (reason, killer, survivors) = (ExitReason::Code(0), Killer::Unknown, Survivors::Some);
        self.tell(Event::Exited { worker, reason, killer, survivors });
        self.tell(Event::GroupGone { worker });
        self.tell(Event::Ready { worker });
    }

    /// Everyone does what is asked of it, each in its own way: a third ends when asked, a third when killed, and a
    /// third is never heard of again.
    pub(super) fn die(&mut self) {
        let group_of_dead = |world: &Self| world.choose(0, |leader, group| leader != group);
        while let Some(worker) = group_of_dead(self) {
            self.group_gone(worker);
        }
        for id in self.live() {
            let process = &self.processes[&id];
            match id.0 % 3 {
                0 if process.asked => self.exit(id.0, ExitReason::Code(0)),
                0 | 1 if process.killed => self.exit(id.0, ExitReason::Signal(Signal::KILL)),
                _ => {}
            }
        }
    }

    /// All workers are well-behaved from now on.
    pub(super) fn behave(&mut self) {
        for round in 0..MOST_ROUNDS {
            let before = self.processes.len();
            for id in self.live() {
                self.listen(id.0, 5000);
                self.say_ready(id.0);
                self.say(id.0, Word::Alive);
                self.beat(id.0);
                self.checked(id.0, None);
                if self.processes[&id].asked && self.processes[&id].leader == Life::Alive {
                    self.exit(id.0, ExitReason::Code(0));
                }
            }
            if !self.jump() && self.processes.len() == before {
                return;
            }
            // What is watched is looked at for ever, so that it has deadlines also when all has been done. How many pass
            // before depends: a reload of a dozen takes minutes, in which each may be looked at every second.
            if self.is_watched && round >= WATCHED_ROUNDS && self.is_settled() {
                return;
            }
        }
        panic!("it never comes to rest: {:?}", self.supervisor);
    }

    /// Whether nothing is under way.
    fn is_settled(&self) -> bool {
        let snapshot = self.supervisor.snapshot(self.now);
        let settled = |state| matches!(state, StateName::Ready | StateName::Failed | StateName::Stopped);
        snapshot.reloading.is_none()
            && snapshot.instances.iter().all(|view| settled(view.state))
            && self.all_answered()
    }
}
