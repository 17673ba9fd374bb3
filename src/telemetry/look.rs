//! Looks at all workers once: what the driver knows, what processes use, and what Node workers report.
//!
//! A worker that is busy is not waited for. Its answer is kept in mind, and counted when it comes: what it has counted until then
//! it will not count again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::oneshot::{Receiver, error::TryRecvError};
use tokio::time::{Instant, sleep, timeout_at};

use super::between::Close;
use super::store::Look;
use crate::api::node::NodeView;
use crate::api::types::{AppView, InstanceView};
use crate::control::figures::Figures;
use crate::driver::clock::epoch_ms;
use crate::driver::handle::{Ended, Handle, Question, Report, Target};
use crate::metrics::usage::TreeUsage;
use crate::spec::AppId;

/// How long a look waits for what Node workers report.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often memory is looked at closely, which holds a worker up if it wants more.
const CLOSE_EVERY_MS: u64 = 10_000;

/// Looks at workers again and again.
#[derive(Debug)]
pub struct Looker {
    handle: Handle,
    figures: Figures,
    /// The last close look at each worker, and when the next is due; by pid.
    close: BTreeMap<i32, (Close, u64)>,
    /// Answers that are still to come, by pid.
    waiting: BTreeMap<i32, Receiver<NodeView>>,
}

impl Looker {
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self { handle, figures: Figures::default(), close: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When the driver has ended.
    pub async fn look(&mut self) -> Result<Look, Ended> {
        let at_ms = epoch_ms();
        let mut apps = self.handle.ask(|reply| Question::Apps { reply }).await?;
        let mut reports = self.late();
        self.ask(&apps).await?;
        let until = sleep(PATIENCE).deadline();
        let usages = self.usages(&apps, at_ms).await;
        reports.extend(self.in_time(until).await);
        for view in apps.iter_mut().flat_map(|app| app.instances.iter_mut().chain(&mut app.standbys)) {
            fill(view, &usages, &reports);
        }
        Ok(Look { at_ms, apps, usages, reports })
    }

    /// Answers that came after the look before.
    fn late(&mut self) -> Vec<(i32, NodeView)> {
        let mut reports = Vec::new();
        self.waiting.retain(|pid, answer| match answer.try_recv() {
            Ok(report) => {
                reports.push((*pid, report));
                false
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Closed) => false,
        });
        reports
    }

    async fn ask(&mut self, apps: &[AppView]) -> Result<(), Ended> {
        let targets: Vec<_> =
            apps.iter().map(|app| Target { app: AppId(app.app_id), instance: None }).collect();
        let asked = self.handle.ask(|reply| Question::Reports { targets, reply }).await?;
        for Report { pid, answer } in asked {
            // Who has not answered yet is not asked twice: the one that is given up waited for the same answer.
            self.waiting.insert(pid, answer);
        }
        Ok(())
    }

    /// Answers that come soon. The others go on to be waited for.
    async fn in_time(&mut self, until: Instant) -> Vec<(i32, NodeView)> {
        let mut reports = Vec::new();
        for (pid, mut answer) in std::mem::take(&mut self.waiting) {
            // One that is there is taken, however late it is.
            match timeout_at(until, &mut answer).await {
                Ok(Ok(report)) => reports.push((pid, report)),
                Ok(Err(_ended)) => {}
                Err(_elapsed) => drop(self.waiting.insert(pid, answer)),
            }
        }
        reports
    }

    async fn usages(&mut self, apps: &[AppView], now_ms: u64) -> BTreeMap<i32, TreeUsage> {
        let workers = apps.iter().flat_map(|app| app.instances.iter().chain(&app.standbys));
        let pids: BTreeSet<i32> = workers.filter_map(|view| view.pid).collect();
        self.close.retain(|pid, (_, due)| pids.contains(pid) && *due > now_ms);
        let due: BTreeSet<i32> = pids.into_iter().filter(|pid| !self.close.contains_key(pid)).collect();
        let mut usages = self.figures.usages_closely(apps, due).await;
        for (pid, usage) in &mut usages {
            match self.close.get_mut(pid) {
                Some((close, _)) => *usage = close.with(usage.clone()),
                None => drop(self.close.insert(*pid, (Close::of(usage), now_ms + CLOSE_EVERY_MS))),
            }
        }
        usages
    }
}

fn fill(view: &mut InstanceView, usages: &BTreeMap<i32, TreeUsage>, reports: &[(i32, NodeView)]) {
    let Some(pid) = view.pid else { return };
    if let Some(usage) = usages.get(&pid) {
        view.cpu_percent = usage.cpu_percent;
        view.memory_bytes = usage.memory.map(|memory| memory.bytes);
        view.processes = Some(usage.processes);
        view.connections = usage.clients.map(|clients| clients.connections);
        view.requests_in_flight = usage.clients.and_then(|clients| clients.in_flight);
    }
    // The newest.
    let of_worker = reports.iter().rev().find(|(whose, _)| *whose == pid);
    view.node = of_worker.map(|(_, report)| *report);
}
