//! The outputs at rest, so that another program can take them over in this process, or this one go on.
//!
//! ```text
//! Outputs --suspend--> Suspended --state, execve--> resume --> Outputs of the new program
//!                          \--go_on--> as if nothing had been
//! ```
//!
//! At rest nothing is read any more, and all that was read is written, or is part of the state: the start of a line
//! that is kept back, and lines of ours that wait for a worker's to end.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::chunks::Pipe;
use super::copy::Copies;
use super::file::FileSettings;
use super::format::Source;
use super::line::Origin;
use super::outputs::{Closed, Outputs, Settings, WorkerLogs};
use super::pump::{Drain, Pump};
use super::ring::Ring;
use super::state::{OutputsState, Pipes, PumpState, WorkerState};
use super::track::Track;
use crate::process::Pid;
use crate::spec::{AppId, InstanceId};
use crate::sys::inherited::{self, OnExec};

/// See the module.
#[derive(Debug)]
#[must_use]
pub struct Suspended<'a> {
    outputs: &'a Outputs,
    resting: Vec<Pump>,
}

/// Where lines go.
#[derive(Debug)]
pub enum Destination {
    /// See [`Outputs::start`].
    Descriptors { stdout: OwnedFd, stderr: OwnedFd },
    /// See [`Outputs::to_files`].
    Files { out: Option<FileSettings>, err: Option<FileSettings> },
}

/// Outputs that go on where those of an earlier program stopped.
#[derive(Debug)]
pub struct Resumed {
    pub outputs: Outputs,
    pub closed: Closed,
    /// One entry a process, also for those that have ended and left descendants with their pipes.
    pub workers: Vec<(ResumedWorker, WorkerLogs)>,
    /// Pipes that could not be taken over; what is written to them is lost.
    pub problems: Vec<(Pid, io::Error)>,
}

/// Whose pipes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumedWorker {
    pub app: AppId,
    pub instance: InstanceId,
    pub pid: Pid,
}

impl Outputs {
    /// Stops reading at once and waits until all that was read is written, at most for `limit`. `None`: an output was blocked
    /// for longer, and everything goes on as before. No worker may be attached meanwhile, nor until it goes on.
    pub async fn suspend(&self, limit: Duration) -> Option<Suspended<'_>> {
        let mut resting = Vec::new();
        let mut pumps = self.pumps.take();
        let rested = async {
            self.shared.rest.ask();
            while let Some(ended) = pumps.join_next().await {
                resting.extend(ended.ok().flatten());
            }
            for sink in [&self.stdout, &self.stderr] {
                sink.queue.rest().await;
            }
        };
        let in_time = tokio::time::timeout(limit, rested).await.is_ok();
        // Those that have not come to rest in time stay where they are.
        while let Some(ended) = pumps.try_join_next() {
            resting.extend(ended.ok().flatten());
        }
        self.pumps.replace(pumps);
        let suspended = Suspended { outputs: self, resting };
        if in_time {
            return Some(suspended);
        }
        suspended.go_on();
        None
    }

    /// Goes on where the program before us in this process stopped. Must be called within a `LocalSet`, and before
    /// anything else uses the descriptors that the state names.
    pub fn resume(settings: Settings, to: Destination, state: OutputsState) -> io::Result<Resumed> {
        let (outputs, closed) = match to {
            Destination::Descriptors { stdout, stderr } => Self::start(settings, stdout, stderr)?,
            Destination::Files { out, err } => Self::to_files(settings, out, err)?,
        };
        outputs.pipes.set(outputs.pipes.get().max(state.next_pipe));
        outputs.stdout.queue.restore(state.stdout);
        state.stderr.into_iter().for_each(|stderr| outputs.stderr.queue.restore(stderr));
        let mut pipes = Pipes::default();
        for pipe in state.pipes {
            pipes.obtain(pipe);
        }
        outputs.shared.recorder.restore(&mut pipes, &state.histories, &state.own_history);
        let mut resumed = Resumed { outputs, closed, workers: Vec::new(), problems: Vec::new() };
        let mut pumps = Vec::new();
        for worker in state.workers {
            pumps.extend(resumed.take_over(worker, &mut pipes));
        }
        resumed.outputs.run_all(pumps);
        Ok(resumed)
    }

    fn run_all(&self, mut pumps: Vec<Pump>) {
        // Who was within a line has the turn until its end, so it asks for it before all others.
        pumps.sort_by_key(|pump| !pump.keeps_turn());
        for pump in pumps {
            self.pumps.borrow_mut().spawn_local(pump.run());
        }
    }
}

impl Suspended<'_> {
    /// All that another program must know to go on, and keeps the descriptors that it names open over an `execve`. So
    /// nothing may be spawned from here to the `execve` or to `go_on`.
    pub fn state(&self) -> io::Result<OutputsState> {
        let Self { outputs, resting } = self;
        let mut workers: Vec<(&Rc<RefCell<Ring>>, WorkerState)> = Vec::new();
        for pump in resting {
            for descriptor in std::iter::once(pump.descriptor()).chain(pump.copies().descriptors()) {
                inherited::set_on_exec(descriptor, OnExec::Keep)?;
            }
            let ring = pump.ring();
            let known = workers.iter_mut().find(|(known, _)| Rc::ptr_eq(known, ring));
            match known {
                Some((_, worker)) => worker.pumps.extend(pump.state()),
                None => {
                    let (tail, pumps) = (ring.borrow().state(), pump.state().into_iter().collect());
                    workers.push((ring, WorkerState { tail, pumps }));
                }
            }
        }
        let is_one = Rc::ptr_eq(&outputs.stdout, &outputs.stderr);
        let (pipes, histories, own_history) = outputs.shared.recorder.state();
        Ok(OutputsState {
            next_pipe: outputs.pipes.get(),
            workers: workers.into_iter().map(|(_, worker)| worker).collect(),
            stdout: outputs.stdout.queue.state(),
            stderr: (!is_one).then(|| outputs.stderr.queue.state()),
            pipes: pipes.states(),
            histories,
            own_history,
        })
    }

    /// Goes on as before, since no other program has taken over. Must be called within a `LocalSet`.
    pub fn go_on(self) {
        let Self { outputs, resting } = self;
        for pump in &resting {
            // There is no error for an open descriptor; a worker that inherits one of these for once does no harm.
            for descriptor in std::iter::once(pump.descriptor()).chain(pump.copies().descriptors()) {
                let _set = inherited::set_on_exec(descriptor, OnExec::Close);
            }
        }
        outputs.shared.rest.end();
        outputs.stdout.queue.go_on();
        outputs.stderr.queue.go_on();
        outputs.run_all(resting);
    }

    /// What an `execve` leaves: everything ends, but the pipes stay open, here under numbers of their own.
    #[cfg(test)]
    pub(super) fn leave(self) -> OutputsState {
        use std::os::fd::{AsRawFd as _, IntoRawFd as _};

        let mut state = self.state().unwrap();
        for pump in state.workers.iter_mut().flat_map(|worker| &mut worker.pumps) {
            let of_pump = |resting: &&Pump| resting.descriptor().as_raw_fd() == pump.descriptor;
            let descriptor = self.resting.iter().find(of_pump).unwrap().descriptor();
            let flags = nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFD);
            assert_eq!(flags, Ok(0), "closed by an exec");
            pump.descriptor = descriptor.try_clone_to_owned().unwrap().into_raw_fd();
            let all = self.resting.iter().flat_map(|resting| resting.copies().descriptors());
            let copies: Vec<_> = all.filter(|copy| pump.copies.contains(&copy.as_raw_fd())).collect();
            pump.copies =
                copies.iter().map(|copy| copy.try_clone_to_owned().unwrap().into_raw_fd()).collect();
        }
        state
    }
}

impl Resumed {
    /// Makes pumps for what is left of a worker's pipes.
    fn take_over(&mut self, worker: WorkerState, pipes: &mut Pipes) -> Vec<Pump> {
        let ring = Rc::new(RefCell::new(Ring::restore(worker.tail)));
        let (mut pumps, mut drains) = (Vec::new(), Vec::new());
        let mut whose = None;
        for state in worker.pumps {
            let Some(pipe) = pipes.obtain(state.pipe.clone()) else { continue };
            let Some(origin) = ResumedWorker::of(&pipe) else { continue };
            let (drain, orders) = mpsc::channel(1);
            match self.pump(state, &pipe, &ring, orders) {
                Ok(pump) => pumps.push(pump),
                Err(error) => self.problems.push((origin.pid, error)),
            }
            drains.push(drain);
            whose = Some(origin);
        }
        self.workers.extend(whose.map(|whose| (whose, WorkerLogs::new(ring, drains))));
        pumps
    }
}

impl Resumed {
    fn pump(
        &self,
        state: PumpState,
        pipe: &Arc<Pipe>,
        ring: &Rc<RefCell<Ring>>,
        orders: mpsc::Receiver<Drain>,
    ) -> io::Result<Pump> {
        let Origin::App { app, name, instance, pid, stream } = &pipe.origin else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let source = Source { app: *app, name, instance: *instance, pid: *pid };
        let track = Track { pipe: Arc::clone(pipe), read: state.read, begins: state.begins_line };
        let copies = Copies::inherit(&state.copies);
        let place = self.outputs.place(source, *stream, (track, copies), ring);
        let mut pump = Pump::new(inherited::take(state.descriptor)?, place, orders)?;
        pump.restore(state);
        Ok(pump)
    }
}

impl ResumedWorker {
    fn of(pipe: &Pipe) -> Option<Self> {
        match pipe.origin {
            Origin::App { app, instance, pid, .. } => Some(Self { app, instance, pid }),
            Origin::Runtime { .. } => None,
        }
    }
}
