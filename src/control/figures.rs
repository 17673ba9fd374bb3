//! The figures and facts that the driver does not know: what processes use, and what the apps' files say.
//!
//! They are read from /proc and from files, which blocks, so it is done in a thread beside the loop, for one client
//! after the other, and only when somebody asks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api::types::{AppView, GitView, InstanceView, InterpreterView, MachineView, RuntimeView};
use crate::facts::gather::{App, gather};
use crate::metrics::sampler::{Detail, Sampler};
use crate::metrics::usage::{Key, TreeUsage};
use crate::process::Pid;
use crate::spec::{AppId, WorkerId};

/// Two samples that are less far apart tell nothing of the CPU.
pub(super) const BETWEEN_SAMPLES: Duration = Duration::from_millis(260);

/// Takes the figures. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    sampler: Arc<Mutex<Sampler>>,
    /// One at a time: several threads would only wait for each other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Figures {
    /// Fills in what processes use. Takes a moment longer where a worker is looked at for the first time in a minute, since
    /// its share of a CPU needs two looks.
    pub(crate) async fn fill_apps(&self, apps: &mut [AppView]) {
        let workers = workers(apps);
        if workers.is_empty() {
            return;
        }
        let _turn = self.turn.lock().await;
        let mut usages = self.sample(&workers).await;
        if usages.values().any(|usage| usage.cpu_percent.is_none()) {
            tokio::time::sleep(BETWEEN_SAMPLES).await;
            usages = self.sample(&workers).await;
        }
        for app in apps {
            let app_id = app.app_id;
            for view in app.instances.iter_mut().chain(&mut app.standbys) {
                if let Some(usage) = key(app_id, view).and_then(|(key, _)| usages.get(&key)) {
                    view.cpu_percent = usage.cpu_percent;
                    view.memory_bytes = usage.memory.map(|memory| memory.bytes);
                    view.processes = Some(usage.processes);
                    view.connections = usage.clients.map(|clients| clients.connections);
                    view.requests_in_flight = usage.clients.and_then(|clients| clients.in_flight);
                }
            }
        }
    }

    /// All that workers use, by the pids of those that are found.
    pub(crate) async fn usages(&self, apps: &[AppView]) -> BTreeMap<i32, TreeUsage> {
        self.usages_closely(apps, workers(apps).iter().map(|(_, pid)| pid.as_raw()).collect()).await
    }

    /// What workers use, by the pids of those that are found: all of it of those in `closely`.
    pub(crate) async fn usages_closely(
        &self,
        apps: &[AppView],
        closely: BTreeSet<i32>,
    ) -> BTreeMap<i32, TreeUsage> {
        let workers = workers(apps);
        if workers.is_empty() {
            return BTreeMap::new();
        }
        let _turn = self.turn.lock().await;
        let pids: BTreeMap<Key, i32> = workers.iter().map(|(key, pid)| (*key, pid.as_raw())).collect();
        let detail =
            move |pid: Pid| if closely.contains(&pid.as_raw()) { Detail::Full } else { Detail::Light };
        let usages = self.in_thread(move |sampler| sampler.sample_each(&workers, detail)).await;
        let by_pid = |(key, usage)| Some((*pids.get(&key)?, usage));
        usages.unwrap_or_default().into_iter().filter_map(by_pid).collect()
    }

    /// Fills in what the runtime itself uses, and where it runs.
    pub(crate) async fn fill_runtime(&self, runtime: &mut RuntimeView) {
        let _turn = self.turn.lock().await;
        let machine =
            self.in_thread(|sampler| (sampler.machine(), kernel_word("hostname"), kernel_word("osrelease")));
        let Some((machine, host, kernel)) = machine.await else { return };
        runtime.memory_bytes = machine.ourselves.map(|memory| memory.bytes);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        runtime.cpu_time_ms = machine.our_cpu_time.map(millis);
        runtime.descriptors = machine.our_descriptors;
        let view = &mut runtime.machine;
        *view = MachineView {
            host: view.host.take().or(host),
            kernel: view.kernel.take().or(kernel),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu_model: view.cpu_model.take().or(machine.cpu_model),
            memory_total_bytes: view.memory_total_bytes.or(machine.memory_total),
            memory_available_bytes: view.memory_available_bytes.or(machine.memory_available),
            load: view.load.or(machine.load),
            ..view.clone()
        };
    }

    /// Fills in what the apps' files say. `paths` are the PATHs of the apps' environments.
    pub(super) async fn fill_facts(&self, apps: &mut Vec<AppView>, paths: Vec<Option<OsString>>) {
        let _turn = self.turn.lock().await;
        let mut filled = apps.clone();
        let work = move || {
            for (app, path) in filled.iter_mut().zip(paths) {
                fill_facts(app, path.as_deref());
            }
            filled
        };
        if let Ok(filled) = tokio::task::spawn_blocking(work).await {
            *apps = filled;
        }
    }

    async fn sample(&self, workers: &[(Key, Pid)]) -> BTreeMap<Key, TreeUsage> {
        let workers = workers.to_vec();
        self.in_thread(move |sampler| sampler.sample(&workers, Detail::Brief)).await.unwrap_or_default()
    }

    /// `None` where it panicked, which costs nobody more than these figures.
    async fn in_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sampler) -> T + Send + 'static,
    ) -> Option<T> {
        let sampler = self.sampler.clone();
        let work = move || work(&mut sampler.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.ok()
    }
}

/// What the driver knows already stays.
fn fill_facts(app: &mut AppView, path: Option<&OsStr>) {
    let Some(program) = app.command.first() else { return };
    let facts = gather(&App {
        program: OsStr::new(program),
        script: app.script.as_deref().map(Path::new),
        directory: Path::new(&app.directory),
        path,
    });
    let interpreter = facts.interpreter.map(|found| InterpreterView {
        program: program.clone(),
        path: Some(found.path),
        version: found.version,
    });
    let git = facts.git.and_then(|git| {
        Some(GitView { branch: git.branch, revision: git.revision?.full, remote: git.remote })
    });
    app.version = app.version.take().or(facts.version.map(|version| version.version));
    // The driver knows the name alone.
    app.interpreter = interpreter.or(app.interpreter.take());
    app.git = app.git.take().or(git);
}

fn workers(apps: &[AppView]) -> Vec<(Key, Pid)> {
    let views =
        apps.iter().flat_map(|app| app.instances.iter().chain(&app.standbys).map(|view| (app.app_id, view)));
    views.filter_map(|(app_id, view)| key(app_id, view)).collect()
}

/// A worker is told from others by its pid: should it be used again, the sampler sees that from the time of its start.
fn key(app_id: u32, view: &InstanceView) -> Option<(Key, Pid)> {
    let pid = view.pid.filter(|pid| *pid > 0)?;
    let worker = WorkerId(u32::try_from(pid).ok()?);
    Some((Key { app: AppId(app_id), worker }, Pid::new(pid)))
}

fn kernel_word(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn what_the_files_say_is_filled_in() {
        let directory = tempfile::tempdir().unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let node = directory.path().join("node");
        fs::write(directory.path().join("package.json"), r#"{"version":"4.5.6"}"#).unwrap();
        fs::write(&node, "").unwrap();
        let mut app = AppView {
            version: None,
            // The driver knows its name.
            interpreter: Some(InterpreterView { program: "node".to_owned(), path: None, version: None }),
            directory: text(directory.path()),
            script: None,
            command: vec![text(&node)],
            ..samples::app(0, "web", 1)
        };
        fill_facts(&mut app, None);
        assert_eq!(app.version.as_deref(), Some("4.5.6"));
        assert_eq!(app.interpreter.as_ref().unwrap().path.as_deref(), node.to_str());
        app.version = Some("known".to_owned());
        fill_facts(&mut app, None);
        assert_eq!(app.version.as_deref(), Some("known"));
    }

    #[test]
    fn a_worker_without_a_pid_is_not_looked_for() {
        let mut app = samples::app(3, "web", 2);
        app.instances[1].pid = Some(42);
        assert_eq!(workers(&[app]), [(Key { app: AppId(3), worker: WorkerId(42) }, Pid::new(42))]);
    }
}
