//! The end of apps, and of the runtime.

use std::rc::Rc;
use std::time::Duration;

use super::app::App;
use super::run::Driver;
use super::shared::Shared;
use super::tell::Telling;
use super::words::Human;
use crate::api::types::{Operation, Verdict};
use crate::logs::Outputs;
use crate::supervisor::Notice;

/// How long a blocked output may hold up our end once all workers are gone. Platforms kill after 30 s.
const LAST_WORDS: Duration = Duration::from_secs(25);

/// How long reports on crashes may take, where all is over because of them.
const REPORTS_WITHIN: Duration = Duration::from_secs(10);
/// The same where somebody waits for our end, who has waited for the workers' before.
const REPORTS_WITHIN_A_STOP: Duration = Duration::from_secs(2);

impl Driver {
    /// Takes note of apps that are over, and lets go of those that were removed.
    pub(super) fn note_ends(&mut self) {
        for app in self.apps.values_mut() {
            if let Some(status) = app.unnoted_status.take() {
                // It may have ended before, and been started again.
                self.statuses.retain(|&(id, _)| id != app.id);
                self.statuses.push((app.id, status));
            }
        }
        let removed: Vec<_> = self.apps.values().filter(|app| app.is_removed()).map(|app| app.id).collect();
        for id in removed {
            if !self.ending && self.apps.len() > 1 {
                // Others go on, and the runtime's end will be theirs.
                self.statuses.retain(|&(ended, _)| ended != id);
            }
            if let Some(mut app) = self.apps.remove(&id) {
                app.tell_end();
                app.outputs.forget(id);
                // What is left in its log's pipes is still to be written.
                self.retired.append(&mut app.ended_logs);
                self.retired_files.extend(app.log_files.take());
            }
        }
        self.retired.retain(|logs| !logs.is_finished());
        self.retired_files.retain(|outputs| !outputs.is_idle());
    }

    /// Tells of apps that are over while others go on.
    pub(super) fn tell_ends(&mut self) {
        self.apps.values_mut().for_each(App::tell_end);
    }

    /// The last words: what the workers have written is written, then the verdict, then nothing.
    pub(super) async fn finish(self, status: u8) -> u8 {
        let Self { shared, mut apps, killers, teller, halt, retired, retired_files: mut beside, .. } = self;
        let took = shared.clock.now();
        let endings: Vec<_> = apps.values_mut().filter_map(App::take_ending).collect();
        let logs: Vec<_> =
            apps.values().flat_map(|app| app.ended_logs.iter().cloned()).chain(retired).collect();
        let mut files: Vec<_> = apps.values().map(|app| Rc::clone(&app.outputs)).collect();
        apps.values_mut().for_each(|app| app.listeners.stop_listening());
        beside.extend(apps.values_mut().flat_map(|app| app.log_files.take()));
        let count = apps.len();
        drop(apps);
        let Some(shared) = Rc::into_inner(shared) else { return status };
        let Shared { outputs, tellings, crashes, .. } = shared;
        drop(tellings);
        let drained = async {
            for logs in &logs {
                logs.drain().await;
            }
            let teller = teller.await;
            crashes.written().await;
            teller
        };
        // A reader that does not read is not waited for longer than the platform would wait for us.
        if let Ok(Ok(mut teller)) = tokio::time::timeout(LAST_WORDS, drained).await {
            endings.iter().for_each(|ending| teller.tell(ending));
        }
        let patience = if halt.is_some() { REPORTS_WITHIN_A_STOP } else { REPORTS_WITHIN };
        crashes.finish(patience).await;
        drop((logs, endings));
        files.push(outputs);
        finish_outputs(files).await;
        // Who writes to them has ended now.
        for outputs in beside.into_iter().filter_map(Rc::into_inner) {
            let _all_written = outputs.finish_at_their_end(LAST_WORDS).await;
        }
        for (reply, begun) in killers {
            let _heard = reply.send(killed(count, status, took.since(begun)));
        }
        status
    }
}

/// Each of them once: apps may share one.
async fn finish_outputs(mut outputs: Vec<Rc<Outputs>>) {
    while let Some(one) = outputs.pop() {
        if let Some(last) = Rc::into_inner(one) {
            let _all_written = last.finish(LAST_WORDS).await;
        }
    }
}

fn killed(count: usize, status: u8, took: Duration) -> Verdict {
    let apps = if count == 1 { "1 app".to_owned() } else { format!("{count} apps") };
    let how = if status == 0 { String::new() } else { format!(", status {status}") };
    Verdict {
        app: None,
        operation: Operation::Kill,
        ok: true,
        message: format!("the runtime has ended, with {apps}{how}, in {}", Human(took)),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        generation: None,
        instances: None,
        last_lines: Vec::new(),
    }
}

impl App {
    /// It is over.
    pub(super) fn over(&mut self, status: u8) {
        self.status = Some(status);
        self.unnoted_status = Some(status);
    }

    /// Tells how it ended, if that was not told yet.
    fn tell_end(&mut self) {
        if let Some(telling) = self.take_ending() {
            self.shared.tell(telling);
        }
    }

    fn take_ending(&mut self) -> Option<Telling> {
        self.status?;
        let notice: Notice = self.last_notice.take()?;
        Some(self.telling(notice, self.ended_logs.last().cloned()))
    }
}
