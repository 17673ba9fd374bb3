//! What an app does where the memory that all workers share runs short. Which worker is to give way is judged for all apps
//! together (`memory`), and told by [`super::Event::Strained`].

use serde::{Deserialize, Serialize};

use super::action::Notice;
use super::event::Uptime;
use super::instance::{Instance, State, Watched};
use super::machine::{Phase, Supervisor};
use super::reload::Reload;
use super::vitals::{Stall, Stalled, Vitals};
use crate::spec::WorkerId;

/// How short it is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strain {
    pub used: u64,
    pub limit: u64,
    /// What the worker has of it.
    pub bytes: u64,
}

/// What is to be done with the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {
    /// It is only told of.
    None,
    /// A newcomer starts beside it, and takes its place.
    Beside,
    /// It ends, and then a newcomer takes its place: there is no room for both.
    Instead,
    /// The app goes on with an instance less: so many workers have no room even when they are young.
    Fewer,
}

impl Supervisor {
    /// Does that, unless the worker is about to be replaced anyhow.
    pub(super) fn handle_strained(&mut self, now: Uptime, id: WorkerId, strain: Strain, remedy: Remedy) {
        let serves = |instance: &Instance| instance.is_ready() && instance.worker_id() == Some(id);
        let Some(index) = self.instances.iter().position(serves) else { return };
        let instance = self.instances[index].id;
        let Some(&Watched { worker, .. }) = self.instances[index].watched() else { return };
        let (pid, generation, lived) = (worker.pid, worker.generation, now.since(worker.spawned));
        if remedy == Remedy::None {
            return self.notice(Notice::MemoryShort { worker: id, instance, pid, strain });
        }
        let is_free = matches!(self.phase, Phase::Running) && self.may_replace();
        if remedy == Remedy::Fewer {
            if is_free && self.instances.len() > 1 {
                self.notice(Notice::Crowded { instances: self.instances.len(), strain });
                self.scale_down(now);
            }
            return;
        }
        if !is_free || self.is_under_replacement(instance) || self.departures.has_any_of(instance) {
            return;
        }
        let alone = self.instances.iter().filter(|instance| instance.is_ready()).count() < 2;
        let worker = id;
        self.notice(Notice::Recycling { worker, instance, generation, pid, strain, remedy, alone, lived });
        match remedy {
            Remedy::None | Remedy::Fewer => {}
            Remedy::Beside => self.recycle_beside(now, index),
            Remedy::Instead => {
                let old = self.instances[index].enter(now, State::Restarting);
                self.dismiss_from(now, instance, &old);
            }
        }
    }

    fn recycle_beside(&mut self, now: Uptime, index: usize) {
        let (id, generation) = (self.instances[index].id, self.current);
        if let Some(watched) = self.instances[index].watched_mut() {
            let vitals = watched.vitals.get_or_insert_with(Vitals::bare);
            // Not due: its turn begins right here.
            vitals.stalled = Some(Stalled { cause: Stall::Pressure, since: now, due: None });
        }
        self.reload.get_or_insert_with(|| Reload::replacement(now, generation)).add_turn(id);
    }
}
