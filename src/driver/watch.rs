//! Watches an app's files, and tells the supervisor of what has changed.

use std::path::{Path, PathBuf};

use super::app::App;
use super::hear::Asked;
use super::plan::Plan;
use crate::changes::{Change, Settings, Watcher};
use crate::spec::{WatchPolicy, WorkerId};
use crate::supervisor::Event;

/// What is watched, if anything is.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watched: Option<(WatchPolicy, PathBuf)>,
    _watcher: Option<Watcher>,
}

impl App {
    /// Watches what the plan says; that may be what is watched already.
    pub(super) fn arrange_watch(&mut self, plan: &Plan) {
        self.note_own_files(plan);
        let directory = plan.app.command.directory.clone().unwrap_or_default();
        let directory =
            std::path::absolute(&directory).or_else(|_empty| std::env::current_dir()).unwrap_or(directory);
        let wanted = plan.app.watch.clone().filter(|_| !plan.app.is_init()).map(|policy| (policy, directory));
        if wanted == self.watch.watched {
            return;
        }
        let watcher = wanted.as_ref().and_then(|(policy, directory)| self.watcher(policy, directory));
        self.watch = Watch { watched: wanted, _watcher: watcher };
    }

    fn watcher(&self, policy: &WatchPolicy, directory: &Path) -> Option<Watcher> {
        let settings = Settings {
            directory: directory.to_owned(),
            paths: policy.paths.iter().map(PathBuf::from).collect(),
            ignore: policy.ignore.clone(),
            own: self.shared.own_files.clone(),
            polling: policy.polling,
        };
        // Of the whole app: no worker has this number.
        let (key, questions) = (self.key(WorkerId::default()), self.shared.questions.clone());
        let tell = move |change| questions.blocking_send((key, Asked::Changed(change))).is_ok();
        Watcher::start(settings, tell)
            .inspect_err(|error| tracing::warn!(%error, app = self.name(), "`--watch`: nothing is watched"))
            .ok()
    }

    /// Notes what we write ourselves for the app, and may lie among any app's files.
    fn note_own_files(&self, plan: &Plan) {
        let shared = &self.shared;
        let (out, error) = shared.surroundings.usual_files(plan).unwrap_or_default();
        let files = plan.named_files().into_iter().chain(out).chain(error);
        let home = shared.surroundings.home.clone();
        let directories = home.into_iter().chain(shared.socket_directory.borrow().clone());
        shared.own_files.add(files, directories);
    }

    pub(super) fn on_changed(&mut self, Change { path, files }: Change) {
        let directory = self.watch.watched.as_ref().map(|(_, directory)| directory);
        let path = match directory.and_then(|directory| Path::new(&path).strip_prefix(directory).ok()) {
            Some(short) => short.display().to_string(),
            None => path,
        };
        self.feed(Event::Changed { path, files });
    }

    /// Reads everything anew, since files have changed.
    pub(super) fn plan_for_changes(&mut self) -> Event {
        Event::Prepared { is_usable: self.replan_for_reload() }
    }
}
