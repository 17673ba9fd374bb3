//! Takes the looks at an app's queues and connections that `listener` wants, and is told when somebody connects.

use std::io;

use tokio::io::Interest;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use super::app::App;
use super::clock;
use crate::spec::AppId;
use crate::supervisor::Uptime;
use crate::sys::watch::watch;

/// The task that says when somebody connects. It ends with this.
#[derive(Debug)]
pub(super) struct ArrivalTask(JoinHandle<()>);

impl Drop for ArrivalTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl App {
    /// When the next look is due.
    pub(super) fn next_look(&self) -> Option<Uptime> {
        self.listeners.next_look().map(Uptime)
    }

    /// Somebody has connected to one of the sockets that are watched.
    pub(super) fn on_arrival(&mut self) {
        self.listeners.arrived(self.shared.clock.now().0);
        self.look_if_due();
    }

    /// Looks, if it is time to.
    pub(super) fn look_if_due(&mut self) {
        let now = self.shared.clock.now();
        if self.next_look().is_none_or(|due| due > now) {
            return;
        }
        let begun = clock::cpu_time();
        if self.arrival_task.is_none() {
            match self.watch_arrivals() {
                Ok(task) => self.arrival_task = Some(task),
                Err(error) => {
                    self.shared
                        .advise(format!("cannot watch who connects, so any worker may get it: {error}"));
                }
            }
        }
        let stuck = self.listeners.look(now.0);
        self.rescue(&stuck);
        self.listeners.looked(self.shared.clock.now().0, clock::cpu_time().saturating_sub(begun));
    }

    fn watch_arrivals(&mut self) -> io::Result<ArrivalTask> {
        let arrivals = watch(self.listeners.arrivals()?, Interest::READABLE)?;
        let (app, arrived) = (self.id, self.shared.arrived.clone());
        Ok(ArrivalTask(tokio::task::spawn_local(tell_of_arrivals(arrivals, app, arrived))))
    }
}

async fn tell_of_arrivals(
    arrivals: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
    app: AppId,
    arrived: Sender<AppId>,
) {
    // Each connection to a socket that is watched wakes us; the app has them ignored when it does not want to know.
    while let Ok(mut readable) = arrivals.readable().await {
        readable.clear_ready();
        if arrived.send(app).await.is_err() {
            return;
        }
    }
}
