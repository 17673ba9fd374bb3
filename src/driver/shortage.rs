//! Looks at the memory that all workers share, where it has a limit, and tells the supervisors what the guard makes of it.

use tokio::sync::mpsc;

use super::app::App;
use super::gate::Gate;
use super::run::Driver;
use crate::config::cgroup::MemoryFiles;
use crate::memory::{Guard, Look, Weight};
use crate::metrics::sampler::{own_size, weigh};
use crate::metrics::usage::Key;
use crate::process::Pid;
use crate::spec::WorkerKey;
use crate::supervisor::{Event, StateName, Uptime};

/// The memory that all workers and we share.
#[derive(Debug, Clone)]
pub struct SharedMemory {
    /// In bytes.
    pub limit: u64,
    /// Where the kernel tells how much is in use; where `None`, what we and the workers have is added up.
    pub files: Option<MemoryFiles>,
}

/// The looks at it.
#[derive(Debug)]
pub(super) struct Watch {
    memory: SharedMemory,
    pub(super) guard: Guard,
    is_looking: bool,
    seen: mpsc::Sender<Option<Look>>,
}

/// A worker of which the size is wanted.
#[derive(Debug, Clone, Copy)]
struct Member {
    worker: WorkerKey,
    pid: Pid,
    serves: bool,
    may_be_fewer: bool,
    is_guarded: bool,
}

impl Watch {
    pub(super) fn new(memory: SharedMemory, seen: mpsc::Sender<Option<Look>>) -> Self {
        Self { guard: Guard::new(memory.limit), memory, is_looking: false, seen }
    }

    /// Goes on with what the program before us knew.
    pub(super) fn go_on(&mut self, guard: Guard) {
        self.guard = guard.limited_to(self.memory.limit);
    }

    /// What all that is charged says by itself, where that is enough: it takes no time to be told.
    fn glance(&self) -> Option<u64> {
        let charged = self.memory.files.as_ref()?.charged(&read)?;
        self.guard.is_easy(charged).then_some(charged)
    }
}

impl Driver {
    /// When to look next: while there is a worker that may give way.
    pub(super) fn next_memory_look(&self) -> Option<Uptime> {
        let watch = self.memory.as_ref().filter(|watch| !watch.is_looking)?;
        self.apps.values().any(App::is_guarded).then(|| watch.guard.due())
    }

    /// Looks, on another thread where more than a glance is needed.
    pub(super) fn look_at_memory(&mut self) {
        let now = self.shared.clock.now();
        let members: Vec<_> = self.apps.values().flat_map(|app| app.members(now)).collect();
        let Some(watch) = &mut self.memory else { return };
        let serving: Vec<_> =
            members.iter().filter(|member| member.serves).map(|member| member.worker).collect();
        let must_weigh = watch.guard.wants_weights(now, &serving);
        if let Some(used) = watch.glance().filter(|_| !must_weigh) {
            return self.on_memory_seen(Some(&Look { used, workers: Vec::new() }));
        }
        watch.is_looking = true;
        let (memory, guard, seen) = (watch.memory.clone(), watch.guard.clone(), watch.seen.clone());
        drop(tokio::task::spawn_local(async move {
            let look = tokio::task::spawn_blocking(move || {
                look(&memory, &members, |used| must_weigh || !guard.is_easy(used))
            });
            // With nobody to hear it, the loop has ended, and everything with it.
            let _loop_ended = seen.send(look.await.ok().flatten()).await;
        }));
    }

    /// A look has shown this, if anything.
    pub(super) fn on_memory_seen(&mut self, look: Option<&Look>) {
        let now = self.shared.clock.now();
        let Some(watch) = &mut self.memory else { return };
        watch.is_looking = false;
        let Some(look) = look else { return watch.guard.forgo(now) };
        for strained in watch.guard.judge(now, look) {
            let WorkerKey { app, worker } = strained.worker;
            if let Some(app) = self.apps.get_mut(&app) {
                app.feed(Event::Strained { worker, strain: strained.strain, remedy: strained.remedy });
            }
        }
    }
}

impl App {
    /// Whether its workers may give way.
    fn is_guarded(&self) -> bool {
        let is_at_work = self.prelude.gate == Gate::Open && self.status.is_none();
        is_at_work && !self.whose.is_init && self.plan().app.is_guarded()
    }

    fn members(&self, now: Uptime) -> Vec<Member> {
        let (instances, is_guarded) = (self.supervisor.snapshot(now).instances, self.is_guarded());
        let serves = |worker| {
            instances.iter().any(|view| view.worker == Some(worker) && view.state == StateName::Ready)
        };
        let plan = self.plan();
        // Who has more by now was told to.
        let planned = usize::try_from(plan.app.instances.get()).unwrap_or(usize::MAX);
        let may_be_fewer = plan.is_estimated && self.instances() <= planned;
        let member =
            |(id, pid)| Member { worker: self.key(id), pid, serves: serves(id), may_be_fewer, is_guarded };
        self.workers.numbered().map(|(id, worker)| member((id, worker.pid))).collect()
    }
}

/// `None` where nothing can be told. Blocks.
fn look(memory: &SharedMemory, members: &[Member], wants_weights: impl Fn(u64) -> bool) -> Option<Look> {
    let used = memory.files.as_ref().and_then(|files| files.in_use(&read));
    if let Some(used) = used.filter(|used| !wants_weights(*used)) {
        return Some(Look { used, workers: Vec::new() });
    }
    let workers = weighed(members);
    let sum = || workers.iter().map(|weight| weight.bytes).fold(own_size(), u64::saturating_add);
    let used = match &memory.files {
        Some(_) => used?,
        None => sum(),
    };
    Some(Look { used, workers })
}

fn weighed(members: &[Member]) -> Vec<Weight> {
    let key = |worker: WorkerKey| Key { app: worker.app, worker: worker.worker };
    let trees: Vec<_> = members.iter().map(|member| (key(member.worker), member.pid)).collect();
    let sizes = weigh(&trees, 0);
    let weight = |member: &Member| {
        let (_, bytes) = sizes.iter().find(|(found, _)| *found == key(member.worker))?;
        let Member { worker, serves, may_be_fewer, is_guarded, .. } = *member;
        Some(Weight { worker, bytes: *bytes, serves, may_be_fewer, is_guarded })
    };
    members.iter().filter_map(weight).collect()
}

fn read(path: &std::path::Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}
